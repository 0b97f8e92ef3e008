//! An open table: what is kept of it in memory, and the newest version of one key.
//!
//! Called through the table cache; calls `block`, `format`, the block cache and the disk.
//! Promise: a get reads at most one block of data and one of the index, and none where the filter says no.
//! Never: changes the file, holds a lock while it reads.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::{Access, File, Kind, Vfs};

use super::block::{Block, BlockCursor};
use super::cache::BlockCache;
use super::filter::Filter;
use super::format::{
    FOOTER_BYTES, Footer, Handle, Properties, TRAILER_BYTES, Unsealed, is_compressed, unseal,
};
use super::tables::Alive;
use super::{LOADED, TableMeta};
use crate::codec::{FileId, KeyHasher};
use crate::error::{Damage, Error, FileName, Result};
use crate::log::{corrupt, read_exact, read_file_header};
use crate::order::KeyOrder;
use crate::ordered::key::Item;
use crate::ordered::range::Range;
use crate::record::{EntryKind, FILE_HEADER_BYTES, FileKind};

/// The bytes of a table and who they are.
pub(super) struct Source {
    pub(super) file: Arc<dyn File>,
    pub(super) name: FileName,
    pub(super) id: FileId,
    /// Where the footer begins: no block reaches beyond it.
    pub(super) end: u64,
}

impl Source {
    pub(super) fn corrupt(&self, handle: Handle, what: Damage) -> Error {
        corrupt(self.name, handle.offset, u64::from(handle.len), what)
    }

    /// Believes a handle only if the block is within the file.
    pub(super) fn check(&self, handle: Handle) -> Result<()> {
        let long = (handle.len as usize) < TRAILER_BYTES || handle.end() > self.end;
        if long || handle.offset < FILE_HEADER_BYTES as u64 {
            return Err(self.corrupt(handle, Damage::Length));
        }
        Ok(())
    }

    /// The bytes of a sealed block as they are in the file.
    pub(super) fn sealed(&self, handle: Handle) -> Result<Vec<u8>> {
        self.check(handle)?;
        let mut bytes = Vec::new();
        read_exact(&*self.file, self.name, handle.offset, handle.len as usize, &mut bytes)?;
        Ok(bytes)
    }

    /// The payload of a block that is kept in memory: never a compressed one, so that it takes no more than it has in the
    /// file.
    fn payload(&self, handle: Handle) -> Result<Vec<u8>> {
        let bytes = self.sealed(handle)?;
        let compressed = is_compressed(&bytes);
        let payload = self.unseal(handle, bytes)?;
        if compressed { Err(self.corrupt(handle, Damage::Kind)) } else { Ok(payload) }
    }

    pub(super) fn unseal(&self, handle: Handle, bytes: Vec<u8>) -> Result<Vec<u8>> {
        unseal(self.id, handle.offset, bytes).map_err(|error| match error {
            Unsealed::Damaged(what) => self.corrupt(handle, what),
            Unsealed::OutOfMemory => Error::OutOfMemory,
        })
    }

    /// A block of data, or of the lower level of an index.
    pub(super) fn block(&self, handle: Handle) -> Result<Block> {
        let payload = self.unseal(handle, self.sealed(handle)?)?;
        Block::parse(payload, self.name, handle.offset)
    }

    /// A block that is kept in memory.
    fn plain_block(&self, handle: Handle) -> Result<Block> {
        Block::parse(self.payload(handle)?, self.name, handle.offset)
    }

    fn filter(&self, handle: Handle) -> Result<Option<Filter>> {
        if handle.is_none() {
            return Ok(None);
        }
        let filter = Filter::parse(self.payload(handle)?);
        filter.map(Some).ok_or(self.corrupt(handle, Damage::Length))
    }
}

/// An open table.
pub(crate) struct Table {
    pub(super) source: Source,
    pub(super) order: KeyOrder,
    pub(super) hasher: KeyHasher,
    pub(super) footer: Footer,
    pub(super) properties: Properties,
    pub(super) index: Arc<Block>,
    pub(super) filter: Option<Filter>,
    pub(super) prefixes: Option<Filter>,
    ranges: Vec<Range>,
    memory_bytes: usize,
    /// Counts the table as open for as long as it lives.
    pub(super) alive: Option<Alive>,
}

impl Table {
    /// Opens the table `number` of the store with this seed, which has `len` bytes.
    ///
    /// # Errors
    /// As [`open`](Self::open); a file that is not there is `Corrupt` too.
    pub(crate) fn find(
        vfs: &dyn Vfs,
        seed: u128,
        (number, len): (u64, u64),
        order: KeyOrder,
        hasher: KeyHasher,
    ) -> Result<Self> {
        let name = FileName::Table(number);
        let file =
            vfs.open(&format!("{name}"), Access::Read).map_err(|error| match error.kind {
                Kind::NotFound => corrupt(name, 0, len, Damage::Missing),
                _ => Error::from(error),
            })?;
        Self::open(Arc::from(file), name, FileId::new(seed, number), len, order, hasher)
    }

    /// Reads everything but data and, where there are two levels, the lower level of the index.
    ///
    /// # Errors
    /// `Corrupt`, `Version`, `Storage`, `OutOfMemory`.
    pub(crate) fn open(
        file: Arc<dyn File>,
        name: FileName,
        id: FileId,
        len: u64,
        order: KeyOrder,
        hasher: KeyHasher,
    ) -> Result<Self> {
        let source = Source { end: check_ends(&*file, name, id, len)?, file, name, id };
        let mut bytes = Vec::new();
        read_exact(&*source.file, name, source.end, FOOTER_BYTES, &mut bytes)?;
        let damaged = |what| corrupt(name, source.end, FOOTER_BYTES as u64, what);
        let footer = Footer::decode(&bytes, id, source.end).map_err(damaged)?;
        let payload = source.payload(footer.properties)?;
        let properties = Properties::decode(&payload, name.number().unwrap_or_default(), len)
            .ok_or(source.corrupt(footer.properties, Damage::Length))?;
        if properties.order != order.name().as_bytes() {
            return Err(source.corrupt(footer.properties, Damage::Identity));
        }
        let index = source.plain_block(footer.index)?;
        let index = Arc::new(if order.is_bytewise() { index.sampled() } else { index });
        let filter = source.filter(footer.filter)?;
        let prefixes = source.filter(footer.prefixes)?;
        let ranges = read_ranges(&source, footer.ranges, properties.meta.ranges, &order)?;
        let filters = [&filter, &prefixes].into_iter().flatten().map(Filter::memory_bytes);
        let of_range = |r: &Range| size_of::<Range>() + r.from.capacity() + r.to.capacity();
        let meta = &properties.meta;
        let memory_bytes = size_of::<Self>()
            + index.memory_bytes()
            + filters.sum::<usize>()
            + ranges.iter().map(of_range).sum::<usize>()
            + meta.first.capacity()
            + meta.last.capacity();
        let alive = None;
        Ok(Self {
            source,
            order,
            hasher,
            footer,
            properties,
            index,
            filter,
            prefixes,
            ranges,
            memory_bytes,
            alive,
        })
    }

    /// What is known of the table.
    pub(crate) const fn meta(&self) -> &TableMeta {
        &self.properties.meta
    }

    /// Bytes of memory that the table takes while it is open, blocks in the block cache not counted.
    pub(crate) const fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// The range tombstones: by their beginning, the newest first.
    pub(crate) fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// The one sequence of all items, if they were loaded in bulk.
    #[inline]
    const fn loaded(&self) -> Option<u64> {
        if self.properties.loaded { Some(self.properties.meta.max_seq) } else { None }
    }

    /// Whether all items have one sequence, because they were loaded in bulk.
    pub(super) const fn is_loaded(&self) -> bool {
        self.properties.loaded
    }

    /// The sequence that parts the stored items of a key as `seq` parts those that readers see.
    #[inline]
    pub(super) const fn stored(&self, seq: u64) -> u64 {
        match self.loaded() {
            None => seq,
            // Why: a key that was loaded has one version, at `LOADED`: a place is before it or behind it.
            Some(one) if seq >= one => u64::MAX,
            Some(_) => LOADED - 1,
        }
    }

    /// A stored item as readers see it.
    #[inline]
    pub(super) fn shown<'a>(&self, item: Item<'a>) -> Item<'a> {
        match self.loaded() {
            None => item,
            Some(seq) => Item { seq, ..item },
        }
    }

    pub(super) const fn has_two_levels(&self) -> bool {
        self.properties.index_blocks > 0
    }

    /// Whether the key with this hash may have a version here. Says nothing about range tombstones.
    #[inline]
    pub(crate) fn may_contain(&self, hash: u128) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.may_contain(hash))
    }

    /// Whether a key that begins with `prefix` may have a version here. Says nothing about range tombstones.
    pub(crate) fn may_contain_prefix(&self, prefix: &[u8]) -> bool {
        let meta = self.meta();
        if meta.entries == 0 {
            return false;
        }
        let bytes = self.properties.prefix_bytes as usize;
        let Some(head) = prefix.get(..bytes).filter(|_| bytes > 0) else { return true };
        // Why: a table without such a filter holds no key that is long enough, or was built without filters.
        self.prefixes.as_ref().is_none_or(|filter| filter.may_contain(self.hasher.hash(head)))
    }

    /// A block, from the cache or from the file.
    pub(super) fn load(
        &self,
        blocks: &BlockCache,
        handle: Handle,
        fill: bool,
    ) -> Result<Arc<Block>> {
        let number = self.meta().number;
        if let Some(block) = blocks.find(number, handle.offset) {
            return Ok(block);
        }
        let mut block = self.source.block(handle)?;
        // Why: what is read once is not searched.
        if fill && self.order.is_bytewise() {
            block = block.sampled();
        }
        let block = Arc::new(block);
        if fill {
            blocks.insert(number, handle.offset, &block);
        }
        Ok(block)
    }

    /// Shows the newest version of `key` with a sequence of at most `seq` to `view`, a tombstone too.
    ///
    /// `hash` is the key's. Range tombstones are not looked at.
    ///
    /// # Errors
    /// `Corrupt`, `Storage`, `OutOfMemory`.
    pub(crate) fn get<R>(
        &self,
        blocks: &BlockCache,
        key: &[u8],
        hash: u128,
        seq: u64,
        view: impl FnOnce(Item<'_>) -> R,
    ) -> Result<Option<R>> {
        if !self.may_contain(hash) {
            return Ok(None);
        }
        let place = (key, self.stored(seq));
        let view = |item| view(self.shown(item));
        let mut handle = self.floor(&self.index, place)?;
        if let Some(below) = handle.filter(|_| self.has_two_levels()) {
            let block = self.load(blocks, below, true)?;
            handle = self.floor(&block, place)?;
        }
        let Some(handle) = handle else { return Ok(None) };
        let block = self.load(blocks, handle, true)?;
        // Invariant: if the block ends before the place, the next block begins with another key. See `begin_block`.
        if self.order.is_bytewise() {
            return Ok(block.find(place)?.map(view));
        }
        let mut cursor = BlockCursor::new(&*block);
        cursor.seek(&self.order, place)?;
        Ok(cursor.item().filter(|item| item.key == key).map(view))
    }

    /// The handle of the block below `index` that covers a place; `None` if the place is before all.
    fn floor(&self, index: &Block, place: (&[u8], u64)) -> Result<Option<Handle>> {
        let at = index.floor(&self.order, place)?;
        at.map(|at| index.handle(at)).transpose()
    }
}

/// The handle in the entry of an index on which a cursor stands.
pub(super) fn handle_at<B>(cursor: &BlockCursor<B>) -> Result<Option<Handle>>
where
    B: core::ops::Deref<Target = Block>,
{
    let Some(item) = cursor.item() else { return Ok(None) };
    Handle::decode(item.value).map(Some).ok_or_else(|| cursor.damaged(Damage::Length))
}

/// Checks the header and the length; gives where the footer begins.
fn check_ends(file: &dyn File, name: FileName, id: FileId, len: u64) -> Result<u64> {
    let header = read_file_header(file, name)?;
    let other = header.kind != FileKind::Table || Some(header.number) != name.number();
    if other || header.id() != id {
        return Err(corrupt(name, 0, FILE_HEADER_BYTES as u64, Damage::Identity));
    }
    let (found, least) = (file.len()?, (FILE_HEADER_BYTES + FOOTER_BYTES) as u64);
    if found < len {
        return Err(corrupt(name, found, len - found, Damage::Short));
    }
    if found > len || len < least {
        return Err(corrupt(name, len.min(found), found.abs_diff(len), Damage::Length));
    }
    Ok(len - FOOTER_BYTES as u64)
}

/// The most bytes of keys into which one byte of a block can grow, because keys share their beginnings: a block with
/// more was not built with restart points as close as ours.
const KEYS_GROWTH_MAX: usize = 255;

fn copy(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

fn read_ranges(
    source: &Source,
    handle: Handle,
    count: u64,
    order: &KeyOrder,
) -> Result<Vec<Range>> {
    let mut ranges: Vec<Range> = Vec::new();
    if !handle.is_none() {
        let block = source.plain_block(handle)?;
        let mut room = (handle.len as usize).saturating_mul(KEYS_GROWTH_MAX);
        let mut cursor = BlockCursor::new(&block);
        cursor.seek_first()?;
        while let Some(item) = cursor.item() {
            let left = room.checked_sub(item.key.len());
            room = left.ok_or(source.corrupt(handle, Damage::Length))?;
            let (from, to) = (copy(item.key)?, copy(item.value)?);
            let whole = item.kind == EntryKind::RangeTombstone && order.compare(&from, &to).is_lt();
            let behind = ranges.last().is_none_or(|last| order.compare(&last.from, &from).is_le());
            if !whole || !behind {
                return Err(source.corrupt(handle, Damage::Key));
            }
            ranges.try_reserve(1)?;
            ranges.push(Range { from, to, seq: item.seq });
            cursor.next()?;
        }
    }
    if ranges.len() as u64 == count {
        return Ok(ranges);
    }
    Err(source.corrupt(handle, Damage::Length))
}
