//! What is bounded: the bytes of one step of work, what a snapshot keeps, what an open reads.
//!
//! The names begin with the bug of another engine where there is one.

use std::sync::Arc;

use keelstone::vfs::{CountingDisk, MemoryDisk, Op as DiskOp};
use keelstone::{Db, Error, ManualClock};
use keelstone_tests::mirror::START_MS;
use keelstone_tests::model::{delete, put};
use keelstone_tests::op::{Op, value};
use keelstone_tests::shape::Shape;
use keelstone_tests::tale::Tale;

type Counting = CountingDisk<MemoryDisk>;

fn counting() -> Counting {
    CountingDisk::new(MemoryDisk::new())
}

fn open(disk: &Counting, shape: Shape) -> Db {
    Db::open(Arc::new(disk.clone()), shape.options(&ManualClock::new(START_MS))).unwrap()
}

// Badger #1292: collecting the value log loaded all of it into memory. A step of work moves a bounded number of bytes,
// however much there is to do.
#[test]
fn badger_1292_step_of_work_moves_at_most_a_mebibyte_each_way() {
    let disk = counting();
    let db = open(&disk, Shape { segment_bytes: 4 << 20, ..Shape::TINY });
    for round in 0..2 {
        for n in 0..12_000 {
            db.put(format!("k{n}"), value(round, 1000)).unwrap();
        }
    }
    let (mut steps, mut most) = (0, 0);
    loop {
        let before = disk.counts();
        let more = db.work().unwrap();
        let done = disk.counts() - before;
        most = most.max(done.bytes_read).max(done.bytes_written);
        steps += 1;
        if !more {
            break;
        }
    }
    assert!(db.stats().unwrap().merges > 0 && steps > 30, "{steps} steps");
    // Why more than a MiB: a record at the edge is read whole, and a piece is read ahead.
    assert!(most <= (1 << 20) + (512 << 10), "one step moved {most} bytes");
}

// Badger #478 (and RocksDB #12483, redb #654, LMDB's stale readers): a reader that nobody ends pins memory and disk
// without bound.
#[test]
fn badger_478_forgotten_snapshot_is_bounded() {
    let disk = counting();
    let shape = Shape { memory_budget: 64 << 10, inline_work: true, ..Shape::TINY };
    let db = open(&disk, shape);
    db.put("k", "first").unwrap();
    let forgotten = db.snapshot().unwrap();
    for n in 0..20_000_u64 {
        db.put(format!("k{}", n % 50), value(n, 50)).unwrap();
    }
    assert_eq!(forgotten.get("k").err(), Some(Error::Closed), "it is still kept");
    let stats = db.stats().unwrap();
    let image = disk.disk().image();
    let records = image.iter().filter(|(name, _)| name.ends_with(".log") || name.ends_with(".seg"));
    let bytes: usize = records.map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes < 1 << 20, "{bytes} bytes of records are kept for nobody: {stats:?}");
    assert_eq!(db.get("k").unwrap().as_deref(), Some(&b"first"[..]));
}

// Bitcask PR #81: an open went through every hint twice. Also: what has a hint is not read record by record.
#[test]
fn bitcask_pr_81_open_reads_each_hint_once_and_no_records() {
    let disk = counting();
    let shape = Shape { segment_bytes: 256 << 10, ..Shape::TINY };
    let db = open(&disk, shape);
    for n in 0..4000_u64 {
        db.put(format!("key-{n}"), value(n, 1000)).unwrap();
    }
    while db.work().unwrap() {}
    db.close().unwrap();
    drop(db);
    let size = |end: &str| -> u64 {
        let image = disk.disk().image();
        image.iter().filter(|(name, _)| name.ends_with(end)).map(|(_, b)| b.len() as u64).sum()
    };
    let (hints, logs) = (size(".hint"), size(".log"));
    let before = disk.counts();
    let db = open(&disk, shape);
    let read = (disk.counts() - before).bytes_read;
    let stats = db.stats().unwrap();
    assert!(stats.hints_used >= 10, "{stats:?}");
    let open_log = 2 * shape.segment_bytes;
    assert!(
        read < hints * 3 / 2 + open_log,
        "read {read} of {hints} bytes of hints, {logs} of logs"
    );
    assert_eq!(db.len().unwrap(), 4000);
}

// Badger #2310: deleted keys came back. Deleted, written again, deleted again, with merges and opens in between.
#[test]
fn badger_2310_deleted_keys_stay_deleted_through_many_lives() {
    for equal_hashes in [false, true] {
        let mut tale = Tale::new(Shape { equal_hashes, ..Shape::TINY });
        for life in 0..12_u64 {
            for n in 0..15 {
                let key = format!("k{n}");
                let live = (n + life) % 3 == 0;
                let write = if live { put(key, value(life * 100 + n, 80)) } else { delete(key) };
                tale.step(&Op::Write { writes: vec![write], durable: false });
            }
            let tale = match life % 4 {
                0 => tale.work_some(),
                1 => tale.step(&Op::Compact),
                2 => tale.kill(),
                _ => tale.reopen(),
            };
            tale.scan();
        }
    }
}

// CandyStore keeps what was written since its last checkpoint (5 s or 128 KB) in a map that a crash may lose: here a
// write that returned is in the disk's hands, and a killed process loses none.
#[test]
fn candystore_write_that_returned_survives_a_kill() {
    let mut tale = Tale::new(Shape::TINY);
    for n in 0..60 {
        tale.fill(&format!("life{n}-"), 2).kill();
    }
    tale.scan();
    assert_eq!(tale.stats().keys, 120);
}

// A durable write is one sync of the log and nothing else; a buffered one is none; a miss reads nothing.
#[test]
fn durable_put_is_one_sync_a_hit_one_read_a_miss_none() {
    let disk = counting();
    let shape = Shape { segment_bytes: 1 << 20, ..Shape::TINY };
    let db = open(&disk, Shape { durability: keelstone::Durability::Durable, ..shape });
    for n in 0..100_u64 {
        db.put(format!("k{n}"), value(n, 100)).unwrap();
    }
    let count = |run: &dyn Fn()| {
        let before = disk.counts();
        run();
        disk.counts() - before
    };
    let put = count(&|| db.put("another", value(1, 100)).unwrap());
    assert_eq!((put.of(DiskOp::Sync), put.of(DiskOp::Write)), (1, 1), "{put:?}");
    let hit = count(&|| drop(db.get("k7").unwrap()));
    assert_eq!((hit.of(DiskOp::Read), hit.total()), (1, 1), "{hit:?}");
    let miss = count(&|| assert_eq!(db.get("nobody").unwrap(), None));
    assert_eq!(miss.total(), 0, "{miss:?}");
}
