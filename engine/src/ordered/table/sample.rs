//! The beginnings of some keys of a block as numbers: where a search begins without reading one entry after another. Pure.
//!
//! Called by `block`, which makes them when a block comes into memory to be searched, in the order byte by byte only.
//! Promise: of a block that is as the builder makes them it says what the entries say; of any other block it says
//! something. Never: is stored, compares whole keys.
//!
//! ```text
//! keys      ab|key-0001|x   ab|key-0002|x   ab|key-0002|y   ab|key-0004|
//!           prefix, number of eight bytes, rest
//! ```
//!
//! Why: a search over numbers that stand together waits for memory twice or three times, a walk from a restart point once
//! for every entry, because only an entry says where the next one begins.

use alloc::vec::Vec;

use crate::codec::word;

/// Bytes of a number.
pub(super) const WORD_BYTES: usize = size_of::<u64>();

/// What is kept of one block; empty if nothing is.
#[derive(Debug, Default)]
pub(super) struct Samples {
    /// So many bytes all keys of the block have in common at their beginning; perhaps more, which does not matter.
    pub(super) prefix_len: usize,
    // Invariant: ascending, and as long as `places`.
    words: Vec<u64>,
    places: Vec<u32>,
    /// How many entries there are, those without a number included.
    entries: usize,
}

impl Samples {
    /// None yet, of a block whose keys have so many bytes in common, with room for `most`.
    pub(super) fn new(prefix_len: usize, most: usize) -> Option<Self> {
        let (mut words, mut places) = (Vec::new(), Vec::new());
        words.try_reserve(most).ok()?;
        places.try_reserve(most).ok()?;
        Some(Self { prefix_len, words, places, entries: 0 })
    }

    /// The number of a key that shares `shared` bytes with the key before, which had the number `before`, and goes on
    /// with `tail`.
    #[inline]
    pub(super) fn word_after(&self, before: u64, shared: usize, tail: &[u8]) -> u64 {
        let kept = shared.saturating_sub(self.prefix_len);
        if kept >= WORD_BYTES {
            return before;
        }
        let tail = tail.get(self.prefix_len.saturating_sub(shared)..).unwrap_or_default();
        let low = u64::MAX >> (8 * kept);
        before & !low | word(tail) >> (8 * kept)
    }

    /// Counts an entry at `place`, and keeps its number if it is `wanted`; `None` if it cannot.
    #[inline]
    pub(super) fn push(&mut self, word: u64, place: usize, wanted: bool) -> Option<()> {
        self.entries += 1;
        if wanted {
            // Why: who searches relies on their order.
            if self.words.last().is_some_and(|last| *last > word) {
                return None;
            }
            self.words.try_reserve(1).ok()?;
            self.places.try_reserve(1).ok()?;
            self.words.push(word);
            self.places.push(u32::try_from(place).ok()?);
        }
        Some(())
    }

    /// The same in as little memory as it needs; `None` if there is too little to copy it.
    pub(super) fn packed(&self) -> Option<Self> {
        let (mut words, mut places) = (Vec::new(), Vec::new());
        words.try_reserve_exact(self.words.len()).ok()?;
        places.try_reserve_exact(self.places.len()).ok()?;
        words.extend_from_slice(&self.words);
        places.extend_from_slice(&self.places);
        Some(Self { words, places, ..*self })
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub(super) const fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether every entry has a number here.
    pub(super) const fn has_all(&self) -> bool {
        self.words.len() == self.entries
    }

    /// The number and the place of the entry at `index`.
    #[inline]
    pub(super) fn at(&self, index: usize) -> Option<(u64, usize)> {
        Some((*self.words.get(index)?, *self.places.get(index)? as usize))
    }

    /// How many numbers are less than `word`: their keys come before every key with it.
    #[inline]
    pub(super) fn before(&self, word: u64) -> usize {
        self.words.partition_point(|other| *other < word)
    }

    /// How many of the numbers from `index` on are `word`; at most `most`.
    #[inline]
    pub(super) fn equal(&self, index: usize, word: u64, most: usize) -> usize {
        let rest = self.words.get(index..).unwrap_or_default();
        rest.iter().take(most).take_while(|other| **other == word).count()
    }

    /// Bytes of memory besides its own.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.words.capacity() * WORD_BYTES + self.places.capacity() * size_of::<u32>()
    }
}
