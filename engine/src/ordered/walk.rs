//! A walk over the store at one instant: all sources as one, and of that what is visible.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::cursor::{MergeCursor, Source, View as Sight, VisibleCursor};
use super::level::{Feed, LevelCursor};
use super::range::{Range, Ranges};
use super::table::Reading;
use super::version::TableFile;
use super::{Item, Store, View};
use crate::error::{Error, Result};
use crate::lab::Bug;

/// The keys that a walk is limited to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bounds {
    /// The first key that belongs to it.
    pub(crate) from: Option<Vec<u8>>,
    /// The first key behind it that does not.
    pub(crate) to: Option<Vec<u8>>,
    /// Every key in it begins so; the filters of prefixes may then leave tables out.
    pub(crate) prefix: Option<Vec<u8>>,
}

impl Bounds {
    /// Keys that begin with `prefix`, in the order byte by byte.
    pub(crate) fn of_prefix(prefix: Vec<u8>) -> Self {
        let mut to = prefix.clone();
        // Why: the least key above them all is the prefix with its last byte that can grow grown.
        while to.last() == Some(&u8::MAX) {
            to.pop();
        }
        if let Some(last) = to.last_mut() {
            *last += 1;
        }
        let to = Some(to).filter(|to| !to.is_empty());
        Self { from: Some(prefix.clone()), to, prefix: Some(prefix) }
    }
}

/// A walk in order, in both directions; it stands on an entry or on none.
pub(crate) struct Walk {
    store: Arc<Store>,
    cursor: VisibleCursor<Feed>,
    /// Keeps the files that the sources read.
    _view: Arc<View>,
}

impl Walk {
    /// A walk that stands on none. Sees everything up to `seq`, and what has not expired at `time_ms`.
    pub(super) fn new(store: &Arc<Store>, seq: u64, time_ms: u64, bounds: Bounds) -> Result<Self> {
        if bounds.prefix.is_some() && !store.order.is_bytewise() {
            return Err(Error::Unsupported("prefixes in an order of one's own"));
        }
        let view = store.view();
        let sources = store.sources(&view, &bounds)?;
        let mut ranges = Vec::new();
        store.ranges_of(&view, &bounds, &mut ranges)?;
        let ranges = Arc::new(Ranges::new(&store.order, &ranges)?);
        let merged = MergeCursor::new(store.order.clone(), sources)?;
        let sight = Sight { seq, time_ms, lower: bounds.from, upper: bounds.to };
        let cursor = VisibleCursor::new(store.order.clone(), merged, ranges, sight);
        Ok(Self { store: Arc::clone(store), cursor, _view: view })
    }

    fn moved(&mut self, run: impl FnOnce(&mut VisibleCursor<Feed>) -> Result<()>) -> Result<()> {
        self.store.journal.check_open()?;
        run(&mut self.cursor).map_err(|error| self.store.damaged(error))
    }

    pub(crate) fn seek_first(&mut self) -> Result<()> {
        self.moved(VisibleCursor::seek_first)
    }

    pub(crate) fn seek_last(&mut self) -> Result<()> {
        self.moved(VisibleCursor::seek_last)
    }

    pub(crate) fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.moved(|cursor| cursor.seek(key))
    }

    pub(crate) fn seek_before(&mut self, key: &[u8]) -> Result<()> {
        self.moved(|cursor| cursor.seek_before(key))
    }

    pub(crate) fn next(&mut self) -> Result<()> {
        self.moved(VisibleCursor::next)
    }

    pub(crate) fn prev(&mut self) -> Result<()> {
        if self.store.journal.switches.on(Bug::TurnForgotten) {
            self.cursor.forget_turn();
        }
        self.moved(VisibleCursor::prev)
    }

    pub(crate) fn item(&self) -> Option<Item<'_>> {
        self.cursor.item()
    }
}

impl Store {
    /// Everything that a walk within `bounds` has to look at, the newest first.
    fn sources(&self, view: &View, bounds: &Bounds) -> Result<Vec<Source<Feed>>> {
        let mut sources = Vec::new();
        let sealed = view.sealed.iter().map(|sealed| &sealed.memtable);
        for memtable in core::iter::once(&view.memtable).chain(sealed) {
            sources.push(Feed::Memtable(memtable.cursor()).into());
        }
        for (level, files) in view.version.levels.iter().enumerate() {
            let mut wanted = Vec::new();
            for file in files {
                if self.is_wanted(file, bounds)? {
                    wanted.push(Arc::clone(file));
                }
            }
            sources.extend(self.level_sources(level, wanted, Reading::CACHED)?);
        }
        Ok(sources)
    }

    /// Tables of one level as sources: one for each table of level 0, one for all of another.
    pub(super) fn level_sources(
        &self,
        level: usize,
        files: Vec<Arc<TableFile>>,
        reading: Reading,
    ) -> Result<Vec<Source<Feed>>> {
        let newest = |files: &[Arc<TableFile>]| files.iter().map(|f| f.meta.max_seq).max();
        let mut sources = Vec::new();
        if level == 0 {
            for file in &files {
                let cursor = Feed::Table(self.tables.cursor(file, reading)?);
                sources.push(Source { cursor, newest: file.meta.max_seq });
            }
        } else if let Some(newest) = newest(&files) {
            let cursor = LevelCursor::new(Arc::clone(&self.tables), files, reading);
            let cursor = Feed::Level(cursor);
            sources.push(Source { cursor, newest });
        }
        Ok(sources)
    }

    /// Whether a table may hold keys within the bounds.
    fn is_wanted(&self, file: &TableFile, bounds: &Bounds) -> Result<bool> {
        if !self.is_within(file, bounds) {
            return Ok(false);
        }
        match &bounds.prefix {
            Some(prefix) if self.table_options.prefix_bytes.is_some() => {
                Ok(self.tables.open(file)?.may_contain_prefix(prefix))
            }
            _ => Ok(true),
        }
    }

    fn is_within(&self, file: &TableFile, bounds: &Bounds) -> bool {
        let behind = |to: &Vec<u8>| self.order.compare(&file.meta.first, to).is_ge();
        let before = |from: &Vec<u8>| file.ends_before(&self.order, from);
        !bounds.to.as_ref().is_some_and(behind) && !bounds.from.as_ref().is_some_and(before)
    }

    /// The range tombstones of everything that may cover keys within the bounds.
    fn ranges_of(&self, view: &View, bounds: &Bounds, ranges: &mut Vec<Range>) -> Result<()> {
        let sealed = view.sealed.iter().map(|sealed| &sealed.memtable);
        for memtable in core::iter::once(&view.memtable).chain(sealed) {
            if memtable.has_ranges() {
                ranges.extend(memtable.ranges()?.iter().cloned());
            }
        }
        for file in view.version.tables() {
            if file.meta.ranges > 0 && self.is_within(file, bounds) {
                ranges.extend(self.tables.open(file)?.ranges().iter().cloned());
            }
        }
        Ok(())
    }

    /// What a scan now would return.
    pub(crate) fn len(self: &Arc<Self>) -> Result<u64> {
        self.count().map(|(keys, _)| keys)
    }

    /// The keys that a scan now would return, and the bytes of them and their values.
    pub(super) fn count(self: &Arc<Self>) -> Result<(u64, u64)> {
        let snapshot = self.snapshot()?;
        let mut walk = snapshot.walk(Bounds::default())?;
        let (mut keys, mut bytes) = (0, 0);
        walk.seek_first()?;
        while let Some(item) = walk.item() {
            keys += 1;
            bytes += (item.key.len() + item.value.len()) as u64;
            walk.next()?;
        }
        Ok((keys, bytes))
    }
}
