//! wasi:filesystem/types: files and directories of a component.
//!
//! Called through wasmtime by components; calls the disk, through `open.rs` where names are looked
//! up. Promise: each method is one operation that can be stopped; reading and writing find the file
//! by its handle and look at no name. Never: links, streams, times.

use keelstone::vfs::{Access, SyncMode};
use wasmtime::component::Resource;

use super::open::{look, not_a_file, open, stat};
use super::path::resolve;
use super::{Descriptor, FsError, FsResult, Listing, OpenDir, OpenFile, READ_BYTES_MAX, WasiFs};
use crate::wasi_fs::bindings::wasi::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};
use crate::wasi_fs::bindings::wasi::io::streams::{InputStream, OutputStream};

type Handle = Resource<Descriptor>;

impl WasiFs {
    fn unsupported<T>(&mut self) -> FsResult<T> {
        self.operation(|_, _| Err(ErrorCode::Unsupported.into()))
    }
}

impl types::HostDescriptor for WasiFs {
    fn read(&mut self, fd: Handle, length: u64, offset: u64) -> FsResult<(Vec<u8>, bool)> {
        self.operation(|fs, _| {
            let file = fs.file(&fd)?.readable()?;
            let wanted = usize::try_from(length.min(READ_BYTES_MAX)).unwrap_or(0);
            let mut bytes = vec![0; wanted];
            let count = file.read_at(&mut bytes, offset)?;
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
            Descriptor::Dir(dir) => Ok(dir.disk.sync_dir(&dir.name)?),
        })
    }

    fn sync(&mut self, fd: Handle) -> FsResult<()> {
        self.operation(|fs, _| match fs.descriptor(&fd)? {
            Descriptor::File(file) => Ok(file.changeable()?.sync(SyncMode::All)?),
            Descriptor::Dir(dir) => Ok(dir.disk.sync_dir(&dir.name)?),
        })
    }

    fn set_size(&mut self, fd: Handle, size: u64) -> FsResult<()> {
        self.operation(|fs, _| Ok(fs.file(&fd)?.changeable()?.set_len(size)?))
    }

    fn get_flags(&mut self, fd: Handle) -> FsResult<DescriptorFlags> {
        self.operation(|fs, _| {
            Ok(match fs.descriptor(&fd)? {
                Descriptor::File(OpenFile { readable: false, .. }) => DescriptorFlags::WRITE,
                Descriptor::File(OpenFile { writable: true, .. }) => {
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
            look(&dir.disk, &resolve(dir, &path)?)
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
            // Why first: what cannot be handed out must not have been created or emptied.
            fs.check_room()?;
            let descriptor = open(dir, resolve(dir, &path)?, how, flags)?;
            fs.hand_out(descriptor)
        })
    }

    fn create_directory_at(&mut self, fd: Handle, path: String) -> FsResult<()> {
        self.operation(|fs, _| {
            let dir = fs.changeable(&fd)?;
            let name = resolve(dir, &path)?;
            if name.is_empty() {
                return Err(ErrorCode::Exist.into());
            }
            Ok(dir.disk.create_dir(&name)?)
        })
    }

    fn unlink_file_at(&mut self, fd: Handle, path: String) -> FsResult<()> {
        self.operation(|fs, _| {
            let dir = fs.changeable(&fd)?;
            let name = resolve(dir, &path)?;
            dir.disk.remove(&name).map_err(|error| not_a_file(&dir.disk, &[&name], error))
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
            if !from.disk.is(&to.disk) {
                return Err(ErrorCode::CrossDevice.into());
            }
            let renamed = from.disk.rename(&old, &new);
            renamed.map_err(|error| not_a_file(&from.disk, &[&old, &new], error))
        })
    }

    fn read_directory(&mut self, fd: Handle) -> FsResult<Resource<Listing>> {
        self.operation(|fs, _| {
            let dir = fs.dir(&fd)?;
            fs.check_room()?;
            let names = dir.disk.list(&dir.name)?;
            fs.hand_out_listing(names)
        })
    }

    fn is_same_object(&mut self, fd: Handle, other: Handle) -> wasmtime::Result<bool> {
        let same = self.operation(|fs, _| {
            Ok(match (fs.descriptor(&fd)?, fs.descriptor(&other)?) {
                (Descriptor::File(one), Descriptor::File(two)) => {
                    one.disk.is(&two.disk) && one.name == two.name
                }
                (Descriptor::Dir(one), Descriptor::Dir(two)) => {
                    one.disk.is(&two.disk) && one.name == two.name
                }
                _ => false,
            })
        });
        same.map_err(FsError::into_trap)
    }

    fn metadata_hash(&mut self, fd: Handle) -> FsResult<MetadataHashValue> {
        self.operation(|fs, _| {
            Ok(match fs.descriptor(&fd)? {
                Descriptor::File(file) => file.disk.hash(&file.name),
                Descriptor::Dir(dir) => dir.disk.hash(&dir.name),
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
            look(&dir.disk, &name)?;
            Ok(dir.disk.hash(&name))
        })
    }

    fn advise(&mut self, fd: Handle, _: u64, _: u64, _: Advice) -> FsResult<()> {
        self.operation(|fs, _| fs.descriptor(&fd).map(|_| ()))
    }

    fn read_via_stream(&mut self, _: Handle, _: u64) -> FsResult<Resource<InputStream>> {
        self.unsupported()
    }

    fn write_via_stream(&mut self, _: Handle, _: u64) -> FsResult<Resource<OutputStream>> {
        self.unsupported()
    }

    fn append_via_stream(&mut self, _: Handle) -> FsResult<Resource<OutputStream>> {
        self.unsupported()
    }

    fn set_times(&mut self, _: Handle, _: NewTimestamp, _: NewTimestamp) -> FsResult<()> {
        self.unsupported()
    }

    fn set_times_at(
        &mut self,
        _: Handle,
        _: PathFlags,
        _: String,
        _: NewTimestamp,
        _: NewTimestamp,
    ) -> FsResult<()> {
        self.unsupported()
    }

    fn link_at(
        &mut self,
        _: Handle,
        _: PathFlags,
        _: String,
        _: Handle,
        _: String,
    ) -> FsResult<()> {
        self.unsupported()
    }

    fn readlink_at(&mut self, _: Handle, _: String) -> FsResult<String> {
        self.unsupported()
    }

    fn symlink_at(&mut self, _: Handle, _: String, _: String) -> FsResult<()> {
        self.unsupported()
    }

    fn remove_directory_at(&mut self, _: Handle, _: String) -> FsResult<()> {
        self.unsupported()
    }

    fn drop(&mut self, fd: Handle) -> wasmtime::Result<()> {
        self.take_back(fd).map(|_| ())
    }
}
