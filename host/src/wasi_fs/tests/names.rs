//! Names: paths that lead out or nowhere, opening, moving, listing, and which files are the same.

use super::*;
use crate::wasi_fs::PATH_BYTES_MAX;
use crate::wasi_fs::bindings::wasi::filesystem::types::DescriptorType;

/// A disk with `dir/in` and `file`, its host, the root, and `dir`.
fn with_dir() -> (MemoryDisk, WasiFs, u32, u32) {
    let disk = MemoryDisk::new();
    disk.create_dir("dir").unwrap();
    disk.create("dir/in").unwrap().write_at(b"in", 0).unwrap();
    disk.create("file").unwrap().write_at(b"file", 0).unwrap();
    let (mut fs, root) = over(disk.clone(), Access::Write);
    let dir = open(&mut fs, root, "dir", OpenFlags::DIRECTORY, READ).unwrap();
    (disk, fs, root, dir)
}

/// Each method that takes a path, with that path.
fn with_path(fs: &mut WasiFs, dir: u32, path: &str) -> Vec<ErrorCode> {
    let p = || path.to_owned();
    vec![
        code(open(fs, dir, path, none(), READ)),
        code(open(fs, dir, path, OpenFlags::CREATE, READ | WRITE)),
        code(open(fs, dir, path, OpenFlags::DIRECTORY, READ)),
        code(fs.stat_at(at(dir), FOLLOW, p())),
        code(fs.metadata_hash_at(at(dir), FOLLOW, p())),
        code(fs.create_directory_at(at(dir), p())),
        code(fs.unlink_file_at(at(dir), p())),
        code(fs.rename_at(at(dir), p(), at(dir), "new".into())),
        code(fs.rename_at(at(dir), "in".into(), at(dir), p())),
    ]
}

#[test]
fn no_path_leads_out() {
    let (disk, mut fs, root, dir) = with_dir();
    let image = disk.image();
    let out =
        ["..", "../file", "/", "/file", "/dir/in", "//file", "x/../../file", "in/../in", "./.."];
    for path in out {
        for dir in [root, dir] {
            for code in with_path(&mut fs, dir, path) {
                assert_eq!(code, ErrorCode::NotPermitted, "{path}");
            }
        }
    }
    assert_eq!(disk.image(), image);
}

#[test]
fn what_is_no_name_is_refused() {
    let (disk, mut fs, root, dir) = with_dir();
    let image = disk.image();
    let (part, long) = ("n".repeat(256), "n/".repeat(PATH_BYTES_MAX / 2));
    let cases = [
        ("", ErrorCode::NoEntry),
        ("a\\b", ErrorCode::Invalid),
        ("..\\file", ErrorCode::Invalid),
        ("a\0b", ErrorCode::Invalid),
        (&part, ErrorCode::Invalid),
        (&long, ErrorCode::NameTooLong),
    ];
    for (path, wanted) in cases {
        for dir in [root, dir] {
            for code in with_path(&mut fs, dir, path) {
                assert_eq!(code, wanted, "{path:?}");
            }
        }
    }
    assert_eq!(disk.image(), image);
}

/// The bound counts from the root, so that no chain of directories gets around it.
#[test]
fn a_path_is_bounded_from_the_root() {
    let (_, mut fs, root, dir) = with_dir();
    let path = "n/".repeat((PATH_BYTES_MAX - 1) / 2);
    assert_eq!(code(fs.stat_at(at(root), FOLLOW, path.clone())), ErrorCode::NoEntry);
    assert_eq!(code(fs.stat_at(at(dir), FOLLOW, path)), ErrorCode::NameTooLong);
}

#[test]
fn a_path_starts_at_its_directory() {
    let (disk, mut fs, root, dir) = with_dir();
    for (dir, path) in [(root, "dir/in"), (dir, "in"), (root, "./dir//./in"), (dir, "./in")] {
        let file = open(&mut fs, dir, path, none(), READ).unwrap();
        assert_eq!(fs.read(at(file), 9, 0).unwrap().0, b"in", "{path}");
    }
    assert_eq!(code(open(&mut fs, dir, "file", none(), READ)), ErrorCode::NoEntry);
    open(&mut fs, dir, "new", OpenFlags::CREATE, READ | WRITE).unwrap();
    fs.create_directory_at(at(dir), "sub".into()).unwrap();
    let sub = open(&mut fs, dir, "sub", none(), READ).unwrap();
    fs.rename_at(at(dir), "in".into(), at(sub), "moved".into()).unwrap();
    let names: Vec<_> = disk.image().into_keys().collect();
    assert_eq!(names, ["dir/", "dir/new", "dir/sub/", "dir/sub/moved", "file"]);
}

#[test]
fn a_dot_is_the_directory_itself() {
    let (_, mut fs, root, dir) = with_dir();
    for dir in [root, dir] {
        for how in [none(), OpenFlags::DIRECTORY] {
            let again = open(&mut fs, dir, ".", how, READ).unwrap();
            assert!(fs.is_same_object(at(dir), at(again)).unwrap());
        }
        let stat = fs.stat_at(at(dir), FOLLOW, ".".into()).unwrap();
        assert_eq!(stat.type_, DescriptorType::Directory);
        assert_eq!(code(fs.create_directory_at(at(dir), ".".into())), ErrorCode::Exist);
        assert_eq!(code(fs.unlink_file_at(at(dir), ".".into())), ErrorCode::IsDirectory);
        let moved = fs.rename_at(at(dir), ".".into(), at(root), "new".into());
        assert_eq!(code(moved), ErrorCode::IsDirectory);
        assert_eq!(code(open(&mut fs, dir, ".", none(), WRITE)), ErrorCode::IsDirectory);
    }
}

#[test]
fn opening_does_what_its_flags_say() {
    let (create, only, empty, dir) =
        (OpenFlags::CREATE, OpenFlags::EXCLUSIVE, OpenFlags::TRUNCATE, OpenFlags::DIRECTORY);
    let both = READ | WRITE;
    type Case = (&'static str, OpenFlags, DescriptorFlags, Result<&'static [u8], ErrorCode>);
    let cases: [Case; 19] = [
        ("file", none(), both, Ok(b"file")),
        ("file", create, both, Ok(b"file")),
        ("file", empty, both, Ok(b"")),
        ("file", empty, READ, Ok(b"")),
        ("file", create | empty, both, Ok(b"")),
        ("file", create | only, both, Err(ErrorCode::Exist)),
        ("file", dir, READ, Err(ErrorCode::NotDirectory)),
        ("file/x", none(), READ, Err(ErrorCode::NoEntry)),
        ("new", none(), both, Err(ErrorCode::NoEntry)),
        ("new", empty, both, Err(ErrorCode::NoEntry)),
        ("new", dir, READ, Err(ErrorCode::NoEntry)),
        ("new", create, READ, Ok(b"")),
        ("new", create | only, both, Ok(b"")),
        ("no/new", create, both, Err(ErrorCode::NoEntry)),
        ("dir", none(), WRITE, Err(ErrorCode::IsDirectory)),
        ("dir", create, READ, Err(ErrorCode::IsDirectory)),
        ("dir", empty, READ, Err(ErrorCode::IsDirectory)),
        ("dir", create | only, READ, Err(ErrorCode::Exist)),
        ("dir", create | dir, READ, Err(ErrorCode::Invalid)),
    ];
    for (path, how, flags, wanted) in cases {
        let (disk, mut fs, root, _) = with_dir();
        let image = disk.image();
        let opened = open(&mut fs, root, path, how, flags);
        match wanted {
            Ok(bytes) => {
                assert_eq!(fs.read(at(opened.unwrap()), 9, 0).unwrap().0, bytes, "{path} {how:?}");
                assert_eq!(disk.image()[path], bytes, "{path} {how:?}");
            }
            Err(error) => {
                assert_eq!(code(opened), error, "{path} {how:?}");
                assert_eq!(disk.image(), image, "{path} {how:?}");
            }
        }
    }
}

/// Who asks for it relies on it: passed over, a write would be lost that was believed safe.
#[test]
fn a_file_with_synced_writes_is_not_to_be_had() {
    let (disk, mut fs, root, _) = with_dir();
    let image = disk.image();
    for flag in [
        DescriptorFlags::FILE_INTEGRITY_SYNC,
        DescriptorFlags::DATA_INTEGRITY_SYNC,
        DescriptorFlags::REQUESTED_WRITE_SYNC,
    ] {
        let opened = open(&mut fs, root, "new", OpenFlags::CREATE, READ | WRITE | flag);
        assert_eq!(code(opened), ErrorCode::Unsupported);
    }
    assert_eq!(disk.image(), image);
}

#[test]
fn directories_are_made_once() {
    let (disk, mut fs, root, _) = with_dir();
    fs.create_directory_at(at(root), "new".into()).unwrap();
    assert!(disk.image().contains_key("new/"));
    for taken in ["new", "dir", "file"] {
        assert_eq!(code(fs.create_directory_at(at(root), taken.into())), ErrorCode::Exist);
    }
    assert_eq!(code(fs.create_directory_at(at(root), "no/new".into())), ErrorCode::NoEntry);
}

#[test]
fn files_are_unlinked_and_directories_are_not() {
    let (disk, mut fs, root, _) = with_dir();
    let file = open(&mut fs, root, "file", none(), READ).unwrap();
    fs.unlink_file_at(at(root), "file".into()).unwrap();
    assert!(!disk.image().contains_key("file"));
    assert_eq!(fs.read(at(file), 9, 0).unwrap().0, b"file");
    assert_eq!(code(fs.unlink_file_at(at(root), "file".into())), ErrorCode::NoEntry);
    assert_eq!(code(fs.unlink_file_at(at(root), "dir".into())), ErrorCode::IsDirectory);
}

#[test]
fn files_move_and_directories_do_not() {
    let (disk, mut fs, root, dir) = with_dir();
    fs.rename_at(at(root), "file".into(), at(dir), "in".into()).unwrap();
    assert_eq!(disk.image()["dir/in"], b"file");
    assert!(!disk.image().contains_key("file"));
    let cases = [
        ("file", "new", ErrorCode::NoEntry),
        ("dir", "new", ErrorCode::IsDirectory),
        ("dir/in", "dir", ErrorCode::IsDirectory),
        ("dir/in", "no/new", ErrorCode::NoEntry),
    ];
    let image = disk.image();
    for (from, to, wanted) in cases {
        assert_eq!(
            code(fs.rename_at(at(root), from.into(), at(root), to.into())),
            wanted,
            "{from}"
        );
        assert_eq!(disk.image(), image);
    }
}

#[test]
fn nothing_moves_to_another_disk() {
    let (one, two) = (MemoryDisk::new(), MemoryDisk::new());
    one.create("file").unwrap();
    let shared: Arc<dyn Vfs> = Arc::new(one.clone());
    let mut fs = WasiFs::new(ManualClock::new(0));
    fs.preopen("one", shared.clone(), Access::Write);
    fs.preopen("two", Arc::new(two.clone()), Access::Write);
    fs.preopen("three", shared, Access::Write);
    let dirs = roots(&mut fs);
    let moved = fs.rename_at(at(dirs[0]), "file".into(), at(dirs[1]), "file".into());
    assert_eq!(code(moved), ErrorCode::CrossDevice);
    assert!(two.image().is_empty());
    fs.rename_at(at(dirs[0]), "file".into(), at(dirs[2]), "new".into()).unwrap();
    assert!(one.image().contains_key("new"));
    assert!(fs.is_same_object(at(dirs[0]), at(dirs[2])).unwrap());
    let hash = |fs: &mut WasiFs, dir| {
        let hash = fs.metadata_hash(at(dir)).unwrap();
        (hash.upper, hash.lower)
    };
    assert_eq!(hash(&mut fs, dirs[0]), hash(&mut fs, dirs[2]));
    assert_ne!(hash(&mut fs, dirs[0]), hash(&mut fs, dirs[1]));
}

#[test]
fn directories_are_given_under_their_names_until_they_are_closed() {
    let mut fs = WasiFs::new(ManualClock::new(0));
    fs.preopen("one", Arc::new(MemoryDisk::new()), Access::Write);
    fs.preopen("two", Arc::new(MemoryDisk::new()), Access::Write);
    let names = |fs: &mut WasiFs| -> Vec<String> {
        fs.get_directories().unwrap().into_iter().map(|(_, name)| name).collect()
    };
    assert_eq!(names(&mut fs), ["one", "two"]);
    let one = roots(&mut fs)[0];
    fs.close_preopen("one");
    assert_eq!(names(&mut fs), ["two"]);
    fs.stat(at(one)).unwrap();
}

fn entries(fs: &mut WasiFs, listing: u32) -> Vec<String> {
    let mut names = Vec::new();
    while let Some(entry) = fs.read_directory_entry(Resource::new_borrow(listing)).unwrap() {
        names.push(entry.name);
    }
    names
}

#[test]
fn a_listing_is_what_was_there_when_it_was_opened() {
    let (disk, mut fs, root, dir) = with_dir();
    disk.create("a").unwrap();
    let all = fs.read_directory(at(root)).unwrap().rep();
    let below = fs.read_directory(at(dir)).unwrap().rep();
    disk.remove("file").unwrap();
    assert_eq!(entries(&mut fs, all), ["a", "dir", "file"]);
    assert_eq!(entries(&mut fs, all), [""; 0]);
    assert_eq!(entries(&mut fs, below), ["in"]);
    let again = fs.read_directory(at(root)).unwrap().rep();
    assert_eq!(entries(&mut fs, again), ["a", "dir"]);
}

#[test]
fn the_same_name_on_the_same_disk_is_the_same_object() {
    let (_, mut fs, root, dir) = with_dir();
    fs.preopen(
        "other",
        Arc::new(MemoryDisk::from_image(&[("file".into(), vec![])].into())),
        Access::Read,
    );
    let other = roots(&mut fs)[1];
    let file = open(&mut fs, root, "file", none(), READ).unwrap();
    let again = open(&mut fs, root, "file", none(), READ | WRITE).unwrap();
    let below = open(&mut fs, dir, "in", none(), READ).unwrap();
    let elsewhere = open(&mut fs, other, "file", none(), READ).unwrap();
    let all = [root, dir, file, below, other, elsewhere];
    assert!(fs.is_same_object(at(file), at(again)).unwrap());
    for (i, one) in all.into_iter().enumerate() {
        for (j, two) in all.into_iter().enumerate() {
            assert_eq!(fs.is_same_object(at(one), at(two)).unwrap(), i == j, "{i} {j}");
            let hashes = [one, two].map(|fd| fs.metadata_hash(at(fd)).unwrap());
            let [one, two] = hashes.map(|hash| (hash.lower, hash.upper));
            assert_eq!(one == two, i == j, "{i} {j}");
        }
    }
}

/// The numbers stand here because components may keep them: FNV-1a, 128 bits, of
/// `01 00 00 00 "file"`.
#[test]
fn hashes_are_the_same_everywhere() {
    let (_, mut fs, root, dir) = with_dir();
    let file = open(&mut fs, root, "file", none(), READ | WRITE).unwrap();
    let hash = fs.metadata_hash(at(file)).unwrap();
    assert_eq!((hash.upper, hash.lower), HASH_OF_FILE);
    fs.write(at(file), b"more".to_vec(), 9).unwrap();
    let at_path = fs.metadata_hash_at(at(root), FOLLOW, "file".into()).unwrap();
    assert_eq!((at_path.upper, at_path.lower), HASH_OF_FILE);
    let (one, two) = (
        fs.metadata_hash(at(dir)).unwrap(),
        fs.metadata_hash_at(at(root), FOLLOW, "dir".into()).unwrap(),
    );
    assert_eq!((one.upper, one.lower), (two.upper, two.lower));
    let missing = fs.metadata_hash_at(at(root), FOLLOW, "missing".into());
    assert_eq!(code(missing), ErrorCode::NoEntry);
}

const HASH_OF_FILE: (u64, u64) = (0x58ba_a6a0_c265_9956, 0xa33c_868f_c86c_dc9a);
