//! One file of frames of an open store: what everybody who reads or closes it needs to know.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use keelstone_vfs::File;

use crate::codec::FileId;
use crate::error::FileName;
use crate::manifest::LiveFile;

/// A log, or a segment that a merge wrote.
pub(crate) struct LogFile {
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
}

impl LogFile {
    pub(crate) fn new(live: &LiveFile, id: FileId, file: Arc<dyn File>) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
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
        }
    }

    pub(crate) const fn is_log(&self) -> bool {
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

    /// `records` entries of `bytes` in all were written, or found at recovery.
    pub(crate) fn add_entries(&self, records: u64, bytes: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.entry_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}
