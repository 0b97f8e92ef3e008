//! Stores in an order of one's own, closed: verify reads and checks their tables, with the comparator and without it.

use std::cmp::Ordering;
use std::sync::Arc;

use keelstone::vfs::{FaultDisk, Vfs};
use keelstone::{
    Batch, Comparator, Corruption, Db, Error, FileName, Invalid, ManualClock, Options, verify,
    verify_with,
};
use keelstone_tests::shape::Shape;

/// Backward, or whatever `says` makes of it, always under the same name.
struct Backward(fn(Ordering) -> Ordering);

impl Comparator for Backward {
    fn name(&self) -> &str {
        "backward"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        self.0(b.cmp(a))
    }
}

fn options(says: fn(Ordering) -> Ordering) -> Options {
    let shape = Shape { layout: keelstone::Layout::Ordered, ..Shape::TINY };
    let mut options = shape.options(&ManualClock::new(0));
    options.memtable_bytes = 1024;
    options.comparator = Some(Arc::new(Backward(says)));
    options
}

/// A closed store with tables of several blocks, range tombstones, times of expiry, and an empty log.
fn store() -> FaultDisk {
    let disk = FaultDisk::new();
    let db = Db::open(Arc::new(disk.clone()), options(|order| order)).unwrap();
    for n in 0..60 {
        let mut batch = Batch::new();
        batch.put(format!("key {n:02}"), format!("value {n}"));
        batch.put_until(format!("time {n:02}"), "short", 1_000_000 + n);
        batch.delete(format!("gone {n:02}"));
        db.write(&batch, keelstone::Durability::Buffered).unwrap();
    }
    while db.work().unwrap() {}
    let mut batch = Batch::new();
    batch.delete_range("key 20", "key 10");
    db.write(&batch, keelstone::Durability::Buffered).unwrap();
    // Why: the next write seals the memtable, and one flush leaves the range tombstone in a table.
    db.put("last", "one").unwrap();
    loop {
        let more = db.work().unwrap();
        if a_table_holds_a_range(&disk) {
            break;
        }
        assert!(more, "no table with a range tombstone");
    }
    db.close().unwrap();
    disk
}

/// How many keys the store shows.
const KEPT: u64 = 60 - 10 + 60 + 1;

fn shared(disk: &FaultDisk) -> Arc<dyn Vfs> {
    Arc::new(disk.clone())
}

fn a_table_holds_a_range(disk: &FaultDisk) -> bool {
    tables(disk).iter().any(|(name, _)| {
        let mut text = String::new();
        keelstone::dump(disk, name, &mut text).unwrap();
        text.contains("delete from")
    })
}

/// The tables, each with its length.
fn tables(disk: &FaultDisk) -> Vec<(String, usize)> {
    let files = disk.cached().into_iter().map(|(name, bytes)| (name, bytes.len()));
    files.filter(|(name, _)| name.ends_with(".table")).collect()
}

#[test]
fn tables_of_a_closed_store_are_read_with_the_comparator_and_without() {
    let disk = store();
    let count = tables(&disk).len() as u64;
    assert!(count > 0, "no table");
    let with = verify_with(&shared(&disk), &options(|order| order)).unwrap();
    let without = verify(&shared(&disk)).unwrap();
    assert!(with.is_sound() && without.is_sound(), "{with:?} {without:?}");
    assert_eq!((with.order_unchecked, without.order_unchecked), (0, count));
    assert!(with.records >= 120, "{with:?}");
    let sums = |report: keelstone::VerifyReport| (report.files, report.records, report.bytes);
    assert_eq!(sums(with), sums(without));
}

#[test]
fn every_flipped_byte_of_a_table_is_found_with_the_comparator_and_without() {
    let disk = store();
    for (name, len) in tables(&disk) {
        for at in 0..len as u64 {
            disk.flip(&name, at, 3).unwrap();
            let file = FileName::parse(&name).unwrap();
            let hit = |corrupt: &[Corruption]| corrupt.iter().any(|place| place.file == file);
            let with = verify_with(&shared(&disk), &options(|order| order)).unwrap();
            assert!(hit(&with.corrupt), "{name} {at} with the comparator: {with:?}");
            let without = verify(&shared(&disk)).unwrap();
            assert!(hit(&without.corrupt), "{name} {at} without it: {without:?}");
            disk.flip(&name, at, 3).unwrap();
        }
    }
}

#[test]
fn order_is_checked_with_the_comparator_only() {
    let disk = store();
    let report = verify_with(&shared(&disk), &options(Ordering::reverse)).unwrap();
    assert!(!report.is_sound(), "a comparator that says the contrary");
    assert!(verify(&shared(&disk)).unwrap().is_sound());
    let mut other = options(|order| order);
    other.comparator = None;
    let refused = verify_with(&shared(&disk), &other).err();
    assert_eq!(refused, Some(Error::Invalid(Invalid::Comparator)));
}

#[test]
fn repair_of_a_store_in_an_order_of_ones_own_keeps_what_its_tables_hold() {
    let disk = store();
    let before = keelstone::repair(&shared(&disk), &options(|order| order)).unwrap();
    assert_eq!((before.kept, before.lost.len()), (KEPT, 0));
    let (name, len) = tables(&disk).swap_remove(0);
    disk.flip(&name, len as u64 / 4, 0).unwrap();
    let report = keelstone::repair(&shared(&disk), &options(|order| order)).unwrap();
    assert!(!report.lost.is_empty() && report.kept > 0 && report.kept < KEPT, "{report:?}");
    let after = verify_with(&shared(&disk), &options(|order| order)).unwrap();
    assert!(after.is_sound(), "{after:?}");
    let db = Db::open(shared(&disk), options(|order| order)).unwrap();
    assert_eq!(db.len().unwrap(), report.kept);
}
