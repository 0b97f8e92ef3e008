//! Reads frames one after another and tells a clean end from a defect.

use alloc::vec::Vec;

use keelstone_vfs::File;

use super::{corrupt, read_exact};
use crate::codec::FileId;
use crate::error::{Damage, Error, FileName, Result};
use crate::record::{
    Entries, FILE_HEADER_BYTES, FileHeader, HEADER_BYTES, Header, HeaderError, MAGIC, decode_body,
};

/// How much is read at once.
const CHUNK: usize = 256 << 10;

/// Reads and checks the header of a file.
pub(crate) fn read_file_header(file: &dyn File, name: FileName) -> Result<FileHeader> {
    let mut bytes = [0; FILE_HEADER_BYTES];
    let count = file.read_at(&mut bytes, 0)?;
    if count < FILE_HEADER_BYTES {
        return Err(corrupt(name, count as u64, (FILE_HEADER_BYTES - count) as u64, Damage::Short));
    }
    FileHeader::decode(&bytes).map_err(|error| match error {
        HeaderError::Damaged(what) => corrupt(name, 0, FILE_HEADER_BYTES as u64, what),
        HeaderError::Newer(format) => {
            Error::Version { format, supported: crate::record::FORMAT_VERSION }
        }
    })
}

/// One step of a [`FrameReader`].
pub(crate) enum Step<'a> {
    /// A frame whose every byte was checked.
    Frame { header: Header, offset: u64, entries: Entries<'a> },
    /// A zero header, or exactly the end of the range.
    End { offset: u64 },
    /// Bytes that are no frame.
    Defect { offset: u64, bytes: u64, what: Damage },
}

/// Walks the frames of a file from an offset up to a limit.
pub(crate) struct FrameReader<'f> {
    file: &'f dyn File,
    id: FileId,
    offset: u64,
    limit: u64,
    check: bool,
    buf: Vec<u8>,
    /// The offset of the first byte in `buf`.
    base: u64,
}

impl<'f> FrameReader<'f> {
    /// Reads from the first frame on; nothing at or beyond `limit` belongs to the file.
    pub(crate) fn new(file: &'f dyn File, id: FileId, limit: u64) -> Self {
        let offset = FILE_HEADER_BYTES as u64;
        Self { file, id, offset, limit, check: true, buf: Vec::new(), base: offset }
    }

    /// Starts at `offset`, where a frame begins.
    pub(crate) fn seek(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// Leaves the checksums out: for a test that breaks the engine on purpose.
    pub(crate) fn check(mut self, check: bool) -> Self {
        self.check = check;
        self
    }

    /// Where the next frame begins.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Makes `len` bytes at the current offset available in `buf`; fewer if the range ends.
    fn fill(&mut self, len: usize) -> Result<()> {
        let have = (self.base + self.buf.len() as u64).saturating_sub(self.offset);
        if self.offset >= self.base && have >= len as u64 {
            return Ok(());
        }
        let room = usize::try_from(self.limit.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let want = room.min(len.max(CHUNK));
        self.base = self.offset;
        self.buf.clear();
        self.buf.try_reserve(want)?;
        self.buf.resize(want, 0);
        let count = self.file.read_at(&mut self.buf, self.offset)?;
        self.buf.truncate(count);
        Ok(())
    }

    fn window(&self) -> &[u8] {
        let at = usize::try_from(self.offset - self.base).unwrap_or(usize::MAX);
        self.buf.get(at..).unwrap_or(&[])
    }

    /// The next frame, or how the walk ends; after an end or a defect it stays there.
    pub(crate) fn next(&mut self) -> Result<Step<'_>> {
        let offset = self.offset;
        self.fill(HEADER_BYTES)?;
        let window = self.window();
        let Some(head) = window.first_chunk::<HEADER_BYTES>() else {
            let bytes = window.len() as u64;
            if window.iter().all(|b| *b == 0) {
                return Ok(Step::End { offset });
            }
            return Ok(Step::Defect { offset, bytes, what: Damage::Short });
        };
        let header = match Header::decode(head, self.id, offset) {
            Ok(Some(header)) => header,
            Ok(None) => return Ok(Step::End { offset }),
            Err(what) => {
                return Ok(Step::Defect { offset, bytes: HEADER_BYTES as u64, what });
            }
        };
        self.body(header, offset)
    }

    /// The next frame of a file that is whole up to the limit, or `None` there; anything else is damage.
    pub(crate) fn next_whole(&mut self, name: FileName) -> Result<Option<(Header, Entries<'_>)>> {
        let limit = self.limit;
        match self.next()? {
            Step::Frame { header, entries, .. } => Ok(Some((header, entries))),
            Step::End { offset } if offset >= limit => Ok(None),
            Step::End { offset } => Err(corrupt(name, offset, limit - offset, Damage::Gap)),
            Step::Defect { offset, bytes, what } => Err(corrupt(name, offset, bytes, what)),
        }
    }

    fn body(&mut self, header: Header, offset: u64) -> Result<Step<'_>> {
        let bytes = header.frame_len();
        let Ok(len) = usize::try_from(bytes) else {
            return Ok(Step::Defect { offset, bytes, what: Damage::Length });
        };
        if bytes > self.limit.saturating_sub(offset) {
            return Ok(Step::Defect { offset, bytes, what: Damage::Length });
        }
        self.fill(len)?;
        if self.window().len() < len {
            return Ok(Step::Defect { offset, bytes, what: Damage::Short });
        }
        self.offset = offset + bytes;
        let at = usize::try_from(offset - self.base).unwrap_or(usize::MAX);
        let body = self.buf.get(at + HEADER_BYTES..at + len).unwrap_or(&[]);
        match decode_body(&header, body, self.id, offset, self.check) {
            Ok(entries) => Ok(Step::Frame { header, offset, entries }),
            Err(what) => {
                self.offset = offset;
                Ok(Step::Defect { offset, bytes, what })
            }
        }
    }
}

/// What stands behind the place where a walk ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rest {
    /// The greatest durable-through mark of a valid header.
    pub(crate) mark: u64,
    /// Whether there was a valid header.
    pub(crate) header: bool,
    /// Bytes up to the last one that is not zero.
    pub(crate) bytes: u64,
}

/// Searches everything from `offset` on for headers of this file, whatever stands between.
///
/// Every offset is a candidate; the two magic bytes keep it quick.
pub(crate) fn search_rest(
    file: &dyn File,
    name: FileName,
    id: FileId,
    offset: u64,
    limit: u64,
) -> Result<Rest> {
    let mut rest = Rest::default();
    let mut buf = Vec::new();
    let mut base = offset;
    while base < limit {
        let want = (limit - base).min((CHUNK + HEADER_BYTES) as u64);
        let want = usize::try_from(want).unwrap_or(CHUNK);
        read_exact(file, name, base, want, &mut buf)?;
        if let Some(last) = buf.iter().rposition(|b| *b != 0) {
            rest.bytes = base + last as u64 + 1 - offset;
            for (_, header) in headers_in(&buf, id, base) {
                rest.header = true;
                rest.mark = rest.mark.max(header.stamp.mark);
            }
        }
        base += CHUNK as u64;
    }
    Ok(rest)
}

/// The first offset from `offset` on at which a valid header of this file stands.
pub(crate) fn next_header(
    file: &dyn File,
    name: FileName,
    id: FileId,
    offset: u64,
    limit: u64,
) -> Result<Option<u64>> {
    let mut buf = Vec::new();
    let mut base = offset;
    while base < limit {
        let want = (limit - base).min((CHUNK + HEADER_BYTES) as u64);
        read_exact(file, name, base, usize::try_from(want).unwrap_or(CHUNK), &mut buf)?;
        if let Some((at, _)) = headers_in(&buf, id, base).next() {
            return Ok(Some(at));
        }
        base += CHUNK as u64;
    }
    Ok(None)
}

/// The valid headers in a piece of the file that begins at `base`.
fn headers_in(buf: &[u8], id: FileId, base: u64) -> impl Iterator<Item = (u64, Header)> + '_ {
    let candidates = buf.windows(HEADER_BYTES).enumerate();
    candidates.filter_map(move |(at, window)| {
        if window[4..6] != MAGIC {
            return None;
        }
        let head = window.first_chunk::<HEADER_BYTES>()?;
        let offset = base + at as u64;
        let header = Header::decode(head, id, offset).ok()??;
        Some((offset, header))
    })
}
