//! stats, verify, repair, compact, backup, dump, bench on a sound store.

use std::path::Path;

use crate::run::{Place, count, keel};

#[test]
fn stats_are_sorted_names_with_values() {
    let place = Place::with(&[("a", "1"), ("b", "22")]);
    let stats = place.keel("stats", &[]).printed();
    let names: Vec<_> = stats.lines().map(|line| line.split_once('=').unwrap().0).collect();
    assert!(names.is_sorted(), "{stats}");
    for name in ["layout", "keys", "live_bytes", "disk_bytes", "files", "sequence"] {
        assert!(names.contains(&name), "{name} in {stats}");
    }
    let layout = format!("\nlayout={}\n", crate::LAYOUT);
    assert!(stats.contains(&layout));
    let words = stats.replace(&layout, "\n");
    assert_eq!((count(&words, "keys"), count(&words, "sequence")), (2, 2));
}

#[test]
fn verify_counts_what_is_sound() {
    let place = Place::with(&[("a", "1"), ("b", "2"), ("c", "3")]);
    let before = place.image();
    let verified = place.keel("verify", &[]).printed();
    assert!(verified.starts_with("ok files="), "{verified}");
    assert_eq!(verified.lines().count(), 1);
    assert_eq!(count(&verified, "records"), 3);
    assert!(count(&verified, "files") >= 2 && count(&verified, "bytes") > 0);
    assert_eq!(place.image(), before);
}

#[test]
fn what_only_reads_changes_no_byte() {
    let place = Place::with(&[("a", "1"), ("b", "2")]);
    let before = place.image();
    place.keel("get", &["a"]).printed();
    place.keel("get", &["x"]).absent();
    for command in ["scan", "export", "stats", "verify"] {
        place.keel(command, &[]).printed();
    }
    assert_eq!(place.image(), before);
}

#[test]
fn repair_of_a_sound_store_loses_nothing() {
    let place = Place::with(&[("a", "1"), ("b", "2")]);
    place.keel("repair", &[]).done("repaired kept=2 lost=0\n");
    place.keel("scan", &[]).done("a\t1\nb\t2\n");
    assert!(place.keel("verify", &[]).printed().starts_with("ok "));
}

#[test]
fn compact_gives_back_what_is_dead() {
    let place = Place::new();
    let value = "v".repeat(1_000);
    let lines: String = (0..4_000).map(|n| format!("{:03}\t{value}{n}\n", n % 100)).collect();
    place.import(&["--quiet"], lines.as_bytes()).done("");
    let compacted = place.keel("compact", &[]).printed();
    let (before, after) = (count(&compacted, "before"), count(&compacted, "after"));
    assert_eq!(compacted, format!("before={before} after={after}\n"));
    assert!(after + 3_000_000 < before, "{compacted}");
    let bytes: usize = place.image().unwrap().values().map(Vec::len).sum();
    assert_eq!(bytes as u64, after);
    let expected: String =
        (3_900..4_000).map(|n| format!("{:03}\t{value}{n}\n", n % 100)).collect();
    assert_eq!(place.keel("scan", &[]).printed(), expected);
    assert!(place.keel("verify", &[]).printed().starts_with("ok "));
}

#[test]
fn a_backup_is_a_store_of_its_own() {
    let place = Place::with(&[("a", "1"), ("b", "2")]);
    let before = place.image();
    for (name, made) in [("copy", false), ("empty", true)] {
        let copy = place.path(name);
        if made {
            std::fs::create_dir(&copy).unwrap();
        }
        place.keel("backup", &[&copy]).done("");
        assert!(keel(["verify", &copy]).printed().starts_with("ok "));
        keel(["put", &copy, "a", "other"]).done("");
        keel(["scan", &copy]).done("a\tother\nb\t2\n");
    }
    assert_eq!(place.image(), before);
    place.keel("scan", &[]).done("a\t1\nb\t2\n");
}

#[test]
fn dump_prints_every_file_of_a_store() {
    let place = Place::with(&[("a\\x00key", "1")]);
    for name in place.image().unwrap().into_keys() {
        let file = Path::new(&place.dir()).join(&name);
        let text = keel(["dump", file.to_str().unwrap()]).printed();
        let json = keel(["dump", file.to_str().unwrap(), "--json"]).printed();
        assert_eq!(text.lines().count(), json.lines().count(), "{name}");
        assert!(json.lines().all(|line| line.starts_with("{\"line\":\"")), "{name}: {json}");
        if name.ends_with(".log") {
            assert!(text.contains("key"), "{text}");
        }
    }
}

#[test]
fn bench_prints_what_it_measured_and_leaves_nothing() {
    let place = Place::new();
    let temp = place.path("temp");
    std::fs::create_dir(&temp).unwrap();
    let mut command = crate::run::command(["bench", "--count", "500", "--seed", "7"]);
    command.env("TMPDIR", &temp);
    let out = crate::run::run(command).printed();
    let names: Vec<_> = out.lines().map(|line| line.split_once('=').unwrap().0).collect();
    assert!(names.is_sorted(), "{out}");
    assert_eq!((count(&out, "count"), count(&out, "seed")), (500, 7));
    assert!(count(&out, "get_per_second") > 0 && count(&out, "put_nanos") > 0, "{out}");
    assert_eq!(std::fs::read_dir(&temp).unwrap().count(), 0);
}

#[test]
fn bench_keeps_a_directory_that_is_given() {
    let place = Place::new();
    for _ in 0..2 {
        let args = ["--count", "50", "--value-bytes", "0", "--json"];
        let out = place.keel("bench", &args).printed();
        assert!(out.starts_with("{\"count\":50,"), "{out}");
    }
    assert_eq!(place.keel("scan", &["--keys"]).printed().lines().count(), 50);
}
