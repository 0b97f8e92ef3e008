//! The ordered layout, in the tradition of LevelDB: a sorted memtable before sorted tables in levels.
//!
//! Called by the front door (`db`); calls `journal`, `manifest` and the disk. The hall: what a store is made of, what
//! readers see of it, and how it ends. Writing, reading, flush, compaction and recovery have files of their own.
//!
//! A write goes to the log and to the memtable. A full memtable is sealed with its log and flushed to a table of level 0;
//! compactions move tables down, level by level. Readers take one view of all of it and are in nobody's way.
//!
//! Locks, in the order in which they may be taken: that of `loading`; `flushing`, `compacting` or `removing`,
//! of which nobody holds two; `jobs`, those of the journal, `hand`, `snapshots`, `view`. None of the last three is held across
//! a disk operation.

mod backup;
mod build;
mod bulk;
mod compact;
mod cursor;
mod flush;
mod jobs;
mod key;
mod level;
pub(crate) mod memtable;
mod open;
#[cfg(feature = "lab")]
pub(crate) mod probe;
mod range;
mod read;
mod repair;
mod snapshot;
mod stats;
mod table;
mod unordered;
mod verify;
mod version;
mod walk;
mod write;

pub(crate) use bulk::Load;
pub(crate) use jobs::Job;
pub(crate) use key::{Cursor, Item};
pub(crate) use repair::repair;
pub(crate) use snapshot::SnapshotHandle;
pub(crate) use table::parts;
pub(crate) use verify::verify;
pub(crate) use walk::{Bounds, Walk};

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::AtomicU64;

use keelstone_vfs::lock::{Mutex, RwLock};

use crate::codec::KeyHasher;
use crate::error::{Error, Result};
use crate::journal::{Journal, LogWalk, State};
use crate::order::KeyOrder;

use bulk::Loading;
use jobs::Jobs;
use level::Tables;
use memtable::Memtable;
use snapshot::Snapshots;
use stats::Counters;
use table::TableOptions;
use version::Version;
use write::Hand;

/// The number of the ordered layout on disk.
pub(crate) const LAYOUT: u8 = 2;

/// A memtable that takes no more writes.
pub(crate) struct Sealed {
    pub(crate) memtable: Arc<Memtable>,
    /// The last sequence in it; all before it are in it or in older ones.
    pub(crate) last_seq: u64,
}

/// Everything that a reader looks at: it never changes, another takes its place.
pub(crate) struct View {
    memtable: Arc<Memtable>,
    /// The newest first.
    sealed: Vec<Arc<Sealed>>,
    version: Arc<Version>,
}

/// An open store.
pub(crate) struct Store {
    pub(crate) journal: Journal,
    order: KeyOrder,
    hasher: KeyHasher,
    table_options: TableOptions,
    hand: Mutex<Hand>,
    view: RwLock<Arc<View>>,
    /// Every write up to this sequence is in a memtable or a table, whole batches only.
    visible_seq: AtomicU64,
    snapshots: Snapshots,
    jobs: Mutex<Jobs>,
    /// Held while a flush, a compaction or a removal runs a step: who must wait for work waits here.
    flushing: Mutex<()>,
    compacting: Mutex<()>,
    removing: Mutex<()>,
    loading: Loading,
    tables: Arc<Tables>,
    counters: Counters,
}

impl Store {
    /// What there is to read now.
    fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read())
    }

    /// Puts another view in the place of the one there is.
    fn show(&self, change: impl FnOnce(&View) -> View) {
        let mut view = self.view.write();
        let next = Arc::new(change(&view));
        let old = core::mem::replace(&mut *view, next);
        drop(view);
        // Why: letting go of the last hold on a memtable takes time that no reader should wait for.
        drop(old);
    }

    /// The writes from sequence `from` on, as far as their logs are still there.
    pub(crate) fn log_from(&self, from: u64) -> Result<LogWalk> {
        self.journal.check_open()?;
        let writer = self.journal.writer.lock();
        let logs = self.hand.lock().logs.clone();
        LogWalk::new(logs, from, writer.next_seq - 1, true)
    }

    /// Syncs, writes the mark that makes every defect visible, and lets the lock go.
    pub(crate) fn close(self: &Arc<Self>) -> Result<()> {
        let done = match self.journal.state() {
            State::Closed => return Ok(()),
            State::Healthy | State::OutOfSpace => self.close_clean(),
            State::OpenedReadOnly => Ok(()),
            State::SyncFailed => Err(Error::ReadOnly { after_failed_sync: true }),
        };
        self.journal.end();
        done
    }

    /// Syncs, flushes what would be slow to replay, and writes the mark of a clean close.
    fn close_clean(self: &Arc<Self>) -> Result<()> {
        self.drop_jobs();
        let journal = &self.journal;
        journal.sync_for_close()?;
        if Journal::is_slow_to_replay(&journal.writer.lock()) || !self.view().sealed.is_empty() {
            self.flush_all()?;
        }
        journal.mark_clean(&mut journal.writer.lock())
    }
}
