//! Handles: bad ones, wrong ones, too many of them; and the clocks, which have none.

use keelstone::vfs::{Capabilities, Error, File, Kind, Lock, Op, Result};

use super::*;
use crate::wasi_fs::{HANDLES_MAX, LISTED_BYTES_MAX};

/// Neither a number that was never given nor one of another kind of thing is a panic.
#[test]
fn a_bad_handle_ends_the_component() {
    for (name, call) in ON_HANDLES {
        let (disk, mut fs, root, file, listing) = ready();
        let image = disk.image();
        for [root, file, listing] in [[999; 3], [u32::MAX; 3], [listing, listing, root]] {
            let trap = trap(call(&mut fs, root, file, listing));
            assert!(trap.downcast_ref::<Stopped>().is_none(), "{name}");
        }
        assert_eq!(disk.image(), image, "{name}");
        fs.stat(at(root)).unwrap();
        fs.stat(at(file)).unwrap();
    }
}

#[test]
fn a_closed_handle_is_a_bad_one() {
    let (_, mut fs, root, file) = with_file(b"0123");
    close(&mut fs, file);
    trap(fs.read(at(file), 1, 0));
    assert!(HostDescriptor::drop(&mut fs, Resource::new_own(file)).is_err());
    let listing = fs.read_directory(at(root)).unwrap().rep();
    close_listing(&mut fs, listing);
    trap(fs.read_directory_entry(Resource::new_borrow(listing)));
}

#[test]
fn a_file_is_no_directory_and_a_directory_no_file() {
    for (name, call) in ON_HANDLES {
        let (disk, mut fs, root, file, listing) = ready();
        let image = disk.image();
        let wanted = match name {
            "read" | "write" | "set-size" => ErrorCode::IsDirectory,
            "stat-at"
            | "open-at"
            | "create-directory-at"
            | "rename-at"
            | "unlink-file-at"
            | "metadata-hash-at"
            | "read-directory" => ErrorCode::NotDirectory,
            _ => {
                call(&mut fs, file, root, listing).unwrap();
                continue;
            }
        };
        assert_eq!(code(call(&mut fs, file, root, listing)), wanted, "{name}");
        assert_eq!(disk.image(), image, "{name}");
    }
}

#[test]
fn what_is_not_there_is_unsupported() {
    for (name, call) in UNSUPPORTED {
        let (disk, mut fs, root, file, listing) = ready();
        let image = disk.image();
        assert_eq!(code(call(&mut fs, root, file, listing)), ErrorCode::Unsupported, "{name}");
        assert_eq!(disk.image(), image, "{name}");
    }
}

#[test]
fn handles_are_bounded_and_come_back() {
    let (disk, mut fs, root, file) = with_file(b"0123");
    for _ in 2..HANDLES_MAX {
        open(&mut fs, root, "file", none(), READ).unwrap();
    }
    let image = disk.image();
    let full = ErrorCode::InsufficientMemory;
    assert_eq!(code(open(&mut fs, root, "file", OpenFlags::TRUNCATE, WRITE)), full);
    assert_eq!(code(open(&mut fs, root, "new", OpenFlags::CREATE, WRITE)), full);
    assert_eq!(code(fs.read_directory(at(root))), full);
    assert!(fs.get_directories().is_err());
    assert_eq!(disk.image(), image, "a refused call changed the disk");
    close(&mut fs, file);
    let listing = fs.read_directory(at(root)).unwrap().rep();
    assert_eq!(code(open(&mut fs, root, "file", none(), READ)), full);
    close_listing(&mut fs, listing);
    open(&mut fs, root, "new", OpenFlags::CREATE, WRITE).unwrap();
}

/// A disk that fails each operation, but lists so many long names.
struct Broken(Kind, usize);

impl Vfs for Broken {
    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }
    fn open(&self, name: &str, _: Access) -> Result<Box<dyn File>> {
        if name == "file" {
            Ok(Box::new(Self(self.0, 0)))
        } else {
            Err(Error::new(Op::Open, self.0))
        }
    }
    fn create(&self, _: &str) -> Result<Box<dyn File>> {
        Err(Error::new(Op::Create, self.0))
    }
    fn list(&self, _: &str) -> Result<Vec<String>> {
        let names = vec!["n".repeat(255); self.1];
        if self.1 > 0 { Ok(names) } else { Err(Error::new(Op::List, self.0)) }
    }
    fn rename(&self, _: &str, _: &str) -> Result<()> {
        Err(Error::new(Op::Rename, self.0))
    }
    fn remove(&self, _: &str) -> Result<()> {
        Err(Error::new(Op::Remove, self.0))
    }
    fn create_dir(&self, _: &str) -> Result<()> {
        Err(Error::new(Op::CreateDir, self.0))
    }
    fn sync_dir(&self, _: &str) -> Result<()> {
        Err(Error::new(Op::SyncDir, self.0))
    }
    fn lock(&self, _: &str, _: Access) -> Result<Box<dyn Lock>> {
        Err(Error::new(Op::Lock, self.0))
    }
}

impl File for Broken {
    fn read_at(&self, _: &mut [u8], _: u64) -> Result<usize> {
        Err(Error::new(Op::Read, self.0))
    }
    fn write_at(&self, _: &[u8], _: u64) -> Result<()> {
        Err(Error::new(Op::Write, self.0))
    }
    fn len(&self) -> Result<u64> {
        Err(Error::new(Op::Len, self.0))
    }
    fn set_len(&self, _: u64) -> Result<()> {
        Err(Error::new(Op::SetLen, self.0))
    }
    fn allocate(&self, _: u64, _: u64) -> Result<()> {
        Err(Error::new(Op::Allocate, self.0))
    }
    fn sync(&self, _: keelstone::vfs::SyncMode) -> Result<()> {
        Err(Error::new(Op::Sync, self.0))
    }
}

#[test]
fn listings_are_bounded_and_come_back() {
    let count = LISTED_BYTES_MAX / (255 + size_of::<String>()) / 2;
    let (mut fs, root) = over(Broken(Kind::Io, count), Access::Write);
    let first = fs.read_directory(at(root)).unwrap().rep();
    fs.read_directory(at(root)).unwrap();
    let full = ErrorCode::InsufficientMemory;
    assert_eq!(code(fs.read_directory(at(root))), full);
    // Names that were read count until the listing is closed.
    fs.read_directory_entry(Resource::new_borrow(first)).unwrap();
    assert_eq!(code(fs.read_directory(at(root))), full);
    close_listing(&mut fs, first);
    fs.read_directory(at(root)).unwrap();
}

/// The inverse in `vfs/src/wasi.rs`, as the component has it.
fn in_the_guest(code: ErrorCode) -> Kind {
    match code {
        ErrorCode::NoEntry | ErrorCode::NotDirectory => Kind::NotFound,
        ErrorCode::Exist => Kind::Exists,
        ErrorCode::InsufficientSpace | ErrorCode::Quota => Kind::NoSpace,
        ErrorCode::ReadOnly => Kind::ReadOnly,
        ErrorCode::Access | ErrorCode::NotPermitted => Kind::Denied,
        ErrorCode::Busy => Kind::Locked,
        ErrorCode::Unsupported => Kind::Unsupported,
        ErrorCode::IsDirectory | ErrorCode::Invalid | ErrorCode::NameTooLong => Kind::BadName,
        ErrorCode::InsufficientMemory => Kind::NoMemory,
        _ => Kind::Io,
    }
}

#[test]
fn each_error_of_a_disk_is_the_same_in_the_guest() {
    for kind in Kind::ALL {
        let (mut fs, root) = over(Broken(kind, 0), Access::Write);
        let file = open(&mut fs, root, "file", none(), READ | WRITE).unwrap();
        let x = || "x".to_owned();
        let told = [
            code(open(&mut fs, root, "x", none(), READ)),
            code(open(&mut fs, root, "x", OpenFlags::CREATE, READ)),
            code(open(&mut fs, root, "file", OpenFlags::TRUNCATE, WRITE)),
            code(fs.read(at(file), 1, 0)),
            code(fs.write(at(file), vec![1], 0)),
            code(fs.set_size(at(file), 1)),
            code(fs.sync(at(file))),
            code(fs.sync_data(at(file))),
            code(fs.stat(at(file))),
            code(fs.stat_at(at(root), FOLLOW, x())),
            code(fs.metadata_hash_at(at(root), FOLLOW, x())),
            code(fs.sync(at(root))),
            code(fs.sync_data(at(root))),
            code(fs.read_directory(at(root))),
            code(fs.create_directory_at(at(root), x())),
            code(fs.unlink_file_at(at(root), x())),
            code(fs.rename_at(at(root), x(), at(root), "y".into())),
        ];
        for code in told {
            assert_eq!(in_the_guest(code), kind, "{code:?}");
        }
    }
}

#[test]
fn both_clocks_show_the_one_of_the_host() {
    let clock = ManualClock::new(1_234_567);
    let mut fs = WasiFs::new(clock.clone());
    let wall = wall_clock::Host::now(&mut fs).unwrap();
    assert_eq!((wall.seconds, wall.nanoseconds), (1234, 567_000_000));
    assert_eq!(monotonic_clock::Host::now(&mut fs).unwrap(), 1_234_567_000_000);
    clock.advance(1);
    assert_eq!(wall_clock::Host::now(&mut fs).unwrap().nanoseconds, 568_000_000);
    assert_eq!(monotonic_clock::Host::now(&mut fs).unwrap(), 1_234_568_000_000);
    clock.set(u64::MAX);
    let wall = wall_clock::Host::now(&mut fs).unwrap();
    assert_eq!((wall.seconds, wall.nanoseconds), (u64::MAX / 1000, 615_000_000));
    assert_eq!(monotonic_clock::Host::now(&mut fs).unwrap(), u64::MAX);
    let wall = wall_clock::Host::resolution(&mut fs).unwrap();
    assert_eq!((wall.seconds, wall.nanoseconds), (0, 1_000_000));
    assert_eq!(monotonic_clock::Host::resolution(&mut fs).unwrap(), 1000);
}

#[test]
fn there_are_no_timers() {
    let (_, mut fs, _, _) = with_file(b"");
    for done in [
        monotonic_clock::Host::subscribe_instant(&mut fs, 0),
        monotonic_clock::Host::subscribe_duration(&mut fs, 0),
    ] {
        assert_eq!(done.unwrap_err().to_string(), "this host has no timers");
    }
}
