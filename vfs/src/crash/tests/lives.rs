//! Toys whose recovery writes: lives after a crash, which of them are one, and when they are judged again.

use crate::crash::{Crash, Life, Model, Second, System, explain, explore, explore_points};
use crate::{Access, FaultDisk, SyncMode, Trace, Vfs};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Records of two bytes, a number and a letter. Recovery shows those that follow each other, and writes one more over
/// whatever stands behind them: a mistake, since what stands behind that may follow now.
struct Overwriter;

impl System for Overwriter {
    type Seen = Vec<u8>;

    fn recover(&self, disk: Arc<dyn Vfs>, life: &Life) -> Result<Vec<u8>, String> {
        let Ok(file) = disk.open("a", Access::Write) else { return Ok(Vec::new()) };
        let mut bytes = [0; 8];
        file.read_at(&mut bytes, 0).map_err(|error| error.to_string())?;
        let following = (1..).zip(bytes.chunks(2)).take_while(|(n, record)| record[0] == *n);
        let seen: Vec<u8> = following.map(|(_, record)| record[1]).collect();
        let more = [1 + seen.len() as u8, b'r'];
        let written = file.write_at(&more, 2 * seen.len() as u64);
        written.and_then(|()| file.sync(SyncMode::All)).map_err(|error| error.to_string())?;
        life.mark(1);
        Ok(seen)
    }

    fn judge(&self, seen: &Vec<u8>, crash: &Crash<'_, Vec<u8>>) -> Result<(), String> {
        let Some(second) = crash.second.filter(|second| second.marks.contains(&1)) else {
            return Ok(());
        };
        let more = [second.seen.as_slice(), b"r"].concat();
        if *seen == more { Ok(()) } else { Err(format!("{more:?} was there, now {seen:?}")) }
    }
}

/// Records over zeros, none of them synced.
fn overwritten(records: &[[u8; 2]]) -> Trace {
    let disk = FaultDisk::recording();
    let file = disk.create("a").unwrap();
    file.write_at(&[0; 8], 0).unwrap();
    file.sync(SyncMode::All).unwrap();
    disk.sync_dir("").unwrap();
    for (n, record) in (0..).zip(records) {
        file.write_at(record, 2 * n).unwrap();
    }
    disk.trace()
}

// Two recoveries change the disk alike and show the same, but behind what they write there are zeros for one, and a whole
// record for the other. The second is crashed again too.
#[test]
fn what_stands_behind_a_write_of_recovery_makes_another_life() {
    let trace = overwritten(&[[1, b'x'], [2, b'y']]);
    let certificate = explore(&Overwriter, &trace, &Model { kills: false, ..Model::FULL });
    let violation = certificate.violations.first().expect("the mistake is found");
    assert_eq!(violation.message, "crashed again: [114] was there, now [114, 121]");
}

// Of the first crash too only what matters is left: a write that is torn where one that is there does as well.
#[test]
fn both_crashes_of_an_explanation_are_made_small() {
    let trace = overwritten(&[[1, b'x'], [2, b'y'], [9, b'z']]);
    let model = Model { kills: false, ..Model::FULL };
    let mut path = explore(&Overwriter, &trace, &model).violations[0].path.clone();
    for tail in [0, 1] {
        // The newest write is there, or a part of it.
        path.places[0].choices = Some(format!("0.{tail}").parse().unwrap());
        let told = explain(&Overwriter, &trace, &model, &path).unwrap();
        let first = told.effects.iter().filter(|line| line.starts_with("first crash: "));
        let first: Vec<&str> = first.filter_map(|line| line.split(" of ").nth(1)).collect();
        assert_eq!(first, ["bytes 0..2 missing", "bytes 2..4 there"], "{told}");
    }
}

/// One byte. Recovery makes the file empty and writes the byte anew: a mistake, since a crash between the two loses it.
struct Rewriter;

impl System for Rewriter {
    type Seen = u8;

    fn recover(&self, disk: Arc<dyn Vfs>, life: &Life) -> Result<u8, String> {
        let told = |error: crate::Error| error.to_string();
        let Ok(file) = disk.open("a", Access::Write) else { return Ok(0) };
        let mut byte = [0];
        file.read_at(&mut byte, 0).map_err(told)?;
        for step in [file.set_len(0), file.sync(SyncMode::All), file.write_at(&byte, 0)] {
            step.map_err(told)?;
        }
        file.sync(SyncMode::All).map_err(told)?;
        life.mark(2);
        Ok(byte[0])
    }

    // 1 in the first life: the byte is durable; 2 in the second: it was shown.
    fn judge(&self, seen: &u8, crash: &Crash<'_, u8>) -> Result<(), String> {
        let promised = crash.marks.contains(&1).then_some(7);
        let shown = crash.second.as_ref().filter(|second| second.marks.contains(&2));
        match shown.map(|second| *second.seen).or(promised) {
            Some(wanted) if wanted != *seen => Err(format!("{seen} is not {wanted}")),
            _ => Ok(()),
        }
    }
}

/// The byte is written, synced and, if `elsewhere`, only promised when a step of another file is open.
fn rewritten(elsewhere: bool) -> Trace {
    let disk = FaultDisk::recording();
    let (file, other) = (disk.create("a").unwrap(), disk.create("b").unwrap());
    for file in [&file, &other] {
        file.set_len(1).unwrap();
        file.sync(SyncMode::All).unwrap();
    }
    disk.sync_dir("").unwrap();
    file.write_at(&[7], 0).unwrap();
    file.sync(SyncMode::All).unwrap();
    if elsewhere {
        other.write_at(&[1], 0).unwrap();
    }
    disk.mark(1);
    disk.trace()
}

// The recovery that loses the byte is met and crashed before the byte is promised; then it is judged again.
#[test]
fn second_lives_are_judged_again_when_more_is_promised() {
    let model = Model { kills: false, ..Model::FULL };
    for elsewhere in [false, true] {
        let trace = rewritten(elsewhere);
        let certificate = explore(&Rewriter, &trace, &model);
        let violation = certificate.violations.first().expect("the mistake is found");
        assert_eq!(violation.message, "crashed again: 0 is not 7", "{elsewhere}");
        let told = explain(&Rewriter, &trace, &model, &violation.path).unwrap();
        assert_eq!(told.message, "0 is not 7");
    }
}

/// Two bytes. A recovery that finds them torn writes them elsewhere, which is allowed until both are promised; what the
/// first of two recoveries showed is all that is judged.
struct Copier;

impl System for Copier {
    type Seen = [u8; 2];

    fn recover(&self, disk: Arc<dyn Vfs>, _: &Life) -> Result<[u8; 2], String> {
        let told = |error: crate::Error| error.to_string();
        let Ok(file) = disk.open("a", Access::Read) else { return Ok([0; 2]) };
        let mut bytes = [0; 2];
        file.read_at(&mut bytes, 0).map_err(told)?;
        if bytes == [7, 0] {
            let copy = disk.open("b", Access::Write).map_err(told)?;
            copy.write_at(&bytes, 0).and_then(|()| copy.sync(SyncMode::All)).map_err(told)?;
        }
        Ok(bytes)
    }

    fn judge(&self, _: &[u8; 2], crash: &Crash<'_, [u8; 2]>) -> Result<(), String> {
        let torn = crash.second.is_some_and(|second| *second.seen == [7, 0]);
        if torn && crash.marks == [1] { Err("it was promised".into()) } else { Ok(()) }
    }
}

// The recovery is met where few writes are open. By the time of the promise so many are that none is torn any more, and
// no way to it is found; what is wrong is told all the same.
#[test]
fn what_is_wrong_is_told_where_the_way_to_it_is_not_found_again() {
    let disk = FaultDisk::recording();
    let [file, _, other] = ["a", "b", "c"].map(|name| {
        let file = disk.create(name).unwrap();
        file.write_at(&[0; 16], 0).unwrap();
        file.sync(SyncMode::All).unwrap();
        file
    });
    disk.sync_dir("").unwrap();
    file.write_at(&[7, 7], 0).unwrap();
    for n in 0..16 {
        other.write_at(&[1], n).unwrap();
    }
    disk.mark(1);
    let model = Model { kills: false, point_states_max: 10, ..Model::FULL };
    let certificate = explore(&Copier, &disk.trace(), &model);
    let violation = certificate.violations.first().expect("it was judged before");
    assert_eq!(violation.message, "crashed again: it was promised", "{certificate}");
    let told = explain(&Copier, &disk.trace(), &model, &violation.path);
    assert_eq!(told.err(), Some(format!("nothing is wrong at {}", violation.path)));
}

fn told(error: crate::Error) -> String {
    error.to_string()
}

/// What a recovery does after it has read the files `a` and `b`.
#[derive(Clone, Copy)]
enum After {
    /// `a` has records of two bytes, a number and itself again, those that follow each other count. The others are cut off,
    /// and one more is written: a mistake, since the cut may be lost where the record is not.
    CutsAndAppends,
    /// Shows `a` where `b` says so; and makes `b` say so: a mistake where `a` was not promised.
    RaisesFlag,
    /// Shows `a` where there is a file `c`; and creates it.
    Creates,
}

impl System for After {
    type Seen = Vec<u8>;

    fn recover(&self, disk: Arc<dyn Vfs>, life: &Life) -> Result<Vec<u8>, String> {
        let Ok(file) = disk.open("a", Access::Write) else { return Ok(Vec::new()) };
        let mut bytes = [0; 8];
        let len = file.read_at(&mut bytes, 0).map_err(told)?;
        match self {
            Self::CutsAndAppends => {
                let records = (1..).zip(bytes[..len].chunks(2));
                let count = records.take_while(|(n, record)| **record == [*n; 2]).count();
                let end = 2 * count as u64;
                if len as u64 > end {
                    file.set_len(end).map_err(told)?;
                }
                life.mark(2);
                file.write_at(&[1 + count as u8; 2], end).map_err(told)?;
                file.sync(SyncMode::All).map_err(told)?;
                Ok(bytes[..2 * count].to_vec())
            }
            Self::RaisesFlag => {
                let Ok(flag) = disk.open("b", Access::Write) else { return Ok(Vec::new()) };
                let mut raised = [0];
                flag.read_at(&mut raised, 0).map_err(told)?;
                flag.write_at(&[1], 0).and_then(|()| flag.sync(SyncMode::All)).map_err(told)?;
                Ok(if raised == [1] { bytes[..1].to_vec() } else { Vec::new() })
            }
            Self::Creates => match disk.create("c") {
                Err(_) => Ok(bytes[..1].to_vec()),
                Ok(_) => disk.sync_dir("").map(|()| Vec::new()).map_err(told),
            },
        }
    }

    fn judge(&self, seen: &Vec<u8>, crash: &Crash<'_, Vec<u8>>) -> Result<(), String> {
        let marks = crash.second.map_or(&[][..], |second| second.marks);
        let right = match self {
            Self::CutsAndAppends => match crash.second {
                Some(Second { seen: first, .. }) if marks.contains(&2) => {
                    let next = 1 + first.len() as u8 / 2;
                    *seen == **first || *seen == [first.as_slice(), &[next; 2]].concat()
                }
                _ => true,
            },
            Self::RaisesFlag => seen.iter().all(|byte| *byte == 0),
            Self::Creates => !crash.marks.contains(&1) || seen.iter().all(|byte| *byte == 5),
        };
        if right { Ok(()) } else { Err(format!("{seen:?} is shown")) }
    }
}

const POWER: Model = Model { kills: false, ..Model::FULL };

/// A file of zeros, all of it durable.
fn zeros(disk: &FaultDisk, name: &str, len: u64) -> alloc::boxed::Box<dyn crate::File> {
    let file = disk.create(name).unwrap();
    file.set_len(len).unwrap();
    file.sync(SyncMode::All).unwrap();
    disk.sync_dir("").unwrap();
    file
}

// All recoveries that find no first record cut the same and write the same. Which of them cut off a whole second record
// makes the difference.
#[test]
fn what_a_recovery_cuts_off_makes_another_life() {
    let disk = FaultDisk::recording();
    let file = zeros(&disk, "a", 0);
    file.write_at(&[1, 1], 0).unwrap();
    file.write_at(&[2, 2], 2).unwrap();
    let certificate = explore(&After::CutsAndAppends, &disk.trace(), &POWER);
    let violation = certificate.violations.first().expect("the mistake is found");
    assert_eq!(violation.message, "crashed again: [1, 1, 2, 2] is shown");
}

// Both recoveries show nothing and raise the flag; the next one shows what it was not to show of one of them.
#[test]
fn what_a_recovery_has_read_and_not_shown_makes_another_life() {
    let disk = FaultDisk::recording();
    let (page, _) = (zeros(&disk, "a", 1), zeros(&disk, "b", 1));
    page.write_at(&[9], 0).unwrap();
    let certificate = explore(&After::RaisesFlag, &disk.trace(), &POWER);
    let violation = certificate.violations.first().expect("the mistake is found");
    assert_eq!(violation.message, "crashed again: [9] is shown");
}

// Before the byte was durable, recovery may have shown what it was not yet; that is no life of the store that it is now.
#[test]
fn a_life_of_an_earlier_point_is_not_judged_for_another() {
    let disk = FaultDisk::recording();
    let file = zeros(&disk, "a", 1);
    file.write_at(&[5], 0).unwrap();
    file.sync(SyncMode::All).unwrap();
    disk.mark(1);
    let certificate = explore(&After::Creates, &disk.trace(), &POWER);
    assert!(certificate.violations.is_empty(), "{:?}", certificate.violations);
    assert!(certificate.is_exhaustive() && certificate.lives > 1, "{certificate}");
}

// Every recovery that finds the record torn cuts it off and writes it anew: they differ in what was there before.
#[test]
fn so_many_lives_of_a_kind_are_tried_and_it_is_said() {
    struct Cutter;
    impl System for Cutter {
        type Seen = u64;
        fn recover(&self, disk: Arc<dyn Vfs>, _: &Life) -> Result<u64, String> {
            let Ok(file) = disk.open("a", Access::Write) else { return Ok(0) };
            let mut bytes = [0; 8];
            let len = file.read_at(&mut bytes, 0).map_err(told)? as u64;
            if len > 0 && bytes != [7; 8] {
                file.set_len(0).and_then(|()| file.sync(SyncMode::All)).map_err(told)?;
                file.write_at(&[7; 8], 0).and_then(|()| file.sync(SyncMode::All)).map_err(told)?;
            }
            Ok(0)
        }
        fn judge(&self, _: &u64, _: &Crash<'_, u64>) -> Result<(), String> {
            Ok(())
        }
    }
    let disk = FaultDisk::recording();
    let file = zeros(&disk, "a", 0);
    file.write_at(&[7; 8], 0).unwrap();
    let last = disk.trace().len();
    let tried = |lives_max| {
        let model = Model { garbage: false, lives_max, ..POWER };
        explore_points(&Cutter, &disk.trace(), &model, last..=last)
    };
    let all = tried(1000);
    assert!(all.power_cuts > 20 && all.lives == all.power_cuts && all.is_exhaustive(), "{all}");
    let some = tried(3);
    // Nothing to do for an empty file and for a whole record; the others are of one kind.
    assert_eq!((some.power_cuts, some.lives), (all.power_cuts, 3 + 1 + 1), "{some}");
    let bounded: Vec<(&str, u64)> = some.bounded.iter().map(|(what, n)| (&**what, *n)).collect();
    assert_eq!(bounded, [("at most 3 recoveries of a kind crashed again", 1)]);
}
