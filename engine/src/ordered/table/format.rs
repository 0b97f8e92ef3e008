//! The bytes of a table around its entries: numbers, handles, sealed blocks, properties, footer. Pure.
//!
//! Called by the writer and the reader; docs/format.md, section 10.
//! Promise: what opens was sealed for this file and this offset; a length is checked before memory is taken for it.

use alloc::vec::Vec;

use super::{LOADED, TableMeta};
use crate::codec::{FileId, Reader};
use crate::error::{Damage, Error};
use crate::record::EntryKind;

/// Bytes of a block behind its payload: how it is compressed, and its checksum.
pub(super) const TRAILER_BYTES: usize = 5;
/// Bytes of the footer: five handles, magic, checksum.
pub(super) const FOOTER_BYTES: usize = 5 * 12 + 8 + 4;
// On disk: the last bytes of every table but four.
const MAGIC: [u8; 8] = *b"KEELTABL";
// On disk: what the first byte of a trailer says.
const STORED: u8 = 0;
const LZ4: u8 = 1;
/// The most bytes into which one byte of lz4 can grow: a longer length is a lie.
const LZ4_GROWTH_MAX: usize = 255;

// On disk: the kinds of entries, as in logs.
pub(super) const fn kind_byte(kind: EntryKind) -> u8 {
    match kind {
        EntryKind::Put => 1,
        EntryKind::PutUntil => 2,
        EntryKind::Tombstone => 3,
        EntryKind::Plain => 4,
        EntryKind::RangeTombstone => 5,
    }
}

pub(super) const fn kind_of(byte: u8) -> Option<EntryKind> {
    match byte {
        1 => Some(EntryKind::Put),
        2 => Some(EntryKind::PutUntil),
        3 => Some(EntryKind::Tombstone),
        5 => Some(EntryKind::RangeTombstone),
        _ => None,
    }
}

/// Appends a number: seven bits in each byte, the lowest first, the top bit set in all but the last.
#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a number at `at` and goes behind it.
#[inline]
pub(super) fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let first = *bytes.get(*at)?;
    if first < 0x80 {
        *at += 1;
        return Some(u64::from(first));
    }
    if let Some((number, len)) = bytes.get(*at..).and_then(<[u8]>::first_chunk).and_then(folded) {
        *at += len;
        return Some(number);
    }
    *at += 1;
    long_varint(bytes, at, first)
}

/// The number that these bytes begin with, and how many of them it takes; `None` if it has more than these.
///
/// Why: numbers of every length cost the same, and no branch that is hard to foretell.
#[inline]
fn folded(bytes: &[u8; 8]) -> Option<(u64, usize)> {
    let word = u64::from_le_bytes(*bytes);
    let last = !word & 0x8080_8080_8080_8080;
    if last == 0 {
        return None;
    }
    // The bits up to the first byte whose top bit is not set, seven of each byte, then pairs moved together.
    let sevens = word & (last ^ (last - 1)) & 0x7f7f_7f7f_7f7f_7f7f;
    let pairs = sevens & 0x007f_007f_007f_007f | (sevens & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = pairs & 0x0000_3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    let number = fours & 0x0fff_ffff | (fours & 0x0fff_ffff_0000_0000) >> 4;
    Some((number, last.trailing_zeros() as usize / 8 + 1))
}

#[cold]
fn long_varint(bytes: &[u8], at: &mut usize, first: u8) -> Option<u64> {
    let mut number = u64::from(first & 0x7f);
    for shift in (7..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        if shift == 63 && byte > 1 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Where a block is, its trailer included; a length of 0 stands for no block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Handle {
    pub(crate) offset: u64,
    pub(crate) len: u32,
}

impl Handle {
    /// The bytes that stand for it in an index.
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        put_varint(out, self.offset);
        put_varint(out, u64::from(self.len));
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        Self::decode_at(bytes, 0, bytes.len())
    }

    /// The handle that stands from `at` to `end`; that bytes follow makes it quicker to read.
    #[inline]
    pub(super) fn decode_at(bytes: &[u8], mut at: usize, end: usize) -> Option<Self> {
        let offset = varint(bytes, &mut at)?;
        let len = u32::try_from(varint(bytes, &mut at)?).ok()?;
        (at == end).then_some(Self { offset, len })
    }

    pub(crate) fn is_none(self) -> bool {
        self.len == 0
    }

    /// Where the block ends.
    pub(super) fn end(self) -> u64 {
        self.offset.saturating_add(u64::from(self.len))
    }
}

/// Appends a block that will stand at `offset` of the file `id`, compressed if asked for and worth it.
pub(super) fn seal(
    out: &mut Vec<u8>,
    id: FileId,
    offset: u64,
    payload: &[u8],
    lz4: bool,
) -> Result<Handle, Error> {
    let start = out.len();
    let compressed = lz4 && compress(out, payload)?;
    out.try_reserve(payload.len() + TRAILER_BYTES)?;
    if compressed {
        out.push(LZ4);
    } else {
        out.truncate(start);
        out.extend_from_slice(payload);
        out.push(STORED);
    }
    let crc = id.crc(offset, &out[start..]);
    out.extend_from_slice(&crc.to_le_bytes());
    // Why: with a length that no handle can hold there is no block; entries are bounded far below.
    let len = u32::try_from(out.len() - start).map_err(|_| Error::OutOfMemory)?;
    Ok(Handle { offset, len })
}

/// Appends the length of the payload and the payload compressed; `false` if that saves less than an eighth.
fn compress(out: &mut Vec<u8>, payload: &[u8]) -> Result<bool, Error> {
    let Ok(len) = u32::try_from(payload.len()) else { return Ok(false) };
    let start = out.len();
    let most = lz4_flex::block::get_maximum_output_size(payload.len());
    out.try_reserve(4 + most)?;
    out.extend_from_slice(&len.to_le_bytes());
    out.resize(start + 4 + most, 0);
    let Ok(count) = lz4_flex::block::compress_into(payload, &mut out[start + 4..]) else {
        return Ok(false);
    };
    out.truncate(start + 4 + count);
    Ok(4 + count <= payload.len() - payload.len() / 8)
}

/// Whether the trailer of a sealed block says that it is compressed.
pub(super) fn is_compressed(sealed: &[u8]) -> bool {
    sealed.len().checked_sub(TRAILER_BYTES).and_then(|at| sealed.get(at)) == Some(&LZ4)
}

/// What is wrong with a sealed block, or with memory.
pub(super) enum Unsealed {
    Damaged(Damage),
    OutOfMemory,
}

impl From<Damage> for Unsealed {
    fn from(what: Damage) -> Self {
        Self::Damaged(what)
    }
}

impl From<alloc::collections::TryReserveError> for Unsealed {
    fn from(_: alloc::collections::TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

/// Gives the payload of the sealed block `bytes` that was read at `offset` of the file `id`.
pub(super) fn unseal(id: FileId, offset: u64, mut bytes: Vec<u8>) -> Result<Vec<u8>, Unsealed> {
    let (body, crc) = bytes.split_last_chunk::<4>().ok_or(Damage::Length)?;
    if id.crc(offset, body) != u32::from_le_bytes(*crc) {
        return Err(Damage::Checksum.into());
    }
    let (compression, payload) = body.split_last().ok_or(Damage::Length)?;
    match *compression {
        STORED => {
            bytes.truncate(bytes.len() - TRAILER_BYTES);
            Ok(bytes)
        }
        LZ4 => decompress(payload),
        _ => Err(Damage::Kind.into()),
    }
}

fn decompress(bytes: &[u8]) -> Result<Vec<u8>, Unsealed> {
    let (len, compressed) = bytes.split_first_chunk::<4>().ok_or(Damage::Length)?;
    let len = usize::try_from(u32::from_le_bytes(*len)).map_err(|_| Damage::Length)?;
    if len > compressed.len().saturating_mul(LZ4_GROWTH_MAX) {
        return Err(Damage::Length.into());
    }
    let mut payload = Vec::new();
    payload.try_reserve_exact(len)?;
    payload.resize(len, 0);
    match lz4_flex::block::decompress_into(compressed, &mut payload) {
        Ok(count) if count == len => Ok(payload),
        _ => Err(Damage::Length.into()),
    }
}

/// The end of a table: where everything but data is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) filter: Handle,
    pub(crate) prefixes: Handle,
    pub(crate) ranges: Handle,
    /// The whole index, or the index of the index blocks.
    pub(crate) index: Handle,
    pub(crate) properties: Handle,
}

impl Footer {
    const fn handles(self) -> [Handle; 5] {
        [self.filter, self.prefixes, self.ranges, self.index, self.properties]
    }

    /// Appends the footer that will stand at `offset`.
    pub(super) fn encode(self, out: &mut Vec<u8>, id: FileId, offset: u64) -> Result<(), Error> {
        out.try_reserve(FOOTER_BYTES)?;
        let start = out.len();
        for handle in self.handles() {
            out.extend_from_slice(&handle.offset.to_le_bytes());
            out.extend_from_slice(&handle.len.to_le_bytes());
        }
        out.extend_from_slice(&MAGIC);
        let crc = id.crc(offset, &out[start..]);
        out.extend_from_slice(&crc.to_le_bytes());
        Ok(())
    }

    pub(super) fn decode(bytes: &[u8], id: FileId, offset: u64) -> Result<Self, Damage> {
        let (body, crc) = bytes.split_last_chunk::<4>().ok_or(Damage::Length)?;
        if !body.ends_with(&MAGIC) || id.crc(offset, body) != u32::from_le_bytes(*crc) {
            return Err(Damage::Checksum);
        }
        let mut reader = Reader::new(body);
        let mut handle = || Some(Handle { offset: reader.u64()?, len: reader.u32()? });
        let mut read = || {
            let (filter, prefixes, ranges) = (handle()?, handle()?, handle()?);
            Some(Self { filter, prefixes, ranges, index: handle()?, properties: handle()? })
        };
        let footer = read().ok_or(Damage::Length)?;
        // Invariant: what the footer names is before it, and a block is at least its trailer.
        let fits =
            |h: &Handle| h.is_none() || (h.end() <= offset && h.len as usize >= TRAILER_BYTES);
        let needed = !footer.index.is_none() && !footer.properties.is_none();
        if needed && footer.handles().iter().all(fits) { Ok(footer) } else { Err(Damage::Length) }
    }
}

/// What is true of a whole table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Properties {
    pub(crate) meta: TableMeta,
    /// Different keys.
    pub(crate) keys: u64,
    pub(crate) data_blocks: u64,
    /// 0: the index is one block.
    pub(crate) index_blocks: u64,
    /// 0: there is no filter of prefixes.
    pub(crate) prefix_bytes: u32,
    /// Every item has the sequence `max_seq`; its block does not know it.
    pub(crate) loaded: bool,
    /// The name of the order of keys.
    pub(crate) order: Vec<u8>,
}

impl Properties {
    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let meta = &self.meta;
        out.try_reserve(128 + meta.first.len() + meta.last.len() + self.order.len())?;
        // Why: a least time above the greatest stands for none.
        let (expires_min, expires_max) = meta.expires.unwrap_or((u64::MAX, 0));
        let numbers = [
            [meta.entries, meta.tombstones, meta.ranges, meta.min_seq],
            [meta.max_seq, expires_min, expires_max, meta.raw_bytes],
        ];
        for number in numbers.as_flattened() {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for number in [self.keys, self.data_blocks, self.index_blocks] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.prefix_bytes.to_le_bytes());
        out.push(u8::from(meta.last_exclusive) | u8::from(self.loaded) << 1);
        for bytes in [&meta.first, &meta.last, &self.order] {
            let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&len.to_le_bytes());
            out.extend_from_slice(&bytes[..usize::from(len)]);
        }
        Ok(())
    }

    /// Reads the properties of the table `number` of `len` bytes; all of `bytes` must be used.
    pub(super) fn decode(bytes: &[u8], number: u64, len: u64) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let mut numbers = [0; 11];
        for place in &mut numbers {
            *place = reader.u64()?;
        }
        let [entries, tombstones, ranges, min_seq, max_seq, expires_min, rest @ ..] = numbers;
        let [expires_max, raw_bytes, keys, data_blocks, index_blocks] = rest;
        let prefix_bytes = reader.u32()?;
        let flags = reader.u8()?;
        let (last_exclusive, loaded) = (flags & 1 == 1, flags & 2 == 2);
        let one_seq = min_seq == max_seq && ranges == 0 && max_seq >= LOADED;
        if flags > 3 || (loaded && !one_seq) {
            return None;
        }
        let mut bytes = || {
            let len = usize::from(reader.u16()?);
            reader.take(len).map(<[u8]>::to_vec)
        };
        let (first, last, order) = (bytes()?, bytes()?, bytes()?);
        let expires = (expires_min <= expires_max).then_some((expires_min, expires_max));
        let meta = TableMeta {
            number,
            len,
            first,
            last,
            last_exclusive,
            entries,
            tombstones,
            ranges,
            min_seq,
            max_seq,
            expires,
            raw_bytes,
        };
        let properties =
            Self { meta, keys, data_blocks, index_blocks, prefix_bytes, loaded, order };
        reader.is_empty().then_some(properties)
    }
}

/// Appends the end of a table, which will stand at `offset`: the properties and, with its place for them, the footer.
pub(super) fn end(
    out: &mut Vec<u8>,
    id: FileId,
    offset: u64,
    properties: &Properties,
    mut footer: Footer,
) -> Result<(), Error> {
    let mut payload = Vec::new();
    properties.encode(&mut payload)?;
    footer.properties = seal(out, id, offset, &payload, false)?;
    footer.encode(out, id, footer.properties.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_come_back_and_cut_ones_do_not() {
        let mut numbers = alloc::vec![0, u64::MAX];
        for shift in 0..64 {
            numbers.extend([(1 << shift) - 1, 1 << shift, (1 << shift) + 1]);
        }
        for number in numbers {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, number);
            let mut at = 0;
            assert_eq!((varint(&bytes, &mut at), at), (Some(number), bytes.len()));
            for len in 0..bytes.len() {
                assert_eq!(varint(&bytes[..len], &mut 0), None, "number={number} len={len}");
            }
            bytes.extend([0xff; 8]);
            assert_eq!(
                (varint(&bytes, &mut 0), at),
                (Some(number), bytes.len() - 8),
                "more behind"
            );
        }
        assert_eq!(varint(&[0xff; 10], &mut 0), None, "more than 64 bits");
        assert_eq!(varint(&[0x80; 11], &mut 0), None, "no end");
    }
}
