//! Merging: copies what is alive out of files that are mostly dead, while everybody goes on.
//!
//! Copy, then publish with one manifest edit, then move the index's entries in bounded steps, each only if the index still
//! holds the old place; the inputs go after the last step and the last reader.
//!
//! A tombstone is dropped only if every file begun before its own is an input too, and carried only while the index lacks
//! its key. An expired record counts as a tombstone once its grace is over.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use super::Store;
use super::expiry::NEVER_MS;
use super::files::DataFile;
use super::hint::{Collector, HintWriter, Item};
use super::index::{Loc, Place};
use crate::error::{Error, FileName, Result};
use crate::event::Event;
use crate::lab::Bug;
use crate::limits::STEP_BYTES;
use crate::log::{FrameReader, LogWriter};
use crate::manifest::{Edit, LiveFile, Status, sync_root};
use crate::record::{
    Entry, EntryKind, FILE_HEADER_BYTES, FileHeader, FileKind, FrameBuilder, FrameKind, Stamp,
};

/// Entries gather in frames of about this many bytes.
const FRAME_BYTES: usize = 64 << 10;
/// Index entries that one step moves.
const STEP_MOVES: usize = 2048;
/// A merge takes inputs up to this many times the size of a segment.
const INPUT_SEGMENTS: u64 = 4;

/// A merge that is under way.
pub(super) struct Merge {
    inputs: Vec<Arc<DataFile>>,
    /// The age of the newest input: the outputs take it.
    age: u64,
    /// Files that are older than this and no inputs exist, or `u64::MAX`.
    older_than: u64,
    phase: Phase,
    outputs: Vec<Output>,
    frame: FrameBuilder,
    pending: Vec<Pending>,
    moves: Vec<Move>,
    moved: usize,
    files: Vec<Arc<DataFile>>,
    started_us: u64,
    bytes_in: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Reading input `0` from offset `1` on.
    Copy(usize, u64),
    /// Finishing output `0`.
    Finish(usize),
    Publish,
    Move,
    Done,
}

/// One output file.
struct Output {
    writer: LogWriter,
    seq: u64,
    collector: Option<Collector>,
    hint: Option<HintWriter>,
    records: u64,
    entry_bytes: u64,
    tombstone_bytes: u64,
}

/// An entry of the frame that is being built.
struct Pending {
    item: Item,
    place: Place,
    from: Option<Loc>,
}

/// What becomes of an index entry when the merge is published.
struct Move {
    place: Place,
    from: Loc,
    len: u32,
    expires_ms: u64,
    /// The output and the offset in it; `None`: the record had expired and is gone.
    to: Option<(u16, u32)>,
}

impl Store {
    /// The merge that is most worth doing, if one is.
    pub(super) fn choose_merge(&self) -> Option<Merge> {
        let files = self.files.live();
        let horizon = self.dead_horizon();
        let oldest_age = files.iter().map(|file| file.age).min().unwrap_or(0);
        let mut worst: Vec<_> = files
            .iter()
            .filter(|file| file.is_closed())
            .map(|file| (self.dead_percent(file, oldest_age, horizon), Arc::clone(file)))
            .filter(|(percent, _)| *percent >= u64::from(self.options.merge_dead_percent))
            .collect();
        worst.sort_by_key(|(percent, file)| (core::cmp::Reverse(*percent), file.number));
        let limit = self.options.segment_bytes.saturating_mul(INPUT_SEGMENTS);
        let (mut inputs, mut bytes) = (Vec::new(), 0);
        for (_, file) in worst {
            if !inputs.is_empty() && bytes + file.end() > limit {
                break;
            }
            bytes += file.end();
            inputs.push(file);
        }
        (!inputs.is_empty()).then(|| Merge::new(inputs, &files, self.options.clock.ticks_us()))
    }

    /// A merge of everything that is closed, if that would drop anything.
    pub(super) fn full_merge(&self) -> Option<Merge> {
        let files = self.files.live();
        let inputs: Vec<_> = files.iter().filter(|file| file.is_closed()).cloned().collect();
        let horizon = self.dead_horizon();
        let dead = |file: &Arc<DataFile>| {
            let load = |counter: &core::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
            let entry_bytes = load(&file.entry_bytes);
            entry_bytes != load(&file.live_bytes)
                || entry_bytes == 0
                || (horizon > 0 && self.expiries.expired_bytes(horizon, file.slot) > 0)
        };
        let worth = inputs.iter().any(dead);
        worth.then(|| Merge::new(inputs, &files, self.options.clock.ticks_us()))
    }

    /// Records that expired up to this time are dead, unless a snapshot may want them.
    pub(super) fn dead_horizon(&self) -> u64 {
        if self.snapshots.any() {
            return 0;
        }
        self.now_ms().saturating_sub(self.options.expiry_grace_ms)
    }

    /// The share of the file's bytes that a merge would drop.
    fn dead_percent(&self, file: &DataFile, oldest_age: u64, horizon: u64) -> u64 {
        let load = |counter: &core::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let total = load(&file.entry_bytes);
        if total == 0 {
            return 100;
        }
        let mut dead = total.saturating_sub(load(&file.live_bytes));
        if oldest_age < file.age {
            // Why: what must be carried is not dead.
            dead = dead.saturating_sub(load(&file.tombstone_bytes));
        }
        if horizon > 0 {
            dead += self.expiries.expired_bytes(horizon, file.slot);
        }
        dead * 100 / total
    }
}

impl Merge {
    fn new(mut inputs: Vec<Arc<DataFile>>, all: &[Arc<DataFile>], started_us: u64) -> Self {
        inputs.sort_by_key(|file| (file.age, file.number));
        let age = inputs.iter().map(|file| file.age).max().unwrap_or(0);
        let chosen = |file: &DataFile| inputs.iter().any(|input| input.number == file.number);
        let others = all.iter().filter(|file| !chosen(file)).map(|file| file.age);
        let older_than = others.min().unwrap_or(u64::MAX);
        let bytes_in = inputs.iter().map(|file| file.end()).sum();
        Self {
            inputs,
            age,
            older_than,
            phase: Phase::Copy(0, FILE_HEADER_BYTES as u64),
            outputs: Vec::new(),
            frame: FrameBuilder::default(),
            pending: Vec::new(),
            moves: Vec::new(),
            moved: 0,
            files: Vec::new(),
            started_us,
            bytes_in,
        }
    }

    pub(super) fn step(&mut self, store: &Store) -> Result<bool> {
        match self.phase {
            Phase::Copy(input, offset) => self.copy(store, input, offset)?,
            Phase::Finish(output) => self.finish_output(store, output)?,
            Phase::Publish => self.publish(store)?,
            Phase::Move => self.move_some(store),
            Phase::Done => {}
        }
        Ok(self.phase != Phase::Done)
    }

    /// Reads a piece of an input and copies what must stay.
    fn copy(&mut self, store: &Store, input: usize, start: u64) -> Result<()> {
        let Some(file) = self.inputs.get(input).cloned() else {
            self.flush(store)?;
            self.phase = Phase::Finish(0);
            return Ok(());
        };
        let end = file.end();
        let mut reader = FrameReader::new(&*file.file, file.id, end).seek(start);
        while reader.offset() < start + STEP_BYTES as u64 {
            let Some((header, entries)) = reader.next_whole(file.name)? else {
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
        let droppable = file.age <= self.older_than || store.switches.on(Bug::TombstoneDropped);
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
        if droppable || store.switches.on(Bug::ExpiredDropped) {
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
        let limit = store.options.segment_bytes;
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
        let number = {
            let mut writer = store.writer.lock();
            writer.manifest.as_mut().ok_or(Error::Closed)?.take_number()
        };
        let (kind, seed, age) = (FileKind::Segment, store.seed, self.age);
        let header = FileHeader { kind, number, seed, age, first_seq: 0 };
        // Crash: a file that nothing names; the next open removes it.
        let writer = LogWriter::create(&*store.vfs, FileName::Segment(number), &header, 0)?;
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
    fn flush(&mut self, store: &Store) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let index = u16::try_from(self.outputs.len() - 1).map_err(|_| Error::OutOfMemory)?;
        let Some(output) = self.outputs.last_mut() else { return Err(Error::Closed) };
        let time_ms = store.time_ms.load(Ordering::Acquire);
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
    fn finish_output(&mut self, store: &Store, at: usize) -> Result<()> {
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

    /// Makes the outputs, instead of the inputs, what the manifest names.
    fn publish(&mut self, store: &Store) -> Result<()> {
        if !store.switches.on(Bug::ShadowsNotSynced) {
            // Crash: nothing is published. What shadows a record that was dropped must not be lost after it.
            let seq = store.sequence();
            store.sync_through(seq)?;
        }
        sync_root(&*store.vfs, store.switches).map_err(|fault| store.settle(fault))?;
        if store.switches.on(Bug::InputsRemovedEarly) {
            for input in &self.inputs {
                store.vfs.remove(&format!("{}", input.name))?;
            }
        }
        let mut edits: Vec<_> = self.outputs.iter().map(|o| Edit::File(o.live(self.age))).collect();
        edits.extend(self.inputs.iter().map(|f| Edit::Removed { number: f.number }));
        let mut writer = store.writer.lock();
        let manifest = writer.manifest.as_mut().ok_or(Error::Closed)?;
        // Crash: before the edit the inputs hold, after it the outputs; the others are removed at the next open.
        if let Err(fault) = manifest.commit(&edits) {
            // Why: the edit may be in the file all the same, so the outputs must stay; the next open knows.
            self.outputs.clear();
            return Err(store.settle(fault));
        }
        for output in &self.outputs {
            self.files.push(output.install(store, self.age)?);
        }
        for input in &self.inputs {
            input.retired.store(true, Ordering::Release);
        }
        drop(writer);
        self.tell(store);
        self.outputs.clear();
        self.phase = Phase::Move;
        Ok(())
    }

    fn tell(&self, store: &Store) {
        let bytes_out = self.outputs.iter().map(|output| output.writer.end()).sum();
        let (inputs, outputs) = (self.inputs.len() as u64, self.outputs.len() as u64);
        store.counters.merges.fetch_add(1, Ordering::Relaxed);
        store.counters.merge_bytes_in.fetch_add(self.bytes_in, Ordering::Relaxed);
        store.counters.merge_bytes_out.fetch_add(bytes_out, Ordering::Relaxed);
        let bytes_in = self.bytes_in;
        store.event(&Event::Merged { inputs, outputs, bytes_in, bytes_out });
    }

    /// Lets a number of index entries point to the outputs.
    fn move_some(&mut self, store: &Store) {
        // Why: a write looks up what it displaces and then displaces it; nothing may move in between.
        let writer = store.writer.lock();
        let end = self.moves.len().min(self.moved + STEP_MOVES);
        for entry in &self.moves[self.moved..end] {
            self.move_one(store, entry);
        }
        drop(writer);
        self.moved = end;
        if end == self.moves.len() {
            let us = store.options.clock.ticks_us().saturating_sub(self.started_us);
            store.counters.merge_us.fetch_add(us, Ordering::Relaxed);
            for input in self.inputs.drain(..) {
                store.retire(input);
            }
            self.phase = Phase::Done;
        }
    }

    fn move_one(&self, store: &Store, entry: &Move) {
        let Move { place, from, len, expires_ms, to } = *entry;
        let expires = Some(expires_ms);
        let to =
            to.and_then(|(output, offset)| Some((self.files.get(usize::from(output))?, offset)));
        let Some((file, offset)) = to else {
            if store.index.forget(place, from) {
                store.count_gone(from, len, expires);
            }
            return;
        };
        if store.index.relocate(place, from, Loc::new(file.slot, offset, len)) {
            store.count_gone(from, len, expires);
            file.add_live(u64::from(len));
            store.expiries.add(expires_ms, file.slot, len);
        }
    }

    /// The job ends here: outputs that were never published go away; a published merge is carried through.
    pub(super) fn abandon(&mut self, store: &Store) {
        while self.phase == Phase::Move {
            self.move_some(store);
        }
        for output in self.outputs.drain(..) {
            let FileName::Segment(number) = output.writer.name() else { continue };
            for name in [FileName::Segment(number), FileName::Hint(number)] {
                // Why: what cannot be removed now is removed at the next open.
                let _left_for_open = store.vfs.remove(&format!("{name}"));
            }
        }
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
        let time_ms = store.time_ms.load(Ordering::Acquire);
        let stamp = Stamp { kind: FrameKind::Footer, seq: self.seq, mark: 0, time_ms };
        self.writer.append(frame.finish(&stamp))?;
        if !store.switches.on(Bug::MergeOutputNotSynced) {
            self.writer.ticket().sync()?;
        }
        let FileName::Segment(number) = self.writer.name() else { return Ok(()) };
        let items = collector.finish(self.writer.end(), time_ms);
        match HintWriter::begin(&*store.vfs, store.seed, number, items) {
            Ok(hint) => self.hint = Some(hint),
            // Why: a hint is advisory.
            Err(error) => store.event(&Event::WorkFailed(error)),
        }
        Ok(())
    }

    fn live(&self, age: u64) -> LiveFile {
        let number = self.writer.name().number().unwrap_or(0);
        let status = Status::Sealed { len: self.writer.end() };
        LiveFile { kind: FileKind::Segment, number, age, status, first_seq: 0, last_seq: 0 }
    }

    /// Makes the file one that the index can point into.
    fn install(&self, store: &Store, age: u64) -> Result<Arc<DataFile>> {
        let (live, file) = (self.live(age), Arc::clone(self.writer.file()));
        let make = |slot| DataFile::new(slot, &live, self.writer.id(), file);
        let file = store.files.add(make)?;
        file.end.store(self.writer.end(), Ordering::Release);
        file.closed.store(true, Ordering::Release);
        file.records.store(self.records, Ordering::Relaxed);
        file.entry_bytes.store(self.entry_bytes, Ordering::Relaxed);
        file.tombstone_bytes.store(self.tombstone_bytes, Ordering::Relaxed);
        Ok(file)
    }
}
