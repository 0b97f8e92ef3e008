//! Recovery of the logs: finds the last write of the longest prefix, then closes what was cut.
//!
//! Called by the layouts at open. Reading comes first: nothing is changed before everything was read and judged;
//! `settle_logs` then makes it durable. A defect is a torn tail only if no mark says that more was durable; else it is
//! damage, and open fails.

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use keelstone_vfs::{Access, File, Kind, SyncMode, Vfs};

use super::write::{Active, Writer};
use super::{Journal, LogFile};
use crate::codec::FileId;
use crate::error::{Damage, Error, FileName, Result};
use crate::event::Event;
use crate::lab::{Bug, Switches};
use crate::log::{FrameReader, LogWriter, Rest, Step, corrupt, read_file_header, search_rest};
use crate::manifest::{Edit, LiveFile, Loaded, State, Status};
use crate::record::{Entries, FrameKind, Header};

/// What recovery found out, for `settle_files`.
pub(crate) struct Plan {
    pub(crate) next_seq: u64,
    pub(crate) time_ms: u64,
    pub(crate) tails: Vec<Tail>,
}

/// A log that the manifest does not call closed.
pub(crate) struct Tail {
    pub(crate) live: LiveFile,
    pub(crate) file: Arc<dyn File>,
    fate: Fate,
    pub(crate) end: u64,
    last_seq: u64,
    /// Bytes behind the end that are given up.
    pub(crate) rest: u64,
    /// What is wrong at the end, if more had to follow.
    what: Damage,
}

impl Tail {
    /// Whether bytes at the end are given up.
    pub(crate) fn is_torn(&self) -> bool {
        self.fate == Fate::Remove || (self.fate == Fate::End && self.rest > 0)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It ends clean: writes go on in it.
    Continue,
    /// It has its footer.
    Seal,
    /// Its tail is torn, or it lacks its footer.
    End,
    /// It lies behind a cut: nothing of it was ever acknowledged.
    Remove,
}

/// What reading needs to know of a store that is not open.
#[derive(Clone, Copy)]
pub(crate) struct Disk<'a> {
    pub(crate) vfs: &'a dyn Vfs,
    pub(crate) seed: u128,
    pub(crate) access: Access,
    /// The mistakes that a test makes on purpose.
    pub(crate) switches: Switches,
    /// Whether the layout has range tombstones.
    pub(crate) ranges: bool,
}

impl Disk<'_> {
    /// Whether checksums are looked at: always, but for a mistake on purpose.
    pub(crate) fn checks(&self) -> bool {
        !self.switches.on(Bug::ChecksumIgnored)
    }

    /// Whether a batch of this layout may have these entries.
    pub(crate) fn may_hold(&self, entries: &Entries<'_>) -> bool {
        if self.ranges { entries.are_writes() } else { entries.are_records() }
    }

    /// Whether a log or segment of this layout may have this frame.
    pub(crate) fn is_ours(&self, header: &Header, entries: &Entries<'_>) -> bool {
        match header.stamp.kind {
            FrameKind::Batch => self.may_hold(entries),
            FrameKind::Carried => !self.ranges && entries.are_records(),
            FrameKind::Footer => true,
            FrameKind::Edit | FrameKind::Hint => false,
        }
    }
}

/// Opens a file that the manifest names and checks that it is that file.
pub(crate) fn open_live(disk: Disk<'_>, live: &LiveFile) -> Result<Arc<dyn File>> {
    let name = live.name();
    let opened = disk.vfs.open(&name.to_string(), disk.access);
    let file = opened.map_err(|error| match error.kind {
        Kind::NotFound => corrupt(name, 0, 0, Damage::Missing),
        _ => Error::from(error),
    })?;
    let header = read_file_header(&*file, name)?;
    let found = (header.kind, header.number, header.seed, header.age);
    if found != (live.kind, live.number, disk.seed, live.age) {
        return Err(corrupt(name, 0, 64, Damage::Identity));
    }
    Ok(Arc::from(file))
}

/// Walks the logs that are not closed, in order, and finds where the prefix ends.
pub(crate) fn read_tails(disk: Disk<'_>, state: &State) -> Result<Plan> {
    let begun = |file: &&LiveFile| file.status == Status::Begun;
    let logs: Vec<LiveFile> = state.files.iter().filter(begun).copied().collect();
    let closed = state.files.iter().map(|file| file.last_seq).max().unwrap_or(0);
    let mut plan = Plan { next_seq: state.mark_seq.max(closed) + 1, time_ms: 0, tails: Vec::new() };
    let mut cut: Option<(Error, u64)> = None;
    let mut mark = state.mark_seq;
    for (at, live) in logs.iter().enumerate() {
        let next_first = logs.get(at + 1).map(|next| next.first_seq);
        let file = open_live(disk, live)?;
        if cut.is_some() {
            mark = mark.max(marks_in(disk, live, &*file)?);
            let (fate, end, last_seq, live) = (Fate::Remove, 64, live.first_seq - 1, *live);
            let (rest, what) = (0, Damage::Gap);
            plan.tails.push(Tail { live, file, fate, end, last_seq, rest, what });
            continue;
        }
        let tail = walk_tail(disk, live, &file, next_first, &mut mark, &mut plan.time_ms)?;
        let (end, last_seq) = (tail.end, tail.last_seq);
        let error = corrupt(live.name(), end, tail.rest, tail.what);
        let gap = next_first.is_some_and(|first| first != last_seq + 1);
        plan.next_seq = last_seq + 1;
        plan.tails.push(tail);
        let gap = gap && !disk.switches.on(Bug::HoleIgnored);
        if gap || next_first.is_none() {
            cut = Some((error, last_seq));
        }
    }
    if let Some((error, last_seq)) = cut
        && mark > last_seq
        && !disk.switches.on(Bug::MarkIgnored)
    {
        // Why: some frame, or the manifest, knew that more than this was durable.
        return Err(error);
    }
    Ok(plan)
}

/// The marks in a log that lies behind a cut.
fn marks_in(disk: Disk<'_>, live: &LiveFile, file: &dyn File) -> Result<u64> {
    let id = FileId::new(disk.seed, live.number);
    Ok(search_rest(file, live.name(), id, 64, file.len()?)?.mark)
}

/// Reads one log to its last good frame and decides what becomes of it.
fn walk_tail(
    disk: Disk<'_>,
    live: &LiveFile,
    file: &Arc<dyn File>,
    next_first: Option<u64>,
    mark: &mut u64,
    time_ms: &mut u64,
) -> Result<Tail> {
    let (name, id, len) = (live.name(), FileId::new(disk.seed, live.number), file.len()?);
    let mut reader = FrameReader::new(&**file, id, len).check(disk.checks());
    let (mut last_seq, mut sealed) = (live.first_seq - 1, false);
    let (end, what) = loop {
        match reader.next()? {
            Step::Frame { header, offset, entries } => {
                // Why: under right checksums this is no torn tail, whatever was durable.
                if header.stamp.kind == FrameKind::Batch && !disk.may_hold(&entries) {
                    return Err(corrupt(name, offset, header.frame_len(), Damage::Kind));
                }
                let follows = header.stamp.seq == last_seq + 1 && !sealed;
                let right = matches!(header.stamp.kind, FrameKind::Batch | FrameKind::Footer);
                if !follows || !right {
                    return Err(corrupt(name, offset, header.frame_len(), Damage::Gap));
                }
                *mark = (*mark).max(header.stamp.mark);
                *time_ms = (*time_ms).max(header.stamp.time_ms);
                if header.stamp.kind == FrameKind::Footer {
                    sealed = true;
                } else {
                    last_seq = header.last_seq();
                }
            }
            Step::End { offset } => break (offset, Damage::Gap),
            Step::Defect { offset, bytes, what: what @ Damage::Short }
                if disk.switches.on(Bug::ShortTailFatal) =>
            {
                return Err(corrupt(name, offset, bytes, what));
            }
            Step::Defect { offset, what, .. } => break (offset, what),
        }
    };
    let Rest { mark: later, bytes: rest, .. } = search_rest(&**file, name, id, end, len)?;
    *mark = (*mark).max(later);
    if what == Damage::Gap && rest > 0 && disk.switches.on(Bug::HoleFatal) {
        return Err(corrupt(name, end, rest, what));
    }
    let fate = match (sealed, next_first, rest) {
        (true, _, _) => Fate::Seal,
        (false, None, 0) => Fate::Continue,
        _ => Fate::End,
    };
    Ok(Tail { live: *live, file: Arc::clone(file), fate, end, last_seq, rest, what })
}

/// A log that the manifest does not know, with frames in it and a number that was never given: the edit that began it was
/// durable before the first frame, so the manifest has lost it.
pub(crate) fn check_orphans(disk: Disk<'_>, loaded: &Loaded) -> Result<()> {
    if disk.switches.on(Bug::LostLogIgnored) {
        return Ok(());
    }
    for name in disk.vfs.list("")? {
        let Some(FileName::Log(number)) = FileName::parse(&name) else { continue };
        if number < loaded.state.next_file {
            continue;
        }
        let file = disk.vfs.open(&name, Access::Read)?;
        let id = FileId::new(disk.seed, number);
        let rest = search_rest(&*file, FileName::Log(number), id, 0, file.len()?)?;
        if rest.header {
            let (name, len) = (FileName::Manifest(loaded.number), loaded.len - loaded.end);
            return Err(corrupt(name, loaded.end, len, Damage::Gap));
        }
    }
    Ok(())
}

/// Opens every log and segment that stays, as far as the plan says that it is good.
pub(crate) fn open_files(
    disk: Disk<'_>,
    loaded: &Loaded,
    plan: &Plan,
) -> Result<Vec<Arc<LogFile>>> {
    let mut files = Vec::new();
    for live in &loaded.state.files {
        let tail = plan.tails.iter().find(|tail| tail.live.number == live.number);
        let (file, end) = match (tail, live.status) {
            (Some(tail), _) if tail.fate == Fate::Remove => continue,
            (Some(tail), _) => (Arc::clone(&tail.file), tail.end),
            (None, Status::Sealed { len: end } | Status::Ended { offset: end }) => {
                (open_live(disk, live)?, end)
            }
            (None, Status::Begun) => continue,
        };
        let log = LogFile::new(live, FileId::new(disk.seed, live.number), file);
        let last_seq = tail.map_or(live.last_seq, |tail| tail.last_seq);
        log.end.store(end, Ordering::Release);
        log.last_seq.store(last_seq, Ordering::Release);
        log.closed.store(tail.is_none(), Ordering::Release);
        files.push(Arc::new(log));
    }
    Ok(files)
}

impl Journal {
    /// Makes the logs durable as they were read, closes those that were cut, and goes on in the last one.
    pub(crate) fn settle_logs(
        &self,
        writer: &mut Writer,
        plan: &Plan,
        files: &[Arc<LogFile>],
    ) -> Result<()> {
        let left_out = |bug| self.switches.on(Bug::RecoveryNotSynced) || self.switches.on(bug);
        if !left_out(Bug::NamesNotSyncedAgain) {
            let synced = crate::manifest::sync_root(&*self.vfs, self.switches);
            synced.map_err(|fault| self.settle(fault))?;
        }
        let logs = plan.tails.iter().filter(|tail| tail.fate != Fate::Remove);
        for tail in logs.filter(|_| !left_out(Bug::LogsNotSyncedAgain)) {
            // Crash: nothing was acknowledged since the open; the next recovery reads the same or less.
            let synced = tail.file.sync(SyncMode::All);
            synced.map_err(|error| self.settle(crate::manifest::Fault::Sync(error.into())))?;
        }
        let edits: Vec<Edit> = plan.tails.iter().filter_map(|tail| self.edit_for(tail)).collect();
        if !edits.is_empty() {
            let manifest = writer.manifest.as_mut().ok_or(Error::Closed)?;
            // Crash: before the edit the next recovery cuts the same bytes; after it nobody looks at them.
            if let Err(fault) = manifest.commit(&edits) {
                let error = self.settle(fault);
                if error != Error::OutOfSpace {
                    return Err(error);
                }
                // Why: the reserve is gone now, and a full disk is a state to open in.
                manifest.commit(&edits).map_err(|fault| self.settle(fault))?;
            }
        }
        for tail in &plan.tails {
            if let Some(file) = files.iter().find(|file| file.number == tail.live.number) {
                self.settle_tail(writer, tail, file)?;
            }
        }
        Ok(())
    }

    fn edit_for(&self, tail: &Tail) -> Option<Edit> {
        let (number, offset, last_seq) = (tail.live.number, tail.end, tail.last_seq);
        match tail.fate {
            Fate::Continue => None,
            // Why: no closed file may stand behind one that is not; the hint follows later.
            Fate::Seal => Some(Edit::Sealed { number, len: offset, last_seq }),
            Fate::End if self.switches.on(Bug::AppendAfterTorn) => None,
            Fate::End => {
                let (file, bytes, sequence) = (tail.live.name(), tail.rest, last_seq);
                self.event(&Event::Cut { file, offset, bytes, sequence });
                let late = self.switches.on(Bug::EndedTooLate);
                let offset = if late { offset + bytes } else { offset };
                Some(Edit::Ended { number, offset, last_seq })
            }
            Fate::Remove if self.switches.on(Bug::CutLogsKept) => None,
            Fate::Remove => {
                let (file, bytes, sequence) = (tail.live.name(), tail.rest, last_seq);
                self.event(&Event::Cut { file, offset, bytes, sequence });
                Some(Edit::Removed { number })
            }
        }
    }

    fn settle_tail(&self, writer: &mut Writer, tail: &Tail, file: &Arc<LogFile>) -> Result<()> {
        let (name, id) = (file.name, file.id);
        match tail.fate {
            Fate::Seal => writer.to_seal.push(Arc::clone(file)),
            Fate::End if !self.switches.on(Bug::AppendAfterTorn) => {
                file.closed.store(true, Ordering::Release);
            }
            Fate::Continue | Fate::End => {
                let ahead = self.options.segment_bytes;
                let (len, handle) = (tail.file.len()?, Arc::clone(&tail.file));
                let log = LogWriter::resume(handle, name, id, tail.end, len, ahead);
                writer.active = Some(Active { log, file: Arc::clone(file) });
            }
            Fate::Remove => {}
        }
        Ok(())
    }
}
