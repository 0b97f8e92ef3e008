//! Builds the bytes of one frame.

use alloc::vec::Vec;

use super::{ENTRY_BYTES, EXPIRY_BYTES, EntryKind, HEADER_BYTES, MAGIC, Stamp};
use crate::codec::{self, FileId};
use crate::error::{Error, Invalid, Result};
use crate::limits;

/// A buffer in which frames are built, one after another; it keeps its memory.
#[derive(Debug, Default)]
pub(crate) struct FrameBuilder {
    buf: Vec<u8>,
    crcs: Vec<u8>,
    id: Option<FileId>,
    offset: u64,
    count: u32,
}

/// Where an entry landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Bytes from the start of the file.
    pub(crate) offset: u64,
    /// Bytes of the entry.
    pub(crate) len: u32,
}

impl FrameBuilder {
    /// Begins a frame that will stand at `offset` of the file `id`.
    pub(crate) fn begin(&mut self, id: FileId, offset: u64) {
        self.buf.clear();
        self.crcs.clear();
        self.buf.resize(HEADER_BYTES, 0);
        (self.id, self.offset, self.count) = (Some(id), offset, 0);
    }

    /// Adds one entry.
    ///
    /// # Errors
    /// `OutOfMemory`, or `Invalid` if the frame would be too large; the frame is then to be begun anew.
    pub(crate) fn push(
        &mut self,
        kind: EntryKind,
        key: &[u8],
        value: &[u8],
        expires_ms: u64,
    ) -> Result<Placed> {
        let expiry = if kind == EntryKind::PutUntil { EXPIRY_BYTES } else { 0 };
        let len = ENTRY_BYTES + expiry + key.len() + value.len();
        let at = self.buf.len();
        if at + len > limits::FRAME_BYTES_MAX {
            let (bytes, max) = (at + len, limits::FRAME_BYTES_MAX);
            return Err(Error::Invalid(Invalid::BatchTooLarge { bytes, max }));
        }
        let (Ok(key_len), Ok(value_len)) = (u16::try_from(key.len()), u32::try_from(value.len()))
        else {
            let (bytes, max) = (key.len(), limits::KEY_BYTES_MAX);
            return Err(Error::Invalid(Invalid::KeyTooLong { bytes, max }));
        };
        self.buf.try_reserve(len)?;
        self.buf.extend_from_slice(&[0; 4]);
        self.buf.push(kind.byte());
        self.buf.extend_from_slice(&key_len.to_le_bytes());
        self.buf.extend_from_slice(&value_len.to_le_bytes());
        if expiry != 0 {
            self.buf.extend_from_slice(&expires_ms.to_le_bytes());
        }
        self.buf.extend_from_slice(key);
        self.buf.extend_from_slice(value);
        Ok(self.close_entry(at))
    }

    /// Adds an entry whose bytes after the checksum stand in `body`: a merge copies without taking it apart.
    pub(crate) fn push_raw(&mut self, body: &[u8]) -> Result<Placed> {
        let at = self.buf.len();
        self.buf.try_reserve(4 + body.len())?;
        self.buf.extend_from_slice(&[0; 4]);
        self.buf.extend_from_slice(body);
        Ok(self.close_entry(at))
    }

    fn close_entry(&mut self, at: usize) -> Placed {
        let offset = self.offset + at as u64;
        let id = self.id.expect("a frame was begun");
        let crc = id.crc(offset, &self.buf[at + 4..]).to_le_bytes();
        codec::put(&mut self.buf, at, &crc);
        self.crcs.extend_from_slice(&crc);
        self.count += 1;
        let len = u32::try_from(self.buf.len() - at).expect("bounded by FRAME_BYTES_MAX");
        Placed { offset, len }
    }

    /// Bytes so far, the header included.
    pub(crate) fn len(&self) -> usize {
        self.buf.len()
    }

    /// The frame that was finished last.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buf
    }

    /// Entries so far.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// Writes the header and gives the bytes of the whole frame.
    pub(crate) fn finish(&mut self, stamp: &Stamp) -> &[u8] {
        let id = self.id.expect("a frame was begun");
        let len = u32::try_from(self.buf.len() - HEADER_BYTES).expect("bounded by push");
        let entries_crc = codec::crc(&self.crcs);
        let buf = &mut self.buf;
        codec::put(buf, 4, &MAGIC);
        codec::put(buf, 6, &[stamp.kind.byte(), 0]);
        codec::put(buf, 8, &len.to_le_bytes());
        codec::put(buf, 12, &self.count.to_le_bytes());
        codec::put(buf, 16, &stamp.seq.to_le_bytes());
        codec::put(buf, 24, &stamp.mark.to_le_bytes());
        codec::put(buf, 32, &stamp.time_ms.to_le_bytes());
        codec::put(buf, 40, &entries_crc.to_le_bytes());
        let crc = id.crc(self.offset, &buf[4..HEADER_BYTES]);
        codec::put(buf, 0, &crc.to_le_bytes());
        buf
    }
}
