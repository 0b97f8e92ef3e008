//! The disk of the operating system: one directory of it, through the standard library.
//!
//! Called by the host and by programs that embed the engine.
//! Promise: V1 to V19 as far as the system keeps its word; a call that a signal interrupts is
//! repeated; a write that writes nothing is an error. Never: leaves its directory by a name or a
//! link, keeps a file open for itself, or shows an `std::io::Error`.

use crate::name::{check_dir, check_name};
use crate::{Access, Capabilities, Error, File, Kind, Lock, Op, Result, SyncMode, Vfs, bytes};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A directory of the operating system as a disk. A clone is the same disk.
#[derive(Clone, Debug)]
pub struct NativeDisk {
    root: PathBuf,
}

impl NativeDisk {
    /// The disk in `dir`, which must be a directory: `NotFound` if it is missing, `BadName` if it
    /// is something else. A later change of the working directory does not move it.
    pub fn open(dir: &Path) -> Result<Self> {
        let root = retry(Op::Open, || fs::canonicalize(dir))?;
        if retry(Op::Open, || fs::metadata(&root))?.is_dir() {
            Ok(Self { root })
        } else {
            Err(Error::new(Op::Open, Kind::BadName))
        }
    }

    /// As [`open`](Self::open), and makes `dir` if it is missing, but not its parents. The new
    /// directory's own name is durable where directories can be synced.
    pub fn create(dir: &Path) -> Result<Self> {
        match retry(Op::CreateDir, || fs::create_dir(dir)) {
            Err(Error { kind: Kind::Exists, .. }) => Self::open(dir),
            Err(error) => Err(error),
            Ok(()) => {
                let disk = Self::open(dir)?;
                if let Some(parent) = disk.root.parent() {
                    sync_path(parent)?;
                }
                Ok(disk)
            }
        }
    }

    /// The path of a name that was checked.
    fn path(&self, name: &str) -> PathBuf {
        // Why part by part: the verbatim paths of Windows know no other separator than their own.
        name.split('/').filter(|part| !part.is_empty()).fold(self.root.clone(), |mut path, part| {
            path.push(part);
            path
        })
    }

    fn checked(&self, op: Op, name: &str) -> Result<PathBuf> {
        check_name(op, name)?;
        if let Some((parent, _)) = name.rsplit_once('/') {
            self.no_link(op, parent)?;
        }
        Ok(self.path(name))
    }

    fn checked_dir(&self, op: Op, name: &str) -> Result<PathBuf> {
        check_dir(op, name)?;
        if !name.is_empty() {
            self.no_link(op, name)?;
        }
        let path = self.path(name);
        let is_dir = retry(op, || fs::metadata(&path))?.is_dir();
        if is_dir { Ok(path) } else { Err(Error::new(op, Kind::BadName)) }
    }

    /// Refuses a directory below the root if a part of its name is a link: it may lead anywhere.
    fn no_link(&self, op: Op, dir: &str) -> Result<()> {
        let mut path = self.root.clone();
        for part in dir.split('/') {
            path.push(part);
            if retry(op, || fs::symlink_metadata(&path))?.is_symlink() {
                return Err(Error::new(op, Kind::BadName));
            }
        }
        Ok(())
    }

    /// The path of a name that must be a file.
    fn checked_file(&self, op: Op, name: &str) -> Result<PathBuf> {
        let path = self.checked(op, name)?;
        let found = retry(op, || fs::symlink_metadata(&path))?;
        // Why links only where they would be followed: one can be taken away as it is.
        let followed = matches!(op, Op::Open | Op::Lock) && found.is_symlink();
        if found.is_dir() || followed { Err(Error::new(op, Kind::BadName)) } else { Ok(path) }
    }
}

impl Vfs for NativeDisk {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            dir_sync: cfg!(unix),
            allocate: cfg!(target_os = "linux"),
            ..Capabilities::ALL
        }
    }

    fn open(&self, name: &str, access: Access) -> Result<Box<dyn File>> {
        // Why first: the system would open a directory for reading, and not say why it does not
        // for writing.
        let path = self.checked_file(Op::Open, name)?;
        let mut options = not_following();
        options.read(true).write(access == Access::Write);
        let file = retry(Op::Open, || options.open(&path))?;
        Ok(Box::new(NativeFile { file, access }))
    }

    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        let path = self.checked(Op::Create, name)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        let file = retry(Op::Create, || options.open(&path))?;
        Ok(Box::new(NativeFile { file, access: Access::Write }))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        let path = self.checked_dir(Op::List, dir)?;
        let mut names = Vec::new();
        for entry in retry(Op::List, || fs::read_dir(&path))? {
            let entry = entry.map_err(|error| translate(Op::List, &error))?;
            // What is no name here was not made by us, and nobody could open it.
            if let Ok(name) = entry.file_name().into_string()
                && check_name(Op::List, &name).is_ok()
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let source = self.checked_file(Op::Rename, from)?;
        let target = match self.checked_file(Op::Rename, to) {
            Err(Error { kind: Kind::NotFound, .. }) => self.path(to),
            other => other?,
        };
        retry(Op::Rename, || fs::rename(&source, &target))
    }

    fn remove(&self, name: &str) -> Result<()> {
        let path = self.checked_file(Op::Remove, name)?;
        retry(Op::Remove, || fs::remove_file(&path))
    }

    fn create_dir(&self, name: &str) -> Result<()> {
        let path = self.checked(Op::CreateDir, name)?;
        retry(Op::CreateDir, || fs::create_dir(&path))
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        let path = self.checked_dir(Op::SyncDir, dir)?;
        if cfg!(unix) { sync_path(&path) } else { Err(Error::new(Op::SyncDir, Kind::Unsupported)) }
    }

    fn lock(&self, name: &str, access: Access) -> Result<Box<dyn Lock>> {
        let path = match self.checked_file(Op::Lock, name) {
            Err(Error { kind: Kind::NotFound, .. }) if access == Access::Write => self.path(name),
            other => other?,
        };
        let mut options = not_following();
        let write = access == Access::Write;
        options.read(true).write(write).create(write).truncate(false);
        let file = retry(Op::Lock, || options.open(&path))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Box::new(NativeLock { file })),
                Err(TryLockError::WouldBlock) => return Err(Error::new(Op::Lock, Kind::Locked)),
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(TryLockError::Error(error)) => return Err(translate(Op::Lock, &error)),
            }
        }
    }
}

/// Options that open no link, where the system can refuse one.
fn not_following() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flag = rustix::fs::OFlags::NOFOLLOW.bits();
        options.custom_flags(i32::try_from(flag).unwrap_or(0));
    }
    options
}

/// Syncs a directory where that is possible.
fn sync_path(path: &Path) -> Result<()> {
    if cfg!(unix) {
        let dir = retry(Op::SyncDir, || fs::File::open(path))?;
        retry(Op::SyncDir, || reach(&dir, Reach::Dir))?;
    }
    Ok(())
}

/// What a sync is to bring to the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Bytes within the length that is there.
    Data,
    /// Bytes and length.
    All,
    /// The names in a directory.
    Dir,
}

/// The one place that asks the system for durability (V15, V16).
fn reach(file: &fs::File, what: Reach) -> io::Result<()> {
    #[cfg(test)]
    tests::REACHED.with_borrow_mut(|reached| reached.push(what));
    match what {
        Reach::Data => file.sync_data(),
        Reach::All | Reach::Dir => file.sync_all(),
    }
}

/// A file that is open.
struct NativeFile {
    file: fs::File,
    access: Access,
}

impl NativeFile {
    fn check(&self, op: Op) -> Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(Error::new(op, Kind::ReadOnly)),
        }
    }

    /// Grows the file with zeros to at least `end`.
    fn extend(&self, end: u64) -> Result<()> {
        let len = retry(Op::Allocate, || self.file.metadata())?.len();
        if len < end { retry(Op::Allocate, || self.file.set_len(end)) } else { Ok(()) }
    }

    /// Whether space for the range was reserved; where that cannot be done at all, it was not.
    #[cfg(target_os = "linux")]
    fn reserve(&self, offset: u64, len: u64) -> Result<bool> {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        loop {
            return match fallocate(&self.file, FallocateFlags::empty(), offset, len) {
                Ok(()) => Ok(true),
                Err(Errno::INTR) => continue,
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
                Err(errno) => Err(translate(Op::Allocate, &errno.into())),
            };
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn reserve(&self, _offset: u64, _len: u64) -> Result<bool> {
        Ok(false)
    }
}

impl File for NativeFile {
    fn read_at(&self, mut buf: &mut [u8], mut offset: u64) -> Result<usize> {
        let mut total = 0;
        // Why: systems refuse a read that could end beyond what a file can hold.
        let room = i64::MAX.unsigned_abs().saturating_sub(offset);
        let len = usize::try_from(room).map_or(buf.len(), |room| room.min(buf.len()));
        buf = &mut buf[..len];
        while !buf.is_empty() {
            let n = retry(Op::Read, || read_some(&self.file, buf, offset))?;
            if n == 0 {
                break;
            }
            total += n;
            offset = offset.saturating_add(n as u64);
            buf = &mut buf[n..];
        }
        Ok(total)
    }

    fn write_at(&self, mut buf: &[u8], mut offset: u64) -> Result<()> {
        self.check(Op::Write)?;
        bytes::end(Op::Write, offset, bytes::count(buf))?;
        while !buf.is_empty() {
            let n = retry(Op::Write, || write_some(&self.file, buf, offset))?;
            if n == 0 {
                return Err(Error::new(Op::Write, Kind::Io));
            }
            offset = offset.saturating_add(n as u64);
            buf = &buf[n..];
        }
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        retry(Op::Len, || self.file.metadata()).map(|metadata| metadata.len())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.check(Op::SetLen)?;
        bytes::end(Op::SetLen, len, 0)?;
        retry(Op::SetLen, || self.file.set_len(len))
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        self.check(Op::Allocate)?;
        let end = bytes::end(Op::Allocate, offset, len)?;
        if len > 0 && self.reserve(offset, len)? { Ok(()) } else { self.extend(end) }
    }

    fn sync(&self, mode: SyncMode) -> Result<()> {
        self.check(Op::Sync)?;
        let what = match mode {
            SyncMode::Data => Reach::Data,
            SyncMode::All => Reach::All,
        };
        retry(Op::Sync, || reach(&self.file, what))
    }
}

#[cfg(unix)]
fn read_some(file: &fs::File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buf, offset)
}

#[cfg(unix)]
fn write_some(file: &fs::File, buf: &[u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, buf, offset)
}

#[cfg(windows)]
fn read_some(file: &fs::File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buf, offset)
}

#[cfg(windows)]
fn write_some(file: &fs::File, buf: &[u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, buf, offset)
}

/// A lock that is held by its file's handle: the system releases it when the process ends.
struct NativeLock {
    file: fs::File,
}

impl Lock for NativeLock {}

impl Drop for NativeLock {
    fn drop(&mut self) {
        // Why not only by closing: a child process may have inherited the handle. If it fails,
        // closing is all that is left.
        let _ = self.file.unlock();
    }
}

/// Calls again while signals interrupt, and translates what fails.
fn retry<T>(op: Op, mut call: impl FnMut() -> io::Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map_err(|error| translate(op, &error)),
        }
    }
}

/// The code of a link that was not followed, and of links in a circle.
#[cfg(target_os = "linux")]
const LOOP: i32 = rustix::io::Errno::LOOP.raw_os_error();
#[cfg(not(target_os = "linux"))]
const LOOP: i32 = 62;

/// The one place where errors of the standard library become ours.
fn translate(op: Op, error: &io::Error) -> Error {
    use io::ErrorKind as From;
    let kind = match error.kind() {
        // What stands below a file is as missing as what stands below nothing.
        From::NotFound | From::NotADirectory => Kind::NotFound,
        From::AlreadyExists => Kind::Exists,
        From::StorageFull | From::QuotaExceeded | From::FileTooLarge => Kind::NoSpace,
        From::ReadOnlyFilesystem => Kind::ReadOnly,
        From::PermissionDenied => Kind::Denied,
        From::Unsupported => Kind::Unsupported,
        From::IsADirectory | From::InvalidFilename => Kind::BadName,
        // A link: `ErrorKind` has no stable word for it.
        _ if error.raw_os_error() == Some(LOOP) => Kind::BadName,
        From::OutOfMemory => Kind::NoMemory,
        _ => Kind::Io,
    };
    Error::with_os(op, kind, error.raw_os_error().unwrap_or(0))
}

#[cfg(test)]
pub(crate) mod tests;
