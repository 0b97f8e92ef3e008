//! fjall: blocks uncompressed, every write to the operating system at once, its own two kinds of
//! threads for flushes and compactions.

use std::path::Path;

use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::keys::{Key, number_in};
use crate::peer::{CACHE_BYTES, MEMTABLE_BYTES, Pair, Peer, Scanned, Value};

/// An open store.
pub struct Fjall {
    db: Database,
    pairs: Keyspace,
}

impl Fjall {
    /// Opens or creates the store in `dir`.
    pub fn open(dir: &Path) -> Self {
        let db = Database::builder(dir)
            .cache_size(CACHE_BYTES as u64)
            .journal_compression(CompressionType::None)
            .open()
            .expect("the store opens");
        let options = || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(MEMTABLE_BYTES as u64)
                .data_block_compression_policy(CompressionPolicy::disabled())
                .index_block_compression_policy(CompressionPolicy::disabled())
        };
        let pairs = db.keyspace("pairs", options).expect("the keyspace opens");
        Self { db, pairs }
    }
}

impl Peer for Fjall {
    fn put(&mut self, key: &Key, value: &Value) {
        self.pairs.insert(key, value).expect("a put");
    }

    fn put_batch(&mut self, pairs: &[Pair]) {
        let mut batch = self.db.batch();
        for (key, value) in pairs {
            batch.insert(&self.pairs, key, value);
        }
        batch.commit().expect("a batch");
    }

    fn bulk(&mut self, pairs: &mut dyn Iterator<Item = Pair>) {
        let mut ingestion = self.pairs.start_ingestion().expect("an ingestion");
        for (key, value) in pairs {
            ingestion.write(key, value).expect("a pair");
        }
        ingestion.finish().expect("the ingestion ends");
    }

    fn delete(&mut self, key: &Key) {
        self.pairs.remove(key).expect("a delete");
    }

    fn get(&self, key: &Key) -> Option<u64> {
        self.pairs.get(key).expect("a get").map(|value| number_in(&value))
    }

    fn scan_all(&self) -> Scanned {
        let mut scanned = Scanned::default();
        for guard in self.pairs.iter() {
            scanned.add(number_in(&guard.value().expect("a pair")));
        }
        scanned
    }

    fn scan_from(&self, key: &Key, count: usize) -> Scanned {
        let mut scanned = Scanned::default();
        for guard in self.pairs.range(key.as_slice()..).take(count) {
            scanned.add(number_in(&guard.value().expect("a pair")));
        }
        scanned
    }

    fn sync(&mut self) {
        self.db.persist(PersistMode::SyncData).expect("a sync");
    }

    fn compact(&mut self) {
        self.pairs.rotate_memtable_and_wait().expect("a flush");
        self.pairs.major_compact().expect("a compaction");
    }

    fn close(self: Box<Self>) {
        self.db.persist(PersistMode::SyncAll).expect("a sync");
    }
}
