//! What happened to a disk, one operation after the other, for whoever has another idea of what a crash leaves.
//!
//! Called through a trace by models of crashes that are not this disk's own. Never: says what is durable.

use super::step::{Fate, Step};
use crate::SyncMode;

/// One operation of a trace. A file keeps its number when it gets another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened<'a> {
    /// An empty file got this name.
    Create {
        /// The name.
        name: &'a str,
        /// The file.
        file: u64,
    },
    /// An empty directory got this name.
    CreateDir {
        /// The name.
        name: &'a str,
    },
    /// What had one name has another, in place of what had that.
    Rename {
        /// The name that ended.
        from: &'a str,
        /// The name that it has.
        to: &'a str,
    },
    /// A name ended.
    Remove {
        /// The name.
        name: &'a str,
    },
    /// The names in a directory were synced.
    SyncDir {
        /// The directory, empty for the root.
        dir: &'a str,
    },
    /// Bytes were written.
    Write {
        /// The file.
        file: u64,
        /// Where.
        offset: u64,
        /// Which.
        bytes: &'a [u8],
    },
    /// The length was set.
    SetLen {
        /// The file.
        file: u64,
        /// The length.
        len: u64,
    },
    /// The file has at least this length.
    Allocate {
        /// The file.
        file: u64,
        /// The length.
        len: u64,
    },
    /// A file was synced.
    Sync {
        /// The file.
        file: u64,
        /// How much of it.
        mode: SyncMode,
    },
}

impl Step {
    /// The step as others see it; `None` if it is a failure, a lie or damage, which they do not know.
    pub(super) fn happened(&self) -> Option<Happened<'_>> {
        Some(match self {
            Self::Create(name, file) => Happened::Create { name, file: *file },
            Self::CreateDir(name) => Happened::CreateDir { name },
            Self::Rename(from, to, _) => Happened::Rename { from, to },
            Self::Remove(name) => Happened::Remove { name },
            Self::SyncDir(dir, Fate::Kept) => Happened::SyncDir { dir },
            Self::Write(_, file, offset, bytes) => {
                Happened::Write { file: *file, offset: *offset, bytes: bytes.get() }
            }
            Self::SetLen(_, file, len) => Happened::SetLen { file: *file, len: *len },
            Self::Allocate(_, file, len) => Happened::Allocate { file: *file, len: *len },
            Self::Sync(_, file, mode, Fate::Kept) => Happened::Sync { file: *file, mode: *mode },
            Self::SyncDir(..)
            | Self::Sync(..)
            | Self::Flip(..)
            | Self::Plant(..)
            | Self::Uproot(_) => return None,
        })
    }
}
