//! Every export of the contract, driven by the host: what the scripts and the command line do not
//! reach by themselves.

use std::sync::Arc;

use keelstone::vfs::{MemoryDisk, Vfs};
use keelstone::{
    Batch, Bounds, Db, Durability, Entry, Error, Event, Health, Invalid, Layout, LogEntry,
    ManualClock, Observer, OpenMode, Write,
};
use keelstone_host::engine::{self, Engine};
use keelstone_tests::disk::sandbox;
use keelstone_tests::shape::Shape;

fn batch(writes: &[(&str, Option<&str>)]) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in writes {
        match value {
            Some(value) => batch.put(*key, *value),
            None => batch.delete(*key),
        };
    }
    batch
}

#[test]
fn every_export_gives_what_the_engine_gives() {
    let disk: Arc<dyn Vfs> = Arc::new(MemoryDisk::new());
    let clock = ManualClock::new(1000);
    let options = Shape::TINY.options(&clock);
    let db = sandbox().open(Arc::clone(&disk), &options).unwrap();
    assert_eq!((db.layout().unwrap(), db.health().unwrap()), (Layout::Hash, Health::Healthy));
    assert_eq!(db.write(&batch(&[("a", Some("1")), ("b", Some("2"))]), Durability::Durable), Ok(2));
    let mut until = Batch::new();
    until.put_until("c", "3", 5000);
    assert_eq!(db.write(&until, Durability::Buffered), Ok(3));
    assert_eq!((db.sequence(), db.len()), (Ok(3), Ok(3)));
    let found = db.get_many(&[b"a", b"missing", b"c"]).unwrap();
    let found: Vec<_> =
        found.iter().map(|v| v.as_ref().map(|v| (&v.value[..], v.expires_ms))).collect();
    assert_eq!(found, [Some((&b"1"[..], None)), None, Some((&b"3"[..], Some(5000)))]);
    let snapshot = db.snapshot().unwrap();
    assert_eq!(snapshot.sequence(), Ok(3));
    assert_eq!((db.remove(b"a"), db.remove(b"a")), (Ok(true), Ok(false)));
    clock.set(6000);
    assert_eq!((db.get(b"c"), db.len()), (Ok(None), Ok(1)));
    assert_eq!(snapshot.get(b"a").unwrap().unwrap().value, b"1");
    let mut seen: Vec<_> = snapshot.scan().unwrap().map(|entry| entry.unwrap().key).collect();
    seen.sort();
    assert_eq!(seen, [b"a", b"b", b"c"]);
    drop(snapshot);
    let log: Vec<LogEntry> = db.log_from(3).unwrap().map(Result::unwrap).collect();
    assert_eq!(log.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(log[1].write, Write::Delete { key: b"a".to_vec() });
    assert_eq!((db.due(6000), db.sync(), db.work()), (Ok(false), Ok(()), Ok(false)));
    assert!(db.verify().unwrap().is_sound());
    let copy: Arc<dyn Vfs> = Arc::new(MemoryDisk::new());
    db.backup(&copy, 7).unwrap();
    db.compact().unwrap();
    let stats = db.stats().unwrap();
    assert!(stats.contains(&("keys".to_owned(), 1)), "{stats:?}");
    assert!(stats.iter().any(|(name, count)| name == "merges" && *count > 0), "{stats:?}");
    assert_eq!(db.close(), Ok(()));
    assert_eq!(db.len(), Err(engine::Error::Store(Error::Closed)));
    let copied = Db::open(copy, Shape::TINY.options(&clock)).unwrap();
    assert_eq!((copied.get("b").unwrap(), copied.len()), (Some(b"2".to_vec()), Ok(1)));
    let native = Db::open(disk, options).unwrap();
    assert_eq!(native.get("b").unwrap(), Some(b"2".to_vec()));
}

/// Scans within bounds, over tables and a memtable: page after page what the engine gives natively.
#[test]
fn scans_within_bounds_give_what_the_engine_gives() {
    let clock = ManualClock::new(1000);
    let shape = Shape { layout: Layout::Ordered, memtable_bytes: 80 << 10, ..Shape::TINY };
    let options = shape.options(&clock);
    let native = Db::open(Arc::new(MemoryDisk::new()), options.clone()).unwrap();
    let inside = sandbox().open(Arc::new(MemoryDisk::new()), &options).unwrap();
    for n in 0..3000_u32 {
        let mut batch = Batch::new();
        batch.put(format!("k{:04}", n * 7 % 3000), vec![b'v'; 100]);
        native.write(&batch, Durability::Buffered).unwrap();
        inside.write(&batch, Durability::Buffered).unwrap();
    }
    while inside.work().unwrap() {}
    let stats = inside.stats().unwrap();
    assert!(stats.iter().any(|(name, count)| name == "flushes" && *count > 0), "{stats:?}");
    let all = Bounds::default();
    let cases = [
        (all.clone(), 3000),
        (all.clone().reversed(), 3000),
        (all.clone().from("k0100").to("k0200"), 100),
        (all.clone().from("k0100").to("k0200").reversed(), 100),
        (all.clone().prefix("k29"), 100),
        (all.clone().from("k1").to("k0"), 0),
        (all.to(""), 0),
    ];
    let (ours, theirs) = (native.snapshot().unwrap(), inside.snapshot().unwrap());
    for (bounds, count) in cases {
        let expected: Result<Vec<Entry>, _> = ours.scan_within(&bounds).unwrap().collect();
        let found: Result<Vec<Entry>, _> = theirs.scan_within(&bounds).unwrap().collect();
        let (expected, found) = (expected.unwrap(), found.unwrap());
        assert_eq!(found.len(), count, "{bounds:?}");
        assert!(found == expected, "{bounds:?}");
    }
    let hash = sandbox().open(Arc::new(MemoryDisk::new()), &Shape::TINY.options(&clock)).unwrap();
    let refused = hash.snapshot().unwrap().scan_within(&Bounds::default()).map(|_| ());
    let expected = Error::Unsupported("scans in order in the hash layout");
    assert_eq!(refused, Err(engine::Error::Store(expected)));
}

#[test]
fn jobs_are_stepped_given_back_and_dropped() {
    let clock = ManualClock::new(1000);
    let db = sandbox().open(Arc::new(MemoryDisk::new()), &Shape::TINY.options(&clock)).unwrap();
    assert!(db.take_job().unwrap().is_none());
    let value = "v".repeat(300);
    for n in 0..40 {
        db.write(&batch(&[(&format!("k{}", n % 4), Some(&value))]), Durability::Buffered).unwrap();
    }
    assert_eq!(db.due(1000), Ok(true));
    let mut job = db.take_job().unwrap().unwrap();
    job.step().unwrap();
    job.give_back().unwrap();
    drop(db.take_job().unwrap().unwrap());
    let mut steps = 0;
    while let Some(mut job) = db.take_job().unwrap() {
        while job.step().unwrap() {
            steps += 1;
        }
        drop(job);
    }
    assert!(steps > 3, "{steps}");
    assert_eq!((db.due(1000), db.len()), (Ok(false), Ok(4)));
    assert!(db.verify().unwrap().is_sound());
}

struct Deaf;

impl Observer for Deaf {
    fn event(&self, _: &Event) {}
}

#[test]
fn events_are_told_once_and_only_if_asked_for() {
    let clock = ManualClock::new(0);
    let disk: Arc<dyn Vfs> = Arc::new(MemoryDisk::new());
    let options = Shape::TINY.observed(&clock, Arc::new(Deaf));
    let db = sandbox().open(Arc::clone(&disk), &options).unwrap();
    let names = |events: Vec<(String, String)>| -> Vec<String> {
        events.into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names(db.events().unwrap()), ["Created"]);
    assert_eq!(db.events().unwrap(), []);
    db.close().unwrap();
    let quiet = sandbox().open(disk, &Shape::TINY.options(&clock)).unwrap();
    assert_eq!(quiet.events().unwrap(), []);
}

/// Each kind of error comes out as the engine's own value, so that it prints and branches alike.
#[test]
fn errors_are_the_same_values_as_natively() {
    let clock = ManualClock::new(0);
    let options = |mode| {
        let mut options = Shape::TINY.options(&clock);
        options.mode = mode;
        options
    };
    let both = |disk: &dyn Fn() -> Arc<dyn Vfs>, options: &keelstone::Options| {
        let native = Db::open(disk(), options.clone()).map(drop).unwrap_err();
        let inside = sandbox().open(disk(), options).map(drop).unwrap_err();
        assert_eq!(inside, engine::Error::Store(native));
        native
    };
    let empty: &dyn Fn() -> Arc<dyn Vfs> = &|| Arc::new(MemoryDisk::new());
    assert_eq!(both(empty, &options(OpenMode::Existing)), Error::NoStore);
    let strange: &dyn Fn() -> Arc<dyn Vfs> = &|| {
        let disk = MemoryDisk::new();
        disk.create("strange").unwrap();
        Arc::new(disk)
    };
    assert_eq!(both(strange, &options(OpenMode::Create)), Error::Invalid(Invalid::NotEmpty));
    let wrongs: [fn(&mut keelstone::Options); 4] = [
        |options| options.segment_bytes = 1,
        |options| options.index_shards = 7,
        |options| options.merge_dead_percent = 0,
        |options| options.value_bytes_max = usize::MAX,
    ];
    for set in wrongs {
        let mut wrong = options(OpenMode::Create);
        set(&mut wrong);
        assert!(matches!(both(empty, &wrong), Error::Invalid(Invalid::Option(_))));
    }
    let damaged: &dyn Fn() -> Arc<dyn Vfs> = &|| {
        let disk = MemoryDisk::new();
        Db::open(Arc::new(disk.clone()), options(OpenMode::Create)).unwrap().close().unwrap();
        let current = disk.open("CURRENT", keelstone::vfs::Access::Write).unwrap();
        current.write_at(&[0xff; 64], 0).unwrap();
        Arc::new(disk)
    };
    assert!(matches!(both(damaged, &options(OpenMode::Existing)), Error::Corrupt(_)));

    let native = Db::open(empty(), options(OpenMode::Create)).unwrap();
    let inside = sandbox().open(empty(), &options(OpenMode::Create)).unwrap();
    let long_key = "k".repeat(65_536);
    let long_value = "v".repeat((1 << 20) + 1);
    for writes in [
        batch(&[("", Some("1"))]),
        batch(&[(&long_key, Some("1"))]),
        batch(&[("a", Some(&long_value))]),
    ] {
        let natively = native.write(&writes, Durability::Buffered).unwrap_err();
        let error = Engine::write(&inside, &writes, Durability::Buffered).unwrap_err();
        assert_eq!(error, engine::Error::Store(natively));
    }
    let beyond = sandbox().open(empty(), &options(OpenMode::Create)).unwrap();
    for n in 0..100 {
        let value = "v".repeat(100);
        beyond
            .write(&batch(&[(&format!("k{}", n % 2), Some(&value))]), Durability::Buffered)
            .unwrap();
    }
    beyond.compact().unwrap();
    assert!(matches!(
        beyond.log_from(1).map(drop),
        Err(engine::Error::Store(Error::MergedAway { .. }))
    ));
}
