//! Which tables stand in which level, at one time. Pure, and never changed: an edit makes another version.
//!
//! Readers hold a version as long as they need it; the files that it names stay until nobody does.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::manifest::{LEVELS, State, TableMeta};
use crate::order::KeyOrder;

/// A table of an open store.
#[derive(Debug)]
pub(super) struct TableFile {
    pub(super) meta: TableMeta,
}

impl TableFile {
    /// Whether the table ends before `key`.
    pub(super) fn ends_before(&self, order: &KeyOrder, key: &[u8]) -> bool {
        match order.compare(&self.meta.last, key) {
            Ordering::Less => true,
            Ordering::Equal => self.meta.last_exclusive,
            Ordering::Greater => false,
        }
    }

    /// Whether `key` lies within the bounds.
    pub(super) fn spans(&self, order: &KeyOrder, key: &[u8]) -> bool {
        order.compare(&self.meta.first, key).is_le() && !self.ends_before(order, key)
    }

    /// Whether there may be a key from `from` up to, and with, `to` in it.
    pub(super) fn overlaps(&self, order: &KeyOrder, from: &[u8], to: &[u8]) -> bool {
        order.compare(&self.meta.first, to).is_le() && !self.ends_before(order, from)
    }
}

/// All live tables.
#[derive(Clone, Debug, Default)]
pub(super) struct Version {
    /// Level 0 the newest first; the others by key, without overlap.
    pub(super) levels: [Vec<Arc<TableFile>>; LEVELS],
}

impl Version {
    /// The version that the manifest describes. Tables that are open already are shared with `known`.
    pub(super) fn new(order: &KeyOrder, state: &State, known: &Self) -> Self {
        let mut version = Self::default();
        let mut known: Vec<_> = known.tables().collect();
        known.sort_unstable_by_key(|file| file.meta.number);
        for live in &state.tables {
            let file = known.binary_search_by_key(&live.meta.number, |file| file.meta.number);
            let file = match file {
                Ok(at) => Arc::clone(known[at]),
                Err(_) => Arc::new(TableFile { meta: live.meta.clone() }),
            };
            version.levels[usize::from(live.level)].push(file);
        }
        let [newest, sorted @ ..] = &mut version.levels;
        newest.sort_by_key(|file| core::cmp::Reverse((file.meta.max_seq, file.meta.number)));
        for level in sorted {
            level.sort_by(|a, b| order.compare(&a.meta.first, &b.meta.first));
        }
        version
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &Arc<TableFile>> {
        self.levels.iter().flatten()
    }

    pub(super) fn bytes(&self, level: usize) -> u64 {
        self.levels[level].iter().map(|file| file.meta.len).sum()
    }

    /// The deepest level that has tables, or 0.
    pub(super) fn bottom(&self) -> usize {
        self.levels.iter().rposition(|level| !level.is_empty()).unwrap_or(0)
    }

    /// The one table of a level below 0 that may hold `key`.
    pub(super) fn find(
        &self,
        order: &KeyOrder,
        level: usize,
        key: &[u8],
    ) -> Option<&Arc<TableFile>> {
        let files = &self.levels[level];
        let at = files.partition_point(|file| file.ends_before(order, key));
        files.get(at).filter(|file| order.compare(&file.meta.first, key).is_le())
    }

    /// The tables of a level that may hold keys from `from` up to, and with, `to`.
    pub(super) fn overlapping<'a>(
        &'a self,
        order: &'a KeyOrder,
        level: usize,
        from: &'a [u8],
        to: &'a [u8],
    ) -> impl Iterator<Item = &'a Arc<TableFile>> {
        self.levels[level].iter().filter(move |file| file.overlaps(order, from, to))
    }

    /// The deepest level at which a table from `from` up to, and with, `to` is above everything that it may hide: neither
    /// that level nor one above it overlaps, what `busy` says of a level included. Level 0 if there is none.
    pub(super) fn deepest_free(
        &self,
        order: &KeyOrder,
        from: &[u8],
        to: &[u8],
        busy: impl Fn(usize) -> bool,
    ) -> usize {
        let free = |level: &usize| {
            !busy(*level) && self.overlapping(order, *level, from, to).next().is_none()
        };
        (0..LEVELS).take_while(free).last().unwrap_or(0)
    }

    /// Whether no level below `level` may hold a key from `from` up to, and with, `to`.
    pub(super) fn is_oldest(&self, order: &KeyOrder, level: usize, from: &[u8], to: &[u8]) -> bool {
        (level + 1..LEVELS).all(|below| self.overlapping(order, below, from, to).next().is_none())
    }

    /// What is wrong, if something is: an overlap or disorder in a level.
    pub(super) fn check(&self, order: &KeyOrder) -> Result<(), u64> {
        for level in &self.levels[1..] {
            for pair in level.windows(2) {
                if !pair[0].ends_before(order, &pair[1].meta.first) {
                    return Err(pair[1].meta.number);
                }
            }
        }
        Ok(())
    }
}
