//! A door for benchmarks, in a test build only (feature `lab`): a memtable is private to this crate.
//!
//! Called by `benches/benches/memtable.rs`; calls the hall.
//! Promise: an insert does what a put does to the memtable, the hash of the key included.
//! Never: used by the engine.

use alloc::sync::Arc;

use crate::codec::KeyHasher;
use crate::error::Result;
use crate::lab::SEED;
use crate::order::KeyOrder;
use crate::ordered::key::Item;
use crate::record::EntryKind;

/// A memtable in the order of bytes, for readers.
#[derive(Clone)]
pub struct Memtable {
    table: Arc<super::Memtable>,
    hasher: KeyHasher,
}

/// Its only writer.
pub struct MemtableWriter {
    writer: super::MemtableWriter,
    hasher: KeyHasher,
}

impl Memtable {
    /// An empty memtable for about `bytes_hint` bytes.
    ///
    /// # Errors
    /// When memory is short.
    pub fn new(bytes_hint: usize, seed: u64) -> Result<(Self, MemtableWriter)> {
        let hasher = KeyHasher::new(SEED);
        let (table, writer) = super::Memtable::new(KeyOrder::Bytewise, bytes_hint, seed)?;
        Ok((Self { table, hasher }, MemtableWriter { writer, hasher }))
    }

    /// The length of the newest value of `key` that is not newer than `seq`.
    #[must_use]
    pub fn get(&self, key: &[u8], seq: u64) -> Option<usize> {
        self.table.get(key, self.hasher.hash(key), seq, |item| item.value.len())
    }

    /// How many items there are.
    #[must_use]
    pub fn items(&self) -> usize {
        self.table.len()
    }

    /// Bytes taken from the allocator.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.table.bytes()
    }
}

impl MemtableWriter {
    /// Makes room, then inserts, as a put does.
    ///
    /// # Errors
    /// When memory is short.
    pub fn put(&mut self, key: &[u8], value: &[u8], seq: u64) -> Result<()> {
        let lengths = (key.len(), value.len());
        self.writer.reserve(core::iter::once(lengths), core::iter::empty())?;
        let item = Item { key, seq, kind: EntryKind::Put, value, expires_ms: 0 };
        self.writer.insert(&item, self.hasher.hash(key))
    }
}
