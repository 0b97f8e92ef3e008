//! A disk that counts what is done to another.
//!
//! Called by tests and statistics that ask how much work something was.
//! Promise: every operation counts once, whether it fails or not; bytes count when they were read
//! or written for certain; results pass unchanged. Never: blocks.

use crate::{Access, Capabilities, File, Lock, Op, Result, SyncMode, Vfs};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Sub;
use core::sync::atomic::{AtomicU64, Ordering};

/// The number of operations that there are.
const OPS: usize = Op::Sync as usize + 1;

/// Counts every operation on the disk `V` and its files. A clone counts into the same counters.
#[derive(Clone, Debug, Default)]
pub struct CountingDisk<V> {
    disk: V,
    counters: Arc<Counters>,
}

/// What was done, from the start or between two snapshots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    ops: [u64; OPS],
    /// Bytes that were read.
    pub bytes_read: u64,
    /// Bytes that were written.
    pub bytes_written: u64,
    /// Syncs of a file's bytes.
    pub syncs_data: u64,
    /// Syncs of a file's bytes and length.
    pub syncs_all: u64,
}

impl Counts {
    /// How often `op` was called; syncs of directories are [`Op::SyncDir`].
    #[must_use]
    pub const fn of(&self, op: Op) -> u64 {
        self.ops[op as usize]
    }

    /// How often anything was called.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.ops.iter().sum()
    }
}

impl Sub for Counts {
    type Output = Self;

    /// What was done since `earlier`.
    fn sub(self, earlier: Self) -> Self {
        Self {
            ops: core::array::from_fn(|op| self.ops[op] - earlier.ops[op]),
            bytes_read: self.bytes_read - earlier.bytes_read,
            bytes_written: self.bytes_written - earlier.bytes_written,
            syncs_data: self.syncs_data - earlier.syncs_data,
            syncs_all: self.syncs_all - earlier.syncs_all,
        }
    }
}

#[derive(Debug, Default)]
struct Counters {
    ops: [AtomicU64; OPS],
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
    syncs_data: AtomicU64,
    syncs_all: AtomicU64,
}

fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Counters {
    fn count(&self, op: Op) {
        add(&self.ops[op as usize], 1);
    }
}

impl<V> CountingDisk<V> {
    /// Counts what is done to `disk`, from 0.
    pub fn new(disk: V) -> Self {
        Self { disk, counters: Arc::default() }
    }

    /// The disk below.
    pub const fn disk(&self) -> &V {
        &self.disk
    }

    /// What was done up to now. Under way in other threads, an operation may be in one number and
    /// not yet in another.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let counters = &self.counters;
        Counts {
            ops: core::array::from_fn(|op| get(&counters.ops[op])),
            bytes_read: get(&counters.bytes_read),
            bytes_written: get(&counters.bytes_written),
            syncs_data: get(&counters.syncs_data),
            syncs_all: get(&counters.syncs_all),
        }
    }

    fn file(&self, file: Box<dyn File>) -> Box<dyn File> {
        Box::new(CountingFile { file, counters: self.counters.clone() })
    }
}

impl<V: Vfs> Vfs for CountingDisk<V> {
    fn capabilities(&self) -> Capabilities {
        self.disk.capabilities()
    }

    fn open(&self, name: &str, access: Access) -> Result<Box<dyn File>> {
        self.counters.count(Op::Open);
        self.disk.open(name, access).map(|file| self.file(file))
    }

    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        self.counters.count(Op::Create);
        self.disk.create(name).map(|file| self.file(file))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        self.counters.count(Op::List);
        self.disk.list(dir)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.counters.count(Op::Rename);
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.counters.count(Op::Remove);
        self.disk.remove(name)
    }

    fn create_dir(&self, name: &str) -> Result<()> {
        self.counters.count(Op::CreateDir);
        self.disk.create_dir(name)
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        self.counters.count(Op::SyncDir);
        self.disk.sync_dir(dir)
    }

    fn lock(&self, name: &str, access: Access) -> Result<Box<dyn Lock>> {
        self.counters.count(Op::Lock);
        self.disk.lock(name, access)
    }
}

/// A file that is open.
struct CountingFile {
    file: Box<dyn File>,
    counters: Arc<Counters>,
}

impl File for CountingFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.counters.count(Op::Read);
        let n = self.file.read_at(buf, offset)?;
        add(&self.counters.bytes_read, n);
        Ok(n)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> Result<()> {
        self.counters.count(Op::Write);
        self.file.write_at(buf, offset)?;
        add(&self.counters.bytes_written, buf.len());
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        self.counters.count(Op::Len);
        self.file.len()
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.counters.count(Op::SetLen);
        self.file.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        self.counters.count(Op::Allocate);
        self.file.allocate(offset, len)
    }

    fn sync(&self, mode: SyncMode) -> Result<()> {
        self.counters.count(Op::Sync);
        match mode {
            SyncMode::Data => add(&self.counters.syncs_data, 1),
            SyncMode::All => add(&self.counters.syncs_all, 1),
        }
        self.file.sync(mode)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that fails")]
    use super::*;
    use crate::MemoryDisk;

    #[test]
    fn operations_bytes_and_syncs_are_counted() {
        let disk = CountingDisk::new(MemoryDisk::new());
        let file = disk.create("a").unwrap();
        file.write_at(b"hello", 0).unwrap();
        let before = disk.counts();
        file.write_at(b"world", 5).unwrap();
        file.read_at(&mut [0; 100], 0).unwrap();
        file.sync(SyncMode::Data).unwrap();
        file.sync(SyncMode::All).unwrap();
        disk.sync_dir("").unwrap();
        assert!(disk.create("a").is_err());
        let done = disk.counts() - before;
        assert_eq!((done.of(Op::Write), done.of(Op::Read), done.of(Op::Sync)), (1, 1, 2));
        assert_eq!((done.of(Op::Create), done.of(Op::SyncDir), done.of(Op::Open)), (1, 1, 0));
        assert_eq!((done.bytes_written, done.bytes_read), (5, 10));
        assert_eq!((done.syncs_data, done.syncs_all), (1, 1));
        assert_eq!((done.total(), disk.counts().bytes_written), (6, 10));
    }
}
