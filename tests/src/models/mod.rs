//! What other projects think that a crash leaves: their models of a crash over a run that the fault disk recorded, so
//! that they can be compared with the crash lab on the same mistakes.
//!
//! Called by the suite `lab`; calls a system of `keelstone::vfs::crash`. Each model is written anew from its published
//! description, with what differs said at its head. All of them follow one seed.
//!
//! ```text
//!   cache     what an operating system knows of the run at a moment: current, synced, not yet synced
//!   leveldb   rocksdb   pebble   sqlite   foundation_db        one model each
//!   trial     a recorded run under all of them, counted
//! ```
//!
//! What holds for all: the crash is taken between any two operations of the recorded run, more often than most of them
//! do; a sync of the bytes alone counts as a whole sync; a write damages nothing beside its range.

mod cache;
mod foundation_db;
mod leveldb;
mod pebble;
mod rocksdb;
mod sqlite;
#[cfg(test)]
mod tests;
mod trial;

pub use cache::{Cache, CachedFile, Change};
pub use trial::{Tally, trial};

use foundation_db::FoundationDb;
use keelstone::vfs::{Happened, Image};
use leveldb::LevelDb;
use pebble::Pebble;
use rocksdb::RocksDb;
use sqlite::Sqlite;

use crate::rng::Rng;

/// One idea of what a power cut leaves.
pub trait CrashModel {
    /// Whose idea it is.
    fn name(&self) -> &'static str;

    /// Takes note of what happens next; `cache` is what was before.
    fn take(&mut self, happened: &Happened<'_>, cache: &Cache) {
        _ = (happened, cache);
    }

    /// One of the states that a power cut leaves now: the names, and the bytes of each.
    fn state(&self, cache: &Cache, rng: &mut Rng) -> Image;
}

/// All of them, at the beginning of a run.
#[must_use]
pub fn all() -> Vec<Box<dyn CrashModel>> {
    vec![
        Box::<LevelDb>::default(),
        Box::<RocksDb>::default(),
        Box::new(Pebble { percent: 0 }),
        Box::new(Pebble { percent: 50 }),
        Box::new(Sqlite),
        Box::new(FoundationDb),
    ]
}
