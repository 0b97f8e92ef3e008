//! Stores in scratch directories, and what the engine does to the disk for one operation.

use std::env;
use std::path::Path;
use std::sync::Arc;

use keelstone::vfs::{CountingDisk, Counts, MemoryDisk, NativeDisk, Op, Vfs};
use keelstone::{Db, Durability, Layout, Options};
use tempfile::TempDir;

use crate::keys::{key, value};

/// A directory that goes away with the value: in `KEELSTONE_BENCH_DIR`, else in the system's place
/// for such.
///
/// # Panics
/// If it cannot be made.
#[must_use]
pub fn scratch() -> TempDir {
    let made = match env::var_os("KEELSTONE_BENCH_DIR") {
        Some(dir) => TempDir::new_in(dir),
        None => TempDir::new(),
    };
    made.expect("a scratch directory can be made")
}

/// The default options in the hash layout, whose figures these are, with a seed that is always the same.
#[must_use]
pub fn options(durability: Durability) -> Options {
    let mut options = Options::default();
    (options.seed, options.durability) = (7, durability);
    options.layout = Some(Layout::Hash);
    options
}

/// Opens or creates the store in `dir`.
///
/// # Panics
/// If it cannot be opened.
#[must_use]
pub fn open(dir: &Path, options: Options) -> Db {
    let disk = NativeDisk::open(dir).expect("the directory is there");
    Db::open(Arc::new(disk), options).expect("the store opens")
}

/// Puts the keys of `numbers` with their values.
///
/// # Panics
/// If a put fails.
pub fn load(db: &Db, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        db.put(key(number), value(number)).expect("a put in a store with room");
    }
}

/// What one operation moves between the engine and the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that a put of a new key writes, in one piece.
    pub put_bytes: usize,
    /// Bytes that a get reads, in one piece.
    pub get_bytes: usize,
}

impl Traffic {
    /// Counts it, so that a floor moves exactly as much.
    ///
    /// # Panics
    /// If a put is more than one write, or a get more than one read.
    #[must_use]
    pub fn count() -> Self {
        let disk = CountingDisk::new(MemoryDisk::new());
        let db = Db::open(Arc::new(disk.clone()), options(Durability::Buffered))
            .expect("an empty store in memory");
        load(&db, 0..8);
        let start = disk.counts();
        load(&db, 8..9);
        let put = disk.counts() - start;
        assert_eq!((put.of(Op::Write), put.total()), (1, 1), "a buffered put is one write");
        let start = disk.counts();
        assert_eq!(db.get(key(4)).expect("a get"), Some(value(4).to_vec()));
        let get = disk.counts() - start;
        assert_eq!((get.of(Op::Read), get.total()), (1, 1), "a get is one read");
        let bytes = |count: u64| usize::try_from(count).expect("some hundred bytes");
        Self { put_bytes: bytes(put.bytes_written), get_bytes: bytes(get.bytes_read) }
    }
}

/// The syncs of many durable puts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Syncs {
    /// Puts that were made.
    pub puts: u64,
    /// Puts with exactly one write and one sync of data.
    pub steady: u64,
    /// Puts that reserved space ahead, so that their one sync was also of the length.
    pub grown: u64,
}

/// Makes `puts` durable puts on the file system and counts what each does to it.
///
/// # Panics
/// If a put does anything but one write and one sync, or, where it reserves space, syncs twice.
#[must_use]
pub fn count_syncs(puts: u64) -> Syncs {
    let dir = scratch();
    let native = NativeDisk::open(dir.path()).expect("the directory is there");
    let disk = CountingDisk::new(native);
    let shared: Arc<dyn Vfs> = Arc::new(disk.clone());
    let db = Db::open(shared, options(Durability::Durable)).expect("the store opens");
    load(&db, 0..1);
    let mut syncs = Syncs::default();
    for number in 1..=puts {
        let start = disk.counts();
        load(&db, [number]);
        let Counts { syncs_data, syncs_all, .. } = disk.counts() - start;
        let counts = disk.counts() - start;
        let reserved = counts.of(Op::Allocate);
        assert_eq!(syncs_data + syncs_all, 1, "put {number} synced once");
        assert_eq!(counts.of(Op::Write), 1, "put {number} wrote once");
        assert_eq!(counts.total(), 2 + reserved, "put {number} did nothing else");
        assert!(reserved == 1 || syncs_data == 1, "put {number} synced data only");
        syncs.puts += 1;
        syncs.steady += u64::from(reserved == 0);
        syncs.grown += reserved;
    }
    syncs
}
