//! Tables as a whole: what was written comes back, damage is noticed, memory stays within its limits.

#![expect(clippy::unwrap_used, reason = "a test that fails")]

mod damage;
mod limits;
mod loaded;
mod model;
mod parts;
mod samples;
mod writing;

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use keelstone_vfs::fault::Dice;
use keelstone_vfs::{MemoryDisk, Vfs};

use super::*;
use crate::codec::KeyHasher;
use crate::error::Result;
use crate::order::{Comparator, KeyOrder};
use crate::ordered::key::{Cursor, Item, compare};
use crate::ordered::range::Range;
use crate::record::EntryKind;

const SEED: u128 = 0x0123_4567 << 70 | 0x89ab;
const NUMBER: u64 = 7;

/// Bytes of so many letters.
fn random_bytes(dice: &mut Dice, len: usize, letters: usize) -> Vec<u8> {
    (0..len).map(|_| u8::try_from(dice.below(letters)).unwrap()).collect()
}

/// Shorter keys first: separators for the order byte by byte would be wrong here.
struct Shortlex;

impl Comparator for Shortlex {
    fn name(&self) -> &str {
        "shortlex"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        a.len().cmp(&b.len()).then_with(|| b.cmp(a))
    }
}

/// An item that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    key: Vec<u8>,
    seq: u64,
    kind: EntryKind,
    value: Vec<u8>,
    expires_ms: u64,
}

impl Owned {
    fn put(key: &[u8], seq: u64, value: &[u8]) -> Self {
        let (kind, expires_ms) = (EntryKind::Put, 0);
        Self { key: key.to_vec(), seq, kind, value: value.to_vec(), expires_ms }
    }

    fn of(item: Item<'_>) -> Self {
        let (key, value) = (item.key.to_vec(), item.value.to_vec());
        let (seq, kind, expires_ms) = (item.seq, item.kind, item.expires_ms);
        Self { key, seq, kind, value, expires_ms }
    }

    fn item(&self) -> Item<'_> {
        let (seq, kind, expires_ms) = (self.seq, self.kind, self.expires_ms);
        Item { key: &self.key, seq, kind, value: &self.value, expires_ms }
    }

    fn place(&self) -> (&[u8], u64) {
        (&self.key, self.seq)
    }
}

/// Up to `count` items in order; several versions of some keys, all kinds.
fn sample(dice: &mut Dice, order: &KeyOrder, count: usize) -> Vec<Owned> {
    let mut items = Vec::new();
    while items.len() < count {
        let (len, letters) = (1 + dice.below(12), if dice.below(3) == 0 { 256 } else { 3 });
        let mut key = random_bytes(dice, len, letters);
        if dice.below(count) == 0 {
            key.resize(1000 + dice.below(64_536), 7);
        }
        let versions = if dice.below(20) == 0 { 1 + dice.below(60) } else { 1 };
        for _ in 0..versions {
            let kinds = [EntryKind::Put, EntryKind::Put, EntryKind::PutUntil, EntryKind::Tombstone];
            let kind = kinds[dice.below(4)];
            let len = [0, 1, 8, 30, 200, 9000][[0, 1, 2, 3, 3, 3, 4, 4, 5][dice.below(9)]];
            let letters = 1 + dice.below(4);
            let value =
                random_bytes(dice, if kind == EntryKind::Tombstone { 0 } else { len }, letters);
            let expires_ms = if kind == EntryKind::PutUntil { dice.roll() } else { 0 };
            let seq = dice.roll() >> (1 + dice.below(63));
            items.push(Owned { key: key.clone(), seq, kind, value, expires_ms });
        }
    }
    in_order(order, items)
}

fn in_order(order: &KeyOrder, mut items: Vec<Owned>) -> Vec<Owned> {
    items.sort_by(|a, b| compare(order, a.place(), b.place()));
    items.dedup_by(|a, b| a.place() == b.place());
    items
}

/// A table on a disk of its own.
struct Built {
    disk: MemoryDisk,
    meta: TableMeta,
    order: KeyOrder,
}

impl Built {
    fn open(&self) -> Result<Table> {
        open_on(&self.disk, (self.meta.number, self.meta.len), &self.order)
    }
}

fn open_on(disk: &dyn Vfs, what: (u64, u64), order: &KeyOrder) -> Result<Table> {
    Table::find(disk, SEED, what, order.clone(), KeyHasher::new(SEED))
}

fn write(
    disk: &MemoryDisk,
    number: u64,
    order: &KeyOrder,
    options: TableOptions,
    (items, ranges): (&[Owned], &[Range]),
) -> TableMeta {
    let hasher = KeyHasher::new(SEED);
    let mut writer =
        TableWriter::create(disk, number, SEED, order.clone(), hasher, options).unwrap();
    for item in items {
        writer.add(&item.item()).unwrap();
    }
    for range in ranges {
        writer.add_range(range).unwrap();
    }
    assert_eq!(writer.entries(), items.len() as u64);
    let Finished { file, meta } = writer.finish().unwrap();
    assert_eq!(meta.len, file.len().unwrap());
    meta
}

fn build(order: &KeyOrder, options: TableOptions, items: &[Owned], ranges: &[Range]) -> Built {
    let disk = MemoryDisk::new();
    let meta = write(&disk, NUMBER, order, options, (items, ranges));
    Built { disk, meta, order: order.clone() }
}

fn cursor(table: &Arc<Table>, reading: Reading) -> TableCursor {
    TableCursor::new(Arc::clone(table), Arc::new(BlockCache::new(1 << 20)), reading)
}

/// What stands in a table, forward or backward.
fn walk(cursor: &mut TableCursor, forward: bool) -> Result<Vec<Owned>> {
    let mut items = Vec::new();
    if forward {
        cursor.seek_first()?
    } else {
        cursor.seek_last()?
    }
    while let Some(item) = cursor.item() {
        items.push(Owned::of(item));
        if forward { cursor.next()? } else { cursor.prev()? }
    }
    Ok(items)
}

fn get(table: &Table, blocks: &BlockCache, key: &[u8], seq: u64) -> Result<Option<Owned>> {
    table.get(blocks, key, table.hasher.hash(key), seq, Owned::of)
}
