//! The first half of a merge: records that must stay go into outputs, which are sealed and get their hints.

use alloc::vec::Vec;

use super::super::Store;
use super::super::expiry::NEVER_MS;
use super::super::files::DataFile;
use super::super::frames::next_ours;
use super::super::hint::{Collector, HintWriter, Item};
use super::super::index::Loc;
use super::{Merge, Move, Output, Pending, Phase};
use crate::error::{Error, FileName, Result};
use crate::event::Event;
use crate::lab::Bug;
use crate::limits::STEP_BYTES;
use crate::log::{FrameReader, LogWriter};
use crate::record::{
    Entry, EntryKind, FILE_HEADER_BYTES, FileHeader, FileKind, FrameBuilder, FrameKind, Stamp,
};

/// Entries gather in frames of about this many bytes.
const FRAME_BYTES: usize = 64 << 10;

impl Merge {
    /// Reads a piece of an input and copies what must stay.
    pub(super) fn copy(&mut self, store: &Store, input: usize, start: u64) -> Result<()> {
        let Some(file) = self.inputs.get(input).cloned() else {
            self.flush(store)?;
            self.phase = Phase::Finish(0);
            return Ok(());
        };
        let end = file.log.end();
        let mut reader = FrameReader::new(&*file.log.file, file.log.id, end).seek(start);
        while reader.offset() < start + STEP_BYTES as u64 {
            let Some((header, entries)) = next_ours(&mut reader, file.log.name)? else {
                self.phase = Phase::Copy(input + 1, FILE_HEADER_BYTES as u64);
                return Ok(());
            };
            if header.stamp.kind == FrameKind::Footer {
                continue;
            }
            for entry in entries {
                self.take(store, &file, &entry)?;
            }
        }
        self.phase = Phase::Copy(input, reader.offset());
        Ok(())
    }

    /// Decides what becomes of one record.
    fn take(&mut self, store: &Store, file: &DataFile, entry: &Entry<'_>) -> Result<()> {
        let hash = store.hasher.hash(entry.key);
        let place = store.index.place(hash);
        let offset = u32::try_from(entry.offset).map_err(|_| Error::OutOfSpace)?;
        let loc = Loc::new(file.slot, offset, entry.len);
        let any = store.journal.switches.on(Bug::TombstoneDropped);
        let droppable = any || file.log.age <= self.older_than;
        if entry.kind == EntryKind::Tombstone {
            if droppable || store.find(place, entry.key)?.is_some() {
                return Ok(());
            }
            return self.carry(store, hash, entry, None);
        }
        if !store.index.shard(place.shard).holds(place.tag, loc) {
            return Ok(());
        }
        let horizon = store.dead_horizon();
        if entry.expires_ms.is_none_or(|at| at > horizon) {
            return self.carry(store, hash, entry, Some(loc));
        }
        let (len, expires_ms) = (entry.len, entry.expires_ms.unwrap_or(NEVER_MS));
        self.moves.try_reserve(1)?;
        self.moves.push(Move { place, from: loc, len, expires_ms, to: None });
        if droppable {
            return Ok(());
        }
        self.carry_tombstone(store, hash, entry.key)
    }

    fn carry(
        &mut self,
        store: &Store,
        hash: u128,
        entry: &Entry<'_>,
        from: Option<Loc>,
    ) -> Result<()> {
        self.begin_frame(store, entry.raw.len())?;
        let placed = self.frame.push_raw(entry.raw)?;
        let tombstone = entry.kind == EntryKind::Tombstone;
        self.note(store, hash, placed.offset, placed.len, entry.expires_ms, tombstone, from)
    }

    fn carry_tombstone(&mut self, store: &Store, hash: u128, key: &[u8]) -> Result<()> {
        self.begin_frame(store, key.len())?;
        let placed = self.frame.push(EntryKind::Tombstone, key, &[], 0)?;
        self.note(store, hash, placed.offset, placed.len, None, true, None)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one record, used right here")]
    fn note(
        &mut self,
        store: &Store,
        hash: u128,
        offset: u64,
        len: u32,
        expires_ms: Option<u64>,
        tombstone: bool,
        from: Option<Loc>,
    ) -> Result<()> {
        let offset = u32::try_from(offset).map_err(|_| Error::OutOfSpace)?;
        let item =
            Item { hash, offset, len, tombstone, expires_ms: expires_ms.unwrap_or(NEVER_MS) };
        self.pending.try_reserve(1)?;
        self.pending.push(Pending { item, place: store.index.place(hash), from });
        if self.frame.len() >= FRAME_BYTES {
            self.flush(store)?;
        }
        Ok(())
    }

    /// Makes sure that a frame is being built, in an output with room for it.
    fn begin_frame(&mut self, store: &Store, bytes: usize) -> Result<()> {
        if !self.pending.is_empty() {
            return Ok(());
        }
        let limit = store.journal.options.segment_bytes;
        let full = |output: &Output| {
            output.writer.end() > FILE_HEADER_BYTES as u64
                && output.writer.end() + (bytes + FRAME_BYTES) as u64 > limit
        };
        if self.outputs.last().is_none_or(full) {
            self.begin_output(store)?;
        }
        let Some(output) = self.outputs.last() else { return Err(Error::Closed) };
        self.frame.begin(output.writer.id(), output.writer.end());
        Ok(())
    }

    fn begin_output(&mut self, store: &Store) -> Result<()> {
        let number = store.journal.take_number()?;
        let (kind, seed, age) = (FileKind::Segment, store.journal.seed, self.age);
        let header = FileHeader { kind, number, seed, age, first_seq: 0 };
        // Crash: a file that nothing names; the next open removes it.
        let writer = LogWriter::create(&*store.journal.vfs, FileName::Segment(number), &header, 0)?;
        let (seq, records, entry_bytes, tombstone_bytes) = (1, 0, 0, 0);
        let (collector, hint) = (Some(Collector::default()), None);
        self.outputs.push(Output {
            writer,
            seq,
            collector,
            hint,
            records,
            entry_bytes,
            tombstone_bytes,
        });
        Ok(())
    }

    /// Writes the frame that was built.
    pub(super) fn flush(&mut self, store: &Store) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let index = u16::try_from(self.outputs.len() - 1).map_err(|_| Error::OutOfMemory)?;
        let Some(output) = self.outputs.last_mut() else { return Err(Error::Closed) };
        let time_ms = store.journal.time_ms();
        let stamp = Stamp { kind: FrameKind::Carried, seq: output.seq, mark: 0, time_ms };
        output.seq += u64::from(self.frame.count());
        output.writer.append(self.frame.finish(&stamp))?;
        self.moves.try_reserve(self.pending.len())?;
        for Pending { item, place, from } in self.pending.drain(..) {
            output.records += 1;
            output.entry_bytes += u64::from(item.len);
            if item.tombstone {
                output.tombstone_bytes += u64::from(item.len);
            }
            if let Some(collector) = &mut output.collector {
                collector.add_item(item)?;
            }
            if let Some(from) = from {
                let (len, expires_ms, to) = (item.len, item.expires_ms, Some((index, item.offset)));
                self.moves.push(Move { place, from, len, expires_ms, to });
            }
        }
        Ok(())
    }

    /// Writes footer and hint of one output and makes it durable, one piece a step.
    pub(super) fn finish_output(&mut self, store: &Store, at: usize) -> Result<()> {
        let Some(output) = self.outputs.get_mut(at) else {
            self.phase = Phase::Publish;
            return Ok(());
        };
        if let Some(collector) = output.collector.take() {
            output.finish(store, &mut self.frame, collector)?;
            return Ok(());
        }
        if let Some(hint) = &mut output.hint
            && hint.step(16)?
        {
            return Ok(());
        }
        output.hint = None;
        self.phase = Phase::Finish(at + 1);
        Ok(())
    }
}

impl Output {
    fn finish(
        &mut self,
        store: &Store,
        frame: &mut FrameBuilder,
        collector: Collector,
    ) -> Result<()> {
        frame.begin(self.writer.id(), self.writer.end());
        let mut payload = Vec::new();
        for total in [self.records, self.entry_bytes] {
            payload.extend_from_slice(&total.to_le_bytes());
        }
        frame.push(EntryKind::Plain, &[], &payload, 0)?;
        let time_ms = store.journal.time_ms();
        let stamp = Stamp { kind: FrameKind::Footer, seq: self.seq, mark: 0, time_ms };
        self.writer.append(frame.finish(&stamp))?;
        if !store.journal.switches.on(Bug::MergeOutputNotSynced) {
            self.writer.ticket().sync()?;
        }
        let FileName::Segment(number) = self.writer.name() else { return Ok(()) };
        let items = collector.finish(self.writer.end(), time_ms);
        match HintWriter::begin(&*store.journal.vfs, store.journal.seed, number, items) {
            Ok(hint) => self.hint = Some(hint),
            // Why: a hint is advisory.
            Err(error) => store.journal.event(&Event::WorkFailed(error)),
        }
        Ok(())
    }
}
