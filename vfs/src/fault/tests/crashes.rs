//! Crashes: that the systematic and the seeded power cuts leave what the complete sets hold, and
//! that what is left behaves as a disk.

use super::{disk_with, image, open, random_step, text};
use crate::fault::dice::Dice;
use crate::fault::{EndStates, FaultDisk, PowerCut, Rest};
use crate::{Access, Image, Kind, SyncMode, Vfs};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Disks after a few operations by dice, with all that a crash can leave there.
fn random_disks(steps: usize) -> impl Iterator<Item = (u64, FaultDisk, EndStates)> {
    let disks = (0..400).map(move |seed| {
        let mut dice = Dice::new(seed);
        let disk = disk_with(["", "a=pq", "d/ d/a=p", "a=pqr b=s"][dice.below(4)]);
        (0..steps).for_each(|_| drop(random_step(&disk, &mut dice)));
        (seed, disk)
    });
    disks.filter_map(|(seed, disk)| disk.all_states().map(|states| (seed, disk, states)))
}

#[test]
fn systematic_cuts_are_possible_states() {
    let mut cuts = 0;
    for (seed, disk, states) in random_disks(7) {
        assert_eq!(states.killed, disk.kill().cached());
        for (what, left) in disk.power_cuts() {
            let image = left.cached();
            assert!(states.power_cut.contains(&image), "seed {seed}: {what}: {}", text(&image));
            assert_eq!(left.durable(), image, "all that is left is durable");
            cuts += 1;
        }
    }
    assert!(cuts > 3_000, "{cuts} cuts");
}

#[test]
fn seeded_cuts_without_garbage_are_possible_states() {
    for (seed, disk, states) in random_disks(7) {
        let state = disk.live().state.clone();
        for roll in 0..50 {
            let left = state.roll(&mut Dice::new(roll), false);
            let image = FaultDisk::from_state(left, disk.capabilities()).cached();
            assert!(states.power_cut.contains(&image), "seed {seed} {roll}: {}", text(&image));
        }
    }
}

#[test]
fn seeded_cuts_reach_every_state() {
    let disk = disk_with("a=pq");
    open(&disk, "a").write_at(b"xyz", 0).unwrap();
    disk.create("b").unwrap();
    disk.rename("a", "c").unwrap();
    let seeded = |seed| disk.power_cut(&PowerCut::Seeded(seed)).cached();
    let left: BTreeSet<Image> = (0..20_000).map(seeded).collect();
    let states = disk.all_states().unwrap().power_cut;
    let missing: Vec<String> = states.difference(&left).map(text).collect();
    assert!(missing.is_empty(), "never left: {missing:?}");
    assert_eq!(seeded(5), seeded(5));
}

#[test]
fn garbage_stays_within_what_was_written() {
    let disk = disk_with("a=pqrs");
    open(&disk, "a").write_at(b"xy", 1).unwrap();
    let mut bytes: BTreeSet<u8> = BTreeSet::new();
    for seed in 0..2_000 {
        let left = disk.power_cut(&PowerCut::Seeded(seed)).cached();
        let file = &left["a"];
        assert_eq!((file.len(), file[0], file[3]), (4, b'p', b's'));
        bytes.extend(&file[1..3]);
    }
    assert!(bytes.contains(&0xa5) && bytes.contains(&b'x') && bytes.contains(&b'q'));
}

#[test]
fn the_systematic_cuts_of_a_small_disk() {
    let disk = disk_with("a=p");
    open(&disk, "a").write_at(b"xy", 0).unwrap();
    disk.rename("a", "b").unwrap();
    disk.create("c").unwrap();
    let cuts: Vec<(String, String)> =
        disk.power_cuts().map(|(what, left)| (what, text(&left.cached()))).collect();
    let expected = [
        ("all lost", "a=p"),
        ("all kept", "b=xy c="),
        ("names kept, bytes lost", "b=p c="),
        ("bytes kept, names lost", "a=xy"),
        ("names and lengths kept, bytes lost", "b=p. c="),
        ("b torn after 0 bytes, rest lost", "b=p"),
        ("b torn after 0 bytes, rest kept", "b=p c="),
        ("b torn after 1 bytes, rest lost", "b=x"),
        ("b torn after 1 bytes, rest kept", "b=x c="),
        ("b torn after 2 bytes, rest lost", "b=xy"),
        ("b torn after 2 bytes, rest kept", "b=xy c="),
        ("a torn after 0 bytes, rest lost", "a=p"),
        ("a torn after 1 bytes, rest lost", "a=x"),
        ("a torn after 2 bytes, rest lost", "a=xy"),
        ("name operation 0 lost: rename a b", "a=xy c="),
        ("name operation 0 early: rename a b", "b=p"),
        ("name operation 1 lost: create c", "b=xy"),
        ("name operation 1 early: create c", "a=p c="),
    ];
    let expected: Vec<(String, String)> =
        expected.iter().map(|(what, left)| (what.to_string(), left.to_string())).collect();
    assert_eq!(cuts, expected);
}

#[test]
fn a_removed_file_is_torn_where_its_removal_is_lost() {
    let disk = disk_with("a=p");
    open(&disk, "a").write_at(b"xy", 0).unwrap();
    disk.remove("a").unwrap();
    let left: BTreeSet<String> = disk.power_cuts().map(|(_, left)| text(&left.cached())).collect();
    assert_eq!(left, ["", "a=p", "a=x", "a=xy"].map(String::from).into());
}

#[test]
fn a_torn_file_keeps_the_lengths_between_its_bytes() {
    let disk = disk_with("a=pqr");
    let file = open(&disk, "a");
    file.set_len(1).unwrap();
    file.write_at(b"xy", 2).unwrap();
    file.set_len(3).unwrap();
    file.write_at(b"z", 0).unwrap();
    let torn = |bytes| {
        let choice = PowerCut::Torn { file: "a".to_string(), bytes, rest: Rest::Kept };
        text(&disk.power_cut(&choice).cached())
    };
    assert_eq!([0, 1, 2, 3, 4].map(torn), ["a=p", "a=p.x", "a=p.x", "a=z.x", "a=z.x"]);
}

#[test]
fn what_a_name_needs_comes_early_with_it() {
    let disk = disk_with("");
    disk.create_dir("d").unwrap();
    disk.create("d/a").unwrap();
    open(&disk, "d/a").write_at(b"xy", 0).unwrap();
    disk.create("b").unwrap();
    let choice = PowerCut::Torn { file: "d/a".to_string(), bytes: 1, rest: Rest::Lost };
    assert_eq!(disk.power_cut(&choice).cached(), image("d/ d/a=x"));
    disk.rename("b", "c").unwrap();
    assert_eq!(disk.power_cut(&PowerCut::NameEarly(3)).cached(), image("c="));
    assert_eq!(disk.power_cut(&PowerCut::NameLost(2)).cached(), image("d/ d/a=xy"));
}

#[test]
fn a_kill_keeps_what_is_pending_pending() {
    let disk = disk_with("a=p");
    let file = open(&disk, "a");
    file.write_at(b"xy", 0).unwrap();
    disk.create("b").unwrap();
    let lock = disk.lock("LOCK", Access::Write).unwrap();
    let left = disk.kill();
    assert_eq!(left.all_states(), disk.all_states());
    // Two disks from here on.
    file.write_at(b"z", 0).unwrap();
    assert_eq!(left.cached(), image("LOCK= a=xy b="));
    left.remove("b").unwrap();
    assert_eq!(disk.cached(), image("LOCK= a=zy b="));
    left.lock("LOCK", Access::Write).unwrap();
    assert_eq!(disk.lock("LOCK", Access::Write).err().unwrap().kind, Kind::Locked);
    drop(lock);
    // Killed, recovered, and then the power fails.
    open(&left, "a").sync(SyncMode::All).unwrap();
    assert_eq!(left.power_cut(&PowerCut::Lost).cached(), image("a=xy"));
}

#[test]
fn a_clone_is_the_same_disk_and_a_cut_is_another() {
    let disk = disk_with("a=p");
    let (same, other) = (disk.clone(), disk.power_cut(&PowerCut::Lost));
    same.create("b").unwrap();
    other.create("c").unwrap();
    assert_eq!(disk.cached(), image("a=p b="));
    assert_eq!(other.cached(), image("a=p c="));
}

#[test]
fn the_text_of_a_disk_is_stable() {
    let disk = disk_with("a=p d/");
    open(&disk, "a").write_at(b"xy", 0).unwrap();
    disk.rename("a", "d/b").unwrap();
    let text = alloc::format!("{disk:?}");
    assert_eq!(text, "d/\nd/b len=2 durable=1 pending=2\npending rename a d/b\n");
    assert_eq!((disk.pending_bytes("d/b"), disk.pending_names()), (2, 1));
}

#[test]
fn too_many_states_are_none() {
    let disk = disk_with("a=");
    open(&disk, "a").write_at(&[1; 100], 0).unwrap();
    assert_eq!(disk.all_states(), None);
}

#[test]
fn a_disk_left_by_a_crash_works() {
    for (seed, disk, _) in random_disks(6) {
        for (what, left) in disk.power_cuts().chain([("kill".to_string(), disk.kill())]) {
            let memory = crate::MemoryDisk::from_image(&left.cached());
            let (mut one, mut two) = (Dice::new(seed), Dice::new(seed));
            for _ in 0..10 {
                let did = random_step(&left, &mut one);
                assert_eq!(did, random_step(&memory, &mut two), "seed {seed}: {what}");
            }
        }
    }
}

#[test]
fn files_without_names_are_forgotten() {
    let disk = disk_with("");
    let kept = disk.create("kept").unwrap();
    for at in 0..100 {
        let name = at.to_string();
        disk.create(&name).unwrap().write_at(b"x", 0).unwrap();
        disk.remove(&name).unwrap();
    }
    disk.remove("kept").unwrap();
    disk.sync_dir("").unwrap();
    kept.write_at(b"still there", 0).unwrap();
    let inodes = |disk: &FaultDisk| -> BTreeMap<u64, _> { disk.live().state.inodes.clone() };
    assert_eq!(inodes(&disk).len(), 1);
    drop(kept);
    assert_eq!(inodes(&disk).len(), 0);
}
