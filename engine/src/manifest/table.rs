//! What the manifest says of a sorted table. Pure.

use alloc::vec::Vec;

use crate::codec::Reader;
use crate::error::Damage;
use crate::limits::{KEY_BYTES_MAX, NUMBER_MAX};
use crate::record::FILE_HEADER_BYTES;

/// Levels of tables: 0 is the newest, and the only one whose tables overlap.
pub(crate) const LEVELS: usize = 7;

/// What is known of a table without reading it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TableMeta {
    pub(crate) number: u64,
    /// Bytes of the file.
    pub(crate) len: u64,
    /// The least key, beginnings of range tombstones included; empty if the table is.
    pub(crate) first: Vec<u8>,
    /// The greatest key, ends of range tombstones included.
    pub(crate) last: Vec<u8>,
    /// `last` is the end of a range tombstone, and itself not in the table.
    pub(crate) last_exclusive: bool,
    /// Versions of keys, tombstones included, range tombstones not.
    pub(crate) entries: u64,
    pub(crate) tombstones: u64,
    pub(crate) ranges: u64,
    /// The sequences of entries and range tombstones; both 0 if there is neither.
    pub(crate) min_seq: u64,
    pub(crate) max_seq: u64,
    /// The least and the greatest time at which an entry expires.
    pub(crate) expires: Option<(u64, u64)>,
    /// Bytes of all keys and values, as they were given.
    pub(crate) raw_bytes: u64,
}

/// A live table and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LiveTable {
    pub(crate) level: u8,
    pub(crate) meta: TableMeta,
}

impl LiveTable {
    /// Appends the fields: docs/format.md, section 6.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let meta = &self.meta;
        let (expires, times) = meta.expires.map_or((0, (0, 0)), |times| (1, times));
        let fields = [
            u64::from(self.level),
            meta.number,
            meta.len,
            meta.entries,
            meta.tombstones,
            meta.ranges,
            meta.min_seq,
            meta.max_seq,
            meta.raw_bytes,
            expires | u64::from(meta.last_exclusive) << 1,
            times.0,
            times.1,
            meta.first.len() as u64,
        ];
        for field in fields {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&meta.first);
        out.extend_from_slice(&meta.last);
    }

    /// Reads the fields; everything that is left belongs to it.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Damage> {
        let mut field = || reader.u64().ok_or(Damage::Length);
        let level = u8::try_from(field()?).map_err(|_| Damage::Kind)?;
        let mut meta = TableMeta { number: field()?, len: field()?, ..TableMeta::default() };
        (meta.entries, meta.tombstones, meta.ranges) = (field()?, field()?, field()?);
        (meta.min_seq, meta.max_seq, meta.raw_bytes) = (field()?, field()?, field()?);
        let (flags, times) = (field()?, (field()?, field()?));
        if flags > 3 {
            return Err(Damage::Kind);
        }
        (meta.expires, meta.last_exclusive) = ((flags & 1 == 1).then_some(times), flags & 2 == 2);
        let first = usize::try_from(field()?).map_err(|_| Damage::Length)?;
        meta.first = reader.take(first).ok_or(Damage::Length)?.to_vec();
        meta.last = reader.rest().to_vec();
        Ok(Self { level, meta })
    }

    /// Refuses what no table can be.
    pub(super) fn check(&self) -> Result<(), Damage> {
        let meta = &self.meta;
        let numbers = [meta.number, meta.len, meta.entries, meta.ranges, meta.max_seq];
        let key = |key: &[u8]| !key.is_empty() && key.len() <= KEY_BYTES_MAX;
        let sound = usize::from(self.level) < LEVELS
            && numbers.iter().all(|number| *number < NUMBER_MAX)
            && meta.len >= FILE_HEADER_BYTES as u64
            && meta.min_seq <= meta.max_seq
            && meta.tombstones <= meta.entries
            && key(&meta.first)
            && key(&meta.last);
        if sound { Ok(()) } else { Err(Damage::Kind) }
    }
}
