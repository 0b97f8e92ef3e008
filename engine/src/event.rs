//! What the store tells an observer: events as values, without std and without text.

use crate::error::{Corruption, FileName};

/// Something that happened inside the store and that an operator may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A store was created.
    Created,
    /// Open is done.
    Recovered {
        /// Live keys.
        keys: u64,
        /// The last sequence.
        sequence: u64,
        /// Files whose records were read one by one.
        scanned: u64,
        /// Files whose hint was used.
        hinted: u64,
    },
    /// A torn tail was cut at recovery: never acknowledged as durable.
    Cut {
        /// The file.
        file: FileName,
        /// Its last good byte.
        offset: u64,
        /// Bytes that are given up.
        bytes: u64,
        /// The last sequence that stays.
        sequence: u64,
    },
    /// A log was sealed and a new one begun.
    Sealed {
        /// The sealed file.
        file: FileName,
        /// Its length.
        bytes: u64,
    },
    /// A log was closed at its last good frame after a failed write.
    Ended {
        /// The file.
        file: FileName,
        /// Its last good byte.
        offset: u64,
    },
    /// A hint was not used: missing, stale or damaged. The file is scanned instead.
    HintIgnored {
        /// The hint.
        file: FileName,
    },
    /// A merge was published.
    Merged {
        /// Files that went in.
        inputs: u64,
        /// Files that came out.
        outputs: u64,
        /// Bytes that went in.
        bytes_in: u64,
        /// Bytes that came out.
        bytes_out: u64,
    },
    /// A memtable became a table.
    Flushed {
        /// Bytes of the table; 0 if nothing was left to be written.
        bytes: u64,
        /// Versions of keys that went in.
        records: u64,
        /// The last sequence that is in tables now.
        sequence: u64,
    },
    /// A bulk load was published.
    Loaded {
        /// Its tables.
        tables: u64,
        /// Their bytes.
        bytes: u64,
        /// Keys in them.
        records: u64,
        /// The sequence that all of them have.
        sequence: u64,
    },
    /// A compaction was published.
    Compacted {
        /// The level of what came out.
        level: u64,
        /// Tables that went in.
        inputs: u64,
        /// Tables that came out.
        outputs: u64,
        /// Bytes that went in.
        bytes_in: u64,
        /// Bytes that came out.
        bytes_out: u64,
    },
    /// A file that is no longer needed was removed.
    Removed {
        /// The file.
        file: FileName,
    },
    /// The disk is full.
    OutOfSpace,
    /// Space returned; writes go on.
    SpaceReturned,
    /// A sync failed: the store is read-only until it is opened again.
    SyncFailed,
    /// Damage was met.
    Damaged(Corruption),
    /// A snapshot ended early: what it kept outgrew the memory budget.
    SnapshotEnded {
        /// Its sequence.
        sequence: u64,
    },
    /// Background work failed; it is tried again later.
    WorkFailed(crate::Error),
}

/// Who is told. Called on the thread of the work, sometimes under a lock: be quick, do not call the store.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event);
}
