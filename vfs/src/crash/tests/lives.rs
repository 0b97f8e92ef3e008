//! Toys whose recovery writes: lives after a crash, which of them are one, and when they are judged again.

use crate::crash::{Crash, Life, Model, System, explain, explore};
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
