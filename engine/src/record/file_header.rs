//! The first 64 bytes of every file but CURRENT, LOCK and RESERVE: which file of which store it is.

use crate::codec::{self, FileId, Reader};
use crate::error::Damage;

/// Bytes of a file's header; frames begin after it.
pub(crate) const FILE_HEADER_BYTES: usize = 64;
// On disk: the version of the format that this build writes, and the newest that it reads.
pub(crate) const FORMAT_VERSION: u16 = 1;
const MAGIC: [u8; 8] = *b"KEELSTON";

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Manifest,
    Log,
    Segment,
    Hint,
    Table,
}

impl FileKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Manifest => 1,
            Self::Log => 2,
            Self::Segment => 3,
            Self::Hint => 4,
            Self::Table => 5,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Manifest),
            2 => Some(Self::Log),
            3 => Some(Self::Segment),
            4 => Some(Self::Hint),
            5 => Some(Self::Table),
            _ => None,
        }
    }
}

/// Why a header cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Damaged(Damage),
    /// A newer version of the format.
    Newer(u16),
}

/// The header of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) kind: FileKind,
    pub(crate) number: u64,
    pub(crate) seed: u128,
    /// Which records win over which: a log's own number, a segment's the newest of its inputs.
    pub(crate) age: u64,
    /// The first sequence that a log will hold; 0 elsewhere.
    pub(crate) first_seq: u64,
}

impl FileHeader {
    /// The identity that the file's checksums bind.
    pub(crate) fn id(&self) -> FileId {
        FileId::new(self.seed, self.number)
    }

    pub(crate) fn encode(&self) -> [u8; FILE_HEADER_BYTES] {
        let mut bytes = [0; FILE_HEADER_BYTES];
        codec::put(&mut bytes, 0, &MAGIC);
        codec::put(&mut bytes, 8, &FORMAT_VERSION.to_le_bytes());
        codec::put(&mut bytes, 10, &[self.kind.byte(), 0]);
        codec::put(&mut bytes, 16, &self.number.to_le_bytes());
        codec::put(&mut bytes, 24, &self.seed.to_le_bytes());
        codec::put(&mut bytes, 40, &self.age.to_le_bytes());
        codec::put(&mut bytes, 48, &self.first_seq.to_le_bytes());
        let crc = codec::crc(&bytes[..60]);
        codec::put(&mut bytes, 60, &crc.to_le_bytes());
        bytes
    }

    /// The seed that a header has whose checksum may be wrong: only for who checks what it leads to; 0 if there is none.
    pub(crate) fn seed_said(bytes: &[u8]) -> u128 {
        let mut reader = Reader::new(bytes);
        reader.take(24).and_then(|_| reader.u128()).unwrap_or_default()
    }

    /// Reads a header; whether it is the header that the caller expects is for the caller to compare.
    pub(crate) fn decode(bytes: &[u8; FILE_HEADER_BYTES]) -> Result<Self, HeaderError> {
        let damaged = |damage| HeaderError::Damaged(damage);
        let mut tail = Reader::new(&bytes[60..]);
        if tail.u32() != Some(codec::crc(&bytes[..60])) || bytes[..8] != MAGIC {
            return Err(damaged(Damage::Checksum));
        }
        let mut reader = Reader::new(&bytes[8..]);
        let mut read = || -> Option<(u16, u8, u64, u128, u64, u64)> {
            let (version, kind) = (reader.u16()?, reader.u8()?);
            reader.take(5)?;
            Some((version, kind, reader.u64()?, reader.u128()?, reader.u64()?, reader.u64()?))
        };
        let (version, kind, number, seed, age, first_seq) =
            read().ok_or(damaged(Damage::Length))?;
        if version > FORMAT_VERSION {
            return Err(HeaderError::Newer(version));
        }
        let kind = FileKind::from_byte(kind).ok_or(damaged(Damage::Kind))?;
        Ok(Self { kind, number, seed, age, first_seq })
    }
}
