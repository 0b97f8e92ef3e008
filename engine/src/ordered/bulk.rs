//! Bulk load: keys in ascending order go into tables without log and memtable, and are published as one write.
//!
//! Called by the front door; calls `table`, `flush`, `journal` and the disk.
//! Promise: a load is there whole, with one sequence, or not at all; what was written before its publication is older,
//! what is written afterwards is newer.
//! Never: shows anything before it is published, names a table that is not durable, holds more than one table in memory.
//!
//! ```text
//! put     builds one table after another; all but their ends
//! finish  1  gives each table its end, with the sequence that comes next
//!         2  what memtables hold of the same keys is flushed: readers look there first
//!         3  under the writer's lock: the logs end, the tables get their levels, one edit makes all of it live
//! ```
//!
//! Why the sequence stands at the end of each table: it is known only when nothing can be written before the load any
//! more. Mostly nobody else writes, and what was placed at 1 is right at 3; else the ends are placed again there.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use keelstone_vfs::lock::{Mutex, MutexGuard};
use keelstone_vfs::{File, SyncMode};

use super::compact::with_version;
use super::jobs::Jobs;
use super::memtable::Memtable;
use super::table::{LOADED, Loaded, TableWriter};
use super::version::Version;
use super::{Cursor, Item, Store};
use crate::error::{Error, FileName, Invalid, Result};
use crate::event::Event;
use crate::journal::{Journal, OpRef, Writer};
use crate::lab::Bug;
use crate::manifest::{Edit, Fault, LiveTable, sync_root};
use crate::record::EntryKind;

/// Lets writers wait while a load flushes what they have written, or it might never end.
#[derive(Default)]
pub(super) struct Loading {
    one_at_a_time: Mutex<()>,
    waits: AtomicBool,
}

/// The end of a load; writers go on when it is dropped.
struct Turn<'a> {
    loading: &'a Loading,
    _turn: MutexGuard<'a, ()>,
}

impl Loading {
    fn turn(&self) -> Turn<'_> {
        Turn { loading: self, _turn: self.one_at_a_time.lock() }
    }
}

impl Turn<'_> {
    /// From now on writers that come wait; those that are under way end.
    fn hold_writers(&self) {
        self.loading.waits.store(true, Ordering::Release);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.loading.waits.store(false, Ordering::Release);
    }
}

/// A load that is under way.
pub(crate) struct Load {
    store: Arc<Store>,
    writer: Option<TableWriter>,
    /// The tables before it, in the order of their keys.
    tables: Vec<Loaded>,
    /// The numbers of all files that it may have made.
    numbers: Vec<u64>,
    last: Vec<u8>,
    records: u64,
    /// The error that ended it.
    failed: Option<Error>,
}

impl Store {
    /// Begins a load.
    pub(crate) fn bulk_load(self: &Arc<Self>) -> Result<Load> {
        self.journal.heal(false)?;
        let (store, writer) = (Arc::clone(self), None);
        let (tables, numbers, last) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Load { store, writer, tables, numbers, last, records: 0, failed: None })
    }

    /// Waits while a load lets writers wait.
    #[inline]
    pub(super) fn wait_for_load(&self) {
        if self.loading.waits.load(Ordering::Acquire) {
            drop(self.loading.one_at_a_time.lock());
        }
    }

    /// Whether a memtable holds a key from `first` up to, and with, `last`, or a range tombstone over one.
    fn memtables_overlap(&self, first: &[u8], last: &[u8]) -> Result<bool> {
        let view = self.view();
        let sealed = view.sealed.iter().map(|sealed| &sealed.memtable);
        for memtable in core::iter::once(&view.memtable).chain(sealed) {
            if self.overlaps(memtable, first, last)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn overlaps(&self, memtable: &Memtable, first: &[u8], last: &[u8]) -> Result<bool> {
        let order = &self.order;
        let mut cursor = memtable.cursor();
        cursor.seek(first, u64::MAX)?;
        if cursor.item().is_some_and(|item| order.compare(item.key, last).is_le()) {
            return Ok(true);
        }
        if !memtable.has_ranges() {
            return Ok(false);
        }
        let ranges = memtable.ranges()?;
        Ok(ranges.iter().any(|range| {
            order.compare(&range.from, last).is_le() && order.compare(first, &range.to).is_lt()
        }))
    }
}

impl Load {
    /// Keys so far.
    pub(crate) const fn len(&self) -> u64 {
        self.records
    }

    /// Adds a key that is behind all others.
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8], expires_ms: Option<u64>) -> Result<()> {
        let kind = if expires_ms.is_some() { EntryKind::PutUntil } else { EntryKind::Put };
        let op = OpRef { kind, key, value, expires_ms: expires_ms.unwrap_or(0) };
        self.unless_failed(|load| load.add(&op))
    }

    /// Publishes the load and gives its sequence.
    pub(crate) fn finish(mut self) -> Result<u64> {
        self.unless_failed(Self::publish)
    }

    /// Runs a piece of it; an error ends the load, and nothing of it is left.
    fn unless_failed<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let done = self.store.journal.check_writable().and_then(|()| run(self));
        if let Err(error) = done {
            self.failed = Some(error);
            self.give_up();
        }
        done
    }

    fn add(&mut self, op: &OpRef<'_>) -> Result<()> {
        let OpRef { kind, key, value, expires_ms } = *op;
        let store = Arc::clone(&self.store);
        store.journal.check_ops(&[*op])?;
        if self.records > 0 && store.order.compare(&self.last, key).is_ge() {
            return Err(Error::Invalid(Invalid::Unsorted));
        }
        let full = |writer: &TableWriter| writer.bytes() >= store.journal.options.table_bytes;
        if self.writer.as_ref().is_some_and(full) {
            self.end_table()?;
        }
        if self.writer.is_none() {
            self.begin_table()?;
        }
        let item = Item { key, seq: LOADED, kind, value, expires_ms };
        self.writer.as_mut().ok_or(Error::Closed)?.add(&item)?;
        self.records += 1;
        self.last.clear();
        self.last.try_reserve(key.len())?;
        self.last.extend_from_slice(key);
        Ok(())
    }

    fn begin_table(&mut self) -> Result<()> {
        let store = &*self.store;
        let journal = &store.journal;
        self.numbers.try_reserve(1)?;
        self.tables.try_reserve(1)?;
        let number = journal.take_number()?;
        self.numbers.push(number);
        let (order, hasher) = (store.order.clone(), store.hasher);
        let (vfs, options) = (&*journal.vfs, store.table_options);
        // Crash: a file that nothing names; the next open removes it.
        let begun = TableWriter::create(vfs, number, journal.seed, order, hasher, options)?;
        self.writer = Some(begun);
        Ok(())
    }

    fn end_table(&mut self) -> Result<()> {
        if let Some(writer) = self.writer.take() {
            let (table, file) = writer.finish_loaded()?;
            // Why now: little is left to be synced when the load is published.
            sync(&self.store.journal, &*file)?;
            self.tables.push(table);
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<u64> {
        self.end_table()?;
        let store = Arc::clone(&self.store);
        let journal = &store.journal;
        if self.tables.is_empty() {
            return Ok(journal.sequence());
        }
        store.wait_for_work();
        let turn = store.loading.turn();
        loop {
            let last = journal.sequence();
            self.place(last + 1)?;
            // Why here: under the lock little is left to be synced then.
            if !journal.switches.on(Bug::LoadBeforeLogs) {
                journal.sync_through(last)?;
            }
            if !journal.switches.on(Bug::LoadNamesNotSynced) {
                // Crash: nothing is published. What the manifest will name must be there.
                sync_root(&*journal.vfs, journal.switches)
                    .map_err(|fault| journal.settle(fault))?;
            }
            if let Some(seq) = self.publish_over(&store, last + 1)? {
                return Ok(seq);
            }
            turn.hold_writers();
            store.flush_all()?;
        }
    }

    /// Gives every table its end.
    fn place(&mut self, seq: u64) -> Result<()> {
        let journal = &self.store.journal;
        self.tables
            .iter_mut()
            .try_for_each(|table| sync(journal, &*table.place(&*journal.vfs, seq)?))
    }

    /// Publishes the tables, which were placed at the sequence `placed`, over all that there is; `None` if a memtable
    /// would hide some of it.
    fn publish_over(&mut self, store: &Store, placed: u64) -> Result<Option<u64>> {
        // Why both locks: as long as they are held no compaction begins, and none of any kind is published.
        let jobs = store.jobs.lock();
        let mut writer = store.journal.writer.lock();
        store.journal.check_writable()?;
        let first = self.tables.first().map(|table| &*table.meta().first).unwrap_or_default();
        if store.memtables_overlap(first, &self.last)? {
            return Ok(None);
        }
        store.journal.close_logs(&mut writer)?;
        let seq = writer.next_seq;
        if seq != placed {
            self.place(seq)?;
        }
        let edits = self.edits(&store.view().version, &jobs);
        self.commit(store, &mut writer, edits)?;
        drop(writer);
        drop(jobs);
        self.tell(seq);
        store.check_version()?;
        Ok(Some(seq))
    }

    /// The edits that make the tables live, each at the deepest level that is free.
    fn edits(&self, version: &Version, jobs: &Jobs) -> Vec<Edit> {
        let order = &self.store.order;
        let edit = |table: &Loaded| {
            let meta = table.meta();
            let busy = |level: usize| {
                let reach = jobs.compacting.as_ref().filter(|reach| reach.level == level);
                reach.is_some_and(|reach| reach.overlaps(order, &meta.first, &meta.last))
            };
            let level = version.deepest_free(order, &meta.first, &meta.last, busy);
            let level = u8::try_from(level).unwrap_or(0);
            Edit::Table(Arc::new(LiveTable { level, meta: meta.clone() }))
        };
        self.tables.iter().map(edit).collect()
    }

    fn commit(&mut self, store: &Store, writer: &mut Writer, edits: Vec<Edit>) -> Result<()> {
        let seq = writer.next_seq;
        if let Err(unnamed) = store.journal.commit_beside(writer, edits) {
            if unnamed.is_uncertain {
                // Why: the next open may find the edit, and needs the tables then; else it removes them.
                self.numbers.clear();
            }
            return Err(unnamed.error);
        }
        self.numbers.clear();
        let manifest = writer.manifest.as_ref().ok_or(Error::Closed)?;
        store.show(|view| {
            let version = Version::new(&store.order, manifest.state(), &view.version);
            with_version(view, Arc::new(version))
        });
        // Why behind the view: whoever sees the sequence finds the tables.
        store.visible_seq.store(seq, Ordering::Release);
        Ok(())
    }

    fn tell(&self, sequence: u64) {
        let tables = self.tables.len() as u64;
        let bytes = self.tables.iter().map(|table| table.meta().len).sum();
        let records = self.records;
        self.store.counters.load(bytes);
        self.store.journal.event(&Event::Loaded { tables, bytes, records, sequence });
    }

    /// Removes what was written and never published.
    fn give_up(&mut self) {
        drop(self.writer.take());
        let journal = &self.store.journal;
        for number in self.numbers.drain(..) {
            // Why not when it is closed: the directory may be another's by now. What stays is removed at the next open.
            if journal.check_open().is_ok() {
                let _left_for_open = journal.vfs.remove(&format!("{}", FileName::Table(number)));
            }
        }
    }
}

/// Makes what a file holds durable; nothing names the file yet.
fn sync(journal: &Journal, file: &dyn File) -> Result<()> {
    if !journal.switches.on(Bug::MergeOutputNotSynced) {
        // Crash: a file that nothing names, with an end or without; the next open removes it.
        file.sync(SyncMode::All).map_err(|error| journal.settle(Fault::Sync(error.into())))?;
    }
    Ok(())
}

impl Drop for Load {
    fn drop(&mut self) {
        self.give_up();
    }
}
