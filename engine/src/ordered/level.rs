//! The tables of a store as sources: opened through the table cache, and one level as one walk; and whatever is a source.

use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::Vfs;

use super::memtable::MemtableCursor;
use super::table::{BlockCache, Reading, Table, TableCache, TableCursor};
use super::version::TableFile;
use super::{Cursor, Item};
use crate::codec::KeyHasher;
use crate::error::Result;
use crate::order::KeyOrder;

/// Opens tables, and keeps some open.
pub(super) struct Tables {
    pub(super) vfs: Arc<dyn Vfs>,
    pub(super) seed: u128,
    pub(super) order: KeyOrder,
    pub(super) hasher: KeyHasher,
    pub(super) cache: TableCache,
    pub(super) blocks: Arc<BlockCache>,
}

impl Tables {
    /// The open table of a file.
    pub(super) fn open(&self, file: &TableFile) -> Result<Arc<Table>> {
        let place = (file.meta.number, file.meta.len);
        let open = || Table::find(&*self.vfs, self.seed, place, self.order.clone(), self.hasher);
        self.cache.get(file.meta.number, open)
    }

    /// A walk over one file.
    pub(super) fn cursor(&self, file: &TableFile, reading: Reading) -> Result<TableCursor> {
        Ok(TableCursor::new(self.open(file)?, Arc::clone(&self.blocks), reading))
    }

    /// Forgets a file that is about to be removed.
    pub(super) fn forget(&self, number: u64) {
        self.cache.remove(number);
        self.blocks.forget(number);
    }
}

/// A walk over one of the things that a store is made of.
///
/// Why no table of functions: scans and compactions take a step in one of these for every item, and it is short.
pub(super) enum Feed {
    Memtable(MemtableCursor),
    Table(TableCursor),
    Level(LevelCursor),
}

/// The same call of whichever it is.
macro_rules! each {
    ($feed:expr, $cursor:ident => $call:expr) => {
        match $feed {
            Self::Memtable($cursor) => $call,
            Self::Table($cursor) => $call,
            Self::Level($cursor) => $call,
        }
    };
}

impl Cursor for Feed {
    fn seek_first(&mut self) -> Result<()> {
        each!(self, cursor => cursor.seek_first())
    }

    fn seek_last(&mut self) -> Result<()> {
        each!(self, cursor => cursor.seek_last())
    }

    fn seek(&mut self, key: &[u8], seq: u64) -> Result<()> {
        each!(self, cursor => cursor.seek(key, seq))
    }

    fn seek_before(&mut self, key: &[u8], seq: u64) -> Result<()> {
        each!(self, cursor => cursor.seek_before(key, seq))
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        each!(self, cursor => cursor.next())
    }

    fn prev(&mut self) -> Result<()> {
        each!(self, cursor => cursor.prev())
    }

    #[inline]
    fn item(&self) -> Option<Item<'_>> {
        each!(self, cursor => cursor.item())
    }

    #[inline]
    fn beginning(&self) -> Option<u64> {
        each!(self, cursor => cursor.beginning())
    }
}

/// A walk over tables that follow each other without overlap; one of them is open at a time.
pub(super) struct LevelCursor {
    tables: Arc<Tables>,
    files: Vec<Arc<TableFile>>,
    reading: Reading,
    /// Where in `files` the open one stands.
    at: usize,
    open: Option<TableCursor>,
}

impl LevelCursor {
    /// `files` in the order of their keys.
    pub(super) const fn new(
        tables: Arc<Tables>,
        files: Vec<Arc<TableFile>>,
        reading: Reading,
    ) -> Self {
        Self { tables, files, reading, at: 0, open: None }
    }

    /// Opens the file at a place, if there is one.
    fn enter(&mut self, at: usize) -> Result<Option<&mut TableCursor>> {
        if self.open.is_none() || self.at != at {
            self.open = None;
            let Some(file) = self.files.get(at) else { return Ok(None) };
            self.open = Some(self.tables.cursor(file, self.reading)?);
            self.at = at;
        }
        Ok(self.open.as_mut())
    }

    /// Goes to the first item of the next files, while the one it is in has nothing more.
    fn skip_forward(&mut self) -> Result<()> {
        while self.open.as_ref().is_some_and(|open| !open.is_on()) {
            if let Some(open) = self.enter(self.at + 1)? {
                open.seek_first()?;
            }
        }
        Ok(())
    }

    fn skip_back(&mut self) -> Result<()> {
        while self.open.as_ref().is_some_and(|open| !open.is_on()) {
            let Some(before) = self.at.checked_sub(1) else {
                self.open = None;
                return Ok(());
            };
            if let Some(open) = self.enter(before)? {
                open.seek_last()?;
            }
        }
        Ok(())
    }

    /// Runs a move; after an error it stands on none.
    fn moved(&mut self, result: Result<()>) -> Result<()> {
        if result.is_err() {
            self.open = None;
        }
        result
    }
}

impl Cursor for LevelCursor {
    fn seek_first(&mut self) -> Result<()> {
        let result = (|| {
            if let Some(open) = self.enter(0)? {
                open.seek_first()?;
            }
            self.skip_forward()
        })();
        self.moved(result)
    }

    fn seek_last(&mut self) -> Result<()> {
        let Some(last) = self.files.len().checked_sub(1) else { return Ok(()) };
        let result = (|| {
            if let Some(open) = self.enter(last)? {
                open.seek_last()?;
            }
            self.skip_back()
        })();
        self.moved(result)
    }

    fn seek(&mut self, key: &[u8], seq: u64) -> Result<()> {
        let order = &self.tables.order;
        let at = self.files.partition_point(|file| file.ends_before(order, key));
        let result = (|| {
            if let Some(open) = self.enter(at)? {
                open.seek(key, seq)?;
            }
            self.skip_forward()
        })();
        self.moved(result)
    }

    fn seek_before(&mut self, key: &[u8], seq: u64) -> Result<()> {
        let order = &self.tables.order;
        let begun = self.files.partition_point(|f| order.compare(&f.meta.first, key).is_le());
        let Some(at) = begun.checked_sub(1) else {
            self.open = None;
            return Ok(());
        };
        let result = (|| {
            if let Some(open) = self.enter(at)? {
                open.seek_before(key, seq)?;
            }
            self.skip_back()
        })();
        self.moved(result)
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let result = open.next();
        if result.is_ok() && open.is_on() {
            return Ok(());
        }
        let result = result.and_then(|()| self.skip_forward());
        self.moved(result)
    }

    fn prev(&mut self) -> Result<()> {
        let result = match &mut self.open {
            Some(open) => open.prev(),
            None => return Ok(()),
        };
        let result = result.and_then(|()| self.skip_back());
        self.moved(result)
    }

    #[inline]
    fn item(&self) -> Option<Item<'_>> {
        self.open.as_ref()?.item()
    }

    #[inline]
    fn beginning(&self) -> Option<u64> {
        self.open.as_ref()?.beginning()
    }
}
