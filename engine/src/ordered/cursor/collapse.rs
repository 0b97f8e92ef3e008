//! Which versions and range tombstones a flush or a compaction keeps.
//!
//! Made by flush and compaction over the merged cursor of their inputs; asks `Older` about the levels below the output.
//! Promise: every open snapshot, and every later reader, sees the same before and after; of what nobody can see only
//! the tombstones stay that still hide something older.
//! Never: reorders items, seeks, or does unbounded work in one call.

use alloc::vec::Vec;

use super::super::key::{Cursor, Item};
use super::super::range::{Ranges, Walk};
use crate::error::{Error, Result};
use crate::order::KeyOrder;
use crate::record::EntryKind;

/// The levels below the output, without the inputs.
///
/// What it says of a key and of ranges must agree: if it holds a key, it holds something in every range around it.
/// It may say `true` too often.
pub(crate) trait Older: Send {
    /// Whether a version of `key` may lie there.
    fn holds(&mut self, key: &[u8]) -> bool;

    /// Whether a version of any key from `from` up to, and without, `to` may lie there.
    fn holds_any(&mut self, from: &[u8], to: &[u8]) -> bool;
}

/// What one call of [`Collapse::next`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pull<'a> {
    /// An item that stays.
    Item(Item<'a>),
    /// A bounded number of items was read and none of them stays: call again.
    More,
    /// There are no more items.
    End,
}

/// The readers that there are, and what time it is for dropping.
///
/// ```text
/// sequences   1 ...... 20 | 21 ...... 35 | 36 ......
/// snapshots            20             35
/// stripe          0             1             2
/// ```
///
/// All readers of one stripe see the same: of one key only the newest version of each stripe can be seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readers {
    /// The sequences of the open snapshots, ascending. Who reads now, or later, is beyond the last.
    pub(crate) snapshots: Vec<u64>,
    /// Entries that expire at this time, in ms since 1970, or before are gone for every reader.
    pub(crate) expired_ms: u64,
}

impl Readers {
    fn stripe(&self, seq: u64) -> usize {
        self.snapshots.partition_point(|snapshot| *snapshot < seq)
    }

    /// The greatest sequence of a stripe.
    fn end(&self, stripe: usize) -> u64 {
        self.snapshots.get(stripe).copied().unwrap_or(u64::MAX)
    }
}

/// The items of all inputs that stay.
pub(crate) struct Collapse<C, O> {
    cursor: C,
    state: State,
    items: u64,
    bytes: u64,
    rules: Rules<O>,
}

#[derive(Clone, Copy)]
enum State {
    Fresh,
    /// The cursor stands on the item that was read last.
    Reading,
    Ended,
    /// Why it is kept: a cursor that failed stands on none, and that must not pass for the end of the inputs.
    Failed(Error),
}

/// How many items, and about how many bytes, one call reads at most before it returns.
const ITEMS_MAX: u64 = 256;
const BYTES_MAX: u64 = 256 << 10;

impl<C: Cursor, O: Older> Collapse<C, O> {
    /// `cursor` walks all inputs, `ranges` are all their range tombstones.
    pub(crate) fn new(
        order: KeyOrder,
        cursor: C,
        ranges: Ranges,
        readers: Readers,
        older: O,
    ) -> Self {
        debug_assert!(readers.snapshots.is_sorted(), "snapshots are sorted");
        let (key, walk) = (Vec::new(), Walk::default());
        let rules = Rules { order, ranges, readers, older, walk, key, decided: None };
        Self { cursor, state: State::Fresh, items: 0, bytes: 0, rules }
    }

    /// The next item that stays; an expired one comes as the tombstone that it has become. After an error every call
    /// gives the same error: begin anew.
    pub(crate) fn next(&mut self) -> Result<Pull<'_>> {
        match self.find() {
            Ok(Found::Item { buried }) => Ok(self.standing(buried)),
            Ok(Found::More) => Ok(Pull::More),
            Ok(Found::End) => Ok(Pull::End),
            Err(error) => {
                self.state = State::Failed(error);
                Err(error)
            }
        }
    }

    fn find(&mut self) -> Result<Found> {
        let (items, bytes) = (self.items, self.bytes);
        while self.items - items < ITEMS_MAX && self.bytes - bytes < BYTES_MAX {
            match self.state {
                State::Fresh => self.cursor.seek_first()?,
                State::Reading => self.cursor.next()?,
                State::Ended => return Ok(Found::End),
                State::Failed(error) => return Err(error),
            }
            let Some(item) = self.cursor.item() else {
                self.state = State::Ended;
                return Ok(Found::End);
            };
            self.state = State::Reading;
            self.items += 1;
            self.bytes += (item.key.len() + item.value.len()) as u64;
            match self.rules.verdict(&item)? {
                Verdict::Keep => return Ok(Found::Item { buried: false }),
                Verdict::Bury => return Ok(Found::Item { buried: true }),
                Verdict::Drop => {}
            }
        }
        Ok(Found::More)
    }

    fn standing(&self, buried: bool) -> Pull<'_> {
        match self.cursor.item() {
            Some(item) if buried => {
                Pull::Item(Item { kind: EntryKind::Tombstone, value: &[], expires_ms: 0, ..item })
            }
            Some(item) => Pull::Item(item),
            None => Pull::End,
        }
    }

    /// The range tombstones that stay, in pieces that are as large as they can be: clip them to the bounds of each table.
    pub(crate) fn ranges(&mut self) -> Result<Ranges> {
        self.rules.ranges()
    }

    /// How many items were read so far.
    #[cfg(test)]
    pub(crate) fn items_read(&self) -> u64 {
        self.items
    }

    /// How many bytes of keys and values were read so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes
    }
}

/// A [`Pull`] before the item is borrowed.
enum Found {
    Item { buried: bool },
    More,
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Keep,
    /// A tombstone stays in its place.
    Bury,
    Drop,
}

/// Decides, without reading anything but what it is given.
struct Rules<O> {
    order: KeyOrder,
    ranges: Ranges,
    readers: Readers,
    older: O,
    walk: Walk,
    /// The key that the last verdict was about.
    key: Vec<u8>,
    /// The last of its stripes whose newest version was met; `None` before any key.
    decided: Option<usize>,
}

impl<O: Older> Rules<O> {
    fn verdict(&mut self, item: &Item<'_>) -> Result<Verdict> {
        let stripe = self.readers.stripe(item.seq);
        let known = self.decided.is_some() && item.key == &self.key[..];
        if known && self.decided == Some(stripe) {
            return Ok(Verdict::Drop);
        }
        if !known {
            self.key.clear();
            self.key.try_reserve(item.key.len())?;
            self.key.extend_from_slice(item.key);
        }
        self.decided = Some(stripe);
        let end = self.readers.end(stripe);
        if self.walk.covering(&self.ranges, &self.order, item.key, end) > item.seq {
            return Ok(Verdict::Drop);
        }
        let gone = match item.kind {
            EntryKind::Put => false,
            EntryKind::PutUntil => item.expires_ms <= self.readers.expired_ms,
            _ => true,
        };
        if !gone {
            return Ok(Verdict::Keep);
        }
        // Why only in the oldest stripe: above it, the version of an older stripe, which stays, would come to light.
        let needed = stripe > 0 || self.older.holds(item.key);
        Ok(if needed { Verdict::Bury } else { Verdict::Drop })
    }

    /// Of each fragment and stripe the greatest sequence, and in the oldest stripe none where nothing older lies.
    fn ranges(&mut self) -> Result<Ranges> {
        let (readers, older) = (&self.readers, &mut self.older);
        self.ranges.retain(|fragment, seq, above| {
            let stripe = readers.stripe(seq);
            let shadowed = above.is_some_and(|above| readers.stripe(above) == stripe);
            !shadowed && (stripe > 0 || older.holds_any(fragment.from, fragment.to))
        })
    }
}
