//! Recordings: that a point of a trace is the disk as it was, and that walking is cheap and exact.

use super::{image, open, random_step, text};
use crate::fault::dice::Dice;
use crate::fault::{FaultDisk, Happened, Moment, PowerCut};
use crate::{SyncMode, Vfs};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

#[test]
fn a_trace_has_one_line_for_each_operation() {
    let disk = FaultDisk::recording();
    let file = disk.create("a").unwrap();
    disk.mark(1);
    file.write_at(b"hello", 3).unwrap();
    file.read_at(&mut [0; 2], 0).unwrap();
    file.sync(SyncMode::Data).unwrap();
    disk.mark(2);
    disk.mark(3);
    file.allocate(0, 100).unwrap();
    file.set_len(8).unwrap();
    file.sync(SyncMode::All).unwrap();
    disk.create_dir("d").unwrap();
    disk.rename("a", "d/b").unwrap();
    assert!(disk.remove("a").is_err());
    disk.lie(true);
    disk.sync_dir("").unwrap();
    disk.flip("d/b", 3, 7).unwrap();
    disk.remove("d/b").unwrap();
    disk.mark(4);
    let trace = disk.trace();
    let expected = "\
        create a\nmark 1\nwrite a 3+5\nsync a data\nmark 2\nmark 3\nallocate a 100\n\
        set_len a 8\nsync a all\ncreate_dir d\nrename a d/b\nsync_dir . lied\n\
        flip d/b 3.7\nremove d/b\nmark 4\n";
    assert_eq!(trace.to_string(), expected);
    assert_eq!((trace.len(), trace.is_empty()), (11, false));
    assert_eq!((trace.line(1).as_deref(), trace.line(11)), (Some("write a 3+5"), None));
    assert_eq!((trace.bytes(0), trace.bytes(1)), (0, 5));
    assert_eq!(trace.marks(), [(1, 1), (3, 2), (3, 3), (11, 4)]);
    assert_eq!(trace.marks_before(3).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(trace.marks_before(0).count(), 0);
}

#[test]
fn operations_are_values_too_but_for_lies_and_damage() {
    let disk = FaultDisk::recording();
    let file = disk.create("a").unwrap();
    file.write_at(b"hi", 3).unwrap();
    disk.rename("a", "b").unwrap();
    file.set_len(4).unwrap();
    file.sync(SyncMode::Data).unwrap();
    disk.sync_dir("").unwrap();
    disk.lie(true);
    file.sync(SyncMode::All).unwrap();
    disk.flip("b", 3, 0).unwrap();
    disk.remove("b").unwrap();
    let trace = disk.trace();
    let happened: Vec<_> = (0..=trace.len()).map(|op| trace.happened(op)).collect();
    let expected = [
        Some(Happened::Create { name: "a", file: 0 }),
        Some(Happened::Write { file: 0, offset: 3, bytes: b"hi" }),
        Some(Happened::Rename { from: "a", to: "b" }),
        Some(Happened::SetLen { file: 0, len: 4 }),
        Some(Happened::Sync { file: 0, mode: SyncMode::Data }),
        Some(Happened::SyncDir { dir: "" }),
        None,
        None,
        Some(Happened::Remove { name: "b" }),
        None,
    ];
    assert_eq!(happened, expected);
}

/// Everything that can be known about a disk.
fn all_of(disk: &FaultDisk) -> String {
    let states = disk.all_states().map(|states| states.power_cut.iter().map(text).collect());
    let states: Option<Vec<String>> = states;
    format!("{disk:?} {} {} {states:?}", text(&disk.cached()), text(&disk.durable()))
}

#[test]
fn every_point_is_the_disk_as_it_was() {
    for seed in 0..60 {
        let disk = FaultDisk::recording();
        let mut dice = Dice::new(seed);
        let mut was = vec![all_of(&disk)];
        while was.len() < 15 {
            random_step(&disk, &mut dice);
            let len = disk.trace().len();
            was.resize(len + 1, all_of(&disk));
        }
        let trace = disk.trace();
        for moment in trace.walk().filter(|moment| moment.bytes == 0) {
            assert_eq!(all_of(&moment.disk), was[moment.op], "seed {seed} op {}", moment.op);
        }
        for op in (0..=trace.len()).rev() {
            assert_eq!(all_of(&trace.disk_at(op, 0)), was[op], "seed {seed} op {op}");
        }
    }
}

#[test]
fn a_walk_visits_every_byte_and_agrees_with_a_jump() {
    let disk = FaultDisk::recording();
    let file = disk.create("a").unwrap();
    file.write_at(b"abc", 0).unwrap();
    file.sync(SyncMode::All).unwrap();
    file.write_at(b"xyz", 2).unwrap();
    let trace = disk.trace();
    let points: Vec<(usize, usize)> =
        trace.walk().map(|moment| (moment.op, moment.bytes)).collect();
    let expected = [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (3, 0), (3, 1), (3, 2), (4, 0)];
    assert_eq!(points, expected);
    for Moment { op, bytes, disk } in trace.walk() {
        assert_eq!(all_of(&disk), all_of(&trace.disk_at(op, bytes)));
    }
    assert_eq!(trace.disk_at(3, 2).cached(), image("a=abxy"));
    assert_eq!(trace.disk_at(3, 2).durable(), image(""));
    assert_eq!(trace.disk_at(3, 99).cached(), image("a=abxyz"));
    assert_eq!(trace.disk_at(99, 99).cached(), image("a=abxyz"));
    let mut walk = trace.walk();
    walk.seek(3, 1);
    walk.seek(1, 2);
    assert_eq!(walk.disk().cached(), image("a=ab"));
}

#[test]
fn a_halt_is_the_same_point_of_the_trace() {
    fn work(disk: &FaultDisk) -> crate::Result<()> {
        let file = disk.create("a")?;
        file.write_at(b"abc", 0)?;
        file.sync(SyncMode::All)?;
        disk.sync_dir("")?;
        file.write_at(b"xy", 1)?;
        disk.rename("a", "b")
    }
    let recorded = FaultDisk::recording();
    work(&recorded).unwrap();
    let trace = recorded.trace();
    for Moment { op, bytes, disk } in trace.walk().filter(|moment| moment.op < 6) {
        let halted = FaultDisk::new();
        halted.halt(op as u64, bytes);
        assert!(work(&halted).is_err());
        assert_eq!(all_of(&halted.kill()), all_of(&disk), "op {op} bytes {bytes}");
    }
}

#[test]
fn recording_can_begin_anywhere() {
    let disk = super::disk_with("a=p");
    let file = open(&disk, "a");
    file.write_at(b"xy", 0).unwrap();
    assert!(disk.trace().is_empty());
    disk.record();
    file.write_at(b"z", 2).unwrap();
    let trace = disk.trace();
    assert_eq!(trace.to_string(), "write a 2+1\n");
    assert_eq!(trace.disk_at(0, 0).cached(), image("a=xy"));
    assert_eq!(trace.disk_at(1, 0).durable(), image("a=p"));
    assert_eq!(disk.kill().trace().len(), 0);
}

#[test]
fn a_removed_file_is_replayed_as_long_as_somebody_writes_it() {
    let disk = FaultDisk::recording();
    let file = disk.create("a").unwrap();
    disk.sync_dir("").unwrap();
    disk.remove("a").unwrap();
    disk.sync_dir("").unwrap();
    file.write_at(b"xy", 0).unwrap();
    file.sync(SyncMode::All).unwrap();
    drop(file);
    assert_eq!(disk.trace().walk().map(|moment| moment.disk.cached().len()).max(), Some(1));
    assert_eq!(disk.trace().disk_at(6, 0).cached(), image(""));
}

#[test]
fn walking_a_hundred_thousand_bytes_is_quick_enough_to_do_in_a_test() {
    let disk = FaultDisk::recording();
    let file = disk.create("log").unwrap();
    for at in 0..1_000 {
        file.write_at(&[7; 100], at * 100).unwrap();
        file.sync(SyncMode::All).unwrap();
    }
    let trace = disk.trace();
    let mut total = 0;
    for moment in trace.walk() {
        total += moment.disk.power_cut(&PowerCut::Lost).durable().len();
        total += moment.disk.pending_bytes("log");
    }
    assert_eq!(trace.walk().count(), 101_002);
    assert_eq!(total, 1_000 * (100 * 101 / 2));
}
