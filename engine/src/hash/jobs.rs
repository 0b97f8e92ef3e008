//! Background work as values: which job is due, and who runs it.
//!
//! A job is taken, run in bounded steps, and given back. Native workers do that on threads of their own, a store without
//! workers does it within its writes, a test does it in the order it likes. One job of each kind runs at a time.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use keelstone_vfs::Kind;

use super::files::DataFile;
use super::frames::next_ours;
use super::merge::Merge;
use super::{Store, hint};
use crate::codec::KeyHasher;
use crate::error::{Error, FileName, Result};
use crate::event::Event;
use crate::journal::{self, Journal, LogFile, Works};
use crate::lab::Bug;
use crate::limits::STEP_BYTES;
use crate::log::FrameReader;
use crate::manifest::Edit;
use crate::record::{FILE_HEADER_BYTES, FrameKind};

/// Hint blocks that one step writes: 64 KiB each.
const STEP_BLOCKS: usize = 16;
/// Bytes of writes for which a store without workers does one step of work.
const PACE_BYTES: u64 = 256 << 10;

/// A file that a merge has replaced.
struct Retired {
    file: Arc<DataFile>,
    /// Snapshots with a lower id may still read it.
    before: u64,
}

/// Which jobs run, and what waits for one.
#[derive(Default)]
pub(super) struct Jobs {
    sealing: bool,
    merging: bool,
    removing: bool,
    retired: Vec<Retired>,
    /// Jobs that were given back before they were finished.
    parked: Vec<Work>,
    /// After a failure no merge begins before this many bytes were written.
    pause_bytes: u64,
}

/// One piece of background work.
pub(crate) type Job = journal::Job<Store>;

/// What a job does.
pub(crate) enum Work {
    Seal(Box<Seal>),
    Merge(Box<Merge>),
    Remove,
}

impl Works for Store {
    type Work = Work;

    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn step_work(&self, work: &mut Work) -> Result<bool> {
        match work {
            Work::Seal(seal) => seal.step(self),
            Work::Merge(merge) => merge.step(self),
            Work::Remove => self.remove_one(),
        }
    }

    fn park_work(&self, work: Work) {
        self.jobs.lock().parked.push(work);
    }

    fn end_work(&self, work: Work) {
        match work {
            Work::Seal(_) => self.jobs.lock().sealing = false,
            Work::Merge(mut merge) => {
                merge.abandon(self);
                self.jobs.lock().merging = false;
            }
            Work::Remove => self.jobs.lock().removing = false,
        }
    }
}

impl Store {
    /// A job that is due, if there is one.
    pub(crate) fn take_job(self: &Arc<Self>) -> Option<Job> {
        if !self.journal.is_working() {
            return None;
        }
        let mut jobs = self.jobs.lock();
        if let Some(job) = jobs.parked.pop() {
            return Some(Job::new(self, job));
        }
        let work = self.next_seal(&mut jobs).map(Work::Seal);
        // Why: removing is quick and gives space back; behind merges it would wait for ever where writes never pause.
        let work = work.or_else(|| self.next_removal(&mut jobs));
        let work = work.or_else(|| self.next_merge(&mut jobs).map(Work::Merge))?;
        Some(Job::new(self, work))
    }

    fn next_seal(&self, jobs: &mut Jobs) -> Option<Box<Seal>> {
        if jobs.sealing {
            return None;
        }
        let writer = self.journal.writer.lock();
        let first = writer.to_seal.first()?;
        jobs.sealing = true;
        Some(Box::new(Seal::new(Arc::clone(first), self.hasher)))
    }

    fn next_merge(&self, jobs: &mut Jobs) -> Option<Box<Merge>> {
        if jobs.merging || jobs.pause_bytes > 0 {
            return None;
        }
        let merge = self.choose_merge()?;
        jobs.merging = true;
        Some(Box::new(merge))
    }

    fn next_removal(&self, jobs: &mut Jobs) -> Option<Work> {
        if jobs.removing {
            return None;
        }
        jobs.removing = self.has_free(jobs);
        jobs.removing.then_some(Work::Remove)
    }

    /// Whether there is a file that no snapshot may read any more.
    fn has_free(&self, jobs: &Jobs) -> bool {
        jobs.retired.iter().any(|retired| self.is_free(retired))
    }

    fn is_free(&self, retired: &Retired) -> bool {
        !self.snapshots.any_below(retired.before)
    }

    /// Whether a sync or a job is due.
    pub(crate) fn due(&self, now_ms: u64) -> bool {
        self.journal.check_writable().is_ok()
            && (self.journal.sync_due(&self.journal.writer.lock(), now_ms) || self.job_due())
    }

    /// Whether a job is due.
    fn job_due(&self) -> bool {
        if !self.journal.is_working() {
            return false;
        }
        let jobs = self.jobs.lock();
        let seal = !jobs.sealing && !self.journal.writer.lock().to_seal.is_empty();
        let removal = !jobs.removing && self.has_free(&jobs);
        let merge = !jobs.merging && jobs.pause_bytes == 0;
        !jobs.parked.is_empty() || seal || removal || (merge && self.choose_merge().is_some())
    }

    /// One step of whatever is due; `true` while more is due.
    pub(crate) fn work(self: &Arc<Self>) -> Result<bool> {
        self.journal.check_writable()?;
        self.journal.sync_if_due()?;
        let Some(mut job) = self.take_job() else { return Ok(false) };
        let stepped = job.step();
        job.give_back();
        if let Err(error) = stepped {
            self.work_failed(error);
            return Err(error);
        }
        Ok(true)
    }

    /// Bytes that are written between two steps within a write.
    pub(super) fn pace(&self) -> u64 {
        PACE_BYTES.min(self.journal.options.segment_bytes / 16).max(1)
    }

    /// Within a write: a step for every piece of data written, so that no store grows without end.
    pub(super) fn work_inline(self: &Arc<Self>) {
        {
            let mut writer = self.journal.writer.lock();
            if writer.since_step < self.pace() {
                return;
            }
            let written = core::mem::take(&mut writer.since_step);
            drop(writer);
            let mut jobs = self.jobs.lock();
            jobs.pause_bytes = jobs.pause_bytes.saturating_sub(written);
        }
        // Why: the write itself is done; what work could not do is told to the observer and tried again later.
        let _told = self.work();
    }

    /// After a failure, merges wait until a quarter of a segment was written.
    pub(super) fn work_failed(&self, error: Error) {
        self.journal.event(&Event::WorkFailed(error));
        self.jobs.lock().pause_bytes = (self.journal.options.segment_bytes / 4).max(1);
    }

    /// Lets merges begin at once again.
    pub(super) fn end_pause(&self) {
        self.jobs.lock().pause_bytes = 0;
    }

    /// Gives up what was begun: at close.
    pub(super) fn drop_jobs(&self) {
        let parked = core::mem::take(&mut self.jobs.lock().parked);
        for work in parked {
            self.end_work(work);
        }
    }

    pub(super) fn retire(&self, file: Arc<DataFile>) {
        let before = self.snapshots.next_id();
        self.jobs.lock().retired.push(Retired { file, before });
    }

    /// Removes one file that nobody needs any more; `false` when none is left.
    fn remove_one(&self) -> Result<bool> {
        // Why held to the end: who comes second, and finds nothing left, may say that the files are gone.
        let _step = self.removing.lock();
        let mut jobs = self.jobs.lock();
        let Some(at) = jobs.retired.iter().rposition(|retired| self.is_free(retired)) else {
            return Ok(false);
        };
        let retired = jobs.retired.remove(at);
        drop(jobs);
        if let Err(error) = self.remove_files(&retired.file) {
            self.jobs.lock().retired.push(retired);
            return Err(error);
        }
        Ok(self.has_free(&self.jobs.lock()))
    }

    /// Removes a log and its hint.
    fn remove_files(&self, file: &DataFile) -> Result<()> {
        for name in [file.log.name, FileName::Hint(file.log.number)] {
            // Crash: the manifest does not name the file any more; the next open removes it.
            match self.journal.vfs.remove(&format!("{name}")) {
                Ok(()) => self.journal.event(&Event::Removed { file: name }),
                Err(error) if error.kind == Kind::NotFound => {
                    if self.journal.switches.on(Bug::InputsRemovedEarly) && name == file.log.name {
                        self.journal.event(&Event::Removed { file: name });
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.files.remove(file.slot);
        Ok(())
    }

    /// Merges until nothing dead is left but what open snapshots may want.
    pub(crate) fn compact(self: &Arc<Self>) -> Result<()> {
        self.journal.check_writable()?;
        self.end_pause();
        while self.work()? {}
        self.rotate_dead_log()?;
        self.finish_seals()?;
        if let Some(work) = self.take_full_merge() {
            let mut job = Job::new(self, work);
            while job.step()? {}
        }
        while self.work()? {}
        // Why beside the job: another thread may have that in hand.
        while self.remove_one()? {}
        Ok(())
    }

    /// Seals the active log if there is something dead in it.
    fn rotate_dead_log(&self) -> Result<()> {
        let mut writer = self.journal.writer.lock();
        let Some(active) = &writer.active else { return Ok(()) };
        let number = active.file.number;
        let live = self.files.live();
        let Some(file) = live.iter().find(|file| file.log.number == number) else {
            return Ok(());
        };
        let load = |counter: &core::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let entries = load(&file.log.entry_bytes);
        let horizon = self.dead_horizon();
        let expired = horizon > 0 && self.expiries.expired_bytes(horizon, file.slot) > 0;
        if entries != load(&file.live_bytes) || expired {
            self.journal.rotate(&mut writer)?;
            self.active_file(&writer, &mut self.hand.lock())?;
        }
        Ok(())
    }

    fn take_full_merge(&self) -> Option<Work> {
        loop {
            let mut jobs = self.jobs.lock();
            if !jobs.merging {
                let merge = self.full_merge()?;
                jobs.merging = true;
                return Some(Work::Merge(Box::new(merge)));
            }
            drop(jobs);
            // Why: another thread runs a merge step by step and will end; there is nothing to wait on without std.
            core::hint::spin_loop();
        }
    }

    /// Seals every log that waits for it, here and now: at close and before a full merge.
    pub(super) fn finish_seals(&self) -> Result<()> {
        loop {
            let Some(mut seal) = self.next_seal(&mut self.jobs.lock()) else { return Ok(()) };
            let mut stepped = Ok(true);
            while let Ok(true) = stepped {
                stepped = seal.step(self);
            }
            self.jobs.lock().sealing = false;
            stepped?;
        }
    }
}

/// Reads a log that takes no more writes, writes its hint, and has the manifest call it sealed.
pub(crate) struct Seal {
    file: Arc<LogFile>,
    hasher: KeyHasher,
    state: SealState,
    time_ms: u64,
}

enum SealState {
    /// Reading records from this offset on.
    Reading(u64, hint::Collector),
    Writing(hint::HintWriter),
    Installing,
}

impl Seal {
    fn new(file: Arc<LogFile>, hasher: KeyHasher) -> Self {
        let state = SealState::Reading(FILE_HEADER_BYTES as u64, hint::Collector::default());
        Self { file, hasher, state, time_ms: 0 }
    }

    fn step(&mut self, store: &Store) -> Result<bool> {
        match &mut self.state {
            SealState::Reading(offset, collector) => {
                if *offset == FILE_HEADER_BYTES as u64
                    && !store.journal.switches.on(Bug::SealedNotSynced)
                {
                    store.journal.sync_sealed(&self.file)?;
                }
                let (hasher, time) = (self.hasher, &mut self.time_ms);
                let done = collect(&self.file, offset, collector, hasher, time)?;
                if done {
                    let items = core::mem::take(collector).finish(self.file.end(), self.time_ms);
                    let number = self.file.number;
                    let writer = hint::HintWriter::begin(
                        &*store.journal.vfs,
                        store.journal.seed,
                        number,
                        items,
                    );
                    self.state = or_install(store, writer.map(SealState::Writing));
                }
                Ok(true)
            }
            SealState::Writing(writer) => {
                match writer.step(STEP_BLOCKS) {
                    Ok(true) => {}
                    Ok(false) => self.state = SealState::Installing,
                    Err(error) => self.state = or_install(store, Err(error)),
                }
                Ok(true)
            }
            SealState::Installing => {
                self.install(store)?;
                Ok(false)
            }
        }
    }

    fn install(&mut self, store: &Store) -> Result<()> {
        let (number, len, last_seq) = (self.file.number, self.file.end(), self.file.last_seq());
        let mut writer = store.journal.writer.lock();
        let manifest = writer.manifest.as_mut().ok_or(Error::Closed)?;
        // Crash: before the edit the log is read again at open; after it, any defect in it is damage.
        let edit = Edit::Sealed { number, len, last_seq };
        manifest.commit(&[edit]).map_err(|fault| store.journal.settle(fault))?;
        self.file.closed.store(true, Ordering::Release);
        writer.to_seal.retain(|file| file.number != number);
        Ok(())
    }
}

/// A hint that cannot be written is no reason to leave the log unsealed.
fn or_install(store: &Store, next: Result<SealState>) -> SealState {
    next.unwrap_or_else(|error| {
        store.journal.event(&Event::WorkFailed(error));
        SealState::Installing
    })
}

/// Reads up to one step of records; `true` at the end of the file.
pub(super) fn collect(
    file: &LogFile,
    offset: &mut u64,
    collector: &mut hint::Collector,
    hasher: KeyHasher,
    time_ms: &mut u64,
) -> Result<bool> {
    let (start, end) = (*offset, file.end());
    let mut reader = FrameReader::new(&*file.file, file.id, end).seek(start);
    while reader.offset() < start + STEP_BYTES as u64 {
        let Some((header, entries)) = next_ours(&mut reader, file.name)? else { return Ok(true) };
        *time_ms = (*time_ms).max(header.stamp.time_ms);
        if header.stamp.kind != FrameKind::Footer {
            for entry in entries {
                collector.add(hasher.hash(entry.key), &entry)?;
            }
        }
    }
    *offset = reader.offset();
    Ok(false)
}
