//! The methods as a component calls them, over disks in memory.
//!
//! Calls the traits that the bindings generate. `ALL` is every method once, so that what holds for
//! each of them (counted, stopped, a bad handle) is tested for each of them.

#![expect(clippy::unwrap_used, reason = "a test that fails")]

mod files;
mod handles;
mod names;
mod stop;

use std::sync::Arc;

use keelstone::ManualClock;
use keelstone::vfs::{Access, MemoryDisk, Vfs};
use wasmtime::component::Resource;

use super::{Descriptor, FsError, Listing, Stopped, WasiFs};
use crate::wasi_fs::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use crate::wasi_fs::bindings::wasi::filesystem::preopens::Host as _;
use crate::wasi_fs::bindings::wasi::filesystem::types::{
    Advice, DescriptorFlags, ErrorCode, Host as _, HostDescriptor, HostDirectoryEntryStream,
    NewTimestamp, OpenFlags, PathFlags,
};

type Done<T = ()> = Result<T, FsError>;

const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;
const READ: DescriptorFlags = DescriptorFlags::READ;
const WRITE: DescriptorFlags = DescriptorFlags::WRITE;

/// No open flags.
fn none() -> OpenFlags {
    OpenFlags::empty()
}

/// A handle as the component would pass it: tests keep numbers.
fn at(rep: u32) -> Resource<Descriptor> {
    Resource::new_borrow(rep)
}

/// Host and root of `disk`.
fn over(disk: impl Vfs + 'static, access: Access) -> (WasiFs, u32) {
    let mut fs = WasiFs::new(ManualClock::new(1_234_567));
    fs.preopen("disk", Arc::new(disk), access);
    let root = roots(&mut fs)[0];
    (fs, root)
}

/// A disk with the file `file`, its host, the root, and the file opened for both.
fn with_file(bytes: &[u8]) -> (MemoryDisk, WasiFs, u32, u32) {
    let disk = MemoryDisk::new();
    disk.create("file").unwrap().write_at(bytes, 0).unwrap();
    let (mut fs, root) = over(disk.clone(), Access::Write);
    let file = open(&mut fs, root, "file", none(), READ | WRITE).unwrap();
    (disk, fs, root, file)
}

fn roots(fs: &mut WasiFs) -> Vec<u32> {
    fs.get_directories().unwrap().iter().map(|(dir, _)| dir.rep()).collect()
}

fn open(
    fs: &mut WasiFs,
    dir: u32,
    path: &str,
    how: OpenFlags,
    flags: DescriptorFlags,
) -> Done<u32> {
    fs.open_at(at(dir), PathFlags::empty(), path.into(), how, flags).map(|handle| handle.rep())
}

fn close(fs: &mut WasiFs, descriptor: u32) {
    HostDescriptor::drop(fs, Resource::new_own(descriptor)).unwrap();
}

fn close_listing(fs: &mut WasiFs, listing: u32) {
    HostDirectoryEntryStream::drop(fs, Resource::new_own(listing)).unwrap();
}

/// What the component is told.
fn code<T>(done: Done<T>) -> ErrorCode {
    match done {
        Ok(_) => panic!("it went well"),
        Err(FsError::Code(code)) => code,
        Err(FsError::Trap(trap)) => panic!("a trap: {trap:?}"),
    }
}

/// Why the component ended.
fn trap<T>(done: Done<T>) -> wasmtime::Error {
    match done {
        Ok(_) => panic!("it went well"),
        Err(FsError::Code(code)) => panic!("only told: {code:?}"),
        Err(FsError::Trap(trap)) => trap,
    }
}

fn stopped<T>(done: Done<T>) -> u64 {
    trap(done).downcast_ref::<Stopped>().expect("another trap").operation
}

/// A method on a root, a file and a listing; traps stay traps.
type Call = fn(&mut WasiFs, u32, u32, u32) -> Done;

fn end<T>(done: wasmtime::Result<T>) -> Done {
    done.map(|_| ()).map_err(FsError::Trap)
}

fn told<T>(done: Done<T>) -> Done {
    done.map(|_| ())
}

/// The methods that have a body and take a handle.
const ON_HANDLES: [(&str, Call); 19] = [
    ("read", |fs, _, file, _| told(fs.read(at(file), 1, 0))),
    ("write", |fs, _, file, _| told(fs.write(at(file), b"12".to_vec(), 0))),
    ("sync", |fs, _, file, _| fs.sync(at(file))),
    ("sync-data", |fs, _, file, _| fs.sync_data(at(file))),
    ("set-size", |fs, _, file, _| fs.set_size(at(file), 1)),
    ("get-type", |fs, _, file, _| told(fs.get_type(at(file)))),
    ("get-flags", |fs, _, file, _| told(fs.get_flags(at(file)))),
    ("stat", |fs, _, file, _| told(fs.stat(at(file)))),
    ("advise", |fs, _, file, _| fs.advise(at(file), 0, 1, Advice::Normal)),
    ("metadata-hash", |fs, _, file, _| told(fs.metadata_hash(at(file)))),
    ("is-same-object", |fs, root, file, _| end(fs.is_same_object(at(root), at(file)))),
    ("stat-at", |fs, root, _, _| told(fs.stat_at(at(root), FOLLOW, "file".into()))),
    ("open-at", |fs, root, _, _| told(open(fs, root, "new", OpenFlags::CREATE, READ | WRITE))),
    ("create-directory-at", |fs, root, _, _| fs.create_directory_at(at(root), "dir".into())),
    ("rename-at", |fs, root, _, _| fs.rename_at(at(root), "file".into(), at(root), "to".into())),
    ("unlink-file-at", |fs, root, _, _| fs.unlink_file_at(at(root), "old".into())),
    ("metadata-hash-at", |fs, root, _, _| {
        told(fs.metadata_hash_at(at(root), FOLLOW, "file".into()))
    }),
    ("read-directory", |fs, root, _, _| told(fs.read_directory(at(root)))),
    ("read-directory-entry", |fs, _, _, listing| {
        told(fs.read_directory_entry(Resource::<Listing>::new_borrow(listing)))
    }),
];

/// The methods that this host does not have.
const UNSUPPORTED: [(&str, Call); 9] = [
    ("read-via-stream", |fs, _, file, _| told(fs.read_via_stream(at(file), 0))),
    ("write-via-stream", |fs, _, file, _| told(fs.write_via_stream(at(file), 0))),
    ("append-via-stream", |fs, _, file, _| told(fs.append_via_stream(at(file)))),
    ("set-times", |fs, _, file, _| {
        fs.set_times(at(file), NewTimestamp::Now, NewTimestamp::NoChange)
    }),
    ("set-times-at", |fs, root, _, _| {
        let now = NewTimestamp::Now;
        fs.set_times_at(at(root), FOLLOW, "file".into(), now, NewTimestamp::NoChange)
    }),
    ("link-at", |fs, root, _, _| {
        fs.link_at(at(root), FOLLOW, "file".into(), at(root), "link".into())
    }),
    ("readlink-at", |fs, root, _, _| told(fs.readlink_at(at(root), "file".into()))),
    ("symlink-at", |fs, root, _, _| fs.symlink_at(at(root), "file".into(), "link".into())),
    ("remove-directory-at", |fs, root, _, _| fs.remove_directory_at(at(root), "dir".into())),
];

/// The functions that take no handle.
const FREE: [(&str, Call); 8] = [
    ("get-directories", |fs, _, _, _| end(fs.get_directories())),
    ("filesystem-error-code", |fs, _, _, _| end(fs.filesystem_error_code(Resource::new_borrow(0)))),
    ("wall now", |fs, _, _, _| end(wall_clock::Host::now(fs))),
    ("wall resolution", |fs, _, _, _| end(wall_clock::Host::resolution(fs))),
    ("monotonic now", |fs, _, _, _| end(monotonic_clock::Host::now(fs))),
    ("monotonic resolution", |fs, _, _, _| end(monotonic_clock::Host::resolution(fs))),
    ("subscribe-instant", |fs, _, _, _| end(monotonic_clock::Host::subscribe_instant(fs, 0))),
    ("subscribe-duration", |fs, _, _, _| end(monotonic_clock::Host::subscribe_duration(fs, 0))),
];

fn all() -> impl Iterator<Item = (&'static str, Call)> {
    ON_HANDLES.into_iter().chain(UNSUPPORTED).chain(FREE)
}

/// A host on which every method can do its work: disk, host, root, file, listing.
fn ready() -> (MemoryDisk, WasiFs, u32, u32, u32) {
    let (disk, mut fs, root, file) = with_file(b"0123456789");
    disk.create("old").unwrap();
    let listing = fs.read_directory(at(root)).unwrap().rep();
    (disk, fs, root, file, listing)
}
