//! Several sources of internal items as one, in order, in both directions.
//!
//! Made by scans and compactions over memtables, tables and levels; calls their cursors.
//! Promise: every item of every source once; after an error it stands on none until it is sought again.
//! Never: judges versions; that is for who calls it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::super::key::{Cursor, Item, compare};
use crate::error::Result;
use crate::order::KeyOrder;

/// One of the cursors that are merged.
pub(crate) struct Source<C = Box<dyn Cursor>> {
    pub(crate) cursor: C,
    /// No item of it has a greater sequence; `u64::MAX` if nothing is known.
    pub(crate) newest: u64,
}

impl<C> From<C> for Source<C> {
    fn from(cursor: C) -> Self {
        Self { cursor, newest: u64::MAX }
    }
}

/// A source that stands on an item.
#[derive(Clone, Copy)]
struct Rank {
    /// Which of the sources.
    index: usize,
    /// The beginning of its key as a number that decides most comparisons, without a look at the source; in an order of
    /// one's own always the same.
    word: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

/// The merged walk.
///
/// Why a sorted ranking and no heap or tree: a step compares the winner with the runner-up first, and mostly that is
/// all, because one level holds most of the items; else a binary search among the few others finds its new rank.
pub(crate) struct MergeCursor<C = Box<dyn Cursor>> {
    order: KeyOrder,
    sources: Vec<Source<C>>,
    /// The sources that stand on an item, the one whose turn it is first.
    // Invariant: forward, each stands on its first item that is not before the winner's; backward, on its last that is
    // not after it.
    ranking: Vec<Rank>,
    direction: Direction,
    /// A copy of the place at which the direction turns, kept for its memory.
    key: Vec<u8>,
}

impl<C: Cursor> MergeCursor<C> {
    /// Of items with the same key and sequence, which do not exist normally, that of the earlier source comes first.
    pub(crate) fn new(order: KeyOrder, sources: Vec<Source<C>>) -> Result<Self> {
        let mut ranking = Vec::new();
        ranking.try_reserve_exact(sources.len())?;
        Ok(Self { order, sources, ranking, direction: Direction::Forward, key: Vec::new() })
    }

    /// Lets every source that holds nothing as new as `seq` go on to its first item at or after `to`, if it stands
    /// before; a walk forward then does not pass what a range tombstone of `seq` up to `to` covers. Only while the
    /// last move was forward. Says whether any source moved.
    pub(crate) fn skip_to(&mut self, to: &[u8], seq: u64) -> Result<bool> {
        debug_assert!(self.direction == Direction::Forward || self.ranking.is_empty());
        let order = self.order.clone();
        self.skip(|source| {
            let before = source.newest < seq
                && source.cursor.item().is_some_and(|item| order.compare(item.key, to).is_lt());
            if before {
                source.cursor.seek(to, u64::MAX)?;
            }
            Ok(before)
        })
    }

    /// The same for a walk backward: to the last item before `from`. Only while the last move was backward.
    pub(crate) fn skip_before(&mut self, from: &[u8], seq: u64) -> Result<bool> {
        debug_assert!(self.direction == Direction::Backward || self.ranking.is_empty());
        let order = self.order.clone();
        self.skip(|source| {
            let behind = source.newest < seq
                && source.cursor.item().is_some_and(|item| order.compare(item.key, from).is_ge());
            if behind {
                source.cursor.seek_before(from, u64::MAX)?;
            }
            Ok(behind)
        })
    }

    /// Moves what `step` moves and ranks anew if that was anything.
    fn skip(&mut self, mut step: impl FnMut(&mut Source<C>) -> Result<bool>) -> Result<bool> {
        let mut moved = false;
        for place in 0..self.ranking.len() {
            match step(&mut self.sources[self.ranking[place].index]) {
                Ok(one) => moved |= one,
                Err(error) => return self.fail(error),
            }
        }
        if moved {
            self.rank(self.direction);
        }
        Ok(moved)
    }

    /// Moves every source with `step` and ranks them.
    fn place(
        &mut self,
        direction: Direction,
        mut step: impl FnMut(usize, &mut C) -> Result<()>,
    ) -> Result<()> {
        for (index, source) in self.sources.iter_mut().enumerate() {
            if let Err(error) = step(index, &mut source.cursor) {
                return self.fail(error);
            }
        }
        self.rank(direction);
        Ok(())
    }

    fn fail<T>(&mut self, error: crate::error::Error) -> Result<T> {
        self.ranking.clear();
        Err(error)
    }

    fn rank(&mut self, direction: Direction) {
        self.direction = direction;
        let mut ranking = core::mem::take(&mut self.ranking);
        ranking.clear();
        // Why it does not allocate: the room for all sources was had in `new`.
        ranking.extend(self.sources.iter().enumerate().filter_map(|(index, source)| {
            source.cursor.beginning().map(|word| self.ranked(index, word))
        }));
        ranking.sort_unstable_by(|a, b| {
            if a.index == b.index {
                Ordering::Equal
            } else if self.precedes(*a, *b) {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        });
        self.ranking = ranking;
    }

    /// The rank of a source whose key begins so.
    #[inline]
    fn ranked(&self, index: usize, word: u64) -> Rank {
        Rank { index, word: if self.order.is_bytewise() { word } else { 0 } }
    }

    /// Whether the source at one rank has its turn before that at another.
    #[inline]
    fn precedes(&self, rank: Rank, other: Rank) -> bool {
        let ordering = match rank.word.cmp(&other.word) {
            Ordering::Equal => self.compare(rank.index, other.index),
            ordering => ordering,
        };
        match self.direction {
            Direction::Forward => ordering.is_lt(),
            Direction::Backward => ordering.is_gt(),
        }
    }

    /// How the places of two sources compare, and where they are equal, the sources.
    fn compare(&self, index: usize, other: usize) -> Ordering {
        let items = [index, other].map(|index| self.sources[index].cursor.item());
        let [Some(one), Some(two)] = items else {
            debug_assert!(false, "a source without an item has no rank");
            return Ordering::Equal;
        };
        compare(&self.order, (one.key, one.seq), (two.key, two.seq)).then(index.cmp(&other))
    }

    /// Finds the rank of the winner after it moved.
    #[inline]
    fn settle(&mut self) {
        let index = self.ranking[0].index;
        let Some(word) = self.sources[index].cursor.beginning() else {
            self.ranking.remove(0);
            return;
        };
        let winner = self.ranked(index, word);
        self.ranking[0] = winner;
        let Some(runner_up) = self.ranking.get(1) else { return };
        if !self.precedes(*runner_up, winner) {
            return;
        }
        let others = &self.ranking[2..];
        let ahead = 1 + others.partition_point(|other| self.precedes(*other, winner));
        self.ranking[..=ahead].rotate_left(1);
    }

    /// Moves the winner one item, in the direction that all sources stand in.
    #[inline]
    fn step(&mut self) -> Result<()> {
        let Some(winner) = self.ranking.first() else { return Ok(()) };
        let cursor = &mut self.sources[winner.index].cursor;
        let moved = match self.direction {
            Direction::Forward => cursor.next(),
            Direction::Backward => cursor.prev(),
        };
        match moved {
            Ok(()) => self.settle(),
            Err(error) => return self.fail(error),
        }
        Ok(())
    }

    /// Moves all sources but the winner to the other side of its item.
    ///
    /// Why by seeking and not by one step back: a memtable may have grown since, and the neighbour of an item is then
    /// no longer what it was.
    fn turn(&mut self, direction: Direction) -> Result<()> {
        let Some(winner) = self.ranking.first().map(|rank| rank.index) else { return Ok(()) };
        let Some(item) = self.sources[winner].cursor.item() else { return Ok(()) };
        let seq = item.seq;
        let mut key = core::mem::take(&mut self.key);
        key.clear();
        if let Err(error) = key.try_reserve(item.key.len()) {
            return self.fail(error.into());
        }
        key.extend_from_slice(item.key);
        // Why `beyond`: an equal item of an earlier source lies before the winner's, of a later one behind it.
        let beyond = seq.saturating_sub(1);
        let turned = self.place(direction, |index, cursor| {
            let seq = if index < winner { beyond } else { seq };
            match direction {
                _ if index == winner => Ok(()),
                Direction::Forward => cursor.seek(&key, seq),
                Direction::Backward => cursor.seek_before(&key, seq),
            }
        });
        self.key = key;
        turned
    }
}

impl<C: Cursor> Cursor for MergeCursor<C> {
    fn seek_first(&mut self) -> Result<()> {
        self.place(Direction::Forward, |_, cursor| cursor.seek_first())
    }

    fn seek_last(&mut self) -> Result<()> {
        self.place(Direction::Backward, |_, cursor| cursor.seek_last())
    }

    fn seek(&mut self, key: &[u8], seq: u64) -> Result<()> {
        self.place(Direction::Forward, |_, cursor| cursor.seek(key, seq))
    }

    fn seek_before(&mut self, key: &[u8], seq: u64) -> Result<()> {
        self.place(Direction::Backward, |_, cursor| cursor.seek_before(key, seq))
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        if self.direction == Direction::Backward {
            self.turn(Direction::Forward)?;
        }
        self.step()
    }

    #[inline]
    fn prev(&mut self) -> Result<()> {
        if self.direction == Direction::Forward {
            self.turn(Direction::Backward)?;
        }
        self.step()
    }

    #[inline]
    fn item(&self) -> Option<Item<'_>> {
        self.sources[self.ranking.first()?.index].cursor.item()
    }
}
