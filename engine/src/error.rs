//! The engine's one error type: few variants, each of which a caller treats differently.
//!
//! Returned by every room. Absence is `None`, never an error. Small fields, no strings, no allocation: an error can be
//! made when memory is short.

use core::fmt;

use crate::limits;

/// The result of every fallible call of the engine.
pub type Result<T> = core::result::Result<T, Error>;

/// Why a call failed, by what the caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk failed. The call may be repeated; if a sync failed, the store is [`ReadOnly`](Error::ReadOnly) from now on.
    #[error("{0}")]
    Storage(keelstone_vfs::Error),
    /// Bytes on the disk are not what was written there. Nothing was changed; look with `verify`, then `repair` or restore.
    #[error("{0}")]
    Corrupt(Corruption),
    /// An argument breaks a limit or a rule. Nothing was changed.
    #[error("{0}")]
    Invalid(Invalid),
    /// This layout, or this disk, does not have the operation. Nothing was changed.
    #[error("not supported by this store: {0}")]
    Unsupported(&'static str),
    /// The disk is full. Reads, deletes and merges that fit go on; writes succeed again when space returns.
    #[error("out of space, writes succeed again when space is freed")]
    OutOfSpace,
    /// The store refuses writes: opened for reading, or a sync failed. After a failed sync, open it anew.
    #[error("read-only{}", if *.after_failed_sync { " since a sync failed, open the store again" } else { "" })]
    ReadOnly {
        /// A sync failed: what was buffered may be lost, what was acknowledged as durable is not.
        after_failed_sync: bool,
    },
    /// Another process, or another handle, has the store open.
    #[error("locked by another user of the store")]
    Locked,
    /// The store was closed, or the snapshot ended because its undo data outgrew the memory budget.
    #[error("closed")]
    Closed,
    /// There is no store here.
    #[error("no store here")]
    NoStore,
    /// A newer version of Keelstone wrote this store.
    #[error("written by a newer version, format={format} supported={supported}")]
    Version {
        /// The format version found on disk.
        format: u16,
        /// The newest format version that this build reads.
        supported: u16,
    },
    /// The log no longer reaches back that far: merged away. Take a backup and go on from `oldest`.
    #[error("the log before sequence {oldest} was merged away")]
    MergedAway {
        /// The oldest sequence from which the log can be read.
        oldest: u64,
    },
    /// Memory could not be had, or the memory budget is used up. Nothing was changed.
    #[error("out of memory")]
    OutOfMemory,
}

impl From<keelstone_vfs::Error> for Error {
    fn from(error: keelstone_vfs::Error) -> Self {
        match error.kind {
            keelstone_vfs::Kind::NoSpace => Self::OutOfSpace,
            keelstone_vfs::Kind::Locked => Self::Locked,
            keelstone_vfs::Kind::NoMemory => Self::OutOfMemory,
            _ => Self::Storage(error),
        }
    }
}

impl From<alloc::collections::TryReserveError> for Error {
    fn from(_: alloc::collections::TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

/// Which bytes are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// The file.
    pub file: FileName,
    /// Where the damage begins, in bytes from the start of the file.
    pub offset: u64,
    /// How many bytes are affected, 0 if that is not known.
    pub bytes: u64,
    /// What is wrong.
    pub what: Damage,
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "corrupt file={} offset={} bytes={} what={}",
            self.file, self.offset, self.bytes, self.what
        )
    }
}

/// What is wrong with damaged bytes: one word for messages, and a caller can branch on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// A checksum does not match.
    Checksum,
    /// A length or count cannot be right.
    Length,
    /// The file that the manifest names does not exist.
    Missing,
    /// The file is shorter than the manifest says.
    Short,
    /// The file belongs to another store, or is another file under this name.
    Identity,
    /// A kind of record or edit that this version does not know.
    Kind,
    /// Acknowledged records are missing: sequences do not follow each other.
    Gap,
    /// The index, or a hint, and the file disagree.
    Key,
    /// Bytes that should be zero are not.
    Padding,
}

impl Damage {
    /// All kinds of damage, so that a word can be turned back.
    pub const ALL: [Self; 9] = [
        Self::Checksum,
        Self::Length,
        Self::Missing,
        Self::Short,
        Self::Identity,
        Self::Kind,
        Self::Gap,
        Self::Key,
        Self::Padding,
    ];

    /// The word that stands for it in `what=`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Checksum => "checksum",
            Self::Length => "length",
            Self::Missing => "missing",
            Self::Short => "short",
            Self::Identity => "identity",
            Self::Kind => "kind",
            Self::Gap => "gap",
            Self::Key => "key",
            Self::Padding => "padding",
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Which argument is wrong, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// A key has no bytes.
    #[error("empty key")]
    EmptyKey,
    /// A key is too long.
    #[error("key too long bytes={bytes} max={max}")]
    KeyTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A value is too long.
    #[error("value too long bytes={bytes} max={max}")]
    ValueTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A batch is too large for one frame or for one segment.
    #[error("batch too large bytes={bytes} max={max}")]
    BatchTooLarge {
        /// Its length once encoded.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// An option has a value that cannot work.
    #[error("option out of range: {0}")]
    Option(&'static str),
    /// The store exists and has another layout.
    #[error("the store has another layout")]
    Layout,
    /// The destination holds something already.
    #[error("destination is not empty")]
    NotEmpty,
    /// The store was created with another order of keys.
    #[error("the store has another order of keys")]
    Comparator,
    /// A range ends before it begins.
    #[error("the range ends before it begins")]
    Range,
    /// Input that must be sorted is not, or has a key twice.
    #[error("not in ascending order of keys")]
    Unsorted,
}

impl Invalid {
    /// The one word that stands for it where a program reads it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::EmptyKey => "empty-key",
            Self::KeyTooLong { .. } => "key-too-long",
            Self::ValueTooLong { .. } => "value-too-long",
            Self::BatchTooLarge { .. } => "batch-too-large",
            Self::Option(_) => "option",
            Self::Layout => "layout",
            Self::NotEmpty => "not-empty",
            Self::Comparator => "comparator",
            Self::Range => "range",
            Self::Unsorted => "unsorted",
        }
    }

    /// The length that was given and the limit that it breaks, 0 and 0 where there is none.
    #[must_use]
    pub const fn sizes(self) -> (usize, usize) {
        match self {
            Self::KeyTooLong { bytes, max }
            | Self::ValueTooLong { bytes, max }
            | Self::BatchTooLarge { bytes, max } => (bytes, max),
            Self::EmptyKey
            | Self::Option(_)
            | Self::Layout
            | Self::NotEmpty
            | Self::Comparator
            | Self::Range
            | Self::Unsorted => (0, 0),
        }
    }
}

/// The name of a file of a store, small and `Copy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FileName {
    /// `CURRENT`: which manifest holds.
    Current,
    /// `LOCK`: excludes a second user.
    Lock,
    /// `RESERVE`: bytes that are given up when the disk is full.
    Reserve,
    /// `NNNNNN.manifest`: which files are live.
    Manifest(u64),
    /// `NNNNNN.log`: records as they were written.
    Log(u64),
    /// `NNNNNN.seg`: records that a merge carried.
    Segment(u64),
    /// `NNNNNN.hint`: where the records of log or segment NNNNNN are.
    Hint(u64),
    /// `NNNNNN.table`: keys in order, with what they hold.
    Table(u64),
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("CURRENT"),
            Self::Lock => f.write_str("LOCK"),
            Self::Reserve => f.write_str("RESERVE"),
            Self::Manifest(n) => write!(f, "{n:06}.manifest"),
            Self::Log(n) => write!(f, "{n:06}.log"),
            Self::Segment(n) => write!(f, "{n:06}.seg"),
            Self::Hint(n) => write!(f, "{n:06}.hint"),
            Self::Table(n) => write!(f, "{n:06}.table"),
        }
    }
}

impl FileName {
    /// Reads a name; `None` if it is not one of ours, spelled exactly as we spell it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "CURRENT" => return Some(Self::Current),
            "LOCK" => return Some(Self::Lock),
            "RESERVE" => return Some(Self::Reserve),
            _ => {}
        }
        let (digits, suffix) = name.split_once('.')?;
        let canonical = digits.len() == 6 || (digits.len() > 6 && !digits.starts_with('0'));
        if !canonical || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        // Why: no store counts that far, and one more than such a number must still be a number.
        let number = digits.parse::<u64>().ok().filter(|number| *number <= limits::NUMBER_MAX)?;
        match suffix {
            "manifest" => Some(Self::Manifest(number)),
            "log" => Some(Self::Log(number)),
            "seg" => Some(Self::Segment(number)),
            "hint" => Some(Self::Hint(number)),
            "table" => Some(Self::Table(number)),
            _ => None,
        }
    }

    /// The number in the name, for the kinds that have one.
    #[must_use]
    pub const fn number(self) -> Option<u64> {
        match self {
            Self::Manifest(n)
            | Self::Log(n)
            | Self::Segment(n)
            | Self::Hint(n)
            | Self::Table(n) => Some(n),
            Self::Current | Self::Lock | Self::Reserve => None,
        }
    }
}
