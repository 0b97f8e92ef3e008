//! LMDB without syncs: a transaction for every put and for every batch. Unlike the logs of the
//! others, its file may be lost as a whole in a power cut.
#![allow(unsafe_code, reason = "the binding cannot know that nobody else changes the mapped file")]

use std::fs;
use std::path::{Path, PathBuf};

use heed::types::Bytes;
use heed::{CompactionOption, Database, Env, EnvFlags, EnvOpenOptions, PutFlags};

use crate::keys::{Key, number_in};
use crate::peer::{Pair, Peer, Scanned, Value};

/// Room in the address space; the file grows as it is written.
const MAP_BYTES: usize = 16 << 30;

/// An open store.
pub struct Lmdb {
    /// Only a compaction takes it, and puts another in its place.
    open: Option<Open>,
    dir: PathBuf,
}

struct Open {
    env: Env,
    pairs: Database<Bytes, Bytes>,
}

fn open(dir: &Path) -> Open {
    let mut options = EnvOpenOptions::new();
    options.map_size(MAP_BYTES);
    // SAFETY: the directory is this program's own, and it opens an environment there once.
    let env = unsafe {
        options.flags(EnvFlags::NO_SYNC);
        options.open(dir).expect("the store opens")
    };
    let mut txn = env.write_txn().expect("a transaction");
    let pairs = env.create_database(&mut txn, None).expect("the database opens");
    txn.commit().expect("a commit");
    Open { env, pairs }
}

impl Lmdb {
    /// Opens or creates the store in `dir`.
    pub fn open(dir: &Path) -> Self {
        Self { open: Some(open(dir)), dir: dir.to_owned() }
    }

    fn store(&self) -> &Open {
        self.open.as_ref().expect("it is open")
    }
}

impl Peer for Lmdb {
    fn put(&mut self, key: &Key, value: &Value) {
        self.put_batch(&[(*key, *value)]);
    }

    fn put_batch(&mut self, pairs: &[Pair]) {
        let store = self.store();
        let mut txn = store.env.write_txn().expect("a transaction");
        for (key, value) in pairs {
            store.pairs.put(&mut txn, key, value).expect("a put");
        }
        txn.commit().expect("a commit");
    }

    fn bulk(&mut self, pairs: &mut dyn Iterator<Item = Pair>) {
        let store = self.store();
        let mut txn = store.env.write_txn().expect("a transaction");
        for (key, value) in pairs {
            let put = store.pairs.put_with_flags(&mut txn, PutFlags::APPEND, &key, &value);
            put.expect("a put behind the last");
        }
        txn.commit().expect("a commit");
    }

    fn delete(&mut self, key: &Key) {
        let store = self.store();
        let mut txn = store.env.write_txn().expect("a transaction");
        store.pairs.delete(&mut txn, key).expect("a delete");
        txn.commit().expect("a commit");
    }

    fn get(&self, key: &Key) -> Option<u64> {
        let store = self.store();
        let txn = store.env.read_txn().expect("a transaction");
        store.pairs.get(&txn, key).expect("a get").map(number_in)
    }

    fn scan_all(&self) -> Scanned {
        let store = self.store();
        let txn = store.env.read_txn().expect("a transaction");
        let mut scanned = Scanned::default();
        for pair in store.pairs.iter(&txn).expect("a scan") {
            scanned.add(number_in(pair.expect("a pair").1));
        }
        scanned
    }

    fn scan_from(&self, key: &Key, count: usize) -> Scanned {
        let store = self.store();
        let txn = store.env.read_txn().expect("a transaction");
        let mut scanned = Scanned::default();
        let range = (core::ops::Bound::Included(key.as_slice()), core::ops::Bound::Unbounded);
        for pair in store.pairs.range(&txn, &range).expect("a scan").take(count) {
            scanned.add(number_in(pair.expect("a pair").1));
        }
        scanned
    }

    fn sync(&mut self) {
        self.store().env.force_sync().expect("a sync");
    }

    fn compact(&mut self) {
        let (copy, data) = (self.dir.join("copy.mdb"), self.dir.join("data.mdb"));
        let Open { env, .. } = self.open.take().expect("it is open");
        env.copy_to_path(&copy, CompactionOption::Enabled).expect("a copy");
        env.prepare_for_closing().wait();
        fs::rename(copy, data).expect("the copy takes the place of the original");
        self.open = Some(open(&self.dir));
    }

    fn close(mut self: Box<Self>) {
        let Open { env, .. } = self.open.take().expect("it is open");
        env.force_sync().expect("a sync");
        env.prepare_for_closing().wait();
    }
}
