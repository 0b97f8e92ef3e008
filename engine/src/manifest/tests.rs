//! Edits and their state, CURRENT and its two slots, manifests that end torn, grow long, or lose
//! power while switching.

#![expect(clippy::unwrap_used, reason = "a test that fails")]

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use keelstone_vfs::fault::Effect;
use keelstone_vfs::{Access, FaultDisk, Image, Kind, MemoryDisk};

use super::current::decode_slot;
use super::*;
use crate::codec;
use crate::error::Damage;
use crate::record::FORMAT_VERSION;

const SEED: u128 = 0xabcd << 64 | 7;
const SLOT: usize = CURRENT_BYTES / 2;

/// Every kind of edit with numbers from both ends.
fn edits() -> Vec<Edit> {
    let mut all = vec![Edit::Layout { layout: 0 }, Edit::Layout { layout: 255 }];
    for n in [0, 1, 255, u64::from(u32::MAX), u64::MAX] {
        let m = u64::MAX - n;
        all.push(Edit::NextFile { number: n });
        for kind in [FileKind::Log, FileKind::Segment] {
            for status in [Status::Begun, Status::Sealed { len: m }, Status::Ended { offset: n }] {
                let (first_seq, last_seq) = (m, n);
                let file = LiveFile { kind, number: n, age: m, status, first_seq, last_seq };
                all.push(Edit::File(file));
            }
        }
        all.push(Edit::Begin { number: n, first_seq: m });
        all.push(Edit::Sealed { number: n, len: m, last_seq: 3 });
        all.push(Edit::Ended { number: n, offset: m, last_seq: 4 });
        all.push(Edit::Removed { number: n });
        all.push(Edit::Mark { seq: n, time_ms: m });
        all.push(Edit::Continued { number: n });
    }
    all
}

fn bytes_of(edit: &Edit) -> Vec<u8> {
    let mut bytes = Vec::new();
    edit.encode(&mut bytes);
    bytes
}

#[test]
fn every_edit_comes_back_and_with_a_byte_more_or_less_it_is_refused() {
    for edit in edits() {
        let bytes = bytes_of(&edit);
        assert_eq!(decode_edit(&bytes), Ok(edit.clone()));
        for len in 0..bytes.len() {
            assert_eq!(decode_edit(&bytes[..len]), Err(Damage::Length), "{edit:?} len={len}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(decode_edit(&longer), Err(Damage::Length), "{edit:?}");
    }
}

#[test]
fn unknown_edits_and_unknown_words_in_edits_are_refused() {
    for tag in (0..=255).filter(|tag| !(1..=13).contains(tag)) {
        assert_eq!(decode_edit(&[tag, 0, 0, 0, 0, 0, 0, 0, 0]), Err(Damage::Kind), "tag={tag}");
    }
    assert_eq!(decode_edit(&[1, 0, 1, 0, 0, 0, 0, 0, 0]), Err(Damage::Kind), "layout 256");
    let file = |kind: u64, status: u64| {
        let fields = [kind, 1, 1, status, 0, 0, 0];
        let fields = fields.iter().flat_map(|field| field.to_le_bytes());
        decode_edit(&[3].into_iter().chain(fields).collect::<Vec<u8>>())
    };
    assert!(file(2, 0).is_ok());
    for wrong in [0, 1, 4, u64::MAX] {
        assert_eq!(file(wrong, 0), Err(Damage::Kind), "kind={wrong}");
    }
    for wrong in [3, u64::MAX] {
        assert_eq!(file(2, wrong), Err(Damage::Kind), "status={wrong}");
    }
}

fn log_file(number: u64) -> LiveFile {
    let (kind, age, status) = (FileKind::Log, number, Status::Begun);
    LiveFile { kind, number, age, status, first_seq: 1, last_seq: 0 }
}

/// The state after these edits, from nothing.
fn state(edits: &[Edit]) -> State {
    let mut state = State::new(1);
    for edit in edits {
        assert_eq!(state.apply(edit), Ok(()), "{edit:?}");
    }
    state
}

#[test]
fn a_state_is_what_its_edits_make() {
    let state = state(&[
        Edit::Begin { number: 3, first_seq: 1 },
        Edit::Sealed { number: 3, len: 900, last_seq: 20 },
        Edit::Begin { number: 5, first_seq: 21 },
        Edit::Ended { number: 5, offset: 300, last_seq: 25 },
        Edit::Begin { number: 6, first_seq: 26 },
        Edit::Removed { number: 3 },
        Edit::Mark { seq: 23, time_ms: 70 },
        Edit::Mark { seq: 1, time_ms: 1 },
    ]);
    assert_eq!((state.mark_seq, state.mark_time_ms, state.next_file), (25, 70, 7));
    let status: Vec<Status> = state.files.iter().map(|file| file.status).collect();
    assert_eq!(status, [Status::Ended { offset: 300 }, Status::Begun]);
    let mut again = State::new(0);
    for edit in state.edits() {
        again.apply(&edit).unwrap();
    }
    assert_eq!(again, state);
}

#[test]
fn edits_that_do_not_fit_the_state_are_damage_and_the_rest_is_taken() {
    let has_one = || state(&[Edit::Begin { number: 1, first_seq: 1 }]);
    let damage = |edit: Edit| has_one().apply(&edit).err();
    assert_eq!(damage(Edit::Begin { number: 1, first_seq: 5 }), Some(Damage::Kind));
    assert_eq!(damage(Edit::File(log_file(1))), Some(Damage::Kind));
    assert_eq!(damage(Edit::Removed { number: 2 }), Some(Damage::Kind));
    assert_eq!(damage(Edit::Sealed { number: 2, len: 9, last_seq: 9 }), Some(Damage::Kind));
    assert_eq!(damage(Edit::Ended { number: 2, offset: 9, last_seq: 9 }), Some(Damage::Kind));
    assert_eq!(damage(Edit::File(log_file(u64::MAX))), Some(Damage::Length));
    assert_eq!(damage(Edit::Begin { number: u64::MAX, first_seq: 1 }), Some(Damage::Length));
    assert_eq!(damage(Edit::Removed { number: 1 }), None);
}

#[test]
fn no_edit_makes_a_state_panic_whatever_its_numbers() {
    for first in edits() {
        let mut after_one = State::new(1);
        let _may_be_damage = after_one.apply(&first);
        for second in edits() {
            let mut state = after_one.clone();
            let _may_be_damage = state.apply(&second);
        }
    }
}

#[test]
fn numbers_of_files_are_never_given_twice() {
    let mut state = state(&[Edit::NextFile { number: 40 }, Edit::NextFile { number: 3 }]);
    assert_eq!((state.take_number(), state.take_number()), (Ok(40), Ok(41)));
    state.apply(&Edit::Continued { number: 50 }).unwrap();
    assert_eq!(state.take_number(), Ok(51));
    state.apply(&Edit::Begin { number: 60, first_seq: 1 }).unwrap();
    state.apply(&Edit::Removed { number: 60 }).unwrap();
    assert_eq!(state.take_number(), Ok(61));
}

fn memory() -> (MemoryDisk, Arc<dyn Vfs>) {
    let disk = MemoryDisk::new();
    (disk.clone(), Arc::new(disk))
}

fn fault_disk() -> (FaultDisk, Arc<dyn Vfs>) {
    let disk = FaultDisk::recording();
    (disk.clone(), Arc::new(disk))
}

fn created(vfs: &Arc<dyn Vfs>) -> Manifest {
    Manifest::create(vfs, Switches::default(), SEED, State::new(1)).map_err(Fault::error).unwrap()
}

fn read(vfs: &dyn Vfs, access: Access) -> Result<Loaded> {
    let slots = Slots::read(vfs)?.ok_or(Error::NoStore)?;
    load(vfs, access, &slots)
}

fn read_image(image: &Image) -> Result<Loaded> {
    read(&MemoryDisk::from_image(image), Access::Read)
}

fn resumed(vfs: &Arc<dyn Vfs>) -> Manifest {
    let loaded = read(&**vfs, Access::Write).unwrap();
    Manifest::resume(vfs, Switches::default(), loaded).map_err(Fault::error).unwrap()
}

fn begin(number: u64) -> [Edit; 1] {
    [Edit::Begin { number, first_seq: 1 }]
}

/// Whether the error is damage of this file.
fn damaged(result: Result<Loaded>, file: FileName) -> bool {
    matches!(result.err(), Some(Error::Corrupt(corruption)) if corruption.file == file)
}

#[test]
fn what_was_committed_is_loaded_and_goes_on() {
    let (disk, vfs) = memory();
    let mut manifest = created(&vfs);
    for number in 10..15 {
        manifest.commit(&begin(number)).map_err(Fault::error).unwrap();
        let loaded = read_image(&disk.image()).unwrap();
        assert_eq!(&loaded.state, manifest.state());
        assert_eq!((loaded.seed, loaded.number, loaded.torn), (SEED, 1, false));
        assert_eq!((loaded.end, loaded.next_edit), (manifest.bytes(), number - 7));
        if number % 2 == 0 {
            manifest = resumed(&vfs);
        }
    }
    assert_eq!(manifest.take_number(), Ok(15));
}

#[test]
fn a_commit_with_an_edit_that_does_not_fit_changes_nothing() {
    let (disk, vfs) = memory();
    let mut manifest = created(&vfs);
    let before = (disk.image(), manifest.state().clone());
    let refused = manifest.commit(&[begin(9)[0].clone(), Edit::Removed { number: 8 }]);
    assert!(matches!(refused, Err(Fault::Write(_))));
    assert_eq!((disk.image(), manifest.state().clone()), before);
}

#[test]
fn a_cut_or_turned_bit_in_the_last_edit_is_torn_and_before_it_is_damage() {
    let (disk, vfs) = memory();
    let mut manifest = created(&vfs);
    let name = "000001.manifest";
    let mut ends = vec![(manifest.bytes(), manifest.state().clone())];
    for number in 10..12 {
        manifest.commit(&begin(number)).map_err(Fault::error).unwrap();
        ends.push((manifest.bytes(), manifest.state().clone()));
    }
    let image = disk.image();
    let len = image[name].len();
    assert_eq!(ends[2].0, len as u64);
    let last = usize::try_from(ends[1].0).unwrap();
    for cut in 0..len {
        let mut image = image.clone();
        image.get_mut(name).unwrap().truncate(cut);
        let found = ends.iter().rev().find(|(end, _)| *end <= cut as u64);
        match (read_image(&image), found) {
            (Ok(loaded), Some((end, state))) => {
                assert_eq!((&loaded.state, loaded.end), (state, *end), "cut={cut}");
                assert_eq!(loaded.torn, cut as u64 > *end, "cut={cut}");
            }
            (result, None) => assert!(damaged(result, FileName::Manifest(1)), "cut={cut}"),
            (Err(error), Some(_)) => panic!("cut={cut}: {error}"),
        }
    }
    for bit in 0..len * 8 {
        let mut image = image.clone();
        image.get_mut(name).unwrap()[bit / 8] ^= 1 << (bit % 8);
        let result = read_image(&image);
        if bit / 8 < last {
            assert!(damaged(result, FileName::Manifest(1)), "bit={bit}");
        } else {
            let loaded = result.unwrap();
            assert_eq!((loaded.state, loaded.torn), (ends[1].1.clone(), true), "bit={bit}");
        }
    }
}

#[test]
fn behind_a_torn_tail_nothing_is_written_the_next_edit_goes_to_a_new_manifest() {
    let (disk, vfs) = memory();
    let mut manifest = created(&vfs);
    manifest.commit(&begin(10)).map_err(Fault::error).unwrap();
    let state = manifest.state().clone();
    drop(manifest);
    let file = disk.open("000001.manifest", Access::Write).unwrap();
    file.write_at(b"torn", file.len().unwrap()).unwrap();
    let mut manifest = resumed(&vfs);
    assert_eq!((manifest.state(), manifest.number()), (&state, 1));
    manifest.commit(&begin(11)).map_err(Fault::error).unwrap();
    assert!(manifest.number() > 1);
    let names = vfs.list("").unwrap();
    assert_eq!(names, [alloc::format!("{:06}.manifest", manifest.number()), "CURRENT".into()]);
    let loaded = read_image(&disk.image()).unwrap();
    assert_eq!((&loaded.state, loaded.torn), (manifest.state(), false));
}

#[test]
fn behind_an_append_that_failed_the_next_edit_goes_to_a_new_manifest() {
    for effect in [Effect::None, Effect::Partial(5), Effect::Partial(60), Effect::Full] {
        let (disk, vfs) = fault_disk();
        let mut manifest = created(&vfs);
        manifest.commit(&begin(10)).map_err(Fault::error).unwrap();
        let before = manifest.state().clone();
        let fault = keelstone_vfs::fault::Fault::once(disk.ops(), Kind::Io).with(effect);
        disk.inject(fault);
        assert!(matches!(manifest.commit(&begin(11)), Err(Fault::Write(_))), "{effect:?}");
        assert_eq!(manifest.state(), &before, "{effect:?}");
        manifest.commit(&begin(12)).map_err(Fault::error).unwrap();
        assert!(manifest.number() > 1, "{effect:?}");
        let loaded = read_image(&disk.durable()).unwrap();
        assert_eq!(&loaded.state, manifest.state(), "{effect:?}");
        assert!(!loaded.state.has(11), "{effect:?}");
    }
}

#[test]
fn a_sync_that_fails_is_said_to_be_one() {
    let (disk, vfs) = fault_disk();
    let mut manifest = created(&vfs);
    disk.fail_sync(disk.syncs(), keelstone_vfs::fault::SyncFault::Dropped);
    assert!(matches!(manifest.commit(&begin(11)), Err(Fault::Sync(_))));
}

#[test]
fn a_long_manifest_is_replaced_by_its_state() {
    let (disk, vfs) = memory();
    let mut manifest = created(&vfs);
    manifest.commit(&begin(5)).map_err(Fault::error).unwrap();
    let (mut replaced, mut longest) = (0, 0);
    for seq in 1..3000 {
        let number = manifest.number();
        longest = longest.max(manifest.bytes());
        let mark = Edit::Mark { seq, time_ms: seq };
        manifest.commit(&[mark]).map_err(Fault::error).unwrap();
        if manifest.number() != number {
            replaced += 1;
            let loaded = read_image(&disk.image()).unwrap();
            assert_eq!((&loaded.state, loaded.number), (manifest.state(), manifest.number()));
            assert_eq!(disk.image().len(), 2, "the old one is gone");
        }
    }
    assert!(replaced >= 2 && longest < 2 * REPLACE_BYTES, "{replaced} {longest}");
    assert_eq!(manifest.state().mark_seq, 2999);
}

/// A store with a file, and the operation at which its manifest begins to be replaced.
fn replacing() -> (FaultDisk, State, State, usize) {
    let (disk, vfs) = fault_disk();
    let mut manifest = created(&vfs);
    manifest.commit(&begin(10)).map_err(Fault::error).unwrap();
    let (old, from) = (manifest.state().clone(), disk.trace().len());
    manifest.snapshot_bytes = 0;
    let mut next = manifest.state.clone();
    next.apply(&begin(11)[0]).unwrap();
    manifest.replace(next).map_err(Fault::error).unwrap();
    (disk, old, manifest.state().clone(), from)
}

/// Only which files are live is compared: a number that was lost in between may be given again.
fn files_of(state: &State) -> Vec<LiveFile> {
    state.files.clone()
}

#[test]
fn power_that_fails_at_every_byte_of_a_replacement_leaves_the_old_state_or_the_new() {
    let (disk, old, new, from) = replacing();
    let (old, new) = (files_of(&old), files_of(&new));
    let trace = disk.trace();
    let mut seen = [0, 0];
    for op in from..=trace.len() {
        for bytes in 0..=trace.bytes(op) {
            let now = trace.disk_at(op, bytes);
            let cuts = now.power_cuts().chain([("killed".into(), now.kill())]);
            for (what, left) in cuts {
                let place = || alloc::format!("op {op} byte {bytes}, {what}: {:?}", trace.line(op));
                let loaded = read(&left, Access::Read);
                let files = loaded.map(|l| files_of(&l.state));
                let found = [&old, &new].iter().position(|s| files.as_ref() == Ok(s));
                seen[found.unwrap_or_else(|| panic!("{}: {files:?}", place()))] += 1;
                if bytes == 0 {
                    // Whoever goes on there keeps it, and a second cut changes nothing.
                    let vfs: Arc<dyn Vfs> = Arc::new(left.clone());
                    let mut manifest = resumed(&vfs);
                    manifest.commit(&begin(90)).map_err(Fault::error).unwrap();
                    let durable = read_image(&left.durable()).map(|l| files_of(&l.state));
                    assert_eq!(durable, Ok(files_of(manifest.state())), "{}", place());
                }
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 100), "{seen:?}");
}

#[test]
fn a_continued_manifest_is_followed_and_current_catches_up() {
    let (disk, _, new, _) = replacing();
    let trace = disk.trace();
    // The last write to CURRENT left out: it names the old manifest, whose last edit names the new.
    let switch =
        (0..trace.len()).rev().find(|op| trace.line(*op).unwrap().contains("write CURRENT"));
    let before = trace.disk_at(switch.unwrap(), 0);
    let loaded = read(&before, Access::Read).unwrap();
    assert_eq!((loaded.current.number(), loaded.number > 1), (1, true));
    assert_eq!(files_of(&loaded.state), files_of(&new));
    let vfs: Arc<dyn Vfs> = Arc::new(before.clone());
    let manifest = resumed(&vfs);
    assert_eq!(manifest.number(), loaded.number);
    before.remove_file("000001.manifest").unwrap();
    assert_eq!(files_of(&read(&before, Access::Read).unwrap().state), files_of(&new));
}

#[test]
fn a_manifest_that_is_continued_in_itself_or_in_an_older_one_is_damage() {
    for number in [0, 1] {
        let (disk, vfs) = memory();
        let mut manifest = created(&vfs);
        manifest.commit(&[Edit::Continued { number }]).map_err(Fault::error).unwrap();
        let result = read_image(&disk.image());
        assert!(damaged(result, FileName::Manifest(1)), "number={number}");
    }
    let (disk, vfs) = memory();
    created(&vfs).commit(&[Edit::Continued { number: 9 }]).map_err(Fault::error).unwrap();
    assert!(damaged(read_image(&disk.image()), FileName::Manifest(9)), "a missing one");
}

#[test]
fn a_manifest_of_another_store_or_under_another_number_is_damage() {
    let (disk, vfs) = memory();
    created(&vfs);
    let other = MemoryDisk::new();
    let other_vfs: Arc<dyn Vfs> = Arc::new(other.clone());
    Manifest::create(&other_vfs, Switches::default(), SEED + 1, State::new(1))
        .map_err(Fault::error)
        .unwrap();
    let mut image = disk.image();
    image.insert("000001.manifest".into(), other.image()["000001.manifest"].clone());
    assert!(damaged(read_image(&image), FileName::Manifest(1)));
    let mut image = disk.image();
    image.remove("000001.manifest");
    assert!(damaged(read_image(&image), FileName::Manifest(1)));
}

fn pointer(number: u64) -> Pointer {
    Pointer { number, seed: SEED, layout: 1 }
}

/// CURRENT after so many switches, each to the next number.
fn current_after(switches: u64) -> Vec<u8> {
    let disk = MemoryDisk::new();
    let mut current = Current::create(&disk, pointer(1)).map_err(Fault::error).unwrap();
    for number in 2..2 + switches {
        current.switch(number, Switches::default()).unwrap();
    }
    disk.image()["CURRENT"].clone()
}

fn slots_of(bytes: &[u8]) -> Slots {
    let image: Image = [("CURRENT".into(), bytes.to_vec())].into();
    Slots::read(&MemoryDisk::from_image(&image)).unwrap().unwrap()
}

#[test]
fn slots_are_written_in_turn_and_the_newest_holds() {
    assert!(Slots::read(&MemoryDisk::new()).unwrap().is_none());
    for switches in 0..6 {
        let slots = slots_of(&current_after(switches));
        assert_eq!(slots.newest(), Some((switches, pointer(switches + 1))));
        let older = slots.slots[usize::from(switches % 2 == 0)];
        match switches {
            0 => assert_eq!(older, Slot::Empty),
            n => assert_eq!(older, Slot::Valid { generation: n - 1, pointer: pointer(n) }),
        }
    }
}

#[test]
fn a_switch_that_is_torn_at_every_byte_leaves_the_old_pointer_or_the_new() {
    for switches in 1..4 {
        let (old, new) = (current_after(switches - 1), current_after(switches));
        let from = usize::from(switches % 2 == 1) * SLOT;
        for written in 0..=64 {
            let mut torn = old.clone();
            torn[from..from + written].copy_from_slice(&new[from..from + written]);
            let newest = slots_of(&torn).newest();
            let expected = if torn == new { switches } else { switches - 1 };
            assert_eq!(newest, Some((expected, pointer(expected + 1))), "written={written}");
            // From the other end, too.
            let mut torn = new.clone();
            torn[from..from + written].copy_from_slice(&old[from..from + written]);
            let expected = if torn == new { switches } else { switches - 1 };
            let newest = slots_of(&torn).newest().map(|(generation, _)| generation);
            assert_eq!(newest, Some(expected), "not written={written}");
        }
    }
}

#[test]
fn every_turned_bit_of_a_slot_damages_it_and_the_other_one_holds() {
    let bytes = current_after(1);
    for bit in 0..CURRENT_BYTES * 8 {
        let mut wrong = bytes.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        let index = bit / 8 / SLOT;
        let slots = slots_of(&wrong);
        assert!(matches!(slots.slots[index], Slot::Damaged(_)), "bit={bit}");
        let other = 1 - index as u64;
        assert_eq!(slots.newest(), Some((other, pointer(other + 1))), "bit={bit}");
    }
}

#[test]
fn with_both_slots_damaged_or_cut_off_there_is_no_pointer() {
    let corrupt = Error::Corrupt(crate::error::Corruption {
        file: FileName::Current,
        offset: 0,
        bytes: CURRENT_BYTES as u64,
        what: Damage::Checksum,
    });
    let mut bytes = current_after(1);
    (bytes[20], bytes[SLOT + 20]) = (bytes[20] ^ 1, bytes[SLOT + 20] ^ 1);
    assert_eq!((slots_of(&bytes).newest(), slots_of(&bytes).error()), (None, corrupt));
    let image: Image = [("CURRENT".into(), bytes)].into();
    assert_eq!(read_image(&image).err(), Some(corrupt));
    for len in 0..64 {
        let slots = slots_of(&current_after(1)[..len]);
        assert_eq!((slots.newest(), slots.bytes), (None, len), "len={len}");
    }
}

#[test]
fn the_slots_cannot_change_places() {
    let bytes = current_after(1);
    let swapped = [&bytes[SLOT..], &bytes[..SLOT]].concat();
    let slots = slots_of(&swapped);
    assert_eq!(slots.slots, [Slot::Damaged(Damage::Checksum); 2]);
    assert_eq!(decode_slot(&[1; 63], 0, true), Slot::Damaged(Damage::Length));
}

#[test]
fn a_slot_of_a_newer_version_is_not_ours_to_read_even_beside_a_valid_one() {
    let mut bytes = current_after(1);
    codec::put(&mut bytes, 8, &(FORMAT_VERSION + 1).to_le_bytes());
    assert!(!slots_of(&bytes).newer(), "without its checksum it is damage");
    let crc = codec::crc(&bytes[..60]);
    codec::put(&mut bytes, 60, &crc.to_le_bytes());
    let image: Image = [("CURRENT".into(), bytes)].into();
    let error = Error::Version { format: FORMAT_VERSION + 1, supported: FORMAT_VERSION };
    assert_eq!(read_image(&image).err(), Some(error));
}

#[test]
fn current_is_rebuilt_over_whatever_there_is() {
    let valid = current_after(2);
    let mut one = valid.clone();
    one[3] ^= 1;
    let mut none = one.clone();
    none[SLOT + 3] ^= 1;
    let cases = [(None, 0), (Some(valid), 3), (Some(one), 2), (Some(none), 0), (Some(vec![7]), 0)];
    for (bytes, generation) in cases {
        let image: Image = bytes.map(|bytes| ("CURRENT".into(), bytes)).into_iter().collect();
        let disk = MemoryDisk::from_image(&image);
        let current = Current::rebuild(&disk, pointer(77)).map_err(Fault::error).unwrap();
        assert_eq!(current.number(), 77);
        let slots = Slots::read(&disk).unwrap().unwrap();
        assert_eq!(slots.newest(), Some((generation, pointer(77))));
        let other = slots.slots[usize::from(generation % 2 == 0)];
        assert_eq!((other, slots.bytes), (Slot::Empty, CURRENT_BYTES));
    }
}

#[test]
fn a_rebuild_that_loses_power_at_every_byte_leaves_no_third_pointer() {
    let disk = FaultDisk::new();
    disk.write_file("CURRENT", &current_after(2)).unwrap();
    disk.record();
    Current::rebuild(&disk, pointer(77)).map_err(Fault::error).unwrap();
    let trace = disk.trace();
    for op in 0..=trace.len() {
        for bytes in 0..=trace.bytes(op).min(70) {
            for (what, left) in trace.disk_at(op, bytes).power_cuts() {
                let newest = slots_of(&left.durable()["CURRENT"]).newest();
                let number = newest.map(|(_, pointer)| pointer.number);
                assert!(matches!(number, Some(3 | 77)), "op {op} byte {bytes} {what}: {newest:?}");
            }
        }
    }
}

#[test]
fn what_was_read_is_durable_before_it_is_relied_on() {
    let (disk, vfs) = fault_disk();
    created(&vfs);
    let image = disk.cached();
    // A killed process: everything is there and nothing is durable but the names.
    let disk = FaultDisk::new();
    for (name, bytes) in &image {
        disk.write_file(name, &[]).unwrap();
        disk.open(name, Access::Write).unwrap().write_at(bytes, 0).unwrap();
    }
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    resumed(&vfs);
    assert_eq!(disk.durable(), image);
}

fn table(number: u64, level: u8) -> Edit {
    let meta = TableMeta {
        number,
        len: 5_000,
        first: b"apple".to_vec(),
        last: b"pear".to_vec(),
        last_exclusive: true,
        entries: 12,
        tombstones: 3,
        ranges: 1,
        min_seq: 4,
        max_seq: 16,
        expires: Some((1, 2)),
        raw_bytes: 321,
    };
    Edit::Table(Arc::new(LiveTable { level, meta }))
}

#[test]
fn edits_of_tables_come_back_as_they_were() {
    let order = Edit::Order { name: b"reverse/1".to_vec() };
    let mut state = State::new(2);
    let list = [table(5, 0), table(6, 2), Edit::Moved { number: 5, level: 1 }, order];
    for edit in list {
        assert_eq!(decode_edit(&bytes_of(&edit)), Ok(edit.clone()));
        state.apply(&edit).unwrap();
    }
    state.apply(&Edit::Flushed { seq: 16 }).unwrap();
    assert_eq!((state.numbers(), state.flushed_seq, state.mark_seq), (vec![5, 6], 16, 16));
    let mut again = State::new(2);
    state.edits().iter().for_each(|edit| again.apply(edit).unwrap());
    assert_eq!(again, state);
    assert_eq!(state.tables.iter().map(|table| table.level).collect::<Vec<_>>(), [1, 2]);
    state.apply(&Edit::Removed { number: 5 }).unwrap();
    assert_eq!(state.numbers(), [6]);
}

#[test]
fn edits_of_tables_that_cannot_be_are_refused() {
    let mut state = State::new(2);
    state.apply(&table(5, 0)).unwrap();
    assert_eq!(state.apply(&table(5, 1)), Err(Damage::Kind), "the number is taken");
    assert_eq!(state.apply(&Edit::Begin { number: 5, first_seq: 1 }), Err(Damage::Kind));
    assert_eq!(state.apply(&Edit::Moved { number: 9, level: 1 }), Err(Damage::Kind));
    assert_eq!(state.apply(&Edit::Moved { number: 5, level: 7 }), Err(Damage::Kind));
    assert_eq!(state.apply(&table(7, 7)), Err(Damage::Kind), "there is no such level");
    assert_eq!(state.apply(&Edit::Order { name: Vec::new() }), Err(Damage::Length));
    let bytes = bytes_of(&table(8, 1));
    for cut in 0..bytes.len() - 4 {
        assert!(decode_edit(&bytes[..cut]).is_err(), "cut={cut}");
    }
    let without_last = decode_edit(&bytes[..bytes.len() - 4]).unwrap();
    assert_eq!(state.apply(&without_last), Err(Damage::Kind), "a table ends with a key");
}
