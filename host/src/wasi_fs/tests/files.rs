//! Open files: bytes, lengths, syncs, and what a descriptor may do.

use keelstone::vfs::TraceDisk;

use super::*;
use crate::wasi_fs::READ_BYTES_MAX;
use crate::wasi_fs::bindings::wasi::filesystem::types::DescriptorType;

#[test]
fn what_was_written_is_read() {
    let (disk, mut fs, _, file) = with_file(b"");
    assert_eq!(fs.write(at(file), b"hello".to_vec(), 0).unwrap(), 5);
    assert_eq!(fs.write(at(file), b"!".to_vec(), 7).unwrap(), 1);
    assert_eq!(fs.write(at(file), Vec::new(), 99).unwrap(), 0);
    assert_eq!(disk.image()["file"], b"hello\0\0!");
    assert_eq!(fs.read(at(file), 3, 1).unwrap(), (b"ell".to_vec(), false));
    assert_eq!(fs.read(at(file), 8, 0).unwrap(), (b"hello\0\0!".to_vec(), false));
    assert_eq!(fs.read(at(file), 9, 0).unwrap(), (b"hello\0\0!".to_vec(), true));
    assert_eq!(fs.read(at(file), 1, 8).unwrap(), (Vec::new(), true));
    assert_eq!(fs.read(at(file), 1, u64::MAX).unwrap(), (Vec::new(), true));
    assert_eq!(fs.read(at(file), 0, 0).unwrap(), (Vec::new(), false));
}

#[test]
fn a_write_where_no_file_reaches_is_refused() {
    let (disk, mut fs, _, file) = with_file(b"0");
    let full = ErrorCode::InsufficientSpace;
    assert_eq!(code(fs.write(at(file), vec![1], u64::MAX)), full);
    assert_eq!(code(fs.set_size(at(file), u64::MAX)), full);
    assert_eq!(disk.image()["file"], b"0");
}

#[test]
fn a_read_is_bounded() {
    let max = usize::try_from(READ_BYTES_MAX).unwrap();
    let (_, mut fs, _, file) = with_file(&vec![7; max + 3]);
    let (bytes, ended) = fs.read(at(file), u64::MAX, 0).unwrap();
    assert_eq!((bytes.len(), ended), (max, false));
    let (bytes, ended) = fs.read(at(file), u64::MAX, READ_BYTES_MAX).unwrap();
    assert_eq!((bytes.len(), ended), (3, true));
}

#[test]
fn the_size_is_set_and_told() {
    let (disk, mut fs, root, file) = with_file(b"0123");
    fs.set_size(at(file), 2).unwrap();
    fs.set_size(at(file), 3).unwrap();
    assert_eq!(disk.image()["file"], b"01\0");
    for stat in [fs.stat(at(file)).unwrap(), fs.stat_at(at(root), FOLLOW, "file".into()).unwrap()] {
        assert_eq!((stat.type_, stat.size), (DescriptorType::RegularFile, 3));
        assert_eq!(stat.link_count, 1);
        assert!(stat.data_modification_timestamp.is_none());
    }
    let stat = fs.stat(at(root)).unwrap();
    assert_eq!((stat.type_, stat.size), (DescriptorType::Directory, 0));
    assert_eq!(fs.get_type(at(file)).unwrap(), DescriptorType::RegularFile);
    assert_eq!(fs.get_type(at(root)).unwrap(), DescriptorType::Directory);
}

#[test]
fn syncs_reach_the_disk_as_they_are_meant() {
    let disk = TraceDisk::new(MemoryDisk::new());
    disk.create("file").unwrap();
    disk.create_dir("dir").unwrap();
    let (mut fs, root) = over(disk.clone(), Access::Write);
    let file = open(&mut fs, root, "file", none(), READ | WRITE).unwrap();
    let dir = open(&mut fs, root, "dir", OpenFlags::DIRECTORY, READ).unwrap();
    let _setup = disk.take();
    fs.sync(at(file)).unwrap();
    fs.sync_data(at(file)).unwrap();
    fs.sync(at(root)).unwrap();
    fs.sync_data(at(dir)).unwrap();
    let log = "sync file all -> ok\nsync file data -> ok\nsync_dir . -> ok\nsync_dir dir -> ok\n";
    assert_eq!(disk.log(), log);
}

/// A hundred bytes cost one operation of the disk: no name is looked up again.
#[test]
fn reading_and_writing_cost_one_operation_of_the_disk() {
    let disk = TraceDisk::new(MemoryDisk::new());
    disk.create("file").unwrap();
    let (mut fs, root) = over(disk.clone(), Access::Write);
    let file = open(&mut fs, root, "file", none(), READ | WRITE).unwrap();
    let _setup = disk.take();
    fs.write(at(file), vec![1; 100], 0).unwrap();
    fs.read(at(file), 100, 0).unwrap();
    fs.advise(at(file), 0, 100, Advice::WillNeed).unwrap();
    assert_eq!(disk.log(), "write file 0+100 -> ok\nread file 0+100 -> 100\n");
}

#[test]
fn a_file_opened_for_reading_refuses_changes() {
    let (disk, mut fs, root, _) = with_file(b"0123");
    for flags in [READ, DescriptorFlags::empty()] {
        let file = open(&mut fs, root, "file", none(), flags).unwrap();
        assert_eq!(fs.get_flags(at(file)).unwrap(), READ);
        assert_eq!(fs.read(at(file), 2, 0).unwrap().0, b"01");
        assert_eq!(code(fs.write(at(file), vec![1], 0)), ErrorCode::ReadOnly);
        assert_eq!(code(fs.set_size(at(file), 0)), ErrorCode::ReadOnly);
        assert_eq!(code(fs.sync(at(file))), ErrorCode::ReadOnly);
        assert_eq!(code(fs.sync_data(at(file))), ErrorCode::ReadOnly);
    }
    assert_eq!(disk.image()["file"], b"0123");
}

#[test]
fn a_file_opened_for_writing_alone_is_not_read() {
    let (disk, mut fs, root, both) = with_file(b"0123");
    let file = open(&mut fs, root, "file", none(), WRITE).unwrap();
    assert_eq!(fs.get_flags(at(file)).unwrap(), WRITE);
    assert_eq!(fs.get_flags(at(both)).unwrap(), READ | WRITE);
    assert_eq!(code(fs.read(at(file), 2, 0)), ErrorCode::NotPermitted);
    fs.write(at(file), b"x".to_vec(), 0).unwrap();
    assert_eq!(disk.image()["file"], b"x123");
}

/// The disk's own file could be changed here: it was created, or opened to be emptied.
#[test]
fn creating_or_emptying_a_file_gives_no_right_to_write() {
    let (disk, mut fs, root, _) = with_file(b"0123");
    for (path, how) in [
        ("new", OpenFlags::CREATE),
        ("only", OpenFlags::CREATE | OpenFlags::EXCLUSIVE),
        ("file", OpenFlags::TRUNCATE),
    ] {
        let file = open(&mut fs, root, path, how, READ).unwrap();
        assert_eq!(fs.get_flags(at(file)).unwrap(), READ);
        assert_eq!(code(fs.write(at(file), vec![1], 0)), ErrorCode::ReadOnly, "{path}");
        assert_eq!(code(fs.set_size(at(file), 1)), ErrorCode::ReadOnly, "{path}");
        assert_eq!(code(fs.sync(at(file))), ErrorCode::ReadOnly, "{path}");
        assert_eq!(disk.image()[path], b"", "{path}");
    }
}

/// Nothing below a directory that was given for reading can be changed, at any depth.
#[test]
fn a_directory_for_reading_gives_no_way_to_change() {
    let disk = MemoryDisk::new();
    disk.create_dir("dir").unwrap();
    for name in ["file", "old", "dir/file", "dir/old"] {
        disk.create(name).unwrap().write_at(b"0123", 0).unwrap();
    }
    let image = disk.image();
    let (mut fs, root) = over(disk.clone(), Access::Read);
    let dir = open(&mut fs, root, "dir", OpenFlags::DIRECTORY, READ).unwrap();
    for dir in [root, dir] {
        assert_eq!(fs.get_flags(at(dir)).unwrap(), READ);
        let file = open(&mut fs, dir, "file", none(), READ).unwrap();
        assert_eq!(fs.read(at(file), 4, 0).unwrap().0, b"0123");
        let x = || "file".to_owned();
        let told = [
            code(open(&mut fs, dir, "file", none(), WRITE)),
            code(open(&mut fs, dir, "file", none(), READ | WRITE)),
            code(open(&mut fs, dir, ".", none(), DescriptorFlags::MUTATE_DIRECTORY)),
            code(open(&mut fs, dir, "new", OpenFlags::CREATE, READ)),
            code(open(&mut fs, dir, "new", OpenFlags::CREATE | OpenFlags::EXCLUSIVE, READ)),
            code(open(&mut fs, dir, "file", OpenFlags::TRUNCATE, READ)),
            code(fs.create_directory_at(at(dir), "new".into())),
            code(fs.unlink_file_at(at(dir), x())),
            code(fs.rename_at(at(dir), x(), at(dir), "new".into())),
            code(fs.write(at(file), vec![1], 0)),
            code(fs.set_size(at(file), 0)),
        ];
        assert_eq!(told, [ErrorCode::ReadOnly; 11]);
    }
    assert_eq!(disk.image(), image);
}

/// Neither out of it nor into it.
#[test]
fn nothing_moves_between_a_directory_for_reading_and_one_for_writing() {
    let disk = MemoryDisk::new();
    disk.create("file").unwrap();
    let shared: Arc<dyn Vfs> = Arc::new(disk.clone());
    let mut fs = WasiFs::new(ManualClock::new(0));
    fs.preopen("read", shared.clone(), Access::Read);
    fs.preopen("write", shared, Access::Write);
    let dirs = roots(&mut fs);
    for (from, to) in [(dirs[0], dirs[1]), (dirs[1], dirs[0])] {
        let moved = fs.rename_at(at(from), "file".into(), at(to), "new".into());
        assert_eq!(code(moved), ErrorCode::ReadOnly);
    }
    let flags = fs.get_flags(at(dirs[1])).unwrap();
    assert_eq!(flags, READ | DescriptorFlags::MUTATE_DIRECTORY);
}
