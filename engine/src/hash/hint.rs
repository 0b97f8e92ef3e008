//! Hint files: where the records of a closed file are, sorted by hash, so that open need not read the records.
//!
//! Called by recovery and by the jobs that close files; docs/format.md, section 7.
//! Promise: what is read was written for exactly this file. Never: needed. A hint that is missing, stale or damaged is
//! ignored, and the records are read instead.

use alloc::format;
use alloc::vec::Vec;

use keelstone_vfs::{Access, File, Kind, SyncMode, Vfs};

use super::expiry::NEVER_MS;
use crate::codec::Reader;
use crate::error::{FileName, Result};
use crate::log::{FrameReader, LogWriter, Step, read_file_header};
use crate::record::{Entry, EntryKind, FileHeader, FileKind, FrameBuilder, FrameKind, Stamp};

#[cfg(test)]
mod tests;

/// Bytes of one entry of a hint.
const ITEM_BYTES: usize = 32;
/// Entries in one frame.
const BLOCK_ITEMS: usize = 2048;
/// Bytes of the totals in the last frame.
const TOTALS_BYTES: usize = 48;
// On disk: the top bit of the length says that the record is a tombstone.
const TOMBSTONE_BIT: u32 = 1 << 31;

/// The newest record of a key in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) hash: u128,
    pub(crate) offset: u32,
    pub(crate) len: u32,
    pub(crate) tombstone: bool,
    /// `NEVER_MS` if it does not expire.
    pub(crate) expires_ms: u64,
}

/// What is true of the whole file that a hint describes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) items: u64,
    /// All records, shadowed ones included.
    pub(crate) records: u64,
    /// Bytes of all entries, shadowed ones included.
    pub(crate) entry_bytes: u64,
    pub(crate) tombstone_bytes: u64,
    /// Where the frames of the described file end.
    pub(crate) end: u64,
    /// The greatest time in a frame.
    pub(crate) time_ms: u64,
}

/// Collects the records of one file in the order in which they stand there.
#[derive(Default)]
pub(crate) struct Collector {
    items: Vec<Item>,
    pub(crate) totals: Totals,
}

impl Collector {
    /// Adds one record.
    pub(crate) fn add(&mut self, hash: u128, entry: &Entry<'_>) -> Result<()> {
        let tombstone = entry.kind == EntryKind::Tombstone;
        let offset = u32::try_from(entry.offset).unwrap_or(u32::MAX);
        let expires_ms = entry.expires_ms.unwrap_or(NEVER_MS);
        self.add_item(Item { hash, offset, len: entry.len, tombstone, expires_ms })
    }

    /// Takes the time of a frame into the totals.
    pub(crate) fn saw(&mut self, time_ms: u64) {
        self.totals.time_ms = self.totals.time_ms.max(time_ms);
    }

    pub(crate) fn add_item(&mut self, item: Item) -> Result<()> {
        self.items.try_reserve(1)?;
        self.items.push(item);
        self.totals.records += 1;
        self.totals.entry_bytes += u64::from(item.len);
        if item.tombstone {
            self.totals.tombstone_bytes += u64::from(item.len);
        }
        Ok(())
    }

    /// Sorts by hash and keeps the last record of each key.
    pub(crate) fn finish(mut self, end: u64, time_ms: u64) -> (Vec<Item>, Totals) {
        self.items.sort_unstable_by_key(|item| (item.hash, core::cmp::Reverse(item.offset)));
        self.items.dedup_by_key(|item| item.hash);
        self.totals.items = self.items.len() as u64;
        (self.totals.end, self.totals.time_ms) = (end, time_ms);
        (self.items, self.totals)
    }
}

/// The header of the hint of file `number`.
fn header(seed: u128, number: u64) -> FileHeader {
    FileHeader { kind: FileKind::Hint, number, seed, age: number, first_seq: 0 }
}

/// The identity of a hint: that of its file would let bytes of one pass for bytes of the other.
fn hint_seed(seed: u128) -> u128 {
    seed ^ (u128::from(u64::from_le_bytes(*b"KEELHINT")) << 64)
}

/// Writes a hint block by block, so that a step of work stays bounded.
pub(crate) struct HintWriter {
    writer: LogWriter,
    frame: FrameBuilder,
    bytes: Vec<u8>,
    items: Vec<Item>,
    totals: Totals,
    next: usize,
    seq: u64,
}

impl HintWriter {
    /// Begins the hint of the closed file `number`, in place of one that may be there.
    pub(crate) fn begin(
        vfs: &dyn Vfs,
        seed: u128,
        number: u64,
        (items, totals): (Vec<Item>, Totals),
    ) -> Result<Self> {
        let name = FileName::Hint(number);
        match vfs.remove(&format!("{name}")) {
            Ok(()) => {}
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let writer = LogWriter::create(vfs, name, &header(hint_seed(seed), number), 0)?;
        let (frame, bytes) = (FrameBuilder::default(), Vec::new());
        Ok(Self { writer, frame, bytes, items, totals, next: 0, seq: 1 })
    }

    /// Writes up to `blocks` blocks; `false` when the hint is whole. Its bytes are then synced, its name is not: a hint
    /// that is lost is no loss.
    pub(crate) fn step(&mut self, blocks: usize) -> Result<bool> {
        for _ in 0..blocks {
            let block = self.items.len().min(self.next + BLOCK_ITEMS);
            if block == self.next {
                self.finish()?;
                return Ok(false);
            }
            self.bytes.clear();
            self.bytes.try_reserve(BLOCK_ITEMS * ITEM_BYTES)?;
            for item in &self.items[self.next..block] {
                encode_item(item, &mut self.bytes);
            }
            append(&mut self.writer, &mut self.frame, FrameKind::Hint, self.seq, &self.bytes)?;
            (self.next, self.seq) = (block, self.seq + 1);
        }
        Ok(true)
    }

    fn finish(&mut self) -> Result<()> {
        self.bytes.clear();
        let Totals { items, records, entry_bytes, tombstone_bytes, end, time_ms } = self.totals;
        for field in [items, records, entry_bytes, tombstone_bytes, end, time_ms] {
            self.bytes.extend_from_slice(&field.to_le_bytes());
        }
        append(&mut self.writer, &mut self.frame, FrameKind::Footer, self.seq, &self.bytes)?;
        Ok(self.writer.file().sync(SyncMode::All)?)
    }
}

fn append(
    writer: &mut LogWriter,
    frame: &mut FrameBuilder,
    kind: FrameKind,
    seq: u64,
    bytes: &[u8],
) -> Result<()> {
    frame.begin(writer.id(), writer.end());
    frame.push(EntryKind::Plain, &[], bytes, 0)?;
    writer.append(frame.finish(&Stamp { kind, seq, mark: 0, time_ms: 0 }))?;
    Ok(())
}

fn encode_item(item: &Item, out: &mut Vec<u8>) {
    let len = item.len | if item.tombstone { TOMBSTONE_BIT } else { 0 };
    out.extend_from_slice(&item.hash.to_le_bytes());
    out.extend_from_slice(&item.offset.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&item.expires_ms.to_le_bytes());
}

fn decode_item(bytes: &[u8]) -> Option<Item> {
    let mut reader = Reader::new(bytes);
    let (hash, offset, len) = (reader.u128()?, reader.u32()?, reader.u32()?);
    let (tombstone, len) = (len & TOMBSTONE_BIT != 0, len & !TOMBSTONE_BIT);
    Some(Item { hash, offset, len, tombstone, expires_ms: reader.u64()? })
}

/// A hint that is read from front to back while the shards are filled.
pub(crate) struct HintReader {
    file: alloc::boxed::Box<dyn File>,
    number: u64,
    seed: u128,
    offset: u64,
    seq: u64,
    pub(crate) totals: Totals,
    items_read: u64,
    last_hash: u128,
    check: bool,
}

/// Why a hint cannot be used; the records are read instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unusable;

impl HintReader {
    /// Opens the hint of the closed file `number`, which ends at `end`. Damage and disk errors alike make it unusable.
    pub(crate) fn open(
        vfs: &dyn Vfs,
        seed: u128,
        number: u64,
        end: u64,
    ) -> core::result::Result<Self, Unusable> {
        let name = FileName::Hint(number);
        let file = vfs.open(&format!("{name}"), Access::Read).map_err(|_| Unusable)?;
        let found = read_file_header(&*file, name).map_err(|_| Unusable)?;
        if found != header(hint_seed(seed), number) {
            return Err(Unusable);
        }
        let totals = read_totals(&*file, &found).ok_or(Unusable)?;
        if totals.end != end {
            return Err(Unusable);
        }
        let offset = crate::record::FILE_HEADER_BYTES as u64;
        let (seq, items_read, last_hash, check) = (1, 0, 0, true);
        Ok(Self { file, number, seed, offset, seq, totals, items_read, last_hash, check })
    }

    /// Leaves the checksums of its entries out: for a test that breaks the engine on purpose.
    pub(crate) fn check(mut self, check: bool) -> Self {
        self.check = check;
        self
    }

    /// Appends the next block of entries to `out`; `false` at the end.
    pub(crate) fn next_block(
        &mut self,
        out: &mut Vec<Item>,
    ) -> core::result::Result<bool, Unusable> {
        let id = header(hint_seed(self.seed), self.number).id();
        let limit = self.offset + (BLOCK_ITEMS * ITEM_BYTES + 1024) as u64;
        let mut reader =
            FrameReader::new(&*self.file, id, limit).seek(self.offset).check(self.check);
        let Ok(Step::Frame { header, entries, .. }) = reader.next() else { return Err(Unusable) };
        if header.stamp.seq != self.seq {
            return Err(Unusable);
        }
        if header.stamp.kind == FrameKind::Footer {
            return if self.items_read == self.totals.items { Ok(false) } else { Err(Unusable) };
        }
        for entry in entries {
            for bytes in entry.value.chunks(ITEM_BYTES) {
                let item = decode_item(bytes).ok_or(Unusable)?;
                let inside = u64::from(item.offset) + u64::from(item.len) <= self.totals.end;
                if !inside || (self.items_read > 0 && item.hash <= self.last_hash) {
                    return Err(Unusable);
                }
                (self.last_hash, self.items_read) = (item.hash, self.items_read + 1);
                out.try_reserve(1).map_err(|_| Unusable)?;
                out.push(item);
            }
        }
        self.offset = reader.offset();
        self.seq += 1;
        Ok(true)
    }
}

/// Reads the last frame, which has a fixed length.
fn read_totals(file: &dyn File, header: &FileHeader) -> Option<Totals> {
    let frame = (crate::record::HEADER_BYTES + crate::record::ENTRY_BYTES + TOTALS_BYTES) as u64;
    let len = file.len().ok()?;
    let offset = len.checked_sub(frame)?;
    let mut reader = FrameReader::new(file, header.id(), len).seek(offset);
    let Step::Frame { header, mut entries, .. } = reader.next().ok()? else { return None };
    if header.stamp.kind != FrameKind::Footer {
        return None;
    }
    let mut fields = Reader::new(entries.next()?.value);
    Some(Totals {
        items: fields.u64()?,
        records: fields.u64()?,
        entry_bytes: fields.u64()?,
        tombstone_bytes: fields.u64()?,
        end: fields.u64()?,
        time_ms: fields.u64()?,
    })
}
