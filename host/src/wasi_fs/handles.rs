//! What a component has open: the table behind its handles.
//!
//! Called by every operation that gets or gives a handle; calls wasmtime's table.
//! Promise: no more than [`HANDLES_MAX`] handles are out, and a handle that is not out, or is one of
//! something else, ends the component. Never: looks at a disk.

use keelstone::vfs::{Access, File};
use wasmtime::component::Resource;

use super::disk::Disk;
use super::{FsError, FsResult, HANDLES_MAX, WasiFs};
use crate::wasi_fs::bindings::wasi::filesystem::types::ErrorCode;

type Handle = Resource<Descriptor>;

/// An open file or directory of a component.
pub enum Descriptor {
    /// A file.
    File(OpenFile),
    /// A directory.
    Dir(OpenDir),
}

/// A file that a component has open, and the name that it was opened under.
pub struct OpenFile {
    pub(super) file: Box<dyn File>,
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) disk: Disk,
    pub(super) name: String,
}

/// A directory that a component has open: a name below the root of a disk, "" for the root.
#[derive(Clone)]
pub struct OpenDir {
    pub(super) disk: Disk,
    pub(super) name: String,
    pub(super) access: Access,
}

impl WasiFs {
    /// Whether the component may have one more handle.
    pub(super) fn check_room(&self) -> FsResult<()> {
        let full = self.handles >= HANDLES_MAX;
        if full { Err(ErrorCode::InsufficientMemory.into()) } else { Ok(()) }
    }

    /// Gives the component a handle.
    pub(super) fn hand_out<T: Send + 'static>(&mut self, value: T) -> FsResult<Resource<T>> {
        self.check_room()?;
        let handle = self.table.push(value).map_err(FsError::bad_handle)?;
        self.handles += 1;
        Ok(handle)
    }

    /// Takes a handle back.
    pub(super) fn take_back<T: Send + 'static>(
        &mut self,
        handle: Resource<T>,
    ) -> wasmtime::Result<T> {
        let value = self.table.delete(handle)?;
        self.handles -= 1;
        Ok(value)
    }

    /// The file with this handle.
    pub(super) fn file(&self, handle: &Handle) -> FsResult<&OpenFile> {
        match self.table.get(handle).map_err(FsError::bad_handle)? {
            Descriptor::File(file) => Ok(file),
            Descriptor::Dir(_) => Err(ErrorCode::IsDirectory.into()),
        }
    }

    /// The directory with this handle.
    pub(super) fn dir(&self, handle: &Handle) -> FsResult<&OpenDir> {
        match self.table.get(handle).map_err(FsError::bad_handle)? {
            Descriptor::Dir(dir) => Ok(dir),
            Descriptor::File(_) => Err(ErrorCode::NotDirectory.into()),
        }
    }

    /// A directory whose names may be changed.
    pub(super) fn changeable(&self, handle: &Handle) -> FsResult<&OpenDir> {
        let dir = self.dir(handle)?;
        if dir.access == Access::Write { Ok(dir) } else { Err(ErrorCode::ReadOnly.into()) }
    }

    /// What has this handle.
    pub(super) fn descriptor(&self, handle: &Handle) -> FsResult<&Descriptor> {
        self.table.get(handle).map_err(FsError::bad_handle)
    }
}

impl OpenFile {
    /// The file, if it was opened for reading.
    pub(super) fn readable(&self) -> FsResult<&dyn File> {
        if self.readable { Ok(&*self.file) } else { Err(ErrorCode::NotPermitted.into()) }
    }

    /// The file, if it was opened for writing.
    pub(super) fn changeable(&self) -> FsResult<&dyn File> {
        if self.writable { Ok(&*self.file) } else { Err(ErrorCode::ReadOnly.into()) }
    }
}
