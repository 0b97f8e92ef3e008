//! The disk of a WebAssembly host: a directory that it opened for this component, through
//! wasi:filesystem 0.2.
//!
//! Called by the engine's component and by the suite that tests this backend inside a sandbox;
//! calls the host's imports, no libc. Writes go through `descriptor.write` and never through
//! streams, whose errors surface late and which a sync does not wait for. A directory is synced
//! through a descriptor of its own. WASI has no locks: a lock here excludes nobody, the capability
//! says so, and the host makes sure that a directory has one user.
//! Promise: V1 to V19 as far as the host keeps its word; short reads and writes are continued.
//! Never: asks for a path outside its directory, or follows a link.

#[allow(missing_docs, unsafe_code, clippy::all, clippy::pedantic, reason = "made by a macro")]
#[allow(clippy::alloc_instead_of_core, clippy::std_instead_of_alloc, reason = "made by a macro")]
#[allow(clippy::std_instead_of_core, reason = "made by a macro")]
mod bindings {
    wit_bindgen::generate!({ path: "../wit", world: "keelstone:store/disk", generate_all });
}

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bindings::wasi::filesystem::preopens::get_directories;
use bindings::wasi::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorType, ErrorCode, OpenFlags, PathFlags,
};

use crate::name::{check_dir, check_name};
use crate::{Access, Capabilities, Error, File, Kind, Lock, Op, Result, SyncMode, Vfs, bytes};

/// Bytes asked for in one read; many hosts give no more than 64 KiB, and are asked again.
const READ_BYTES: u64 = 1 << 20;
/// Bytes handed over in one write: the host holds a copy of them.
const WRITE_BYTES: usize = 1 << 20;

/// A directory that the host opened for this component.
#[derive(Debug)]
pub struct WasiDisk {
    root: Descriptor,
}

impl WasiDisk {
    /// The directory that the host opened under the name `dir`: `NotFound` if there is none.
    pub fn open(dir: &str) -> Result<Self> {
        let found = get_directories().into_iter().find(|(_, name)| name == dir);
        let (given, _) = found.ok_or(Error::new(Op::Open, Kind::NotFound))?;
        // Why not the given one: some hosts can sync and list only what was opened by name.
        let root = open_dir(&given, ".").map_err(|code| translate(Op::Open, code))?;
        Ok(Self { root })
    }

    fn checked<'a>(&self, op: Op, name: &'a str) -> Result<&'a str> {
        check_name(op, name).map(|()| name)
    }

    /// What stands under a name; links are not followed.
    fn kind(&self, op: Op, name: &str) -> Result<DescriptorType> {
        let stat = self.root.stat_at(PathFlags::empty(), name);
        stat.map(|stat| stat.type_).map_err(|code| translate(op, code))
    }

    /// The name of something that is a file.
    fn checked_file<'a>(&self, op: Op, name: &'a str) -> Result<&'a str> {
        let name = self.checked(op, name)?;
        match self.kind(op, name)? {
            DescriptorType::Directory | DescriptorType::SymbolicLink => {
                Err(Error::new(op, Kind::BadName))
            }
            _ => Ok(name),
        }
    }

    /// A descriptor of a directory of its own.
    fn dir(&self, op: Op, name: &str) -> Result<Descriptor> {
        check_dir(op, name)?;
        if !name.is_empty() && self.kind(op, name)? != DescriptorType::Directory {
            return Err(Error::new(op, Kind::BadName));
        }
        let name = if name.is_empty() { "." } else { name };
        open_dir(&self.root, name).map_err(|code| translate(op, code))
    }
}

fn open_dir(parent: &Descriptor, name: &str) -> core::result::Result<Descriptor, ErrorCode> {
    parent.open_at(PathFlags::empty(), name, OpenFlags::DIRECTORY, DescriptorFlags::READ)
}

/// Whether a directory's sync failed because the host has no such thing.
fn cannot_sync(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Invalid
            | ErrorCode::Unsupported
            | ErrorCode::BadDescriptor
            | ErrorCode::IsDirectory
            | ErrorCode::Access
    )
}

impl Vfs for WasiDisk {
    fn capabilities(&self) -> Capabilities {
        Capabilities { allocate: false, lock: false, ..Capabilities::ALL }
    }

    fn open(&self, name: &str, access: Access) -> Result<Box<dyn File>> {
        let name = self.checked_file(Op::Open, name)?;
        let flags = match access {
            Access::Read => DescriptorFlags::READ,
            Access::Write => DescriptorFlags::READ | DescriptorFlags::WRITE,
        };
        let opened = self.root.open_at(PathFlags::empty(), name, OpenFlags::empty(), flags);
        let descriptor = opened.map_err(|code| translate(Op::Open, code))?;
        Ok(Box::new(WasiFile { descriptor, access }))
    }

    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        let name = self.checked(Op::Create, name)?;
        let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
        let how = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
        let opened = self.root.open_at(PathFlags::empty(), name, how, flags);
        let descriptor = opened.map_err(|code| translate(Op::Create, code))?;
        Ok(Box::new(WasiFile { descriptor, access: Access::Write }))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        let dir = self.dir(Op::List, dir)?;
        let fault = |code| translate(Op::List, code);
        let entries = dir.read_directory().map_err(fault)?;
        let mut names: Vec<String> = Vec::new();
        while let Some(entry) = entries.read_directory_entry().map_err(fault)? {
            // What is no name here was not made by us, and nobody could open it.
            if check_name(Op::List, &entry.name).is_ok() {
                names.try_reserve(1).map_err(|_| Error::new(Op::List, Kind::NoMemory))?;
                // Why not a sort at the end: it is a quarter of this whole backend, and lists are short.
                let at = names.partition_point(|other| *other < entry.name);
                names.insert(at, entry.name);
            }
        }
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let from = self.checked_file(Op::Rename, from)?;
        let to = match self.checked_file(Op::Rename, to) {
            Err(Error { kind: Kind::NotFound, .. }) => to,
            other => other?,
        };
        self.root.rename_at(from, &self.root, to).map_err(|code| translate(Op::Rename, code))
    }

    fn remove(&self, name: &str) -> Result<()> {
        let name = self.checked_file(Op::Remove, name)?;
        self.root.unlink_file_at(name).map_err(|code| translate(Op::Remove, code))
    }

    fn create_dir(&self, name: &str) -> Result<()> {
        let name = self.checked(Op::CreateDir, name)?;
        self.root.create_directory_at(name).map_err(|code| translate(Op::CreateDir, code))
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        let descriptor = self.dir(Op::SyncDir, dir)?;
        // Why not asked before: a sync that nobody needs is dear, and one that fails is told.
        descriptor.sync().map_err(|code| {
            if cannot_sync(code) {
                Error::new(Op::SyncDir, Kind::Unsupported)
            } else {
                translate(Op::SyncDir, code)
            }
        })
    }

    fn lock(&self, name: &str, access: Access) -> Result<Box<dyn Lock>> {
        match self.checked_file(Op::Lock, name) {
            Ok(_) => {}
            Err(Error { kind: Kind::NotFound, .. }) if access == Access::Write => {
                let how = OpenFlags::CREATE;
                let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
                let opened = self.root.open_at(PathFlags::empty(), name, how, flags);
                drop(opened.map_err(|code| translate(Op::Lock, code))?);
            }
            Err(error) => return Err(error),
        }
        Ok(Box::new(NoLock))
    }
}

/// Excludes nobody.
struct NoLock;

impl Lock for NoLock {}

/// A file that is open.
struct WasiFile {
    descriptor: Descriptor,
    access: Access,
}

impl WasiFile {
    fn check(&self, op: Op) -> Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(Error::new(op, Kind::ReadOnly)),
        }
    }
}

impl File for WasiFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let mut total = 0;
        while total < buf.len() {
            let rest = &mut buf[total..];
            let want = bytes::count(rest).min(READ_BYTES);
            let at = offset.saturating_add(total as u64);
            let read = self.descriptor.read(want, at);
            let (got, ended) = read.map_err(|code| translate(Op::Read, code))?;
            // Why: a host that gives more than was asked for is not believed.
            let part = rest.get_mut(..got.len()).ok_or(Error::new(Op::Read, Kind::Io))?;
            part.copy_from_slice(&got);
            total += got.len();
            if ended || got.is_empty() {
                break;
            }
        }
        Ok(total)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> Result<()> {
        self.check(Op::Write)?;
        bytes::end(Op::Write, offset, bytes::count(buf))?;
        let mut done = 0;
        while done < buf.len() {
            let part = &buf[done..buf.len().min(done + WRITE_BYTES)];
            let written = self.descriptor.write(part, offset + done as u64);
            let count = written.map_err(|code| translate(Op::Write, code))?;
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            if count == 0 || count > part.len() {
                return Err(Error::new(Op::Write, Kind::Io));
            }
            done += count;
        }
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        self.descriptor.stat().map(|stat| stat.size).map_err(|code| translate(Op::Len, code))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.check(Op::SetLen)?;
        bytes::end(Op::SetLen, len, 0)?;
        self.descriptor.set_size(len).map_err(|code| translate(Op::SetLen, code))
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        self.check(Op::Allocate)?;
        let end = bytes::end(Op::Allocate, offset, len)?;
        let stat = self.descriptor.stat().map_err(|code| translate(Op::Allocate, code))?;
        if stat.size < end {
            self.descriptor.set_size(end).map_err(|code| translate(Op::Allocate, code))?;
        }
        Ok(())
    }

    fn sync(&self, mode: SyncMode) -> Result<()> {
        self.check(Op::Sync)?;
        let synced = match mode {
            SyncMode::Data => self.descriptor.sync_data(),
            SyncMode::All => self.descriptor.sync(),
        };
        synced.map_err(|code| translate(Op::Sync, code))
    }
}

/// The one place where errors of the host become ours.
fn translate(op: Op, code: ErrorCode) -> Error {
    let kind = match code {
        // What stands below a file is as missing as what stands below nothing.
        ErrorCode::NoEntry | ErrorCode::NotDirectory => Kind::NotFound,
        ErrorCode::Exist => Kind::Exists,
        ErrorCode::InsufficientSpace | ErrorCode::Quota | ErrorCode::FileTooLarge => Kind::NoSpace,
        ErrorCode::ReadOnly => Kind::ReadOnly,
        ErrorCode::Access | ErrorCode::NotPermitted => Kind::Denied,
        ErrorCode::Busy | ErrorCode::WouldBlock | ErrorCode::Already => Kind::Locked,
        ErrorCode::Unsupported => Kind::Unsupported,
        ErrorCode::IsDirectory
        | ErrorCode::Invalid
        | ErrorCode::NameTooLong
        | ErrorCode::IllegalByteSequence
        | ErrorCode::Loop => Kind::BadName,
        ErrorCode::InsufficientMemory => Kind::NoMemory,
        _ => Kind::Io,
    };
    Error::new(op, kind)
}
