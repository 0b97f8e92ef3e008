//! A walk over the entries of one block of an index. Pure.
//!
//! Called by the cursor of a table; calls `block`.
//! Promise: it stands on an entry, whose handle is read, or on none; after an error on none. Every key of an index is
//! stored whole, so that an entry is known by its number and no key is put together.
//! Never: reads a file.

use alloc::sync::Arc;

use super::block::Block;
use super::format::Handle;
use crate::error::Result;
use crate::order::KeyOrder;

/// Stands on an entry or on none.
pub(super) struct IndexCursor {
    block: Arc<Block>,
    /// The entry it stands on, and the block that this names.
    at: Option<(usize, Handle)>,
}

impl IndexCursor {
    pub(super) const fn new(block: Arc<Block>) -> Self {
        Self { block, at: None }
    }

    /// Goes over to another block and stands on none of its entries.
    pub(super) fn enter(&mut self, block: Arc<Block>) {
        *self = Self::new(block);
    }

    pub(super) const fn leave(&mut self) {
        self.at = None;
    }

    pub(super) const fn is_on(&self) -> bool {
        self.at.is_some()
    }

    /// The block that the entry names on which it stands.
    pub(super) fn handle(&self) -> Option<Handle> {
        self.at.map(|(_, handle)| handle)
    }

    /// Stands on an entry, if there is one so far.
    fn stand(&mut self, index: Option<usize>) -> Result<()> {
        self.at = None;
        if let Some(index) = index.filter(|index| *index < self.block.restarts()) {
            self.at = Some((index, self.block.handle(index)?));
        }
        Ok(())
    }

    pub(super) fn seek_first(&mut self) -> Result<()> {
        self.stand(Some(0))
    }

    pub(super) fn seek_last(&mut self) -> Result<()> {
        self.stand(self.block.restarts().checked_sub(1))
    }

    /// Goes to the last entry at or before `place`, or to none.
    pub(super) fn seek_floor(&mut self, order: &KeyOrder, place: (&[u8], u64)) -> Result<()> {
        self.at = None;
        let index = self.block.floor(order, place)?;
        self.stand(index)
    }

    /// Goes to the next entry, or to none.
    pub(super) fn next(&mut self) -> Result<()> {
        self.stand(self.at.map(|(index, _)| index + 1))
    }

    /// Goes to the entry before, or to none.
    pub(super) fn prev(&mut self) -> Result<()> {
        self.stand(self.at.and_then(|(index, _)| index.checked_sub(1)))
    }
}
