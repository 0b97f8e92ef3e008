//! wasi:filesystem/types: files and directories of a component.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use keelstone::vfs::{Access, File, Kind, SyncMode, Vfs};
use wasmtime::component::Resource;

use super::path::resolve;
use super::{Descriptor, FsError, Listing, OpenDir, OpenFile, READ_BYTES_MAX, WasiFs};
use crate::bindings::wasi::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode,
    MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream};

type FsResult<T> = Result<T, FsError>;
type Handle = Resource<Descriptor>;

impl WasiFs {
    fn file(&self, handle: &Handle) -> FsResult<&OpenFile> {
        match self.table.get(handle).map_err(|error| FsError::Trap(error.into()))? {
            Descriptor::File(file) => Ok(file),
            Descriptor::Dir(_) => Err(ErrorCode::IsDirectory.into()),
        }
    }

    fn dir(&self, handle: &Handle) -> FsResult<&OpenDir> {
        match self.table.get(handle).map_err(|error| FsError::Trap(error.into()))? {
            Descriptor::Dir(dir) => Ok(dir),
            Descriptor::File(_) => Err(ErrorCode::NotDirectory.into()),
        }
    }

    /// A directory whose names may be changed.
    fn changeable(&self, handle: &Handle) -> FsResult<&OpenDir> {
        let dir = self.dir(handle)?;
        if dir.access == Access::Write { Ok(dir) } else { Err(ErrorCode::ReadOnly.into()) }
    }

    fn descriptor(&self, handle: &Handle) -> FsResult<&Descriptor> {
        self.table.get(handle).map_err(|error| FsError::Trap(error.into()))
    }
}

impl OpenFile {
    fn changeable(&self) -> FsResult<&dyn File> {
        if self.access == Access::Write { Ok(&*self.file) } else { Err(ErrorCode::ReadOnly.into()) }
    }
}

/// What stands under a name. A disk has no such operation: a file can be opened, a directory listed.
fn look(vfs: &dyn Vfs, name: &str) -> FsResult<DescriptorStat> {
    if name.is_empty() {
        return Ok(stat(DescriptorType::Directory, 0));
    }
    match vfs.open(name, Access::Read) {
        Ok(file) => Ok(stat(DescriptorType::RegularFile, file.len()?)),
        Err(error) if error.kind == Kind::BadName && vfs.list(name).is_ok() => {
            Ok(stat(DescriptorType::Directory, 0))
        }
        Err(error) => Err(error.into()),
    }
}

const fn stat(type_: DescriptorType, size: u64) -> DescriptorStat {
    DescriptorStat {
        type_,
        link_count: 1,
        size,
        data_access_timestamp: None,
        data_modification_timestamp: None,
        status_change_timestamp: None,
    }
}

/// The same name gives the same number, in every process.
fn name_hash(name: &str) -> MetadataHashValue {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        (seed, name).hash(&mut hasher);
        hasher.finish()
    };
    MetadataHashValue { lower: half(0), upper: half(1) }
}

fn open(
    dir: &OpenDir,
    name: String,
    how: OpenFlags,
    flags: DescriptorFlags,
) -> FsResult<Descriptor> {
    let access = if flags.contains(DescriptorFlags::WRITE) { Access::Write } else { Access::Read };
    let changes = how.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE);
    if (access == Access::Write || changes) && dir.access == Access::Read {
        return Err(ErrorCode::ReadOnly.into());
    }
    let vfs = &dir.vfs;
    let as_dir = |name| {
        if access == Access::Write || how.contains(OpenFlags::CREATE) {
            return Err(ErrorCode::IsDirectory.into());
        }
        Ok(Descriptor::Dir(OpenDir { vfs: Arc::clone(vfs), name, access: dir.access }))
    };
    if name.is_empty() {
        return as_dir(name);
    }
    if how.contains(OpenFlags::DIRECTORY) {
        return match look(&**vfs, &name)?.type_ {
            DescriptorType::Directory => as_dir(name),
            _ => Err(ErrorCode::NotDirectory.into()),
        };
    }
    let existing = || vfs.open(&name, access);
    let opened = if how.contains(OpenFlags::CREATE | OpenFlags::EXCLUSIVE) {
        vfs.create(&name)
    } else if how.contains(OpenFlags::CREATE) {
        match existing() {
            Err(error) if error.kind == Kind::NotFound => vfs.create(&name),
            other => other,
        }
    } else {
        existing()
    };
    let file = match opened {
        Err(error) if error.kind == Kind::BadName && vfs.list(&name).is_ok() => {
            return as_dir(name);
        }
        other => other?,
    };
    if how.contains(OpenFlags::TRUNCATE) {
        if access == Access::Read {
            return Err(ErrorCode::Invalid.into());
        }
        file.set_len(0)?;
    }
    Ok(Descriptor::File(OpenFile { file, access, vfs: Arc::clone(vfs), name }))
}

impl types::HostDescriptor for WasiFs {
    fn read(&mut self, fd: Handle, length: u64, offset: u64) -> FsResult<(Vec<u8>, bool)> {
        self.operation(|fs, _| {
            let file = fs.file(&fd)?;
            let wanted = usize::try_from(length.min(READ_BYTES_MAX)).unwrap_or(0);
            let mut bytes = vec![0; wanted];
            let count = file.file.read_at(&mut bytes, offset)?;
            bytes.truncate(count);
            Ok((bytes, count < wanted))
        })
    }

    fn write(&mut self, fd: Handle, buffer: Vec<u8>, offset: u64) -> FsResult<u64> {
        self.operation(|fs, middle| {
            let file = fs.file(&fd)?.changeable()?;
            let part = if middle { &buffer[..buffer.len() / 2] } else { &buffer[..] };
            file.write_at(part, offset)?;
            Ok(part.len() as u64)
        })
    }

    fn sync_data(&mut self, fd: Handle) -> FsResult<()> {
        self.operation(|fs, _| match fs.descriptor(&fd)? {
            Descriptor::File(file) => Ok(file.changeable()?.sync(SyncMode::Data)?),
            Descriptor::Dir(dir) => Ok(dir.vfs.sync_dir(&dir.name)?),
        })
    }

    fn sync(&mut self, fd: Handle) -> FsResult<()> {
        self.operation(|fs, _| match fs.descriptor(&fd)? {
            Descriptor::File(file) => Ok(file.changeable()?.sync(SyncMode::All)?),
            Descriptor::Dir(dir) => Ok(dir.vfs.sync_dir(&dir.name)?),
        })
    }

    fn set_size(&mut self, fd: Handle, size: u64) -> FsResult<()> {
        self.operation(|fs, _| Ok(fs.file(&fd)?.changeable()?.set_len(size)?))
    }

    fn get_flags(&mut self, fd: Handle) -> FsResult<DescriptorFlags> {
        self.operation(|fs, _| {
            Ok(match fs.descriptor(&fd)? {
                Descriptor::File(OpenFile { access: Access::Write, .. }) => {
                    DescriptorFlags::READ | DescriptorFlags::WRITE
                }
                Descriptor::Dir(OpenDir { access: Access::Write, .. }) => {
                    DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY
                }
                _ => DescriptorFlags::READ,
            })
        })
    }

    fn get_type(&mut self, fd: Handle) -> FsResult<DescriptorType> {
        self.operation(|fs, _| {
            Ok(match fs.descriptor(&fd)? {
                Descriptor::File(_) => DescriptorType::RegularFile,
                Descriptor::Dir(_) => DescriptorType::Directory,
            })
        })
    }

    fn stat(&mut self, fd: Handle) -> FsResult<DescriptorStat> {
        self.operation(|fs, _| match fs.descriptor(&fd)? {
            Descriptor::File(file) => Ok(stat(DescriptorType::RegularFile, file.file.len()?)),
            Descriptor::Dir(_) => Ok(stat(DescriptorType::Directory, 0)),
        })
    }

    fn stat_at(&mut self, fd: Handle, _: PathFlags, path: String) -> FsResult<DescriptorStat> {
        self.operation(|fs, _| {
            let dir = fs.dir(&fd)?;
            look(&*dir.vfs, &resolve(dir, &path)?)
        })
    }

    fn open_at(
        &mut self,
        fd: Handle,
        _: PathFlags,
        path: String,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Handle> {
        self.operation(|fs, _| {
            let dir = fs.dir(&fd)?;
            let descriptor = open(dir, resolve(dir, &path)?, how, flags)?;
            fs.hand_out(descriptor)
        })
    }

    fn create_directory_at(&mut self, fd: Handle, path: String) -> FsResult<()> {
        self.operation(|fs, _| {
            let dir = fs.changeable(&fd)?;
            Ok(dir.vfs.create_dir(&resolve(dir, &path)?)?)
        })
    }

    fn unlink_file_at(&mut self, fd: Handle, path: String) -> FsResult<()> {
        self.operation(|fs, _| {
            let dir = fs.changeable(&fd)?;
            Ok(dir.vfs.remove(&resolve(dir, &path)?)?)
        })
    }

    fn rename_at(
        &mut self,
        fd: Handle,
        old_path: String,
        new_fd: Handle,
        new_path: String,
    ) -> FsResult<()> {
        self.operation(|fs, _| {
            let (from, to) = (fs.changeable(&fd)?, fs.changeable(&new_fd)?);
            let (old, new) = (resolve(from, &old_path)?, resolve(to, &new_path)?);
            if !Arc::ptr_eq(&from.vfs, &to.vfs) {
                return Err(ErrorCode::CrossDevice.into());
            }
            Ok(from.vfs.rename(&old, &new)?)
        })
    }

    fn read_directory(&mut self, fd: Handle) -> FsResult<Resource<Listing>> {
        self.operation(|fs, _| {
            let dir = fs.dir(&fd)?;
            let mut names = dir.vfs.list(&dir.name)?;
            names.reverse();
            fs.hand_out(Listing { names })
        })
    }

    fn is_same_object(&mut self, fd: Handle, other: Handle) -> wasmtime::Result<bool> {
        let same = self.operation(|fs, _| {
            Ok(match (fs.descriptor(&fd)?, fs.descriptor(&other)?) {
                (Descriptor::File(one), Descriptor::File(two)) => {
                    Arc::ptr_eq(&one.vfs, &two.vfs) && one.name == two.name
                }
                (Descriptor::Dir(one), Descriptor::Dir(two)) => {
                    Arc::ptr_eq(&one.vfs, &two.vfs) && one.name == two.name
                }
                _ => false,
            })
        });
        same.map_err(FsError::into_trap)
    }

    fn metadata_hash(&mut self, fd: Handle) -> FsResult<MetadataHashValue> {
        self.operation(|fs, _| {
            Ok(match fs.descriptor(&fd)? {
                Descriptor::File(file) => name_hash(&file.name),
                Descriptor::Dir(dir) => name_hash(&dir.name),
            })
        })
    }

    fn metadata_hash_at(
        &mut self,
        fd: Handle,
        _: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        self.operation(|fs, _| {
            let dir = fs.dir(&fd)?;
            let name = resolve(dir, &path)?;
            look(&*dir.vfs, &name)?;
            Ok(name_hash(&name))
        })
    }

    fn advise(&mut self, _: Handle, _: u64, _: u64, _: Advice) -> FsResult<()> {
        Ok(())
    }

    fn read_via_stream(&mut self, _: Handle, _: u64) -> FsResult<Resource<InputStream>> {
        Err(ErrorCode::Unsupported.into())
    }

    fn write_via_stream(&mut self, _: Handle, _: u64) -> FsResult<Resource<OutputStream>> {
        Err(ErrorCode::Unsupported.into())
    }

    fn append_via_stream(&mut self, _: Handle) -> FsResult<Resource<OutputStream>> {
        Err(ErrorCode::Unsupported.into())
    }

    fn set_times(&mut self, _: Handle, _: NewTimestamp, _: NewTimestamp) -> FsResult<()> {
        Err(ErrorCode::Unsupported.into())
    }

    fn set_times_at(
        &mut self,
        _: Handle,
        _: PathFlags,
        _: String,
        _: NewTimestamp,
        _: NewTimestamp,
    ) -> FsResult<()> {
        Err(ErrorCode::Unsupported.into())
    }

    fn link_at(
        &mut self,
        _: Handle,
        _: PathFlags,
        _: String,
        _: Handle,
        _: String,
    ) -> FsResult<()> {
        Err(ErrorCode::Unsupported.into())
    }

    fn readlink_at(&mut self, _: Handle, _: String) -> FsResult<String> {
        Err(ErrorCode::Unsupported.into())
    }

    fn symlink_at(&mut self, _: Handle, _: String, _: String) -> FsResult<()> {
        Err(ErrorCode::Unsupported.into())
    }

    fn remove_directory_at(&mut self, _: Handle, _: String) -> FsResult<()> {
        Err(ErrorCode::Unsupported.into())
    }

    fn drop(&mut self, fd: Handle) -> wasmtime::Result<()> {
        self.take_back(fd)
    }
}

impl types::HostDirectoryEntryStream for WasiFs {
    fn read_directory_entry(
        &mut self,
        listing: Resource<Listing>,
    ) -> FsResult<Option<DirectoryEntry>> {
        self.operation(|fs, _| {
            let listing =
                fs.table.get_mut(&listing).map_err(|error| FsError::Trap(error.into()))?;
            let name = listing.names.pop();
            Ok(name.map(|name| DirectoryEntry { type_: DescriptorType::Unknown, name }))
        })
    }

    fn drop(&mut self, listing: Resource<Listing>) -> wasmtime::Result<()> {
        self.take_back(listing)
    }
}

impl types::Host for WasiFs {
    fn filesystem_error_code(
        &mut self,
        _: Resource<crate::bindings::wasi::io::error::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        Ok(None)
    }

    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        match error {
            FsError::Code(code) => Ok(code),
            FsError::Trap(trap) => Err(trap),
        }
    }
}
