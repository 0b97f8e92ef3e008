//! Reads all of a table and says what is wrong with it, and which keys that hurts.
//!
//! Called by the store's verify and by tests; calls `reader` and `block`.
//! Promise: after a report without hurts every byte of the file was checked, and the table answers as it was written.
//! Never: changes anything, uses the block cache, stops at the first defect.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::block::{Block, BlockCursor};
use super::format::Handle;
use super::reader::{Table, handle_at};
use super::{LOADED, TableMeta};
use crate::error::{Damage, Error, Result};
use crate::journal::Hurt;
use crate::ordered::key::{Item, compare};
use crate::record::{EntryKind, FILE_HEADER_BYTES};

/// What a table is made of, as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TableReport {
    /// Blocks of data that were read.
    pub(crate) blocks: u64,
    /// Items in them.
    pub(crate) entries: u64,
    pub(crate) ranges: u64,
    pub(crate) hurts: Vec<Hurt>,
}

/// What one entry of the index covers: from this place up to that of the next.
struct Span {
    key: Vec<u8>,
    seq: u64,
    handle: Handle,
}

/// A place with its key.
type Place = Option<(Vec<u8>, u64)>;

/// What was counted, to be compared with the properties.
#[derive(Default)]
struct Totals {
    meta: TableMeta,
    keys: u64,
    last: Place,
    /// Where the next block must begin.
    end: u64,
}

impl Table {
    /// Reads and checks every block.
    ///
    /// # Errors
    /// `Storage`, `OutOfMemory`. Damage is no error but part of the report.
    pub(crate) fn verify(&self) -> Result<TableReport> {
        let mut report = TableReport { ranges: self.ranges().len() as u64, ..Default::default() };
        let source = &self.source;
        // Why: what is in memory was right when it was read; the question is whether the file still is.
        let again = Self::open(
            Arc::clone(&source.file),
            source.name,
            source.id,
            self.meta().len,
            self.order.clone(),
            self.hasher,
        );
        report.note(again.map(|_| ()), None, None)?;
        let mut spans = Vec::new();
        let blocks = self.spans(&mut spans, &mut report)?;
        let meta = TableMeta::tally(self.meta().number);
        let mut totals = Totals { meta, end: FILE_HEADER_BYTES as u64, ..Default::default() };
        for (index, span) in spans.iter().enumerate() {
            let next = spans.get(index + 1);
            let result = self.check_span(span, next, &mut totals, &mut report);
            let to = next.map(|next| next.key.clone());
            report.note(result, Some(span.key.clone()), to)?;
        }
        if report.hurts.is_empty() {
            let result = self.check_totals(totals, &blocks, spans.len());
            report.note(result, None, None)?;
        }
        Ok(report)
    }

    /// Collects the lowest level of the index; gives the handles of its blocks.
    fn spans(&self, spans: &mut Vec<Span>, report: &mut TableReport) -> Result<Vec<Handle>> {
        if !self.has_two_levels() {
            let result = collect(&self.index, spans);
            report.note(result, None, None)?;
            return Ok(Vec::new());
        }
        let (mut tops, mut handles) = (Vec::new(), Vec::new());
        let result = collect(&self.index, &mut tops);
        report.note(result, None, None)?;
        handles.try_reserve(tops.len())?;
        for (index, top) in tops.iter().enumerate() {
            handles.push(top.handle);
            let at = spans.len();
            let read = self.source.block(top.handle).and_then(|block| collect(&block, spans));
            let first = spans.get(at).map(|span| (&span.key, span.seq));
            let begins = first.is_some_and(|first| first == (&top.key, top.seq));
            let wrong = || Err(self.source.corrupt(top.handle, Damage::Key));
            let result = read.and_then(|()| if begins { Ok(()) } else { wrong() });
            let to = tops.get(index + 1).map(|next| next.key.clone());
            report.note(result, Some(top.key.clone()), to)?;
        }
        Ok(handles)
    }

    /// Checks one block of data.
    fn check_span(
        &self,
        span: &Span,
        next: Option<&Span>,
        totals: &mut Totals,
        report: &mut TableReport,
    ) -> Result<()> {
        let wrong = |what| Err(self.source.corrupt(span.handle, what));
        let expected = core::mem::replace(&mut totals.end, span.handle.end());
        // Why: blocks follow each other; a gap would hold bytes that nobody checks.
        if span.handle.offset != expected && report.hurts.is_empty() {
            return wrong(Damage::Length);
        }
        let block = self.source.block(span.handle)?;
        block.check()?;
        report.blocks += 1;
        let mut cursor = BlockCursor::new(&block);
        cursor.seek_first()?;
        // Why: nothing holds the place of an empty block between those beside it.
        if !cursor.is_on() {
            return wrong(Damage::Length);
        }
        let order = &self.order;
        while let Some(item) = cursor.item() {
            let place = (item.key, item.seq);
            let early = compare(order, place, (&span.key, span.seq)).is_lt();
            let late = |next: &Span| compare(order, place, (&next.key, next.seq)).is_ge();
            let last = totals.last.as_ref().map(|(key, seq)| (key.as_slice(), *seq));
            let behind = last.is_none_or(|last| compare(order, last, place).is_lt());
            if early || next.is_some_and(late) || !behind || !self.filters_pass(item.key) {
                return wrong(Damage::Key);
            }
            if matches!(item.kind, EntryKind::Plain | EntryKind::RangeTombstone) {
                return wrong(Damage::Kind);
            }
            if self.properties.loaded && item.seq != LOADED {
                return wrong(Damage::Key);
            }
            totals.count(&self.shown(item));
            totals.place(&item);
            report.entries += 1;
            cursor.next()?;
        }
        Ok(())
    }

    fn filters_pass(&self, key: &[u8]) -> bool {
        let bytes = self.properties.prefix_bytes as usize;
        let prefix = key.get(..bytes).is_none_or(|prefix| self.may_contain_prefix(prefix));
        self.may_contain(self.hasher.hash(key)) && prefix
    }

    /// Compares the properties with what was read; every byte must belong to a block.
    fn check_totals(&self, totals: Totals, blocks: &[Handle], data_blocks: usize) -> Result<()> {
        let (footer, properties) = (&self.footer, &self.properties);
        let mut end = totals.end;
        let parts = [footer.filter, footer.prefixes, footer.ranges];
        let parts = parts.iter().filter(|handle| !handle.is_none());
        for handle in parts.chain(blocks).chain(&[footer.index, footer.properties]) {
            if handle.offset != end {
                return Err(self.source.corrupt(*handle, Damage::Length));
            }
            end = handle.end();
        }
        let keys = totals.keys;
        let meta = self.with_ranges(totals);
        let counts = (keys, data_blocks as u64, blocks.len() as u64);
        let said = (properties.keys, properties.data_blocks, properties.index_blocks);
        if end != self.source.end || meta != properties.meta || counts != said {
            return Err(self.source.corrupt(footer.properties, Damage::Key));
        }
        Ok(())
    }

    /// What the properties should say of a table with these items and the range tombstones.
    fn with_ranges(&self, totals: Totals) -> TableMeta {
        let Totals { mut meta, last, .. } = totals;
        meta.len = self.meta().len;
        meta.last = last.map(|(key, _)| key).unwrap_or_default();
        for range in self.ranges() {
            meta.add_range(range.seq);
            if meta.first.is_empty() || self.order.compare(&range.from, &meta.first).is_lt() {
                meta.first.clone_from(&range.from);
            }
            if meta.last.is_empty() || self.order.compare(&range.to, &meta.last).is_gt() {
                meta.last.clone_from(&range.to);
                meta.last_exclusive = true;
            }
        }
        meta.end_tally();
        meta
    }
}

impl Totals {
    fn count(&mut self, item: &Item<'_>) {
        if self.meta.entries == 0 {
            self.meta.first = item.key.to_vec();
        }
        self.meta.add(item);
        let last = self.last.as_ref().is_some_and(|(key, _)| key == item.key);
        self.keys += u64::from(!last);
    }

    /// The next item must be behind this one.
    fn place(&mut self, item: &Item<'_>) {
        let (key, seq) = self.last.get_or_insert_default();
        key.clear();
        key.extend_from_slice(item.key);
        *seq = item.seq;
    }
}

impl TableReport {
    /// Notes damage; any other error ends the walk.
    fn note(
        &mut self,
        result: Result<()>,
        from: Option<Vec<u8>>,
        to: Option<Vec<u8>>,
    ) -> Result<()> {
        if let Err(Error::Corrupt(damage)) = result {
            self.hurts.try_reserve(1)?;
            self.hurts.push(Hurt { damage, from, to });
            return Ok(());
        }
        result
    }
}

/// Appends the entries of one block of an index, in which every key is stored whole.
fn collect(block: &Block, spans: &mut Vec<Span>) -> Result<()> {
    block.check()?;
    let (mut cursor, before) = (BlockCursor::new(block), spans.len());
    cursor.seek_first()?;
    while let (Some(item), Some(handle)) = (cursor.item(), handle_at(&cursor)?) {
        spans.try_reserve(1)?;
        spans.push(Span { key: item.key.to_vec(), seq: item.seq, handle });
        cursor.next()?;
    }
    if spans.len() - before != block.restarts() {
        return Err(cursor.damaged(Damage::Length));
    }
    Ok(())
}
