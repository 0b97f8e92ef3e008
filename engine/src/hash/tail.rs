//! Reading the log from a sequence on: for followers.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Store;
use super::files::DataFile;
use super::frames::next_ours;
use crate::batch::Write;
use crate::error::{Error, Result};
use crate::log::FrameReader;
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
    files: VecDeque<(Arc<DataFile>, u64)>,
    offset: u64,
    from: u64,
    through: u64,
    ready: VecDeque<LogEntry>,
}

impl Store {
    /// The writes from sequence `from` on.
    pub(crate) fn log_from(&self, from: u64) -> Result<LogWalk> {
        self.check_open()?;
        let from = from.max(1);
        let writer = self.writer.lock();
        let through = writer.next_seq - 1;
        let mut logs: Vec<_> = self.files.live();
        logs.retain(|file| file.is_log() && file.last_seq() >= file.first_seq);
        drop(writer);
        let mut files = VecDeque::new();
        let mut oldest = through + 1;
        for file in logs.into_iter().rev() {
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
        Ok(LogWalk { files, offset, from, through, ready })
    }
}

impl LogWalk {
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
    fn read_piece(&mut self, file: &DataFile, end: u64) -> Result<bool> {
        let start = self.offset;
        let mut reader = FrameReader::new(&*file.file, file.id, end).seek(start);
        while reader.offset() < start + PIECE_BYTES {
            let Some((header, entries)) = next_ours(&mut reader, file.name)? else {
                return Ok(false);
            };
            if header.stamp.kind != FrameKind::Batch {
                continue;
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
        _ => Write::Put { key, value: entry.value.to_vec(), expires_ms: entry.expires_ms },
    }
}
