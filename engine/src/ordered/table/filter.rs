//! Bloom filters over hashes of keys: whether a table can hold a key at all. Pure.
//!
//! Called by the writer, which collects hashes, and by the reader; docs/format.md, section 10.3. All bits of one key are in
//! one block of 64 bytes, so that a question costs one cache line.
//! Promise: a hash that was added is always found. Never: looks at a key; keys are hashed with the store's seed, so
//! nobody can choose keys that all pass.

use alloc::vec::Vec;

use crate::error::Result;

/// Bytes in which all bits of one key are.
const LINE_BYTES: usize = 64;
/// The most bits that are set for one key.
const PROBES_MAX: u8 = 16;

/// Collects the hashes of the keys of one table.
#[derive(Default)]
pub(super) struct FilterBuilder(Vec<u64>);

/// 64 bits of a key's hash are enough for a filter.
const fn upper(hash: u128) -> u64 {
    (hash >> 64) as u64
}

impl FilterBuilder {
    pub(super) fn add(&mut self, hash: u128) -> Result<()> {
        self.0.try_reserve(1)?;
        self.0.push(upper(hash));
        Ok(())
    }

    /// The payload of a filter with `bits` bits per key; `None` if there is nothing to find.
    pub(super) fn finish(&self, bits: usize) -> Result<Option<Vec<u8>>> {
        if self.0.is_empty() || bits == 0 {
            return Ok(None);
        }
        let line_bits = LINE_BYTES * 8;
        let lines = self.0.len().saturating_mul(bits).div_ceil(line_bits).min(u32::MAX as usize);
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(lines.saturating_mul(LINE_BYTES).saturating_add(1))?;
        bytes.resize(lines * LINE_BYTES, 0);
        // Why: 0.6 bits per bit, less than the 0.69 of a plain filter, because lines are not equally full.
        let probes = u8::try_from((bits * 6).div_ceil(10)).unwrap_or(PROBES_MAX).min(PROBES_MAX);
        for hash in &self.0 {
            let line = line_of(&bytes, *hash);
            for bit in bits_of(*hash, probes) {
                bytes[line + bit / 8] |= 1 << (bit % 8);
            }
        }
        bytes.push(probes);
        Ok(Some(bytes))
    }
}

/// Where the line of a hash begins; `bytes` are lines and perhaps the byte behind them.
#[inline]
fn line_of(bytes: &[u8], hash: u64) -> usize {
    let lines = (bytes.len() / LINE_BYTES) as u64;
    (((hash >> 32) * lines) >> 32) as usize * LINE_BYTES
}

/// The bits of a hash within its line: nine bits each of successive multiples of its lower half.
#[inline]
fn bits_of(hash: u64, probes: u8) -> impl Iterator<Item = usize> {
    let mut mixed = (hash & 0xffff_ffff) | 1 << 32;
    (0..probes).map(move |_| {
        mixed = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 55) as usize
    })
}

/// A filter in memory.
#[derive(Debug)]
pub(super) struct Filter(Vec<u8>);

impl Filter {
    /// Takes the payload of a filter's block; `None` if it cannot be one.
    pub(super) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let (probes, lines) = bytes.split_last()?;
        let fits = !lines.is_empty() && lines.len().is_multiple_of(LINE_BYTES);
        (fits && (1..=PROBES_MAX).contains(probes)).then_some(Self(bytes))
    }

    /// Whether a key with this hash may have been added.
    #[inline]
    pub(super) fn may_contain(&self, hash: u128) -> bool {
        let hash = upper(hash);
        let Some((probes, lines)) = self.0.split_last() else { return true };
        let line = line_of(lines, hash);
        bits_of(hash, *probes).all(|bit| lines[line + bit / 8] & (1 << (bit % 8)) != 0)
    }

    /// How many lines it has, how many bits stand for a key, and how many bits are set.
    pub(super) fn shape(&self) -> (usize, u8, u64) {
        let Some((probes, lines)) = self.0.split_last() else { return (0, 0, 0) };
        let ones = lines.iter().map(|byte| u64::from(byte.count_ones())).sum();
        (lines.len() / LINE_BYTES, *probes, ones)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.0.capacity()
    }
}
