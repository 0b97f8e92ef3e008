//! A file of any `Vfs` as the storage that redb asks for.
//!
//! Called by redb; calls `Vfs` and `File`. The two releases have the same trait twice, so a macro implements both.
//! Promise: what redb asks of a disk is asked of the file, nothing more and nothing less.
//! Never: buffers, retries, or syncs what redb did not ask to sync.

use std::io::{Error, ErrorKind};

use keelstone::vfs::{self, Access, File, Kind, SyncMode, Vfs};

/// One open file, given to redb.
pub struct Storage {
    file: Box<dyn File>,
}

impl Storage {
    /// Opens the file `name` in the root, or makes it there; the name of a new file is durable on return, as redb, which
    /// knows no directories, leaves it to whoever calls.
    pub fn open(disk: &dyn Vfs, name: &str) -> vfs::Result<Self> {
        let file = match disk.open(name, Access::Write) {
            Err(error) if error.kind == Kind::NotFound => {
                let file = disk.create(name)?;
                disk.sync_dir("")?;
                file
            }
            opened => opened?,
        };
        Ok(Self { file })
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Storage")
    }
}

/// Errors of the disk as redb passes them on.
fn foreign(error: vfs::Error) -> Error {
    let kind = if error.kind == Kind::NoSpace { ErrorKind::StorageFull } else { ErrorKind::Other };
    Error::new(kind, error)
}

macro_rules! storage_backend {
    ($release:ident) => {
        impl ::$release::StorageBackend for Storage {
            fn len(&self) -> Result<u64, Error> {
                self.file.len().map_err(foreign)
            }

            fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
                let count = self.file.read_at(out, offset).map_err(foreign)?;
                if count == out.len() { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
            }

            fn set_len(&self, len: u64) -> Result<(), Error> {
                self.file.set_len(len).map_err(foreign)
            }

            // Why All: the name is that of `fdatasync`, and that makes a length durable which the bytes need to be
            // found; `SyncMode::Data` promises the bytes within the old length only (V15). With Data every release
            // would lose what it wrote beyond, and the fault would be this file's.
            fn sync_data(&self) -> Result<(), Error> {
                self.file.sync(SyncMode::All).map_err(foreign)
            }

            fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
                self.file.write_at(data, offset).map_err(foreign)
            }
        }
    };
}

storage_backend!(redb);
storage_backend!(redb_with_bug);
