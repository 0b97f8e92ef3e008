//! The block cache: blocks that were read and may be wanted again, within a limit of bytes.
//!
//! Called by reads; one for all tables of a store. Several shards, each with a lock of its own and an equal share of the
//! limit; in each, the clock algorithm: a block that was found since the hand passed is passed over once.
//! Promise: blocks held never take more than the limit. Never: reads a file.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashTable;
use keelstone_vfs::lock::Mutex;

use super::block::Block;
use crate::error::Error;

/// The most shards, and the least share for which there is more than one.
const SHARDS_MAX: usize = 16;
const SHARE_BYTES_MIN: usize = 512 << 10;
/// What a block takes besides its own memory: its slot, in a table of which about half may be free.
const SLOT_BYTES: usize = 2 * size_of::<Slot>();

/// A block and who it is.
struct Slot {
    number: u64,
    offset: u64,
    block: Arc<Block>,
    /// Found since the hand passed.
    wanted: bool,
}

impl Slot {
    fn is(&self, number: u64, offset: u64) -> bool {
        self.number == number && self.offset == offset
    }

    fn hash(&self) -> u64 {
        hash_of(self.number, self.offset)
    }

    fn bytes(&self) -> usize {
        self.block.memory_bytes() + SLOT_BYTES
    }
}

#[derive(Default)]
struct Shard {
    /// By hash of number and offset. Why the slots themselves: a place elsewhere would be one more wait for memory.
    slots: HashTable<Slot>,
    /// The bucket that is looked at next when room is needed.
    hand: usize,
    bytes: usize,
    hits: u64,
    misses: u64,
}

/// What a block cache did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BlockStats {
    pub(crate) blocks: usize,
    pub(crate) bytes: usize,
    /// The most bytes that it ever held.
    pub(crate) max_bytes_seen: usize,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

/// Blocks in memory.
pub(crate) struct BlockCache {
    shards: Vec<Mutex<Shard>>,
    /// The share of each shard.
    share: usize,
    /// Bytes held in all shards, and the most that it ever was.
    bytes: AtomicUsize,
    max_bytes_seen: AtomicUsize,
}

fn hash_of(number: u64, offset: u64) -> u64 {
    // Why: not keyed; nobody outside chooses numbers of files and offsets. Both ends of the result are well mixed:
    // the table uses the top bits and the low ones.
    let x =
        (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ offset).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^ (x >> 32)
}

impl BlockCache {
    /// Holds at most `bytes_max` bytes; 0: holds nothing.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let count = (bytes_max / SHARE_BYTES_MIN).clamp(1, SHARDS_MAX);
        let shards = (0..count).map(|_| Mutex::new(Shard::default())).collect();
        let (bytes, max_bytes_seen) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { shards, share: bytes_max / count, bytes, max_bytes_seen }
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        // Why: bits that the hash table does not use for its own choice.
        let index = (((hash >> 16) & 0xffff) * self.shards.len() as u64) >> 16;
        &self.shards[index as usize]
    }

    /// The block at `offset` of the table `number`, if it is here.
    pub(super) fn find(&self, number: u64, offset: u64) -> Option<Arc<Block>> {
        let hash = hash_of(number, offset);
        let mut guard = self.shard(hash).lock();
        let shard = &mut *guard;
        let Some(slot) = shard.slots.find_mut(hash, |slot| slot.is(number, offset)) else {
            shard.misses += 1;
            return None;
        };
        shard.hits += 1;
        slot.wanted = true;
        Some(Arc::clone(&slot.block))
    }

    /// Keeps a block, in place of others that are not wanted. One that is larger than a share is not kept, nor is any
    /// when memory is short: it is a cache.
    pub(super) fn insert(&self, number: u64, offset: u64, block: &Arc<Block>) {
        let slot = Slot { number, offset, block: Arc::clone(block), wanted: false };
        let bytes = slot.bytes();
        if bytes > self.share {
            return;
        }
        let hash = hash_of(number, offset);
        // Why: freed after the lock is.
        let mut out = Vec::new();
        let mut shard = self.shard(hash).lock();
        if shard.slots.find(hash, |slot| slot.is(number, offset)).is_some() {
            return;
        }
        while shard.bytes + bytes > self.share {
            let Some(slot) = shard.evict() else { return };
            self.bytes.fetch_sub(slot.bytes(), Ordering::Relaxed);
            if out.try_reserve(1).is_ok() {
                out.push(slot.block);
            }
        }
        if shard.push(hash, slot).is_ok() {
            let held = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
            self.max_bytes_seen.fetch_max(held, Ordering::Relaxed);
        }
        drop(shard);
    }

    /// Gives up all blocks of a table, because its file is being removed.
    pub(crate) fn forget(&self, number: u64) {
        for shard in &self.shards {
            let mut guard = shard.lock();
            let shard = &mut *guard;
            let before = shard.bytes;
            shard.slots.retain(|slot| {
                let keep = slot.number != number;
                shard.bytes -= if keep { 0 } else { slot.bytes() };
                keep
            });
            self.bytes.fetch_sub(before - shard.bytes, Ordering::Relaxed);
        }
    }

    pub(crate) fn stats(&self) -> BlockStats {
        let max_bytes_seen = self.max_bytes_seen.load(Ordering::Relaxed);
        let mut stats = BlockStats { max_bytes_seen, ..BlockStats::default() };
        for shard in &self.shards {
            let shard = shard.lock();
            stats.blocks += shard.slots.len();
            stats.bytes += shard.bytes;
            stats.hits += shard.hits;
            stats.misses += shard.misses;
        }
        stats
    }
}

impl Shard {
    fn push(&mut self, hash: u64, slot: Slot) -> Result<(), Error> {
        self.slots.try_reserve(1, Slot::hash).map_err(|_| Error::OutOfMemory)?;
        self.bytes += slot.bytes();
        self.slots.insert_unique(hash, slot, Slot::hash);
        Ok(())
    }

    /// Takes the next block out that was not wanted since the hand passed it.
    fn evict(&mut self) -> Option<Slot> {
        while !self.slots.is_empty() {
            if self.hand >= self.slots.num_buckets() {
                self.hand = 0;
            }
            let at = self.hand;
            self.hand += 1;
            match self.slots.get_bucket_mut(at) {
                Some(slot) if slot.wanted => slot.wanted = false,
                Some(_) => {
                    let (slot, _) = self.slots.get_bucket_entry(at).ok()?.remove();
                    self.bytes -= slot.bytes();
                    return Some(slot);
                }
                None => {}
            }
        }
        None
    }
}
