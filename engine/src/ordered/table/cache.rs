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
/// What a block takes besides its own memory: its slot and its place in the hash table.
const SLOT_BYTES: usize = size_of::<Slot>() + 16;

/// A block and who it is.
struct Slot {
    number: u64,
    offset: u64,
    block: Arc<Block>,
    bytes: usize,
    /// Found since the hand passed.
    wanted: bool,
}

#[derive(Default)]
struct Shard {
    /// Index into `slots` by hash of number and offset.
    places: HashTable<usize>,
    slots: Vec<Slot>,
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
        let Shard { places, slots, hits, misses, .. } = &mut *guard;
        let is = |at: &usize| (slots[*at].number, slots[*at].offset) == (number, offset);
        let Some(at) = places.find(hash, is).copied() else {
            *misses += 1;
            return None;
        };
        *hits += 1;
        slots[at].wanted = true;
        Some(Arc::clone(&slots[at].block))
    }

    /// Keeps a block, in place of others that are not wanted. One that is larger than a share is not kept, nor is any
    /// when memory is short: it is a cache.
    pub(super) fn insert(&self, number: u64, offset: u64, block: &Arc<Block>) {
        let bytes = block.memory_bytes() + SLOT_BYTES;
        if bytes > self.share {
            return;
        }
        let hash = hash_of(number, offset);
        // Why: freed after the lock is.
        let mut out = Vec::new();
        let mut shard = self.shard(hash).lock();
        let Shard { places, slots, .. } = &mut *shard;
        let is = |at: &usize| (slots[*at].number, slots[*at].offset) == (number, offset);
        if places.find(hash, is).is_some() {
            return;
        }
        while shard.bytes + bytes > self.share {
            let Some(slot) = shard.evict() else { return };
            self.bytes.fetch_sub(slot.bytes, Ordering::Relaxed);
            if out.try_reserve(1).is_ok() {
                out.push(slot.block);
            }
        }
        let slot = Slot { number, offset, block: Arc::clone(block), bytes, wanted: false };
        if shard.push(hash, slot).is_ok() {
            let held = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
            self.max_bytes_seen.fetch_max(held, Ordering::Relaxed);
        }
        drop(shard);
    }

    /// Gives up all blocks of a table, because its file is being removed.
    pub(crate) fn forget(&self, number: u64) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let mut at = 0;
            while at < shard.slots.len() {
                if shard.slots[at].number == number {
                    let slot = shard.take(at);
                    self.bytes.fetch_sub(slot.bytes, Ordering::Relaxed);
                } else {
                    at += 1;
                }
            }
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
        self.slots.try_reserve(1)?;
        let slots = &self.slots;
        let hash_at = |at: &usize| hash_of(slots[*at].number, slots[*at].offset);
        self.places.try_reserve(1, hash_at).map_err(|_| Error::OutOfMemory)?;
        self.places.insert_unique(hash, self.slots.len(), hash_at);
        self.bytes += slot.bytes;
        self.slots.push(slot);
        Ok(())
    }

    /// Takes the next block out that was not wanted since the hand passed it.
    fn evict(&mut self) -> Option<Slot> {
        loop {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            let slot = self.slots.get_mut(self.hand)?;
            if !slot.wanted {
                return Some(self.take(self.hand));
            }
            slot.wanted = false;
            self.hand += 1;
        }
    }

    /// Takes a slot out; the last one moves into its place.
    fn take(&mut self, at: usize) -> Slot {
        let last = self.slots.len() - 1;
        let hash_at = |slot: &Slot| hash_of(slot.number, slot.offset);
        let gone = self.places.find_entry(hash_at(&self.slots[at]), |found| *found == at);
        if let Ok(entry) = gone {
            entry.remove();
        }
        if at != last {
            let moved = self.places.find_mut(hash_at(&self.slots[last]), |found| *found == last);
            if let Some(found) = moved {
                *found = at;
            }
        }
        let slot = self.slots.swap_remove(at);
        self.bytes -= slot.bytes;
        slot
    }
}
