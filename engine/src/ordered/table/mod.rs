//! Sorted tables: files of entries in order that never change, and what is kept of them in memory.
//!
//! Called by flush, compaction, reads and recovery of the ordered layout; calls `record` for the file's header and the
//! disk. The bytes are in docs/format.md, section 10. `writer` builds a table once, `loaded`
//! the end of one whose sequence comes late; `reader` opens it and answers gets,
//! `cursor` walks it with `index`, `verify` reads all of it; `tally` counts for properties; `sample` makes the search in a `block` short.
//! `cache` keeps blocks, `tables` keeps open tables, both within a limit.
//! Promise: what is read was written for this file and this place, or the read says which bytes are damaged.
//! Never: syncs, changes a table, removes one that was finished.

mod block;
mod builder;
mod cache;
mod cursor;
mod filter;
mod format;
mod index;
mod loaded;
pub(crate) mod parts;
#[cfg(feature = "lab")]
pub(crate) mod probe;
mod reader;
mod sample;
mod tables;
mod tally;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

pub(crate) use cache::BlockCache;
pub(crate) use cursor::{Reading, TableCursor};
pub(crate) use loaded::{LOADED, Loaded};
pub(crate) use reader::Table;
pub(crate) use tables::TableCache;
pub(crate) use writer::{Finished, TableWriter};

#[cfg(feature = "lab")]
pub(crate) use verify::TableReport;

pub(crate) use crate::manifest::TableMeta;

/// How tables are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableOptions {
    /// A block of data is closed before it would grow longer, in bytes; a single longer entry has a block of its own.
    pub(crate) block_bytes: usize,
    /// Every so many entries a key is stored whole: where searches begin.
    pub(crate) restart_interval: usize,
    /// Bits of the filter for each key; 0: no filter.
    pub(crate) filter_bits_per_key: usize,
    /// The length of the prefixes that have a filter of their own; only in the order byte by byte.
    pub(crate) prefix_bytes: Option<usize>,
    /// Blocks of data are compressed if it saves an eighth.
    pub(crate) lz4: bool,
}

impl Default for TableOptions {
    fn default() -> Self {
        let (block_bytes, restart_interval, filter_bits_per_key) = (4096, 16, 10);
        let (prefix_bytes, lz4) = (None, false);
        Self { block_bytes, restart_interval, filter_bits_per_key, prefix_bytes, lz4 }
    }
}
