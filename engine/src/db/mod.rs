//! The front door: an open store, its snapshots, scans and walks, and the tools for a store that nobody has open.
//!
//! Promise: the same words for both layouts. Never: decides anything that a layout or the journal should decide.

mod bulk;
mod job;
mod ops;
mod scan;
mod snapshot;
mod store;
mod tools;
mod value;
mod walk;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use keelstone_vfs::Vfs;

pub use bulk::BulkLoad;
pub use job::Job;
use ops::{op_of, range_tombstone, tombstone};
pub use scan::{Bounds, Scan};
pub use snapshot::Snapshot;
use store::{Store, either};
pub use tools::{lock, repair, verify, verify_with};
pub use value::{Entry, Value};
use value::{bytes_of, expiry_of, value_of, value_of_item, value_with_expiry};
pub use walk::Walk;

use crate::batch::{Batch, Write, WriteRef};
use crate::error::{Error, Result};
use crate::journal::{self, LogEntry, LogWalk, OpRef, State, VerifyReport};
use crate::options::{Durability, Layout, Options};
use crate::record::EntryKind;
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
        Snapshot::new(&self.store)
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
    /// When it returns, files that nothing needs are gone, also those that a worker was about to remove. What an open
    /// snapshot or scan may still read stays until it is dropped.
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
        self.store.take_job()
    }

    /// Takes a job back; one that is not finished goes on where it stopped. One of another store goes back to that.
    pub fn give_back(&self, job: Job) {
        job.give_back();
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
