//! Internal keys, and the walk over them that every source of entries offers. Pure.
//!
//! The order of everything in this layout: user keys as the store's order says, and of one key the newest version first.

use alloc::boxed::Box;
use core::cmp::Ordering;

use crate::codec::word;
use crate::error::Result;
use crate::order::KeyOrder;
use crate::record::EntryKind;

/// One version of one key, borrowed from the source that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item<'a> {
    pub(crate) key: &'a [u8],
    /// No two versions of a key have the same sequence.
    pub(crate) seq: u64,
    /// `Put`, `PutUntil` or `Tombstone`.
    pub(crate) kind: EntryKind,
    /// Empty for a tombstone.
    pub(crate) value: &'a [u8],
    /// For `PutUntil`, else 0.
    pub(crate) expires_ms: u64,
}

/// Compares two places: a key before a greater key, and within one key a greater sequence first.
#[inline]
pub(crate) fn compare(order: &KeyOrder, a: (&[u8], u64), b: (&[u8], u64)) -> Ordering {
    order.compare(a.0, b.0).then_with(|| b.1.cmp(&a.1))
}

/// A walk over the items of one source, in both directions.
///
/// A cursor stands on an item or on none; a new one stands on none. After an error it stands on none.
pub(crate) trait Cursor: Send {
    /// Goes to the first item.
    fn seek_first(&mut self) -> Result<()>;

    /// Goes to the last item.
    fn seek_last(&mut self) -> Result<()>;

    /// Goes to the first item at or after the place (`key`, `seq`): the newest version of `key` that is not newer than
    /// `seq`, else the newest version of the next key.
    fn seek(&mut self, key: &[u8], seq: u64) -> Result<()>;

    /// Goes to the last item before the place (`key`, `seq`).
    fn seek_before(&mut self, key: &[u8], seq: u64) -> Result<()>;

    /// Goes one item on; from the last to none. Only while it stands on an item.
    fn next(&mut self) -> Result<()>;

    /// Goes one item back; from the first to none. Only while it stands on an item.
    fn prev(&mut self) -> Result<()>;

    /// The item it stands on.
    fn item(&self) -> Option<Item<'_>>;

    /// The beginning of its key, as `codec::word` says; any number in an order of one's own. Why: it decides most
    /// comparisons byte by byte, and costs less than an item.
    #[inline]
    fn beginning(&self) -> Option<u64> {
        self.item().map(|item| word(item.key))
    }
}

impl<C: Cursor + ?Sized> Cursor for Box<C> {
    fn seek_first(&mut self) -> Result<()> {
        (**self).seek_first()
    }

    fn seek_last(&mut self) -> Result<()> {
        (**self).seek_last()
    }

    fn seek(&mut self, key: &[u8], seq: u64) -> Result<()> {
        (**self).seek(key, seq)
    }

    fn seek_before(&mut self, key: &[u8], seq: u64) -> Result<()> {
        (**self).seek_before(key, seq)
    }

    fn next(&mut self) -> Result<()> {
        (**self).next()
    }

    fn prev(&mut self) -> Result<()> {
        (**self).prev()
    }

    fn item(&self) -> Option<Item<'_>> {
        (**self).item()
    }

    fn beginning(&self) -> Option<u64> {
        (**self).beginning()
    }
}
