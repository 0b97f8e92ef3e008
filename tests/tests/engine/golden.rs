//! The golden scripts of `tests/scripts/engine`, on every disk, in both layouts, with ordinary and with equal hashes; and
//! those of `tests/scripts/ordered`, which only the ordered layout can tell.

use keelstone::Layout;
use keelstone_tests::disk::DiskKind;
use keelstone_tests::script::{Twist, all, blessing, check};

fn run(kind: DiskKind, twist: Twist) {
    of("engine", 18, Layout::Hash, kind, twist);
}

/// Runs the scripts of a folder, at least so many, which are recorded in one layout.
fn of(folder: &str, least: usize, recorded: Layout, kind: DiskKind, twist: Twist) {
    let scripts = all(folder);
    assert!(scripts.len() >= least, "only {} scripts were found", scripts.len());
    let same = twist.layout == recorded && !twist.equal_hashes;
    let bless = blessing() && kind == DiskKind::Memory && same;
    let failed: Vec<_> =
        scripts.iter().filter_map(|path| check(path, kind, twist, bless).err()).collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

#[test]
fn scripts_on_the_memory_disk() {
    run(DiskKind::Memory, Twist::HASH);
}

#[test]
fn scripts_on_the_native_disk() {
    run(DiskKind::Native, Twist::HASH);
}

#[test]
fn scripts_inside_the_sandbox() {
    run(DiskKind::Sandbox, Twist::HASH);
}

#[test]
fn scripts_with_all_keys_in_one_place_of_the_index() {
    run(DiskKind::Memory, Twist { equal_hashes: true, ..Twist::HASH });
}

#[test]
fn scripts_in_the_ordered_layout_on_the_memory_disk() {
    run(DiskKind::Memory, Twist::ORDERED);
    of("ordered", 4, Layout::Ordered, DiskKind::Memory, Twist::ORDERED);
}

#[test]
fn scripts_in_the_ordered_layout_on_the_native_disk() {
    run(DiskKind::Native, Twist::ORDERED);
    of("ordered", 4, Layout::Ordered, DiskKind::Native, Twist::ORDERED);
}

#[test]
fn scripts_in_the_ordered_layout_inside_the_sandbox() {
    run(DiskKind::Sandbox, Twist::ORDERED);
    of("ordered", 4, Layout::Ordered, DiskKind::Sandbox, Twist::ORDERED);
}
