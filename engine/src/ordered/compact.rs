//! Compaction: which tables are worth merging into the next level, and the merge as work in steps.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use super::build::{Build, Place};
use super::cursor::{MergeCursor, Readers};
use super::jobs::Retired;
use super::range::Ranges;
use super::table::Reading;
use super::version::{TableFile, Version};
use super::{Store, View};
use crate::error::Result;
use crate::event::Event;
use crate::lab::Bug;
use crate::manifest::{Edit, LEVELS};
use crate::order::KeyOrder;

/// Tables of level 0 from which on they are merged into level 1.
pub(super) const NEWEST_TABLES: usize = 4;
/// A level may be so many times as large as the one above.
const LEVEL_FACTOR: u64 = 10;
/// A table is not moved where it would overlap so many times its size two levels below.
const GRANDPARENT_FACTOR: u64 = 10;

/// What a compaction reads, and where its outputs go.
pub(super) struct Choice {
    /// By level, the newest level first; level 0 the newest table first, the others by key.
    inputs: Vec<(usize, Vec<Arc<TableFile>>)>,
    /// The level of the outputs.
    to: usize,
}

impl Choice {
    fn files(&self) -> impl Iterator<Item = &Arc<TableFile>> {
        self.inputs.iter().flat_map(|(_, files)| files)
    }

    /// The one table that goes down as it is, because nothing below overlaps it.
    fn moves(&self, order: &KeyOrder, version: &Version) -> Option<Arc<TableFile>> {
        let mut files = self.files();
        let (file, None) = (files.next()?, files.next()) else { return None };
        let (_, from) = self.inputs.first().map(|(level, _)| (self.to, *level))?;
        if from == self.to {
            return None;
        }
        let (first, last) = (&*file.meta.first, &*file.meta.last);
        let below = (self.to + 1).min(LEVELS - 1);
        let overlap: u64 = match below > self.to {
            true => version.overlapping(order, below, first, last).map(|f| f.meta.len).sum(),
            false => 0,
        };
        (overlap <= GRANDPARENT_FACTOR * file.meta.len).then(|| Arc::clone(file))
    }
}

/// Where the outputs of a compaction may stand, whatever they turn out to be.
pub(super) struct Reach {
    pub(super) level: usize,
    first: Vec<u8>,
    last: Vec<u8>,
}

impl Reach {
    /// Whether there may be a key from `from` up to, and with, `to` in it.
    pub(super) fn overlaps(&self, order: &KeyOrder, from: &[u8], to: &[u8]) -> bool {
        order.compare(&self.first, to).is_le() && order.compare(from, &self.last).is_le()
    }
}

/// A compaction that is under way.
pub(crate) struct Compaction {
    choice: Choice,
    work: Step,
    started_us: u64,
}

enum Step {
    Move(Arc<TableFile>),
    Build(Box<Build>),
}

impl Compaction {
    pub(super) fn new(store: &Store, choice: Choice) -> Result<Self> {
        let version = Arc::clone(&store.view().version);
        let started_us = store.journal.options.clock.ticks_us();
        if let Some(file) = choice.moves(&store.order, &version) {
            return Ok(Self { choice, work: Step::Move(file), started_us });
        }
        let (mut sources, mut ranges) = (Vec::new(), Vec::new());
        for (level, files) in &choice.inputs {
            for file in files.iter().filter(|file| file.meta.ranges > 0) {
                ranges.extend(store.tables.open(file)?.ranges().iter().cloned());
            }
            sources.extend(store.level_sources(*level, files.clone(), Reading::ONCE)?);
        }
        let merged = MergeCursor::new(store.order.clone(), sources)?;
        let ranges = Ranges::new(&store.order, &ranges)?;
        let (level, table_bytes) = (choice.to, store.journal.options.table_bytes);
        let place = Place { version, level, below: level + 1, table_bytes };
        let work = Step::Build(Box::new(Build::new(store, merged, ranges, place)?));
        Ok(Self { choice, work, started_us })
    }

    /// Where its outputs may stand: between the least and the greatest key of its inputs.
    pub(super) fn reach(&self, order: &KeyOrder) -> Reach {
        let metas = || self.choice.files().map(|file| &file.meta);
        let first = metas().map(|meta| &meta.first).min_by(|a, b| order.compare(a, b));
        let last = metas().map(|meta| &meta.last).max_by(|a, b| order.compare(a, b));
        let bytes = |key: Option<&Vec<u8>>| key.cloned().unwrap_or_default();
        Reach { level: self.choice.to, first: bytes(first), last: bytes(last) }
    }

    /// One step; `false` when it is published.
    pub(super) fn step(&mut self, store: &Store) -> Result<bool> {
        match &mut self.work {
            Step::Move(file) => {
                let (number, level) = (file.meta.number, self.choice.to as u64);
                // Crash: before the edit the table is found in the old level, after it in the new one.
                store.publish(&[Edit::Moved { number, level }], &[], None, with_version)?;
                store.counters.moves.fetch_add(1, Ordering::Relaxed);
                Ok(false)
            }
            Step::Build(build) => {
                let before = build.bytes_in();
                let more = build.step(store)?;
                store.spend(2 * (build.bytes_in() - before));
                if !more {
                    publish(store, &self.choice, build, self.started_us)?;
                }
                Ok(more)
            }
        }
    }

    pub(super) fn abandon(&mut self, store: &Store) {
        if let Step::Build(build) = &mut self.work {
            build.abandon(store);
        }
    }
}

pub(super) fn with_version(view: &View, version: Arc<Version>) -> View {
    View { memtable: Arc::clone(&view.memtable), sealed: view.sealed.clone(), version }
}

fn publish(store: &Store, choice: &Choice, build: &mut Build, started_us: u64) -> Result<()> {
    let (outputs, bytes_out) = (build.count(), build.bytes_out());
    let mut edits = build.edits();
    edits.extend(choice.files().map(|file| Edit::Removed { number: file.meta.number }));
    // Crash: before the edit the inputs hold, after it the outputs; the others are removed at the next open.
    store.publish(&edits, &[], Some(build), with_version)?;
    store.retire(choice.files().cloned().map(Retired::Table));
    let us = store.journal.options.clock.ticks_us().saturating_sub(started_us);
    let inputs = choice.files().count() as u64;
    let bytes_in = choice.files().map(|file| file.meta.len).sum();
    store.counters.compaction(us, bytes_in, bytes_out);
    store.journal.event(&Event::Compacted {
        level: choice.to as u64,
        inputs,
        outputs,
        bytes_in,
        bytes_out,
    });
    Ok(())
}

impl Store {
    /// Who reads now: what flushes and compactions that begin now must keep.
    pub(super) fn readers(&self) -> Readers {
        // Why the lock: a snapshot is taken under it, so that none is missed.
        let _writer = self.journal.writer.lock();
        let (snapshots, oldest_ms) = self.snapshots.held();
        let grace = self.journal.options.expiry_grace_ms;
        let horizon = self.journal.now_ms().saturating_sub(grace);
        let expired_ms = horizon.min(oldest_ms.unwrap_or(u64::MAX));
        if self.journal.switches.on(Bug::SnapshotIgnored) {
            return Readers { snapshots: Vec::new(), expired_ms };
        }
        Readers { snapshots, expired_ms }
    }

    /// How many bytes a level should have at most.
    fn level_bytes(&self, level: usize) -> u64 {
        let first = self.journal.options.level_bytes;
        (1..level).fold(first, |bytes, _| bytes.saturating_mul(LEVEL_FACTOR))
    }

    /// How far a level is above its measure, in percent of it.
    fn score(&self, version: &Version, level: usize) -> u64 {
        if level == 0 {
            return version.levels[0].len() as u64 * 100 / NEWEST_TABLES as u64;
        }
        version.bytes(level).saturating_mul(100) / self.level_bytes(level).max(1)
    }

    /// The compaction that is most needed, if one is.
    pub(super) fn choose_compaction(&self) -> Option<Choice> {
        let version = Arc::clone(&self.view.read().version);
        let scores = (0..LEVELS - 1).map(|level| (self.score(&version, level), level));
        // Why the least level of equals: what is above is read by every get.
        let (score, level) = scores.max_by_key(|(score, level)| (*score, LEVELS - level))?;
        if score < 100 {
            return self.choose_tombstones(&version);
        }
        let inputs =
            if level == 0 { self.newest(&version) } else { self.least_overlap(&version, level) };
        Some(self.with_next(&version, level, inputs))
    }

    /// A table below level 0 of which at least half is tombstones, on its way down to where they can go; in place if nothing below
    /// holds what they hide.
    ///
    /// Why it ends: no snapshot is older than a version of the table, so that with nothing older below every tombstone of
    /// it goes, and each other turn takes it one level down.
    fn choose_tombstones(&self, version: &Version) -> Option<Choice> {
        let (snapshots, _) = self.snapshots.held();
        let oldest = snapshots.first().copied().unwrap_or(u64::MAX);
        let enough = |file: &&Arc<TableFile>| {
            let meta = &file.meta;
            meta.tombstones > 0 && meta.tombstones >= meta.entries / 2 && meta.max_seq <= oldest
        };
        let tables = |level: usize| version.levels[level].iter().map(move |file| (level, file));
        let (level, file) = (1..LEVELS).flat_map(tables).find(|(_, file)| enough(file))?;
        let files = alloc::vec![Arc::clone(file)];
        if version.is_oldest(&self.order, level, &file.meta.first, &file.meta.last) {
            return Some(Choice { inputs: alloc::vec![(level, files)], to: level });
        }
        Some(self.with_next(version, level, files))
    }

    /// The oldest table of level 0 and all of level 0 that overlap it, or each other.
    fn newest(&self, version: &Version) -> Vec<Arc<TableFile>> {
        let mut rest: Vec<_> = version.levels[0].clone();
        let Some(oldest) = rest.pop() else { return Vec::new() };
        let (mut first, mut last) = (oldest.meta.first.clone(), oldest.meta.last.clone());
        let mut chosen = alloc::vec![oldest];
        while let Some(at) = rest.iter().rposition(|file| file.overlaps(&self.order, &first, &last))
        {
            let file = rest.remove(at);
            if self.order.compare(&file.meta.first, &first).is_lt() {
                first.clone_from(&file.meta.first);
            }
            if self.order.compare(&file.meta.last, &last).is_gt() {
                last.clone_from(&file.meta.last);
            }
            chosen.push(file);
        }
        let age = |file: &Arc<TableFile>| core::cmp::Reverse((file.meta.max_seq, file.meta.number));
        chosen.sort_by_key(age);
        chosen
    }

    /// The table of a level that overlaps the least of the next one, for its size.
    fn least_overlap(&self, version: &Version, level: usize) -> Vec<Arc<TableFile>> {
        let cost = |file: &&Arc<TableFile>| {
            let (first, last) = (&file.meta.first, &file.meta.last);
            let below = version.overlapping(&self.order, level + 1, first, last);
            let bytes: u64 = below.map(|below| below.meta.len).sum();
            (bytes.saturating_mul(16) / file.meta.len.max(1), file.meta.number)
        };
        version.levels[level].iter().min_by_key(cost).cloned().into_iter().collect()
    }

    /// Tables of a level, and those of the next that overlap them.
    fn with_next(&self, version: &Version, level: usize, files: Vec<Arc<TableFile>>) -> Choice {
        let order = &self.order;
        let first = files.iter().map(|f| &f.meta.first).min_by(|a, b| order.compare(a, b));
        let last = files.iter().map(|f| &f.meta.last).max_by(|a, b| order.compare(a, b));
        let below: Vec<_> = match (first, last) {
            (Some(first), Some(last)) => {
                version.overlapping(order, level + 1, first, last).cloned().collect()
            }
            _ => Vec::new(),
        };
        let mut inputs = alloc::vec![(level, files)];
        if !below.is_empty() {
            inputs.push((level + 1, below));
        }
        Choice { inputs, to: level + 1 }
    }

    /// Everything into the deepest level that has tables, if that would drop or move anything.
    pub(super) fn full_compaction(&self) -> Option<Choice> {
        let version = Arc::clone(&self.view.read().version);
        let readers = self.readers();
        let bottom = version.bottom().max(1);
        let above = (0..bottom).any(|level| !version.levels[level].is_empty());
        let droppable = |file: &Arc<TableFile>| {
            let expired = file.meta.expires.is_some_and(|(least, _)| least <= readers.expired_ms);
            let stays = readers.snapshots.first().is_some_and(|oldest| *oldest < file.meta.min_seq);
            !stays && (file.meta.tombstones > 0 || file.meta.ranges > 0 || expired)
        };
        if !above && !version.levels[bottom].iter().any(droppable) {
            return None;
        }
        let files = |level: usize| (level, version.levels[level].clone());
        let inputs: Vec<_> = (0..=bottom).map(files).filter(|(_, f)| !f.is_empty()).collect();
        Some(Choice { inputs, to: bottom })
    }
}
