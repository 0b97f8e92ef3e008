//! The files that hold records, by slot: what the index's entries point into.
//!
//! Readers clone an `Arc` and go on without a lock; a file that a merge has replaced stays open for them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use keelstone_vfs::lock::RwLock;

use crate::error::{Error, Result};
use crate::journal::LogFile;

/// One log or segment of an open store, and what the index makes of its records.
pub(crate) struct DataFile {
    pub(crate) slot: u16,
    pub(crate) log: Arc<LogFile>,
    /// Bytes of the entries that the index points to.
    pub(crate) live_bytes: AtomicU64,
    /// Bytes of its tombstones.
    pub(crate) tombstone_bytes: AtomicU64,
    /// A merge has replaced it.
    pub(crate) retired: AtomicBool,
}

impl DataFile {
    pub(crate) fn new(slot: u16, log: Arc<LogFile>) -> Self {
        let zero = || AtomicU64::new(0);
        let (live_bytes, tombstone_bytes, retired) = (zero(), zero(), AtomicBool::new(false));
        Self { slot, log, live_bytes, tombstone_bytes, retired }
    }

    /// An entry of `bytes` was written, or found at recovery.
    pub(crate) fn add_entry(&self, bytes: u64, tombstone: bool) {
        self.log.add_entries(1, bytes);
        if tombstone {
            self.tombstone_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    pub(crate) fn add_live(&self, bytes: u64) {
        self.live_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn sub_live(&self, bytes: u64) {
        self.live_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Inserts `item` where `key` says: for lists so short that a sort would only be code.
pub(crate) fn insert_ordered<T, K: Ord>(list: &mut Vec<T>, item: T, key: impl Fn(&T) -> K) {
    let at = list.partition_point(|other| key(other) <= key(&item));
    list.insert(at, item);
}

/// All files by slot.
#[derive(Default)]
pub(crate) struct Files {
    slots: RwLock<Vec<Option<Arc<DataFile>>>>,
}

impl Files {
    #[inline]
    pub(crate) fn get(&self, slot: u16) -> Option<Arc<DataFile>> {
        self.slots.read().get(usize::from(slot))?.clone()
    }

    /// Makes room: so many files can be added without an error, if nobody else adds any.
    pub(crate) fn reserve(&self, files: usize) -> Result<()> {
        let mut slots = self.slots.write();
        let free = slots.iter().filter(|slot| slot.is_none()).count();
        let more = files.saturating_sub(free);
        if slots.len() + more > usize::from(u16::MAX) + 1 {
            return Err(Error::Unsupported("more than 65,536 files"));
        }
        Ok(slots.try_reserve(more)?)
    }

    /// Adds a file in the first free slot; `make` gets the slot.
    pub(crate) fn add(&self, make: impl FnOnce(u16) -> DataFile) -> Result<Arc<DataFile>> {
        let mut slots = self.slots.write();
        let free = slots.iter().position(Option::is_none).unwrap_or(slots.len());
        let slot = u16::try_from(free).map_err(|_| Error::Unsupported("more than 65,536 files"))?;
        let file = Arc::new(make(slot));
        if free == slots.len() {
            slots.try_reserve(1)?;
            slots.push(None);
        }
        slots[free] = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Frees the slot; whoever still reads the file keeps it open.
    pub(crate) fn remove(&self, slot: u16) {
        if let Some(place) = self.slots.write().get_mut(usize::from(slot)) {
            *place = None;
        }
    }

    /// Every file, retired ones included.
    pub(crate) fn all(&self) -> Vec<Arc<DataFile>> {
        self.slots.read().iter().flatten().cloned().collect()
    }

    /// Every file that the manifest names, by number.
    pub(crate) fn live(&self) -> Vec<Arc<DataFile>> {
        let mut files = Vec::new();
        for file in self.all() {
            if !file.retired.load(Ordering::Acquire) {
                insert_ordered(&mut files, file, |file| file.log.number);
            }
        }
        files
    }
}
