//! The front door: an open store, its snapshots and scans, and the tools for a store that nobody has open.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::{Lock, Vfs};

use crate::batch::{Batch, Write, WriteRef};
use crate::error::Result;
use crate::hash::{self, LogEntry, OpRef, RepairReport, Stats, Store, VerifyReport};
use crate::options::{Durability, Layout, OpenMode, Options};
use crate::record::{Entry as Record, EntryKind};

/// An open store. Cheap to clone; all handles share the store, and any number of threads may use them at once.
///
/// Dropping the last handle without [`close`](Db::close) is like the end of the process: nothing that was written is
/// lost while the machine runs, and the next open recovers.
#[derive(Clone)]
pub struct Db {
    store: Arc<Store>,
    durability: Durability,
}

/// A live key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// When it expires, in milliseconds since 1970; `None`: never.
    pub expires_ms: Option<u64>,
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The value.
    pub value: Vec<u8>,
    /// When it expires, in milliseconds since 1970; `None`: never.
    pub expires_ms: Option<u64>,
}

/// What a store can do at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// Everything.
    Healthy,
    /// The disk is full: reads, deletes and merges that fit go on, and writes do so again once there is space.
    OutOfSpace,
    /// Reads only: opened so, or a sync failed; then it is to be opened again.
    ReadOnly,
    /// Nothing.
    Closed,
}

fn value_of(record: &Record<'_>) -> Result<Vec<u8>> {
    let mut value = Vec::new();
    value.try_reserve_exact(record.value.len())?;
    value.extend_from_slice(record.value);
    Ok(value)
}

fn value_with_expiry(record: &Record<'_>) -> Result<Value> {
    Ok(Value { value: value_of(record)?, expires_ms: record.expires_ms })
}

fn entry_of(record: &Record<'_>) -> Result<Entry> {
    let mut key = Vec::new();
    key.try_reserve_exact(record.key.len())?;
    key.extend_from_slice(record.key);
    Ok(Entry { key, value: value_of(record)?, expires_ms: record.expires_ms })
}

impl Db {
    /// Opens the store in the root of `vfs`, or creates it: see [`OpenMode`](crate::OpenMode).
    ///
    /// Takes the lock at once, recovers, and makes durable what it found before it returns.
    ///
    /// # Errors
    /// `Locked` if somebody has it open, `NoStore`, `Invalid` for a directory with other things in it or for bad options,
    /// `Corrupt` if something that was acknowledged as durable is damaged, `Version`. Nothing was changed then, but that
    /// what an interrupted creation had left may be gone.
    pub fn open(vfs: Arc<dyn Vfs>, options: Options) -> Result<Self> {
        let durability = options.durability;
        Ok(Self { store: hash::open(vfs, options)?, durability })
    }

    /// Sets `key` to `value`, as durably as [`Options::durability`](crate::Options::durability) says.
    ///
    /// # Errors
    /// `Invalid`, `OutOfSpace`, `ReadOnly`, `Storage`. After an error the write did not happen; if a sync failed, it may
    /// be there after the next open.
    pub fn put(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        let (key, value) = (key.as_ref(), value.as_ref());
        let op = OpRef { kind: EntryKind::Put, key, value, expires_ms: 0 };
        self.store.write(&[op], self.durability).map(|_| ())
    }

    /// Sets `key` to `value` until `expires_ms`, in milliseconds since 1970; from then on it is absent.
    ///
    /// # Errors
    /// As [`put`](Db::put).
    pub fn put_until(
        &self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
        expires_ms: u64,
    ) -> Result<()> {
        let (key, value) = (key.as_ref(), value.as_ref());
        let op = OpRef { kind: EntryKind::PutUntil, key, value, expires_ms };
        self.store.write(&[op], self.durability).map(|_| ())
    }

    /// Takes `key` away, whether it is there or not.
    ///
    /// # Errors
    /// As [`put`](Db::put); a full disk does not stop it as long as the reserve lasts.
    pub fn delete(&self, key: impl AsRef<[u8]>) -> Result<()> {
        let op = tombstone(key.as_ref());
        self.store.write(&[op], self.durability).map(|_| ())
    }

    /// Takes `key` away and says whether it was there; writes nothing if it was not.
    ///
    /// # Errors
    /// As [`delete`](Db::delete).
    pub fn remove(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        self.store.remove(key.as_ref(), self.durability)
    }

    /// Applies all writes of a batch or none, and gives the sequence of the last one.
    ///
    /// An empty batch changes nothing and gives the sequence of the last write; with `Durable` it syncs like any other.
    ///
    /// # Errors
    /// As [`put`](Db::put).
    pub fn write(&self, batch: &Batch, durability: Durability) -> Result<u64> {
        self.write_borrowed(batch.writes().iter().map(Write::borrowed), durability)
    }

    /// As [`write`](Db::write), for writes whose bytes lie elsewhere.
    ///
    /// # Errors
    /// As [`put`](Db::put).
    pub fn write_borrowed<'a>(
        &self,
        writes: impl ExactSizeIterator<Item = WriteRef<'a>>,
        durability: Durability,
    ) -> Result<u64> {
        let mut ops = Vec::new();
        ops.try_reserve_exact(writes.len())?;
        ops.extend(writes.map(op_of));
        self.store.write(&ops, durability)
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// `Corrupt` if the record is damaged, `Storage`, `Closed`.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
        self.store.get(key.as_ref(), value_of)
    }

    /// The value of `key` and when it expires.
    ///
    /// # Errors
    /// As [`get`](Db::get).
    pub fn get_with_expiry(&self, key: impl AsRef<[u8]>) -> Result<Option<Value>> {
        self.store.get(key.as_ref(), value_with_expiry)
    }

    /// Shows the value of `key`, and when it expires, to `view`, which saves a copy; `None` if it is not there.
    ///
    /// # Errors
    /// As [`get`](Db::get), and those of `view`.
    pub fn get_with<R>(
        &self,
        key: &[u8],
        mut view: impl FnMut(&[u8], Option<u64>) -> Result<R>,
    ) -> Result<Option<R>> {
        self.store.get(key, |record| view(record.value, record.expires_ms))
    }

    /// Whether `key` is there.
    ///
    /// # Errors
    /// As [`get`](Db::get): the record is read, because its key is on disk only.
    pub fn contains(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        Ok(self.store.get(key.as_ref(), |_| Ok(()))?.is_some())
    }

    /// Makes every write that returned before durable, in every file.
    ///
    /// # Errors
    /// After a failed sync the store is read-only until it is opened again: what was buffered may be lost, what was
    /// acknowledged as durable is not.
    pub fn sync(&self) -> Result<()> {
        self.store.sync()
    }

    /// How many keys a scan now would return.
    ///
    /// # Errors
    /// `Closed`.
    pub fn len(&self) -> Result<u64> {
        self.store.len()
    }

    /// Whether a scan now would return nothing.
    ///
    /// # Errors
    /// `Closed`.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The store as it is now, between two writes, whatever happens later.
    ///
    /// It keeps what later writes displace, in memory, and files that merges replace, on disk; if that outgrows
    /// [`Options::memory_budget`](crate::Options::memory_budget), the oldest snapshot ends with `Closed`.
    ///
    /// # Errors
    /// `Closed`.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Ok(Snapshot { handle: Arc::new(self.store.snapshot()?) })
    }

    /// Every live key with its value, as they are now, in no particular order.
    ///
    /// # Errors
    /// `Closed`; the items can be errors as of [`get`](Db::get).
    pub fn scan(&self) -> Result<Scan> {
        self.snapshot()?.scan()
    }

    /// The writes from `sequence` on, in their order, up to the last one there is now: for followers. Sequences begin at 1.
    ///
    /// Writes that are not durable yet are among them, and a power cut may take those back: a follower that must never be
    /// ahead stops at [`durable_sequence`](Db::durable_sequence).
    ///
    /// # Errors
    /// `MergedAway` with the oldest sequence that can still be read.
    pub fn log_from(&self, sequence: u64) -> Result<LogReader> {
        Ok(LogReader { walk: Some(self.store.log_from(sequence)?) })
    }

    /// Merges until nothing dead is left, and removes what is no longer needed; others go on meanwhile.
    ///
    /// # Errors
    /// As [`work`](Db::work).
    pub fn compact(&self) -> Result<()> {
        self.store.compact()
    }

    /// Whether a sync or background work is due at `now_ms`: then call [`work`](Db::work).
    #[must_use]
    pub fn due(&self, now_ms: u64) -> bool {
        self.store.due(now_ms)
    }

    /// Does what is due, in one bounded step; `true` while there may be more.
    ///
    /// # Errors
    /// What the work met: nothing is lost by it, and it is tried again later.
    pub fn work(&self) -> Result<bool> {
        self.store.work()
    }

    /// Background work as a value: run its steps wherever you like, then [`give_back`](Db::give_back).
    #[must_use]
    pub fn take_job(&self) -> Option<Job> {
        self.store.take_job().map(|job| Job { job })
    }

    /// Takes a job back; one that is not finished goes on where it stopped.
    pub fn give_back(&self, job: Job) {
        self.store.give_back(job.job);
    }

    /// Counts, sizes and durations.
    ///
    /// # Errors
    /// `Closed`, or `Storage` where the sizes of files cannot be read.
    pub fn stats(&self) -> Result<Stats> {
        self.store.stats()
    }

    /// Reads every record as far as it was written when this began, while others go on.
    ///
    /// # Errors
    /// `Storage`, `Closed`. Damage is no error, it stands in the report.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.store.verify()
    }

    /// Writes the store as it is now into the empty `dest`: a store of its own, with the seed `seed`, durable on return.
    ///
    /// # Errors
    /// `Invalid` if `dest` is not empty. After another error `dest` holds files but no store.
    pub fn backup(&self, dest: &Arc<dyn Vfs>, seed: u128) -> Result<()> {
        self.store.backup(dest, seed)
    }

    /// What the store can do at the moment.
    #[must_use]
    pub fn health(&self) -> Health {
        match self.store.state() {
            hash::State::Healthy => Health::Healthy,
            hash::State::OutOfSpace => Health::OutOfSpace,
            hash::State::OpenedReadOnly | hash::State::SyncFailed => Health::ReadOnly,
            hash::State::Closed => Health::Closed,
        }
    }

    /// The sequence of the last write.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.store.sequence()
    }

    /// The sequence up to which a power cut takes nothing back.
    #[must_use]
    pub fn durable_sequence(&self) -> u64 {
        self.store.durable_sequence()
    }

    /// The layout that the store has.
    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout::Hash
    }

    /// Syncs and lets the store go; every later call of every handle returns `Closed`.
    ///
    /// # Errors
    /// What the sync met, or `ReadOnly` if one had failed before. The store is closed all the same.
    pub fn close(&self) -> Result<()> {
        self.store.close()
    }
}

const fn tombstone(key: &[u8]) -> OpRef<'_> {
    OpRef { kind: EntryKind::Tombstone, key, value: &[], expires_ms: 0 }
}

fn op_of(write: WriteRef<'_>) -> OpRef<'_> {
    match write {
        WriteRef::Put { key, value, expires_ms: None } => {
            OpRef { kind: EntryKind::Put, key, value, expires_ms: 0 }
        }
        WriteRef::Put { key, value, expires_ms: Some(expires_ms) } => {
            OpRef { kind: EntryKind::PutUntil, key, value, expires_ms }
        }
        WriteRef::Delete { key } => tombstone(key),
    }
}

/// A piece of background work: sealing a log, merging, or removing files.
///
/// Dropping it gives it up: what it wrote and did not publish is removed.
pub struct Job {
    job: hash::Job,
}

impl Job {
    /// Reads and writes at most one MiB; `false` when the job is done.
    ///
    /// # Errors
    /// What the work met. The job has ended then, and nothing is lost by it.
    pub fn step(&mut self) -> Result<bool> {
        self.job.step()
    }
}

/// The store at one instant. Cheap to clone; it ends when the last clone and the last scan of it are dropped.
#[derive(Clone)]
pub struct Snapshot {
    handle: Arc<hash::SnapshotHandle>,
}

impl Snapshot {
    /// The value that `key` had.
    ///
    /// # Errors
    /// As [`Db::get`]; `Closed` also if the snapshot ended because it kept too much.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
        self.handle.get(key.as_ref(), value_of)
    }

    /// The value that `key` had and when it expires.
    ///
    /// # Errors
    /// As [`get`](Snapshot::get).
    pub fn get_with_expiry(&self, key: impl AsRef<[u8]>) -> Result<Option<Value>> {
        self.handle.get(key.as_ref(), value_with_expiry)
    }

    /// Shows the value that `key` had, and when it expires, to `view`; `None` if it was not there.
    ///
    /// # Errors
    /// As [`get`](Snapshot::get), and those of `view`.
    pub fn get_with<R>(
        &self,
        key: &[u8],
        mut view: impl FnMut(&[u8], Option<u64>) -> Result<R>,
    ) -> Result<Option<R>> {
        self.handle.get(key, |record| view(record.value, record.expires_ms))
    }

    /// Whether `key` was there.
    ///
    /// # Errors
    /// As [`get`](Snapshot::get).
    pub fn contains(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        Ok(self.handle.get(key.as_ref(), |_| Ok(()))?.is_some())
    }

    /// Every key that was there, in no particular order.
    ///
    /// # Errors
    /// As [`get`](Snapshot::get).
    pub fn scan(&self) -> Result<Scan> {
        Ok(Scan { shards: Some(self.handle.scan()?) })
    }

    /// The sequence of the last write that it holds.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.handle.sequence()
    }
}

/// Live keys with their values, in no particular order; it ends after the first error.
pub struct Scan {
    shards: Option<hash::ScanShards>,
}

impl Iterator for Scan {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        let next = self.shards.as_mut()?.next(entry_of).transpose();
        if !matches!(next, Some(Ok(_))) {
            self.shards = None;
        }
        next
    }
}

/// Writes in the order of their sequences; it ends after the first error.
pub struct LogReader {
    walk: Option<hash::LogWalk>,
}

impl Iterator for LogReader {
    type Item = Result<LogEntry>;

    fn next(&mut self) -> Option<Result<LogEntry>> {
        let next = self.walk.as_mut()?.next().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.walk = None;
        }
        next
    }
}

/// Takes the lock of the store in the root of `vfs` as [`Db::open`] would, and opens nothing: for a host whose component
/// opens the store, because a component cannot lock. `None`: the disk has no locks, or there is nothing to be locked.
///
/// # Errors
/// `Locked`, `Storage`. A directory that is no store gets no lock's file.
pub fn lock(vfs: &dyn Vfs, mode: OpenMode) -> Result<Option<Box<dyn Lock>>> {
    hash::lock(vfs, mode)
}

/// Reads a store that nobody has open, every byte of it, and changes none.
///
/// # Errors
/// `Locked`, `NoStore`, `Version`, `Storage`. Damage is no error, it stands in the report.
pub fn verify(vfs: &Arc<dyn Vfs>) -> Result<VerifyReport> {
    hash::verify(vfs)
}

/// Keeps everything readable of a damaged store that nobody has open, and lists what was lost; `verify` is content then.
///
/// # Errors
/// `Locked`, `NoStore` if not even the store's seed can be read, `Storage`, `OutOfSpace`: it writes what it keeps before it
/// removes anything, and can be run again.
pub fn repair(vfs: &Arc<dyn Vfs>, options: &Options) -> Result<RepairReport> {
    hash::repair(vfs, options)
}
