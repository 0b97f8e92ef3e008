//! A blocked Bloom filter over hashes of keys: answers most misses without a walk.
//!
//! Called by the hall; calls nothing. One writer adds, any number of readers ask.
//! Promise: a hash that was added is found by whoever began to ask afterwards.
//! Never: grows. Its size comes from the bytes that the memtable may take: a node has at least 48 of them, so that the
//! smallest possible entries leave 6 bits a key (5 in 100 misses walk) and entries of 170 bytes 21 (1 in 1000); versions
//! of one key share their bits. A memtable that outgrows its hint saturates it, and then misses cost a walk, as hits do.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::error::Result;

/// Bytes of a memtable for each byte of its filter.
const PART: usize = 64;
const BLOCKS_MIN: usize = 16;
/// Bits of a key, all in one block: one miss of the cache.
const PROBES: u32 = 6;
const WORDS: usize = 16;

#[derive(Debug, Default)]
#[repr(align(64))]
struct Block([AtomicU32; WORDS]);

#[derive(Debug)]
pub(super) struct Filter {
    blocks: Box<[Block]>,
}

impl Filter {
    /// For a memtable that takes about `bytes` bytes.
    pub(super) fn new(bytes: usize) -> Result<Self> {
        let count = (bytes / PART / size_of::<Block>()).max(BLOCKS_MIN);
        let mut blocks = Vec::new();
        blocks.try_reserve_exact(count)?;
        blocks.resize_with(count, Block::default);
        Ok(Self { blocks: blocks.into_boxed_slice() })
    }

    pub(super) const fn bytes(&self) -> usize {
        self.blocks.len() * size_of::<Block>()
    }

    /// Adds a hash. Only ever called by the one writer: of two at the same time one could undo the other.
    pub(super) fn add(&self, hash: u128) {
        let block = self.block(hash);
        for (word, bit) in places(hash) {
            // Why relaxed: whoever sees the node, or what tells of it, sees what was stored before it.
            let word = &block.0[word];
            let old = word.load(Ordering::Relaxed);
            if old & bit == 0 {
                word.store(old | bit, Ordering::Relaxed);
            }
        }
    }

    /// Whether the hash may have been added.
    pub(super) fn has(&self, hash: u128) -> bool {
        let block = self.block(hash);
        places(hash).all(|(word, bit)| block.0[word].load(Ordering::Relaxed) & bit != 0)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the high half, scaled, is below the count"
    )]
    fn block(&self, hash: u128) -> &Block {
        let index = ((hash >> 64) * self.blocks.len() as u128) >> 64;
        &self.blocks[index as usize]
    }
}

/// The words and bits of a hash in its block, from its low half.
#[expect(clippy::cast_possible_truncation, reason = "nine bits are looked at")]
fn places(hash: u128) -> impl Iterator<Item = (usize, u32)> {
    let low = hash as u64;
    (0..PROBES).map(move |n| {
        let bit = (low >> (9 * n)) as usize & 511;
        (bit / 32, 1 << (bit % 32))
    })
}
