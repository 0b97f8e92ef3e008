//! One block: entries in order, each key stored without what it shares with the key before it. Pure.
//!
//! Called by the reader and its cursor, which search and walk what `builder` made; docs/format.md, section 10.2. Data, index
//! and range tombstones are stored in blocks of this one form.
//! Promise: whatever the bytes are, a walk ends, and what cannot be read is an error that names the block.
//! Never: reads a file, checks a checksum.

use alloc::vec::Vec;
use core::ops::Deref;

use super::builder::common;
use super::format::{Handle, kind_of, varint};
use super::sample::Samples;
use crate::codec::word;
use crate::error::{Damage, Error, FileName, Result};
use crate::limits;
use crate::log::corrupt;
use crate::order::KeyOrder;
use crate::ordered::key::{Item, compare};
use crate::record::EntryKind;

/// The payload of a block in memory, and where it came from.
#[derive(Debug)]
pub(crate) struct Block {
    bytes: Vec<u8>,
    /// Where the entries end and the restart points begin.
    end: usize,
    restarts: usize,
    samples: Samples,
    name: FileName,
    offset: u64,
}

/// An entry that begins so many bytes behind the last one with a sample, or more, has one too, as has every restart point:
/// a line or two of the processor's cache are left to walk over, and in a block of data samples take a fifth at most.
const SAMPLE_BYTES: usize = 64;
/// Only so many entries with one number are walked over; a search by keys is quicker then.
const EQUAL_MAX: usize = 16;

/// Where the parts of one entry are.
struct Parts {
    shared: usize,
    key_at: usize,
    value_at: usize,
    end: usize,
    kind: EntryKind,
    seq: u64,
    expires_ms: u64,
}

impl Block {
    /// Takes the payload of the block at `offset` of the file `name`, whose checksum was right.
    pub(super) fn parse(bytes: Vec<u8>, name: FileName, offset: u64) -> Result<Self> {
        let samples = Samples::default();
        let mut block = Self { bytes, end: 0, restarts: 0, samples, name, offset };
        block.locate().ok_or(block.damaged(Damage::Length))?;
        Ok(block)
    }

    /// Finds the restart points. Invariant from here on: the first is 0, they ascend, all are before `end`.
    fn locate(&mut self) -> Option<()> {
        let (rest, count) = self.bytes.split_last_chunk::<4>()?;
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        self.end = rest.len().checked_sub(count.checked_mul(4)?)?;
        self.restarts = count;
        let mut next = 0;
        for restart in self.bytes[self.end..].as_chunks::<4>().0.iter().take(count) {
            let restart = usize::try_from(u32::from_le_bytes(*restart)).ok()?;
            let fits = if next == 0 { restart == 0 } else { restart >= next };
            if !fits || restart >= self.end {
                return None;
            }
            next = restart + 1;
        }
        (count > 0 || self.end == 0).then_some(())
    }

    /// The same block, quick to search in the order byte by byte. Without the memory for that it stays as it is, and so
    /// does a block that no builder makes.
    pub(super) fn sampled(mut self) -> Self {
        self.samples = self.sample().unwrap_or_default();
        self
    }

    fn sample(&self) -> Option<Samples> {
        let (mut at, mut next, mut word) = (0, 0, 0);
        let most = (self.end / SAMPLE_BYTES + 1).max(self.restarts);
        let mut samples = Samples::new(self.common_prefix()?, most)?;
        while at < self.end {
            let parts = self.read_parts(at)?;
            word = samples.word_after(word, parts.shared, self.tail(&parts));
            // Why restart points too: in an index they are all entries, and numbers alone then say where they are.
            let wanted = at >= next || parts.shared == 0;
            samples.push(word, at, wanted)?;
            next = if wanted { at + SAMPLE_BYTES } else { next };
            at = parts.end;
        }
        samples.packed()
    }

    /// How many bytes all keys have in common, rounded down to a multiple of four: so where keys are random nothing has to
    /// be compared before their numbers.
    fn common_prefix(&self) -> Option<usize> {
        let first = self.read_parts(0)?;
        let mut parts = self.read_parts(self.restart(self.restarts.checked_sub(1)?))?;
        let mut len = common(self.tail(&first), self.tail(&parts));
        while parts.end < self.end {
            parts = self.read_parts(parts.end)?;
            len = len.min(parts.shared);
        }
        Some(len / 4 * 4)
    }

    /// How many samples come before `key` for sure, and how many more may: their keys begin as it does.
    #[inline]
    fn samples_about(&self, key: &[u8]) -> (usize, usize) {
        let samples = &self.samples;
        let mut rest = key;
        if samples.prefix_len > 0 {
            let prefix = self.prefix();
            match key.strip_prefix(prefix) {
                Some(behind) => rest = behind,
                None if key < prefix => return (0, 0),
                None => return (samples.len(), 0),
            }
        }
        let word = word(rest);
        let before = samples.before(word);
        (before, samples.equal(before, word, EQUAL_MAX + 1))
    }

    /// What all keys begin with, as far as samples leave it out.
    fn prefix(&self) -> &[u8] {
        let at = self.read_parts(0).map_or(0, |parts| parts.key_at);
        self.bytes.get(at..at + self.samples.prefix_len).unwrap_or_default()
    }

    /// What the key of an entry does not share.
    #[inline]
    fn tail(&self, parts: &Parts) -> &[u8] {
        &self.bytes[parts.key_at..parts.value_at]
    }

    /// How many restart points there are: of a block in which every key is stored whole, how many entries.
    pub(super) const fn restarts(&self) -> usize {
        self.restarts
    }

    /// Whether it is as the builder makes them: each restart point is an entry stored whole, every other entry shares all
    /// that it can. Searches and walks back rely on it.
    pub(super) fn check(&self) -> Result<()> {
        let (mut at, mut met, mut key) = (0, 0, Vec::new());
        while at < self.end {
            let parts = self.parts(at)?;
            let tail = self.tail(&parts);
            let whole = met < self.restarts && self.restart(met) == at;
            let rest = key.get(parts.shared..);
            let most = rest.is_some_and(|rest| common(rest, tail) == 0);
            if !(if whole { parts.shared == 0 } else { most }) {
                return Err(self.damaged(Damage::Key));
            }
            key.truncate(parts.shared);
            key.try_reserve(tail.len())?;
            key.extend_from_slice(tail);
            met += usize::from(whole);
            at = parts.end;
        }
        if met == self.restarts { Ok(()) } else { Err(self.damaged(Damage::Length)) }
    }

    /// Bytes of memory that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.samples.memory_bytes() + size_of::<Self>()
    }

    fn damaged(&self, what: Damage) -> Error {
        corrupt(self.name, self.offset, self.bytes.len() as u64, what)
    }

    #[inline]
    fn restart(&self, index: usize) -> usize {
        let at = self.end + 4 * index;
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.bytes[at..at + 4]);
        u32::from_le_bytes(bytes) as usize
    }

    /// How many restart points are before `at`.
    fn restarts_before(&self, at: usize) -> usize {
        let (mut low, mut high) = (0, self.restarts);
        while low < high {
            let middle = low.midpoint(high);
            if self.restart(middle) < at { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// How many restart points have a place that is `less`, which holds for a beginning of the block.
    #[inline]
    fn restarts_where(&self, less: impl Fn((&[u8], u64)) -> bool) -> Result<usize> {
        let (mut low, mut high) = (0, self.restarts);
        while low < high {
            let middle = low.midpoint(high);
            let parts = self.parts(self.restart(middle))?;
            if parts.shared != 0 {
                return Err(self.damaged(Damage::Length));
            }
            let key = self.tail(&parts);
            if less((key, parts.seq)) { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// How many entries have a place that is `less`, of a block in which every key is stored whole. What is `less` is so by
    /// a place with this key.
    #[inline]
    fn entries_where(&self, key: &[u8], less: impl Fn((&[u8], u64)) -> bool) -> Result<usize> {
        let (before, about) = self.samples_about(key);
        let numbered = self.samples.len() == self.restarts && self.samples.has_all();
        if !numbered || about > EQUAL_MAX {
            return self.restarts_where(less);
        }
        for index in before..before + about {
            let parts = self.parts(self.restart(index))?;
            if !less((self.tail(&parts), parts.seq)) {
                return Ok(index);
            }
        }
        Ok(before + about)
    }

    /// Which is the last entry at or before `place` of a block in which every key is stored whole.
    pub(super) fn floor(&self, order: &KeyOrder, place: (&[u8], u64)) -> Result<Option<usize>> {
        let count = self.entries_where(place.0, |at| compare(order, at, place).is_le())?;
        Ok(count.checked_sub(1))
    }

    /// The block that an entry of such a block, an index, names.
    pub(super) fn handle(&self, index: usize) -> Result<Handle> {
        let damaged = || self.damaged(Damage::Length);
        let parts = self.decode(self.restart(index)).ok_or_else(damaged)?;
        let next = if index + 1 < self.restarts { self.restart(index + 1) } else { self.end };
        if parts.shared != 0 || parts.end != next {
            return Err(damaged());
        }
        Handle::decode_at(&self.bytes, parts.value_at, parts.end).ok_or_else(damaged)
    }

    /// The first entry at or after `place`, if it has the key of the place; for the order byte by byte.
    pub(super) fn find<'a>(&'a self, (key, seq): (&'a [u8], u64)) -> Result<Option<Item<'a>>> {
        let samples = &self.samples;
        if samples.is_empty() {
            return self.find_by_keys((key, seq));
        }
        let (before, about) = self.samples_about(key);
        if about > EQUAL_MAX || !samples.has_all() {
            return self.find_by_keys((key, seq));
        }
        match samples.at(before) {
            // Invariant: the entry's number is that of the key, and the one before has a lower one. So what they share
            // is within the prefix and the number, and the key has it too.
            Some((_, at)) if about > 0 => self.find_from(at, None, (key, seq)),
            _ => Ok(None),
        }
    }

    /// The same without samples.
    fn find_by_keys<'a>(&'a self, place: (&'a [u8], u64)) -> Result<Option<Item<'a>>> {
        let count = self.restarts_where(|at| compare(&KeyOrder::Bytewise, at, place).is_lt())?;
        let at = if self.restarts == 0 { 0 } else { self.restart(count.saturating_sub(1)) };
        self.find_from(at, Some(0), place)
    }

    /// The same from the entry at `at`. `same` is how many bytes the key before it has in common with the key that is
    /// looked for; `None`: as many as with its own.
    ///
    /// Why: no key is put together; as the keys ascend and share as much as they can, `same` mostly decides alone.
    fn find_from<'a>(
        &'a self,
        mut at: usize,
        same: Option<usize>,
        (key, seq): (&'a [u8], u64),
    ) -> Result<Option<Item<'a>>> {
        let mut known = same;
        while at < self.end {
            let parts = self.decode(at).ok_or_else(|| self.damaged(Damage::Length))?;
            let mut same = known.unwrap_or(parts.shared);
            // Why: a restart point is whole, whatever it has in common with the key before it.
            if parts.shared == 0 {
                same = 0;
            }
            at = parts.end;
            known = Some(same);
            if parts.shared > same {
                continue;
            }
            if parts.shared < same {
                return Ok(None);
            }
            let (tail, Some(rest)) = (self.tail(&parts), key.get(same..)) else { return Ok(None) };
            let more = common(tail, rest);
            match (tail.get(more), rest.get(more)) {
                (None, None) if parts.seq <= seq => {
                    let value = &self.bytes[parts.value_at..parts.end];
                    let (kind, expires_ms) = (parts.kind, parts.expires_ms);
                    return Ok(Some(Item { key, seq: parts.seq, kind, value, expires_ms }));
                }
                (Some(a), Some(b)) if a > b => return Ok(None),
                (Some(_), None) => return Ok(None),
                _ => known = Some(same + more),
            }
        }
        Ok(None)
    }

    fn parts(&self, at: usize) -> Result<Parts> {
        self.read_parts(at).ok_or_else(|| self.damaged(Damage::Length))
    }

    fn read_parts(&self, at: usize) -> Option<Parts> {
        self.decode(at)
    }

    /// Reads the entry at `at`. Why always copied into its caller: steps of scans and gets run through it, and to hand over
    /// its result takes a quarter of it.
    #[inline(always)]
    fn decode(&self, mut at: usize) -> Option<Parts> {
        let bytes = &self.bytes[..self.end];
        let (shared, key_len) = match bytes.get(at..)?.first_chunk() {
            // Why: keys are short mostly, and two comparisons fewer for every entry are felt.
            Some([shared, key_len]) if (shared | key_len) < 0x80 => {
                at += 2;
                (usize::from(*shared), usize::from(*key_len))
            }
            _ => self.long_lengths(&mut at)?,
        };
        let value_len = usize::try_from(varint(bytes, &mut at)?).ok()?;
        let kind = kind_of(*bytes.get(at)?)?;
        at += 1;
        let seq = varint(bytes, &mut at)?.wrapping_sub(1);
        let mut expires_ms = 0;
        if kind == EntryKind::PutUntil {
            expires_ms = u64::from_le_bytes(*bytes.get(at..)?.first_chunk::<8>()?);
            at += 8;
        }
        let value_at = at.checked_add(key_len)?;
        let end = value_at.checked_add(value_len)?;
        if end > bytes.len() {
            return None;
        }
        Some(Parts { shared, key_at: at, value_at, end, kind, seq, expires_ms })
    }

    /// The lengths that an entry begins with, where one of them takes more than a byte.
    #[cold]
    fn long_lengths(&self, at: &mut usize) -> Option<(usize, usize)> {
        let bytes = &self.bytes[..self.end];
        let shared = usize::try_from(varint(bytes, at)?).ok()?;
        let key_len = usize::try_from(varint(bytes, at)?).ok()?;
        let long = shared.checked_add(key_len)? > limits::KEY_BYTES_MAX;
        if long { None } else { Some((shared, key_len)) }
    }
}

/// A walk over the entries of one block; it stands on an entry or on none.
pub(super) struct BlockCursor<B> {
    block: B,
    /// The whole key of the entry that was read last.
    key: Vec<u8>,
    at: usize,
    next: usize,
    value: (usize, usize),
    kind: EntryKind,
    seq: u64,
    expires_ms: u64,
    on: bool,
}

impl<B: Deref<Target = Block>> BlockCursor<B> {
    pub(super) fn new(block: B) -> Self {
        let (key, value, kind) = (Vec::new(), (0, 0), EntryKind::Put);
        Self { block, key, at: 0, next: 0, value, kind, seq: 0, expires_ms: 0, on: false }
    }

    /// Goes over to another block and stands on none of its entries.
    pub(super) fn enter(&mut self, block: B) {
        self.block = block;
        self.on = false;
    }

    pub(super) fn leave(&mut self) {
        self.on = false;
    }

    pub(super) const fn is_on(&self) -> bool {
        self.on
    }

    /// Where the entry that was read last begins, in bytes from the start of the payload.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Where that entry ends.
    pub(super) const fn end(&self) -> usize {
        self.next
    }

    /// Goes behind the last entry: a step forward then finds no more.
    pub(super) fn finish(&mut self) {
        (self.on, self.next) = (false, self.block.end);
    }

    /// A cursor over the same block that stands on no entry.
    pub(super) fn again(&self) -> Self
    where
        B: Clone,
    {
        Self::new(self.block.clone())
    }

    #[inline]
    pub(super) fn item(&self) -> Option<Item<'_>> {
        if !self.on {
            // Why first: what is known of the last entry may be of a block that it has left.
            return None;
        }
        let value = &self.block.bytes[self.value.0..self.value.1];
        let (kind, seq, expires_ms) = (self.kind, self.seq, self.expires_ms);
        Some(Item { key: &self.key, seq, kind, value, expires_ms })
    }

    /// The beginning of the key of that entry, as `codec::word` says.
    #[inline]
    pub(super) fn beginning(&self) -> Option<u64> {
        if self.on { Some(word(&self.key)) } else { None }
    }

    /// An error that says that the entry it stands on cannot be right.
    pub(super) fn damaged(&self, what: Damage) -> Error {
        self.block.damaged(what)
    }

    /// Reads the entry at `next`; the key before it is in `key`.
    #[inline]
    fn step(&mut self) -> Result<()> {
        self.on = false;
        let parts = match self.block.decode(self.next) {
            Some(parts) if parts.shared <= self.key.len() => parts,
            _ => return Err(self.damaged(Damage::Length)),
        };
        let tail = &self.block.bytes[parts.key_at..parts.value_at];
        match self.key.get_mut(parts.shared..) {
            // Why: keys of one length are common, and to write over the old one is quicker than to shrink and grow.
            Some(rest) if rest.len() == tail.len() => rest.copy_from_slice(tail),
            _ => {
                self.key.truncate(parts.shared);
                self.key.try_reserve(tail.len())?;
                self.key.extend_from_slice(tail);
            }
        }
        (self.at, self.next) = (self.next, parts.end);
        self.value = (parts.value_at, parts.end);
        (self.kind, self.seq, self.expires_ms) = (parts.kind, parts.seq, parts.expires_ms);
        self.on = true;
        Ok(())
    }

    fn rewind(&mut self, restart: usize) {
        self.on = false;
        self.key.clear();
        self.next = if self.block.restarts == 0 { 0 } else { self.block.restart(restart) };
    }

    pub(super) fn seek_first(&mut self) -> Result<()> {
        self.rewind(0);
        self.next()
    }

    pub(super) fn seek_last(&mut self) -> Result<()> {
        self.before(self.block.end)
    }

    /// Goes to the next entry, or to none.
    #[inline]
    pub(super) fn next(&mut self) -> Result<()> {
        if self.next < self.block.end {
            return self.step();
        }
        self.on = false;
        Ok(())
    }

    /// Goes to the entry before this one, or to none.
    pub(super) fn prev(&mut self) -> Result<()> {
        self.before(self.at)
    }

    /// Goes to the entry that ends at `end`: from the last restart point before it on.
    fn before(&mut self, end: usize) -> Result<()> {
        let restart = self.block.restarts_before(end);
        self.rewind(restart.saturating_sub(1));
        while self.next < end {
            self.step()?;
        }
        if self.next == end {
            return Ok(());
        }
        self.on = false;
        Err(self.damaged(Damage::Length))
    }

    /// Goes to the first entry whose place is not `less`, which holds for a beginning of the block.
    #[inline]
    fn seek_where(&mut self, less: impl Fn((&[u8], u64)) -> bool) -> Result<()> {
        self.on = false;
        let count = self.block.restarts_where(&less)?;
        self.rewind(count.saturating_sub(1));
        self.next()?;
        while self.on && less((&self.key, self.seq)) {
            self.next()?;
        }
        Ok(())
    }

    /// Goes to the first entry at or after `place`, or to none.
    pub(super) fn seek(&mut self, order: &KeyOrder, place: (&[u8], u64)) -> Result<()> {
        let less = |at: (&[u8], u64)| compare(order, at, place).is_lt();
        if !self.stand_before(place.0)? {
            return self.seek_where(less);
        }
        while self.on && less((&self.key, self.seq)) {
            self.next()?;
        }
        Ok(())
    }

    /// Goes to an entry before which all are before `key`, by samples: the last of which they know that, or behind the last
    /// of all. `false`: they do not say, and it stands on none.
    fn stand_before(&mut self, key: &[u8]) -> Result<bool> {
        self.on = false;
        let (block, samples) = (&*self.block, &self.block.samples);
        if samples.is_empty() {
            return Ok(false);
        }
        let (before, about) = block.samples_about(key);
        let index = if samples.has_all() { before } else { before.saturating_sub(1) };
        if about > EQUAL_MAX {
            return Ok(false);
        }
        let Some((word, at)) = samples.at(index) else {
            self.finish();
            return Ok(true);
        };
        let (parts, prefix) = (block.parts(at)?, block.prefix());
        let (begin, number) = (parts.shared.min(prefix.len()), word.to_be_bytes());
        // Why: what is shared and not in the sample is in entries before.
        let Some(number) = number.get(..parts.shared - begin) else { return Ok(false) };
        self.key.clear();
        self.key.try_reserve(parts.shared)?;
        self.key.extend_from_slice(&prefix[..begin]);
        self.key.extend_from_slice(number);
        self.next = at;
        self.step()?;
        Ok(true)
    }

    /// Goes to the last entry before `place`, or to none.
    pub(super) fn seek_before(&mut self, order: &KeyOrder, place: (&[u8], u64)) -> Result<()> {
        self.seek(order, place)?;
        if self.on { self.prev() } else { self.seek_last() }
    }
}
