//! Writing: one frame to the active log, then the index. Whole or not at all.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use super::files::DataFile;
use super::index::{Change, Loc, Place};
use super::read::Found;
use super::{State, Store};
use crate::error::{Error, Invalid, Result};
use crate::lab::Bug;
use crate::limits;
use crate::log::{LogWriter, Ticket};
use crate::manifest::Manifest;
use crate::options::Durability;
use crate::record::{
    ENTRY_BYTES, EXPIRY_BYTES, EntryKind, FrameBuilder, FrameKind, HEADER_BYTES, Stamp,
};

/// One write, borrowed from whoever asked for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpRef<'a> {
    pub(crate) kind: EntryKind,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) expires_ms: u64,
}

impl OpRef<'_> {
    fn bytes(&self) -> usize {
        ENTRY_BYTES + EXPIRY_BYTES + self.key.len() + self.value.len()
    }
}

/// The log that takes writes.
pub(super) struct Active {
    pub(super) log: LogWriter,
    pub(super) file: Arc<DataFile>,
}

/// A log that takes no more writes and may not be durable yet.
pub(super) struct Unsynced {
    pub(super) ticket: Ticket,
    pub(super) file: Arc<DataFile>,
}

/// What was written since the last sync.
#[derive(Default)]
pub(super) struct SinceSync {
    pub(super) writes: u64,
    pub(super) bytes: u64,
    pub(super) first_ms: u64,
}

/// Everything that only one writer at a time may touch.
pub(super) struct Writer {
    /// `None` in a store that was opened for reading.
    pub(super) manifest: Option<Manifest>,
    /// `None` until the first write after open needs a log.
    pub(super) active: Option<Active>,
    /// A write to the active log failed: it must be ended before anything else is written.
    pub(super) broken: bool,
    pub(super) next_seq: u64,
    pub(super) unsynced: Vec<Unsynced>,
    /// Logs with a footer that the manifest does not call sealed yet.
    pub(super) to_seal: Vec<Arc<DataFile>>,
    pub(super) since_sync: SinceSync,
    /// Bytes written since background work last had a step.
    pub(super) since_step: u64,
    pub(super) frame: FrameBuilder,
    changes: Vec<Change>,
    olds: Vec<Old>,
}

/// Where a key belongs, and the record that a write to it displaces.
#[derive(Clone, Copy)]
struct Old {
    place: Place,
    found: Option<Found>,
}

impl Writer {
    pub(super) fn new(manifest: Option<Manifest>, next_seq: u64) -> Self {
        Self {
            manifest,
            active: None,
            broken: false,
            next_seq,
            unsynced: Vec::new(),
            to_seal: Vec::new(),
            since_sync: SinceSync::default(),
            since_step: 0,
            frame: FrameBuilder::default(),
            changes: Vec::new(),
            olds: Vec::new(),
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
        self.check_writable()?;
        self.check_ops(ops)?;
        self.check_durability(durability)?;
        let (seq, due) = {
            let mut writer = self.writer.lock();
            if !ops.is_empty() {
                self.write_locked(&mut writer, ops)?;
            }
            (writer.next_seq - 1, self.sync_due(&writer, self.options.clock.now_ms()))
        };
        self.finish_write(seq, durability, due)?;
        Ok(seq)
    }

    /// Deletes `key` if it is there; says whether it was.
    pub(crate) fn remove(self: &Arc<Self>, key: &[u8], durability: Durability) -> Result<bool> {
        self.check_writable()?;
        let op = OpRef { kind: EntryKind::Tombstone, key, value: &[], expires_ms: 0 };
        self.check_ops(&[op])?;
        self.check_durability(durability)?;
        let place = self.place(key);
        let (seq, found, due) = {
            let mut writer = self.writer.lock();
            let now = self.now_ms();
            let found = self.find(place, key)?;
            let found = found.is_some_and(|f| f.expires_ms.is_none_or(|at| at > now));
            if found {
                self.write_locked(&mut writer, &[op])?;
            }
            (writer.next_seq - 1, found, self.sync_due(&writer, now))
        };
        // Why: absence is acknowledged too, and a delete that made it may still be buffered.
        self.finish_write(seq, durability, due)?;
        Ok(found)
    }

    fn finish_write(self: &Arc<Self>, seq: u64, durability: Durability, due: bool) -> Result<()> {
        if durability == Durability::Durable || due {
            self.sync_through(seq)?;
        }
        if self.options.inline_work {
            self.work_inline();
        }
        Ok(())
    }

    fn check_ops(&self, ops: &[OpRef<'_>]) -> Result<()> {
        let mut total = HEADER_BYTES;
        for op in ops {
            check_key(op.key)?;
            let (bytes, max) = (op.value.len(), self.options.value_bytes_max);
            if bytes > max {
                return Err(Error::Invalid(Invalid::ValueTooLong { bytes, max }));
            }
            total = total.saturating_add(op.bytes());
        }
        if total > limits::FRAME_BYTES_MAX {
            let (bytes, max) = (total, limits::FRAME_BYTES_MAX);
            return Err(Error::Invalid(Invalid::BatchTooLarge { bytes, max }));
        }
        Ok(())
    }

    fn check_durability(&self, durability: Durability) -> Result<()> {
        if durability == Durability::Durable && !self.durable_sync {
            return Err(Error::Unsupported("durable writes: a sync does not reach the medium"));
        }
        Ok(())
    }

    /// Writes one frame and applies it; `writer` is locked by the caller.
    fn write_locked(&self, writer: &mut Writer, ops: &[OpRef<'_>]) -> Result<()> {
        let deletes_only = ops.iter().all(|op| op.kind == EntryKind::Tombstone);
        self.heal(deletes_only)?;
        let bytes: usize = HEADER_BYTES + ops.iter().map(OpRef::bytes).sum::<usize>();
        self.make_room(writer, bytes as u64)?;
        let mut changes = core::mem::take(&mut writer.changes);
        let mut olds = core::mem::take(&mut writer.olds);
        changes.clear();
        olds.clear();
        let done = self
            .resolve(ops, &mut olds)
            .and_then(|()| self.append(writer, ops, &olds, &mut changes));
        if done.is_ok() {
            self.apply(writer, ops, &olds, &changes);
        }
        (writer.changes, writer.olds) = (changes, olds);
        done
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

    /// Builds the frame, makes room in the index, and writes the frame to the log.
    fn append(
        &self,
        writer: &mut Writer,
        ops: &[OpRef<'_>],
        olds: &[Old],
        changes: &mut Vec<Change>,
    ) -> Result<()> {
        let time_ms = self.now_ms();
        let (seq, mark) = (writer.next_seq, self.durable_seq.load(Ordering::Acquire));
        let Writer { active, frame, .. } = writer;
        let active = active.as_mut().ok_or(Error::Closed)?;
        frame.begin(active.log.id(), active.log.end());
        changes.try_reserve(ops.len())?;
        for (at, (op, old)) in ops.iter().zip(olds).enumerate() {
            let placed = frame.push(op.kind, op.key, op.value, op.expires_ms)?;
            let offset = u32::try_from(placed.offset).map_err(|_| Error::OutOfSpace)?;
            let loc = Loc::new(active.file.slot, offset, placed.len);
            let new = (op.kind != EntryKind::Tombstone).then_some(loc);
            let (place, old) = (old.place, old.found.map(|found| found.loc));
            changes.push(Change { place, seq: seq + at as u64, old, new });
        }
        chain_repeats(ops, changes)?;
        self.index.reserve(changes)?;
        let bytes = frame.finish(&Stamp { kind: FrameKind::Batch, seq, mark, time_ms });
        // Crash: the frame is whole or torn at the end of the log; torn, recovery cuts it.
        match active.log.append(bytes) {
            Ok(_) => Ok(()),
            Err(error) => {
                writer.broken = !self.switches.on(Bug::AppendAfterFailure);
                if !writer.broken {
                    active.log.skip(writer.frame.len() as u64);
                }
                Err(self.settle(crate::manifest::Fault::Write(error)))
            }
        }
    }

    /// The frame is in the log: the index follows, and everything that counts.
    fn apply(&self, writer: &mut Writer, ops: &[OpRef<'_>], olds: &[Old], changes: &[Change]) {
        let Some(active) = &writer.active else { return };
        self.index.apply(changes, self.snapshots.any());
        for (at, ((op, old), change)) in ops.iter().zip(olds).zip(changes).enumerate() {
            let len = entry_bytes(op);
            active.file.add_entry(u64::from(len), op.kind == EntryKind::Tombstone);
            self.count_new(&active.file, op, change, len);
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
        let bytes = writer.frame.len() as u64;
        let end = active.log.end();
        let last_seq = writer.next_seq + ops.len() as u64 - 1;
        active.file.end.store(end, Ordering::Release);
        active.file.last_seq.store(last_seq, Ordering::Release);
        writer.next_seq = last_seq + 1;
        let since = &mut writer.since_sync;
        if since.writes == 0 {
            since.first_ms = self.time_ms.load(Ordering::Acquire);
        }
        (since.writes, since.bytes) = (since.writes + 1, since.bytes + bytes);
        writer.since_step += bytes;
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

    /// Whether a sync is due by itself.
    pub(super) fn sync_due(&self, writer: &Writer, now_ms: u64) -> bool {
        let (every, since) = (&self.options.sync_every, &writer.since_sync);
        let over = |limit: u64, value: u64| limit > 0 && value >= limit;
        since.writes > 0
            && (over(every.writes, since.writes)
                || over(every.bytes, since.bytes)
                || over(every.millis, now_ms.saturating_sub(since.first_ms)))
    }

    /// Tries to leave `OutOfSpace`; deletes go on in it, on what the reserve has left free.
    fn heal(&self, deletes_only: bool) -> Result<()> {
        self.check_writable()?;
        if self.state() == State::OutOfSpace && !deletes_only && !self.space_returned() {
            return Err(Error::OutOfSpace);
        }
        Ok(())
    }
}

/// Refuses keys that are empty or too long.
pub(crate) fn check_key(key: &[u8]) -> Result<()> {
    let (bytes, max) = (key.len(), limits::KEY_BYTES_MAX);
    if bytes == 0 {
        return Err(Error::Invalid(Invalid::EmptyKey));
    }
    if bytes > max {
        return Err(Error::Invalid(Invalid::KeyTooLong { bytes, max }));
    }
    Ok(())
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

fn expiry_of(op: &OpRef<'_>) -> Option<u64> {
    (op.kind == EntryKind::PutUntil).then_some(op.expires_ms)
}

/// The length that the entry of a write has.
fn entry_bytes(op: &OpRef<'_>) -> u32 {
    let expiry = if op.kind == EntryKind::PutUntil { EXPIRY_BYTES } else { 0 };
    let len = ENTRY_BYTES + expiry + op.key.len() + op.value.len();
    // Invariant: the frame that holds it was within FRAME_BYTES_MAX.
    u32::try_from(len).unwrap_or(u32::MAX)
}
