//! import and export: lines, batches, acknowledgements, what a malformed line leaves.

use crate::run::{Place, keel};

#[test]
fn lines_are_acknowledged_in_batches() {
    let place = Place::new();
    let lines: String = (0..2_500).map(|n| format!("{n:04}\t{n}\n")).collect();
    place.import(&[], lines.as_bytes()).done("acked=1000\nacked=2000\nacked=2500\nimported=2500\n");
    let acked = "acked=1200\nacked=2400\nacked=2500\nimported=2500\n";
    place.import(&["--batch", "1200"], lines.as_bytes()).done(acked);
    let scanned = place.keel("scan", &[]).printed();
    assert_eq!(scanned, lines);
}

#[test]
fn no_lines_make_an_empty_store() {
    let place = Place::new();
    place.import(&[], b"").done("imported=0\n");
    place.keel("scan", &[]).done("");
    place.import(&[], b"").done("imported=0\n");
}

#[test]
fn the_last_line_may_lack_its_line_feed_and_only_a_line_feed_ends_one() {
    let place = Place::new();
    place.import(&[], b"a\t1\rx\n\xff\x00\t\xfe").done("acked=2\nimported=2\n");
    place.keel("scan", &[]).done("a\t1\\rx\n\\xff\\x00\t\\xfe\n");
}

#[test]
fn a_later_line_wins() {
    let place = Place::new();
    place.import(&[], b"a\t1\na\t2\n").done("acked=2\nimported=2\n");
    place.keel("get", &["a"]).done("2\n");
}

#[test]
fn a_file_is_read_like_standard_input() {
    let place = Place::new();
    let file = place.path("lines");
    std::fs::write(&file, "a\t1\nb\t2").unwrap();
    place.keel("import", &[&file]).done("acked=2\nimported=2\n");
    place.keel("scan", &[]).done("a\t1\nb\t2\n");
}

#[test]
fn every_durability_imports_everything_and_acknowledges_it() {
    let lines: String = (0..300).map(|n| format!("{n:03}\t{n}\n")).collect();
    for durability in ["immediate", "batch", "none"] {
        let place = Place::new();
        let args = ["--durability", durability, "--batch", "100"];
        let out = place.import(&args, lines.as_bytes()).printed();
        assert!(out.ends_with("acked=300\nimported=300\n"), "{durability}: {out}");
        place.keel("put", &["x", "y", "--durability", durability]).done("");
        place.keel("delete", &["x", "--durability", durability]).done("");
        assert_eq!(place.keel("scan", &[]).printed(), lines);
    }
}

/// The lines before a malformed one are applied and acknowledged; nothing of it or after it is.
#[test]
fn a_malformed_line_ends_the_import_after_the_lines_before_it() {
    for (bad, what) in [
        ("", "empty line"),
        ("k", "one field, a tab is missing"),
        ("k\tv\t1\t2", "more than three fields"),
        ("\tv", "empty key"),
        ("k\\q\tv", "bad escape"),
        ("k\t\\x0", "bad escape"),
        ("k\t\\x0\t1", "bad escape"),
        ("k\tv\t", "expiry is not a whole number of milliseconds"),
        ("k\tv\tsoon", "expiry is not a whole number of milliseconds"),
    ] {
        let place = Place::new();
        let lines = format!("a\t1\nb\t2\nc\t3\n{bad}\nd\t4\n");
        let ran = place.import(&["--batch", "2"], lines.as_bytes());
        assert_eq!(ran.out, "acked=2\nacked=3\n", "{bad}");
        assert_eq!(ran.failed(2), format!("line 4: {what}"));
        place.keel("scan", &[]).done("a\t1\nb\t2\nc\t3\n");
    }
}

#[test]
fn a_key_over_the_limit_is_a_malformed_line() {
    let place = Place::new();
    let longest = "k".repeat(65_535);
    let lines = format!("{longest}\tv\n{longest}k\tv\n");
    let ran = place.import(&[], lines.as_bytes());
    assert_eq!(ran.out, "acked=1\n");
    assert_eq!(ran.failed(2), "line 2: key too long max=65535");
    place.keel("scan", &[]).done(&format!("{longest}\tv\n"));
}

/// The longest value goes in and comes out; one byte more is refused before the line has ended.
#[test]
fn values_go_up_to_the_limit() {
    let place = Place::new();
    let longest = "v".repeat(64 << 20);
    let lines = format!("a\t1\nb\t{longest}\nc\t{longest}v");
    let ran = place.import(&[], lines.as_bytes());
    assert!(ran.out.ends_with("acked=2\n"), "{}", ran.out);
    assert_eq!(ran.failed(2), "line 3: value too long max=67108864");
    assert!(place.keel("get", &["b"]).printed().trim_end() == longest);
    assert_eq!(place.keel("scan", &["--keys"]).printed(), "a\nb\n");
}

/// More than one frame could hold is cut into batches of its own, so memory stays bounded.
#[test]
fn large_lines_make_smaller_batches() {
    let place = Place::new();
    let value = "v".repeat(1 << 20);
    let lines: String = (0..100).map(|n| format!("{n:03}\t{value}\n")).collect();
    let out = place.import(&[], lines.as_bytes()).printed();
    assert!(out.lines().count() > 3 && out.ends_with("acked=100\nimported=100\n"), "{out}");
    assert!(place.keel("scan", &[]).printed() == lines);
    let tail = place.keel("scan", &["--reverse", "--limit", "1"]).printed();
    assert!(tail.starts_with("099\tvv"));
}

#[test]
fn what_export_prints_import_reads_unchanged() {
    let place = Place::new();
    let mut lines = Vec::new();
    for byte in (0..=255_u8).filter(|b| !b"\\\t\n".contains(b)) {
        lines.extend_from_slice(&[b'k', byte, b'\t', byte, byte]);
        if byte % 3 == 0 {
            lines.extend_from_slice(format!("\t{}", 2_000_000 + u64::from(byte)).as_bytes());
        }
        lines.push(b'\n');
    }
    lines.extend_from_slice(b"\\\\\t\\t\\n\t18446744073709551615\ngone\tx\t999999\n");
    place.import(&["--now", "5"], &lines).printed();
    let exported = place.keel("export", &["--now", "1000000"]).printed();
    assert_eq!(exported.lines().count(), 254);
    assert!(exported.contains("\\\\\t\\t\\n\t18446744073709551615\n"));
    let other = Place::new();
    other.import(&["--now", "1000000"], exported.as_bytes()).printed();
    assert_eq!(other.keel("export", &["--now", "1000000"]).printed(), exported);
    let later = other.keel("export", &["--now", "2000129"]).printed();
    assert_eq!(place.keel("export", &["--now", "2000129"]).printed(), later);
    assert_ne!(later, exported);
}

#[test]
fn an_input_that_cannot_be_read_is_an_io_error_and_makes_no_store() {
    let place = Place::new();
    let missing = place.path("missing");
    let ran = place.keel("import", &[&missing]);
    assert!(ran.failed(4).starts_with(&format!("{missing}: ")));
    let root = place.path(".");
    assert_eq!(keel(["import", &place.dir(), &root]).failed(4), format!("{root}: is a directory"));
    assert_eq!(place.image(), None);
}
