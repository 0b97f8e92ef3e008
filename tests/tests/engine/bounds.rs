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

// What one step moves is bounded within a write too, where steps run inline: that is how long a write can be held up.
#[test]
fn step_inside_a_write_is_bounded() {
    let disk = counting();
    let shape = Shape { segment_bytes: 4 << 20, inline_work: true, ..Shape::TINY };
    let db = open(&disk, shape);
    let (mut most, mut merged) = (0, 0);
    for round in 0..5 {
        for n in 0..6000 {
            let before = disk.counts();
            db.put(format!("k{n}"), value(round, 1000)).unwrap();
            let done = disk.counts() - before;
            most = most.max(done.bytes_read).max(done.bytes_written);
            // Why: a read of more than a record is a step's.
            merged += u64::from(done.bytes_read > 64 << 10);
        }
    }
    let stats = db.stats().unwrap();
    assert!(stats.merges >= 2 && merged >= 10, "{merged} writes with a step: {stats:?}");
    assert!(most <= (1 << 20) + (512 << 10), "one write moved {most} bytes");
}

/// A store with one log that takes no more writes, in which so many records are dead; and the share of its bytes that is.
fn partly_dead(dead: u64, dead_percent: u8) -> (Tale, u64) {
    let mut tale = Tale::new(Shape { dead_percent, ..Shape::TINY });
    let (mut bytes, mut n) = (0, 0);
    while tale.stats().rotations == 0 {
        bytes = tale.stats().live_bytes;
        tale.fill(&format!("k{n}-"), 1);
        n += 1;
    }
    for n in 0..dead {
        tale.fill(&format!("k{n}-"), 1);
    }
    let share = tale.stats().dead_bytes * 100 / bytes;
    (tale, share)
}

#[test]
fn merge_begins_at_the_threshold_and_the_option_moves_it() {
    for dead in [1, 4, 8, 11] {
        let (_, share) = partly_dead(dead, 100);
        let at = u8::try_from(share).unwrap();
        for (percent, merges) in [(1, 1), (at, 1), (at + 1, 0), (100, 0)] {
            let (mut tale, _) = partly_dead(dead, percent);
            tale.work();
            assert_eq!(tale.stats().merges, merges, "{share} % dead, merged at {percent} %");
            tale.scan();
        }
    }
}

// A merge takes four segments at most: of six logs that are due, those with the greatest dead share.
#[test]
fn files_with_the_greatest_dead_share_are_merged_first() {
    for turn in 0..6_u64 {
        let mut tale = Tale::new(Shape { dead_percent: 30, ..Shape::TINY });
        for log in 0..6 {
            tale.fill(&format!("log{log}-"), 10).rotate();
        }
        let logs: Vec<_> = tale.records()[..6].to_vec();
        assert_eq!(tale.stats().rotations, 6, "the records of one log are in two");
        let dead = |log| 5 + (log + turn) % 6;
        for log in 0..6 {
            tale.clear(&format!("log{log}-"), dead(log));
        }
        // Why the kill: an open removes at once what the merge replaced.
        tale.merge_once().kill();
        let records = tale.records();
        let is_left = |log: &u64| records.contains(&logs[keelstone_tests::index(*log)]);
        let (left, merged): (Vec<u64>, Vec<u64>) = (0..6).partition(is_left);
        assert!(!left.is_empty() && merged.len() >= 3, "merged {merged:?}, left {left:?}");
        let least = merged.iter().map(|log| dead(*log)).min();
        let most = left.iter().map(|log| dead(*log)).max();
        assert!(least > most, "turn {turn}: merged {merged:?}, left {left:?}");
        tale.scan().work().scan();
    }
}

#[test]
fn outputs_of_a_merge_are_about_as_long_as_a_segment() {
    let shape = Shape { segment_bytes: 256 << 10, dead_percent: 50, ..Shape::TINY };
    let disk = counting();
    let db = open(&disk, shape);
    for n in 0..4000_u64 {
        db.put(format!("k{n}"), value(n, 1000)).unwrap();
    }
    for n in (0..4000_u64).filter(|n| n % 3 == 0) {
        db.delete(format!("k{n}")).unwrap();
    }
    db.compact().unwrap();
    let image = disk.disk().image();
    let outputs = image.iter().filter(|(name, _)| name.ends_with(".seg"));
    let mut lens: Vec<_> = outputs.map(|(_, bytes)| bytes.len() as u64).collect();
    lens.sort_unstable();
    // Why: records gather in frames of 64 KiB, and none is split; the last output has what is left.
    let near = shape.segment_bytes - (70 << 10)..=shape.segment_bytes + (2 << 10);
    assert!(lens.len() >= 8, "{lens:?}");
    assert!(lens[1..].iter().all(|len| near.contains(len)), "not near {near:?}: {lens:?}");
    assert!(lens[0] <= *near.end(), "{lens:?}");
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

// Bitcask PR #81: an open went through every hint twice. Bitcask #273: an open was slow in proportion to the data; what
// has a whole hint is not read record by record.
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
    // Why one: the log that was being written has no hint.
    assert!(stats.hints_used >= 10 && stats.files_scanned <= 1, "{stats:?}");
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
