//! The lab beside a list of all states of the fault disk: what a look shows after each crash of short seeded programs.

use crate::contract::run;
use crate::crash::wreck::{Site, WreckDisk};
use crate::crash::{Choices, Crash, Life, Model, Point, Scene, Survival, System, Unit};
use crate::crash::{explore, explore_points};
use crate::{Access, FaultDisk, Image, MemoryDisk, SyncMode, Vfs};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
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
                let by_points = explore_points(&looker, &trace, &model, op..=op).points;
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
fn a_wreck_with_nothing_open_keeps_the_contract() {
    run(&|| {
        let site = Site::new(FaultDisk::new().left(), &Model::FULL, None);
        Arc::new(WreckDisk::new(&Arc::new(site), Choices::new(), false))
    });
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

// Where a file has grown and a write over a part of an older one is missing, the older one is there, missing or torn by itself.
#[test]
fn under_a_write_that_is_missing_an_older_one_may_be_torn() {
    let disk = FaultDisk::recording();
    let file = disk.create("a").unwrap();
    disk.sync_dir("").unwrap();
    file.write_at(&[1, 1], 0).unwrap();
    file.write_at(&[2, 2], 0).unwrap();
    let site = Arc::new(Site::new(disk.left(), &Model::FULL, None));
    let (mut choices, mut met) = (Choices::new(), BTreeSet::new());
    loop {
        let wreck = WreckDisk::new(&site, choices, false);
        let mut bytes = [0; 2];
        if wreck.open("a", Access::Read).unwrap().read_at(&mut bytes, 0).unwrap() == 2 {
            met.insert(bytes);
        }
        choices = wreck.choices();
        if !choices.advance() {
            break;
        }
    }
    // Zeros and garbage do not stand in one file together.
    let each = |fill: u8| [1, 2, fill].into_iter().flat_map(move |a| [[a, 1], [a, 2], [a, fill]]);
    assert!(met.iter().copied().eq(each(0).chain(each(0xa5)).collect::<BTreeSet<_>>()), "{met:?}");
}
