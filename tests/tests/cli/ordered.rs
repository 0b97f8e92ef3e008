//! The ordered layout from the command line: the words mean the same, and ranges can be deleted.

use core::cmp::Ordering;
use std::path::Path;
use std::sync::Arc;

use keelstone::vfs::NativeDisk;
use keelstone::{Comparator, Db, Layout, Options};

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

/// An order that only an application has.
struct Backward;

impl Comparator for Backward {
    fn name(&self) -> &str {
        "backward"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        b.cmp(a)
    }
}

#[test]
fn verify_of_a_store_in_an_order_of_ones_own_says_what_it_leaves_out() {
    let place = Place::new();
    let mut options = Options::with_seed(7);
    options.layout = Some(Layout::Ordered);
    options.comparator = Some(Arc::new(Backward));
    let dir = place.dir();
    std::fs::create_dir_all(&dir).unwrap();
    let db = Db::open(Arc::new(NativeDisk::open(Path::new(&dir)).unwrap()), options).unwrap();
    for (key, value) in PAIRS {
        db.put(key, value).unwrap();
    }
    db.compact().unwrap();
    db.close().unwrap();
    drop(db);
    let verified = place.keel("verify", &[]).printed();
    let lines: Vec<&str> = verified.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, "unchecked tables=1 what=order"), "{verified}");
    assert!(lines[1].starts_with("ok files="), "{verified}");
    let table = place.image().unwrap().into_keys().find(|name| name.ends_with(".table")).unwrap();
    place.edit(&table, |bytes| bytes[70] ^= 1);
    let ran = place.keel("verify", &[]);
    assert_eq!(ran.failed(3), "the store is damaged places=1");
    assert!(ran.out.contains(&format!("corrupt file={table} ")), "{}", ran.out);
}

/// The text of the table of the test below.
const DUMP: &str = r"000004.table bytes=408 number=4 age=4 first_seq=0 seed=?
@336 footer bytes=72 checksum=ok filter=@130+70 prefixes=none ranges=none index=@200+21 properties=@221+115
@221 properties bytes=115 unpacked=110 codec=none checksum=ok
  entries=6 tombstones=0 ranges=0 keys=6 raw_bytes=16 min_seq=1 max_seq=6
  data_blocks=1 index_blocks=0 prefix_bytes=0
  expires_min=3600001 expires_max=3600001
  order bytewise
  first a
  last e\x00
@130 filter bytes=70 unpacked=65 codec=none checksum=ok lines=1 probes=6 ones=?
@200 index bytes=21 unpacked=16 codec=none checksum=ok restarts=1
  +0 block=@64+66 from a
@64 data bytes=66 unpacked=61 codec=none checksum=ok restarts=1
  +0 seq=2 put a = 1
  +7 seq=4 put ab = 4
  +14 seq=1 put b = 2
  +21 seq=3 put c = 3
  +28 seq=5 put d = 5
  +35 seq=6 put e\x00 = 6\n7 until=3600001
";

/// What follows from the seed of the store, which is random, as `?`.
fn without_seed(text: &str) -> String {
    let hide = |word: &str| match word.split_once('=') {
        Some((name @ ("seed" | "ones"), _)) => format!("{name}=?"),
        _ => word.to_owned(),
    };
    let lines = text.lines().map(|line| line.split(' ').map(hide).collect::<Vec<_>>().join(" "));
    lines.map(|line| line + "\n").collect()
}

#[test]
fn dump_prints_a_table_part_by_part() {
    let place = Place::new();
    for (key, value) in PAIRS {
        place.keel("put", &[key, value, "--layout", "ordered", "--now", "1"]).done("");
    }
    place.keel("put", &["e\\x00", "6\\n7", "--ttl", "1h", "--now", "1"]).done("");
    place.keel("compact", &["--now", "1"]);
    let [table] = &place.files(".table")[..] else { panic!("{:?}", place.files("")) };
    let file = format!("{}/{table}", place.dir());
    let text = crate::run::keel(["dump", &file]).printed();
    assert_eq!(without_seed(&text), DUMP);
}

#[test]
fn dump_says_what_is_wrong_with_a_table_and_shows_the_rest() {
    let place = ordered();
    place.keel("compact", &[]);
    let [table] = &place.files(".table")[..] else { panic!("{:?}", place.files("")) };
    let file = format!("{}/{table}", place.dir());
    let sound = crate::run::keel(["dump", &file]).printed();
    // The first block of data stands right behind the header.
    place.edit(table, |bytes| bytes[70] ^= 1);
    let text = crate::run::keel(["dump", &file]).printed();
    let data = |line: &&str| line.starts_with("@64 ") || line.contains(" put ");
    let rest = |text: &str| text.lines().filter(|l| !data(l)).map(String::from).collect::<Vec<_>>();
    assert_eq!(rest(&text), rest(&sound));
    let wrong: Vec<_> = text.lines().filter(data).collect();
    let [wrong] = wrong[..] else { panic!("{text}") };
    assert!(wrong.starts_with("@64 data damaged bytes=") && wrong.ends_with("what=checksum"));
}
