//! Keelstone, in either layout, without threads of its own or with one.

use core::time::Duration;
use std::path::Path;
use std::sync::Arc;

use keelstone::vfs::NativeDisk;
use keelstone::{Batch, Bounds, Clock, Db, Durability, Layout, Options, SystemClock, Workers};

use crate::keys::{Key, number_in};
use crate::peer::{CACHE_BYTES, Pair, Peer, Reads, Scanned, Value, in_batches};

/// How often its thread looks whether there is work.
const LOOK: Duration = Duration::from_millis(1);

/// An open store.
pub struct Keelstone {
    db: Db,
    batch: Batch,
    /// Ends when the store is closed.
    worker: Option<Workers>,
}

impl Keelstone {
    /// Opens or creates the store in `dir`. Writes do their share of due work themselves, as the
    /// default is; no thread of the engine's own runs.
    pub fn open(dir: &Path, layout: Layout) -> Self {
        Self::with(dir, layout, true)
    }

    /// The same with one thread that does the work, as other stores have one.
    pub fn with_worker(dir: &Path, layout: Layout) -> Self {
        let mut opened = Self::with(dir, layout, false);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let worker = Workers::start(&opened.db, 1, LOOK, &clock).expect("a thread starts");
        opened.worker = Some(worker);
        opened
    }

    fn with(dir: &Path, layout: Layout, inline_work: bool) -> Self {
        let mut options = Options::default();
        (options.seed, options.durability) = (7, Durability::Buffered);
        (options.layout, options.inline_work) = (Some(layout), inline_work);
        options.memory_budget = CACHE_BYTES;
        let disk = NativeDisk::open(dir).expect("the directory is there");
        let db = Db::open(Arc::new(disk), options).expect("the store opens");
        Self { db, batch: Batch::default(), worker: None }
    }
}

impl Peer for Keelstone {
    fn put(&mut self, key: &Key, value: &Value) {
        self.db.put(key, value).expect("a put");
    }

    fn put_batch(&mut self, pairs: &[Pair]) {
        self.batch.clear();
        for (key, value) in pairs {
            self.batch.put(key, value);
        }
        self.db.write(&self.batch, Durability::Buffered).expect("a batch");
    }

    fn bulk(&mut self, pairs: &mut dyn Iterator<Item = Pair>) {
        if self.db.layout() == Layout::Hash {
            return in_batches(self, pairs);
        }
        let mut load = self.db.bulk_load().expect("the layout has an order");
        for (key, value) in pairs {
            load.put(key, value, None).expect("a pair");
        }
        load.finish().expect("the load ends");
    }

    fn delete(&mut self, key: &Key) {
        self.db.delete(key).expect("a delete");
    }

    fn get(&self, key: &Key) -> Option<u64> {
        self.db.get(key).expect("a get").map(|value| number_in(&value))
    }

    fn reads(&self) -> Reads {
        match self.db.layout() {
            Layout::Hash => Reads::Keys,
            _ => Reads::Ordered,
        }
    }

    fn scan_all(&self) -> Scanned {
        let mut scanned = Scanned::default();
        if self.db.layout() == Layout::Hash {
            for entry in self.db.scan().expect("a scan") {
                scanned.add(number_in(&entry.expect("an entry").value));
            }
            return scanned;
        }
        let snapshot = self.db.snapshot().expect("a snapshot");
        let mut walk = snapshot.walk(&Bounds::default()).expect("the layout has an order");
        walk.seek_first().expect("a seek");
        while let Some(value) = walk.value() {
            scanned.add(number_in(value));
            walk.next().expect("a step");
        }
        scanned
    }

    fn scan_from(&self, key: &Key, count: usize) -> Scanned {
        let mut scanned = Scanned::default();
        let snapshot = self.db.snapshot().expect("a snapshot");
        let mut walk = snapshot.walk(&Bounds::default()).expect("the layout has an order");
        walk.seek(key).expect("a seek");
        for _ in 0..count {
            let Some(value) = walk.value() else { break };
            scanned.add(number_in(value));
            walk.next().expect("a step");
        }
        scanned
    }

    fn sync(&mut self) {
        self.db.sync().expect("a sync");
    }

    fn compact(&mut self) {
        self.db.compact().expect("a compaction");
    }

    fn close(mut self: Box<Self>) {
        drop(self.worker.take());
        self.db.close().expect("the store closes");
    }
}
