//! The newest items of the ordered layout, in memory: a skiplist, a filter before it, range tombstones beside it.
//!
//! Called by the layout's put, get, scan and flush; calls the four files beside it.
//! Promise: one writer, by type, and any number of readers that never wait for it; what an insert returned from is seen by
//! every later read; after a `reserve` the inserts it was for cannot fail; a want of memory is an error.
//! Never: removes an item, looks at clocks or expiries, applies range tombstones to what it gives.

mod arena;
mod filter;
mod node;
#[cfg(feature = "lab")]
pub(crate) mod probe;
mod skiplist;
#[cfg(test)]
mod tests;

use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::lock::Mutex;

use self::filter::Filter;
pub(crate) use self::skiplist::MemtableCursor;
use self::skiplist::{SkipList, SkipWriter};
use super::key::Item;
use super::range::Range;
use crate::error::Result;
use crate::order::KeyOrder;
use crate::record::EntryKind;

/// The first chunk of items.
const CHUNK_BYTES: usize = 64 << 10;
/// The first chunk of range tombstones, which most memtables have none of.
const RANGE_CHUNK_BYTES: usize = 1 << 10;

/// The ranges as they were when somebody asked.
#[derive(Default)]
struct Asked {
    /// How many were counted before they were copied: all of these are in the copy.
    count: usize,
    copy: Arc<Vec<Range>>,
}

/// What readers share.
pub(crate) struct Memtable {
    points: Arc<SkipList>,
    filter: Filter,
    /// Key: where it begins; value: where it ends.
    ranges: Arc<SkipList>,
    asked: Mutex<Asked>,
}

impl Memtable {
    /// An empty one, for about `bytes_hint` bytes, and its only writer. The seed decides the heights in the list.
    pub(crate) fn new(
        order: KeyOrder,
        bytes_hint: usize,
        seed: u64,
    ) -> Result<(Arc<Self>, MemtableWriter)> {
        let filter = Filter::new(bytes_hint)?;
        let (points, point_writer) = SkipList::new(order.clone(), CHUNK_BYTES, seed)?;
        let (ranges, range_writer) = SkipList::new(order, RANGE_CHUNK_BYTES, !seed)?;
        let table = Arc::new(Self { points, filter, ranges, asked: Mutex::default() });
        let writer = MemtableWriter {
            table: Arc::clone(&table),
            points: point_writer,
            ranges: range_writer,
        };
        Ok((table, writer))
    }

    /// Gives `view` the newest version of `key` that is not newer than `seq`, a tombstone too; `None` if there is none.
    pub(crate) fn get<R>(
        &self,
        key: &[u8],
        hash: u128,
        seq: u64,
        view: impl FnOnce(Item<'_>) -> R,
    ) -> Option<R> {
        if !self.filter.has(hash) {
            return None;
        }
        let item = self.points.seek(key, seq)?;
        (item.key == key).then(|| view(item))
    }

    /// A walk that keeps the items alive.
    pub(crate) fn cursor(&self) -> MemtableCursor {
        MemtableCursor::new(Arc::clone(&self.points))
    }

    pub(crate) fn has_ranges(&self) -> bool {
        self.ranges.len() != 0
    }

    /// The range tombstones, by where they begin, of one beginning the newest first. All of them whose insert returned before;
    /// some newer ones perhaps.
    ///
    /// The first who asks after a range was added copies all of them; everybody after that shares the copy.
    pub(crate) fn ranges(&self) -> Result<Arc<Vec<Range>>> {
        let mut asked = self.asked.lock();
        // Why the count, not the length of the copy: a copy may have a range that came while it was made and lack an earlier
        // one that came then, behind the walk.
        let count = self.ranges.len();
        if asked.count != count {
            *asked = Asked { count, copy: Arc::new(copy(&self.ranges, count)?) };
        }
        Ok(Arc::clone(&asked.copy))
    }

    /// Items, range tombstones not counted.
    pub(crate) fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there is neither an item nor a range tombstone.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0 && !self.has_ranges()
    }

    /// Bytes taken from the allocator: chunks with their free ends, and the filter. Copies of ranges are not counted.
    pub(crate) fn bytes(&self) -> usize {
        self.points.bytes() + self.filter.bytes() + self.ranges.bytes()
    }
}

fn copy(ranges: &SkipList, count: usize) -> Result<Vec<Range>> {
    let mut copies = Vec::new();
    copies.try_reserve(count)?;
    for item in ranges.iter() {
        copies.try_reserve(1)?;
        copies.push(Range { from: bytes(item.key)?, to: bytes(item.value)?, seq: item.seq });
    }
    Ok(copies)
}

fn bytes(slice: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(slice.len())?;
    bytes.extend_from_slice(slice);
    Ok(bytes)
}

/// The only one who adds to a memtable; whoever holds the layout's write lock has it.
pub(crate) struct MemtableWriter {
    table: Arc<Memtable>,
    points: SkipWriter,
    ranges: SkipWriter,
}

impl MemtableWriter {
    pub(crate) const fn table(&self) -> &Arc<Memtable> {
        &self.table
    }

    /// Makes room for a batch, given the lengths of key and value of its items, and of beginning and end of its ranges.
    ///
    /// After that, and until the next reservation, to insert them, or the first of them, cannot fail. An error leaves all
    /// items as they were.
    pub(crate) fn reserve(
        &mut self,
        items: impl Iterator<Item = (usize, usize)>,
        ranges: impl Iterator<Item = (usize, usize)>,
    ) -> Result<()> {
        self.points.reserve(items)?;
        self.ranges.reserve(ranges)
    }

    /// Adds an item, whose key has this hash; no other item has its key and its sequence.
    pub(crate) fn insert(&mut self, item: &Item<'_>, hash: u128) -> Result<()> {
        // Why first: who sees the item finds it in the filter.
        self.table.filter.add(hash);
        self.points.insert(item)
    }

    /// Adds a range tombstone: keys from `from` up to, and without, `to`.
    pub(crate) fn insert_range(&mut self, from: &[u8], to: &[u8], seq: u64) -> Result<()> {
        let kind = EntryKind::RangeTombstone;
        self.ranges.insert(&Item { key: from, seq, kind, value: to, expires_ms: 0 })
    }
}
