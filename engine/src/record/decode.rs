//! Reads one frame, or one entry of it, back from bytes; believes nothing before it is checked.

use super::{ENTRY_BYTES, EXPIRY_BYTES, EntryKind, FrameKind, HEADER_BYTES, MAGIC, Stamp};
use crate::codec::{FileId, Reader};
use crate::error::Damage;
use crate::limits;

/// Why bytes are not what they should be.
pub(crate) type Defect = Damage;

/// A frame's header whose checksum was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) stamp: Stamp,
    /// Bytes of entries that follow.
    pub(crate) len: u32,
    /// Entries that follow.
    pub(crate) count: u32,
    entries_crc: u32,
}

impl Header {
    /// Reads the header at `offset` of the file `id`. All zeros are `Ok(None)`: the clean end.
    pub(crate) fn decode(
        bytes: &[u8; HEADER_BYTES],
        id: FileId,
        offset: u64,
    ) -> Result<Option<Self>, Defect> {
        if bytes.iter().all(|b| *b == 0) {
            return Ok(None);
        }
        let mut reader = Reader::new(bytes);
        let crc = reader.u32().ok_or(Defect::Length)?;
        if bytes[4..6] != MAGIC || id.crc(offset, &bytes[4..]) != crc {
            return Err(Defect::Checksum);
        }
        Self::fields(&bytes[6..]).map(Some)
    }

    fn fields(bytes: &[u8]) -> Result<Self, Defect> {
        let mut reader = Reader::new(bytes);
        let mut read = || -> Option<(u8, u8, Self)> {
            let (kind, zero, len, count) =
                (reader.u8()?, reader.u8()?, reader.u32()?, reader.u32()?);
            let (seq, mark, time_ms) = (reader.u64()?, reader.u64()?, reader.u64()?);
            let stamp = Stamp { kind: FrameKind::Batch, seq, mark, time_ms };
            Some((kind, zero, Self { stamp, len, count, entries_crc: reader.u32()? }))
        };
        let (kind, zero, header) = read().ok_or(Defect::Length)?;
        let (len, count, seq) = (header.len, header.count, header.stamp.seq);
        let kind = FrameKind::from_byte(kind).filter(|_| zero == 0).ok_or(Defect::Kind)?;
        if count == 0 || u64::from(len) < u64::from(count) * ENTRY_BYTES as u64 {
            return Err(Defect::Length);
        }
        if seq.checked_add(u64::from(count)).is_none() {
            return Err(Defect::Length);
        }
        Ok(Self { stamp: Stamp { kind, ..header.stamp }, ..header })
    }

    /// Bytes of the whole frame.
    pub(crate) fn frame_len(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.len)
    }

    /// The sequence of the last entry.
    pub(crate) fn last_seq(&self) -> u64 {
        self.stamp.seq + u64::from(self.count) - 1
    }
}

/// An entry whose checksum was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) kind: EntryKind,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    /// When it expires, for `PutUntil`.
    pub(crate) expires_ms: Option<u64>,
    /// Bytes from the start of the file.
    pub(crate) offset: u64,
    /// Bytes of the whole entry.
    pub(crate) len: u32,
    /// The bytes after the checksum, as `FrameBuilder::push_raw` takes them.
    pub(crate) raw: &'a [u8],
}

/// The length that the entry at the front of `bytes` claims; not checked by a checksum yet.
#[inline]
pub(crate) fn entry_len(bytes: &[u8]) -> Result<usize, Defect> {
    let mut reader = Reader::new(bytes);
    let mut read = || -> Option<(u8, u16, u32)> {
        reader.u32()?;
        Some((reader.u8()?, reader.u16()?, reader.u32()?))
    };
    let (kind, key_len, value_len) = read().ok_or(Defect::Length)?;
    let kind = EntryKind::from_byte(kind).ok_or(Defect::Kind)?;
    let expiry = if kind == EntryKind::PutUntil { EXPIRY_BYTES } else { 0 };
    let value_len = usize::try_from(value_len).map_err(|_| Defect::Length)?;
    if value_len > limits::FRAME_BYTES_MAX {
        return Err(Defect::Length);
    }
    Ok(ENTRY_BYTES + expiry + usize::from(key_len) + value_len)
}

/// Reads the entry at the front of `bytes`, which stands at `offset` of the file `id`; `bytes` may be longer.
#[inline]
pub(crate) fn decode_entry(bytes: &[u8], id: FileId, offset: u64) -> Result<Entry<'_>, Defect> {
    let len = entry_len(bytes)?;
    let bytes = bytes.get(..len).ok_or(Defect::Length)?;
    decode_checked(bytes, id, offset, true)
}

/// Reads an entry of exactly `bytes`; `check` is false only where a test leaves the checksum out on purpose.
#[inline]
fn decode_checked(bytes: &[u8], id: FileId, offset: u64, check: bool) -> Result<Entry<'_>, Defect> {
    let mut reader = Reader::new(bytes);
    let mut read = || -> Option<(u32, u8, u16, u32)> {
        Some((reader.u32()?, reader.u8()?, reader.u16()?, reader.u32()?))
    };
    let (crc, kind, key_len, _) = read().ok_or(Defect::Length)?;
    if check && id.crc(offset, &bytes[4..]) != crc {
        return Err(Defect::Checksum);
    }
    let kind = EntryKind::from_byte(kind).ok_or(Defect::Kind)?;
    let expires_ms = match kind {
        EntryKind::PutUntil => Some(reader.u64().ok_or(Defect::Length)?),
        _ => None,
    };
    let key = reader.take(usize::from(key_len)).ok_or(Defect::Length)?;
    let head = ENTRY_BYTES + if expires_ms.is_some() { EXPIRY_BYTES } else { 0 };
    let value = bytes.get(head + key.len()..).ok_or(Defect::Length)?;
    let plain = kind == EntryKind::Plain;
    let fits = match kind {
        EntryKind::Tombstone => value.is_empty(),
        EntryKind::RangeTombstone => !value.is_empty(),
        EntryKind::Put | EntryKind::PutUntil | EntryKind::Plain => true,
    };
    if key.is_empty() != plain || !fits {
        return Err(Defect::Kind);
    }
    let len = u32::try_from(bytes.len()).map_err(|_| Defect::Length)?;
    Ok(Entry { kind, key, value, expires_ms, offset, len, raw: &bytes[4..] })
}

/// Checks the whole body of a frame against its header and gives its entries.
///
/// `body` has exactly `header.len` bytes; `offset` is that of the frame.
pub(crate) fn decode_body<'a>(
    header: &Header,
    body: &'a [u8],
    id: FileId,
    offset: u64,
    check: bool,
) -> Result<Entries<'a>, Defect> {
    if body.len() != header.len as usize {
        return Err(Defect::Length);
    }
    let base = offset + HEADER_BYTES as u64;
    let mut crcs = crc32fast::Hasher::new();
    let (mut at, mut plain, mut ranges) = (0, false, false);
    for _ in 0..header.count {
        let rest = body.get(at..).ok_or(Defect::Length)?;
        let len = entry_len(rest)?;
        let bytes = rest.get(..len).ok_or(Defect::Length)?;
        let kind = decode_checked(bytes, id, base + at as u64, check)?.kind;
        plain |= kind == EntryKind::Plain;
        ranges |= kind == EntryKind::RangeTombstone;
        crcs.update(&bytes[..4]);
        at += len;
    }
    if at != body.len() {
        return Err(Defect::Length);
    }
    if check && crcs.finalize() != header.entries_crc {
        return Err(Defect::Checksum);
    }
    Ok(Entries { body, at: 0, id, base, plain, ranges })
}

/// The entries of a frame that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Entries<'a> {
    body: &'a [u8],
    at: usize,
    id: FileId,
    base: u64,
    plain: bool,
    ranges: bool,
}

impl Entries<'_> {
    /// Whether every entry of the frame is a record of one key.
    pub(crate) const fn are_records(&self) -> bool {
        !self.plain && !self.ranges
    }

    /// Whether every entry of the frame is a write, one key's or a range's.
    pub(crate) const fn are_writes(&self) -> bool {
        !self.plain
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let rest = self.body.get(self.at..)?;
        if rest.is_empty() {
            return None;
        }
        let len = entry_len(rest).ok()?;
        let bytes = rest.get(..len)?;
        let entry = decode_checked(bytes, self.id, self.base + self.at as u64, false).ok()?;
        self.at += len;
        Some(entry)
    }
}
