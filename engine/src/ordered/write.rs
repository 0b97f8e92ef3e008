//! Writing: one frame to the log, then the memtable. Whole or not at all.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use super::memtable::{Memtable, MemtableWriter};
use super::{Item, Sealed, Store, View};
use crate::error::{Error, Invalid, Result};
use crate::journal::{LogFile, OpRef, State, Writer, Written, entry_bytes};
use crate::options::Durability;
use crate::record::EntryKind;

/// Sealed memtables from which on writers wait for the flush; at least one more than it began with.
const SEALED_MAX: usize = 3;
/// Tables of level 0 from which on writers wait for compactions.
const NEWEST_TABLES_MAX: usize = 20;
/// Steps that a writer does or waits for before it goes on all the same.
const WAITS_MAX: usize = 256;
/// While the disk is full the memtable is not sealed before it is so many times as large as it should be.
const FULL_FACTOR: usize = 4;

/// What one writer at a time works with, beside the journal's writer.
pub(super) struct Hand {
    pub(super) memtable: MemtableWriter,
    /// The logs that are live, in the order of their numbers.
    pub(super) logs: Vec<Arc<LogFile>>,
    /// Decides the heights in the next memtable.
    seed: u64,
    /// When something was written last.
    pub(super) written_ms: u64,
}

impl Hand {
    pub(super) fn new(memtable: MemtableWriter, logs: Vec<Arc<LogFile>>) -> Self {
        Self { memtable, logs, seed: 1, written_ms: 0 }
    }

    /// Takes note of the log that the writer has begun.
    fn note_log(&mut self, writer: &Writer) {
        let Some(active) = &writer.active else { return };
        if self.logs.last().is_none_or(|log| log.number != active.file.number) {
            self.logs.push(Arc::clone(&active.file));
        }
    }
}

impl Store {
    /// Applies all of `ops` or none, and gives the sequence of the last one.
    pub(crate) fn write(
        self: &Arc<Self>,
        ops: &[OpRef<'_>],
        durability: Durability,
    ) -> Result<u64> {
        self.journal.check_writable()?;
        self.journal.check_ops(ops)?;
        self.check_ranges(ops)?;
        self.journal.check_durability(durability)?;
        self.wait_for_work();
        let written = {
            let mut writer = self.journal.writer.lock();
            if !ops.is_empty() {
                let mut pieces = self.journal.pieces(ops);
                pieces.try_for_each(|ops| self.write_locked(&mut writer, ops))?;
            }
            self.journal.written(&writer)
        };
        self.finish_write(&written, durability)?;
        Ok(written.seq)
    }

    /// Deletes `key` if it is there; says whether it was.
    pub(crate) fn remove(self: &Arc<Self>, key: &[u8], durability: Durability) -> Result<bool> {
        self.journal.check_writable()?;
        let op = OpRef { kind: EntryKind::Tombstone, key, value: &[], expires_ms: 0 };
        self.journal.check_ops(&[op])?;
        self.journal.check_durability(durability)?;
        self.wait_for_work();
        let (written, found) = {
            let mut writer = self.journal.writer.lock();
            let found = self.get(key, |_| Ok(()))?.is_some();
            if found {
                self.write_locked(&mut writer, &[op])?;
            }
            (self.journal.written(&writer), found)
        };
        // Why: absence is acknowledged too, and a delete that made it may still be buffered.
        self.finish_write(&written, durability)?;
        Ok(found)
    }

    fn finish_write(self: &Arc<Self>, written: &Written, durability: Durability) -> Result<()> {
        self.journal.sync_written(written, durability)?;
        if self.journal.options.inline_work && written.since_step >= self.pace() {
            self.work_inline();
        }
        Ok(())
    }

    /// Refuses ranges that end before they begin.
    fn check_ranges(&self, ops: &[OpRef<'_>]) -> Result<()> {
        let ranges = ops.iter().filter(|op| op.kind == EntryKind::RangeTombstone);
        for op in ranges {
            if self.order.compare(op.key, op.value).is_gt() {
                return Err(Error::Invalid(Invalid::Range));
            }
        }
        Ok(())
    }

    /// Writes one frame and applies it; `writer` is locked by the caller.
    fn write_locked(&self, writer: &mut Writer, ops: &[OpRef<'_>]) -> Result<()> {
        // Why again: the work that was waited for, or another writer, may have met a failed sync since.
        self.journal.check_writable()?;
        let mut hand = self.hand.lock();
        let hand = &mut *hand;
        if self.is_full(&hand.memtable) {
            self.seal_memtable(writer, hand)?;
        }
        self.journal.prepare(writer, ops)?;
        hand.note_log(writer);
        let is_range = |op: &&OpRef<'_>| op.kind == EntryKind::RangeTombstone;
        let lens = |op: &OpRef<'_>| (op.key.len(), op.value.len());
        let items = ops.iter().filter(|op| !is_range(op)).map(lens);
        hand.memtable.reserve(items, ops.iter().filter(is_range).map(lens))?;
        self.journal.build(writer, ops, |_| Ok(()))?;
        let first = writer.next_seq;
        self.journal.append(writer, ops.len() as u64)?;
        let mut bytes = 0;
        for (seq, op) in (first..).zip(ops) {
            insert(&mut hand.memtable, self, seq, op)?;
            bytes += u64::from(entry_bytes(op));
        }
        if let Some(active) = &writer.active {
            active.file.add_entries(ops.len() as u64, bytes);
        }
        hand.written_ms = self.journal.time_ms();
        self.visible_seq.store(writer.next_seq - 1, Ordering::Release);
        Ok(())
    }

    /// Whether the memtable is to be sealed before anything more is written to it.
    fn is_full(&self, memtable: &MemtableWriter) -> bool {
        let limit = self.journal.options.memtable_bytes;
        let bytes = memtable.table().bytes();
        match self.journal.state() {
            State::Healthy => bytes >= limit,
            // Why: a new log needs space, and deletes are to go on as long as they can.
            _ => bytes >= limit.saturating_mul(FULL_FACTOR),
        }
    }

    /// The memtable takes no more writes, nor does its log; both wait for the flush.
    pub(super) fn seal_memtable(&self, writer: &mut Writer, hand: &mut Hand) -> Result<()> {
        // Why again: while the caller waited for work, a sync of it may have failed.
        self.journal.check_writable()?;
        let old = Arc::clone(hand.memtable.table());
        if old.is_empty() {
            return Ok(());
        }
        let next = self.new_memtable(hand)?;
        self.journal.rotate(writer)?;
        hand.note_log(writer);
        hand.memtable = next;
        let sealed = Arc::new(Sealed { memtable: old, last_seq: writer.next_seq - 1 });
        let memtable = Arc::clone(hand.memtable.table());
        self.show(|view| {
            let mut list = alloc::vec![sealed];
            list.extend(view.sealed.iter().cloned());
            View { memtable, sealed: list, version: Arc::clone(&view.version) }
        });
        Ok(())
    }

    pub(super) fn new_memtable(&self, hand: &mut Hand) -> Result<MemtableWriter> {
        hand.seed = hand.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
        let bytes = self.journal.options.memtable_bytes;
        Memtable::new(self.order.clone(), bytes, hand.seed).map(|(_, writer)| writer)
    }

    /// Lets a writer wait, or help, as long as memory or level 0 hold more than they should.
    pub(super) fn wait_for_work(self: &Arc<Self>) {
        self.wait_for_load();
        for _ in 0..WAITS_MAX {
            let view = self.view();
            let (sealed, newest) = (view.sealed.len(), view.version.levels[0].len());
            drop(view);
            let sealed_max = SEALED_MAX.max(self.sealed_together() + 1);
            if (sealed < sealed_max && newest < NEWEST_TABLES_MAX) || !self.journal.is_working() {
                return;
            }
            match self.work() {
                Ok(true) => {}
                // Why: somebody else has the job in hand; the end of its step is what to wait for.
                Ok(false) if self.wait_for_step(sealed >= sealed_max) => {}
                // Why: what failed was told to the observer; a write fails only if it cannot be kept itself.
                Ok(false) | Err(_) => return,
            }
        }
    }
}

/// Adds one write to the memtable, which has room for it.
pub(super) fn insert(
    memtable: &mut MemtableWriter,
    store: &Store,
    seq: u64,
    op: &OpRef<'_>,
) -> Result<()> {
    let OpRef { kind, key, value, expires_ms } = *op;
    if kind == EntryKind::RangeTombstone {
        return memtable.insert_range(key, value, seq);
    }
    let item = Item { key, seq, kind, value, expires_ms };
    memtable.insert(&item, store.hasher.hash(key))
}
