//! Files of frames as text: manifests, logs, segments and hints.
//!
//! Called by the hall; calls `log`, `record` and `manifest`.

use alloc::boxed::Box;
use core::fmt::Write;

use keelstone_vfs::File;

use super::Counted;
use super::line::{delete, delete_range, file_header, put, text};
use crate::codec::FileId;
use crate::error::{Damage, FileName, Result};
use crate::log::{FrameReader, Step, next_header};
use crate::manifest::decode_edit;
use crate::record::{Entry, EntryKind, FILE_HEADER_BYTES, FrameKind, Header};

/// The frames that are still to be shown.
pub(super) struct Frames {
    file: Box<dyn File>,
    name: FileName,
    id: FileId,
    len: u64,
    offset: u64,
}

impl Frames {
    /// Writes the line of the file; `None` if its header is damaged.
    pub(super) fn begin(
        file: Box<dyn File>,
        name: FileName,
        out: &mut dyn Write,
    ) -> Result<Option<Self>> {
        let len = file.len()?;
        let Some(header) = file_header(&*file, name, len, out)? else { return Ok(None) };
        let (id, offset) = (header.id(), FILE_HEADER_BYTES as u64);
        Ok(Some(Self { file, name, id, len, offset }))
    }

    /// Writes frames and damage; `false` at the end of the file.
    pub(super) fn page(&mut self, bytes: usize, out: &mut Counted<'_>) -> Result<bool> {
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
        (_, EntryKind::RangeTombstone) => delete_range(entry.key, entry.value, out),
        (_, EntryKind::Tombstone) => delete(entry.key, out),
        (_, EntryKind::Put | EntryKind::PutUntil) => {
            put(entry.key, entry.value, entry.expires_ms, out)
        }
    }
}
