//! Builds one block of entries. Pure.
//!
//! Called by the writer; docs/format.md, section 10.2.
//! Promise: a key shares with the key before it as many bytes as there are in common: `Block::find` relies on it.
//! Never: checks the order of what it is given.

use alloc::vec::Vec;

use super::format::{kind_byte, put_varint};
use crate::error::{Error, Invalid, Result};
use crate::limits;
use crate::ordered::key::Item;
use crate::record::EntryKind;

/// The most bytes that an entry has besides its key and value, with its restart point.
pub(super) const ENTRY_OVERHEAD_MAX: usize = 3 + 3 + 5 + 1 + 10 + 8 + 4;

/// Builds blocks, one after another, in one buffer that keeps its memory.
pub(super) struct BlockBuilder {
    buf: Vec<u8>,
    restarts: Vec<u32>,
    key: Vec<u8>,
    interval: usize,
    /// Entries since the last restart point.
    run: usize,
}

impl BlockBuilder {
    /// Stores every `interval`-th key whole.
    pub(super) fn new(interval: usize) -> Self {
        let (buf, restarts, key) = (Vec::new(), Vec::new(), Vec::new());
        Self { buf, restarts, key, interval: interval.max(1), run: 0 }
    }

    /// Adds an entry behind the others.
    ///
    /// # Errors
    /// `OutOfMemory`; `Invalid` if a length breaks a limit of the store.
    pub(super) fn add(&mut self, item: &Item<'_>) -> Result<()> {
        let (key, value) = (item.key, item.value);
        if key.len() > limits::KEY_BYTES_MAX {
            let (bytes, max) = (key.len(), limits::KEY_BYTES_MAX);
            return Err(Error::Invalid(Invalid::KeyTooLong { bytes, max }));
        }
        let at = self.buf.len();
        let restart = match u32::try_from(at) {
            Ok(restart) if value.len() <= limits::VALUE_BYTES_LIMIT => restart,
            _ => {
                let (bytes, max) = (value.len(), limits::VALUE_BYTES_LIMIT);
                return Err(Error::Invalid(Invalid::ValueTooLong { bytes, max }));
            }
        };
        self.buf.try_reserve(ENTRY_OVERHEAD_MAX + key.len() + value.len())?;
        self.key.try_reserve(key.len())?;
        let shared = if self.run == 0 { 0 } else { common(&self.key, key) };
        if self.run == 0 {
            self.restarts.try_reserve(1)?;
            self.restarts.push(restart);
        }
        self.run = if self.run + 1 == self.interval { 0 } else { self.run + 1 };
        put_varint(&mut self.buf, shared as u64);
        put_varint(&mut self.buf, (key.len() - shared) as u64);
        put_varint(&mut self.buf, value.len() as u64);
        self.buf.push(kind_byte(item.kind));
        // On disk: one more than the sequence, so that the place before all versions of a key takes one byte.
        put_varint(&mut self.buf, item.seq.wrapping_add(1));
        if item.kind == EntryKind::PutUntil {
            self.buf.extend_from_slice(&item.expires_ms.to_le_bytes());
        }
        self.buf.extend_from_slice(&key[shared..]);
        self.buf.extend_from_slice(value);
        self.key.truncate(shared);
        self.key.extend_from_slice(&key[shared..]);
        Ok(())
    }

    /// Bytes that the block has so far.
    pub(super) fn bytes(&self) -> usize {
        self.buf.len() + 4 * (self.restarts.len() + 1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.restarts.is_empty()
    }

    /// Adds the restart points and gives the payload; `clear` before the next block.
    pub(super) fn finish(&mut self) -> Result<&[u8]> {
        self.buf.try_reserve(4 * (self.restarts.len() + 1))?;
        for restart in &self.restarts {
            self.buf.extend_from_slice(&restart.to_le_bytes());
        }
        let count = u32::try_from(self.restarts.len()).unwrap_or(u32::MAX);
        self.buf.extend_from_slice(&count.to_le_bytes());
        Ok(&self.buf)
    }

    pub(super) fn clear(&mut self) {
        self.buf.clear();
        self.restarts.clear();
        self.run = 0;
    }
}

/// How many bytes two keys have in common at their beginning.
pub(super) fn common(a: &[u8], b: &[u8]) -> usize {
    let (words_a, words_b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let mut at = 0;
    for (x, y) in words_a.iter().zip(words_b) {
        let differ = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differ != 0 {
            return at + (differ.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + a[at..].iter().zip(&b[at..]).take_while(|(x, y)| x == y).count()
}
