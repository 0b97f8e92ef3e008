//! A walk over the items of one table, in both directions.
//!
//! Called by scans and compaction; calls `block`, the block cache and the disk.
//! Promise: one block of data and one of the index are held at a time; a step within a block takes no memory.
//! Never: holds a lock between two calls.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::block::{Block, BlockCursor};
use super::cache::BlockCache;
use super::format::Handle;
use super::index::IndexCursor;
use super::reader::Table;
use crate::error::Result;
use crate::log::read_exact;
use crate::ordered::key::{Cursor, Item};

/// How a cursor reads blocks that are not in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Blocks that it reads go into the cache.
    pub(crate) fill: bool,
    /// It reads at least so many bytes at once; 0: block by block.
    pub(crate) ahead_bytes: usize,
}

impl Reading {
    /// For reads of users: what was read will be wanted again.
    pub(crate) const CACHED: Self = Self { fill: true, ahead_bytes: 0 };
    /// For compaction: all is read once, in order.
    pub(crate) const ONCE: Self = Self { fill: false, ahead_bytes: 256 << 10 };
}

/// Bytes of the file that were read ahead.
#[derive(Default)]
struct Ahead {
    buf: Vec<u8>,
    offset: u64,
}

impl Ahead {
    /// The bytes of a block, if all of them are here.
    fn get(&self, handle: Handle) -> Option<&[u8]> {
        let at = usize::try_from(handle.offset.checked_sub(self.offset)?).ok()?;
        self.buf.get(at..)?.get(..handle.len as usize)
    }
}

/// A walk over one table.
pub(crate) struct TableCursor {
    pub(super) table: Arc<Table>,
    blocks: Arc<BlockCache>,
    reading: Reading,
    ahead: Ahead,
    /// In the index that the table holds.
    top: IndexCursor,
    /// In a block of the index below it; not used where there is one level.
    below: IndexCursor,
    /// In the block of data that `handle` names.
    data: BlockCursor<Arc<Block>>,
    handle: Handle,
    /// All items have one sequence, which the table knows.
    loaded: bool,
}

impl TableCursor {
    /// A cursor that stands on no item.
    pub(crate) fn new(table: Arc<Table>, blocks: Arc<BlockCache>, reading: Reading) -> Self {
        let index = || IndexCursor::new(Arc::clone(&table.index));
        let (top, below, data) = (index(), index(), BlockCursor::new(Arc::clone(&table.index)));
        let (ahead, handle, loaded) = (Ahead::default(), Handle::default(), table.is_loaded());
        Self { top, below, data, table, blocks, reading, ahead, handle, loaded }
    }

    /// Whether it stands on an item.
    #[inline]
    pub(crate) const fn is_on(&self) -> bool {
        self.data.is_on()
    }

    fn load(&mut self, handle: Handle) -> Result<Arc<Block>> {
        let reading = self.reading;
        if reading.ahead_bytes == 0 {
            return self.table.load(&self.blocks, handle, reading.fill);
        }
        let (source, number) = (&self.table.source, self.table.meta().number);
        if let Some(block) = self.blocks.find(number, handle.offset) {
            return Ok(block);
        }
        source.check(handle)?;
        if self.ahead.get(handle).is_none() {
            let rest = usize::try_from(source.end - handle.offset).unwrap_or(usize::MAX);
            // Why: on the way back what lies ahead was read already.
            let backward = handle.offset < self.ahead.offset;
            let ahead = if backward { 0 } else { reading.ahead_bytes };
            let len = ahead.max(handle.len as usize).min(rest);
            let buf = &mut self.ahead.buf;
            let result = read_exact(&*source.file, source.name, handle.offset, len, buf);
            if result.is_err() {
                buf.clear();
            }
            result?;
            self.ahead.offset = handle.offset;
        }
        let mut bytes = Vec::new();
        let read = self.ahead.get(handle).unwrap_or_default();
        bytes.try_reserve_exact(read.len())?;
        bytes.extend_from_slice(read);
        let payload = source.unseal(handle, bytes)?;
        let block = Arc::new(Block::parse(payload, source.name, handle.offset)?);
        if reading.fill {
            self.blocks.insert(number, handle.offset, &block);
        }
        Ok(block)
    }

    /// The lowest level of the index.
    fn lowest(&mut self) -> &mut IndexCursor {
        if self.table.has_two_levels() { &mut self.below } else { &mut self.top }
    }

    /// Enters the block of the index on which `top` stands; `false` if it stands on none, or there is one level.
    fn enter_below(&mut self) -> Result<bool> {
        self.below.leave();
        if !self.table.has_two_levels() {
            return Ok(false);
        }
        let Some(handle) = self.top.handle() else { return Ok(false) };
        // Why: blocks of the index are not read ahead: they stand elsewhere.
        let block = self.table.load(&self.blocks, handle, self.reading.fill)?;
        self.below.enter(block);
        Ok(true)
    }

    /// Enters the block of data on which the index stands; `false` if it stands on none.
    fn enter_data(&mut self) -> Result<bool> {
        self.data.leave();
        let Some(handle) = self.lowest().handle() else { return Ok(false) };
        if self.handle != handle {
            self.handle = Handle::default();
            let block = self.load(handle)?;
            self.data.enter(block);
            self.handle = handle;
        }
        Ok(true)
    }

    fn first_index(&mut self) -> Result<()> {
        self.top.seek_first()?;
        if self.enter_below()? { self.below.seek_first() } else { Ok(()) }
    }

    fn last_index(&mut self) -> Result<()> {
        self.top.seek_last()?;
        if self.enter_below()? { self.below.seek_last() } else { Ok(()) }
    }

    /// Goes to the block of data that covers a place; to none if the place is before all.
    fn floor_index(&mut self, place: (&[u8], u64)) -> Result<()> {
        self.top.seek_floor(&self.table.order, place)?;
        if self.enter_below()? {
            self.below.seek_floor(&self.table.order, place)?;
        }
        Ok(())
    }

    fn next_index(&mut self) -> Result<()> {
        self.lowest().next()?;
        if !self.table.has_two_levels() || self.below.is_on() {
            return Ok(());
        }
        self.top.next()?;
        if self.enter_below()? { self.below.seek_first() } else { Ok(()) }
    }

    fn prev_index(&mut self) -> Result<()> {
        self.lowest().prev()?;
        if !self.table.has_two_levels() || self.below.is_on() {
            return Ok(());
        }
        self.top.prev()?;
        if self.enter_below()? { self.below.seek_last() } else { Ok(()) }
    }

    /// Goes on to the first item of the blocks from the index's on.
    fn enter_forward(&mut self) -> Result<()> {
        while self.enter_data()? {
            self.data.seek_first()?;
            if self.data.is_on() {
                return Ok(());
            }
            self.next_index()?;
        }
        Ok(())
    }

    /// Goes back to the last item of the blocks from the index's on.
    fn enter_backward(&mut self) -> Result<()> {
        while self.enter_data()? {
            self.data.seek_last()?;
            if self.data.is_on() {
                return Ok(());
            }
            self.prev_index()?;
        }
        Ok(())
    }

    fn try_seek(&mut self, place: (&[u8], u64)) -> Result<()> {
        self.floor_index(place)?;
        if !self.enter_data()? {
            self.first_index()?;
            return self.enter_forward();
        }
        self.data.seek(&self.table.order, place)?;
        if self.data.is_on() {
            return Ok(());
        }
        self.next_index()?;
        self.enter_forward()
    }

    fn try_seek_before(&mut self, place: (&[u8], u64)) -> Result<()> {
        self.floor_index(place)?;
        if !self.enter_data()? {
            return Ok(());
        }
        self.data.seek_before(&self.table.order, place)?;
        if self.data.is_on() {
            return Ok(());
        }
        self.prev_index()?;
        self.enter_backward()
    }

    fn checked(&mut self, result: Result<()>) -> Result<()> {
        if result.is_err() {
            self.data.leave();
            self.handle = Handle::default();
        }
        result
    }
}

impl Cursor for TableCursor {
    fn seek_first(&mut self) -> Result<()> {
        let result = self.first_index().and_then(|()| self.enter_forward());
        self.checked(result)
    }

    fn seek_last(&mut self) -> Result<()> {
        let result = self.last_index().and_then(|()| self.enter_backward());
        self.checked(result)
    }

    fn seek(&mut self, key: &[u8], seq: u64) -> Result<()> {
        let result = self.try_seek((key, self.table.stored(seq)));
        self.checked(result)
    }

    fn seek_before(&mut self, key: &[u8], seq: u64) -> Result<()> {
        let result = self.try_seek_before((key, self.table.stored(seq)));
        self.checked(result)
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        let result = self.data.next();
        if result.is_ok() && self.data.is_on() {
            return Ok(());
        }
        let result = result.and_then(|()| self.next_index()).and_then(|()| self.enter_forward());
        self.checked(result)
    }

    fn prev(&mut self) -> Result<()> {
        let mut result = self.data.prev();
        if result.is_ok() && !self.data.is_on() {
            result = self.prev_index().and_then(|()| self.enter_backward());
        }
        self.checked(result)
    }

    #[inline]
    fn item(&self) -> Option<Item<'_>> {
        let item = self.data.item()?;
        Some(if self.loaded { self.table.shown(item) } else { item })
    }

    #[inline]
    fn beginning(&self) -> Option<u64> {
        self.data.beginning()
    }
}
