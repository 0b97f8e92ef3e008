//! What only the native disk can show: directories that are there before and after it.

#![expect(clippy::unwrap_used, reason = "a test that fails")]
use super::*;
use core::cell::RefCell;
use core::sync::atomic::{AtomicU64, Ordering};
use std::process;

std::thread_local! {
    /// What this thread asked the system to make durable.
    pub(super) static REACHED: RefCell<Vec<Reach>> = const { RefCell::new(Vec::new()) };
}

/// A directory of its own for one test, removed with all that is in it.
pub(crate) struct TempDir(pub(crate) PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = std::format!("keelstone-vfs-{}-{next}", process::id());
        let path = std::env::temp_dir().join(name);
        // What a killed run with the same number left.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn disk(&self) -> NativeDisk {
        NativeDisk::open(&self.0).unwrap()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn open_wants_a_directory_and_create_makes_one() {
    let dir = TempDir::new();
    let (missing, file) = (dir.0.join("missing"), dir.0.join("file"));
    fs::write(&file, b"").unwrap();
    let kind = |result: Result<NativeDisk>| result.map(|_| ()).map_err(|error| error.kind);
    assert_eq!(kind(NativeDisk::open(&missing)), Err(Kind::NotFound));
    assert_eq!(kind(NativeDisk::open(&file)), Err(Kind::BadName));
    assert_eq!(kind(NativeDisk::create(&file)), Err(Kind::BadName));
    assert_eq!(kind(NativeDisk::create(&missing.join("deeper"))), Err(Kind::NotFound));
    assert!(!missing.exists());
    NativeDisk::create(&missing).unwrap().create("a").unwrap();
    let again = NativeDisk::create(&missing).unwrap();
    assert_eq!(again.list("").unwrap(), ["a"]);
}

#[test]
fn two_disks_of_one_directory_share_files_and_locks() {
    let dir = TempDir::new();
    let (one, two) = (dir.disk(), dir.disk());
    one.create("a").unwrap().write_at(b"one", 0).unwrap();
    let mut buf = [0; 3];
    assert_eq!(two.open("a", Access::Read).unwrap().read_at(&mut buf, 0), Ok(3));
    assert_eq!(&buf, b"one");
    let lock = one.lock("LOCK", Access::Write).unwrap();
    assert_eq!(two.lock("LOCK", Access::Write).err().unwrap().kind, Kind::Locked);
    drop(lock);
    two.lock("LOCK", Access::Write).unwrap();
}

#[test]
fn errors_keep_the_code_of_the_system() {
    let error = TempDir::new().disk().open("a", Access::Read).err().unwrap();
    assert_eq!((error.op, error.kind), (Op::Open, Kind::NotFound));
    assert_ne!(error.os, 0);
}

#[test]
fn kinds_are_translated() {
    use io::ErrorKind;
    for (from, to) in [
        (ErrorKind::StorageFull, Kind::NoSpace),
        (ErrorKind::QuotaExceeded, Kind::NoSpace),
        (ErrorKind::PermissionDenied, Kind::Denied),
        (ErrorKind::ReadOnlyFilesystem, Kind::ReadOnly),
        (ErrorKind::BrokenPipe, Kind::Io),
    ] {
        assert_eq!(translate(Op::Write, &io::Error::from(from)), Error::new(Op::Write, to));
    }
}

#[test]
fn interruptions_are_repeated() {
    let mut left = 3;
    let result = retry(Op::Sync, || {
        left -= 1;
        if left > 0 { Err(io::ErrorKind::Interrupted.into()) } else { Ok("done") }
    });
    assert_eq!((result, left), (Ok("done"), 0));
}

#[cfg(target_os = "linux")]
#[test]
fn allocate_reserves_space() {
    use std::os::unix::fs::MetadataExt;
    let dir = TempDir::new();
    let disk = dir.disk();
    disk.create("reserved").unwrap().allocate(0, 1 << 20).unwrap();
    disk.create("hole").unwrap().set_len(1 << 20).unwrap();
    let blocks = |name| fs::metadata(dir.0.join(name)).unwrap().blocks();
    assert!(blocks("reserved") >= (1 << 20) / 512, "{} blocks", blocks("reserved"));
    assert!(blocks("hole") < blocks("reserved"));
}

#[cfg(unix)]
#[test]
fn foreign_names_are_not_listed() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let dir = TempDir::new();
    fs::write(dir.0.join("back\\slash"), b"").unwrap();
    fs::write(dir.0.join("good"), b"").unwrap();
    // Some systems refuse it, and then there is nothing to hide.
    let _ = fs::write(dir.0.join(OsStr::from_bytes(b"not\xffutf8")), b"");
    assert_eq!(dir.disk().list("").unwrap(), ["good"]);
}

/// What the system was asked for while `run` ran.
fn reached(run: impl FnOnce()) -> Vec<Reach> {
    REACHED.take();
    run();
    REACHED.take()
}

// V15 and V16: what a power cut would show on a disk that can be crashed shows here in what the system is asked for.
#[cfg(unix)]
#[test]
fn each_sync_asks_the_system_for_what_it_promises() {
    let dir = TempDir::new();
    let disk = dir.disk();
    let file = disk.create("a").unwrap();
    disk.create_dir("d").unwrap();
    let quiet = reached(|| {
        file.write_at(b"abc", 0).unwrap();
        file.set_len(5).unwrap();
        disk.rename("a", "d/b").unwrap();
    });
    assert_eq!(quiet, [], "only a sync waits for the medium");
    assert_eq!(reached(|| file.sync(SyncMode::Data).unwrap()), [Reach::Data]);
    assert_eq!(reached(|| file.sync(SyncMode::All).unwrap()), [Reach::All]);
    assert_eq!(reached(|| disk.sync_dir("").unwrap()), [Reach::Dir]);
    assert_eq!(reached(|| disk.sync_dir("d").unwrap()), [Reach::Dir]);
    let new = dir.0.join("new");
    assert_eq!(reached(|| drop(NativeDisk::create(&new).unwrap())), [Reach::Dir]);
    assert_eq!(reached(|| drop(NativeDisk::create(&new).unwrap())), []);
}

// The system refuses to sync what has no medium: a sync that does not get there would succeed.
#[cfg(target_os = "linux")]
#[test]
fn each_sync_reaches_the_system_and_passes_its_refusal_on() {
    const EINVAL: i32 = 22;
    let file = NativeDisk::open(Path::new("/dev")).unwrap().open("null", Access::Write).unwrap();
    for mode in [SyncMode::Data, SyncMode::All] {
        let refused = Error::with_os(Op::Sync, Kind::Io, EINVAL);
        assert_eq!(file.sync(mode), Err(refused), "{mode:?}");
    }
    // Why `sys`: `self` is a link there, and links are not followed.
    let proc = NativeDisk::open(Path::new("/proc")).unwrap();
    let refused = Error::with_os(Op::SyncDir, Kind::Io, EINVAL);
    assert_eq!(proc.sync_dir(""), Err(refused));
    assert_eq!(proc.sync_dir("sys"), Err(refused));
}
