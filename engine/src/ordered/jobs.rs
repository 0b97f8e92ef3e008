//! Background work as values: flush, compaction, removal of files. Whoever likes takes a job, runs its steps and gives it
//! back. One job of each kind runs at a time.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::Kind;

use super::compact::{Compaction, NEWEST_TABLES, Reach};
use super::flush::Flush;
use super::version::TableFile;
use super::{Sealed, Store};
use crate::error::{Error, FileName, Result};
use crate::event::Event;
use crate::journal::{self, Journal, LogFile, Works};

/// Bytes of writes for which a store without workers does work.
const PACE_BYTES: u64 = 128 << 10;
/// Steps that one write does at most.
const STEPS_MAX: usize = 8;

/// A file that nothing needs any more, but perhaps a reader.
pub(super) enum Retired {
    Table(Arc<TableFile>),
    Log(Arc<LogFile>),
}

impl Retired {
    fn is_free(&self) -> bool {
        match self {
            Self::Table(file) => Arc::strong_count(file) == 1,
            Self::Log(file) => Arc::strong_count(file) == 1,
        }
    }

    fn name(&self) -> FileName {
        match self {
            Self::Table(file) => FileName::Table(file.meta.number),
            Self::Log(file) => file.name,
        }
    }
}

/// Which jobs run, and what waits for one.
#[derive(Default)]
pub(super) struct Jobs {
    flushing: bool,
    /// What the compaction that runs may write to.
    pub(super) compacting: Option<Reach>,
    removing: bool,
    retired: Vec<Retired>,
    /// Jobs that were given back before they were finished.
    parked: Vec<Work>,
    /// After a failure no job begins before this many bytes were written.
    pub(super) pause_bytes: u64,
    /// When the limit of bytes a second lets the next step of a compaction begin, in ticks of the clock.
    ready_us: u64,
}

/// One piece of background work.
pub(crate) type Job = journal::Job<Store>;

/// What a job does.
pub(crate) enum Work {
    Flush(Box<Flush>),
    Compact(Box<Compaction>),
    Remove,
}

impl Works for Store {
    type Work = Work;

    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn step_work(&self, work: &mut Work) -> Result<bool> {
        match work {
            Work::Flush(flush) => {
                let _step = self.flushing.lock();
                flush.step(self)
            }
            Work::Compact(compaction) => {
                let _step = self.compacting.lock();
                compaction.step(self)
            }
            Work::Remove => self.remove_one(),
        }
    }

    fn park_work(&self, work: Work) {
        self.jobs.lock().parked.push(work);
    }

    fn end_work(&self, work: Work) {
        match work {
            Work::Flush(mut flush) => {
                flush.abandon(self);
                self.jobs.lock().flushing = false;
            }
            Work::Compact(mut compaction) => {
                compaction.abandon(self);
                drop(compaction);
                self.jobs.lock().compacting = None;
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
        let ready = self.is_ready(&jobs);
        let runs = |work: &Work| ready || !matches!(work, Work::Compact(_));
        let parked = jobs.parked.iter().position(runs).map(|at| jobs.parked.remove(at));
        let work = parked.or_else(|| self.next_flush(&mut jobs, self.sealed_due()));
        // Why: removing is quick and gives space back; behind compactions it would wait for ever.
        let work = work.or_else(|| self.next_removal(&mut jobs));
        let work = work.or_else(|| self.next_compaction(&mut jobs))?;
        Some(Job::new(self, work))
    }

    /// A flush of what is sealed, or one that is parked; `None` if somebody has one in hand.
    pub(super) fn take_flush(self: &Arc<Self>) -> Option<Job> {
        let mut jobs = self.jobs.lock();
        jobs.pause_bytes = 0;
        let is_flush = |work: &Work| matches!(work, Work::Flush(_));
        let parked = jobs.parked.iter().position(is_flush).map(|at| jobs.parked.remove(at));
        let work =
            parked.or_else(|| self.next_flush(&mut jobs, self.oldest_sealed(&self.view())))?;
        Some(Job::new(self, work))
    }

    fn next_flush(&self, jobs: &mut Jobs, sealed: Vec<Arc<Sealed>>) -> Option<Work> {
        if jobs.flushing || jobs.pause_bytes > 0 || sealed.is_empty() {
            return None;
        }
        match Flush::new(self, sealed) {
            Ok(flush) => {
                jobs.flushing = true;
                Some(Work::Flush(Box::new(flush)))
            }
            Err(error) => {
                self.journal.event(&Event::WorkFailed(error));
                None
            }
        }
    }

    fn next_compaction(&self, jobs: &mut Jobs) -> Option<Work> {
        if jobs.compacting.is_some() || jobs.pause_bytes > 0 || !self.is_ready(jobs) {
            return None;
        }
        let choice = self.choose_compaction()?;
        match Compaction::new(self, choice) {
            Ok(compaction) => {
                jobs.compacting = Some(compaction.reach(&self.order));
                Some(Work::Compact(Box::new(compaction)))
            }
            Err(error) => {
                self.journal.event(&Event::WorkFailed(error));
                jobs.pause_bytes = self.pause_bytes();
                None
            }
        }
    }

    fn next_removal(&self, jobs: &mut Jobs) -> Option<Work> {
        if jobs.removing {
            return None;
        }
        jobs.removing = jobs.retired.iter().any(Retired::is_free);
        jobs.removing.then_some(Work::Remove)
    }

    /// Whether the limit of bytes a second lets a compaction run. Debt comes before it.
    fn is_ready(&self, jobs: &Jobs) -> bool {
        jobs.ready_us == 0
            || self.journal.options.clock.ticks_us() >= jobs.ready_us
            || self.view.read().version.levels[0].len() >= 2 * NEWEST_TABLES
    }

    /// A compaction has read and written so many bytes.
    pub(super) fn spend(&self, bytes: u64) {
        let limit = self.journal.options.compaction_bytes_per_second;
        if let Some(us) = bytes.saturating_mul(1_000_000).checked_div(limit) {
            let mut jobs = self.jobs.lock();
            let now = self.journal.options.clock.ticks_us();
            jobs.ready_us = jobs.ready_us.max(now).saturating_add(us);
        }
    }

    pub(super) fn retire(&self, files: impl Iterator<Item = Retired>) {
        self.jobs.lock().retired.extend(files);
    }

    /// Whether a sync or a job is due.
    pub(crate) fn due(&self, now_ms: u64) -> bool {
        self.journal.check_writable().is_ok()
            && (self.journal.sync_due(&self.journal.writer.lock(), now_ms)
                || self.is_idle(now_ms)
                || self.job_due())
    }

    fn job_due(&self) -> bool {
        if !self.journal.is_working() {
            return false;
        }
        let jobs = self.jobs.lock();
        let ready = self.is_ready(&jobs);
        let parked = jobs.parked.iter().any(|work| ready || !matches!(work, Work::Compact(_)));
        let fresh = jobs.pause_bytes == 0;
        let flush = fresh && !jobs.flushing && !self.sealed_due().is_empty();
        let removal = !jobs.removing && jobs.retired.iter().any(Retired::is_free);
        let compaction = fresh && ready && jobs.compacting.is_none();
        parked || flush || removal || (compaction && self.choose_compaction().is_some())
    }

    /// Whether the memtable has not been written to for so long that its log is to be let go.
    fn is_idle(&self, now_ms: u64) -> bool {
        let after = self.journal.options.memtable_idle_ms;
        let hand = self.hand.lock();
        after > 0
            && !hand.memtable.table().is_empty()
            && now_ms.saturating_sub(hand.written_ms) >= after
    }

    /// One step of whatever is due; `true` while more is due.
    pub(crate) fn work(self: &Arc<Self>) -> Result<bool> {
        self.journal.check_writable()?;
        self.journal.sync_if_due()?;
        if self.is_idle(self.journal.options.clock.now_ms()) {
            let mut writer = self.journal.writer.lock();
            let mut hand = self.hand.lock();
            self.seal_memtable(&mut writer, &mut hand)?;
        }
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
        PACE_BYTES.min(self.journal.options.memtable_bytes as u64 / 16).max(1)
    }

    /// Within a write: steps in proportion to what was written and to what waits, so that no store grows without end.
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
        let view = self.view();
        let newest = view.version.levels[0].len().saturating_sub(NEWEST_TABLES);
        let steps = (1 + view.sealed.len() + newest).min(STEPS_MAX);
        drop(view);
        for _ in 0..steps {
            // Why: the write itself is done; what work could not do is told to the observer and tried again later.
            if !matches!(self.work(), Ok(true)) {
                return;
            }
        }
    }

    /// Waits for the end of the step that another thread is in, or lets it begin one; `false` if none has such a job in
    /// hand.
    pub(super) fn wait_for_step(&self, flush: bool) -> bool {
        let jobs = self.jobs.lock();
        let running = if flush { jobs.flushing } else { jobs.compacting.is_some() };
        drop(jobs);
        drop(if flush { self.flushing.lock() } else { self.compacting.lock() });
        if running {
            // Why: a thread that was stopped between two steps has the job in hand and holds no lock.
            keelstone_vfs::lock::give_way();
        }
        running
    }

    pub(super) fn pause_bytes(&self) -> u64 {
        (self.journal.options.memtable_bytes as u64 / 4).max(1)
    }

    /// What a failed piece of work leaves: it is told, and tried again after more was written.
    pub(super) fn work_failed(&self, error: Error) {
        self.journal.event(&Event::WorkFailed(error));
        self.jobs.lock().pause_bytes = self.pause_bytes();
    }

    /// Gives up what was begun: at close.
    pub(super) fn drop_jobs(&self) {
        let parked = core::mem::take(&mut self.jobs.lock().parked);
        for work in parked {
            self.end_work(work);
        }
    }

    /// Removes one file that nobody needs any more; `false` when none is left.
    fn remove_one(&self) -> Result<bool> {
        // Why held to the end: who comes second, and finds nothing left, may say that the files are gone.
        let _step = self.removing.lock();
        let mut jobs = self.jobs.lock();
        let Some(at) = jobs.retired.iter().rposition(Retired::is_free) else { return Ok(false) };
        let retired = jobs.retired.remove(at);
        drop(jobs);
        let name = retired.name();
        if let FileName::Table(number) = name {
            self.tables.forget(number);
        }
        // Crash: the manifest does not name the file any more; the next open removes it.
        match self.journal.vfs.remove(&format!("{name}")) {
            Ok(()) => self.journal.event(&Event::Removed { file: name }),
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => {
                self.jobs.lock().retired.push(retired);
                return Err(error.into());
            }
        }
        Ok(self.jobs.lock().retired.iter().any(Retired::is_free))
    }

    /// Flushes, and merges everything into one level: what nobody can see is gone then.
    pub(crate) fn compact(self: &Arc<Self>) -> Result<()> {
        self.journal.check_writable()?;
        self.flush_all()?;
        while self.work()? {}
        // Why once: what an open snapshot may want stays, however often it is read.
        if let Some(mut job) = self.take_full_compaction()? {
            while job.step()? {}
        }
        while self.work()? {}
        // Why beside the job: another thread may have that in hand.
        while self.remove_one()? {}
        Ok(())
    }

    /// The compaction of everything, once no other is in hand; `None` if it would change nothing.
    fn take_full_compaction(self: &Arc<Self>) -> Result<Option<Job>> {
        loop {
            let mut jobs = self.jobs.lock();
            let is_compaction = |work: &Work| matches!(work, Work::Compact(_));
            if let Some(at) = jobs.parked.iter().position(is_compaction) {
                let work = jobs.parked.remove(at);
                drop(jobs);
                let mut job = Job::new(self, work);
                while job.step()? {}
                continue;
            }
            if jobs.compacting.is_none() {
                let Some(choice) = self.full_compaction() else { return Ok(None) };
                let compaction = Compaction::new(self, choice)?;
                jobs.compacting = Some(compaction.reach(&self.order));
                return Ok(Some(Job::new(self, Work::Compact(Box::new(compaction)))));
            }
            drop(jobs);
            // Why: another thread runs a compaction step by step and will end.
            drop(self.compacting.lock());
        }
    }
}
