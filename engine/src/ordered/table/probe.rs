//! Doors for fuzzing, in a test build only (feature `lab`): one block, and one table, of bytes from anywhere.
//!
//! Called by `crate::probe`.
//! Promise: whatever the bytes, a door returns; it panics only where the engine breaks a promise of its own.
//! Never: used by the engine.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::{Image, MemoryDisk};

use super::block::{Block, BlockCursor};
use super::builder::BlockBuilder;
use super::cache::BlockCache;
use super::cursor::{Reading, TableCursor};
use super::format::{FOOTER_BYTES, Footer, Handle, TRAILER_BYTES, Unsealed, seal, unseal};
use super::reader::Table;
use super::writer::TableWriter;
use super::{TableOptions, TableReport};
use crate::codec::{self, FileId, KeyHasher};
use crate::error::{FileName, Result};
use crate::lab::{Counts, NUMBER, SEED};
use crate::order::KeyOrder;
use crate::ordered::key::{Cursor, Item, compare};
use crate::ordered::range::Range;
use crate::record::{EntryKind, FILE_HEADER_BYTES};

const NAME: FileName = FileName::Table(NUMBER);
const ORDER: KeyOrder = KeyOrder::Bytewise;
/// Where the block of the door for blocks stands.
const OFFSET: u64 = FILE_HEADER_BYTES as u64;
/// What is copied to compare two walks has at most so many bytes; a longer walk is not compared.
const COPY_BYTES_MAX: usize = 1 << 20;
/// So many entries of a walk are looked for.
const SOUGHT_MAX: usize = 64;
/// A longer walk teaches nothing new.
const STEPS_MAX: usize = 20_000;
/// Memory that one byte of a table may take: keys of range tombstones share their beginnings.
const GROWTH_MAX: usize = 512;

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
    fn of(item: Item<'_>) -> Self {
        let (seq, kind, expires_ms) = (item.seq, item.kind, item.expires_ms);
        Self { key: item.key.to_vec(), seq, kind, value: item.value.to_vec(), expires_ms }
    }

    fn place(&self) -> (&[u8], u64) {
        (&self.key, self.seq)
    }
}

/// Everything a walk stood on, in its order; `None` if it failed, or is too long to be kept.
fn kept<C>(
    cursor: &mut C,
    first: impl FnOnce(&mut C) -> Result<()>,
    next: impl Fn(&mut C) -> Result<()>,
    item: impl Fn(&C) -> Option<Item<'_>>,
) -> Option<Vec<Owned>> {
    let (mut items, mut bytes) = (Vec::new(), 0);
    first(cursor).ok()?;
    while let Some(found) = item(cursor) {
        bytes += found.key.len() + found.value.len();
        if bytes > COPY_BYTES_MAX || items.len() == STEPS_MAX {
            return None;
        }
        items.push(Owned::of(found));
        next(cursor).ok()?;
    }
    Some(items)
}

/// Reads bytes as the payload of one block or, `sealed`, as a block with its trailer whose checksum is made right; walks
/// it both ways and looks for what is in it, and beside it.
///
/// # Panics
/// If a block that is as the builder makes them does not answer as the list of its entries does.
#[must_use]
pub fn block(bytes: &[u8], sealed: bool) -> Counts {
    let unusable = Counts { defects: 1, ..Counts::default() };
    let mut payload = bytes.to_vec();
    if sealed {
        let id = FileId::new(SEED, NUMBER);
        payload.extend_from_slice(&id.crc(OFFSET, bytes).to_le_bytes());
        payload = match unseal(id, OFFSET, payload) {
            Ok(payload) => payload,
            Err(Unsealed::Damaged(_)) => return unusable,
            Err(Unsealed::OutOfMemory) => panic!("{} bytes take too much memory", bytes.len()),
        };
        assert!(payload.len() <= bytes.len() * 255, "no length is believed");
    }
    let len = payload.len();
    let parse = || Block::parse(payload.clone(), NAME, OFFSET);
    let Ok(block) = parse() else { return unusable };
    let sampled = parse().map_or_else(|_| panic!("it was parsed before"), Block::sampled);
    let mut cursor = BlockCursor::new(&block);
    type Walk<'b> = BlockCursor<&'b Block>;
    let forward = kept(&mut cursor, Walk::seek_first, Walk::next, Walk::item);
    let mut steps = 0;
    let mut walked = cursor.seek_last();
    while walked.is_ok() && cursor.is_on() && steps < STEPS_MAX {
        (walked, steps) = (cursor.prev(), steps + 1);
    }
    assert!(steps <= len, "an entry has a byte at least");
    seek_about(&block, bytes);
    seek_about(&sampled, bytes);
    let Some(items) = forward else { return unusable };
    let ascends = |a: &Owned, b: &Owned| compare(&ORDER, a.place(), b.place()).is_lt();
    if block.check().is_ok() {
        let backward = kept(&mut cursor, Walk::seek_last, Walk::prev, Walk::item);
        assert!(backward.is_some_and(|back| back.iter().rev().eq(&items)), "the same both ways");
        if items.is_sorted_by(ascends) {
            find_all(&block, &items);
            find_all(&sampled, &items);
        }
    }
    Counts { frames: 1, entries: items.len() as u64, defects: 0 }
}

/// Looks for keys made of the bytes themselves: whatever comes, it ends.
fn seek_about(block: &Block, bytes: &[u8]) {
    let mut cursor = BlockCursor::new(block);
    for key in [&[][..], bytes.get(..1).unwrap_or_default(), bytes.get(5..9).unwrap_or_default()] {
        for place in [(key, 0), (key, 7), (key, u64::MAX)] {
            let _any = block.find(place).is_ok();
            let _any = block.floor(&ORDER, place).is_ok();
            for seek in [BlockCursor::seek, BlockCursor::seek_before] {
                let sought = seek(&mut cursor, &ORDER, place);
                assert!(sought.is_ok() || !cursor.is_on(), "after an error it stands on none");
                let _any = cursor.item().map(|item| item.value.len());
            }
        }
    }
}

/// A sound block in order finds each of its entries, and its neighbours.
fn find_all(block: &Block, items: &[Owned]) {
    let mut cursor = BlockCursor::new(block);
    for (index, item) in items.iter().enumerate().take(SOUGHT_MAX) {
        let found = block.find(item.place()).map(|found| found.map(Owned::of));
        assert_eq!(found, Ok(Some(item.clone())), "find");
        assert_eq!(cursor.seek(&ORDER, item.place()), Ok(()));
        assert_eq!(cursor.item().map(Owned::of).as_ref(), Some(item), "seek");
        assert_eq!(cursor.seek_before(&ORDER, item.place()), Ok(()));
        let before = index.checked_sub(1).map(|before| &items[before]);
        assert_eq!(cursor.item().map(Owned::of).as_ref(), before, "seek_before");
        if block.restarts() == items.len() {
            assert_eq!(block.floor(&ORDER, item.place()), Ok(Some(index)), "floor");
            assert_eq!(block.handle(index).ok(), Handle::decode(&item.value), "handle");
        }
    }
}

/// Reads bytes as a whole table: opened, verified, asked for keys, walked in both directions.
///
/// # Panics
/// If a table that is said to be sound does not answer as the list of its items does, or memory is out of proportion.
#[must_use]
pub fn table(bytes: &[u8]) -> Counts {
    let unusable = Counts { defects: 1, ..Counts::default() };
    let disk = MemoryDisk::from_image(&Image::from([(format!("{NAME}"), bytes.to_vec())]));
    let (place, hasher) = ((NUMBER, bytes.len() as u64), KeyHasher::new(SEED));
    let Ok(table) = Table::find(&disk, SEED, place, ORDER, hasher) else { return unusable };
    let most = (bytes.len() + size_of::<Table>()) * GROWTH_MAX;
    assert!(table.memory_bytes() <= most, "{} of {}", table.memory_bytes(), bytes.len());
    let report = table.verify().unwrap_or_else(|error| panic!("a disk in memory: {error}"));
    let (table, blocks) = (Arc::new(table), Arc::new(BlockCache::new(1 << 16)));
    for reading in [Reading::CACHED, Reading::ONCE] {
        let cursor = TableCursor::new(Arc::clone(&table), Arc::clone(&blocks), reading);
        walk_table(cursor, &report);
    }
    ask_about(&table, &blocks, bytes);
    Counts { frames: report.blocks, entries: report.entries, defects: report.hurts.len() as u64 }
}

/// Walks a table both ways; if it is sound, both say the same and every item is found.
fn walk_table(mut cursor: TableCursor, report: &TableReport) {
    let (first, last) = (TableCursor::seek_first, TableCursor::seek_last);
    let forward = kept(&mut cursor, first, TableCursor::next, TableCursor::item);
    let backward = kept(&mut cursor, last, TableCursor::prev, TableCursor::item);
    let (Some(items), true) = (forward, report.hurts.is_empty()) else { return };
    assert_eq!(items.len() as u64, report.entries, "as many as were verified");
    assert!(backward.is_some_and(|back| back.iter().rev().eq(&items)), "the same both ways");
    let (table, none) = (Arc::clone(&cursor.table), BlockCache::new(0));
    for (index, item) in items.iter().enumerate().take(SOUGHT_MAX) {
        let hash = table.hasher.hash(&item.key);
        let found = table.get(&none, &item.key, hash, item.seq, Owned::of);
        assert_eq!(found, Ok(Some(item.clone())), "get");
        assert_eq!(cursor.seek(&item.key, item.seq), Ok(()));
        assert_eq!(cursor.item().map(Owned::of).as_ref(), Some(item), "seek");
        assert_eq!(cursor.seek_before(&item.key, item.seq), Ok(()));
        let before = index.checked_sub(1).map(|before| &items[before]);
        assert_eq!(cursor.item().map(Owned::of).as_ref(), before, "seek_before");
    }
}

/// Asks a table for keys made of its bytes.
fn ask_about(table: &Arc<Table>, blocks: &Arc<BlockCache>, bytes: &[u8]) {
    let cursor = TableCursor::new(Arc::clone(table), Arc::clone(blocks), Reading::CACHED);
    let mut cursor = cursor;
    for key in [bytes.get(70..72), bytes.get(80..81), bytes.get(100..104), Some(b"zzz")] {
        let Some(key) = key else { continue };
        for seq in [0, 7, u64::MAX] {
            let hash = table.hasher.hash(key);
            let found = table.get(blocks, key, hash, seq, |item| item.key == key);
            assert!(found.is_err() || found.is_ok_and(|same| same != Some(false)), "its own key");
            for sought in [cursor.seek(key, seq), cursor.seek_before(key, seq)] {
                let _any = sought.is_ok();
            }
            let _any = cursor.item().map(|item| item.value.len());
        }
        let _any = table.may_contain_prefix(key);
    }
}

/// Makes the checksums right: of the header, of every block that the footer and the index name, of the footer.
pub fn seal_table(bytes: &mut [u8]) {
    let Some(end) = bytes.len().checked_sub(FOOTER_BYTES) else { return };
    if end < FILE_HEADER_BYTES {
        return;
    }
    let crc = codec::crc(&bytes[..60]);
    codec::put(bytes, 60, &crc.to_le_bytes());
    let (id, offset) = (FileId::new(SEED, NUMBER), end as u64);
    let seal_footer = |bytes: &mut [u8]| {
        let at = bytes.len() - 4;
        let crc = id.crc(offset, &bytes[end..at]);
        codec::put(bytes, at, &crc.to_le_bytes());
    };
    seal_footer(bytes);
    let Ok(footer) = Footer::decode(&bytes[end..], id, offset) else { return };
    let mut index = Vec::new();
    for handle in seal_named(bytes, end, id, footer.index) {
        index.extend(seal_named(bytes, end, id, handle));
    }
    // Why: in a table with one level these were entries of data, and their values name nothing.
    for handle in index.iter().take(SOUGHT_MAX) {
        seal_block(bytes, end, id, *handle);
    }
    for handle in [footer.filter, footer.prefixes, footer.ranges, footer.properties] {
        seal_block(bytes, end, id, handle);
    }
    seal_footer(bytes);
}

/// Seals a block, and gives what its values name, if they are handles.
fn seal_named(bytes: &mut [u8], end: usize, id: FileId, handle: Handle) -> Vec<Handle> {
    let mut named = Vec::new();
    let Some(sealed) = seal_block(bytes, end, id, handle) else { return named };
    let Ok(payload) = unseal(id, handle.offset, sealed) else { return named };
    let Ok(block) = Block::parse(payload, NAME, handle.offset) else { return named };
    let mut cursor = BlockCursor::new(&block);
    let mut walked = cursor.seek_first();
    while let (Ok(()), Some(item), true) = (walked, cursor.item(), named.len() < SOUGHT_MAX) {
        named.extend(Handle::decode(item.value));
        walked = cursor.next();
    }
    named
}

/// Makes the checksum of one block right, and gives the block.
fn seal_block(bytes: &mut [u8], end: usize, id: FileId, handle: Handle) -> Option<Vec<u8>> {
    let at = usize::try_from(handle.offset).ok().filter(|at| *at >= FILE_HEADER_BYTES)?;
    let after = at.checked_add(handle.len as usize).filter(|after| *after <= end)?;
    let crc_at = after.checked_sub(4).filter(|_| handle.len as usize >= TRAILER_BYTES)?;
    let crc = id.crc(handle.offset, &bytes[at..crc_at]);
    codec::put(bytes, crc_at, &crc.to_le_bytes());
    Some(bytes[at..after].to_vec())
}

/// Items in order: every kind, several versions of a key.
fn sample(count: u8) -> Vec<Owned> {
    let mut items = Vec::new();
    for n in 0..count {
        let key = [b"key"[..1 + usize::from(n % 3)].to_vec(), Vec::from([n / 9, n])].concat();
        let kinds = [EntryKind::Put, EntryKind::Tombstone, EntryKind::PutUntil];
        for version in 0..1 + u64::from(n % 4) / 2 {
            let kind = kinds[usize::from(n % 3)];
            let value = if kind == EntryKind::Tombstone { 0 } else { usize::from(n % 40) };
            let expires_ms = if kind == EntryKind::PutUntil { 7000 } else { 0 };
            let (value, seq) = (alloc::vec![n; value], 1000 * u64::from(n % 5) + 9 - version);
            items.push(Owned { key: key.clone(), seq, kind, value, expires_ms });
        }
    }
    items.sort_by(|a, b| compare(&ORDER, a.place(), b.place()));
    items
}

fn item(owned: &Owned) -> Item<'_> {
    let Owned { key, seq, kind, value, expires_ms } = owned;
    Item { key, seq: *seq, kind: *kind, value, expires_ms: *expires_ms }
}

/// The payload of a block with so many keys and a restart point at every `interval`-th entry; with its trailer but the
/// checksum, and compressed, if it is to be `sealed`.
#[must_use]
pub fn encode_block(keys: u8, interval: usize, sealed: bool) -> Vec<u8> {
    let mut builder = BlockBuilder::new(interval);
    for owned in sample(keys) {
        assert!(builder.add(&item(&owned)).is_ok(), "a small entry");
    }
    let payload = builder.finish().unwrap_or_else(|error| panic!("a small block: {error}"));
    if !sealed {
        return payload.to_vec();
    }
    let mut out = Vec::new();
    assert!(seal(&mut out, FileId::new(SEED, NUMBER), OFFSET, payload, true).is_ok(), "sealed");
    out.truncate(out.len() - 4);
    out
}

/// A table with so many keys in blocks of `block_bytes` bytes, with everything that a table can have or, `plain`, with
/// neither filters nor compression nor range tombstones.
#[must_use]
pub fn encode_table(keys: u8, block_bytes: usize, plain: bool) -> Vec<u8> {
    let filter_bits_per_key = if plain { 0 } else { 10 };
    let prefix_bytes = if plain { None } else { Some(2) };
    let restart_interval = 4;
    let options = TableOptions {
        block_bytes,
        restart_interval,
        filter_bits_per_key,
        prefix_bytes,
        lz4: !plain,
    };
    let (disk, hasher) = (MemoryDisk::new(), KeyHasher::new(SEED));
    let range = |from: &[u8], to: &[u8]| Range { from: from.into(), to: to.into(), seq: 77 };
    let written = TableWriter::create(&disk, NUMBER, SEED, ORDER, hasher, options)
        .and_then(|mut writer| {
            sample(keys).iter().try_for_each(|owned| writer.add(&item(owned)))?;
            if !plain {
                writer.add_range(&range(b"ke", b"kez"))?;
                writer.add_range(&range(b"kf", b"z"))?;
            }
            writer.finish()
        })
        .is_ok();
    assert!(written, "a disk in memory");
    disk.image().remove(&format!("{NAME}")).unwrap_or_default()
}
