//! redb: a transaction for every put and for every batch, not durable, and a durable commit every
//! 10,000 pairs. A killed process loses what no durable commit followed.

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use crate::keys::{Key, number_in};
use crate::peer::{CACHE_BYTES, Pair, Peer, Scanned, Value};

const PAIRS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("pairs");
/// Pairs until a commit is durable, so that pages can be freed.
const DURABLE_EVERY: usize = 10_000;

/// An open store.
pub struct Redb {
    db: Database,
    /// Pairs since the last durable commit.
    loose: usize,
}

impl Redb {
    /// Opens or creates the store in `dir`.
    pub fn open(dir: &Path) -> Self {
        let db = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(dir.join("pairs.redb"))
            .expect("the store opens");
        let mut redb = Self { db, loose: DURABLE_EVERY };
        // Why: a read fails where no write has made the table.
        redb.write(&[], None);
        redb
    }

    fn write(&mut self, pairs: &[Pair], gone: Option<&Key>) {
        self.loose += pairs.len() + usize::from(gone.is_some());
        let durable = self.loose >= DURABLE_EVERY;
        let mut txn = self.db.begin_write().expect("a transaction");
        let durability = if durable { Durability::Immediate } else { Durability::None };
        txn.set_durability(durability).expect("no savepoint is in the way");
        {
            let mut table = txn.open_table(PAIRS).expect("the table opens");
            for (key, value) in pairs {
                table.insert(key.as_slice(), value.as_slice()).expect("a put");
            }
            if let Some(key) = gone {
                table.remove(key.as_slice()).expect("a delete");
            }
        }
        txn.commit().expect("a commit");
        if durable {
            self.loose = 0;
        }
    }
}

impl Peer for Redb {
    fn put(&mut self, key: &Key, value: &Value) {
        self.write(&[(*key, *value)], None);
    }

    fn put_batch(&mut self, pairs: &[Pair]) {
        self.write(pairs, None);
    }

    fn delete(&mut self, key: &Key) {
        self.write(&[], Some(key));
    }

    fn get(&self, key: &Key) -> Option<u64> {
        let txn = self.db.begin_read().expect("a transaction");
        let table = txn.open_table(PAIRS).expect("the table opens");
        table.get(key.as_slice()).expect("a get").map(|value| number_in(value.value()))
    }

    fn scan_all(&self) -> Scanned {
        let txn = self.db.begin_read().expect("a transaction");
        let table = txn.open_table(PAIRS).expect("the table opens");
        let mut scanned = Scanned::default();
        for pair in table.iter().expect("a scan") {
            scanned.add(number_in(pair.expect("a pair").1.value()));
        }
        scanned
    }

    fn scan_from(&self, key: &Key, count: usize) -> Scanned {
        let txn = self.db.begin_read().expect("a transaction");
        let table = txn.open_table(PAIRS).expect("the table opens");
        let mut scanned = Scanned::default();
        for pair in table.range(key.as_slice()..).expect("a scan").take(count) {
            scanned.add(number_in(pair.expect("a pair").1.value()));
        }
        scanned
    }

    fn sync(&mut self) {
        self.loose = DURABLE_EVERY;
        self.write(&[], None);
    }

    fn compact(&mut self) {
        while self.db.compact().expect("a compaction") {}
    }

    fn close(mut self: Box<Self>) {
        self.sync();
    }
}
