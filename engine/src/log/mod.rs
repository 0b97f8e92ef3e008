//! Append-only files of frames: one writer at the end, readers anywhere.
//!
//! Called by the manifest and the layouts; calls `record` and the disk. Knows nothing of what the entries mean.
//! Promise: after `append` the frame is in the file; after the ticket's sync it survives a power cut.
//! Never: cuts a file and goes on in it, retries a failed sync, repairs a checksum.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use reader::{FrameReader, Rest, Step, next_header, read_file_header, search_rest};
pub(crate) use writer::{LogWriter, Ticket};

use alloc::vec::Vec;

use keelstone_vfs::File;

use crate::error::{Corruption, Damage, Error, FileName, Result};

/// Reads exactly `len` bytes at `offset`; a file that is shorter is damaged.
pub(crate) fn read_exact(
    file: &dyn File,
    name: FileName,
    offset: u64,
    len: usize,
    buf: &mut Vec<u8>,
) -> Result<()> {
    buf.clear();
    buf.try_reserve(len)?;
    buf.resize(len, 0);
    let count = file.read_at(buf, offset)?;
    if count == len {
        return Ok(());
    }
    Err(corrupt(name, offset + count as u64, (len - count) as u64, Damage::Short))
}

/// The error for damaged bytes.
pub(crate) const fn corrupt(file: FileName, offset: u64, bytes: u64, what: Damage) -> Error {
    Error::Corrupt(Corruption { file, offset, bytes, what })
}
