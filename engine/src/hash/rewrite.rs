//! Writes records to new segments that only a new manifest will name: for repair and backup.

use alloc::vec::Vec;

use keelstone_vfs::{SyncMode, Vfs};

use crate::error::{Error, FileName, Result};
use crate::lab::{Bug, Switches};
use crate::log::{LogWriter, corrupt};
use crate::manifest::{Edit, LiveFile, State, Status};
use crate::record::{Entry, EntryKind, FileHeader, FileKind, FrameBuilder, FrameKind, Stamp};

/// Entries gather in frames of about this many bytes.
const FRAME_BYTES: usize = 64 << 10;

/// One segment after another, each about as long as asked for.
pub(super) struct Rewriter<'a> {
    vfs: &'a dyn Vfs,
    seed: u128,
    time_ms: u64,
    segment_bytes: u64,
    output: Option<Output>,
    frame: FrameBuilder,
    building: bool,
    switches: Switches,
}

struct Output {
    writer: LogWriter,
    seq: u64,
    records: u64,
    entry_bytes: u64,
}

impl<'a> Rewriter<'a> {
    pub(super) fn new(vfs: &'a dyn Vfs, seed: u128, time_ms: u64, segment_bytes: u64) -> Self {
        let (output, frame, building) = (None, FrameBuilder::default(), false);
        let switches = Switches::default();
        Self { vfs, seed, time_ms, segment_bytes, output, frame, building, switches }
    }

    /// The same, with the mistakes that are switched on.
    pub(super) const fn with_switches(mut self, switches: Switches) -> Self {
        self.switches = switches;
        self
    }

    /// Adds one record; no other of its key may follow.
    pub(super) fn push(&mut self, state: &mut State, entry: &Entry<'_>) -> Result<()> {
        let full = |output: &Output| output.writer.end() >= self.segment_bytes;
        if !self.building && self.output.as_ref().is_some_and(full) {
            self.finish(state)?;
        }
        if self.output.is_none() {
            self.begin(state)?;
        }
        let output = self.output.as_mut().ok_or(Error::Closed)?;
        if !self.building {
            self.frame.begin(output.writer.id(), output.writer.end());
            self.building = true;
        }
        let placed = self.frame.push_raw(entry.raw)?;
        output.records += 1;
        output.entry_bytes += u64::from(placed.len);
        if self.frame.len() >= FRAME_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn begin(&mut self, state: &mut State) -> Result<()> {
        let number = state.take_number()?;
        let (kind, seed, age) = (FileKind::Segment, self.seed, number);
        let header = FileHeader { kind, number, seed, age, first_seq: 0 };
        let writer = LogWriter::create(self.vfs, FileName::Segment(number), &header, 0)?;
        self.output = Some(Output { writer, seq: 1, records: 0, entry_bytes: 0 });
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let Some(output) = self.output.as_mut().filter(|_| self.building) else { return Ok(()) };
        let (kind, seq, time_ms) = (FrameKind::Carried, output.seq, self.time_ms);
        output.seq += u64::from(self.frame.count());
        output.writer.append(self.frame.finish(&Stamp { kind, seq, mark: 0, time_ms }))?;
        self.building = false;
        Ok(())
    }

    /// Closes the last segment; every one is durable then, but for its name.
    pub(super) fn finish(&mut self, state: &mut State) -> Result<()> {
        self.flush()?;
        let Some(mut output) = self.output.take() else { return Ok(()) };
        let mut payload = Vec::new();
        payload.extend_from_slice(&output.records.to_le_bytes());
        payload.extend_from_slice(&output.entry_bytes.to_le_bytes());
        self.frame.begin(output.writer.id(), output.writer.end());
        self.frame.push(EntryKind::Plain, &[], &payload, 0)?;
        let (kind, seq, time_ms) = (FrameKind::Footer, output.seq, self.time_ms);
        output.writer.append(self.frame.finish(&Stamp { kind, seq, mark: 0, time_ms }))?;
        if !self.switches.on(Bug::BackupNotSynced) {
            output.writer.file().sync(SyncMode::All)?;
        }
        let name = output.writer.name();
        let number = name.number().unwrap_or(0);
        let status = Status::Sealed { len: output.writer.end() };
        let (kind, age, first_seq, last_seq) = (FileKind::Segment, number, 0, 0);
        let live = LiveFile { kind, number, age, status, first_seq, last_seq };
        state.apply(&Edit::File(live)).map_err(|what| corrupt(name, 0, 0, what))
    }
}
