//! The promises about durability, V14 to V19, on a disk that can be crashed.

use super::{Case, file_with};
use crate::fault::{PowerCut, SyncFault};
use crate::{Access, Capabilities, FaultDisk, Image, SyncMode, Vfs};
use alloc::string::ToString;

type Disk = FaultDisk;

pub(super) const CASES: &[Case<Disk>] = &[
    Case { name: "a kill takes nothing but locks", promises: &[9, 14], run: kill },
    Case { name: "synced bytes survive, others need not", promises: &[15, 17], run: bytes },
    Case { name: "a length needs a full sync", promises: &[15], run: lengths },
    Case { name: "a name needs its directory's sync", promises: &[16], run: names },
    Case { name: "a rename needs both directories", promises: &[16], run: renames },
    Case { name: "unsynced names may be early", promises: &[16, 17], run: early_names },
    Case { name: "bytes are cut anywhere", promises: &[17], run: torn },
    Case { name: "synced bytes stay beside new ones", promises: &[11, 17], run: beside },
    Case { name: "a sync that failed is not mended", promises: &[18], run: failed_sync },
    Case { name: "missing capabilities show", promises: &[19], run: incapable },
];

/// What is left if everything unsynced is lost.
fn lost(disk: &Disk) -> Image {
    disk.power_cut(&PowerCut::Lost).cached()
}

/// What is left if everything unsynced is kept.
fn kept(disk: &Disk) -> Image {
    disk.power_cut(&PowerCut::Kept).cached()
}

fn image<const N: usize>(files: [(&str, &[u8]); N]) -> Image {
    files.map(|(name, bytes)| (name.to_string(), bytes.to_vec())).into()
}

/// A file whose bytes, length and name are durable.
fn durable(disk: &Disk, name: &str, bytes: &[u8]) -> alloc::boxed::Box<dyn crate::File> {
    let file = file_with(disk, name, bytes);
    file.sync(SyncMode::All).expect("a sync");
    disk.sync_dir(crate::name::parent(name)).expect("a sync of a directory");
    file
}

fn kill(disk: Disk) {
    file_with(&disk, "a", b"unsynced");
    let lock = disk.lock("LOCK", Access::Write).expect("a lock");
    let left = disk.kill();
    assert_eq!(left.cached(), image([("LOCK", b""), ("a", b"unsynced")]));
    drop(left.lock("LOCK", Access::Write).expect("the lock of a dead process"));
    drop(lock);
}

fn bytes(disk: Disk) {
    let file = durable(&disk, "a", b"abcdef");
    file.write_at(b"X", 0).expect("a write");
    file.sync(SyncMode::Data).expect("a sync");
    file.write_at(b"Y", 3).expect("a write");
    assert_eq!(lost(&disk), image([("a", b"Xbcdef")]));
    assert_eq!(kept(&disk), image([("a", b"XbcYef")]));
}

fn lengths(disk: Disk) {
    let file = durable(&disk, "a", b"abc");
    file.write_at(b"CDE", 2).expect("a write");
    file.sync(SyncMode::Data).expect("a sync of the bytes");
    assert_eq!(lost(&disk), image([("a", b"abC")]));
    file.sync(SyncMode::All).expect("a sync of everything");
    assert_eq!(lost(&disk), image([("a", b"abCDE")]));
    file.set_len(1).expect("a cut");
    file.sync(SyncMode::Data).expect("a sync of the bytes");
    assert_eq!(lost(&disk), image([("a", b"abCDE")]));
    file.sync(SyncMode::All).expect("a sync of everything");
    assert_eq!(lost(&disk), image([("a", b"a")]));
}

fn names(disk: Disk) {
    file_with(&disk, "a", b"abc").sync(SyncMode::All).expect("a sync");
    assert_eq!(lost(&disk), image([]));
    disk.sync_dir("").expect("a sync of a directory");
    assert_eq!(lost(&disk), image([("a", b"abc")]));
    disk.create_dir("d").expect("a new directory");
    durable(&disk, "d/b", b"");
    assert_eq!(lost(&disk), image([("a", b"abc")]));
    disk.remove("a").expect("a remove");
    disk.sync_dir("").expect("a sync of a directory");
    assert_eq!(lost(&disk), image([("d/", b""), ("d/b", b"")]));
}

fn renames(disk: Disk) {
    disk.create_dir("d").expect("a new directory");
    durable(&disk, "a", b"abc");
    disk.rename("a", "d/b").expect("a rename");
    disk.sync_dir("").expect("a sync of the old directory");
    assert_eq!(lost(&disk), image([("a", b"abc"), ("d/", b"")]));
    disk.sync_dir("d").expect("a sync of the new directory");
    assert_eq!(lost(&disk), image([("d/", b""), ("d/b", b"abc")]));
}

fn early_names(disk: Disk) {
    durable(&disk, "a", b"old");
    file_with(&disk, "b", b"new");
    disk.rename("b", "a").expect("a rename");
    let early = disk.power_cut(&PowerCut::Names).cached();
    assert_eq!(early, image([("a", b"")]));
    assert_eq!(lost(&disk), image([("a", b"old")]));
}

fn torn(disk: Disk) {
    let file = durable(&disk, "a", b"ab");
    file.write_at(b"XYZ", 1).expect("a write");
    let results: [&[u8]; 4] = [b"ab", b"aX", b"aXY", b"aXYZ"];
    for (bytes, result) in results.into_iter().enumerate() {
        let rest = crate::fault::Rest::Lost;
        let choice = PowerCut::Torn { file: "a".to_string(), bytes, rest };
        assert_eq!(disk.power_cut(&choice).cached(), image([("a", result)]));
    }
}

fn beside(disk: Disk) {
    let file = durable(&disk, "a", b"abcdef");
    file.write_at(b"XY", 2).expect("a write");
    for seed in 0..200 {
        let left = disk.power_cut(&PowerCut::Seeded(seed)).cached();
        let bytes = &left["a"];
        assert_eq!((&bytes[..2], &bytes[4..]), (&b"ab"[..], &b"ef"[..]), "seed {seed}");
    }
}

fn failed_sync(disk: Disk) {
    let file = durable(&disk, "a", b"old");
    disk.fail_sync(disk.syncs(), SyncFault::Dropped);
    file.write_at(b"new", 0).expect("a write");
    assert!(file.sync(SyncMode::All).is_err());
    file.sync(SyncMode::All).expect("a second sync, which says nothing");
    assert_eq!((lost(&disk), kept(&disk)), (image([("a", b"old")]), image([("a", b"old")])));
}

fn incapable(disk: Disk) {
    let capabilities = Capabilities { durable_sync: false, lock: false, ..Capabilities::ALL };
    disk.set_capabilities(capabilities);
    assert_eq!(disk.capabilities(), capabilities);
    durable(&disk, "a", b"abc");
    assert_eq!(lost(&disk), image([("a", b"")]));
    let lock = disk.lock("LOCK", Access::Write).expect("a lock");
    drop(disk.lock("LOCK", Access::Write).expect("a lock that excludes nobody"));
    drop(lock);
}
