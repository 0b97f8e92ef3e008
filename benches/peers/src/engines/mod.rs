//! The stores that are compared, each in a file of its own.
//!
//! A feature per foreign store: where one does not build, the others still run.

#[cfg(feature = "fjall")]
mod fjall;
mod floors;
mod keelstone;
#[cfg(feature = "leveldb")]
mod leveldb;
#[cfg(feature = "lmdb")]
mod lmdb;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;

use std::path::Path;

use ::keelstone::Layout;

use crate::peer::{Engine, Peer};

/// What the names of Keelstone's layouts begin with.
pub const OURS: &str = "keelstone";

/// Every engine of this build, Keelstone first and the floors last.
#[must_use]
pub fn all() -> Vec<Engine> {
    let store = |name, open| Engine { name, open, floor: false };
    let floor = |name, open| Engine { name, open, floor: true };
    vec![
        store("keelstone-hash", |dir| Box::new(keelstone::Keelstone::open(dir, Layout::Hash))),
        store("keelstone-ordered", |dir| {
            Box::new(keelstone::Keelstone::open(dir, Layout::Ordered))
        }),
        store("keelstone-worker", |dir| {
            Box::new(keelstone::Keelstone::with_worker(dir, Layout::Ordered))
        }),
        #[cfg(feature = "fjall")]
        store("fjall", |dir| Box::new(fjall::Fjall::open(dir))),
        #[cfg(feature = "leveldb")]
        store("leveldb", |dir| Box::new(leveldb::LevelDb::open(dir))),
        #[cfg(feature = "rocksdb")]
        store("rocksdb", |dir| Box::new(rocksdb::RocksDb::open(dir))),
        #[cfg(feature = "lmdb")]
        store("lmdb", |dir| Box::new(lmdb::Lmdb::open(dir))),
        #[cfg(feature = "redb")]
        store("redb", |dir| Box::new(redb::Redb::open(dir))),
        floor("append", |dir| Box::new(floors::Append::open(dir))),
        floor("hashmap", |dir| boxed(floors::Hashed::default(), dir)),
        floor("btreemap", |dir| boxed(floors::Sorted::default(), dir)),
    ]
}

/// A map in memory leaves the directory alone.
fn boxed(map: impl Peer + 'static, _: &Path) -> Box<dyn Peer> {
    Box::new(map)
}
