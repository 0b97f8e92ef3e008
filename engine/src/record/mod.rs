//! One frame to bytes and back: pure, no I/O. The layout of the bytes is in docs/format.md, sections 3 to 5.
//!
//! Called by the log, the manifest, hints and whoever reads a single entry; calls `codec` only.
//! Promise: what decodes was encoded for this file and this offset; a length is checked before it is believed; no byte is
//! hashed twice.

mod decode;
mod encode;
mod file_header;
#[cfg(test)]
mod tests;

pub(crate) use decode::{Entries, Entry, Header, decode_body, decode_entry, entry_len};
pub(crate) use encode::{FrameBuilder, Placed};
pub(crate) use file_header::{
    FILE_HEADER_BYTES, FORMAT_VERSION, FileHeader, FileKind, HeaderError,
};

/// Bytes of a frame's header.
pub(crate) const HEADER_BYTES: usize = 44;
/// Bytes of an entry before its key, without an expiry.
pub(crate) const ENTRY_BYTES: usize = 11;
/// Bytes of an expiry.
pub(crate) const EXPIRY_BYTES: usize = 8;
// On disk: the two bytes by which a search recognises what may be a header.
pub(crate) const MAGIC: [u8; 2] = *b"Kf";

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// Writes of users, in a log.
    Batch,
    /// Entries that a merge carried.
    Carried,
    /// Edits of the manifest.
    Edit,
    /// A block of a hint file.
    Hint,
    /// The last frame of a sealed file.
    Footer,
}

impl FrameKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Batch => 1,
            Self::Carried => 2,
            Self::Edit => 3,
            Self::Hint => 4,
            Self::Footer => 5,
        }
    }

    #[inline]
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Batch),
            2 => Some(Self::Carried),
            3 => Some(Self::Edit),
            4 => Some(Self::Hint),
            5 => Some(Self::Footer),
            _ => None,
        }
    }
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    /// A key and its value.
    Put,
    /// A key and its value until a time.
    PutUntil,
    /// A key that was taken away.
    Tombstone,
    /// Bytes that the frame's kind explains; no key.
    Plain,
    /// Every key from the key up to, and without, the value was taken away.
    RangeTombstone,
}

impl EntryKind {
    /// Whether it says what became of one key: neither plain bytes nor a range of keys.
    pub(crate) const fn is_record(self) -> bool {
        matches!(self, Self::Put | Self::PutUntil | Self::Tombstone)
    }

    const fn byte(self) -> u8 {
        match self {
            Self::Put => 1,
            Self::PutUntil => 2,
            Self::Tombstone => 3,
            Self::Plain => 4,
            Self::RangeTombstone => 5,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Put),
            2 => Some(Self::PutUntil),
            3 => Some(Self::Tombstone),
            4 => Some(Self::Plain),
            5 => Some(Self::RangeTombstone),
            _ => None,
        }
    }
}

/// The fields of a frame's header that a writer chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) kind: FrameKind,
    /// The sequence of the first entry.
    pub(crate) seq: u64,
    /// Every sequence up to this one was durable when the frame was written.
    pub(crate) mark: u64,
    /// The greatest time seen, in milliseconds since 1970.
    pub(crate) time_ms: u64,
}
