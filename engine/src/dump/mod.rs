//! Any file of a store as text for people: for looking at damage, and for tests of exact bytes.
//!
//! Called by the command line, the component and tests; the hall opens a file and counts what a page holds. `frames` shows
//! files of frames, `table` shows sorted tables, `line` writes what both have in common.
//! Promise: damage is part of the text; what stands behind it is shown wherever it can be found. One frame, or one block
//! of each level of a table, is in memory at a time.
//! Never: takes the lock, reads another file, writes.

mod frames;
mod line;
mod table;
#[cfg(test)]
mod tests;

use alloc::string::String;
use core::fmt::{self, Write};

use keelstone_vfs::{Access, Vfs};

use crate::error::{Error, FileName, Result};
use crate::manifest::{Slot, Slots};

use frames::Frames;
use line::text;
use table::Table;

/// Writes the file `name` as text, frame by frame or block by block; damage is part of the text, and what follows it is
/// shown too where it can be found.
///
/// Needs no lock and no other file. Bytes are escaped as everywhere: `\xNN` for those that are not printable.
///
/// # Errors
/// As [`Dump::open`]; `Closed` if `out` takes no more.
pub fn dump(vfs: &dyn Vfs, name: &str, out: &mut dyn Write) -> Result<()> {
    let mut dump = Dump::open(vfs, name)?;
    while dump.page(PAGE_BYTES, out)? {}
    Ok(())
}

/// Text that [`dump`] asks for at once.
const PAGE_BYTES: usize = 1 << 20;

/// A file on its way to text, page by page: for whoever cannot be called back.
pub struct Dump {
    /// Lines that stand before all others.
    head: String,
    rest: Rest,
}

/// What is still to be shown.
enum Rest {
    Nothing,
    Frames(Frames),
    Table(Table),
}

impl Dump {
    /// Begins with the file `name`.
    ///
    /// # Errors
    /// `NoStore` if this is no name of a store's file, `Storage` if it cannot be read, `Version`.
    pub fn open(vfs: &dyn Vfs, name: &str) -> Result<Self> {
        let base = name.rsplit('/').next().unwrap_or(name);
        let file_name = FileName::parse(base).ok_or(Error::NoStore)?;
        let mut head = String::new();
        let mut rest = Rest::Nothing;
        match file_name {
            FileName::Current => dump_current(vfs, &mut head)?,
            FileName::Lock | FileName::Reserve => {
                let len = vfs.open(name, Access::Read)?.len()?;
                text(writeln!(head, "{file_name} bytes={len}"))?;
            }
            FileName::Table(_) => {
                let file = vfs.open(name, Access::Read)?;
                rest = Table::begin(file, file_name, &mut head)?.map_or(rest, Rest::Table);
            }
            FileName::Manifest(_) | FileName::Log(_) | FileName::Segment(_) | FileName::Hint(_) => {
                let file = vfs.open(name, Access::Read)?;
                rest = Frames::begin(file, file_name, &mut head)?.map_or(rest, Rest::Frames);
            }
        }
        Ok(Self { head, rest })
    }

    /// Writes the next lines, until they have about `bytes` bytes; `false` when there are no more.
    ///
    /// # Errors
    /// `Storage`; `Closed` if `out` takes no more.
    pub fn page(&mut self, bytes: usize, out: &mut dyn Write) -> Result<bool> {
        let mut out = Counted { out, bytes: 0 };
        text(out.write_str(&core::mem::take(&mut self.head)))?;
        let more = match &mut self.rest {
            Rest::Nothing => false,
            Rest::Frames(frames) => frames.page(bytes, &mut out)?,
            Rest::Table(table) => table.page(bytes, &mut out)?,
        };
        if !more {
            self.rest = Rest::Nothing;
        }
        Ok(more)
    }
}

/// Counts what it passes on.
struct Counted<'w> {
    out: &'w mut dyn Write,
    bytes: usize,
}

impl Write for Counted<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes = self.bytes.saturating_add(text.len());
        self.out.write_str(text)
    }
}

fn dump_current(vfs: &dyn Vfs, out: &mut dyn Write) -> Result<()> {
    let Some(slots) = Slots::read(vfs)? else { return Err(Error::NoStore) };
    text(writeln!(out, "CURRENT bytes={}", slots.bytes))?;
    for (index, slot) in slots.slots.iter().enumerate() {
        text(match slot {
            Slot::Empty => writeln!(out, "slot {index} empty"),
            Slot::Damaged(what) => writeln!(out, "slot {index} damaged what={what}"),
            Slot::Newer(format) => writeln!(out, "slot {index} newer format={format}"),
            Slot::Valid { generation, pointer } => writeln!(
                out,
                "slot {index} generation={generation} manifest={} layout={} seed={:032x}",
                pointer.number, pointer.layout, pointer.seed
            ),
        })?;
    }
    Ok(())
}
