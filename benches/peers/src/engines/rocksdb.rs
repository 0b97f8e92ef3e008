//! RocksDB: the cache and bloom filters of 10 bits set, blocks uncompressed, the rest as it comes.

use std::path::{Path, PathBuf};

use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, IngestExternalFileOptions, Options,
    SstFileWriter, WaitForCompactOptions, WriteBatch,
};

use crate::keys::{Key, number_in};
use crate::peer::{CACHE_BYTES, MEMTABLE_BYTES, Pair, Peer, Scanned, Value};

/// An open store.
pub struct RocksDb {
    db: DB,
    options: Options,
    dir: PathBuf,
}

impl RocksDb {
    /// Opens or creates the store in `dir`.
    pub fn open(dir: &Path) -> Self {
        let mut tables = BlockBasedOptions::default();
        tables.set_block_cache(&Cache::new_lru_cache(CACHE_BYTES));
        tables.set_bloom_filter(10.0, false);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_write_buffer_size(MEMTABLE_BYTES);
        options.set_compression_type(DBCompressionType::None);
        options.set_block_based_table_factory(&tables);
        let db = DB::open(&options, dir).expect("the store opens");
        Self { db, options, dir: dir.to_owned() }
    }

    fn scan(&self, from: Option<&Key>, count: usize) -> Scanned {
        let mut scanned = Scanned::default();
        let mut pairs = self.db.raw_iterator();
        match from {
            Some(key) => pairs.seek(key),
            None => pairs.seek_to_first(),
        }
        for _ in 0..count {
            let Some(value) = pairs.value() else { break };
            scanned.add(number_in(value));
            pairs.next();
        }
        pairs.status().expect("a scan");
        scanned
    }
}

impl Peer for RocksDb {
    fn put(&mut self, key: &Key, value: &Value) {
        self.db.put(key, value).expect("a put");
    }

    fn put_batch(&mut self, pairs: &[Pair]) {
        let mut batch = WriteBatch::default();
        for (key, value) in pairs {
            batch.put(key, value);
        }
        self.db.write(batch).expect("a batch");
    }

    fn bulk(&mut self, pairs: &mut dyn Iterator<Item = Pair>) {
        let path = self.dir.join("bulk.sst");
        let mut table = SstFileWriter::create(&self.options);
        table.open(&path).expect("a table");
        for (key, value) in pairs {
            table.put(key, value).expect("a pair");
        }
        table.finish().expect("the table ends");
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true);
        self.db.ingest_external_file_opts(&options, vec![path]).expect("an ingestion");
    }

    fn delete(&mut self, key: &Key) {
        self.db.delete(key).expect("a delete");
    }

    fn get(&self, key: &Key) -> Option<u64> {
        self.db.get_pinned(key).expect("a get").map(|value| number_in(&value))
    }

    fn scan_all(&self) -> Scanned {
        self.scan(None, usize::MAX)
    }

    fn scan_from(&self, key: &Key, count: usize) -> Scanned {
        self.scan(Some(key), count)
    }

    fn sync(&mut self) {
        self.db.flush_wal(true).expect("a sync");
    }

    fn compact(&mut self) {
        self.db.flush().expect("a flush");
        self.db.compact_range(None::<&[u8]>, None::<&[u8]>);
        self.db.wait_for_compact(&WaitForCompactOptions::default()).expect("a compaction");
    }

    fn close(self: Box<Self>) {
        self.db.flush_wal(true).expect("a sync");
    }
}
