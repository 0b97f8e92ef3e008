//! Sorted tables as text: footer, properties, filters, index, blocks and their entries.
//!
//! Called by the hall; calls `ordered`, which takes a table apart.

use alloc::boxed::Box;
use core::fmt::{Display, Write};

use keelstone_vfs::File;

use super::Counted;
use super::line::{delete, delete_range, escape, file_header, put, text};
use crate::codec::FileId;
use crate::error::{FileName, Result};
use crate::log::read_exact;
use crate::ordered::Item;
use crate::ordered::parts::{Footer, Handle, PartWalk, Properties, Sealed, Shown};
use crate::record::{EntryKind, FILE_HEADER_BYTES, FileHeader};

/// The parts that are still to be shown.
pub(super) struct Table(PartWalk);

impl Table {
    /// Writes the line of the file; `None` if it is too short to tell whose it is.
    pub(super) fn begin(
        file: Box<dyn File>,
        name: FileName,
        out: &mut dyn Write,
    ) -> Result<Option<Self>> {
        let len = file.len()?;
        let id = match file_header(&*file, name, len, out)? {
            Some(header) => header.id(),
            None if len < FILE_HEADER_BYTES as u64 => return Ok(None),
            None => id_said(&*file, name)?,
        };
        Ok(Some(Self(PartWalk::new(file.into(), name, id, len)?)))
    }

    /// Writes parts and entries; `false` at the end of the table.
    pub(super) fn page(&mut self, bytes: usize, out: &mut Counted<'_>) -> Result<bool> {
        while out.bytes < bytes {
            let Some(shown) = self.0.next()? else { return Ok(false) };
            show(&shown, out)?;
        }
        Ok(true)
    }
}

/// Whose file it is by a header whose checksum is wrong.
///
/// Why it may be tried: the checksums of the parts bind the identity. If it is not right, none of them passes.
fn id_said(file: &dyn File, name: FileName) -> Result<FileId> {
    let mut bytes = alloc::vec::Vec::new();
    read_exact(file, name, 0, FILE_HEADER_BYTES, &mut bytes)?;
    Ok(FileId::new(FileHeader::seed_said(&bytes), name.number().unwrap_or_default()))
}

fn show(shown: &Shown<'_>, out: &mut dyn Write) -> Result<()> {
    match shown {
        Shown::Footer { handle, footer } => show_footer(*handle, footer, out),
        Shown::Properties { sealed, properties } => {
            show_sealed("properties", *sealed, out)?;
            text(out.write_char('\n'))?;
            show_properties(properties, out)
        }
        Shown::Filter { part, sealed, lines, probes, ones } => {
            show_sealed(part.word(), *sealed, out)?;
            text(writeln!(out, " lines={lines} probes={probes} ones={ones}"))
        }
        Shown::Block { part, sealed, restarts } => {
            show_sealed(part.word(), *sealed, out)?;
            text(writeln!(out, " restarts={restarts}"))
        }
        Shown::Entry { at, item } => show_entry(*at, item, out),
        Shown::Below { at, key, seq, handle } => {
            text(write!(out, "  +{at} block={}", Place(*handle)))?;
            // Why: the greatest sequence stands for the place before all versions of the key.
            text(if *seq == u64::MAX { Ok(()) } else { write!(out, " seq={seq}") })?;
            labelled(" from ", key, out)
        }
        Shown::Damaged { part, handle, what } => {
            let (offset, bytes) = (handle.offset, handle.len);
            let part_word = part.word();
            text(writeln!(out, "@{offset} {part_word} damaged bytes={bytes} what={what}"))?;
            text(if part.leads_on() {
                out.write_str("  what it leads to cannot be found\n")
            } else {
                Ok(())
            })
        }
        Shown::Broken { at, what } => text(writeln!(out, "  +{at} damaged what={what}")),
    }
}

/// A handle in a line.
struct Place(Handle);

impl Display for Place {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.0.is_none() {
            return f.write_str("none");
        }
        write!(f, "@{}+{}", self.0.offset, self.0.len)
    }
}

fn show_footer(handle: Handle, footer: &Footer, out: &mut dyn Write) -> Result<()> {
    text(writeln!(
        out,
        "@{} footer bytes={} checksum=ok filter={} prefixes={} ranges={} index={} properties={}",
        handle.offset,
        handle.len,
        Place(footer.filter),
        Place(footer.prefixes),
        Place(footer.ranges),
        Place(footer.index),
        Place(footer.properties)
    ))
}

/// Begins the line of a sealed part.
fn show_sealed(word: &str, sealed: Sealed, out: &mut dyn Write) -> Result<()> {
    let Sealed { handle, unpacked, lz4 } = sealed;
    let codec = if lz4 { "lz4" } else { "none" };
    let (offset, bytes) = (handle.offset, handle.len);
    text(write!(
        out,
        "@{offset} {word} bytes={bytes} unpacked={unpacked} codec={codec} checksum=ok"
    ))
}

fn show_properties(properties: &Properties, out: &mut dyn Write) -> Result<()> {
    let meta = &properties.meta;
    text(writeln!(
        out,
        "  entries={} tombstones={} ranges={} keys={} raw_bytes={} min_seq={} max_seq={}",
        meta.entries,
        meta.tombstones,
        meta.ranges,
        properties.keys,
        meta.raw_bytes,
        meta.min_seq,
        meta.max_seq
    ))?;
    text(writeln!(
        out,
        "  data_blocks={} index_blocks={} prefix_bytes={}",
        properties.data_blocks, properties.index_blocks, properties.prefix_bytes
    ))?;
    if properties.loaded {
        // Why: the entries below show what stands in the blocks, and that is not their sequence.
        text(writeln!(out, "  loaded seq={}", meta.max_seq))?;
    }
    if let Some((min, max)) = meta.expires {
        text(writeln!(out, "  expires_min={min} expires_max={max}"))?;
    }
    labelled("  order ", &properties.order, out)?;
    labelled("  first ", &meta.first, out)?;
    labelled(if meta.last_exclusive { "  before " } else { "  last " }, &meta.last, out)
}

fn show_entry(at: usize, item: &Item<'_>, out: &mut dyn Write) -> Result<()> {
    text(write!(out, "  +{at} seq={} ", item.seq))?;
    match item.kind {
        EntryKind::RangeTombstone => delete_range(item.key, item.value, out),
        EntryKind::Tombstone => delete(item.key, out),
        EntryKind::Put | EntryKind::Plain => put(item.key, item.value, None, out),
        EntryKind::PutUntil => put(item.key, item.value, Some(item.expires_ms), out),
    }
}

/// The rest of a line: a word and escaped bytes.
fn labelled(label: &str, bytes: &[u8], out: &mut dyn Write) -> Result<()> {
    text(out.write_str(label))?;
    escape(bytes, out)?;
    text(out.write_char('\n'))
}
