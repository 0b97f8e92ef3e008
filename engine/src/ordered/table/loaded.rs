//! The end of a table whose one sequence is decided after all else of it was written: bulk load.
//!
//! Called by the layout's bulk load; calls `format` and the disk. docs/format.md, section 10.4.
//! Promise: after `place` the table is whole, and every item of it has that sequence. It may be placed again, at another
//! one, until the manifest names the table; never after that.
//! Never: syncs, keeps the file open: a load may have more tables than a process may have open files.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use keelstone_vfs::{Access, File, Vfs};

use super::TableMeta;
use super::format::{Footer, Properties, end};
use crate::codec::FileId;
use crate::error::{FileName, Result};

// On disk: the sequence with which items stand in the blocks of a table that was loaded in bulk. Above 0, so that there
// is a place behind the item of a key.
/// What items are added with to a table that is to be loaded in bulk.
pub(crate) const LOADED: u64 = 1;

/// A table that lacks its end.
pub(crate) struct Loaded {
    id: FileId,
    /// Where the end will stand.
    offset: u64,
    properties: Properties,
    footer: Footer,
}

impl Loaded {
    /// Of a file that is written up to `offset`.
    pub(super) const fn new(
        id: FileId,
        offset: u64,
        mut properties: Properties,
        footer: Footer,
    ) -> Self {
        properties.loaded = true;
        Self { id, offset, properties, footer }
    }

    /// What will be known of the table; its sequence and length are those that it was placed with last.
    pub(crate) const fn meta(&self) -> &TableMeta {
        &self.properties.meta
    }

    /// Writes the end of the file, which says that all its items have the sequence `seq`. The file, which is opened for
    /// that, is for the caller to sync.
    pub(crate) fn place(&mut self, vfs: &dyn Vfs, seq: u64) -> Result<Box<dyn File>> {
        let meta = &mut self.properties.meta;
        (meta.min_seq, meta.max_seq) = (seq, seq);
        let mut bytes = Vec::new();
        end(&mut bytes, self.id, self.offset, &self.properties, self.footer)?;
        let name = FileName::Table(self.properties.meta.number);
        let file = vfs.open(&format!("{name}"), Access::Write)?;
        file.write_at(&bytes, self.offset)?;
        self.properties.meta.len = self.offset + bytes.len() as u64;
        Ok(file)
    }
}
