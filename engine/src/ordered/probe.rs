//! Doors for fuzzing, in a test build only (feature `lab`): memtables and tables in a row, and the walks over them.
//!
//! Called by `crate::probe`; calls memtables, tables and cursors as flush, compaction and scans do.
//! Promise: no more than that: what is flushed stays as it is, what is compacted goes through `Collapse`.
//! Never: used by the engine.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::MemoryDisk;

use super::cursor::{Collapse, MergeCursor, Older, Pull, Readers, Source, View, VisibleCursor};
use super::key::{Cursor, Item};
use super::memtable::{Memtable, MemtableWriter};
use super::range::{Range, Ranges};
use super::table::{BlockCache, Reading, Table, TableCursor, TableOptions, TableWriter};
use crate::codec::KeyHasher;
use crate::error::Result;
use crate::lab::SEED;
use crate::order::KeyOrder;
use crate::record::EntryKind;

pub use super::table::probe::{block, encode_block, encode_table, seal_table, table};

const ORDER: KeyOrder = KeyOrder::Bytewise;

/// One version of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The key.
    pub key: Vec<u8>,
    /// No other version has it.
    pub seq: u64,
    /// `None`: a tombstone.
    pub value: Option<Vec<u8>>,
    /// When it expires, in milliseconds since 1970.
    pub expires_ms: Option<u64>,
}

impl Version {
    fn of(item: Item<'_>) -> Self {
        let value = (item.kind != EntryKind::Tombstone).then(|| item.value.to_vec());
        let expires_ms = (item.kind == EntryKind::PutUntil).then_some(item.expires_ms);
        Self { key: item.key.to_vec(), seq: item.seq, value, expires_ms }
    }

    fn item(&self) -> Item<'_> {
        let kind = match (&self.value, self.expires_ms) {
            (None, _) => EntryKind::Tombstone,
            (Some(_), None) => EntryKind::Put,
            (Some(_), Some(_)) => EntryKind::PutUntil,
        };
        let value = self.value.as_deref().unwrap_or_default();
        Item {
            key: &self.key,
            seq: self.seq,
            kind,
            value,
            expires_ms: self.expires_ms.unwrap_or(0),
        }
    }
}

/// How the tables are built and read.
#[derive(Clone, Copy, Debug)]
pub struct StackShape {
    /// Bytes of a block of data.
    pub block_bytes: usize,
    /// Every so many keys is stored whole.
    pub restart_interval: usize,
    /// Blocks are compressed where it is worth it.
    pub lz4: bool,
    /// Blocks are read ahead and not kept.
    pub ahead: bool,
    /// Merges are told the newest sequence of each table.
    pub known: bool,
}

/// What a reader sees: up to which sequence, at which time, from which key up to which.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// Versions with greater sequences came later.
    pub seq: u64,
    /// What expires then, or before, is gone.
    pub time_ms: u64,
    /// The first key that belongs to the walk.
    pub lower: Option<Vec<u8>>,
    /// The first key behind it that does not.
    pub upper: Option<Vec<u8>>,
}

/// A memtable over sealed ones over tables, the newest first.
pub struct Stack {
    shape: StackShape,
    disk: MemoryDisk,
    hasher: KeyHasher,
    blocks: Arc<BlockCache>,
    writer: MemtableWriter,
    sealed: Vec<Arc<Memtable>>,
    tables: Vec<Arc<Table>>,
    next_number: u64,
}

/// Never: a disk in memory has no faults, and what is written is in order.
fn sure<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("a stack in memory: {error}"))
}

fn new_memtable(seed: u64) -> MemtableWriter {
    sure(Memtable::new(ORDER, 0, seed)).1
}

impl Stack {
    /// With nothing in it.
    #[must_use]
    pub fn new(shape: StackShape) -> Self {
        let (disk, hasher) = (MemoryDisk::new(), KeyHasher::new(SEED));
        let (blocks, writer) = (Arc::new(BlockCache::new(4 << 10)), new_memtable(1));
        let (sealed, tables) = (Vec::new(), Vec::new());
        Self { shape, disk, hasher, blocks, writer, sealed, tables, next_number: 1 }
    }

    /// Adds a version to the memtable.
    pub fn insert(&mut self, version: &Version) {
        let item = version.item();
        sure(self.writer.insert(&item, self.hasher.hash(item.key)));
    }

    /// Adds a range tombstone to the memtable.
    pub fn delete_range(&mut self, from: &[u8], to: &[u8], seq: u64) {
        sure(self.writer.insert_range(from, to, seq));
    }

    /// Seals the memtable and begins another.
    pub fn seal(&mut self) {
        self.next_number += 1;
        let writer = core::mem::replace(&mut self.writer, new_memtable(self.next_number));
        self.sealed.insert(0, Arc::clone(writer.table()));
    }

    /// How many sealed memtables there are.
    #[must_use]
    pub fn sealed(&self) -> usize {
        self.sealed.len()
    }

    /// How many tables there are.
    #[must_use]
    pub fn tables(&self) -> usize {
        self.tables.len()
    }

    /// Writes the oldest sealed memtable as a table, as it is.
    pub fn flush(&mut self) {
        let Some(memtable) = self.sealed.pop() else { return };
        let mut writer = self.table_writer();
        let mut cursor = memtable.cursor();
        sure(cursor.seek_first());
        while let Some(item) = cursor.item() {
            sure(writer.add(&item));
            sure(cursor.next());
        }
        for range in sure(memtable.ranges()).iter() {
            sure(writer.add_range(range));
        }
        let table = self.finish(writer);
        self.tables.insert(0, table);
    }

    fn table_writer(&mut self) -> TableWriter {
        let StackShape { block_bytes, restart_interval, lz4, .. } = self.shape;
        let options = TableOptions {
            block_bytes,
            restart_interval,
            filter_bits_per_key: 10,
            prefix_bytes: None,
            lz4,
        };
        self.next_number += 1;
        let number = self.next_number;
        sure(TableWriter::create(&self.disk, number, SEED, ORDER, self.hasher, options))
    }

    fn finish(&self, writer: TableWriter) -> Arc<Table> {
        let meta = sure(writer.finish()).meta;
        let place = (meta.number, meta.len);
        let table = sure(Table::find(&self.disk, SEED, place, ORDER, self.hasher));
        assert_eq!(sure(table.verify()).hurts, Vec::new(), "what was written is sound");
        Arc::new(table)
    }

    /// Puts one table in the place of those from `first` up to `end`, without what no reader at one of `snapshots`,
    /// which ascend, or later needs. Gives what stayed.
    pub fn compact(
        &mut self,
        (first, end): (usize, usize),
        snapshots: &[u64],
        expired_ms: u64,
    ) -> Vec<Version> {
        let (order, inputs) = (ORDER, &self.tables[first..end]);
        let sources = inputs.iter().map(|table| self.source(table)).collect();
        let cursor = sure(MergeCursor::new(order.clone(), sources));
        let ranges: Vec<Range> = inputs.iter().flat_map(|table| table.ranges()).cloned().collect();
        let ranges = sure(Ranges::new(&order, &ranges));
        let readers = Readers { snapshots: snapshots.to_vec(), expired_ms };
        let older = Below::of(&self.tables[end..]);
        let mut collapse = Collapse::new(order, cursor, ranges, readers, older);
        let mut writer = self.table_writer();
        let mut kept = Vec::new();
        loop {
            match sure(collapse.next()) {
                Pull::Item(item) => {
                    sure(writer.add(&item));
                    kept.push(Version::of(item));
                }
                Pull::More => {}
                Pull::End => break,
            }
        }
        for fragment in sure(collapse.ranges()).iter() {
            for seq in fragment.seqs {
                let (from, to) = (fragment.from.to_vec(), fragment.to.to_vec());
                sure(writer.add_range(&Range { from, to, seq: *seq }));
            }
        }
        let output = self.finish(writer);
        self.tables.splice(first..end, [output]);
        kept
    }

    fn source(&self, table: &Arc<Table>) -> Source {
        let reading = if self.shape.ahead { Reading::ONCE } else { Reading::CACHED };
        let newest = if self.shape.known { table.meta().max_seq } else { u64::MAX };
        let cursor = TableCursor::new(Arc::clone(table), Arc::clone(&self.blocks), reading);
        Source { cursor: Box::new(cursor), newest }
    }

    fn memtables(&self) -> impl Iterator<Item = &Arc<Memtable>> {
        core::iter::once(self.writer.table()).chain(&self.sealed)
    }

    /// A walk over every version of everything.
    #[must_use]
    pub fn merged(&self) -> Merged {
        let memtables = self.memtables().map(|memtable| {
            let cursor: Box<dyn Cursor> = Box::new(memtable.cursor());
            Source::from(cursor)
        });
        let sources = memtables.chain(self.tables.iter().map(|table| self.source(table)));
        Merged(sure(MergeCursor::new(ORDER, sources.collect())))
    }

    /// A walk over what a reader sees.
    #[must_use]
    pub fn visible(&self, sight: Sight) -> Visible {
        let mut ranges: Vec<Range> = Vec::new();
        for memtable in self.memtables() {
            ranges.extend(sure(memtable.ranges()).iter().cloned());
        }
        ranges.extend(self.tables.iter().flat_map(|table| table.ranges()).cloned());
        let ranges = Arc::new(sure(Ranges::new(&ORDER, &ranges)));
        let Sight { seq, time_ms, lower, upper } = sight;
        let view = View { seq, time_ms, lower, upper };
        Visible(VisibleCursor::new(ORDER, self.merged().0, ranges, view))
    }

    /// The newest version of a key up to a sequence, tombstones too; range tombstones are not looked at.
    #[must_use]
    pub fn get(&self, key: &[u8], seq: u64) -> Option<Version> {
        let hash = self.hasher.hash(key);
        let memtables = self.memtables().filter_map(|m| m.get(key, hash, seq, Version::of));
        let tables = self.tables.iter();
        let tables = tables.filter_map(|t| sure(t.get(&self.blocks, key, hash, seq, Version::of)));
        memtables.chain(tables).max_by_key(|version| version.seq)
    }
}

/// The keys of the tables below a compaction.
struct Below(Vec<Vec<u8>>);

impl Below {
    fn of(tables: &[Arc<Table>]) -> Self {
        let (mut keys, blocks) = (Vec::new(), Arc::new(BlockCache::new(0)));
        for table in tables {
            let (table, blocks) = (Arc::clone(table), Arc::clone(&blocks));
            let mut cursor = TableCursor::new(table, blocks, Reading::ONCE);
            sure(cursor.seek_first());
            while let Some(item) = cursor.item() {
                keys.push(item.key.to_vec());
                sure(cursor.next());
            }
        }
        Self(keys)
    }
}

impl Older for Below {
    fn holds(&mut self, key: &[u8]) -> bool {
        self.0.iter().any(|held| held == key)
    }

    fn holds_any(&mut self, from: &[u8], to: &[u8]) -> bool {
        self.0.iter().any(|held| from <= &held[..] && &held[..] < to)
    }
}

/// A walk over every version; it stands on one or on none.
pub struct Merged(MergeCursor);

impl Merged {
    /// Goes to the first version.
    pub fn seek_first(&mut self) {
        sure(self.0.seek_first());
    }

    /// Goes to the last version.
    pub fn seek_last(&mut self) {
        sure(self.0.seek_last());
    }

    /// Goes to the first version at or after a place.
    pub fn seek(&mut self, key: &[u8], seq: u64) {
        sure(self.0.seek(key, seq));
    }

    /// Goes to the last version before a place.
    pub fn seek_before(&mut self, key: &[u8], seq: u64) {
        sure(self.0.seek_before(key, seq));
    }

    /// Goes one on. Only while it stands on a version.
    pub fn next(&mut self) {
        sure(self.0.next());
    }

    /// Goes one back. Only while it stands on a version.
    pub fn prev(&mut self) {
        sure(self.0.prev());
    }

    /// Where it stands.
    #[must_use]
    pub fn item(&self) -> Option<Version> {
        self.0.item().map(Version::of)
    }
}

/// A walk over what a reader sees; it stands on a key or on none.
pub struct Visible(VisibleCursor);

impl Visible {
    /// Goes to the first key.
    pub fn seek_first(&mut self) {
        sure(self.0.seek_first());
    }

    /// Goes to the last key.
    pub fn seek_last(&mut self) {
        sure(self.0.seek_last());
    }

    /// Goes to the first key at or after one.
    pub fn seek(&mut self, key: &[u8]) {
        sure(self.0.seek(key));
    }

    /// Goes to the last key before one.
    pub fn seek_before(&mut self, key: &[u8]) {
        sure(self.0.seek_before(key));
    }

    /// Goes one on; from none to none.
    pub fn next(&mut self) {
        sure(self.0.next());
    }

    /// Goes one back; from none to none.
    pub fn prev(&mut self) {
        sure(self.0.prev());
    }

    /// The version that is seen.
    #[must_use]
    pub fn item(&self) -> Option<Version> {
        self.0.item().map(Version::of)
    }
}
