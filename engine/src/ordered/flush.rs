//! Flush: sealed memtables become one table of level 0, and their logs go.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use super::build::{Build, Place};
use super::cursor::MergeCursor;
use super::jobs::Retired;
use super::level::Feed;
use super::range::Ranges;
use super::version::Version;
use super::{Sealed, Store, View};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::journal::LogFile;
use crate::lab::Bug;
use crate::manifest::{Edit, sync_root};

/// A flush that is under way.
pub(crate) struct Flush {
    /// The newest first; the last is the oldest that there is.
    sealed: Vec<Arc<Sealed>>,
    /// The last sequence in them.
    seq: u64,
    build: Build,
    started_us: u64,
}

impl Flush {
    pub(super) fn new(store: &Store, sealed: Vec<Arc<Sealed>>) -> Result<Self> {
        let (mut sources, mut ranges) = (Vec::new(), Vec::new());
        for sealed in &sealed {
            sources.push(Feed::Memtable(sealed.memtable.cursor()).into());
            ranges.extend(sealed.memtable.ranges()?.iter().cloned());
        }
        let seq = sealed.first().map_or(0, |newest| newest.last_seq);
        let source = MergeCursor::new(store.order.clone(), sources)?;
        let ranges = Ranges::new(&store.order, &ranges)?;
        let version = Arc::clone(&store.view().version);
        let place = Place { version, level: 0, below: 0, table_bytes: u64::MAX };
        let started_us = store.journal.options.clock.ticks_us();
        Ok(Self { sealed, seq, build: Build::new(store, source, ranges, place)?, started_us })
    }

    /// One step; `false` when it is published.
    pub(super) fn step(&mut self, store: &Store) -> Result<bool> {
        if self.build.step(store)? {
            return Ok(true);
        }
        self.publish(store)?;
        Ok(false)
    }

    fn publish(&mut self, store: &Store) -> Result<()> {
        let (seq, bytes) = (self.seq, self.build.bytes_out());
        let mut edits = self.build.edits();
        edits.push(Edit::Flushed { seq });
        if !store.journal.switches.on(Bug::TimeForgotten) {
            // Why: the logs that go knew the time, and after the next open it must not go back.
            edits.push(Edit::Mark { seq, time_ms: store.journal.time_ms() });
        }
        let logs = store.logs_through(seq);
        edits.extend(logs.iter().map(|log| Edit::Removed { number: log.number }));
        if store.journal.switches.on(Bug::LogsRemovedEarly) {
            logs.iter().try_for_each(|log| store.journal.vfs.remove(&format!("{}", log.name)))?;
        }
        // Crash: before the edit the logs are replayed; after it the table holds, and the logs are removed at the next open.
        store.publish(&edits, &logs, Some(&mut self.build), |view, version| {
            let mut list = view.sealed.clone();
            list.retain(|sealed| sealed.last_seq > seq);
            View { memtable: Arc::clone(&view.memtable), sealed: list, version }
        })?;
        store.retire(logs.into_iter().map(Retired::Log));
        let us = store.journal.options.clock.ticks_us().saturating_sub(self.started_us);
        let records = self.sealed.iter().map(|sealed| sealed.memtable.len() as u64).sum();
        store.counters.flush(us, bytes);
        store.journal.event(&Event::Flushed { bytes, records, sequence: seq });
        Ok(())
    }

    pub(super) fn abandon(&mut self, store: &Store) {
        self.build.abandon(store);
    }
}

impl Store {
    /// The sealed memtables that are to become one table now; none while it pays to wait for more.
    pub(super) fn sealed_due(&self) -> Vec<Arc<Sealed>> {
        let view = self.view();
        // Why: nothing was written since the last one was sealed, so that others may never come.
        let idle = view.memtable.is_empty();
        let due = idle || view.sealed.len() >= self.sealed_together();
        if due { self.oldest_sealed(&view) } else { Vec::new() }
    }

    /// The memtables that a flush takes, the newest of them first.
    pub(super) fn oldest_sealed(&self, view: &View) -> Vec<Arc<Sealed>> {
        let newer = view.sealed.len().saturating_sub(self.sealed_together());
        view.sealed[newer..].to_vec()
    }

    /// How many memtables a flush waits for, and takes at most.
    pub(super) fn sealed_together(&self) -> usize {
        let options = &self.journal.options;
        let room = options.memory_budget / 4 / options.memtable_bytes;
        options.flush_memtables.min(room.saturating_sub(1)).max(1)
    }

    /// The logs that hold nothing behind `seq`, but for the active one.
    fn logs_through(&self, seq: u64) -> Vec<Arc<LogFile>> {
        let writer = self.journal.writer.lock();
        let active = writer.active.as_ref().map(|active| active.file.number);
        let hand = self.hand.lock();
        let whole = |log: &&Arc<LogFile>| log.last_seq() <= seq && Some(log.number) != active;
        hand.logs.iter().filter(whole).cloned().collect()
    }

    /// Makes the outputs of `build`, which stay from here on, live instead of `logs`, and shows the view that `change` makes of the new version.
    pub(super) fn publish(
        &self,
        edits: &[Edit],
        logs: &[Arc<LogFile>],
        mut build: Option<&mut Build>,
        change: impl FnOnce(&View, Arc<Version>) -> View,
    ) -> Result<()> {
        if !self.journal.switches.on(Bug::OutputNamesNotSynced) {
            // Crash: nothing is published. What the manifest will name must be there.
            sync_root(&*self.journal.vfs, self.journal.switches)
                .map_err(|fault| self.journal.settle(fault))?;
        }
        let mut writer = self.journal.writer.lock();
        let manifest = writer.manifest.as_mut().ok_or(Error::Closed)?;
        let committed = manifest.commit(edits);
        // Why after a failure too: the edit may be in the file all the same; the next open knows.
        if let Some(build) = &mut build {
            build.keep_outputs();
        }
        committed.map_err(|fault| self.journal.settle(fault))?;
        let flushed = manifest.state().flushed_seq;
        self.show(|view| {
            let version = Arc::new(Version::new(&self.order, manifest.state(), &view.version));
            change(view, version)
        });
        if !logs.is_empty() {
            self.journal.drop_logs(&mut writer, logs, flushed);
            let gone = |log: &LogFile| logs.iter().any(|gone| gone.number == log.number);
            self.hand.lock().logs.retain(|log| !gone(log));
        }
        drop(writer);
        self.check_version()
    }

    /// The option that checks every version that is installed.
    pub(super) fn check_version(&self) -> Result<()> {
        if !self.journal.options.paranoid {
            return Ok(());
        }
        let checked = self.view().version.check(&self.order);
        checked.map_err(|number| {
            let name = crate::error::FileName::Table(number);
            self.damaged(crate::log::corrupt(name, 0, 0, crate::error::Damage::Key))
        })
    }

    /// Seals the memtable and flushes everything, here and now.
    pub(super) fn flush_all(self: &Arc<Self>) -> Result<()> {
        {
            let mut writer = self.journal.writer.lock();
            let mut hand = self.hand.lock();
            self.seal_memtable(&mut writer, &mut hand)?;
        }
        let last = self.visible_seq.load(Ordering::Acquire);
        loop {
            let view = self.view();
            if view.sealed.last().is_none_or(|oldest| oldest.last_seq > last) {
                return Ok(());
            }
            match self.take_flush() {
                Some(mut job) => while job.step()? {},
                // Why: another thread has it in hand; its step ends.
                None => drop(self.flushing.lock()),
            }
        }
    }
}
