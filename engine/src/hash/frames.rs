//! What a frame in a log or a segment of this layout may hold: records of single keys, or the footer.
//!
//! Called by whoever walks such a file. Why: the format knows more kinds of entries than this layout, and an entry that is
//! taken for a record it is not would give a wrong value.

use crate::error::{Damage, FileName, Result};
use crate::log::{FrameReader, corrupt};
use crate::record::{Entries, FrameKind, Header};

#[cfg(test)]
mod tests;

/// Whether this layout may have written the frame.
pub(super) const fn is_ours(header: &Header, entries: &Entries<'_>) -> bool {
    match header.stamp.kind {
        FrameKind::Batch | FrameKind::Carried => entries.are_records(),
        FrameKind::Footer => true,
        FrameKind::Edit | FrameKind::Hint => false,
    }
}

/// The next frame of a file that is whole up to the reader's limit, or `None` there; anything else is damage.
pub(super) fn next_ours<'r>(
    reader: &'r mut FrameReader<'_>,
    name: FileName,
) -> Result<Option<(Header, Entries<'r>)>> {
    let offset = reader.offset();
    match reader.next_whole(name)? {
        Some((header, entries)) if !is_ours(&header, &entries) => {
            Err(corrupt(name, offset, header.frame_len(), Damage::Kind))
        }
        frame => Ok(frame),
    }
}
