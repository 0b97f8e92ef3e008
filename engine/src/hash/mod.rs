//! The hash layout, in the tradition of Bitcask: keys in a hash index in memory, records in logs on disk.
//!
//! Called by the front door (`db`); calls `journal`, `log`, `manifest` and the disk. The hall: what a store is made of, and
//! how it ends. Reading, writing, snapshots, jobs and recovery have files of their own.
//!
//! Locks, in the order in which they may be taken: `removing`, `jobs`, those of the journal, `hand`, `snapshots`, one shard (or
//! several, in ascending order, by `Index::apply` only), `files`, `expiries`. No lock of a shard is held across a disk
//! operation.

mod backup;
mod expiry;
mod files;
mod frames;
mod hint;
mod index;
mod jobs;
mod merge;
mod open;
#[cfg(feature = "lab")]
pub(crate) mod probe;
mod read;
mod recover;
mod repair;
mod rewrite;
mod snapshot;
mod stats;
mod verify;
mod write;

pub(crate) use jobs::Job;
pub(crate) use repair::repair;
pub(crate) use snapshot::{ScanShards, SnapshotHandle};
pub(crate) use verify::verify;

use alloc::sync::Arc;

use keelstone_vfs::lock::Mutex;

use crate::codec::KeyHasher;
use crate::error::{Error, Result};
use crate::journal::{Journal, LogWalk, State};

use expiry::Expiries;
use files::Files;
use index::{Index, Place};
use jobs::Jobs;
use snapshot::Snapshots;
use stats::Counters;
use write::Hand;

/// The number of the hash layout on disk.
pub(crate) const LAYOUT: u8 = 1;

/// An open store.
pub(crate) struct Store {
    pub(crate) journal: Journal,
    hasher: KeyHasher,
    index: Index,
    files: Files,
    expiries: Expiries,
    hand: Mutex<Hand>,
    snapshots: Snapshots,
    jobs: Mutex<Jobs>,
    /// Held while a removal runs a step: who must wait for its end waits here.
    removing: Mutex<()>,
    counters: Counters,
}

impl Store {
    #[inline]
    fn place(&self, key: &[u8]) -> Place {
        self.index.place(self.hasher.hash(key))
    }

    /// What a scan now would return.
    pub(crate) fn len(&self) -> Result<u64> {
        self.journal.check_open()?;
        let now = self.journal.now_ms();
        let _writer = self.journal.writer.lock();
        Ok(self.index.len() - self.expiries.expired(now))
    }

    /// The writes from sequence `from` on.
    pub(crate) fn log_from(&self, from: u64) -> Result<LogWalk> {
        self.journal.check_open()?;
        let writer = self.journal.writer.lock();
        let logs = self.files.live().into_iter().filter(|file| file.log.is_log());
        let logs = logs.map(|file| Arc::clone(&file.log)).collect();
        LogWalk::new(logs, from, writer.next_seq - 1, false)
    }

    /// Syncs, writes the mark that makes every defect visible, and lets the lock go.
    pub(crate) fn close(&self) -> Result<()> {
        let done = match self.journal.state() {
            State::Closed => return Ok(()),
            State::Healthy | State::OutOfSpace => self.close_clean(),
            State::OpenedReadOnly => Ok(()),
            State::SyncFailed => Err(Error::ReadOnly { after_failed_sync: true }),
        };
        self.journal.end();
        done
    }

    /// Syncs, seals what would be slow to replay, and writes the mark of a clean close.
    fn close_clean(&self) -> Result<()> {
        self.drop_jobs();
        self.journal.sync_for_close()?;
        let mut writer = self.journal.writer.lock();
        if Journal::is_slow_to_replay(&writer) {
            self.journal.seal_active(&mut writer)?;
            drop(writer);
            self.journal.sync_through(u64::MAX)?;
            self.finish_seals()?;
            writer = self.journal.writer.lock();
        }
        self.journal.mark_clean(&mut writer)
    }
}
