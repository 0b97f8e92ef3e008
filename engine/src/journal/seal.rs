//! Beginning, sealing and ending logs.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use super::write::{Active, Unsynced, Writer};
use super::{Journal, LogFile, State};
use crate::error::{Error, FileName, Result};
use crate::event::Event;
use crate::lab::Bug;
use crate::log::LogWriter;
use crate::manifest::{Edit, Fault, LiveFile, Status, sync_root};
use crate::record::{EntryKind, FILE_HEADER_BYTES, FileHeader, FileKind, FrameKind, Stamp};

/// A clean close seals the log only if replaying it would take longer than this, in microseconds.
const REPLAY_US_MAX: u64 = 50_000;

impl Journal {
    /// Makes sure that there is a log with room for `bytes`.
    pub(crate) fn make_room(&self, writer: &mut Writer, bytes: u64) -> Result<()> {
        if writer.broken {
            return self.end_broken(writer);
        }
        let Some(active) = &writer.active else {
            return self.begin_log(writer, &[]).map_err(|fault| self.settle(fault));
        };
        let empty = active.log.end() == FILE_HEADER_BYTES as u64;
        if empty || active.log.end() + bytes <= self.options.segment_bytes {
            return Ok(());
        }
        self.rotate(writer)
    }

    /// Seals the active log and begins another.
    pub(crate) fn rotate(&self, writer: &mut Writer) -> Result<()> {
        if writer.broken {
            // Why no footer: behind a failed write nothing is written any more.
            return self.end_broken(writer);
        }
        self.seal_active(writer)?;
        self.begin_log(writer, &[]).map_err(|fault| self.settle(fault))
    }

    /// Writes the footer of the active log; its bytes become durable with the next sync.
    pub(crate) fn seal_active(&self, writer: &mut Writer) -> Result<()> {
        let time_ms = self.now_ms();
        let Writer { active, frame, next_seq, .. } = writer;
        let Some(active) = active else { return Ok(()) };
        frame.begin(active.log.id(), active.log.end());
        let mut payload = Vec::new();
        for total in [&active.file.records, &active.file.entry_bytes] {
            payload.extend_from_slice(&total.load(Ordering::Relaxed).to_le_bytes());
        }
        frame.push(EntryKind::Plain, &[], &payload, 0)?;
        let mark = self.durable_seq.load(Ordering::Acquire);
        let stamp = Stamp { kind: FrameKind::Footer, seq: *next_seq, mark, time_ms };
        // Crash: a torn footer is a torn tail behind whole frames.
        let appended = active.log.append(frame.finish(&stamp)).and_then(|_| active.log.trim());
        if let Err(error) = appended {
            // Why: a log without a footer is ended instead, with the next write.
            writer.broken = !self.switches.on(Bug::SealedAgain);
            return Err(self.settle(Fault::Write(error)));
        }
        active.file.end.store(active.log.end(), Ordering::Release);
        self.hand_over(writer);
        Ok(())
    }

    /// The active log takes no more writes: it waits for its sync, then for its hint and its place in the manifest.
    fn hand_over(&self, writer: &mut Writer) {
        let Some(active) = writer.active.take() else { return };
        self.event(&Event::Sealed { file: active.file.name, bytes: active.log.end() });
        self.counters.rotations.fetch_add(1, Ordering::Relaxed);
        writer
            .unsynced
            .push(Unsynced { ticket: active.log.ticket(), file: Arc::clone(&active.file) });
        writer.to_seal.push(active.file);
    }

    /// Creates a log and names it in the manifest, together with `edits`; nothing is written to it before that.
    pub(crate) fn begin_log(
        &self,
        writer: &mut Writer,
        edits: &[Edit],
    ) -> core::result::Result<(), Fault> {
        let first_seq = writer.next_seq;
        let manifest = writer.manifest.as_mut().ok_or(Fault::Write(Error::Closed))?;
        let number = manifest.take_number().map_err(Fault::Write)?;
        let (kind, age, seed) = (FileKind::Log, number, self.seed);
        let header = FileHeader { kind, number, seed, age, first_seq };
        let ahead = self.options.segment_bytes;
        // Crash: a file that nothing names and that holds no frame; the next open removes it.
        let mut log = LogWriter::create(&*self.vfs, FileName::Log(number), &header, ahead)
            .map_err(Fault::Write)?;
        let ticket = log.ticket();
        ticket.sync().map_err(Fault::Sync)?;
        log.synced(&ticket);
        if !self.switches.on(Bug::LogNameNotSynced) {
            sync_root(&*self.vfs, self.switches)?;
        }
        let mut all = Vec::from(edits);
        all.push(Edit::Begin { number, first_seq });
        // Crash: before the edit is durable no frame is in the file, so nothing is lost with it.
        manifest.commit(&all)?;
        let (status, last_seq) = (Status::Begun, first_seq - 1);
        let live = LiveFile { kind, number, age, status, first_seq, last_seq };
        let file = Arc::clone(log.file());
        let file = Arc::new(LogFile::new(&live, log.id(), file));
        file.end.store(log.end(), Ordering::Release);
        (writer.active, writer.broken) = (Some(Active { log, file }), false);
        Ok(())
    }

    /// After a failed write: closes the log at its last good frame and begins another, in one edit.
    pub(super) fn end_broken(&self, writer: &mut Writer) -> Result<()> {
        let last_seq = writer.next_seq - 1;
        let Some(active) = &writer.active else {
            return self.begin_log(writer, &[]).map_err(|fault| self.settle(fault));
        };
        let (file, offset, ticket) =
            (Arc::clone(&active.file), active.log.end(), active.log.ticket());
        // Why: the edit says that everything before the offset is durable, here and in older logs.
        if !self.switches.on(Bug::EndedNotSynced) {
            for older in &writer.unsynced {
                older.ticket.sync().map_err(|error| self.settle(Fault::Sync(error)))?;
            }
            ticket.sync().map_err(|error| self.settle(Fault::Sync(error)))?;
        }
        let mut edits = sealed_edits(writer);
        edits.push(Edit::Ended { number: file.number, offset, last_seq });
        // Crash: before the edit the torn frame is cut at recovery; after it, nobody looks there again.
        let begun = self.begin_log(writer, &edits);
        begun.map_err(|fault| self.settle(fault))?;
        if self.durable_sync {
            self.durable_seq.fetch_max(last_seq, Ordering::AcqRel);
        }
        file.end.store(offset, Ordering::Release);
        file.closed.store(true, Ordering::Release);
        self.event(&Event::Ended { file: file.name, offset });
        Ok(())
    }

    /// Whether replaying the active log would take longer than a close may leave to the next open.
    pub(crate) fn is_slow_to_replay(writer: &Writer) -> bool {
        !writer.broken && replay_us(writer) > REPLAY_US_MAX
    }

    /// Makes every write durable, before the mark of a clean close says so.
    pub(crate) fn sync_for_close(&self) -> Result<()> {
        if self.switches.on(Bug::ClosedTooEarly) {
            self.mark_clean(&mut self.writer.lock())?;
        }
        let syncs = self.durable_sync || self.state() == State::Healthy;
        if syncs && !self.switches.on(Bug::CloseNotSynced) {
            self.sync_through(self.sequence())?;
        }
        Ok(())
    }

    /// Writes the mark of a clean close, after everything was synced.
    pub(crate) fn mark_clean(&self, writer: &mut Writer) -> Result<()> {
        let (seq, time_ms) = (writer.next_seq - 1, self.time_ms());
        let manifest = writer.manifest.as_mut().ok_or(Error::Closed)?;
        let marked = manifest.state().mark_seq >= seq;
        if marked || !self.durable_sync {
            return Ok(());
        }
        // Crash: without the mark the tail of the log counts as torn where it is damaged, as after any crash.
        manifest.commit(&[Edit::Mark { seq, time_ms }]).map_err(|fault| self.settle(fault))
    }
}

/// The edits that call every log before the active one sealed: no closed file may stand behind one that is not.
pub(super) fn sealed_edits(writer: &Writer) -> Vec<Edit> {
    let open = writer.to_seal.iter().filter(|file| !file.is_closed());
    let edit = |file: &Arc<LogFile>| Edit::Sealed {
        number: file.number,
        len: file.end(),
        last_seq: file.last_seq(),
    };
    open.map(edit).collect()
}

/// How long reading the active log again would take, roughly: measured 2 ns a byte and 200 ns a record.
fn replay_us(writer: &Writer) -> u64 {
    let Some(active) = &writer.active else { return 0 };
    let records = active.file.records.load(Ordering::Relaxed);
    (active.log.end() * 2 + records * 200) / 1000
}
