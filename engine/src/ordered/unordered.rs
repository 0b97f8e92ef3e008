//! Verify of a table whose order nobody here knows: it was built with a comparator that the caller has not given.
//!
//! Called by this layout's verify; calls the table's walk. Every block is read and its checksum checked, the entries are
//! counted and looked for in the filter, and all is compared with the properties. What is left out, and so reported: whether
//! the keys are in order. A walk needs no order, a search does; of several defects the first is found.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::key::{Cursor, Item};
use super::table::{BlockCache, Reading, Table, TableCursor, TableMeta};
use crate::codec::KeyHasher;
use crate::error::{Corruption, Damage, Error, FileName, Result};
use crate::order::{Comparator, KeyOrder};
use crate::record::EntryKind;

/// Has the name of a comparator that is not here, and finds every two keys in order, so that a table opens under it.
struct Absent {
    name: String,
}

impl Comparator for Absent {
    fn name(&self) -> &str {
        &self.name
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        if a == b { Ordering::Equal } else { Ordering::Less }
    }
}

/// An order to open tables with that were built under this name. Never: for anything that searches.
pub(super) fn absent(name: &[u8]) -> Result<KeyOrder> {
    let name = core::str::from_utf8(name);
    let name = name.map_err(|_| Error::Unsupported("the name of this store's order"))?;
    Ok(KeyOrder::Custom(Arc::new(Absent { name: String::from(name) })))
}

/// Reads all of a table; gives how many entries and range tombstones it has.
pub(super) fn check(table: Table, hasher: KeyHasher) -> Result<u64> {
    let (table, blocks) = (Arc::new(table), Arc::new(BlockCache::new(0)));
    let meta = table.meta();
    let file = FileName::Table(meta.number);
    let wrong = |what| Err(Error::Corrupt(Corruption { file, offset: 0, bytes: meta.len, what }));
    let mut cursor = TableCursor::new(Arc::clone(&table), blocks, Reading::ONCE);
    let mut found = TableMeta::tally(meta.number);
    cursor.seek_first()?;
    while let Some(item) = cursor.item() {
        if matches!(item.kind, EntryKind::Plain | EntryKind::RangeTombstone) {
            return wrong(Damage::Kind);
        }
        if !table.may_contain(hasher.hash(item.key)) {
            return wrong(Damage::Key);
        }
        count(&mut found, &item);
        cursor.next()?;
    }
    finish(&mut found, &table);
    if found == *meta { Ok(meta.entries + meta.ranges) } else { wrong(Damage::Key) }
}

/// Adds an entry to what was found.
fn count(found: &mut TableMeta, item: &Item<'_>) {
    if found.entries == 0 {
        found.first = item.key.to_vec();
    }
    found.last.clear();
    found.last.extend_from_slice(item.key);
    found.add(item);
}

/// Adds what needs no counting, or cannot be known without the order.
fn finish(found: &mut TableMeta, table: &Table) {
    let meta = table.meta();
    found.len = meta.len;
    for range in table.ranges() {
        found.add_range(range.seq);
    }
    if found.ranges > 0 {
        // Why: which of all the ends is the least or the greatest only the order says.
        let ends: Vec<&Vec<u8>> = table.ranges().iter().flat_map(|r| [&r.from, &r.to]).collect();
        let is_end = |key: &Vec<u8>, own: &Vec<u8>| key == own || ends.contains(&key);
        if is_end(&meta.first, &found.first) && is_end(&meta.last, &found.last) {
            found.first.clone_from(&meta.first);
            found.last.clone_from(&meta.last);
            found.last_exclusive = meta.last_exclusive;
        }
    }
    found.end_tally();
}
