//! Any file of a store as text for people: for looking at damage, and for tests of exact bytes.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt::{self, Write};

use keelstone_vfs::{Access, File, Vfs};

use crate::codec::FileId;
use crate::error::{Damage, Error, FileName, Result};
use crate::log::{FrameReader, Step, next_header, read_file_header};
use crate::manifest::{Slot, Slots, decode_edit};
use crate::record::{Entry, EntryKind, FILE_HEADER_BYTES, FrameKind, Header};

/// Writes the file `name` as text, frame by frame; damage is part of the text, and what follows it is shown too.
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
    /// Lines that stand before all frames.
    head: String,
    frames: Option<Frames>,
}

/// The frames that are still to be shown.
struct Frames {
    file: Box<dyn File>,
    name: FileName,
    id: FileId,
    len: u64,
    offset: u64,
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
        let mut frames = None;
        match file_name {
            FileName::Current => dump_current(vfs, &mut head)?,
            FileName::Lock | FileName::Reserve => {
                let len = vfs.open(name, Access::Read)?.len()?;
                text(writeln!(head, "{file_name} bytes={len}"))?;
            }
            _ => {
                let file = vfs.open(name, Access::Read)?;
                frames = Frames::begin(file, file_name, &mut head)?;
            }
        }
        Ok(Self { head, frames })
    }

    /// Writes the next lines, until they have about `bytes` bytes; `false` when there are no more.
    ///
    /// # Errors
    /// `Storage`; `Closed` if `out` takes no more.
    pub fn page(&mut self, bytes: usize, out: &mut dyn Write) -> Result<bool> {
        let mut out = Counted { out, bytes: 0 };
        text(out.write_str(&core::mem::take(&mut self.head)))?;
        let Some(frames) = &mut self.frames else { return Ok(false) };
        let more = frames.page(bytes, &mut out)?;
        if !more {
            self.frames = None;
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

/// A writer that fails is like a closed pipe: there is nobody left to tell.
fn text(result: fmt::Result) -> Result<()> {
    result.map_err(|fmt::Error| Error::Closed)
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

impl Frames {
    /// Writes the line of the file; `None` if its header is damaged.
    fn begin(file: Box<dyn File>, name: FileName, out: &mut dyn Write) -> Result<Option<Self>> {
        let len = file.len()?;
        let header = match read_file_header(&*file, name) {
            Ok(header) => header,
            Err(Error::Corrupt(corruption)) => {
                let what = corruption.what;
                text(writeln!(out, "{name} bytes={len} header damaged what={what}"))?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        text(writeln!(
            out,
            "{name} bytes={len} number={} age={} first_seq={} seed={:032x}",
            header.number, header.age, header.first_seq, header.seed
        ))?;
        let (id, offset) = (header.id(), FILE_HEADER_BYTES as u64);
        Ok(Some(Self { file, name, id, len, offset }))
    }

    /// Writes frames and damage; `false` at the end of the file.
    fn page(&mut self, bytes: usize, out: &mut Counted<'_>) -> Result<bool> {
        let mut reader = FrameReader::new(&*self.file, self.id, self.len).seek(self.offset);
        while out.bytes < bytes {
            let (offset, what) = match reader.next()? {
                Step::Frame { header, offset, entries } => {
                    dump_frame(&header, offset, out)?;
                    for entry in entries {
                        dump_entry(header.stamp.kind, &entry, out)?;
                    }
                    continue;
                }
                Step::End { offset } => (offset, None),
                Step::Defect { offset, what, .. } => (offset, Some(what)),
            };
            let next = next_header(&*self.file, self.name, self.id, offset + 1, self.len)?;
            dump_gap(offset, next.unwrap_or(self.len), what, out)?;
            let Some(next) = next else { return Ok(false) };
            reader = FrameReader::new(&*self.file, self.id, self.len).seek(next);
        }
        self.offset = reader.offset();
        Ok(true)
    }
}

fn dump_gap(offset: u64, end: u64, what: Option<Damage>, out: &mut dyn Write) -> Result<()> {
    let bytes = end.saturating_sub(offset);
    text(match what {
        Some(what) => writeln!(out, "@{offset} damaged bytes={bytes} what={what}"),
        None => writeln!(out, "@{offset} end unused={bytes}"),
    })
}

fn dump_frame(header: &Header, offset: u64, out: &mut dyn Write) -> Result<()> {
    let kind = match header.stamp.kind {
        FrameKind::Batch => "batch",
        FrameKind::Carried => "carried",
        FrameKind::Edit => "edit",
        FrameKind::Hint => "hint",
        FrameKind::Footer => "footer",
    };
    let stamp = header.stamp;
    text(writeln!(
        out,
        "@{offset} {kind} bytes={} entries={} seq={} mark={} time={}",
        header.frame_len(),
        header.count,
        stamp.seq,
        stamp.mark,
        stamp.time_ms
    ))
}

fn dump_entry(frame: FrameKind, entry: &Entry<'_>, out: &mut dyn Write) -> Result<()> {
    text(write!(out, "  @{} ", entry.offset))?;
    match (frame, entry.kind) {
        (FrameKind::Edit, _) => match decode_edit(entry.value) {
            Ok(edit) => text(writeln!(out, "{edit:?}")),
            Err(what) => text(writeln!(out, "edit damaged what={what}")),
        },
        (FrameKind::Hint | FrameKind::Footer, _) | (_, EntryKind::Plain) => {
            text(writeln!(out, "{} bytes", entry.value.len()))
        }
        (_, EntryKind::RangeTombstone) => {
            text(out.write_str("delete from "))?;
            escape(entry.key, out)?;
            text(out.write_str(" to "))?;
            escape(entry.value, out)?;
            text(out.write_char('\n'))
        }
        (_, EntryKind::Tombstone) => {
            text(out.write_str("delete "))?;
            escape(entry.key, out)?;
            text(out.write_char('\n'))
        }
        (_, EntryKind::Put | EntryKind::PutUntil) => {
            text(out.write_str("put "))?;
            escape(entry.key, out)?;
            text(out.write_str(" = "))?;
            escape(entry.value, out)?;
            let until = entry.expires_ms.map_or_else(Default::default, |at| at.to_string());
            text(if until.is_empty() { writeln!(out) } else { writeln!(out, " until={until}") })
        }
    }
}

fn escape(bytes: &[u8], out: &mut dyn Write) -> Result<()> {
    for byte in bytes {
        text(match byte {
            b'\t' => out.write_str("\\t"),
            b'\n' => out.write_str("\\n"),
            b'\r' => out.write_str("\\r"),
            b'\\' => out.write_str("\\\\"),
            0x20..=0x7e => out.write_char(char::from(*byte)),
            _ => write!(out, "\\x{byte:02x}"),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
