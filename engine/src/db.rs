//! The front door: an open store, its snapshots and scans, and the tools for a store that nobody has open.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use keelstone_vfs::{Lock, Vfs};

use crate::batch::{Batch, Write, WriteRef};
use crate::bulk::BulkLoad;
use crate::error::{Error, Invalid, Result};
use crate::hash;
use crate::journal::{
    self, Entrance, Journal, LogEntry, LogWalk, OpRef, RepairReport, State, VerifyReport,
};
use crate::options::{Durability, Layout, OpenMode, Options};
use crate::ordered::{self, Item};
use crate::record::{Entry as Record, EntryKind};
use crate::stats::Stats;

/// An open store. Cheap to clone; all handles share the store, and any number of threads may use them at once.
///
/// Dropping the last handle without [`close`](Db::close) is like the end of the process: nothing that was written is
/// lost while the machine runs, and the next open recovers.
#[derive(Clone)]
pub struct Db {
    store: Store,
    durability: Durability,
}

/// The store, in whichever layout.
#[derive(Clone)]
enum Store {
    Hash(Arc<hash::Store>),
    Ordered(Arc<ordered::Store>),
}

/// Does the same with the store of either layout.
macro_rules! either {
    ($store:expr, $inner:ident => $do:expr) => {
        match $store {
            Store::Hash($inner) => $do,
            Store::Ordered($inner) => $do,
        }
    };
}

impl Store {
    fn enter(entrance: Entrance) -> Result<Self> {
        let Entrance { journal, loaded } = entrance;
        let wanted = journal.options.layout;
        let Some(loaded) = loaded else {
            return match wanted {
                Some(Layout::Hash) | None => hash::Store::create(journal).map(Self::Hash),
                Some(Layout::Ordered) => ordered::Store::create(journal).map(Self::Ordered),
            };
        };
        let found = match loaded.state.layout {
            hash::LAYOUT => Layout::Hash,
            ordered::LAYOUT => Layout::Ordered,
            _ => return Err(Error::Unsupported("the layout of this store")),
        };
        if wanted.is_some_and(|wanted| wanted != found) {
            return Err(Error::Invalid(Invalid::Layout));
        }
        match found {
            Layout::Hash => hash::Store::open(journal, loaded).map(Self::Hash),
            Layout::Ordered => ordered::Store::open(journal, loaded).map(Self::Ordered),
        }
    }

    fn journal(&self) -> &Journal {
        either!(self, store => &store.journal)
    }

    fn write(&self, ops: &[OpRef<'_>], durability: Durability) -> Result<u64> {
        either!(self, store => store.write(ops, durability))
    }
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

fn bytes_of(slice: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(slice.len())?;
    bytes.extend_from_slice(slice);
    Ok(bytes)
}

fn value_of(record: &Record<'_>) -> Result<Vec<u8>> {
    bytes_of(record.value)
}

fn expiry_of(item: &Item<'_>) -> Option<u64> {
    (item.kind == EntryKind::PutUntil).then_some(item.expires_ms)
}

fn value_of_item(item: &Item<'_>) -> Result<Value> {
    Ok(Value { value: bytes_of(item.value)?, expires_ms: expiry_of(item) })
}

fn entry_of_item(item: &Item<'_>) -> Result<Entry> {
    let (key, value) = (bytes_of(item.key)?, bytes_of(item.value)?);
    Ok(Entry { key, value, expires_ms: expiry_of(item) })
}

fn value_with_expiry(record: &Record<'_>) -> Result<Value> {
    Ok(Value { value: value_of(record)?, expires_ms: record.expires_ms })
}

fn entry_of(record: &Record<'_>) -> Result<Entry> {
    let (key, value) = (bytes_of(record.key)?, value_of(record)?);
    Ok(Entry { key, value, expires_ms: record.expires_ms })
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
        let (clock, started) = (Arc::clone(&options.clock), options.clock.ticks_us());
        let store = Store::enter(journal::enter(vfs, options)?)?;
        let us = clock.ticks_us().saturating_sub(started);
        store.journal().counters.recovery_us.store(us, Ordering::Relaxed);
        Ok(Self { store, durability })
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

    /// Takes every key away from `from` up to, and without, `to`, in one write. The ordered layout has it.
    ///
    /// # Errors
    /// `Unsupported` in the hash layout; `Invalid` if `to` comes before `from`; else as [`delete`](Db::delete).
    pub fn delete_range(&self, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Result<()> {
        let op = range_tombstone(from.as_ref(), to.as_ref());
        self.store.write(&[op], self.durability).map(|_| ())
    }

    /// Takes `key` away and says whether it was there; writes nothing if it was not.
    ///
    /// # Errors
    /// As [`delete`](Db::delete).
    pub fn remove(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        either!(&self.store, store => store.remove(key.as_ref(), self.durability))
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

    /// Begins to load many keys in ascending order, past log and memtable, to be published at once. The ordered layout
    /// has it.
    ///
    /// # Errors
    /// `Unsupported` in the hash layout, `ReadOnly`, `Closed`.
    pub fn bulk_load(&self) -> Result<BulkLoad> {
        match &self.store {
            Store::Hash(_) => Err(Error::Unsupported("bulk loads in the hash layout")),
            Store::Ordered(store) => store.bulk_load().map(BulkLoad::new),
        }
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// `Corrupt` if the record is damaged, `Storage`, `Closed`.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
        match &self.store {
            Store::Hash(store) => store.get(key.as_ref(), value_of),
            Store::Ordered(store) => store.get(key.as_ref(), |item| bytes_of(item.value)),
        }
    }

    /// The value of `key` and when it expires.
    ///
    /// # Errors
    /// As [`get`](Db::get).
    pub fn get_with_expiry(&self, key: impl AsRef<[u8]>) -> Result<Option<Value>> {
        match &self.store {
            Store::Hash(store) => store.get(key.as_ref(), value_with_expiry),
            Store::Ordered(store) => store.get(key.as_ref(), value_of_item),
        }
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
        match &self.store {
            Store::Hash(store) => store.get(key, |record| view(record.value, record.expires_ms)),
            Store::Ordered(store) => store.get(key, |item| view(item.value, expiry_of(item))),
        }
    }

    /// Whether `key` is there.
    ///
    /// # Errors
    /// As [`get`](Db::get): the record is read, because its key is on disk only.
    pub fn contains(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        let found = match &self.store {
            Store::Hash(store) => store.get(key.as_ref(), |_| Ok(()))?,
            Store::Ordered(store) => store.get(key.as_ref(), |_| Ok(()))?,
        };
        Ok(found.is_some())
    }

    /// Makes every write that returned before durable, in every file.
    ///
    /// # Errors
    /// After a failed sync the store is read-only until it is opened again: what was buffered may be lost, what was
    /// acknowledged as durable is not.
    pub fn sync(&self) -> Result<()> {
        self.store.journal().sync()
    }

    /// How many keys a scan now would return.
    ///
    /// # Errors
    /// `Closed`.
    pub fn len(&self) -> Result<u64> {
        either!(&self.store, store => store.len())
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
        let handle = match &self.store {
            Store::Hash(store) => Handle::Hash(Arc::new(store.snapshot()?)),
            Store::Ordered(store) => Handle::Ordered(Arc::new(store.snapshot()?)),
        };
        Ok(Snapshot { handle })
    }

    /// Every live key with its value, as they are now: in order where the layout has one, else in no particular order.
    ///
    /// # Errors
    /// `Closed`; the items can be errors as of [`get`](Db::get).
    pub fn scan(&self) -> Result<Scan> {
        self.snapshot()?.scan()
    }

    /// The live keys within `bounds`, as they are now, in their order, or backward. The ordered layout has it.
    ///
    /// # Errors
    /// `Unsupported` in the hash layout, `Closed`; the items can be errors as of [`get`](Db::get).
    pub fn scan_within(&self, bounds: &Bounds) -> Result<Scan> {
        self.snapshot()?.scan_within(bounds)
    }

    /// The writes from `sequence` on, in their order, up to the last one there is now: for followers. Sequences begin at 1.
    ///
    /// Writes that are not durable yet are among them, and a power cut may take those back: a follower that must never be
    /// ahead stops at [`durable_sequence`](Db::durable_sequence).
    ///
    /// # Errors
    /// `MergedAway` with the oldest sequence that can still be read.
    pub fn log_from(&self, sequence: u64) -> Result<LogReader> {
        Ok(LogReader { walk: Some(either!(&self.store, store => store.log_from(sequence))?) })
    }

    /// Merges until nothing dead is left, and removes what is no longer needed; others go on meanwhile.
    ///
    /// # Errors
    /// As [`work`](Db::work).
    pub fn compact(&self) -> Result<()> {
        either!(&self.store, store => store.compact())
    }

    /// Whether a sync or background work is due at `now_ms`: then call [`work`](Db::work).
    #[must_use]
    pub fn due(&self, now_ms: u64) -> bool {
        either!(&self.store, store => store.due(now_ms))
    }

    /// Does what is due, in one bounded step; `true` while there may be more.
    ///
    /// # Errors
    /// What the work met: nothing is lost by it, and it is tried again later.
    pub fn work(&self) -> Result<bool> {
        either!(&self.store, store => store.work())
    }

    /// Background work as a value: run its steps wherever you like, then [`give_back`](Db::give_back).
    #[must_use]
    pub fn take_job(&self) -> Option<Job> {
        Some(match &self.store {
            Store::Hash(store) => Job { job: Work::Hash(store.take_job()?) },
            Store::Ordered(store) => Job { job: Work::Ordered(store.take_job()?) },
        })
    }

    /// Takes a job back; one that is not finished goes on where it stopped.
    pub fn give_back(&self, job: Job) {
        match (&self.store, job.job) {
            (Store::Hash(store), Work::Hash(job)) => store.give_back(job),
            (Store::Ordered(store), Work::Ordered(job)) => store.give_back(job),
            // Why: a job of another store ends with being dropped, and what it wrote goes.
            _ => {}
        }
    }

    /// Counts, sizes and durations.
    ///
    /// # Errors
    /// `Closed`, or `Storage` where the sizes of files cannot be read.
    pub fn stats(&self) -> Result<Stats> {
        either!(&self.store, store => store.stats())
    }

    /// Reads every record as far as it was written when this began, while others go on.
    ///
    /// # Errors
    /// `Storage`, `Closed`. Damage is no error, it stands in the report.
    pub fn verify(&self) -> Result<VerifyReport> {
        either!(&self.store, store => store.verify())
    }

    /// Writes the store as it is now into the empty `dest`: a store of its own, with the seed `seed`, durable on return.
    ///
    /// # Errors
    /// `Invalid` if `dest` is not empty. After another error `dest` holds files but no store.
    pub fn backup(&self, dest: &Arc<dyn Vfs>, seed: u128) -> Result<()> {
        either!(&self.store, store => store.backup(dest, seed))
    }

    /// What the store can do at the moment.
    #[must_use]
    pub fn health(&self) -> Health {
        match self.store.journal().state() {
            State::Healthy => Health::Healthy,
            State::OutOfSpace => Health::OutOfSpace,
            State::OpenedReadOnly | State::SyncFailed => Health::ReadOnly,
            State::Closed => Health::Closed,
        }
    }

    /// The sequence of the last write.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.store.journal().sequence()
    }

    /// The sequence up to which a power cut takes nothing back.
    #[must_use]
    pub fn durable_sequence(&self) -> u64 {
        self.store.journal().durable_sequence()
    }

    /// The layout that the store has.
    #[must_use]
    pub fn layout(&self) -> Layout {
        match &self.store {
            Store::Hash(_) => Layout::Hash,
            Store::Ordered(_) => Layout::Ordered,
        }
    }

    /// Syncs and lets the store go; every later call of every handle returns `Closed`.
    ///
    /// # Errors
    /// What the sync met, or `ReadOnly` if one had failed before. The store is closed all the same.
    pub fn close(&self) -> Result<()> {
        either!(&self.store, store => store.close())
    }
}

const fn tombstone(key: &[u8]) -> OpRef<'_> {
    OpRef { kind: EntryKind::Tombstone, key, value: &[], expires_ms: 0 }
}

const fn range_tombstone<'a>(from: &'a [u8], to: &'a [u8]) -> OpRef<'a> {
    OpRef { kind: EntryKind::RangeTombstone, key: from, value: to, expires_ms: 0 }
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
        WriteRef::DeleteRange { from, to } => range_tombstone(from, to),
    }
}

/// A piece of background work: sealing a log, merging, or removing files.
///
/// Dropping it gives it up: what it wrote and did not publish is removed.
pub struct Job {
    job: Work,
}

enum Work {
    Hash(hash::Job),
    Ordered(ordered::Job),
}

impl Job {
    /// Reads and writes at most one MiB; `false` when the job is done.
    ///
    /// # Errors
    /// What the work met. The job has ended then, and nothing is lost by it.
    pub fn step(&mut self) -> Result<bool> {
        match &mut self.job {
            Work::Hash(job) => job.step(),
            Work::Ordered(job) => job.step(),
        }
    }
}

/// The store at one instant. Cheap to clone; it ends when the last clone and the last scan of it are dropped.
#[derive(Clone)]
pub struct Snapshot {
    handle: Handle,
}

#[derive(Clone)]
enum Handle {
    Hash(Arc<hash::SnapshotHandle>),
    Ordered(Arc<ordered::SnapshotHandle>),
}

impl Snapshot {
    /// The value that `key` had.
    ///
    /// # Errors
    /// As [`Db::get`]; `Closed` also if the snapshot ended because it kept too much.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
        match &self.handle {
            Handle::Hash(handle) => handle.get(key.as_ref(), value_of),
            Handle::Ordered(handle) => handle.get(key.as_ref(), |item| bytes_of(item.value)),
        }
    }

    /// The value that `key` had and when it expires.
    ///
    /// # Errors
    /// As [`get`](Snapshot::get).
    pub fn get_with_expiry(&self, key: impl AsRef<[u8]>) -> Result<Option<Value>> {
        match &self.handle {
            Handle::Hash(handle) => handle.get(key.as_ref(), value_with_expiry),
            Handle::Ordered(handle) => handle.get(key.as_ref(), value_of_item),
        }
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
        match &self.handle {
            Handle::Hash(handle) => handle.get(key, |record| view(record.value, record.expires_ms)),
            Handle::Ordered(handle) => handle.get(key, |item| view(item.value, expiry_of(item))),
        }
    }

    /// Whether `key` was there.
    ///
    /// # Errors
    /// As [`get`](Snapshot::get).
    pub fn contains(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        let found = match &self.handle {
            Handle::Hash(handle) => handle.get(key.as_ref(), |_| Ok(()))?,
            Handle::Ordered(handle) => handle.get(key.as_ref(), |_| Ok(()))?,
        };
        Ok(found.is_some())
    }

    /// Every key that was there: in order where the layout has one, else in no particular order.
    ///
    /// # Errors
    /// As [`get`](Snapshot::get).
    pub fn scan(&self) -> Result<Scan> {
        let source = match &self.handle {
            Handle::Hash(handle) => Source::Shards(handle.scan()?),
            Handle::Ordered(_) => return self.scan_within(&Bounds::default()),
        };
        Ok(Scan { source })
    }

    /// The keys within `bounds` that were there, in their order, or backward. The ordered layout has it.
    ///
    /// # Errors
    /// `Unsupported` in the hash layout, else as [`get`](Snapshot::get).
    pub fn scan_within(&self, bounds: &Bounds) -> Result<Scan> {
        let walk = Box::new(self.walk(bounds)?);
        let source = Source::Walk { walk, reverse: bounds.reverse, begun: false };
        Ok(Scan { source })
    }

    /// A walk within `bounds` that goes wherever it is told. The ordered layout has it.
    ///
    /// # Errors
    /// As [`scan_within`](Snapshot::scan_within).
    pub fn walk(&self, bounds: &Bounds) -> Result<Walk> {
        match &self.handle {
            Handle::Hash(_) => Err(Error::Unsupported("scans in order in the hash layout")),
            Handle::Ordered(handle) => {
                Ok(Walk { walk: handle.walk(bounds.inner())?, _snapshot: Arc::clone(handle) })
            }
        }
    }

    /// The sequence of the last write that it holds.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        match &self.handle {
            Handle::Hash(handle) => handle.sequence(),
            Handle::Ordered(handle) => handle.sequence(),
        }
    }
}

/// Live keys with their values, in the order that the call that made it says; it ends after the first error.
pub struct Scan {
    source: Source,
}

enum Source {
    Shards(hash::ScanShards),
    Walk { walk: Box<Walk>, reverse: bool, begun: bool },
    Ended,
}

impl Source {
    fn next(&mut self) -> Result<Option<Entry>> {
        match self {
            Self::Ended => Ok(None),
            Self::Shards(shards) => shards.next(entry_of),
            Self::Walk { walk, reverse, begun } => {
                match (core::mem::replace(begun, true), *reverse) {
                    (false, false) => walk.seek_first()?,
                    (false, true) => walk.seek_last()?,
                    (true, false) => walk.next()?,
                    (true, true) => walk.prev()?,
                }
                walk.entry()
            }
        }
    }
}

impl Iterator for Scan {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        let next = self.source.next().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.source = Source::Ended;
        }
        next
    }
}

/// Which keys a scan or a walk is limited to, and from which end a scan begins; by default all, from the least on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// The least key that belongs to it.
    pub from: Option<Vec<u8>>,
    /// The least key above those that belong to it.
    pub to: Option<Vec<u8>>,
    /// What every key begins with; only in the order byte by byte, and together with no other limit.
    pub prefix: Option<Vec<u8>>,
    /// From the greatest key down.
    pub reverse: bool,
}

impl Bounds {
    /// Keys from `from` on.
    #[must_use]
    pub fn from(mut self, from: impl Into<Vec<u8>>) -> Self {
        self.from = Some(from.into());
        self
    }

    /// Keys up to, and without, `to`.
    #[must_use]
    pub fn to(mut self, to: impl Into<Vec<u8>>) -> Self {
        self.to = Some(to.into());
        self
    }

    /// Keys that begin with `prefix`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Vec<u8>>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// From the greatest key down.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.reverse = true;
        self
    }

    fn inner(&self) -> ordered::Bounds {
        let Self { from, to, prefix, .. } = self.clone();
        match prefix {
            Some(prefix) => ordered::Bounds::of_prefix(prefix),
            None => ordered::Bounds { from, to, prefix: None },
        }
    }
}

/// A walk over the keys of a snapshot, in order and in both directions. It stands on an entry or on none; a new one
/// stands on none.
pub struct Walk {
    walk: ordered::Walk,
    _snapshot: Arc<ordered::SnapshotHandle>,
}

impl Walk {
    /// Goes to the first entry.
    ///
    /// # Errors
    /// As [`Db::get`]; it stands on none then. So do all other moves.
    pub fn seek_first(&mut self) -> Result<()> {
        self.walk.seek_first()
    }

    /// Goes to the last entry.
    ///
    /// # Errors
    /// As [`seek_first`](Walk::seek_first).
    pub fn seek_last(&mut self) -> Result<()> {
        self.walk.seek_last()
    }

    /// Goes to the first entry whose key is `key` or comes after it.
    ///
    /// # Errors
    /// As [`seek_first`](Walk::seek_first).
    pub fn seek(&mut self, key: impl AsRef<[u8]>) -> Result<()> {
        self.walk.seek(key.as_ref())
    }

    /// Goes to the last entry whose key comes before `key`.
    ///
    /// # Errors
    /// As [`seek_first`](Walk::seek_first).
    pub fn seek_before(&mut self, key: impl AsRef<[u8]>) -> Result<()> {
        self.walk.seek_before(key.as_ref())
    }

    /// Goes one entry on; from the last, or from none, to none.
    ///
    /// # Errors
    /// As [`seek_first`](Walk::seek_first).
    #[expect(clippy::should_implement_trait, reason = "it moves and gives nothing")]
    pub fn next(&mut self) -> Result<()> {
        self.walk.next()
    }

    /// Goes one entry back; from the first, or from none, to none.
    ///
    /// # Errors
    /// As [`seek_first`](Walk::seek_first).
    pub fn prev(&mut self) -> Result<()> {
        self.walk.prev()
    }

    /// The key it stands on; valid until it moves.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        self.walk.item().map(|item| item.key)
    }

    /// The value of that key.
    #[must_use]
    pub fn value(&self) -> Option<&[u8]> {
        self.walk.item().map(|item| item.value)
    }

    /// A copy of the entry it stands on.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn entry(&self) -> Result<Option<Entry>> {
        self.walk.item().map(|item| entry_of_item(&item)).transpose()
    }
}

/// Writes in the order of their sequences; it ends after the first error.
pub struct LogReader {
    walk: Option<LogWalk>,
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
    journal::lock(vfs, mode)
}

/// Reads a store that nobody has open, every byte of it, and changes none.
///
/// # Errors
/// `Locked`, `NoStore`, `Version`, `Storage`. Damage is no error, it stands in the report.
pub fn verify(vfs: &Arc<dyn Vfs>) -> Result<VerifyReport> {
    let mut verifying = journal::begin_verify(vfs)?;
    if let Some(loaded) = &verifying.loaded {
        let report = &mut verifying.report;
        match loaded.state.layout {
            hash::LAYOUT => hash::verify(vfs, loaded, report)?,
            ordered::LAYOUT => ordered::verify(vfs, loaded, report)?,
            _ => return Err(Error::Unsupported("the layout of this store")),
        }
    }
    Ok(verifying.report)
}

/// Keeps everything readable of a damaged store that nobody has open, and lists what was lost; `verify` is content then.
///
/// # Errors
/// `Locked`, `NoStore` if not even the store's seed can be read, `Storage`, `OutOfSpace`: it writes what it keeps before it
/// removes anything, and can be run again.
pub fn repair(vfs: &Arc<dyn Vfs>, options: &Options) -> Result<RepairReport> {
    let checked = verify(vfs)?;
    match journal::layout_of(&**vfs, ordered::LAYOUT)? {
        Some(ordered::LAYOUT) if checked.is_sound() => {
            let options = Options { mode: OpenMode::ReadOnly, ..options.clone() };
            let db = Db::open(Arc::clone(vfs), options)?;
            let kept = db.len()?;
            db.close()?;
            Ok(RepairReport { kept, lost: Vec::new() })
        }
        Some(ordered::LAYOUT) => ordered::repair(vfs, options, checked),
        _ => hash::repair(vfs, options, checked),
    }
}
