//! One block: entries in order, each key stored without what it shares with the key before it. Pure.
//!
//! Called by the reader and its cursor, which search and walk what `builder` made; docs/format.md, section 10.2. Data, index
//! and range tombstones are stored in blocks of this one form.
//! Promise: whatever the bytes are, a walk ends, and what cannot be read is an error that names the block.
//! Never: reads a file, checks a checksum.

use alloc::vec::Vec;
use core::ops::Deref;

use super::builder::common;
use super::format::{kind_of, varint};
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
    name: FileName,
    offset: u64,
}

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
        let mut block = Self { bytes, end: 0, restarts: 0, name, offset };
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

    /// How many restart points there are.
    pub(super) const fn restarts(&self) -> usize {
        self.restarts
    }

    /// Whether it is as the builder makes them: each restart point is an entry stored whole, every other entry shares all
    /// that it can. Searches and walks back rely on it.
    pub(super) fn check(&self) -> Result<()> {
        let (mut at, mut met, mut key) = (0, 0, Vec::new());
        while at < self.end {
            let parts = self.parts(at)?;
            let tail = &self.bytes[parts.key_at..parts.value_at];
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
        self.bytes.capacity() + size_of::<Self>()
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
            let key = &self.bytes[parts.key_at..parts.value_at];
            if less((key, parts.seq)) { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// The value of the last entry at or before `place` of a block in which every key is stored whole.
    pub(super) fn floor(&self, order: &KeyOrder, place: (&[u8], u64)) -> Result<Option<&[u8]>> {
        let count = self.restarts_where(|at| compare(order, at, place).is_le())?;
        let Some(index) = count.checked_sub(1) else { return Ok(None) };
        let parts = self.parts(self.restart(index))?;
        let next = if count < self.restarts { self.restart(count) } else { self.end };
        if parts.end != next {
            return Err(self.damaged(Damage::Length));
        }
        Ok(Some(&self.bytes[parts.value_at..parts.end]))
    }

    /// The first entry at or after `place`, if it has the key of the place; for the order byte by byte.
    ///
    /// Why: no key is put together. `same` is how many bytes the key before has in common with the key that is looked
    /// for; as the keys ascend and share as much as they can, it mostly decides alone.
    pub(super) fn find<'a>(&'a self, (key, seq): (&'a [u8], u64)) -> Result<Option<Item<'a>>> {
        let place = (key, seq);
        let count = self.restarts_where(|at| compare(&KeyOrder::Bytewise, at, place).is_lt())?;
        let mut same = 0;
        let mut at = if self.restarts == 0 { 0 } else { self.restart(count.saturating_sub(1)) };
        while at < self.end {
            let parts = self.parts(at)?;
            // Why: a restart point is whole, whatever it has in common with the key before it.
            if parts.shared == 0 {
                same = 0;
            }
            at = parts.end;
            if parts.shared > same {
                continue;
            }
            if parts.shared < same {
                return Ok(None);
            }
            let tail = &self.bytes[parts.key_at..parts.value_at];
            let rest = &key[same..];
            let more = common(tail, rest);
            match (tail.get(more), rest.get(more)) {
                (None, None) if parts.seq <= seq => {
                    let value = &self.bytes[parts.value_at..parts.end];
                    let (kind, expires_ms) = (parts.kind, parts.expires_ms);
                    return Ok(Some(Item { key, seq: parts.seq, kind, value, expires_ms }));
                }
                (Some(a), Some(b)) if a > b => return Ok(None),
                (Some(_), None) => return Ok(None),
                _ => same += more,
            }
        }
        Ok(None)
    }

    #[inline]
    fn parts(&self, at: usize) -> Result<Parts> {
        match self.read_parts(at) {
            Some(parts) => Ok(parts),
            None => Err(self.damaged(Damage::Length)),
        }
    }

    #[inline]
    fn read_parts(&self, mut at: usize) -> Option<Parts> {
        let bytes = &self.bytes[..self.end];
        let shared = usize::try_from(varint(bytes, &mut at)?).ok()?;
        let key_len = usize::try_from(varint(bytes, &mut at)?).ok()?;
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
        let long = shared > limits::KEY_BYTES_MAX || key_len > limits::KEY_BYTES_MAX;
        if end > bytes.len() || long || shared + key_len > limits::KEY_BYTES_MAX {
            return None;
        }
        Some(Parts { shared, key_at: at, value_at, end, kind, seq, expires_ms })
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

    /// An error that says that the entry it stands on cannot be right.
    pub(super) fn damaged(&self, what: Damage) -> Error {
        self.block.damaged(what)
    }

    /// Reads the entry at `next`; the key before it is in `key`.
    #[inline]
    fn step(&mut self) -> Result<()> {
        self.on = false;
        let parts = self.block.parts(self.next)?;
        if parts.shared > self.key.len() {
            return Err(self.damaged(Damage::Length));
        }
        let tail = &self.block.bytes[parts.key_at..parts.value_at];
        self.key.truncate(parts.shared);
        self.key.try_reserve(tail.len())?;
        self.key.extend_from_slice(tail);
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
        self.seek_where(|at| compare(order, at, place).is_lt())
    }

    /// Goes to the last entry before `place`, or to none.
    pub(super) fn seek_before(&mut self, order: &KeyOrder, place: (&[u8], u64)) -> Result<()> {
        self.seek(order, place)?;
        if self.on { self.prev() } else { self.seek_last() }
    }

    /// Goes to the last entry at or before `place`, or to none.
    pub(super) fn seek_floor(&mut self, order: &KeyOrder, place: (&[u8], u64)) -> Result<()> {
        self.seek_where(|at| compare(order, at, place).is_le())?;
        if self.on { self.prev() } else { self.seek_last() }
    }
}
