//! Snapshots and scans: the store at one instant, while everything goes on.
//!
//! While a snapshot is open, writes leave what they displaced in the shards' undo lists and retired files stay. Over the
//! memory budget the oldest snapshot ends: its next call returns `Closed`.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use keelstone_vfs::lock::Mutex;

use super::Store;
use super::index::{Candidates, Loc, Place, Undo};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::record::Entry;

/// One open snapshot.
struct Open {
    id: u64,
    seq: u64,
    /// What had expired then stays expired, what had not stays alive.
    time_ms: u64,
    ended: AtomicBool,
}

/// All open snapshots, by id: ids grow with sequences.
#[derive(Default)]
pub(super) struct Snapshots {
    open: Mutex<Vec<Arc<Open>>>,
    next_id: AtomicU64,
    count: AtomicU64,
}

impl Snapshots {
    /// Whether writes must leave undo records.
    pub(super) fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// The id that the next snapshot will get: a file retired now is needed by those below it only.
    pub(super) fn next_id(&self) -> u64 {
        self.next_id.load(Ordering::Acquire)
    }

    /// Whether a snapshot with an id below `id` is open.
    pub(super) fn any_below(&self, id: u64) -> bool {
        self.open.lock().first().is_some_and(|first| first.id < id)
    }

    fn add(&self, seq: u64, time_ms: u64) -> Arc<Open> {
        let id = self.next_id.fetch_add(1, Ordering::AcqRel);
        let open = Arc::new(Open { id, seq, time_ms, ended: AtomicBool::new(false) });
        self.open.lock().push(Arc::clone(&open));
        self.count.fetch_add(1, Ordering::AcqRel);
        open
    }

    /// Takes one away; gives the oldest sequence that is still needed, or `u64::MAX`.
    fn take(&self, id: u64) -> Option<u64> {
        let mut open = self.open.lock();
        let at = open.iter().position(|open| open.id == id)?;
        open.remove(at);
        self.count.fetch_sub(1, Ordering::AcqRel);
        Some(open.first().map_or(u64::MAX, |oldest| oldest.seq))
    }

    fn oldest(&self) -> Option<Arc<Open>> {
        self.open.lock().first().cloned()
    }
}

/// A snapshot; dropping the last handle ends it.
pub(crate) struct SnapshotHandle {
    store: Arc<Store>,
    open: Arc<Open>,
}

impl Drop for SnapshotHandle {
    fn drop(&mut self) {
        self.store.end_snapshot(&self.open);
    }
}

impl Store {
    /// Holds the store as it is between two writes.
    pub(crate) fn snapshot(self: &Arc<Self>) -> Result<SnapshotHandle> {
        self.journal.check_open()?;
        let time_ms = self.journal.now_ms();
        let writer = self.journal.writer.lock();
        let open = self.snapshots.add(writer.next_seq - 1, time_ms);
        drop(writer);
        Ok(SnapshotHandle { store: Arc::clone(self), open })
    }

    fn end_snapshot(&self, open: &Open) {
        open.ended.store(true, Ordering::Release);
        if let Some(oldest) = self.snapshots.take(open.id) {
            self.index.trim_undo(oldest);
        }
    }

    /// Ends the oldest snapshots until what they keep fits the memory budget.
    pub(super) fn limit_undo(&self) {
        while self.index.undo_bytes() > self.journal.options.memory_budget {
            let Some(oldest) = self.snapshots.oldest() else { return };
            self.journal.event(&Event::SnapshotEnded { sequence: oldest.seq });
            self.end_snapshot(&oldest);
        }
    }
}

impl SnapshotHandle {
    pub(crate) fn sequence(&self) -> u64 {
        self.open.seq
    }

    fn check(&self) -> Result<()> {
        self.store.journal.check_open()?;
        if self.open.ended.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    fn alive(&self, entry: &Entry<'_>) -> bool {
        entry.expires_ms.is_none_or(|at| at > self.open.time_ms)
    }

    /// Gives the record that `key` had to `view`, or `None`.
    pub(crate) fn get<R>(
        &self,
        key: &[u8],
        mut view: impl FnMut(&Entry<'_>) -> Result<R>,
    ) -> Result<Option<R>> {
        let place = self.store.place(key);
        loop {
            let (undos, candidates) = self.probe(place)?;
            let Some(loc) = self.locate(key, &undos, &candidates)? else { continue };
            let Some(loc) = loc else { return Ok(None) };
            let read = self.store.read_at(loc, |entry| {
                if self.alive(entry) { view(entry).map(Some) } else { Ok(None) }
            })?;
            if let Some(read) = read {
                return Ok(read);
            }
        }
    }

    fn probe(&self, place: Place) -> Result<(Vec<Undo>, Candidates)> {
        let shard = self.store.index.shard(place.shard);
        let undos = shard.undo_since(self.open.seq, place.tag);
        let candidates = shard.candidates(place.tag);
        drop(shard);
        // Why: the undo lists are trimmed only after the snapshot was marked as ended.
        self.check()?;
        Ok((undos, candidates))
    }

    /// Where the key's record was at the snapshot: the first change after it tells, else the index.
    /// The outer `None` says that an entry moved meanwhile.
    #[expect(clippy::option_option, reason = "moved, absent, or there")]
    fn locate(
        &self,
        key: &[u8],
        undos: &[Undo],
        candidates: &Candidates,
    ) -> Result<Option<Option<Loc>>> {
        for undo in undos {
            let Some(loc) = undo.old.or(undo.new) else { continue };
            match self.holds(loc, key)? {
                Some(true) => return Ok(Some(undo.old)),
                Some(false) => {}
                None => return Ok(None),
            }
        }
        for loc in candidates.iter() {
            match self.holds(loc, key)? {
                Some(true) => return Ok(Some(Some(loc))),
                Some(false) => {}
                None => return Ok(None),
            }
        }
        Ok(Some(None))
    }

    fn holds(&self, loc: Loc, key: &[u8]) -> Result<Option<bool>> {
        self.store.read_at(loc, |entry| Ok(entry.key == key))
    }

    /// Goes through everything, shard after shard.
    pub(crate) fn scan(self: &Arc<Self>) -> Result<ScanShards> {
        self.check()?;
        Ok(ScanShards { snapshot: Arc::clone(self), shard: 0, locs: Vec::new() })
    }
}

/// A walk over a snapshot in no particular order.
pub(crate) struct ScanShards {
    snapshot: Arc<SnapshotHandle>,
    shard: usize,
    /// What is left of the current shard, packed and inverted: the first place is the last number.
    locs: Vec<u64>,
}

impl ScanShards {
    /// The next live record, or `None` at the end.
    pub(crate) fn next<R>(
        &mut self,
        mut view: impl FnMut(&Entry<'_>) -> Result<R>,
    ) -> Result<Option<R>> {
        loop {
            let Some(packed) = self.locs.pop() else {
                if self.shard == self.snapshot.store.index.shards() {
                    return Ok(None);
                }
                self.load_shard()?;
                continue;
            };
            self.snapshot.check()?;
            let loc = Loc::unpack(!packed);
            let read = self.snapshot.store.read_at(loc, |entry| {
                if self.snapshot.alive(entry) { view(entry).map(Some) } else { Ok(None) }
            })?;
            // Invariant: files that were live when the snapshot was taken stay until it ends.
            match read {
                Some(Some(found)) => return Ok(Some(found)),
                Some(None) => {}
                None => return Err(Error::Closed),
            }
        }
    }

    fn load_shard(&mut self) -> Result<()> {
        let shard = u32::try_from(self.shard).map_err(|_| Error::OutOfMemory)?;
        let index = &self.snapshot.store.index;
        let locs = index.shard(shard).entries_at(self.snapshot.open.seq)?;
        self.snapshot.check()?;
        self.locs.try_reserve(locs.len())?;
        self.locs.extend(locs.into_iter().map(|loc| !loc.pack()));
        // Why: reading in the order of the files is kinder to a cold disk.
        self.locs.sort_unstable();
        self.shard += 1;
        Ok(())
    }
}
