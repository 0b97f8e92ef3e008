//! The golden scripts of `tests/scripts/engine`, on every disk, with ordinary and with equal hashes.

use keelstone_tests::disk::DiskKind;
use keelstone_tests::script::{Twist, all, blessing, check};

fn run(kind: DiskKind, twist: Twist) {
    let scripts = all("engine");
    assert!(scripts.len() >= 18, "only {} scripts were found", scripts.len());
    let bless = blessing() && kind == DiskKind::Memory && !twist.equal_hashes;
    let failed: Vec<_> =
        scripts.iter().filter_map(|path| check(path, kind, twist, bless).err()).collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

#[test]
fn scripts_on_the_memory_disk() {
    run(DiskKind::Memory, Twist::default());
}

#[test]
fn scripts_on_the_native_disk() {
    run(DiskKind::Native, Twist::default());
}

#[test]
fn scripts_inside_the_sandbox() {
    run(DiskKind::Sandbox, Twist::default());
}

#[test]
fn scripts_with_all_keys_in_one_place_of_the_index() {
    run(DiskKind::Memory, Twist { equal_hashes: true, bug: None });
}
