//! What an operating system knows of a recorded run at a moment: files and names as everybody sees them, as they were
//! last synced, and what was written since.
//!
//! Called by the trial, which tells it what happened, and by the models. There are no directories below the root: the
//! recorded programs make none. Never: decides what a crash leaves.

use std::collections::BTreeMap;

use keelstone::vfs::{Happened, Image};

use crate::index;

/// Names, each with the number of its file.
pub type Names = BTreeMap<String, u64>;

/// All files and names.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    /// The names as everybody sees them.
    pub names: Names,
    /// The names at the last sync of the directory.
    pub synced_names: Names,
    files: BTreeMap<u64, CachedFile>,
}

/// One file.
#[derive(Clone, Debug, Default)]
pub struct CachedFile {
    /// The bytes as everybody reads them.
    pub current: Vec<u8>,
    /// The bytes at the last sync.
    pub synced: Vec<u8>,
    /// Whether there was a sync.
    pub was_synced: bool,
    /// What changed since, in order.
    pub pending: Vec<Change>,
}

/// One change of a file.
#[derive(Clone, Debug)]
pub enum Change {
    /// These bytes were written from here on.
    Write(usize, Vec<u8>),
    /// The file got this length.
    Length(usize),
}

impl Cache {
    /// Lets something happen.
    ///
    /// # Panics
    /// If a directory is made or a file is unknown.
    pub fn take(&mut self, happened: &Happened<'_>) {
        match *happened {
            Happened::Create { name, file } => {
                self.names.insert(name.into(), file);
                self.files.insert(file, CachedFile::default());
            }
            Happened::CreateDir { name } => panic!("a directory: {name}"),
            Happened::Rename { from, to } => {
                let file = self.names.remove(from).expect("a rename of a name");
                self.names.insert(to.into(), file);
            }
            Happened::Remove { name } => drop(self.names.remove(name)),
            Happened::SyncDir { .. } => self.synced_names.clone_from(&self.names),
            Happened::Write { file, offset, bytes } => {
                self.change(file, Change::Write(index(offset), bytes.to_vec()));
            }
            Happened::SetLen { file, len } => self.change(file, Change::Length(index(len))),
            Happened::Allocate { file, len } => {
                if index(len) > self.file(file).current.len() {
                    self.change(file, Change::Length(index(len)));
                }
            }
            Happened::Sync { file, .. } => {
                let file = self.file_mut(file);
                file.synced.clone_from(&file.current);
                file.was_synced = true;
                file.pending.clear();
            }
        }
    }

    /// The file with this number.
    ///
    /// # Panics
    /// If there was never one.
    #[must_use]
    pub fn file(&self, file: u64) -> &CachedFile {
        self.files.get(&file).expect("a file that was created")
    }

    fn file_mut(&mut self, file: u64) -> &mut CachedFile {
        self.files.get_mut(&file).expect("a file that was created")
    }

    fn change(&mut self, file: u64, change: Change) {
        let file = self.file_mut(file);
        change.apply(&mut file.current);
        file.pending.push(change);
    }

    /// These names with the bytes that `content` gives their files.
    pub fn image(&self, names: &Names, mut content: impl FnMut(&CachedFile) -> Vec<u8>) -> Image {
        let entry = |(name, file): (&String, &u64)| (name.clone(), content(self.file(*file)));
        names.iter().map(entry).collect()
    }
}

impl CachedFile {
    /// The synced bytes and over them the first `n` bytes that were written since, and the lengths between.
    #[must_use]
    pub fn with_first(&self, mut n: usize) -> Vec<u8> {
        let mut row = self.synced.clone();
        for change in &self.pending {
            if n == 0 {
                break;
            }
            match change {
                Change::Write(at, bytes) => {
                    let kept = n.min(bytes.len());
                    lay(&mut row, *at, &bytes[..kept]);
                    n -= kept;
                }
                Change::Length(_) => change.apply(&mut row),
            }
        }
        row
    }

    /// How many bytes were written since the last sync.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        let bytes =
            |change: &Change| if let Change::Write(_, bytes) = change { bytes.len() } else { 0 };
        self.pending.iter().map(bytes).sum()
    }
}

impl Change {
    /// Makes the change.
    pub fn apply(&self, row: &mut Vec<u8>) {
        match self {
            Self::Write(at, bytes) => lay(row, *at, bytes),
            Self::Length(len) => row.resize(*len, 0),
        }
    }
}

/// Writes bytes into a row of bytes, with zeros before them if it is too short.
pub fn lay(row: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let end = at + bytes.len();
    if row.len() < end {
        row.resize(end, 0);
    }
    row[at..end].copy_from_slice(bytes);
}
