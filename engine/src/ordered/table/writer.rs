//! Builds one table from items in ascending order.
//!
//! Called by flush and compaction; calls `builder`, `filter`, `format` and the disk.
//! Promise: after `finish` every byte is in the file; the caller syncs the file (`SyncMode::All`) and its directory.
//! Never: syncs, reads back, goes on after an error: the table is then to be abandoned.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::{File, Vfs};

use super::builder::{BlockBuilder, ENTRY_OVERHEAD_MAX, common};
use super::filter::FilterBuilder;
use super::format::{Footer, Handle, Properties, end, seal};
use super::loaded::Loaded;
use super::{TableMeta, TableOptions};
use crate::codec::{FileId, KeyHasher};
use crate::error::{Damage, Error, FileName, Invalid, Result};
use crate::log::corrupt;
use crate::order::KeyOrder;
use crate::ordered::key::{Item, compare};
use crate::ordered::range::Range;
use crate::record::{EntryKind, FileHeader, FileKind};

/// Output is written in pieces of at least so many bytes, but for the last.
const PIECE_BYTES: usize = 64 << 10;
/// An index block has so many times the bytes of a data block.
const INDEX_BLOCK_FACTOR: usize = 4;

/// A table that was written.
pub(crate) struct Finished {
    /// Not synced yet.
    pub(crate) file: Arc<dyn File>,
    pub(crate) meta: TableMeta,
}

/// The end of a file that only grows.
struct Output {
    file: Arc<dyn File>,
    id: FileId,
    buf: Vec<u8>,
    /// Bytes before those in `buf`.
    written: u64,
}

impl Output {
    fn offset(&self) -> u64 {
        self.written + self.buf.len() as u64
    }

    fn block(&mut self, payload: &[u8], lz4: bool) -> Result<Handle> {
        let offset = self.offset();
        let handle = seal(&mut self.buf, self.id, offset, payload, lz4)?;
        if self.buf.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(handle)
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_at(&self.buf, self.written)?;
        self.written += self.buf.len() as u64;
        self.buf.clear();
        Ok(())
    }
}

/// An index block that is full, with the least place that it covers.
struct IndexBlock {
    key: Vec<u8>,
    seq: u64,
    payload: Vec<u8>,
}

/// Collects the least place and the handle of each data block.
struct IndexBuilder {
    block: BlockBuilder,
    /// The least place of `block`.
    key: Vec<u8>,
    seq: u64,
    full: Vec<IndexBlock>,
    bytes_max: usize,
    handle: Vec<u8>,
}

impl IndexBuilder {
    fn new(bytes_max: usize) -> Self {
        // Why: keys of an index share little, and a search that need not walk a run is faster.
        let block = BlockBuilder::new(1);
        Self { block, key: Vec::new(), seq: 0, full: Vec::new(), bytes_max, handle: Vec::new() }
    }

    fn add(&mut self, key: &[u8], seq: u64, handle: Handle) -> Result<()> {
        let more = key.len() + ENTRY_OVERHEAD_MAX;
        if !self.block.is_empty() && self.block.bytes() + more > self.bytes_max {
            self.cut()?;
        }
        if self.block.is_empty() {
            self.key.clear();
            self.key.try_reserve(key.len())?;
            self.key.extend_from_slice(key);
            self.seq = seq;
        }
        add_handle(&mut self.block, &mut self.handle, (key, seq), handle)
    }

    fn cut(&mut self) -> Result<()> {
        let mut payload = Vec::new();
        let bytes = self.block.finish()?;
        payload.try_reserve_exact(bytes.len())?;
        payload.extend_from_slice(bytes);
        self.block.clear();
        self.full.try_reserve(1)?;
        let key = core::mem::take(&mut self.key);
        self.full.push(IndexBlock { key, seq: self.seq, payload });
        Ok(())
    }

    /// Writes the index; gives the handle of the block to begin with and how many there are below it.
    fn finish(&mut self, output: &mut Output) -> Result<(Handle, u64)> {
        if self.full.is_empty() {
            return Ok((output.block(self.block.finish()?, false)?, 0));
        }
        self.cut()?;
        for block in &self.full {
            let handle = output.block(&block.payload, false)?;
            add_handle(&mut self.block, &mut self.handle, (&block.key, block.seq), handle)?;
        }
        Ok((output.block(self.block.finish()?, false)?, self.full.len() as u64))
    }
}

fn add_handle(
    block: &mut BlockBuilder,
    value: &mut Vec<u8>,
    (key, seq): (&[u8], u64),
    handle: Handle,
) -> Result<()> {
    value.clear();
    handle.encode(value);
    block.add(&Item { key, seq, kind: EntryKind::Put, value, expires_ms: 0 })
}

/// A table that is being written.
pub(crate) struct TableWriter {
    output: Output,
    name: FileName,
    order: KeyOrder,
    hasher: KeyHasher,
    options: TableOptions,
    data: BlockBuilder,
    index: IndexBuilder,
    /// The least place that the block in `data` covers.
    least: (Vec<u8>, u64),
    /// The place of the last item.
    last: (Vec<u8>, u64),
    keys: FilterBuilder,
    prefixes: FilterBuilder,
    ranges: Vec<Range>,
    properties: Properties,
}

impl TableWriter {
    /// Creates the table `number` of the store with this seed.
    ///
    /// # Errors
    /// `Storage`, `OutOfSpace`; then there is no file, unless it was there before.
    pub(crate) fn create(
        vfs: &dyn Vfs,
        number: u64,
        seed: u128,
        order: KeyOrder,
        hasher: KeyHasher,
        options: TableOptions,
    ) -> Result<Self> {
        let header = FileHeader { kind: FileKind::Table, number, seed, age: number, first_seq: 0 };
        let name = FileName::Table(number);
        let file = Arc::from(vfs.create(&format!("{name}"))?);
        let output = Output { file, id: header.id(), buf: header.encode().to_vec(), written: 0 };
        let meta = TableMeta::tally(number);
        let prefix = options.prefix_bytes.filter(|bytes| *bytes > 0 && order.is_bytewise());
        let properties = Properties {
            meta,
            keys: 0,
            data_blocks: 0,
            index_blocks: 0,
            prefix_bytes: prefix.map_or(0, |bytes| u32::try_from(bytes).unwrap_or(u32::MAX)),
            loaded: false,
            order: order.name().as_bytes().to_vec(),
        };
        Ok(Self {
            output,
            name,
            hasher,
            options,
            data: BlockBuilder::new(options.restart_interval),
            index: IndexBuilder::new(options.block_bytes.saturating_mul(INDEX_BLOCK_FACTOR)),
            least: (Vec::new(), 0),
            last: (Vec::new(), 0),
            keys: FilterBuilder::default(),
            prefixes: FilterBuilder::default(),
            ranges: Vec::new(),
            properties,
            order,
        })
    }

    /// Adds an item whose place is behind all others'.
    ///
    /// # Errors
    /// `Corrupt` if it is not behind them: whatever it was read from is not in order. `Invalid`, `OutOfMemory`, and those
    /// of the disk. After an error the table is to be abandoned.
    pub(crate) fn add(&mut self, item: &Item<'_>) -> Result<()> {
        let place = (item.key, item.seq);
        let first = self.properties.meta.entries == 0;
        let kind = !matches!(item.kind, EntryKind::Plain | EntryKind::RangeTombstone);
        if !kind || (!first && compare(&self.order, self.last_place(), place).is_ge()) {
            return Err(corrupt(self.name, self.output.offset(), 0, Damage::Key));
        }
        if item.key.is_empty() {
            return Err(Error::Invalid(Invalid::EmptyKey));
        }
        let more = item.key.len() + item.value.len() + ENTRY_OVERHEAD_MAX;
        if !self.data.is_empty() && self.data.bytes() + more > self.options.block_bytes {
            self.cut()?;
        }
        if self.data.is_empty() {
            self.begin_block(place)?;
        }
        if first || self.last.0 != item.key {
            self.add_key(item.key, first)?;
        }
        self.last.0.clear();
        self.last.0.try_reserve(item.key.len())?;
        self.last.0.extend_from_slice(item.key);
        self.last.1 = item.seq;
        self.data.add(item)?;
        self.properties.meta.add(item);
        Ok(())
    }

    fn last_place(&self) -> (&[u8], u64) {
        (&self.last.0, self.last.1)
    }

    /// Remembers the least place of the block that begins with `next`: one behind the last item, as short as possible.
    fn begin_block(&mut self, (key, seq): (&[u8], u64)) -> Result<()> {
        let first = self.properties.meta.entries == 0;
        let (bytes, least_seq) = if first {
            (key, u64::MAX)
        } else if self.last.0 == key {
            // Why: versions of one key straddle two blocks. The place right behind the last one, and not the next
            // one's own: whoever looks for a version between the two finds it in the block that begins here.
            debug_assert!(self.last.1 > seq, "add checks the order");
            (key, self.last.1 - 1)
        } else if self.order.is_bytewise() {
            let len = common(&self.last.0, key) + 1;
            (key.get(..len).unwrap_or(key), u64::MAX)
        } else {
            (key, u64::MAX)
        };
        self.least.0.clear();
        self.least.0.try_reserve(bytes.len())?;
        self.least.0.extend_from_slice(bytes);
        self.least.1 = least_seq;
        Ok(())
    }

    /// Notes a key that is new.
    fn add_key(&mut self, key: &[u8], first: bool) -> Result<()> {
        self.properties.keys += 1;
        if first {
            self.properties.meta.first = key.to_vec();
        }
        if self.options.filter_bits_per_key == 0 {
            return Ok(());
        }
        self.keys.add(self.hasher.hash(key))?;
        let prefix_bytes = self.properties.prefix_bytes as usize;
        match key.get(..prefix_bytes) {
            Some(prefix) if prefix_bytes > 0 => {
                if first || self.last.0.get(..prefix_bytes) != Some(prefix) {
                    self.prefixes.add(self.hasher.hash(prefix))?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn cut(&mut self) -> Result<()> {
        if self.data.is_empty() {
            return Ok(());
        }
        let handle = self.output.block(self.data.finish()?, self.options.lz4)?;
        self.data.clear();
        self.properties.data_blocks += 1;
        self.index.add(&self.least.0, self.least.1, handle)
    }

    /// Adds a range tombstone; in any order, before, between or after items. One that covers no key is left out.
    pub(crate) fn add_range(&mut self, range: &Range) -> Result<()> {
        if self.order.compare(&range.from, &range.to).is_ge() {
            return Ok(());
        }
        self.ranges.try_reserve(1)?;
        self.ranges.push(range.clone());
        self.properties.meta.add_range(range.seq);
        Ok(())
    }

    /// Bytes that the file has so far, what is buffered included.
    pub(crate) fn bytes(&self) -> u64 {
        self.output.offset() + self.data.bytes() as u64
    }

    /// Items so far.
    #[cfg(test)]
    pub(crate) const fn entries(&self) -> u64 {
        self.properties.meta.entries
    }

    /// Writes the rest of the file. After an error the file is left; `vfs.remove` takes it away.
    pub(crate) fn finish(mut self) -> Result<Finished> {
        let footer = self.close()?;
        let Self { mut output, mut properties, .. } = self;
        let offset = output.offset();
        end(&mut output.buf, output.id, offset, &properties, footer)?;
        output.flush()?;
        properties.meta.len = output.written;
        Ok(Finished { file: output.file, meta: properties.meta })
    }

    /// Writes the file but for its end: the one sequence of all its items is not known yet. Each was added with the
    /// sequence [`LOADED`](super::LOADED). Gives the file too, for the caller to sync. After an error as with
    /// [`finish`](Self::finish).
    pub(crate) fn finish_loaded(mut self) -> Result<(Loaded, Arc<dyn File>)> {
        let footer = self.close()?;
        let Self { mut output, properties, .. } = self;
        output.flush()?;
        Ok((Loaded::new(output.id, output.written, properties, footer), output.file))
    }

    /// Brings everything but properties and footer into the output.
    fn close(&mut self) -> Result<Footer> {
        self.cut()?;
        let bits = self.options.filter_bits_per_key;
        let mut footer = Footer::default();
        if let Some(filter) = self.keys.finish(bits)? {
            footer.filter = self.output.block(&filter, false)?;
        }
        if let Some(filter) = self.prefixes.finish(bits)? {
            footer.prefixes = self.output.block(&filter, false)?;
        }
        self.close_bounds();
        if !self.ranges.is_empty() {
            footer.ranges = self.write_ranges()?;
        }
        (footer.index, self.properties.index_blocks) = self.index.finish(&mut self.output)?;
        Ok(footer)
    }

    /// Sorts the range tombstones and widens the bounds by them.
    fn close_bounds(&mut self) {
        let order = &self.order;
        self.ranges.sort_by(|a, b| {
            compare(order, (&a.from, a.seq), (&b.from, b.seq)).then(order.compare(&a.to, &b.to))
        });
        let meta = &mut self.properties.meta;
        let empty = meta.entries == 0;
        meta.end_tally();
        meta.last.clone_from(&self.last.0);
        let least = self.ranges.first().map(|range| &range.from);
        let least = least.filter(|from| empty || order.compare(from, &meta.first).is_lt());
        if let Some(from) = least {
            meta.first.clone_from(from);
        }
        for range in &self.ranges {
            if meta.last.is_empty() || order.compare(&range.to, &meta.last).is_gt() {
                meta.last.clone_from(&range.to);
                meta.last_exclusive = true;
            }
        }
    }

    fn write_ranges(&mut self) -> Result<Handle> {
        let mut block = BlockBuilder::new(self.options.restart_interval);
        for range in &self.ranges {
            let (key, seq, kind) = (&range.from, range.seq, EntryKind::RangeTombstone);
            block.add(&Item { key, seq, kind, value: &range.to, expires_ms: 0 })?;
        }
        self.output.block(block.finish()?, false)
    }

    /// The name of its file.
    pub(crate) const fn name(&self) -> FileName {
        self.name
    }

    /// Gives the table up and removes its file.
    pub(crate) fn abandon(self, vfs: &dyn Vfs) -> Result<()> {
        let Self { output, name, .. } = self;
        drop(output);
        Ok(vfs.remove(&format!("{name}"))?)
    }
}
