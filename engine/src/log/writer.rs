//! Appends frames to one file and hands out tickets for its sync.

use alloc::boxed::Box;
use alloc::sync::Arc;

use keelstone_vfs::{File, Kind, SyncMode, Vfs};

use crate::codec::FileId;
use crate::error::{Error, FileName, Result};
use crate::record::{FILE_HEADER_BYTES, FileHeader};

/// The smallest and the largest piece of space that is reserved ahead, in bytes.
const AHEAD_MIN: u64 = 64 << 10;
const AHEAD_MAX: u64 = 4 << 20;

/// The end of a file of frames.
pub(crate) struct LogWriter {
    file: Arc<dyn File>,
    name: FileName,
    id: FileId,
    /// Where the next frame goes.
    end: u64,
    /// The length of the file; zeros from `end` on.
    len: u64,
    /// The length that is durable.
    len_synced: u64,
    /// Space is reserved ahead up to this length; 0: never.
    ahead_max: u64,
}

/// What to sync so that everything appended so far is durable; it needs no lock of the store.
#[derive(Clone)]
pub(crate) struct Ticket {
    pub(crate) file: Arc<dyn File>,
    mode: SyncMode,
    len: u64,
}

impl Ticket {
    /// The same without the length of the file: only a test that breaks the engine on purpose does that.
    pub(crate) const fn without_length(mut self) -> Self {
        self.mode = SyncMode::Data;
        self
    }

    /// Syncs. A failure is final: the file is never synced again.
    pub(crate) fn sync(&self) -> Result<()> {
        Ok(self.file.sync(self.mode)?)
    }
}

/// Creates a file with its header in it and makes its bytes durable; its name needs a sync of the directory.
fn create_file(vfs: &dyn Vfs, name: FileName, header: &FileHeader) -> Result<Box<dyn File>> {
    let text = alloc::format!("{name}");
    let file = vfs.create(&text)?;
    if let Err(error) = file.write_at(&header.encode(), 0) {
        // Why: on a full disk every byte counts; what cannot be removed now is removed at the next open.
        let _left_for_open = vfs.remove(&text);
        return Err(error.into());
    }
    Ok(file)
}

impl LogWriter {
    /// Creates the file with its header. Nothing is synced yet.
    pub(crate) fn create(
        vfs: &dyn Vfs,
        name: FileName,
        header: &FileHeader,
        ahead_max: u64,
    ) -> Result<Self> {
        let file: Arc<dyn File> = Arc::from(create_file(vfs, name, header)?);
        let end = FILE_HEADER_BYTES as u64;
        let mut writer =
            Self { file, name, id: header.id(), end, len: end, len_synced: 0, ahead_max };
        writer.reserve(end)?;
        Ok(writer)
    }

    /// Goes on at `end` of a file of `len` bytes which recovery has read and synced.
    pub(crate) fn resume(
        file: Arc<dyn File>,
        name: FileName,
        id: FileId,
        end: u64,
        len: u64,
        ahead_max: u64,
    ) -> Self {
        Self { file, name, id, end, len, len_synced: len, ahead_max }
    }

    pub(crate) const fn name(&self) -> FileName {
        self.name
    }

    pub(crate) const fn id(&self) -> FileId {
        self.id
    }

    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    pub(crate) const fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// Writes a frame that was built for this file and this end.
    ///
    /// # Errors
    /// After one, the bytes behind `end` are unknown: the file must be ended there and never written again.
    pub(crate) fn append(&mut self, frame: &[u8]) -> Result<u64> {
        let offset = self.end;
        let end = offset + frame.len() as u64;
        self.reserve(end)?;
        self.file.write_at(frame, offset)?;
        self.end = end;
        self.len = self.len.max(end);
        Ok(offset)
    }

    /// Leaves a gap of `bytes`: only a test that breaks the engine on purpose does that.
    pub(crate) fn skip(&mut self, bytes: u64) {
        self.end += bytes;
        self.len = self.len.max(self.end);
    }

    /// Reserves space ahead, so that a sync need not write the length: nothing but speed depends on it.
    fn reserve(&mut self, end: u64) -> Result<()> {
        if end <= self.len || self.ahead_max <= end {
            return Ok(());
        }
        let ahead = end.clamp(AHEAD_MIN, AHEAD_MAX);
        let target = (end + ahead).min(self.ahead_max);
        match self.file.allocate(self.len, target - self.len) {
            Ok(()) => self.len = target,
            // Why: a full disk or a backend without it is no failure, the write itself will tell.
            Err(error) if matches!(error.kind, Kind::NoSpace | Kind::Unsupported) => {
                self.ahead_max = 0;
            }
            Err(error) => return Err(Error::from(error)),
        }
        Ok(())
    }

    /// What to sync for everything appended so far.
    pub(crate) fn ticket(&self) -> Ticket {
        let mode = if self.len > self.len_synced { SyncMode::All } else { SyncMode::Data };
        Ticket { file: Arc::clone(&self.file), mode, len: self.len }
    }

    /// A ticket's sync succeeded.
    pub(crate) fn synced(&mut self, ticket: &Ticket) {
        self.len_synced = self.len_synced.max(ticket.len);
    }

    /// Gives reserved space behind the end back, because nothing will be appended any more.
    pub(crate) fn trim(&mut self) -> Result<()> {
        if self.len > self.end {
            self.file.set_len(self.end)?;
            self.len = self.end;
            // Why: a shorter length is a change of length too.
            self.len_synced = 0;
        }
        Ok(())
    }
}
