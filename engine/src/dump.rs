//! Any file of a store as text for people: for looking at damage, and for tests of exact bytes.

use alloc::string::ToString;
use core::fmt::{self, Write};

use keelstone_vfs::{Access, File, Vfs};

use crate::error::{Damage, Error, FileName, Result};
use crate::log::{FrameReader, Step, next_header, read_file_header};
use crate::manifest::{Slot, Slots, decode_edit};
use crate::record::{Entry, EntryKind, FrameKind, Header};

/// Writes the file `name` as text, frame by frame; damage is part of the text, and what follows it is shown too.
///
/// Needs no lock and no other file. Bytes are escaped as everywhere: `\xNN` for those that are not printable.
///
/// # Errors
/// `Storage` if the file cannot be read, `Invalid` if it is not a file of a store, `Version`.
pub fn dump(vfs: &dyn Vfs, name: &str, out: &mut dyn Write) -> Result<()> {
    let base = name.rsplit('/').next().unwrap_or(name);
    let file_name = FileName::parse(base).ok_or(Error::NoStore)?;
    match file_name {
        FileName::Current => dump_current(vfs, out),
        FileName::Lock | FileName::Reserve => {
            let len = vfs.open(name, Access::Read)?.len()?;
            text(writeln!(out, "{file_name} bytes={len}"))
        }
        _ => {
            let file = vfs.open(name, Access::Read)?;
            dump_frames(&*file, file_name, out)
        }
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

fn dump_frames(file: &dyn File, name: FileName, out: &mut dyn Write) -> Result<()> {
    let len = file.len()?;
    let header = match read_file_header(file, name) {
        Ok(header) => header,
        Err(Error::Corrupt(corruption)) => {
            return text(writeln!(
                out,
                "{name} bytes={len} header damaged what={}",
                corruption.what
            ));
        }
        Err(error) => return Err(error),
    };
    text(writeln!(
        out,
        "{name} bytes={len} number={} age={} first_seq={} seed={:032x}",
        header.number, header.age, header.first_seq, header.seed
    ))?;
    let mut reader = FrameReader::new(file, header.id(), len);
    loop {
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
        let next = next_header(file, name, header.id(), offset + 1, len)?;
        dump_gap(offset, next.unwrap_or(len), what, out)?;
        let Some(next) = next else { return Ok(()) };
        reader = FrameReader::new(file, header.id(), len).seek(next);
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
