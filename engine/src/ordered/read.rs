//! Reading one key: memtables, then tables, the newest first; at most one block of each level.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use super::range::Range;
use super::version::TableFile;
use super::{Item, Store, View};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::lab::Bug;
use crate::manifest::LEVELS;
use crate::order::KeyOrder;
use crate::record::EntryKind;

/// What one source says of a key.
enum Says<R> {
    /// It has a version, and this is what came of it; `None`: the key is absent.
    Here(Option<R>),
    /// Nothing.
    Nothing,
}

/// One question: the newest version of a key up to a sequence, at a time.
struct Question<'a, V> {
    key: &'a [u8],
    hash: u128,
    seq: u64,
    /// Range tombstones up to this sequence are seen: `seq`, but for a mistake on purpose.
    ranges_seq: u64,
    time_ms: u64,
    view: &'a mut V,
}

impl Store {
    /// Gives what `key` has to `view`, or `None`.
    pub(crate) fn get<R>(
        &self,
        key: &[u8],
        mut view: impl FnMut(&Item<'_>) -> Result<R>,
    ) -> Result<Option<R>> {
        self.journal.check_open()?;
        // Why in this order: every write that is visible now is in the view.
        let shown = self.view();
        let seq = self.visible_seq.load(Ordering::Acquire);
        self.get_at(&shown, key, seq, self.journal.now_ms(), &mut view)
    }

    /// What `key` had at a sequence and a time.
    pub(super) fn get_at<R>(
        &self,
        shown: &View,
        key: &[u8],
        seq: u64,
        time_ms: u64,
        view: &mut impl FnMut(&Item<'_>) -> Result<R>,
    ) -> Result<Option<R>> {
        let hash = self.hasher.hash(key);
        let newer = self.journal.switches.on(Bug::NewerRangeSeen);
        let ranges_seq = if newer { u64::MAX } else { seq };
        let mut question = Question { key, hash, seq, ranges_seq, time_ms, view };
        let sealed = shown.sealed.iter().map(|sealed| &sealed.memtable);
        for memtable in core::iter::once(&shown.memtable).chain(sealed) {
            let ranges = if memtable.has_ranges() { Some(memtable.ranges()?) } else { None };
            let covered =
                ranges.map_or(0, |ranges| covering(&self.order, &ranges, key, ranges_seq));
            let found = memtable.get(key, hash, seq, |item| question.judge(&item, covered));
            if let Some(found) = found {
                return found;
            }
            if covered > 0 {
                return Ok(None);
            }
        }
        for file in &shown.version.levels[0] {
            if file.spans(&self.order, key)
                && let Says::Here(found) = self.ask(file, &mut question)?
            {
                return Ok(found);
            }
        }
        for level in 1..LEVELS {
            if let Some(file) = shown.version.find(&self.order, level, key)
                && let Says::Here(found) = self.ask(file, &mut question)?
            {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Asks one table.
    fn ask<R, V: FnMut(&Item<'_>) -> Result<R>>(
        &self,
        file: &Arc<TableFile>,
        question: &mut Question<'_, V>,
    ) -> Result<Says<R>> {
        let Question { key, hash, seq, ranges_seq, .. } = *question;
        let table = self.tables.open(file).map_err(|error| self.damaged(error))?;
        let covered = covering(&self.order, table.ranges(), key, ranges_seq);
        let found = table
            .get(&self.tables.blocks, key, hash, seq, |item| question.judge(&item, covered))
            .map_err(|error| self.damaged(error))?;
        match found {
            Some(found) => found.map(Says::Here),
            None if covered > 0 => Ok(Says::Here(None)),
            None => Ok(Says::Nothing),
        }
    }

    /// Tells the observer of damage that was met.
    pub(super) fn damaged(&self, error: Error) -> Error {
        if let Error::Corrupt(corruption) = error {
            self.journal.event(&Event::Damaged(corruption));
        }
        error
    }
}

impl<R, V: FnMut(&Item<'_>) -> Result<R>> Question<'_, V> {
    /// What a version means: a value, or that the key is absent.
    fn judge(&mut self, item: &Item<'_>, covered: u64) -> Result<Option<R>> {
        let gone = match item.kind {
            EntryKind::Put => false,
            EntryKind::PutUntil => item.expires_ms <= self.time_ms,
            _ => true,
        };
        if gone || item.seq < covered { Ok(None) } else { (self.view)(item).map(Some) }
    }
}

/// The greatest sequence, up to `seq`, of a range that covers `key`; 0 if there is none. `ranges` by where they begin.
pub(super) fn covering(order: &KeyOrder, ranges: &[Range], key: &[u8], seq: u64) -> u64 {
    let begun = ranges.partition_point(|range| order.compare(&range.from, key).is_le());
    let covers = |range: &&Range| range.seq <= seq && order.compare(key, &range.to).is_lt();
    ranges[..begun].iter().filter(covers).map(|range| range.seq).max().unwrap_or(0)
}
