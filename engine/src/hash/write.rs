//! Writing: one frame to the active log, then the index. Whole or not at all.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Store;
use super::files::DataFile;
use super::index::{Change, Loc, Place};
use super::read::Found;
use crate::error::{Error, Result};
use crate::journal::{OpRef, Writer, Written, entry_bytes, expiry_of};
use crate::options::Durability;
use crate::record::EntryKind;

/// What one writer at a time works with, beside the journal's writer.
#[derive(Default)]
pub(super) struct Hand {
    /// The active log, once something was written to it.
    active: Option<Arc<DataFile>>,
    changes: Vec<Change>,
    olds: Vec<Old>,
}

/// Where a key belongs, and the record that a write to it displaces.
#[derive(Clone, Copy)]
struct Old {
    place: Place,
    found: Option<Found>,
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
        if ops.iter().any(|op| op.kind == EntryKind::RangeTombstone) {
            return Err(Error::Unsupported("range deletes in the hash layout"));
        }
        self.journal.check_durability(durability)?;
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
        let place = self.place(key);
        let (written, found) = {
            let mut writer = self.journal.writer.lock();
            let now = self.journal.now_ms();
            let found = self.find(place, key)?;
            let found = found.is_some_and(|f| f.expires_ms.is_none_or(|at| at > now));
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

    /// Writes one frame and applies it; `writer` is locked by the caller.
    fn write_locked(&self, writer: &mut Writer, ops: &[OpRef<'_>]) -> Result<()> {
        self.journal.prepare(writer, ops)?;
        let mut hand = self.hand.lock();
        let hand = &mut *hand;
        let file = self.active_file(writer, hand)?;
        hand.changes.clear();
        hand.olds.clear();
        self.resolve(ops, &mut hand.olds)?;
        self.place_all(writer, ops, &hand.olds, &file, &mut hand.changes)?;
        self.journal.append(writer, ops.len() as u64)?;
        self.apply(ops, &file, &hand.olds, &hand.changes);
        Ok(())
    }

    /// The active log as a file that the index can point into.
    pub(super) fn active_file(&self, writer: &Writer, hand: &mut Hand) -> Result<Arc<DataFile>> {
        let log = &writer.active.as_ref().ok_or(Error::Closed)?.file;
        if let Some(file) = &hand.active
            && file.log.number == log.number
        {
            return Ok(Arc::clone(file));
        }
        // Why: after an open the log is there already.
        let found = self.files.all().into_iter().find(|file| file.log.number == log.number);
        let file = match found {
            Some(file) => file,
            None => self.files.add(|slot| DataFile::new(slot, Arc::clone(log)))?,
        };
        hand.active = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Looks up what each write will displace: exact, so it may read from disk; nothing is changed yet.
    fn resolve(&self, ops: &[OpRef<'_>], olds: &mut Vec<Old>) -> Result<()> {
        olds.try_reserve(ops.len())?;
        for op in ops {
            let place = self.place(op.key);
            olds.push(Old { place, found: self.find(place, op.key)? });
        }
        Ok(())
    }

    /// Builds the frame, and makes room in the index for what will stand where.
    fn place_all(
        &self,
        writer: &mut Writer,
        ops: &[OpRef<'_>],
        olds: &[Old],
        file: &DataFile,
        changes: &mut Vec<Change>,
    ) -> Result<()> {
        let seq = writer.next_seq;
        changes.try_reserve(ops.len())?;
        let mut each = (seq..).zip(ops.iter().zip(olds));
        self.journal.build(writer, ops, |placed| {
            let Some((seq, (op, old))) = each.next() else { return Ok(()) };
            let offset = u32::try_from(placed.offset).map_err(|_| Error::OutOfSpace)?;
            let loc = Loc::new(file.slot, offset, placed.len);
            let new = (op.kind != EntryKind::Tombstone).then_some(loc);
            changes.push(Change { place: old.place, seq, old: old.found.map(|f| f.loc), new });
            Ok(())
        })?;
        chain_repeats(ops, changes)?;
        self.index.reserve(changes)
    }

    /// The frame is in the log: the index follows, and everything that counts.
    fn apply(&self, ops: &[OpRef<'_>], file: &DataFile, olds: &[Old], changes: &[Change]) {
        self.index.apply(changes, self.snapshots.any());
        for (at, ((op, old), change)) in ops.iter().zip(olds).zip(changes).enumerate() {
            let len = entry_bytes(op);
            file.add_entry(u64::from(len), op.kind == EntryKind::Tombstone);
            self.count_new(file, op, change, len);
            match (change.old, old.found) {
                (Some(loc), Some(found)) if found.loc.same(loc) => {
                    self.count_gone(loc, found.len, found.expires_ms);
                }
                // Why: an earlier write of the same batch is what this one displaces.
                (Some(loc), _) => {
                    let earlier =
                        changes[..at].iter().rposition(|c| c.new.is_some_and(|n| n.same(loc)));
                    if let Some(earlier) = earlier.and_then(|e| ops.get(e)) {
                        self.count_gone(loc, entry_bytes(earlier), expiry_of(earlier));
                    }
                }
                (None, _) => {}
            }
        }
        self.limit_undo();
    }

    fn count_new(&self, file: &DataFile, op: &OpRef<'_>, change: &Change, len: u32) {
        if change.new.is_none() {
            return;
        }
        file.add_live(u64::from(len));
        if let Some(at) = expiry_of(op) {
            self.expiries.add(at, file.slot, len);
        }
    }

    /// A record is no longer what the index points to.
    pub(super) fn count_gone(&self, loc: Loc, len: u32, expires_ms: Option<u64>) {
        if let Some(file) = self.files.get(loc.slot) {
            file.sub_live(u64::from(len));
        }
        if let Some(at) = expires_ms {
            self.expiries.sub(at, loc.slot, len);
        }
    }
}

/// Where a batch writes a key more than once, each write displaces the one before it.
fn chain_repeats(ops: &[OpRef<'_>], changes: &mut [Change]) -> Result<()> {
    if ops.len() < 2 {
        return Ok(());
    }
    let mut order: Vec<u64> = Vec::new();
    order.try_reserve(ops.len())?;
    order.extend((0..).zip(&*changes).map(|(at, change)| u64::from(change.place.tag) << 32 | at));
    order.sort_unstable();
    for same_tag in order.chunk_by(|a, b| a >> 32 == b >> 32) {
        // Invariant: a frame has fewer than 2^32 entries.
        #[expect(clippy::cast_possible_truncation, reason = "32 bits fit everywhere")]
        let at = |packed: u64| (packed & u64::from(u32::MAX)) as usize;
        for (n, later) in same_tag.iter().map(|later| at(*later)).enumerate() {
            let mut earlier = same_tag[..n].iter().rev().map(|earlier| at(*earlier));
            if let Some(earlier) = earlier.find(|earlier| ops[*earlier].key == ops[later].key) {
                changes[later].old = changes[earlier].new;
            }
        }
    }
    Ok(())
}
