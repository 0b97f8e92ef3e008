//! What a store has to be able to do here, whichever it is.
//!
//! Called by the workloads; implemented by one file per engine. Every write is buffered: it is with
//! the operating system when the call returns, and durable when a later `sync` returned.
//! Never: measures anything.

use std::path::Path;

use crate::keys::{Key, VALUE_BYTES};

/// A value.
pub type Value = [u8; VALUE_BYTES];
/// A key with its value.
pub type Pair = (Key, Value);

/// Pairs in one batch of those stores that have no other way to load many.
pub const BATCH_PAIRS: usize = 1_000;
/// The cache of every store that has one.
pub const CACHE_BYTES: usize = 256 << 20;
/// Memory for new writes in every store that has some.
#[cfg(any(feature = "leveldb", feature = "rocksdb", feature = "fjall"))]
pub const MEMTABLE_BYTES: usize = 64 << 20;

/// What a store can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reads {
    /// Nothing: it only takes writes.
    Nothing,
    /// Single keys, and all of them in no particular order.
    Keys,
    /// Single keys, and scans in the order of keys.
    Ordered,
}

/// What a scan met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Pairs.
    pub pairs: u64,
    /// The sum of the numbers in their values.
    pub checksum: u64,
}

impl Scanned {
    /// One pair more, whose value begins with `number`.
    #[inline]
    pub fn add(&mut self, number: u64) {
        self.pairs += 1;
        self.checksum = self.checksum.wrapping_add(number);
    }
}

/// Stores pairs batch by batch.
pub fn in_batches<P: Peer + ?Sized>(peer: &mut P, pairs: &mut dyn Iterator<Item = Pair>) {
    let mut batch = Vec::with_capacity(BATCH_PAIRS);
    loop {
        batch.clear();
        batch.extend((&mut *pairs).take(BATCH_PAIRS));
        if batch.is_empty() {
            break;
        }
        peer.put_batch(&batch);
    }
}

/// An open store. All methods panic when the store refuses: a benchmark has no other answer.
pub trait Peer {
    /// Stores one pair.
    fn put(&mut self, key: &Key, value: &Value);

    /// Stores many pairs, all of them or none where the store can.
    fn put_batch(&mut self, pairs: &[Pair]);

    /// Loads pairs that come in the order of keys, each key once, into an empty store.
    fn bulk(&mut self, pairs: &mut dyn Iterator<Item = Pair>) {
        in_batches(self, pairs);
    }

    /// Removes one key.
    fn delete(&mut self, key: &Key);

    /// The number that the value of `key` begins with; `None` if there is no such key.
    ///
    /// Reads the value in the form in which the store hands it out: owned, pinned or borrowed.
    fn get(&self, key: &Key) -> Option<u64>;

    /// Which reads it can do.
    fn reads(&self) -> Reads {
        Reads::Ordered
    }

    /// Reads every pair, in the order of keys if it has one.
    fn scan_all(&self) -> Scanned;

    /// Reads `count` pairs in the order of keys, beginning with the first that is not before `key`.
    fn scan_from(&self, key: &Key, count: usize) -> Scanned;

    /// Makes durable what was written.
    fn sync(&mut self);

    /// Brings the store into its smallest form that it offers, and waits for that.
    fn compact(&mut self);

    /// Closes the store as its documentation asks for.
    fn close(self: Box<Self>);
}

/// A kind of store.
#[derive(Clone, Copy)]
pub struct Engine {
    /// What it is called in the tables.
    pub name: &'static str,
    /// Opens the store in a directory, or creates it.
    pub open: fn(&Path) -> Box<dyn Peer>,
    /// Whether it is no store but a bound of what one can reach.
    pub floor: bool,
}
