//! The lab beside all states of the fault disk, with toy systems, and with systems that have a mistake.

use super::wreck::{Site, WreckDisk};
use super::{Choices, Crash, Life, Model, Point, Scene, Survival, System, Unit, explain, explore};
use crate::contract::run;
use crate::{Access, FaultDisk, Image, MemoryDisk, SyncMode, Vfs};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Looks at a disk in some order and tells what it saw.
struct Looker {
    /// How it looks: whether the names first, how many bytes at once, whether it stops at a zero.
    names: bool,
    chunk: usize,
    stops: bool,
    seen: crate::lock::Mutex<BTreeSet<String>>,
}

impl Looker {
    fn new(seed: u64) -> Self {
        let chunk = [1, 2, 64][(seed % 3) as usize];
        let seen = crate::lock::Mutex::default();
        Self { names: seed.is_multiple_of(2), chunk, stops: seed % 5 < 2, seen }
    }

    fn look(&self, disk: &dyn Vfs) -> String {
        let names = if self.names { disk.list("").unwrap() } else { names() };
        let mut text = String::new();
        for name in &names {
            let Ok(file) = disk.open(name, Access::Read) else { continue };
            text.push_str(&format!(" {name}="));
            let mut at = 0;
            let mut buf = Vec::from([0; 64]);
            loop {
                let n = file.read_at(&mut buf[..self.chunk], at).unwrap();
                text.extend(buf[..n].iter().map(|byte| format!("{byte:02x}")));
                at += n as u64;
                if n < self.chunk || (self.stops && buf[0] == 0) {
                    break;
                }
            }
        }
        text
    }
}

impl System for Looker {
    type Seen = String;

    fn recover(&self, disk: Arc<dyn Vfs>, _: &Life) -> Result<String, String> {
        let seen = self.look(&*disk);
        self.seen.lock().insert(seen.clone());
        Ok(seen)
    }

    fn judge(&self, _: &String, _: &Crash<'_, String>) -> Result<(), String> {
        Ok(())
    }

    fn text(&self, seen: &String) -> String {
        seen.clone()
    }
}

fn names() -> Vec<String> {
    ["a", "b", "c"].map(String::from).to_vec()
}

/// A number from a seed, below a bound.
fn roll(seed: &mut u64, bound: u64) -> u64 {
    *seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
    (*seed >> 33) % bound
}

/// A short program on a disk; with few open bytes, so that all states can be listed. `wide`: the bytes of a write.
fn program(disk: &FaultDisk, seed: &mut u64, wide: u64) {
    for n in 0..3 + roll(seed, 5) {
        let name = &names()[roll(seed, 3) as usize];
        let other = &names()[roll(seed, 3) as usize];
        // Why the results do not matter: a file that is not there is not written, and so on.
        let file = disk.open(name, Access::Write).or_else(|_| disk.create(name)).unwrap();
        let byte = 1 + n as u8;
        let _any = match roll(seed, 9) {
            0..=3 => {
                let len = file.len().unwrap();
                let at = roll(seed, len + 2);
                file.write_at(&[byte, byte + 16, byte + 32][..(1 + roll(seed, wide)) as usize], at)
            }
            4 => file.sync(SyncMode::All),
            5 => file.sync(SyncMode::Data),
            6 => disk.sync_dir(""),
            7 => file.set_len(roll(seed, 4)),
            _ if name != other => disk.rename(name, other),
            _ => disk.remove(name),
        };
    }
}

/// What a look shows after each crash at the end of a program, by the lab.
fn explored(looker: &Looker, disk: &FaultDisk, model: &Model) -> BTreeSet<String> {
    let certificate =
        explore(looker, &disk.trace(), &Model { outcomes_kept: ALL, ..model.clone() });
    assert!(certificate.is_exhaustive(), "{certificate}");
    certificate.points.last().unwrap().shown.iter().cloned().collect()
}

/// All outcomes of a point are kept.
const ALL: usize = usize::MAX;

/// The same by listing all states.
fn listed(looker: &Looker, disk: &FaultDisk) -> BTreeSet<String> {
    let states = disk.all_states().unwrap().power_cut;
    states.iter().map(|image| looker.look(&MemoryDisk::from_image(image))).collect()
}

// At most some 24 open bytes and 4 names, in every way to look.
#[test]
fn byte_by_byte_the_lab_reaches_what_listing_all_states_reaches() {
    let (mut compared, mut most) = (0, 0);
    for first in 0..400 {
        let mut seed = first;
        let disk = FaultDisk::recording();
        program(&disk, &mut seed, 2);
        let looker = Looker::new(first);
        let listed = listed(&looker, &disk);
        assert!(explored(&looker, &disk, &Model::BYTES) == listed, "seed {first}\n{disk:?}");
        (compared, most) = (compared + 1, most.max(listed.len()));
    }
    assert!(compared == 400 && most > 100, "{compared} programs, at most {most} outcomes");
}

// Steps add states; a point that leaves out what was tried one step earlier must lose nothing of it.
#[test]
fn leaving_out_what_was_tried_loses_nothing() {
    for first in (0..60).chain([277]) {
        let mut seed = first;
        let disk = FaultDisk::recording();
        program(&disk, &mut seed, 3);
        let trace = disk.trace();
        let full = Model { kills: false, depth: 1, outcomes_kept: ALL, ..Model::FULL };
        let models = [
            Model { outcomes_kept: ALL, ..Model::BYTES },
            Model { garbage: false, ..full.clone() },
            Model { unit: Unit::Half, ..full.clone() },
            full,
        ];
        for model in models {
            let looker = Looker::new(first);
            let by_steps = explore(&looker, &trace, &model).points;
            for (op, by_steps) in by_steps.iter().enumerate() {
                let by_points = super::explore_points(&looker, &trace, &model, op..=op).points;
                let shown =
                    |point: &Point| -> BTreeSet<_> { point.shown.iter().cloned().collect() };
                let (all, alone) = (shown(by_steps), shown(&by_points[0]));
                let place = format!("seed {first}, step {op}, {model}\n{trace}");
                let lost: Vec<_> = alone.difference(&all).take(3).collect();
                assert!(lost.is_empty(), "{lost:?} {place}");
                // Why not in the others: where a write is torn in its middle moves with the lengths that are told apart.
                if model.unit == Unit::Byte {
                    assert_eq!(all.len(), alone.len(), "{place}");
                }
            }
        }
    }
}

#[test]
fn write_by_write_single_bytes_reach_the_same() {
    for first in 0..400 {
        let mut seed = first;
        let disk = FaultDisk::recording();
        program(&disk, &mut seed, 1);
        let looker = Looker::new(first);
        let model = Model { unit: Unit::Write, ..Model::BYTES };
        assert_eq!(
            explored(&looker, &disk, &model),
            listed(&looker, &disk),
            "seed {first}\n{disk:?}"
        );
    }
}

// And of longer writes only what listing reaches.
#[test]
fn write_by_write_nothing_is_invented() {
    for first in 0..120 {
        let mut seed = first;
        let disk = FaultDisk::recording();
        program(&disk, &mut seed, 3);
        let looker = Looker::new(first);
        let model = Model { unit: Unit::Write, ..Model::BYTES };
        let written = explored(&looker, &disk, &model);
        let listed = listed(&looker, &disk);
        assert!(written.is_subset(&listed), "seed {first}\n{disk:?}");
    }
}

/// What is true of a byte that is said to have become so: without the crash, synced, and with it.
fn is_so(is: Survival, new: Option<u8>, old: Option<u8>, now: Option<u8>) -> bool {
    match is {
        Survival::Synced => now == old && now.is_some(),
        Survival::There => now == new,
        Survival::Older => now.is_some() && now != new,
        Survival::Missing => now.is_none() && new.is_some(),
        Survival::Zero => now == Some(0) && new != now,
        Survival::Garbage => now == Some(0xa5) && new != now,
        Survival::Stale => now != Some(0) && new != now,
        Survival::Open => now == old || (old.is_none() && now == Some(0)),
    }
}

// Every state of seeded programs: the ranges cover each file, and what they say is so.
#[test]
fn what_became_of_each_byte_is_told() {
    let mut met = BTreeSet::new();
    for first in 0..60 {
        let mut seed = first;
        let disk = FaultDisk::recording();
        program(&disk, &mut seed, 3);
        let model = Model { point_states_max: 2000, ..Model::FULL };
        let site = Arc::new(Site::new(disk.left(), &model, None));
        let (before, durable) = (disk.cached(), disk.durable());
        let mut choices = Choices::new();
        for _ in 0..300 {
            let wreck = WreckDisk::new(&site, choices, false);
            Looker::new(first).look(&wreck);
            let left = wreck.disk().cached();
            for remains in wreck.remains() {
                let row = |image: &Image, name: &Option<String>| {
                    name.as_ref().map(|name| image[name].clone())
                };
                let (new, now) = (row(&before, &remains.before), row(&left, &remains.left));
                let old = row(&durable, &remains.synced);
                let longest = new.as_ref().map(Vec::len).max(now.as_ref().map(Vec::len));
                let mut end = 0;
                for (range, is) in &remains.ranges {
                    assert!(range.start == end && range.start < range.end, "{remains:?}");
                    end = range.end;
                    met.insert(*is);
                    // Why only then: of a file that lost its name there is nothing to compare with.
                    let (Some(new), Some(now), Some(old)) = (&new, &now, &old) else { continue };
                    for at in range.clone() {
                        let byte = |row: &[u8]| row.get(at as usize).copied();
                        let so = is_so(*is, byte(new), byte(old), byte(now));
                        assert!(so, "seed {first} byte {at} {remains:?}\n{disk:?}");
                    }
                }
                assert!(end >= longest.unwrap_or(0) as u64, "{remains:?}");
            }
            choices = wreck.choices();
            if !choices.advance() {
                break;
            }
        }
    }
    assert_eq!(met, Survival::ALL.into_iter().collect(), "each of them is met");
}

#[test]
fn a_kill_loses_no_byte() {
    for first in 0..60 {
        let mut seed = first;
        let disk = FaultDisk::recording();
        program(&disk, &mut seed, 3);
        let scene = Scene::of_kill(&disk);
        assert_eq!((&scene.before, &scene.left), (&disk.cached(), &disk.cached()));
        assert_eq!(scene.remains.len(), scene.left.len(), "{disk:?}");
        for remains in scene.remains {
            assert_eq!(remains.before, remains.left);
            let is_kept = |is: Survival| matches!(is, Survival::Synced | Survival::There);
            assert!(remains.ranges.iter().all(|(_, is)| is_kept(*is)), "{remains:?}\n{disk:?}");
        }
    }
}

#[test]
fn outcomes_are_kept_as_text_as_many_as_the_model_says() {
    let disk = FaultDisk::recording();
    Tally::default().write(&disk);
    let shown = |outcomes_kept| {
        let model = Model { outcomes_kept, ..Model::FULL };
        explore(&Tally::default(), &disk.trace(), &model).points
    };
    assert!(shown(0).iter().all(|point| point.shown.is_empty()));
    let points = shown(2);
    assert!(points.iter().any(|point| point.outcomes > point.shown.len() || point.outcomes == 2));
    for point in points {
        assert_eq!(point.shown.len(), point.outcomes.min(2), "{point:?}");
        assert!(point.kills <= point.runs, "{point:?}");
        let mut different = point.shown.clone();
        different.dedup();
        assert_eq!(different, point.shown);
    }
}

#[test]
fn a_wreck_with_nothing_open_keeps_the_contract() {
    run(&|| {
        let site = Site::new(FaultDisk::new().left(), &Model::FULL, None);
        Arc::new(WreckDisk::new(&Arc::new(site), Choices::new(), false))
    });
}

/// Appends numbers to a log and repeats the last one; with a mistake or without.
#[derive(Clone, Copy, Default)]
struct Tally {
    /// Says that a number is durable before it is.
    unsynced: bool,
    /// Does not sync the directory.
    nameless: bool,
    /// Believes a record without its last byte.
    unchecked: bool,
    /// Does not sync what it found before it goes on.
    unsettled: bool,
}

const LOG: &str = "log";

impl Tally {
    /// A record: twice the number, and its sum.
    fn record(n: u8) -> [u8; 3] {
        [n, n, n ^ 0x5a]
    }

    fn write(self, disk: &FaultDisk) {
        let file = disk.create(LOG).unwrap();
        if !self.nameless {
            disk.sync_dir("").unwrap();
        }
        for n in 1..4u8 {
            disk.mark(u64::from(n) << 8);
            file.write_at(&Self::record(n), u64::from(n - 1) * 3).unwrap();
            if !self.unsynced {
                file.sync(SyncMode::All).unwrap();
            }
            disk.mark(u64::from(n));
        }
    }

    fn read(self, disk: &dyn Vfs) -> Result<u8, String> {
        let mut last = 0;
        if !disk.list("").map_err(|error| error.to_string())?.contains(&LOG.to_string()) {
            return Ok(0);
        }
        let access = if self.unsettled { Access::Read } else { Access::Write };
        let file = disk.open(LOG, access).map_err(|error| error.to_string())?;
        let mut record = [0; 3];
        while file.read_at(&mut record, u64::from(last) * 3).map_err(|error| error.to_string())?
            == 3
        {
            let sound = record == Self::record(last + 1);
            let believed = self.unchecked && record[0] != 0;
            if !sound && !believed {
                break;
            }
            last = if believed { record[0] } else { last + 1 };
        }
        if !self.unsettled {
            file.sync(SyncMode::All).map_err(|error| error.to_string())?;
            disk.sync_dir("").map_err(|error| error.to_string())?;
        }
        Ok(last)
    }

    fn check(self, model: &Model) -> super::Certificate {
        let disk = FaultDisk::recording();
        self.write(&disk);
        explore(&self, &disk.trace(), model)
    }
}

impl System for Tally {
    type Seen = u8;

    fn recover(&self, disk: Arc<dyn Vfs>, life: &Life) -> Result<u8, String> {
        let seen = self.read(&*disk)?;
        life.mark(u64::from(seen));
        Ok(seen)
    }

    fn judge(&self, seen: &u8, crash: &Crash<'_, u8>) -> Result<(), String> {
        let number = |mark: &u64| if *mark > 0xff { (mark >> 8) as u8 } else { *mark as u8 };
        let most = crash.marks.last().map_or(0, number);
        let acked = |mark: &&u64| **mark <= 0xff;
        let least = crash.marks.iter().rev().find(acked).map_or(0, number);
        let (least, most) = match crash.second {
            // What the first recovery has shown is decided.
            Some(second) if !second.marks.is_empty() => (*second.seen, *second.seen),
            _ => (least, most),
        };
        let least = if crash.power || crash.second.is_some() {
            least
        } else {
            least.max(most.saturating_sub(1))
        };
        if (least..=most).contains(seen) {
            Ok(())
        } else {
            Err(format!("{seen} is not in {least}..={most}"))
        }
    }
}

#[test]
fn a_system_without_a_mistake_passes() {
    let certificate = Tally::default().check(&Model::FULL);
    assert!(certificate.violations.is_empty(), "{certificate}\n{:?}", certificate.violations);
    assert!(
        certificate.is_exhaustive() && certificate.second > 0 && certificate.kills > 0,
        "{certificate}"
    );
    assert_eq!(certificate, Tally::default().check(&Model::FULL), "the same input gives the same");
}

#[test]
fn each_mistake_is_found_and_explained() {
    let sound = Tally::default();
    let mistakes = [
        (Tally { unsynced: true, ..sound }, "sync log"),
        (Tally { nameless: true, ..sound }, "sync_dir ."),
        (Tally { unchecked: true, ..sound }, "`sync log all` after `write log 0+3`"),
        (Tally { unsettled: true, ..sound }, "in recovery `sync log all`"),
    ];
    for (tally, barrier) in mistakes {
        let certificate = tally.check(&Model::FULL);
        let violation = certificate.violations.first().expect("the mistake is found");
        let disk = FaultDisk::recording();
        tally.write(&disk);
        let told = explain(&tally, &disk.trace(), &Model::FULL, &violation.path).unwrap();
        let again = explain(&tally, &disk.trace(), &Model::FULL, &told.path).unwrap();
        assert_eq!(again.message, told.message, "{told}");
        let missing = told.barrier.map(|barrier| barrier.to_string()).unwrap_or_default();
        assert!(missing.contains(barrier), "{missing}");
    }
}

// What a power cut after a kill leaves is only seen by who tries it.
#[test]
fn killed_then_cut_is_a_crash_of_its_own() {
    let tally = Tally { unsettled: true, ..Tally::default() };
    let alone = tally.check(&Model { kills: false, ..Model::FULL });
    assert!(alone.violations.is_empty(), "{:?}", alone.violations);
    assert!(!tally.check(&Model::FULL).violations.is_empty());
}

#[test]
fn a_directory_whose_sync_has_no_effect_is_noticed() {
    let certificate = Tally::default().check(&Model { dir_sync: false, ..Model::FULL });
    assert!(!certificate.violations.is_empty());
}

#[test]
fn too_many_writes_are_bounded_and_it_is_said() {
    let disk = FaultDisk::recording();
    let file = disk.create("a").unwrap();
    disk.sync_dir("").unwrap();
    file.set_len(120).unwrap();
    file.sync(SyncMode::All).unwrap();
    for n in 0..12 {
        file.write_at(&[7; 10], n * 10).unwrap();
    }
    let looker = Looker::new(2);
    let certificate =
        explore(&looker, &disk.trace(), &Model { depth: 1, kills: false, ..Model::FULL });
    assert!(!certificate.is_exhaustive(), "{certificate}");
    let (mut none, mut all) = (Image::new(), Image::new());
    none.insert("a".into(), [0; 120].to_vec());
    all.insert("a".into(), [7; 120].to_vec());
    for image in [none, all] {
        let extreme = looker.look(&MemoryDisk::from_image(&image));
        assert!(looker.seen.lock().contains(&extreme));
    }
}

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
fn overwritten(records: &[[u8; 2]]) -> crate::Trace {
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
fn rewritten(elsewhere: bool) -> crate::Trace {
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

// Zeros that a write lays where the file has grown are missing like other bytes.
#[test]
fn zeros_of_a_write_that_grows_a_file_can_be_garbage() {
    let (file_bytes, mut seen) = ([[0, 0, 0, 0], [5, 0, 0, 6]], Vec::new());
    for bytes in file_bytes {
        let disk = FaultDisk::recording();
        let file = disk.create("a").unwrap();
        disk.sync_dir("").unwrap();
        file.write_at(&bytes, 0).unwrap();
        let looker = Looker::new(2);
        let model = Model { kills: false, depth: 1, ..Model::FULL };
        assert!(explore(&looker, &disk.trace(), &model).is_exhaustive());
        seen.push(looker.seen.lock().clone());
    }
    let has = |n: usize, bytes: &str| assert!(seen[n].contains(bytes), "{bytes}: {seen:#?}");
    [" a=00000000", " a=a5a5a5a5"].into_iter().for_each(|bytes| has(0, bytes));
    [" a=05000006", " a=05a5a5a5", " a=05a50006", " a=a5000006"]
        .into_iter()
        .for_each(|bytes| has(1, bytes));
}
