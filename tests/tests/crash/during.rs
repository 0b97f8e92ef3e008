//! What happens while a sync runs, on one thread: the disk calls back before and behind each of its syncs.
//!
//! Crash loops cut the power between operations of one thread; what another thread sees or writes during a sync is shown
//! here. With a mistake switched on, the same test must fail.

use std::sync::{Arc, Mutex};

use keelstone::lab::Bug;
use keelstone::vfs::{
    Access, Capabilities, FaultDisk, File, Lock, PowerCut, Result, SyncMode, Vfs,
};
use keelstone::{Batch, Db, Durability, ManualClock};
use keelstone_tests::crash::{CRASH_SHAPE, ORDERED_CRASH_SHAPE};
use keelstone_tests::differential::quietly;
use keelstone_tests::mirror::START_MS;
use keelstone_tests::shape::Shape;

/// When a disk calls back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    Behind,
}

type Act = Box<dyn FnOnce() + Send>;

/// What is to happen at the next sync of a file.
#[derive(Clone, Default)]
struct Next(Arc<Mutex<Option<(When, Act)>>>);

impl Next {
    fn set(&self, when: When, act: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some((when, Box::new(act)));
    }

    fn run(&self, now: When) {
        // Why out of the lock: what happens may sync too.
        let act = self.0.lock().unwrap().take_if(|(when, _)| *when == now);
        if let Some((_, act)) = act {
            act();
        }
    }

    fn is_done(&self) -> bool {
        self.0.lock().unwrap().is_none()
    }
}

/// A disk that calls back at the next sync of a file.
struct CallingDisk {
    disk: FaultDisk,
    next: Next,
}

struct CallingFile {
    file: Box<dyn File>,
    next: Next,
}

impl CallingDisk {
    fn file(&self, file: Box<dyn File>) -> Box<dyn File> {
        Box::new(CallingFile { file, next: self.next.clone() })
    }
}

impl Vfs for CallingDisk {
    fn capabilities(&self) -> Capabilities {
        self.disk.capabilities()
    }

    fn open(&self, name: &str, access: Access) -> Result<Box<dyn File>> {
        self.disk.open(name, access).map(|file| self.file(file))
    }

    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        self.disk.create(name).map(|file| self.file(file))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        self.disk.list(dir)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.disk.remove(name)
    }

    fn create_dir(&self, name: &str) -> Result<()> {
        self.disk.create_dir(name)
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        self.disk.sync_dir(dir)
    }

    fn lock(&self, name: &str, access: Access) -> Result<Box<dyn Lock>> {
        self.disk.lock(name, access)
    }
}

impl File for CallingFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.file.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> Result<()> {
        self.file.write_at(buf, offset)
    }

    fn len(&self) -> Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        self.file.allocate(offset, len)
    }

    fn sync(&self, mode: SyncMode) -> Result<()> {
        self.next.run(When::Before);
        self.file.sync(mode)?;
        self.next.run(When::Behind);
        Ok(())
    }
}

const SHAPES: [Shape; 2] = [CRASH_SHAPE, Shape { memtable_bytes: 1 << 20, ..ORDERED_CRASH_SHAPE }];

fn open(disk: Arc<dyn Vfs>, shape: Shape) -> Db {
    Db::open(disk, shape.options(&ManualClock::new(START_MS))).unwrap()
}

fn put(db: &Db, key: &str, durability: Durability) {
    let mut batch = Batch::new();
    batch.put(key, "1");
    db.write(&batch, durability).unwrap();
}

/// A store with one durable write, its disk, and what is to happen at the next sync.
fn begun(shape: Shape) -> (Db, FaultDisk, Next) {
    let (disk, next) = (FaultDisk::new(), Next::default());
    let calling = CallingDisk { disk: disk.clone(), next: next.clone() };
    let db = open(Arc::new(calling), shape);
    put(&db, "first", Durability::Durable);
    (db, disk, next)
}

/// Fails with the mistake, and only with it.
fn shown_and_sees(act: fn(Shape), bug: Bug) {
    for shape in SHAPES {
        act(shape);
        let broken = quietly(|| {
            act(Shape { bug: Some(bug), ..shape });
            Ok(())
        });
        assert!(broken.is_err(), "{bug:?} in {:?} is not seen", shape.layout);
    }
}

// A follower of a group commit asks how far everything is durable while its leader is still in the sync.
#[test]
fn nothing_counts_as_durable_before_the_sync_has_returned() {
    let act = |shape: Shape| {
        let (db, disk, next) = begun(shape);
        let seen = db.clone();
        next.set(When::Before, move || {
            let durable = seen.durable_sequence();
            let after =
                open(Arc::new(disk.power_cut(&PowerCut::Lost)), Shape { bug: None, ..shape });
            assert_eq!((durable, after.sequence()), (1, 1), "durable, and there after a power cut");
        });
        put(&db, "second", Durability::Durable);
        assert!(next.is_done(), "there was no sync");
        assert_eq!(db.durable_sequence(), 2);
    };
    shown_and_sees(act, Bug::DurableBeforeSync);
}

// RocksDB 7.7.0 (`FlushWAL` and writers): a write came while the sync ran, was taken for synced, and was never synced.
#[test]
fn what_is_written_during_a_sync_waits_for_the_next_one() {
    let act = |shape: Shape| {
        let (db, disk, next) = begun(shape);
        let writer = db.clone();
        next.set(When::Behind, move || put(&writer, "during", Durability::Buffered));
        put(&db, "second", Durability::Durable);
        assert!(next.is_done(), "there was no sync");
        db.sync().unwrap();
        drop(db);
        let after = open(Arc::new(disk.power_cut(&PowerCut::Lost)), Shape { bug: None, ..shape });
        assert_eq!(after.get("during").unwrap().as_deref(), Some(&b"1"[..]));
    };
    shown_and_sees(act, Bug::SyncCoversLater);
}
