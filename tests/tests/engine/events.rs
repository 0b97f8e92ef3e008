//! What an observer is told: every event that an operator acts on, each brought about once; and durations in `stats`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use keelstone::vfs::fault::{Effect, Fault, PowerCut, Rest, SyncFault};
use keelstone::vfs::{FaultDisk, Kind, Vfs};
use keelstone::{Batch, Clock, Db, Durability, Error, Event, FileName, ManualClock, Observer};
use keelstone_tests::mirror::START_MS;
use keelstone_tests::op::value;
use keelstone_tests::shape::Shape;

/// Keeps everything it is told.
#[derive(Default)]
struct Ear(Mutex<Vec<Event>>);

impl Observer for Ear {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(*event);
    }
}

impl Ear {
    /// What it was told since it was last asked.
    fn heard(&self) -> Vec<Event> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

fn open_as(disk: &FaultDisk, shape: Shape) -> (keelstone::Result<Db>, Arc<Ear>) {
    let ear = Arc::new(Ear::default());
    let options = shape.observed(&ManualClock::new(START_MS), ear.clone());
    (Db::open(Arc::new(disk.clone()), options), ear)
}

fn open(disk: &FaultDisk, shape: Shape) -> (Db, Arc<Ear>) {
    let (db, ear) = open_as(disk, shape);
    (db.unwrap(), ear)
}

fn durable(db: &Db, key: &str) {
    db.write(Batch::new().put(key, "1"), Durability::Durable).unwrap();
}

/// The only file whose name ends so.
fn file(disk: &FaultDisk, end: &str) -> String {
    let mut names = disk.list("").unwrap();
    names.retain(|name| name.ends_with(end));
    assert_eq!(names.len(), 1, "{names:?}");
    names.remove(0)
}

#[test]
fn torn_tail_is_told_as_cut() {
    let disk = FaultDisk::new();
    let (db, _) = open(&disk, Shape::TINY);
    durable(&db, "a");
    let log = file(&disk, ".log");
    let frame = disk.pending_bytes(&log);
    assert_eq!(frame, 0, "a durable write is pending");
    db.put("b", "2").unwrap();
    let cut = PowerCut::Torn { file: log.clone(), bytes: 5, rest: Rest::Lost };
    let (db, ear) = open(&disk.power_cut(&cut), Shape::TINY);
    let cuts: Vec<_> = ear.heard().into_iter().filter(|e| matches!(e, Event::Cut { .. })).collect();
    let [Event::Cut { file, offset, bytes, sequence }] = cuts[..] else { panic!("{cuts:?}") };
    assert_eq!((file, sequence), (FileName::parse(&log).unwrap(), 1));
    assert!(offset > 64 && bytes >= 5, "offset={offset} bytes={bytes}");
    assert_eq!((db.get("a").unwrap().is_some(), db.get("b").unwrap()), (true, None));
}

#[test]
fn missing_hint_is_told_as_ignored() {
    let disk = FaultDisk::new();
    let (db, _) = open(&disk, Shape::TINY);
    for n in 0..30 {
        db.put(format!("k{n}"), value(n, 100)).unwrap();
    }
    while db.work().unwrap() {}
    db.close().unwrap();
    let hint = disk.list("").unwrap().into_iter().find(|name| name.ends_with(".hint")).unwrap();
    disk.remove_file(&hint).unwrap();
    let (db, ear) = open(&disk.kill(), Shape::TINY);
    let ignored = Event::HintIgnored { file: FileName::parse(&hint).unwrap() };
    let heard = ear.heard();
    assert_eq!(heard.iter().filter(|e| **e == ignored).count(), 1, "{heard:?}");
    assert_eq!(db.len().unwrap(), 30);
}

#[test]
fn log_with_a_failed_write_is_told_as_ended() {
    let disk = FaultDisk::new();
    let (db, ear) = open(&disk, Shape::TINY);
    durable(&db, "a");
    let log = FileName::parse(&file(&disk, ".log")).unwrap();
    disk.inject(Fault::once(disk.ops(), Kind::Io).with(Effect::Partial(7)));
    assert!(db.put("b", "2").is_err());
    let ended = |heard: &[Event]| {
        heard.iter().filter(|e| matches!(e, Event::Ended { file, .. } if *file == log)).count()
    };
    assert_eq!(ended(&ear.heard()), 0, "ended before there is another log");
    db.put("c", "3").unwrap();
    assert_eq!(ended(&ear.heard()), 1);
}

#[test]
fn full_disk_and_space_that_returns_are_told_once_each() {
    let disk = FaultDisk::new();
    let (db, ear) = open(&disk, Shape { reserve_bytes: 16 << 10, ..Shape::TINY });
    durable(&db, "a");
    disk.limit_space(Some(disk.space_used()));
    let full = (0..10_000).find_map(|n| db.put(format!("k{n}"), [0; 100]).err());
    assert_eq!(full, Some(Error::OutOfSpace));
    db.delete("k0").unwrap();
    let count = |heard: &[Event], event: Event| heard.iter().filter(|e| **e == event).count();
    let heard = ear.heard();
    assert_eq!(count(&heard, Event::OutOfSpace), 1, "{heard:?}");
    assert_eq!(count(&heard, Event::SpaceReturned), 0, "{heard:?}");
    disk.limit_space(None);
    db.put("again", "1").unwrap();
    let heard = ear.heard();
    assert_eq!(count(&heard, Event::SpaceReturned), 1, "{heard:?}");
    assert_eq!(count(&heard, Event::OutOfSpace), 0, "{heard:?}");
}

#[test]
fn failed_sync_is_told_once() {
    let disk = FaultDisk::new();
    let (db, ear) = open(&disk, Shape::TINY);
    durable(&db, "a");
    disk.fail_sync(disk.syncs(), SyncFault::Dropped);
    db.put("b", "2").unwrap();
    assert!(db.sync().is_err());
    assert_eq!(db.sync(), Err(Error::ReadOnly { after_failed_sync: true }));
    let failed: Vec<_> = ear.heard().into_iter().filter(|e| *e == Event::SyncFailed).collect();
    assert_eq!(failed, [Event::SyncFailed]);
}

#[test]
fn damaged_record_is_told_with_its_place() {
    let disk = FaultDisk::new();
    let (db, ear) = open(&disk, Shape::TINY);
    durable(&db, "a-key-to-look-for");
    let log = file(&disk, ".log");
    let bytes = disk.read_file(&log).unwrap();
    let at = bytes.windows(17).position(|w| w == b"a-key-to-look-for").unwrap();
    disk.flip(&log, at as u64 + 17, 3).unwrap();
    let Err(Error::Corrupt(corruption)) = db.get("a-key-to-look-for") else {
        panic!("the damage is not seen")
    };
    assert_eq!(corruption.file, FileName::parse(&log).unwrap());
    let heard = ear.heard();
    assert!(heard.contains(&Event::Damaged(corruption)), "{heard:?}");
}

#[test]
fn snapshot_that_outgrows_the_budget_is_told_with_its_sequence() {
    let disk = FaultDisk::new();
    let (db, ear) = open(&disk, Shape { memory_budget: 64 << 10, ..Shape::TINY });
    durable(&db, "a");
    durable(&db, "a");
    let snapshot = db.snapshot().unwrap();
    for n in 0..10_000_u64 {
        db.put(format!("k{}", n % 50), "x").unwrap();
    }
    assert_eq!(snapshot.get("a"), Err(Error::Closed));
    let heard = ear.heard();
    let ended: Vec<_> =
        heard.into_iter().filter(|e| matches!(e, Event::SnapshotEnded { .. })).collect();
    assert_eq!(ended, [Event::SnapshotEnded { sequence: 2 }]);
}

#[test]
fn work_that_fails_is_told_with_its_error_and_tried_again() {
    let disk = FaultDisk::new();
    let (db, ear) = open(&disk, Shape::TINY);
    for n in 0..60 {
        db.put(format!("k{}", n % 10), value(n, 100)).unwrap();
    }
    db.sync().unwrap();
    ear.heard();
    let fault = Fault::forever(disk.ops(), Kind::Io);
    disk.inject(fault);
    let error = db.work().unwrap_err();
    assert!(matches!(error, Error::Storage(_)), "{error:?}");
    assert_eq!(ear.heard(), [Event::WorkFailed(error)]);
    disk.clear_faults();
    while db.work().unwrap() {}
    assert!(db.stats().unwrap().hints_used == 0 && db.len().unwrap() == 10);
}

/// A clock that moves on whenever it is read.
struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now_ms(&self) -> u64 {
        START_MS
    }

    fn ticks_us(&self) -> u64 {
        self.0.fetch_add(3, Ordering::Relaxed)
    }
}

#[test]
fn durations_in_stats_are_those_of_the_clock() {
    let disk = FaultDisk::new();
    let open = || {
        let mut options = Shape::TINY.options(&ManualClock::new(START_MS));
        options.clock = Arc::new(Ticking(AtomicU64::new(0)));
        Db::open(Arc::new(disk.clone()), options).unwrap()
    };
    let db = open();
    for n in 0..60 {
        db.put(format!("k{}", n % 10), value(n, 100)).unwrap();
    }
    db.sync().unwrap();
    db.compact().unwrap();
    let stats = db.stats().unwrap();
    assert!(stats.merges > 0 && stats.merge_us > 0, "{stats:?}");
    assert!(stats.syncs > 0 && stats.sync_us >= 3 * stats.syncs, "{stats:?}");
    assert_eq!(stats.recoveries, 0, "{stats:?}");
    db.close().unwrap();
    drop(db);
    let stats = open().stats().unwrap();
    assert!(stats.recoveries == 1 && stats.recovery_us > 0, "{stats:?}");
}
