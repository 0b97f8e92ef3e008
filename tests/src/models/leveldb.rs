//! LevelDB's crash, after `FaultInjectionTestEnv` of `db/fault_injection_test.cc`.
//!
//! Two states at each moment. Either everything that was not synced is dropped: each file is as it was at its last sync,
//! all names are there. Or the files that were created since the last sync of the directory are deleted and the others keep
//! every byte; a sync of any such file counts as one of the directory. Renames and removals last at once.
//!
//! What differs: the original truncates files that are only appended to; here a file goes back to its bytes at the last
//! sync, which is the same for them and has a meaning for others.

use std::collections::BTreeSet;

use keelstone::vfs::{Happened, Image};

use super::{Cache, CrashModel};
use crate::rng::Rng;

/// The model, and the names that a crash may delete.
#[derive(Debug, Default)]
pub(super) struct LevelDb {
    created: BTreeSet<String>,
}

impl LevelDb {
    fn is_new(&self, file: u64, cache: &Cache) -> bool {
        self.created.iter().any(|name| cache.names.get(name) == Some(&file))
    }
}

impl CrashModel for LevelDb {
    fn name(&self) -> &'static str {
        "LevelDB"
    }

    fn take(&mut self, happened: &Happened<'_>, cache: &Cache) {
        match happened {
            Happened::Create { name, .. } => drop(self.created.insert((*name).into())),
            Happened::Remove { name } => drop(self.created.remove(*name)),
            Happened::Rename { from, to } if self.created.remove(*from) => {
                self.created.insert((*to).into());
            }
            Happened::SyncDir { .. } => self.created.clear(),
            Happened::Sync { file, .. } if self.is_new(*file, cache) => self.created.clear(),
            _ => {}
        }
    }

    fn state(&self, cache: &Cache, rng: &mut Rng) -> Image {
        if rng.percent(50) {
            return cache.image(&cache.names, |file| file.synced.clone());
        }
        let mut names = cache.names.clone();
        names.retain(|name, _| !self.created.contains(name));
        cache.image(&names, |file| file.current.clone())
    }
}
