//! What stands under a name, and opening it: a disk can only open a file and list a directory.
//!
//! Called by `descriptor.rs` with names that `path.rs` has checked; calls the disk.
//! Promise: a descriptor may do no more than the directory it was opened in; what is refused for its
//! flags has changed nothing. Never: gives out handles.

use keelstone::vfs::{Access, Error, File, Kind};

use super::disk::Disk;
use super::{Descriptor, FsError, FsResult, OpenDir, OpenFile};
use crate::wasi_fs::bindings::wasi::filesystem::types::{
    DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, OpenFlags,
};

/// Opens, creates or empties what stands under `name`.
pub(super) fn open(
    dir: &OpenDir,
    name: String,
    how: OpenFlags,
    flags: DescriptorFlags,
) -> FsResult<Descriptor> {
    check_flags(dir, how, flags)?;
    if name.is_empty() {
        return open_dir(dir, name, how, flags);
    }
    if how.contains(OpenFlags::DIRECTORY) {
        return match dir.disk.list(&name) {
            Ok(_) => open_dir(dir, name, how, flags),
            Err(error) if error.kind == Kind::BadName => Err(ErrorCode::NotDirectory.into()),
            Err(error) => Err(error.into()),
        };
    }
    let writable = flags.contains(DescriptorFlags::WRITE);
    // Why: one that is to do nothing reads, as with wasmtime's own host.
    let readable = flags.contains(DescriptorFlags::READ) || !writable;
    match open_file(&dir.disk, &name, how, writable) {
        Ok(file) => {
            let disk = dir.disk.clone();
            Ok(Descriptor::File(OpenFile { file, readable, writable, disk, name }))
        }
        Err(error) if error.kind == Kind::BadName && is_dir(&dir.disk, &name) => {
            open_dir(dir, name, how, flags)
        }
        Err(error) => Err(error.into()),
    }
}

/// What can be refused before anything is touched.
fn check_flags(dir: &OpenDir, how: OpenFlags, flags: DescriptorFlags) -> FsResult<()> {
    let changes = OpenFlags::CREATE | OpenFlags::TRUNCATE;
    let may_change = DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY;
    let each_write_synced = DescriptorFlags::FILE_INTEGRITY_SYNC
        | DescriptorFlags::DATA_INTEGRITY_SYNC
        | DescriptorFlags::REQUESTED_WRITE_SYNC;
    if flags.intersects(each_write_synced) {
        // Why not passed over: who asks for it relies on it.
        return Err(ErrorCode::Unsupported.into());
    }
    if how.contains(OpenFlags::DIRECTORY) && how.intersects(changes | OpenFlags::EXCLUSIVE) {
        return Err(ErrorCode::Invalid.into());
    }
    if (how.intersects(changes) || flags.intersects(may_change)) && dir.access == Access::Read {
        return Err(ErrorCode::ReadOnly.into());
    }
    Ok(())
}

/// A descriptor of the directory `name`, which exists.
fn open_dir(
    dir: &OpenDir,
    name: String,
    how: OpenFlags,
    flags: DescriptorFlags,
) -> FsResult<Descriptor> {
    let as_file = flags.contains(DescriptorFlags::WRITE)
        || how.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE);
    if as_file {
        return Err(ErrorCode::IsDirectory.into());
    }
    // Why not by `mutate-directory`: in wasmtime's own host too a directory may do what the one
    // above it may, and components rely on it.
    Ok(Descriptor::Dir(OpenDir { disk: dir.disk.clone(), name, access: dir.access }))
}

fn open_file(
    disk: &Disk,
    name: &str,
    how: OpenFlags,
    writable: bool,
) -> Result<Box<dyn File>, Error> {
    if how.contains(OpenFlags::CREATE | OpenFlags::EXCLUSIVE) {
        return disk.create(name);
    }
    let empties = how.contains(OpenFlags::TRUNCATE);
    let access = if writable || empties { Access::Write } else { Access::Read };
    let file = match disk.open(name, access) {
        Err(error) if error.kind == Kind::NotFound && how.contains(OpenFlags::CREATE) => {
            return disk.create(name);
        }
        opened => opened?,
    };
    if empties {
        file.set_len(0)?;
    }
    Ok(file)
}

/// What stands under `name`.
pub(super) fn look(disk: &Disk, name: &str) -> FsResult<DescriptorStat> {
    if name.is_empty() {
        return Ok(stat(DescriptorType::Directory, 0));
    }
    match disk.open(name, Access::Read) {
        Ok(file) => Ok(stat(DescriptorType::RegularFile, file.len()?)),
        Err(error) if error.kind == Kind::BadName && is_dir(disk, name) => {
            Ok(stat(DescriptorType::Directory, 0))
        }
        Err(error) => Err(error.into()),
    }
}

/// The error of an operation on the files `names`: the component is told if one is a directory.
pub(super) fn not_a_file(disk: &Disk, names: &[&str], error: Error) -> FsError {
    if error.kind == Kind::BadName && names.iter().any(|name| is_dir(disk, name)) {
        return ErrorCode::IsDirectory.into();
    }
    error.into()
}

fn is_dir(disk: &Disk, name: &str) -> bool {
    name.is_empty() || disk.list(name).is_ok()
}

/// A file or directory that keeps no times and has one name.
pub(super) const fn stat(type_: DescriptorType, size: u64) -> DescriptorStat {
    DescriptorStat {
        type_,
        link_count: 1,
        size,
        data_access_timestamp: None,
        data_modification_timestamp: None,
        status_change_timestamp: None,
    }
}
