//! Beginning a store of this layout, or filling the index of one that exists.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use keelstone_vfs::Access;
use keelstone_vfs::lock::Mutex;

use super::expiry::Expiries;
use super::files::Files;
use super::index::Index;
use super::jobs::Jobs;
use super::recover::read_files;
use super::snapshot::Snapshots;
use super::stats::Counters;
use super::write::Hand;
use super::{LAYOUT, Store};
use crate::codec::KeyHasher;
use crate::error::Result;
use crate::event::Event;
use crate::journal::{Journal, LogFile};
use crate::manifest::{self, Loaded};
use crate::options::OpenMode;

impl Store {
    /// Creates a store in an empty directory.
    pub(crate) fn create(journal: Journal) -> Result<Arc<Self>> {
        let store = Self::assemble(journal)?;
        store.journal.begin(manifest::State::new(LAYOUT))?;
        Ok(store)
    }

    /// Opens the store that `loaded` describes.
    pub(crate) fn open(journal: Journal, loaded: Loaded) -> Result<Arc<Self>> {
        let store = Self::assemble(journal)?;
        let read_only = store.journal.options.mode == OpenMode::ReadOnly;
        let access = if read_only { Access::Read } else { Access::Write };
        let plan = read_files(&store, &loaded, access)?;
        if read_only {
            store.journal.look_on(&loaded, &plan);
        } else {
            let logs: Vec<Arc<LogFile>> =
                store.files.live().iter().map(|file| Arc::clone(&file.log)).collect();
            store.journal.take_over(loaded, &plan, &logs)?;
        }
        store.journal.counters.recoveries.store(1, Ordering::Relaxed);
        store.journal.event(&Event::Recovered {
            keys: store.index.len(),
            sequence: store.journal.sequence(),
            scanned: store.counters.files_scanned.load(Ordering::Relaxed),
            hinted: store.counters.hints_used.load(Ordering::Relaxed),
        });
        Ok(store)
    }

    fn assemble(journal: Journal) -> Result<Arc<Self>> {
        let (shards, equal) = (journal.options.index_shards, journal.switches.equal_hashes());
        Ok(Arc::new(Self {
            hasher: KeyHasher::new(journal.seed),
            index: Index::new(shards, equal)?,
            files: Files::default(),
            expiries: Expiries::default(),
            hand: Mutex::new(Hand::default()),
            snapshots: Snapshots::default(),
            jobs: Mutex::new(Jobs::default()),
            removing: Mutex::new(()),
            counters: Counters::default(),
            journal,
        }))
    }
}
