//! `import --sorted`: all lines at once or none, into the ordered layout.

use crate::run::Place;

fn sorted(place: &Place, args: &[&str], lines: &str) -> crate::run::Ran {
    place.import(&[&["--sorted"], args].concat(), lines.as_bytes())
}

#[test]
fn sorted_lines_are_acknowledged_and_imported_at_once() {
    let place = Place::new();
    let lines: String = (0..2_500).map(|n| format!("{n:04}\t{n}\n")).collect();
    sorted(&place, &[], &lines).done("acked=2500\nimported=2500\n");
    assert_eq!(place.keel("scan", &[]).printed(), lines);
    let stats = place.keel("stats", &[]).printed();
    assert!(stats.contains("layout=ordered\n") && stats.contains("sequence=1\n"), "{stats}");
    assert!(place.keel("verify", &[]).printed().starts_with("ok files="));
    sorted(&place, &["--json"], "0001\tnew\t9999999999999\nx\ty")
        .done("{\"acked\":2}\n{\"imported\":2}\n");
    place.keel("get", &["0001"]).done("new\n");
    assert!(place.keel("stats", &[]).printed().contains("keys=2501\n"));
    sorted(&place, &["--quiet"], "y\tz\n").done("");
    sorted(&place, &[], "").done("imported=0\n");
}

#[test]
fn every_durability_loads_sorted_lines() {
    for durability in ["immediate", "batch", "none"] {
        let place = Place::new();
        let args = ["--durability", durability];
        sorted(&place, &args, "a\t1\nb\t2\n").done("acked=2\nimported=2\n");
        place.keel("scan", &[]).done("a\t1\nb\t2\n");
    }
}

#[test]
fn line_that_is_out_of_order_or_malformed_is_named_and_nothing_is_imported() {
    for (last, what) in [
        ("b\t2", "line 3: not in ascending order of keys"),
        ("a\t2", "line 3: not in ascending order of keys"),
        ("c", "line 3: one field, a tab is missing"),
    ] {
        let place = Place::new();
        sorted(&place, &[], "kept\t1\n").done("acked=1\nimported=1\n");
        let ran = sorted(&place, &[], &format!("a\t1\nb\t2\n{last}\n"));
        assert_eq!((ran.failed(2), ran.out.as_str()), (what, ""));
        place.keel("scan", &[]).done("kept\t1\n");
        assert!(place.keel("verify", &[]).printed().starts_with("ok files="));
    }
}

#[test]
fn sorted_import_needs_the_ordered_layout_and_no_batches_or_sandbox() {
    let needs = "--sorted needs a store in the ordered layout";
    let place = Place::new();
    assert_eq!(sorted(&place, &["--layout", "hash"], "a\t1\n").failed(2), needs);
    place.keel("put", &["k", "v", "--layout", "hash"]).done("");
    assert_eq!(sorted(&place, &[], "a\t1\n").failed(2), needs);
    place.keel("scan", &[]).done("k\tv\n");
    assert!(sorted(&place, &["--batch", "5"], "a\t1\n").failed(2).contains("--batch"));
    let refused = sorted(&place, &["--sandbox"], "a\t1\n");
    assert!(refused.failed(2).contains("--sandbox"), "{refused:?}");
}
