//! What the levels of the ordered layout come to by themselves, without a full compaction.

use std::sync::Arc;

use keelstone::vfs::MemoryDisk;
use keelstone::{Db, ManualClock, Options};
use keelstone_tests::mirror::START_MS;
use keelstone_tests::op::value;
use keelstone_tests::shape::Shape;

fn options() -> Options {
    let clock = ManualClock::new(START_MS);
    let mut options = Shape::TINY.options(&clock);
    options.layout = Some(keelstone::Layout::Ordered);
    // Why: small enough that a few thousand keys reach three levels, and deletes stop above the last.
    (options.memtable_bytes, options.table_bytes, options.level_bytes) =
        (80 << 10, 8 << 10, 32 << 10);
    options
}

fn key(n: u32) -> String {
    format!("k{n:06}")
}

fn work(db: &Db) {
    while db.work().unwrap() {}
}

/// The bytes of tables below level 0.
fn sorted_bytes(db: &Db) -> u64 {
    let ordered = db.stats().unwrap().ordered.unwrap();
    ordered.levels[1..].iter().map(|level| level.bytes).sum()
}

// Pebble #1 of its kind, LevelDB #593: deleted keys kept their space because nothing was written that would have compacted
// the tombstones away.
#[test]
fn tombstones_go_down_by_themselves_and_take_with_them_what_they_hide() {
    let db = Db::open(Arc::new(MemoryDisk::new()), options()).unwrap();
    for n in 0..12_000 {
        db.put(key(n), value(1, 100)).unwrap();
        work(&db);
    }
    db.compact().unwrap();
    let full = sorted_bytes(&db);
    let levels = db.stats().unwrap().ordered.unwrap().levels;
    assert!(
        levels[2..].iter().any(|level| level.tables > 0),
        "the keys lie deeper than level 1: {levels:?}"
    );
    for n in 0..12_000 {
        db.delete(key(n)).unwrap();
        work(&db);
    }
    assert_eq!(db.len(), Ok(0));
    let left = sorted_bytes(&db);
    // Why not 0: up to three tables of level 0 and the memtable still hold tombstones.
    assert!(left < full / 2, "{left} of {full} bytes are left");
}

// The other side: what a snapshot may still read stays, and nothing turns round and round because of it.
#[test]
fn snapshot_keeps_what_tombstones_hide_and_work_ends_all_the_same() {
    let db = Db::open(Arc::new(MemoryDisk::new()), options()).unwrap();
    for n in 0..12_000 {
        db.put(key(n), value(1, 100)).unwrap();
    }
    db.compact().unwrap();
    let snapshot = db.snapshot().unwrap();
    for n in 0..12_000 {
        db.delete(key(n)).unwrap();
        work(&db);
    }
    assert_eq!(snapshot.scan().unwrap().count(), 12_000);
    assert_eq!(db.len(), Ok(0));
    let kept = sorted_bytes(&db);
    drop(snapshot);
    work(&db);
    let left = sorted_bytes(&db);
    assert!(left < kept / 2, "{left} of {kept} bytes are left");
}

fn sealed_and_newest(db: &Db) -> (u64, u64) {
    let ordered = db.stats().unwrap().ordered.unwrap();
    (ordered.sealed_memtables, ordered.levels[0].tables)
}

// One table and one edit for all of them: fewer bytes are written than by one table each.
#[test]
fn sealed_memtables_become_one_table_together() {
    let clock = ManualClock::new(START_MS);
    let mut options = Shape::TINY.options(&clock);
    (options.layout, options.memtable_bytes) = (Some(keelstone::Layout::Ordered), 1024);
    (options.flush_memtables, options.memtable_idle_ms) = (3, 60_000);
    let disk = MemoryDisk::new();
    let db = Db::open(Arc::new(disk.clone()), options.clone()).unwrap();
    // A memtable of this size is full after one write, and sealed by the next.
    for (n, expected) in [(0, (0, 0)), (1, (1, 0)), (2, (2, 0)), (3, (0, 1))] {
        db.put(key(n % 2), value(n.into(), 100)).unwrap();
        work(&db);
        assert_eq!(sealed_and_newest(&db), expected, "after {n}");
    }
    db.put(key(7), value(7, 100)).unwrap();
    work(&db);
    assert_eq!(sealed_and_newest(&db), (1, 1), "one alone waits");
    clock.set(START_MS + 60_000);
    work(&db);
    assert_eq!(sealed_and_newest(&db), (0, 2), "nothing is written any more: what there is goes");
    drop(db);
    let db = Db::open(Arc::new(disk), options).unwrap();
    let found: Vec<_> = [0, 1, 7].iter().map(|n| db.get(key(*n)).unwrap()).collect();
    assert_eq!(found, [2, 3, 7].map(|n| Some(value(n, 100))));
}
