//! The promises about names: V1 to V9, and V19.

use super::{Case, all_of, fails, file_with};
use crate::{Access, Kind, Op, Vfs};
use alloc::string::String;
use alloc::sync::Arc;

type Disk = Arc<dyn Vfs>;

pub(super) const CASES: &[Case<Disk>] = &[
    Case { name: "bad names are refused by every operation", promises: &[1], run: bad_names },
    Case { name: "long and strange names are taken", promises: &[1], run: odd_names },
    Case { name: "create makes an empty file", promises: &[2], run: create },
    Case { name: "open gives what exists", promises: &[3], run: open },
    Case { name: "a file opened to read cannot be changed", promises: &[4], run: read_only },
    Case { name: "list is direct, complete and in order", promises: &[5], run: list },
    Case { name: "rename moves and replaces", promises: &[6], run: rename },
    Case { name: "rename refuses what is missing or a directory", promises: &[6], run: rename_bad },
    Case { name: "remove takes the name and leaves the handle", promises: &[7], run: remove },
    Case { name: "a removed name can be used again", promises: &[2, 7], run: recreate },
    Case { name: "create_dir makes an empty directory", promises: &[8], run: create_dir },
    Case { name: "a lock excludes until it is dropped", promises: &[9], run: lock },
    Case { name: "a lock creates its file, but not to read", promises: &[9], run: lock_file },
    Case { name: "a directory can be synced, or says no", promises: &[16, 19], run: sync_dir },
    Case { name: "capabilities do not change", promises: &[19], run: capabilities },
];

fn bad_names(disk: Disk) {
    file_with(&*disk, "good", b"");
    for bad in ["/", "/a", "a/", "a//b", ".", "..", "a/..", "./a", "a\\b", "a\0b", &"x".repeat(256)]
    {
        let kind = Kind::BadName;
        fails(disk.open(bad, Access::Read), Op::Open, kind);
        fails(disk.create(bad), Op::Create, kind);
        fails(disk.list(bad), Op::List, kind);
        fails(disk.rename(bad, "b"), Op::Rename, kind);
        fails(disk.rename("good", bad), Op::Rename, kind);
        fails(disk.remove(bad), Op::Remove, kind);
        fails(disk.create_dir(bad), Op::CreateDir, kind);
        fails(disk.sync_dir(bad), Op::SyncDir, kind);
        fails(disk.lock(bad, Access::Write), Op::Lock, kind);
    }
    // The root is a directory and nothing else.
    fails(disk.open("", Access::Read), Op::Open, Kind::BadName);
    fails(disk.create(""), Op::Create, Kind::BadName);
    fails(disk.remove(""), Op::Remove, Kind::BadName);
    fails(disk.create_dir(""), Op::CreateDir, Kind::BadName);
    assert_eq!(disk.list(""), Ok([String::from("good")].into()));
}

fn odd_names(disk: Disk) {
    let long = "x".repeat(255);
    for name in [&long, "...", ".a", "a b", "\u{e4}", "a-b", "000001.log"] {
        file_with(&*disk, name, name.as_bytes());
        let file = disk.open(name, Access::Read).expect("a file with an odd name");
        assert_eq!(all_of(&*file), name.as_bytes());
    }
    assert_eq!(disk.list("").map(|names| names.len()), Ok(7));
}

fn create(disk: Disk) {
    let file = disk.create("a").expect("a new file");
    assert_eq!((file.len(), file.is_empty()), (Ok(0), Ok(true)));
    file.write_at(b"ab", 0).expect("a new file can be written");
    assert_eq!(all_of(&*file), b"ab");
    assert_eq!(file.is_empty(), Ok(false));
    fails(disk.create("a"), Op::Create, Kind::Exists);
    fails(disk.create("missing/a"), Op::Create, Kind::NotFound);
    fails(disk.create("a/below a file"), Op::Create, Kind::NotFound);
    disk.create_dir("d").expect("a new directory");
    fails(disk.create("d"), Op::Create, Kind::Exists);
    disk.create("d/a").expect("the same name in another directory");
    assert_eq!(all_of(&*disk.open("a", Access::Read).expect("the first")), b"ab");
}

fn open(disk: Disk) {
    fails(disk.open("a", Access::Read), Op::Open, Kind::NotFound);
    fails(disk.open("a", Access::Write), Op::Open, Kind::NotFound);
    fails(disk.open("d/a", Access::Write), Op::Open, Kind::NotFound);
    disk.create_dir("d").expect("a new directory");
    fails(disk.open("d", Access::Read), Op::Open, Kind::BadName);
    fails(disk.open("d", Access::Write), Op::Open, Kind::BadName);
    file_with(&*disk, "d/a", b"ab");
    fails(disk.open("d/a/b", Access::Read), Op::Open, Kind::NotFound);
    let file = disk.open("d/a", Access::Write).expect("the file");
    file.write_at(b"c", 2).expect("a write");
    assert_eq!(all_of(&*disk.open("d/a", Access::Read).expect("the file")), b"abc");
}

fn read_only(disk: Disk) {
    file_with(&*disk, "a", b"ab");
    let file = disk.open("a", Access::Read).expect("the file");
    fails(file.write_at(b"x", 0), Op::Write, Kind::ReadOnly);
    fails(file.set_len(0), Op::SetLen, Kind::ReadOnly);
    fails(file.set_len(9), Op::SetLen, Kind::ReadOnly);
    fails(file.allocate(0, 9), Op::Allocate, Kind::ReadOnly);
    fails(file.sync(crate::SyncMode::Data), Op::Sync, Kind::ReadOnly);
    fails(file.sync(crate::SyncMode::All), Op::Sync, Kind::ReadOnly);
    assert_eq!(all_of(&*file), b"ab");
}

fn list(disk: Disk) {
    assert_eq!(disk.list(""), Ok([].into()));
    fails(disk.list("d"), Op::List, Kind::NotFound);
    for dir in ["d", "d/e", "z"] {
        disk.create_dir(dir).expect("a new directory");
    }
    for name in ["b", "B", "a", "d-", "d/b", "d/a", "d/e/x", "d0", "\u{e4}", "10", "9"] {
        file_with(&*disk, name, b"");
    }
    let listed = |dir: &str| disk.list(dir).expect("a list");
    assert_eq!(listed(""), ["10", "9", "B", "a", "b", "d", "d-", "d0", "z", "\u{e4}"]);
    assert_eq!(listed("d"), ["a", "b", "e"]);
    assert_eq!(listed("d/e"), ["x"]);
    assert_eq!(listed("z"), [""; 0]);
    fails(disk.list("a"), Op::List, Kind::BadName);
    fails(disk.list("a/b"), Op::List, Kind::NotFound);
}

fn rename(disk: Disk) {
    let handle = file_with(&*disk, "a", b"one");
    disk.create_dir("d").expect("a new directory");
    disk.rename("a", "d/b").expect("a move");
    fails(disk.open("a", Access::Read), Op::Open, Kind::NotFound);
    let replaced = file_with(&*disk, "c", b"two");
    disk.rename("d/b", "c").expect("a replacement");
    handle.write_at(b"O", 0).expect("a write through an old handle");
    assert_eq!(all_of(&*disk.open("c", Access::Read).expect("the file")), b"One");
    assert_eq!(all_of(&*replaced), b"two");
    disk.rename("c", "c").expect("a rename to the same name");
    assert_eq!(disk.list(""), Ok(["c", "d"].map(String::from).into()));
    assert_eq!(disk.list("d"), Ok([].into()));
}

fn rename_bad(disk: Disk) {
    file_with(&*disk, "a", b"one");
    disk.create_dir("d").expect("a new directory");
    fails(disk.rename("gone", "b"), Op::Rename, Kind::NotFound);
    fails(disk.rename("gone", "a"), Op::Rename, Kind::NotFound);
    fails(disk.rename("a", "gone/a"), Op::Rename, Kind::NotFound);
    fails(disk.rename("a", "a/b"), Op::Rename, Kind::NotFound);
    fails(disk.rename("a", "d"), Op::Rename, Kind::BadName);
    fails(disk.rename("d", "e"), Op::Rename, Kind::BadName);
    fails(disk.rename("d", "a"), Op::Rename, Kind::BadName);
    assert_eq!(disk.list(""), Ok(["a", "d"].map(String::from).into()));
}

fn remove(disk: Disk) {
    let handle = file_with(&*disk, "a", b"one");
    disk.remove("a").expect("a remove");
    fails(disk.open("a", Access::Read), Op::Open, Kind::NotFound);
    fails(disk.remove("a"), Op::Remove, Kind::NotFound);
    handle.write_at(b"two", 3).expect("a write to a removed file");
    assert_eq!(all_of(&*handle), b"onetwo");
    disk.create_dir("d").expect("a new directory");
    fails(disk.remove("d"), Op::Remove, Kind::BadName);
    fails(disk.remove("d/a"), Op::Remove, Kind::NotFound);
}

fn recreate(disk: Disk) {
    let old = file_with(&*disk, "a", b"old");
    disk.remove("a").expect("a remove");
    let new = disk.create("a").expect("a file in its place");
    assert_eq!(new.len(), Ok(0));
    new.write_at(b"new!", 0).expect("a write");
    assert_eq!((all_of(&*old), all_of(&*new)), (b"old".to_vec(), b"new!".to_vec()));
}

fn create_dir(disk: Disk) {
    disk.create_dir("d").expect("a new directory");
    assert_eq!(disk.list("d"), Ok([].into()));
    fails(disk.create_dir("d"), Op::CreateDir, Kind::Exists);
    fails(disk.create_dir("gone/d"), Op::CreateDir, Kind::NotFound);
    file_with(&*disk, "a", b"");
    fails(disk.create_dir("a"), Op::CreateDir, Kind::Exists);
    fails(disk.create_dir("a/d"), Op::CreateDir, Kind::NotFound);
    disk.create_dir("d/d").expect("a directory in a directory");
    assert_eq!(disk.list("d"), Ok([String::from("d")].into()));
}

fn lock(disk: Disk) {
    if !disk.capabilities().lock {
        return;
    }
    let held = disk.lock("LOCK", Access::Write).expect("a free lock");
    fails(disk.lock("LOCK", Access::Write), Op::Lock, Kind::Locked);
    fails(disk.lock("LOCK", Access::Read), Op::Lock, Kind::Locked);
    let other = disk.lock("OTHER", Access::Write).expect("another lock");
    drop(held);
    let held = disk.lock("LOCK", Access::Read).expect("a lock that is free again");
    fails(disk.lock("LOCK", Access::Read), Op::Lock, Kind::Locked);
    fails(disk.lock("OTHER", Access::Write), Op::Lock, Kind::Locked);
    drop((held, other));
    drop(disk.lock("OTHER", Access::Write).expect("a lock that is free again"));
}

fn lock_file(disk: Disk) {
    fails(disk.lock("LOCK", Access::Read), Op::Lock, Kind::NotFound);
    fails(disk.lock("gone/LOCK", Access::Write), Op::Lock, Kind::NotFound);
    assert_eq!(disk.list(""), Ok([].into()));
    drop(disk.lock("LOCK", Access::Write).expect("a lock"));
    assert_eq!(disk.list(""), Ok([String::from("LOCK")].into()));
    file_with(&*disk, "a", b"kept");
    drop(disk.lock("a", Access::Write).expect("a lock on a file with bytes"));
    assert_eq!(all_of(&*disk.open("a", Access::Read).expect("the file")), b"kept");
    disk.create_dir("d").expect("a new directory");
    fails(disk.lock("d", Access::Write), Op::Lock, Kind::BadName);
}

fn sync_dir(disk: Disk) {
    fails(disk.sync_dir("gone"), Op::SyncDir, Kind::NotFound);
    file_with(&*disk, "a", b"");
    fails(disk.sync_dir("a"), Op::SyncDir, Kind::BadName);
    disk.create_dir("d").expect("a new directory");
    for dir in ["", "d"] {
        if disk.capabilities().dir_sync {
            disk.sync_dir(dir).expect("a sync of a directory");
        } else {
            fails(disk.sync_dir(dir), Op::SyncDir, Kind::Unsupported);
        }
    }
}

fn capabilities(disk: Disk) {
    let before = disk.capabilities();
    file_with(&*disk, "a", b"");
    drop(disk.lock("LOCK", Access::Write).expect("a lock"));
    assert_eq!(disk.capabilities(), before);
}
