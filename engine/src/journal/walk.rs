//! Reading the log from a sequence on: for followers.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::LogFile;
use crate::batch::Write;
use crate::error::{Damage, Error, Result};
use crate::log::{FrameReader, corrupt};
use crate::record::{Entry, EntryKind, FILE_HEADER_BYTES, FrameKind};

/// How much is read at once.
const PIECE_BYTES: u64 = 256 << 10;

/// One write of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its sequence: one more than that of the write before.
    pub sequence: u64,
    /// The time that its frame carries, in milliseconds since 1970.
    pub time_ms: u64,
    /// What was written.
    pub write: Write,
}

/// A walk over the writes in their order, up to the last one there was when it began.
pub(crate) struct LogWalk {
    files: VecDeque<(Arc<LogFile>, u64)>,
    offset: u64,
    from: u64,
    through: u64,
    /// Whether the layout has range tombstones.
    ranges: bool,
    ready: VecDeque<LogEntry>,
}

impl LogWalk {
    /// The writes from sequence `from` up to `through`, out of `logs`, in the order of their numbers.
    pub(crate) fn new(
        logs: Vec<Arc<LogFile>>,
        from: u64,
        through: u64,
        ranges: bool,
    ) -> Result<Self> {
        let from = from.max(1);
        let mut files = VecDeque::new();
        let mut oldest = through + 1;
        for file in logs.into_iter().rev().filter(|file| file.last_seq() >= file.first_seq) {
            if file.last_seq() + 1 != oldest {
                break;
            }
            oldest = file.first_seq;
            let end = file.end();
            files.push_front((file, end));
        }
        if from < oldest {
            return Err(Error::MergedAway { oldest });
        }
        while files.front().is_some_and(|(file, _)| file.last_seq() < from) {
            files.pop_front();
        }
        let (offset, ready) = (FILE_HEADER_BYTES as u64, VecDeque::new());
        Ok(Self { files, offset, from, through, ranges, ready })
    }

    /// The next write, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<LogEntry>> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Ok(Some(entry));
            }
            let Some((file, end)) = self.files.front().cloned() else { return Ok(None) };
            if !self.read_piece(&file, end)? {
                self.files.pop_front();
                self.offset = FILE_HEADER_BYTES as u64;
            }
        }
    }

    /// Reads a piece of the file; `false` at its end.
    fn read_piece(&mut self, file: &LogFile, end: u64) -> Result<bool> {
        let start = self.offset;
        let mut reader = FrameReader::new(&*file.file, file.id, end).seek(start);
        while reader.offset() < start + PIECE_BYTES {
            let offset = reader.offset();
            let Some((header, entries)) = reader.next_whole(file.name)? else { return Ok(false) };
            if header.stamp.kind != FrameKind::Batch {
                continue;
            }
            let fits = if self.ranges { entries.are_writes() } else { entries.are_records() };
            if !fits {
                return Err(corrupt(file.name, offset, header.frame_len(), Damage::Kind));
            }
            for (seq, entry) in (header.stamp.seq..).zip(entries) {
                if (self.from..=self.through).contains(&seq) {
                    let (time_ms, write) = (header.stamp.time_ms, write_of(&entry));
                    self.ready.push_back(LogEntry { sequence: seq, time_ms, write });
                }
            }
        }
        self.offset = reader.offset();
        Ok(true)
    }
}

fn write_of(entry: &Entry<'_>) -> Write {
    let key = entry.key.to_vec();
    match entry.kind {
        EntryKind::Tombstone => Write::Delete { key },
        EntryKind::RangeTombstone => Write::DeleteRange { from: key, to: entry.value.to_vec() },
        _ => Write::Put { key, value: entry.value.to_vec(), expires_ms: entry.expires_ms },
    }
}
