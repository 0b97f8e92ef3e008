//! The store at one instant: a sequence and a time that compactions respect.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use keelstone_vfs::lock::Mutex;

use super::walk::{Bounds, Walk};
use super::{Item, Store};
use crate::error::Result;

/// What one snapshot fixes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Open {
    seq: u64,
    time_ms: u64,
}

/// The open snapshots.
#[derive(Default)]
pub(super) struct Snapshots {
    open: Mutex<Vec<Open>>,
}

impl Snapshots {
    pub(super) fn count(&self) -> u64 {
        self.open.lock().len() as u64
    }

    /// Their sequences, ascending, and the least of their times.
    pub(super) fn held(&self) -> (Vec<u64>, Option<u64>) {
        let open = self.open.lock();
        let mut seqs: Vec<u64> = open.iter().map(|open| open.seq).collect();
        seqs.sort_unstable();
        seqs.dedup();
        (seqs, open.iter().map(|open| open.time_ms).min())
    }
}

/// A snapshot; dropping the last handle ends it.
pub(crate) struct SnapshotHandle {
    store: Arc<Store>,
    open: Open,
}

impl Drop for SnapshotHandle {
    fn drop(&mut self) {
        let mut open = self.store.snapshots.open.lock();
        if let Some(at) = open.iter().position(|open| *open == self.open) {
            open.swap_remove(at);
        }
    }
}

impl Store {
    /// Holds the store as it is between two writes.
    pub(crate) fn snapshot(self: &Arc<Self>) -> Result<SnapshotHandle> {
        self.journal.check_open()?;
        // Why the lock: a compaction asks for the snapshots, and for the time, under it, and then knows all that it must
        // respect; a snapshot of an earlier time would want what it has dropped as expired.
        let _writer = self.journal.writer.lock();
        let time_ms = self.journal.now_ms();
        let open = Open { seq: self.visible_seq.load(Ordering::Acquire), time_ms };
        self.snapshots.open.lock().push(open);
        Ok(SnapshotHandle { store: Arc::clone(self), open })
    }
}

impl SnapshotHandle {
    pub(crate) const fn sequence(&self) -> u64 {
        self.open.seq
    }

    /// Gives what `key` had to `view`, or `None`.
    pub(crate) fn get<R>(
        &self,
        key: &[u8],
        mut view: impl FnMut(&Item<'_>) -> Result<R>,
    ) -> Result<Option<R>> {
        self.store.journal.check_open()?;
        self.store.get_at(&self.store.view(), key, self.open.seq, self.open.time_ms, &mut view)
    }

    /// A walk over what was there.
    pub(crate) fn walk(&self, bounds: Bounds) -> Result<Walk> {
        self.store.journal.check_open()?;
        Walk::new(&self.store, self.open.seq, self.open.time_ms, bounds)
    }
}
