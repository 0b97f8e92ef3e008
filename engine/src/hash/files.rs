//! The files that hold records, by slot: what the index's entries point into.
//!
//! Readers clone an `Arc` and go on without a lock; a file that a merge has replaced stays open for them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use keelstone_vfs::File;
use keelstone_vfs::lock::RwLock;

use crate::codec::FileId;
use crate::error::{Error, FileName, Result};
use crate::manifest::LiveFile;

/// One log or segment of an open store.
pub(crate) struct DataFile {
    pub(crate) slot: u16,
    pub(crate) name: FileName,
    pub(crate) number: u64,
    pub(crate) age: u64,
    pub(crate) id: FileId,
    pub(crate) file: Arc<dyn File>,
    pub(crate) first_seq: u64,
    /// Where its frames end, for the active log as far as was applied.
    pub(crate) end: AtomicU64,
    pub(crate) last_seq: AtomicU64,
    /// Nothing is appended any more, and the manifest says so.
    pub(crate) closed: AtomicBool,
    /// All its entries.
    pub(crate) records: AtomicU64,
    /// Bytes of all its entries.
    pub(crate) entry_bytes: AtomicU64,
    /// Bytes of the entries that the index points to.
    pub(crate) live_bytes: AtomicU64,
    /// Bytes of its tombstones.
    pub(crate) tombstone_bytes: AtomicU64,
    /// A merge has replaced it.
    pub(crate) retired: AtomicBool,
}

impl DataFile {
    pub(crate) fn new(slot: u16, live: &LiveFile, id: FileId, file: Arc<dyn File>) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            slot,
            name: live.name(),
            number: live.number,
            age: live.age,
            id,
            file,
            first_seq: live.first_seq,
            end: zero(),
            last_seq: AtomicU64::new(live.last_seq),
            closed: AtomicBool::new(false),
            records: zero(),
            entry_bytes: zero(),
            live_bytes: zero(),
            tombstone_bytes: zero(),
            retired: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_log(&self) -> bool {
        matches!(self.name, FileName::Log(_))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    pub(crate) fn last_seq(&self) -> u64 {
        self.last_seq.load(Ordering::Acquire)
    }

    /// An entry of `bytes` was written, or found at recovery.
    pub(crate) fn add_entry(&self, bytes: u64, tombstone: bool) {
        self.records.fetch_add(1, Ordering::Relaxed);
        self.entry_bytes.fetch_add(bytes, Ordering::Relaxed);
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
                insert_ordered(&mut files, file, |file| file.number);
            }
        }
        files
    }
}
