//! Twenty programs of three operations, each with everything that a crash can leave, written down
//! by hand from the model: no more, and no fewer.
//!
//! A word `a=xy` is a file, `d/` a directory, a dot a zero byte, `-` an empty disk.

use super::{disk_with, image, open, text};
use crate::fault::FaultDisk;
use crate::{SyncMode, Vfs};
use alloc::collections::BTreeSet;
use alloc::string::String;

/// Runs a program on a disk with `start` durable and compares what a crash after it can leave.
#[track_caller]
fn check(start: &str, program: fn(&FaultDisk), killed: &str, power_cut: &[&str]) {
    let disk = disk_with(start);
    program(&disk);
    let states = disk.all_states().unwrap();
    assert_eq!(text(&states.killed), text(&image(killed)), "after a kill");
    let found: BTreeSet<String> = states.power_cut.iter().map(text).collect();
    let expected: BTreeSet<String> =
        power_cut.iter().map(|words| text(&image(&words.replace('-', "")))).collect();
    assert_eq!(expected.len(), power_cut.len(), "an expectation stands twice");
    let more: BTreeSet<_> = found.difference(&expected).collect();
    let fewer: BTreeSet<_> = expected.difference(&found).collect();
    assert!(more.is_empty() && fewer.is_empty(), "not expected {more:?}, not found {fewer:?}");
}

fn write(disk: &FaultDisk, name: &str, bytes: &str, offset: u64) {
    open(disk, name).write_at(bytes.as_bytes(), offset).unwrap();
}

#[test]
fn program_01_a_synced_file_has_no_durable_name() {
    let program = |disk: &FaultDisk| {
        let file = disk.create("a").unwrap();
        file.write_at(b"xy", 0).unwrap();
        file.sync(SyncMode::All).unwrap();
    };
    check("", program, "a=xy", &["-", "a=xy"]);
}

#[test]
fn program_02_a_durable_name_has_any_bytes() {
    let program = |disk: &FaultDisk| {
        disk.create("a").unwrap();
        write(disk, "a", "xy", 0);
        disk.sync_dir("").unwrap();
    };
    check("", program, "a=xy", &["a=", "a=x", "a=.", "a=xy", "a=x.", "a=.y", "a=.."]);
}

#[test]
fn program_03_each_byte_has_any_version() {
    let program = |disk: &FaultDisk| {
        write(disk, "a", "x", 0);
        write(disk, "a", "y", 0);
        write(disk, "a", "z", 1);
    };
    check("a=pq", program, "a=yz", &["a=pq", "a=pz", "a=xq", "a=xz", "a=yq", "a=yz"]);
}

#[test]
fn program_04_a_sync_of_the_bytes_ends_at_the_durable_length() {
    let program = |disk: &FaultDisk| {
        write(disk, "a", "xyz", 1);
        open(disk, "a").sync(SyncMode::Data).unwrap();
        write(disk, "a", "w", 0);
    };
    let left = [
        "a=px", "a=wx", "a=px.", "a=pxy", "a=wx.", "a=wxy", "a=px..", "a=px.z", "a=pxy.", "a=pxyz",
        "a=wx..", "a=wx.z", "a=wxy.", "a=wxyz",
    ];
    check("a=pq", program, "a=wxyz", &left);
}

#[test]
fn program_05_a_cut_and_growth_without_a_full_sync() {
    let program = |disk: &FaultDisk| {
        open(disk, "a").set_len(1).unwrap();
        write(disk, "a", "z", 2);
        open(disk, "a").sync(SyncMode::Data).unwrap();
    };
    check("a=pqr", program, "a=p.z", &["a=p.z", "a=p"]);
}

#[test]
fn program_06_bytes_come_back_when_a_cut_is_lost() {
    let program = |disk: &FaultDisk| {
        open(disk, "a").set_len(1).unwrap();
        open(disk, "a").set_len(3).unwrap();
        write(disk, "a", "y", 1);
    };
    let left = ["a=p", "a=pqr", "a=pq.", "a=p.r", "a=p..", "a=pyr", "a=py."];
    check("a=pqr", program, "a=py.", &left);
}

#[test]
fn program_07_allocated_space_is_zero_and_needs_a_full_sync() {
    let program = |disk: &FaultDisk| {
        open(disk, "a").allocate(0, 3).unwrap();
        write(disk, "a", "x", 1);
        open(disk, "a").sync(SyncMode::Data).unwrap();
    };
    check("a=p", program, "a=px.", &["a=p", "a=p..", "a=px."]);
}

#[test]
fn program_08_allocating_after_a_synced_cut() {
    let program = |disk: &FaultDisk| {
        open(disk, "a").set_len(1).unwrap();
        open(disk, "a").sync(SyncMode::All).unwrap();
        open(disk, "a").allocate(1, 2).unwrap();
    };
    check("a=pq", program, "a=p..", &["a=p", "a=p.."]);
}

#[test]
fn program_09_bytes_beyond_a_cut_are_not_synced() {
    let program = |disk: &FaultDisk| {
        write(disk, "a", "x", 2);
        open(disk, "a").set_len(2).unwrap();
        open(disk, "a").sync(SyncMode::Data).unwrap();
    };
    check("a=pqr", program, "a=pq", &["a=pq", "a=pqr", "a=pqx"]);
}

#[test]
fn program_10_synced_bytes_under_either_name() {
    let program = |disk: &FaultDisk| {
        disk.rename("a", "b").unwrap();
        write(disk, "b", "x", 0);
        open(disk, "b").sync(SyncMode::Data).unwrap();
    };
    check("a=p", program, "b=x", &["a=x", "b=x"]);
}

#[test]
fn program_11_a_synced_replacement() {
    let program = |disk: &FaultDisk| {
        disk.rename("a", "b").unwrap();
        disk.sync_dir("").unwrap();
        write(disk, "b", "x", 0);
    };
    check("a=p b=q", program, "b=x", &["b=p", "b=x"]);
}

#[test]
fn program_12_a_replacement_without_any_sync() {
    let program = |disk: &FaultDisk| {
        disk.create("a").unwrap();
        write(disk, "a", "x", 0);
        disk.rename("a", "b").unwrap();
    };
    let left = ["b=q", "a= b=q", "a=. b=q", "a=x b=q", "b=", "b=.", "b=x"];
    check("b=q", program, "b=x", &left);
}

#[test]
fn program_13_a_replaced_file_goes_with_its_name() {
    let program = |disk: &FaultDisk| {
        write(disk, "b", "x", 0);
        disk.rename("a", "b").unwrap();
        disk.remove("b").unwrap();
    };
    check("a=p b=q", program, "", &["a=p b=q", "a=p b=x", "b=p", "-"]);
}

#[test]
fn program_14_a_name_used_again() {
    let program = |disk: &FaultDisk| {
        disk.remove("a").unwrap();
        disk.create("a").unwrap();
        write(disk, "a", "xy", 0);
    };
    let left = ["a=p", "-", "a=", "a=x", "a=.", "a=xy", "a=x.", "a=.y", "a=.."];
    check("a=p", program, "a=xy", &left);
}

#[test]
fn program_15_a_directory_where_a_file_was() {
    let program = |disk: &FaultDisk| {
        disk.remove("a").unwrap();
        disk.create_dir("a").unwrap();
        disk.create("a/b").unwrap();
    };
    check("a=p", program, "a/ a/b=", &["a=p", "-", "a/", "a/ a/b="]);
}

#[test]
fn program_16_a_synced_directory_without_a_durable_name() {
    let program = |disk: &FaultDisk| {
        disk.create_dir("d").unwrap();
        disk.create("d/a").unwrap();
        disk.sync_dir("d").unwrap();
    };
    check("", program, "d/ d/a=", &["-", "d/ d/a="]);
}

#[test]
fn program_17_a_move_with_one_directory_synced() {
    let program = |disk: &FaultDisk| {
        disk.rename("a", "d/b").unwrap();
        disk.sync_dir("").unwrap();
        disk.create("a").unwrap();
    };
    let left = ["a=p d/", "d/ d/b=p", "a= d/ d/b=p"];
    check("a=p d/", program, "a= d/ d/b=p", &left);
}

#[test]
fn program_18_files_know_nothing_of_each_other() {
    let program = |disk: &FaultDisk| {
        write(disk, "a", "x", 0);
        write(disk, "b", "y", 0);
        disk.remove("a").unwrap();
    };
    let left = ["a=p b=q", "a=x b=q", "a=p b=y", "a=x b=y", "b=q", "b=y"];
    check("a=p b=q", program, "b=y", &left);
}

#[test]
fn program_19_a_chain_of_renames() {
    let program = |disk: &FaultDisk| {
        disk.rename("a", "b").unwrap();
        disk.rename("b", "c").unwrap();
        disk.create("a").unwrap();
    };
    check("a=p", program, "a= c=p", &["a=p", "b=p", "c=p", "a= b=p", "a= c=p"]);
}

#[test]
fn program_20_a_synced_remove_and_an_unsynced_rename() {
    let program = |disk: &FaultDisk| {
        disk.remove("a").unwrap();
        disk.sync_dir("").unwrap();
        disk.rename("b", "a").unwrap();
    };
    check("a=p b=q", program, "a=q", &["b=q", "a=q"]);
}
