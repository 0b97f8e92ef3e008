//! Writes what a flush or a compaction keeps into new tables, in bounded steps.
//!
//! Called by `flush` and `compact`. Promise: once a step says that nothing is left, every output is durable, but for its
//! name. Never: publishes anything.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::SyncMode;

use super::Store;
use super::cursor::{Collapse, MergeCursor, Older, Pull};
use super::level::Feed;
use super::range::{Range, Ranges};
use super::table::{Finished, TableMeta, TableWriter};
use super::version::{TableFile, Version};
use crate::error::{Error, FileName, Result};
use crate::lab::{Bug, Switches};
use crate::limits::STEP_BYTES;
use crate::manifest::{Edit, Fault, LEVELS, LiveTable};
use crate::order::KeyOrder;

/// An output ends before it overlaps so many times its own size two levels below.
const OVERLAP_FACTOR: u64 = 10;

/// Where the outputs belong.
pub(super) struct Place {
    pub(super) version: Arc<Version>,
    /// The level of the outputs.
    pub(super) level: usize,
    /// The first level in which older versions of a key may be.
    pub(super) below: usize,
    /// About how long an output becomes.
    pub(super) table_bytes: u64,
}

/// The levels below the outputs.
pub(super) struct Below {
    version: Arc<Version>,
    order: KeyOrder,
    first: usize,
    switches: Switches,
}

impl Older for Below {
    fn holds(&mut self, key: &[u8]) -> bool {
        if self.switches.on(Bug::TombstoneDropped) {
            return false;
        }
        self.version.levels.iter().enumerate().skip(self.first).any(|(level, files)| match level {
            0 => files.iter().any(|file| file.spans(&self.order, key)),
            _ => self.version.find(&self.order, level, key).is_some(),
        })
    }

    fn holds_any(&mut self, from: &[u8], to: &[u8]) -> bool {
        if self.switches.on(Bug::RangeDropped) {
            return false;
        }
        let (order, version) = (&self.order, &self.version);
        (self.first..LEVELS)
            .any(|level| version.overlapping(order, level, from, to).next().is_some())
    }
}

/// Tables that are being written.
pub(super) struct Build {
    collapse: Collapse<MergeCursor<Feed>, Below>,
    /// The range tombstones that stay.
    ranges: Ranges,
    place: Place,
    writer: Option<TableWriter>,
    /// The key written last, of the current output.
    last: Vec<u8>,
    /// Where the range tombstones of the next output begin.
    cut: Option<Vec<u8>>,
    grandparents: Overlap,
    outputs: Vec<Finished>,
    synced: usize,
    done: bool,
}

/// How much of the level below the outputs' the current output overlaps.
struct Overlap {
    files: Vec<Arc<TableFile>>,
    at: usize,
    bytes: u64,
}

impl Build {
    /// `source` walks all inputs, `ranges` are all their range tombstones.
    pub(super) fn new(
        store: &Store,
        source: MergeCursor<Feed>,
        ranges: Ranges,
        place: Place,
    ) -> Result<Self> {
        let order = store.order.clone();
        let version = Arc::clone(&place.version);
        let switches = store.journal.switches;
        let below = Below { version, order: order.clone(), first: place.below, switches };
        let mut collapse = Collapse::new(order, source, ranges, store.readers(), below);
        let ranges = collapse.ranges()?;
        let files = place.version.levels.get(place.level + 1).cloned().unwrap_or_default();
        let grandparents = Overlap { files, at: 0, bytes: 0 };
        Ok(Self {
            collapse,
            ranges,
            place,
            writer: None,
            last: Vec::new(),
            cut: None,
            grandparents,
            outputs: Vec::new(),
            synced: 0,
            done: false,
        })
    }

    /// Bytes that went in so far.
    pub(super) fn bytes_in(&self) -> u64 {
        self.collapse.bytes_read()
    }

    /// Bytes of all outputs.
    pub(super) fn bytes_out(&self) -> u64 {
        self.outputs.iter().map(|output| output.meta.len).sum()
    }

    pub(super) fn count(&self) -> u64 {
        self.outputs.len() as u64
    }

    /// Reads and writes about one MiB, or syncs one output; `false` once all is done.
    pub(super) fn step(&mut self, store: &Store) -> Result<bool> {
        if self.done {
            return self.sync_one(store);
        }
        let switches = store.journal.switches;
        let parts = switches.on(Bug::VersionsParted);
        let start = self.collapse.bytes_read();
        while self.collapse.bytes_read() - start < STEP_BYTES as u64 / 2 {
            match self.collapse.next()? {
                Pull::Item(item) => {
                    let mut output = Output {
                        ranges: &self.ranges,
                        writer: &mut self.writer,
                        cut: &mut self.cut,
                        outputs: &mut self.outputs,
                    };
                    if output.is_begun() && (parts || item.key != self.last) {
                        self.grandparents.pass(&store.order, item.key);
                        let limit = self.place.table_bytes;
                        let far = self.grandparents.bytes > limit.saturating_mul(OVERLAP_FACTOR);
                        if far || output.bytes() >= limit {
                            let short = switches.on(Bug::RangeCutShort);
                            let end = if short { &self.last } else { item.key };
                            output.finish(store, Some(end))?;
                            *output.cut = Some(item.key.to_vec());
                            self.grandparents.bytes = 0;
                        }
                    }
                    output.writer(store)?.add(&item)?;
                    self.last.clear();
                    self.last.extend_from_slice(item.key);
                }
                Pull::More => {}
                Pull::End => {
                    let mut output = Output {
                        ranges: &self.ranges,
                        writer: &mut self.writer,
                        cut: &mut self.cut,
                        outputs: &mut self.outputs,
                    };
                    output.finish(store, None)?;
                    self.done = true;
                    return Ok(true);
                }
            }
        }
        Ok(true)
    }

    fn sync_one(&mut self, store: &Store) -> Result<bool> {
        let Some(output) = self.outputs.get(self.synced) else { return Ok(false) };
        if !store.journal.switches.on(Bug::MergeOutputNotSynced) {
            // Crash: a file that nothing names; the next open removes it.
            let synced = output.file.sync(SyncMode::All);
            synced.map_err(|error| store.journal.settle(Fault::Sync(error.into())))?;
        }
        self.synced += 1;
        Ok(self.synced < self.outputs.len())
    }

    /// The edits that make the outputs live.
    pub(super) fn edits(&self) -> Vec<Edit> {
        let level = u8::try_from(self.place.level).unwrap_or(0);
        let live = |meta: &TableMeta| LiveTable { level, meta: meta.clone() };
        self.outputs.iter().map(|output| Edit::Table(Arc::new(live(&output.meta)))).collect()
    }

    /// Removes what was written; it was never published.
    pub(super) fn abandon(&mut self, store: &Store) {
        let vfs = &*store.journal.vfs;
        if let Some(writer) = self.writer.take() {
            // Why: what cannot be removed now is removed at the next open.
            let _left_for_open = writer.abandon(vfs);
        }
        for output in self.outputs.drain(..) {
            let name = FileName::Table(output.meta.number);
            let _left_for_open = vfs.remove(&format!("{name}"));
        }
    }

    /// The outputs may be live now, and must stay.
    pub(super) fn keep_outputs(&mut self) {
        self.outputs.clear();
    }
}

/// The table that is being written, and those before it.
struct Output<'a> {
    ranges: &'a Ranges,
    writer: &'a mut Option<TableWriter>,
    cut: &'a mut Option<Vec<u8>>,
    outputs: &'a mut Vec<Finished>,
}

impl Output<'_> {
    const fn is_begun(&self) -> bool {
        self.writer.is_some()
    }

    fn bytes(&self) -> u64 {
        self.writer.as_ref().map_or(0, TableWriter::bytes)
    }

    /// The writer of the current table; begins one if there is none.
    fn writer(&mut self, store: &Store) -> Result<&mut TableWriter> {
        if self.writer.is_none() {
            let journal = &store.journal;
            let number = journal.take_number()?;
            let (order, hasher) = (store.order.clone(), store.hasher);
            let (vfs, options) = (&*journal.vfs, store.table_options);
            // Crash: a file that nothing names; the next open removes it.
            let begun = TableWriter::create(vfs, number, journal.seed, order, hasher, options)?;
            *self.writer = Some(begun);
        }
        self.writer.as_mut().ok_or(Error::Closed)
    }

    /// Ends the current table; `next` is the first key of the one that follows, which the caller cuts there too.
    fn finish(&mut self, store: &Store, next: Option<&[u8]>) -> Result<()> {
        let ranges = self.ranges.clip(&store.order, self.cut.as_deref(), next)?;
        for fragment in ranges.iter() {
            let (from, to) = (fragment.from.to_vec(), fragment.to.to_vec());
            let mut range = Range { from, to, seq: 0 };
            for seq in fragment.seqs {
                range.seq = *seq;
                self.writer(store)?.add_range(&range)?;
            }
        }
        if let Some(writer) = self.writer.take() {
            let name = writer.name();
            let finished = writer.finish().inspect_err(|_| {
                // Why: on a full disk what cannot become a table gives its space back at once, or at the next open.
                if !store.journal.switches.on(Bug::FailedTableKept) {
                    let _left_for_open = store.journal.vfs.remove(&format!("{name}"));
                }
            });
            self.outputs.push(finished?);
        }
        Ok(())
    }
}

impl Overlap {
    /// The output has come to `key`.
    fn pass(&mut self, order: &KeyOrder, key: &[u8]) {
        while let Some(file) = self.files.get(self.at)
            && file.ends_before(order, key)
        {
            self.bytes += file.meta.len;
            self.at += 1;
        }
    }
}
