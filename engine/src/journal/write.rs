//! One frame to the active log. Whole or not at all.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use super::{Journal, LogFile, State};
use crate::error::{Error, Invalid, Result};
use crate::lab::Bug;
use crate::limits;
use crate::log::{LogWriter, Ticket};
use crate::manifest::{Fault, Manifest};
use crate::options::Durability;
use crate::record::{
    ENTRY_BYTES, EXPIRY_BYTES, EntryKind, FrameBuilder, FrameKind, HEADER_BYTES, Placed, Stamp,
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
    /// Whether it only takes away.
    pub(crate) const fn is_delete(&self) -> bool {
        matches!(self.kind, EntryKind::Tombstone | EntryKind::RangeTombstone)
    }

    fn bytes(&self) -> usize {
        ENTRY_BYTES + EXPIRY_BYTES + self.key.len() + self.value.len()
    }
}

/// The log that takes writes.
pub(crate) struct Active {
    pub(super) log: LogWriter,
    pub(crate) file: Arc<LogFile>,
}

/// A log that takes no more writes and may not be durable yet.
pub(crate) struct Unsynced {
    pub(super) ticket: Ticket,
    pub(super) file: Arc<LogFile>,
}

/// What was written since the last sync.
#[derive(Default)]
pub(crate) struct SinceSync {
    pub(super) writes: u64,
    pub(super) bytes: u64,
    pub(super) first_ms: u64,
}

/// Everything that only one writer at a time may touch.
pub(crate) struct Writer {
    /// `None` in a store that was opened for reading.
    pub(crate) manifest: Option<Manifest>,
    /// `None` until the first write after open needs a log.
    pub(crate) active: Option<Active>,
    /// A write to the active log failed: it must be ended before anything else is written.
    pub(super) broken: bool,
    pub(crate) next_seq: u64,
    pub(super) unsynced: Vec<Unsynced>,
    /// Logs with a footer that the manifest does not call sealed yet, in the order of their numbers.
    pub(crate) to_seal: Vec<Arc<LogFile>>,
    pub(super) since_sync: SinceSync,
    /// Bytes written since background work last had a step.
    pub(crate) since_step: u64,
    pub(super) frame: FrameBuilder,
}

impl Writer {
    pub(crate) fn new(manifest: Option<Manifest>, next_seq: u64) -> Self {
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
        }
    }
}

/// How a write ended, for what its writer does next without the lock.
pub(crate) struct Written {
    pub(crate) seq: u64,
    sync_due: bool,
    /// Bytes written since background work last had a step.
    pub(crate) since_step: u64,
}

impl Journal {
    /// Refuses writes that break a limit.
    pub(crate) fn check_ops(&self, ops: &[OpRef<'_>]) -> Result<()> {
        let mut total = HEADER_BYTES;
        for op in ops {
            check_key(op.key)?;
            if op.kind == EntryKind::RangeTombstone {
                check_key(op.value)?;
            }
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

    /// Refuses to promise what this disk cannot keep.
    pub(crate) fn check_durability(&self, durability: Durability) -> Result<()> {
        if durability == Durability::Durable && !self.durable_sync {
            return Err(Error::Unsupported("durable writes: a sync does not reach the medium"));
        }
        Ok(())
    }

    /// What is written as one frame: all of `ops`, but for a mistake on purpose.
    pub(crate) fn pieces<'a>(&self, ops: &'a [OpRef<'a>]) -> impl Iterator<Item = &'a [OpRef<'a>]> {
        let count = if self.switches.on(Bug::BatchInPieces) { 1 } else { ops.len() };
        ops.chunks(count.max(1))
    }

    /// Makes sure that writes can be kept and that the active log has room for them.
    pub(crate) fn prepare(&self, writer: &mut Writer, ops: &[OpRef<'_>]) -> Result<()> {
        self.heal(ops.iter().all(OpRef::is_delete))?;
        let bytes: usize = HEADER_BYTES + ops.iter().map(OpRef::bytes).sum::<usize>();
        self.make_room(writer, bytes as u64)
    }

    /// Builds the frame of `ops`, and tells `placed` where each of them will stand.
    pub(crate) fn build(
        &self,
        writer: &mut Writer,
        ops: &[OpRef<'_>],
        mut placed: impl FnMut(Placed) -> Result<()>,
    ) -> Result<()> {
        let time_ms = self.now_ms();
        let (seq, mark) = (writer.next_seq, self.durable_sequence());
        let mark = if self.switches.on(Bug::MarkTooHigh) { seq - 1 } else { mark };
        let Writer { active, frame, .. } = writer;
        let active = active.as_ref().ok_or(Error::Closed)?;
        frame.begin(active.log.id(), active.log.end());
        for op in ops {
            placed(frame.push(op.kind, op.key, op.value, op.expires_ms)?)?;
        }
        frame.finish(&Stamp { kind: FrameKind::Batch, seq, mark, time_ms });
        Ok(())
    }

    /// Writes the frame that was built, of `count` entries.
    pub(crate) fn append(&self, writer: &mut Writer, count: u64) -> Result<()> {
        let Writer { active, frame, .. } = writer;
        let active = active.as_mut().ok_or(Error::Closed)?;
        // Crash: the frame is whole or torn at the end of the log; torn, recovery cuts it.
        if let Err(error) = active.log.append(frame.bytes()) {
            writer.broken = !self.switches.on(Bug::AppendAfterFailure);
            if !writer.broken {
                active.log.skip(frame.len() as u64);
            }
            return Err(self.settle(Fault::Write(error)));
        }
        let (bytes, last_seq) = (frame.len() as u64, writer.next_seq + count - 1);
        active.file.end.store(active.log.end(), Ordering::Release);
        active.file.last_seq.store(last_seq, Ordering::Release);
        writer.next_seq = last_seq + 1;
        let since = &mut writer.since_sync;
        if since.writes == 0 {
            since.first_ms = self.time_ms();
        }
        (since.writes, since.bytes) = (since.writes + 1, since.bytes + bytes);
        writer.since_step += bytes;
        Ok(())
    }

    /// How the write ended that `writer` is at the end of.
    pub(crate) fn written(&self, writer: &Writer) -> Written {
        // Why no look at the clock: the frame's own time was the greatest a moment ago.
        let sync_due = self.sync_due(writer, self.time_ms());
        Written { seq: writer.next_seq - 1, sync_due, since_step: writer.since_step }
    }

    /// Syncs what the caller wants durable, and what is due by itself.
    pub(crate) fn sync_written(&self, written: &Written, durability: Durability) -> Result<()> {
        if durability == Durability::Durable || written.sync_due {
            self.sync_through(written.seq)?;
        }
        Ok(())
    }

    /// Syncs if that is due by itself.
    pub(crate) fn sync_if_due(&self) -> Result<()> {
        let now = self.options.clock.now_ms();
        let (due, seq) = {
            let writer = self.writer.lock();
            (self.sync_due(&writer, now), writer.next_seq - 1)
        };
        if due {
            self.sync_through(seq)?;
        }
        Ok(())
    }

    /// Whether a sync is due by itself.
    pub(crate) fn sync_due(&self, writer: &Writer, now_ms: u64) -> bool {
        let (every, since) = (&self.options.sync_every, &writer.since_sync);
        let over = |limit: u64, value: u64| limit > 0 && value >= limit;
        since.writes > 0
            && (over(every.writes, since.writes)
                || over(every.bytes, since.bytes)
                || over(every.millis, now_ms.saturating_sub(since.first_ms)))
    }

    /// Tries to leave `OutOfSpace`; deletes go on in it, on what the reserve has left free.
    pub(crate) fn heal(&self, deletes_only: bool) -> Result<()> {
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

/// When the write expires.
pub(crate) fn expiry_of(op: &OpRef<'_>) -> Option<u64> {
    (op.kind == EntryKind::PutUntil).then_some(op.expires_ms)
}

/// The length that the entry of a write has.
pub(crate) fn entry_bytes(op: &OpRef<'_>) -> u32 {
    let expiry = if op.kind == EntryKind::PutUntil { EXPIRY_BYTES } else { 0 };
    let len = ENTRY_BYTES + expiry + op.key.len() + op.value.len();
    // Invariant: the frame that holds it was within FRAME_BYTES_MAX.
    u32::try_from(len).unwrap_or(u32::MAX)
}
