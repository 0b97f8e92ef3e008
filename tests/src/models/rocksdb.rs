//! RocksDB's crash, after `FaultInjectionTestFS` of `utilities/fault_injection_fs.cc`.
//!
//! Of what was written to a file since its last sync nothing is left, or a prefix by dice, or all of it. Files that
//! were created since the last sync of the directory are deleted or not, all of them; a file over which another one
//! was renamed since gets its old bytes back. Removals last at once.
//!
//! The ways are mixed by dice, as its stress test does.

use std::collections::BTreeMap;

use keelstone::vfs::{Happened, Image};

use super::{Cache, CrashModel};
use crate::rng::Rng;

/// The model, and the names that a crash may take back: each with the bytes that had it before, if any had.
#[derive(Debug, Default)]
pub(super) struct RocksDb {
    new: BTreeMap<String, Option<Vec<u8>>>,
}

impl CrashModel for RocksDb {
    fn name(&self) -> &'static str {
        "RocksDB"
    }

    fn take(&mut self, happened: &Happened<'_>, cache: &Cache) {
        match happened {
            Happened::Create { name, .. } => drop(self.new.insert((*name).into(), None)),
            Happened::Remove { name } => drop(self.new.remove(*name)),
            Happened::Rename { from, to } => {
                self.new.remove(*from);
                let replaced = cache.names.get(*to).map(|file| cache.file(*file).current.clone());
                self.new.entry((*to).into()).or_insert(replaced);
            }
            Happened::SyncDir { .. } => self.new.clear(),
            _ => {}
        }
    }

    fn state(&self, cache: &Cache, rng: &mut Rng) -> Image {
        let undo = rng.percent(50);
        let way = rng.below(3);
        let mut image = cache.image(&cache.names, |file| match (way, file.pending_bytes()) {
            (0, _) => file.synced.clone(),
            (1, n) if n > 0 => file.with_first(rng.index(n)),
            _ => file.current.clone(),
        });
        for (name, replaced) in self.new.iter().filter(|_| undo) {
            match replaced {
                Some(bytes) => drop(image.insert(name.clone(), bytes.clone())),
                None => drop(image.remove(name)),
            }
        }
        image
    }
}
