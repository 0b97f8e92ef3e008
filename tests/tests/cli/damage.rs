//! Damaged stores: verify says where, reading refuses, repair keeps the rest.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::run::{Place, command, count};

/// A store whose log is damaged in its middle, inside a value.
fn damaged() -> Place {
    let place = Place::new();
    for n in 0..9 {
        place.keel("put", &[&format!("k{n}"), &format!("value-{n}-of-nine")]).done("");
    }
    let log = holder(&place, b"value-4-of-nine");
    place.edit(&log, |bytes| {
        let at = position(bytes, b"value-4-of-nine");
        bytes[at] ^= 1;
    });
    place
}

/// Where the needle begins.
fn position(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).position(|window| window == needle).unwrap()
}

/// The file that holds these bytes.
fn holder(place: &Place, needle: &[u8]) -> String {
    let image = place.image().unwrap();
    let holds = |bytes: &Vec<u8>| bytes.windows(needle.len()).any(|window| window == needle);
    image.into_iter().find(|(_, bytes)| holds(bytes)).unwrap().0
}

#[test]
fn verify_says_where_the_damage_is_and_changes_nothing() {
    let place = damaged();
    let before = place.image();
    let ran = place.keel("verify", &[]);
    assert_eq!(ran.failed(3), "the store is damaged places=1");
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
    assert!(ran.out.starts_with(&format!("corrupt file={} offset=", place.files(".log")[0])));
    let frame = count(&ran.out, "offset");
    let log = holder(&place, b"alue-4-of-nine");
    let found = position(&before.as_ref().unwrap()[&log], b"alue-4-of-nine");
    assert!((frame..frame + 72).contains(&(found as u64)), "{}", ran.out);
    assert!(ran.out.contains(" bytes=") && ran.out.contains(" what="), "{}", ran.out);
    let json = place.keel("verify", &["--json"]);
    assert_eq!(json.code, Some(3));
    assert!(json.out.starts_with("{\"ok\":false,") && json.out.contains("\"what\":\""));
    let error = "{\"error\":\"corrupt\",\"message\":\"the store is damaged places=1\"}\n";
    assert_eq!(json.err, error);
    assert_eq!(place.image(), before);
}

#[test]
fn a_damaged_value_is_never_printed() {
    let place = damaged();
    let ran = place.keel("get", &["k4"]);
    assert!(ran.failed(3).starts_with("corrupt file="), "{}", ran.err);
    assert_eq!(ran.out, "");
    assert_eq!(place.keel("export", &[]).code, Some(3));
}

#[test]
fn repair_keeps_the_rest_and_says_what_is_lost() {
    let place = damaged();
    let out = place.keel("repair", &[]).printed();
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert!(lines[0].starts_with("lost file="), "{out}");
    assert!(lines[1].starts_with("repaired kept="), "{out}");
    assert_eq!(count(lines[1], "lost"), 1);
    assert!(place.keel("verify", &[]).printed().starts_with("ok "));
    let left = place.keel("scan", &["--keys"]).printed();
    assert_eq!(left.lines().count() as u64, count(lines[1], "kept"));
    assert_eq!(left, "k0\nk1\nk2\nk3\nk5\nk6\nk7\nk8\n");
}

/// A killed writer leaves its log without the mark of a clean close: a cut there is a torn tail.
#[test]
fn a_torn_tail_is_no_damage() {
    let place = Place::new();
    place.keel("put", &["first", "1"]).done("");
    let args = ["import", &place.dir(), "-", "--durability", "none", "--batch", "1"];
    let mut command = command(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"second\t2\nthird\tthe-last-value\n").unwrap();
    let mut acked = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(acked.next().unwrap().unwrap(), "acked=1");
    assert_eq!(acked.next().unwrap().unwrap(), "acked=2");
    child.kill().unwrap();
    child.wait().unwrap();
    place.edit(&holder(&place, b"the-last-value"), |bytes| {
        let at = position(bytes, b"the-last-value");
        bytes.truncate(at + 5);
    });
    let before = place.image();
    let verified = place.keel("verify", &[]).printed();
    let lines: Vec<_> = verified.lines().collect();
    assert!(lines[0].starts_with("torn file=") && lines[1].starts_with("ok "), "{verified}");
    place.keel("scan", &[]).done("first\t1\nsecond\t2\n");
    assert_eq!(place.image(), before);
    place.keel("put", &["fourth", "4"]).done("");
    place.keel("scan", &[]).done("first\t1\nfourth\t4\nsecond\t2\n");
}
