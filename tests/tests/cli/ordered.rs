//! The ordered layout from the command line: the words mean the same, and ranges can be deleted.

use crate::run::Place;

const PAIRS: [(&str, &str); 5] = [("b", "2"), ("a", "1"), ("c", "3"), ("ab", "4"), ("d", "5")];

/// A store in the ordered layout with the pairs in it.
fn ordered() -> Place {
    let place = Place::new();
    for (key, value) in PAIRS {
        place.keel("put", &[key, value, "--layout", "ordered"]).done("");
    }
    place
}

#[test]
fn ordered_store_answers_as_any_other() {
    let place = ordered();
    place.keel("get", &["ab"]).done("4\n");
    place.keel("get", &["x"]).absent();
    place.keel("scan", &["--keys"]).done("a\nab\nb\nc\nd\n");
    place.keel("scan", &["--keys", "--reverse", "--limit", "2"]).done("d\nc\n");
    place.keel("scan", &["--prefix", "a"]).done("a\t1\nab\t4\n");
    place.keel("delete", &["b"]).done("");
    place.keel("get", &["b"]).absent();
    let stats = place.keel("stats", &[]).printed();
    assert!(stats.contains("layout=ordered\n") && stats.contains("keys=4\n"), "{stats}");
    assert!(place.keel("verify", &[]).printed().starts_with("ok files="));
    let compacted = place.keel("compact", &[]).printed();
    assert!(compacted.contains(" after="), "{compacted}");
    place.keel("scan", &["--keys"]).done("a\nab\nc\nd\n");
    assert!(place.keel("verify", &[]).printed().starts_with("ok files="));
    assert!(place.keel("repair", &[]).printed().ends_with("repaired kept=4 lost=0\n"));
}

#[test]
fn ordered_store_deletes_a_range_in_one_write() {
    let place = ordered();
    place.keel("delete", &["--from", "ab", "--to", "c"]).done("");
    place.keel("scan", &["--keys"]).done("a\nc\nd\n");
    place.keel("compact", &[]);
    place.keel("scan", &["--keys"]).done("a\nc\nd\n");
    let ran = place.keel("delete", &["--from", "d", "--to", "a"]);
    assert!(ran.failed(2).contains("the range ends before it begins"));
}

#[test]
fn layout_of_a_store_is_kept() {
    let place = ordered();
    place.keel("get", &["a", "--layout", "ordered"]).done("1\n");
    let ran = place.keel("get", &["a", "--layout", "hash"]);
    assert!(ran.failed(2).contains("the store has another layout"));
    place.keel("put", &["e", "6"]).done("");
    place.keel("get", &["e"]).done("6\n");
}
