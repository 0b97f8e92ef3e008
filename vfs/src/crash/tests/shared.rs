//! Points of second lives that are alike are tried once: what is seen is what each life shows when it is tried by itself.

use crate::crash::choices::Choices;
use crate::crash::explore::{Before, explore_second, second_model};
use crate::crash::print::Print;
use crate::crash::wreck::{Site, WreckDisk};
use crate::crash::{Crash, Life, Model, System, Unit, explore};
use crate::fault::Dice;
use crate::lock::Mutex;
use crate::{Access, FaultDisk, Kind, Result, SyncMode, Trace, Vfs};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Everything that was judged: the marks before the first crash, what the first recovery showed and the marks after it,
/// whether power was cut, and what was seen.
type Judged = (usize, Option<(bool, u128, usize)>, bool, u128);

/// Looks here and there and changes this and that, both as a seed and what it has met so far say. It shows what it met.
struct Wanderer {
    seed: u64,
    judged: Mutex<BTreeSet<Judged>>,
}

/// So many runs are tried.
const SEEDS: u64 = 48;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

impl Wanderer {
    fn new(seed: u64) -> Self {
        Self { seed, judged: Mutex::default() }
    }

    /// A row of numbers that follows from what was met.
    fn dice(&self, met: Print) -> Dice {
        Dice::new(self.seed ^ met.number() as u64)
    }

    fn look(&self, disk: &dyn Vfs, met: &mut Print) -> Result<()> {
        let mut dice = self.dice(*met);
        let name = NAMES[dice.below(4)];
        met.bytes(name.as_bytes());
        if dice.below(4) == 0 {
            disk.list("")?.iter().for_each(|name| met.bytes(name.as_bytes()));
            return Ok(());
        }
        let file = match disk.open(name, Access::Read) {
            Err(error) if error.kind == Kind::NotFound => {
                met.word(0);
                return Ok(());
            }
            opened => opened?,
        };
        if dice.below(3) == 0 {
            met.word(file.len()?);
        } else {
            let mut bytes = [0; 8];
            let (offset, want) = (dice.below(6) as u64, 1 + dice.below(7));
            let read = file.read_at(&mut bytes[..want], offset)?;
            met.bytes(&bytes[..read]);
        }
        Ok(())
    }

    fn change(&self, disk: &dyn Vfs, met: &mut Print) -> Result<()> {
        let mut dice = self.dice(*met);
        let (name, other) = (NAMES[dice.below(4)], NAMES[dice.below(4)]);
        let way = dice.below(8);
        met.word(way as u64);
        if way == 0 {
            return disk.sync_dir("");
        }
        let file = match disk.open(name, Access::Write) {
            Err(error) if error.kind == Kind::NotFound => disk.create(name)?,
            opened => opened?,
        };
        match way {
            1 => disk.remove(name),
            2 => disk.rename(name, other),
            3 => file.set_len(dice.below(9) as u64),
            4 | 5 => file.sync(if dice.coin() { SyncMode::All } else { SyncMode::Data }),
            _ => file.write_at(&[1 + way as u8; 2][..1 + dice.below(2)], dice.below(6) as u64),
        }
    }
}

impl System for Wanderer {
    type Seen = u128;

    fn recover(&self, disk: Arc<dyn Vfs>, life: &Life) -> core::result::Result<u128, String> {
        let told = |error| format!("{error}");
        // Why: what the first recovery does not look at is as it was on the medium when it is crashed again.
        if life.crashes == 1 {
            let names = disk.list("").map_err(told)?;
            let read = |name: &String| disk.open(name, Access::Read)?.read_at(&mut [0; 16], 0);
            names.iter().try_for_each(|name| read(name).map(drop)).map_err(told)?;
        }
        let mut met = Print::default();
        (0..3).try_for_each(|_| self.look(&*disk, &mut met)).map_err(told)?;
        let seen = met.number();
        // Why fewer: with all that is met, no two lives would ever do the same.
        let mut does = Print::default();
        does.word(seen as u64 % 3);
        for n in 0..3 {
            self.change(&*disk, &mut does).map_err(told)?;
            life.mark(n);
        }
        Ok(seen)
    }

    fn judge(&self, seen: &u128, crash: &Crash<'_, u128>) -> core::result::Result<(), String> {
        let second = crash.second.map(|s| (s.first_power, *s.seen, s.marks.len()));
        self.judged.lock().insert((crash.marks.len(), second, crash.power, *seen));
        Ok(())
    }
}

/// A run that leaves several files open.
fn trace(seed: u64) -> Trace {
    let disk = FaultDisk::recording();
    let mut dice = Dice::new(seed);
    for n in 0..4 {
        let name = NAMES[dice.below(3)];
        let file = disk.open(name, Access::Write).or_else(|_| disk.create(name)).unwrap();
        match dice.below(6) {
            0 => disk.sync_dir("").unwrap(),
            1 => file.sync(SyncMode::All).unwrap(),
            _ => file.write_at(&[0x10 + n; 2], dice.below(3) as u64).unwrap(),
        }
        disk.mark(n.into());
    }
    disk.trace()
}

/// Tries each life by itself, and every point of it, and shares nothing.
fn each_by_itself(system: &Wanderer, trace: &Trace, model: &Model) {
    let one = Model { depth: 1, ..model.clone() };
    explore(system, trace, &one);
    let again = |marks: &[u64], disk: FaultDisk, seen: &u128, power: bool| {
        disk.record();
        let life = Life::new(1, Some(disk.clone()));
        assert_eq!(system.recover(Arc::new(disk.clone()), &life).as_ref(), Ok(seen));
        let between = disk.trace();
        for point in 0..=between.len() {
            let before = Before { marks, power, seen };
            explore_second(system, &between, &second_model(model), before, point..=point);
        }
    };
    let mut walk = trace.walk();
    for op in 0..=trace.len() {
        let marks: Vec<u64> = trace.marks_before(op).collect();
        walk.seek(op, 0);
        let site = Arc::new(Site::new(walk.disk().left(), model, None));
        let mut choices = Choices::new();
        loop {
            let wreck = WreckDisk::new(&site, choices, false);
            let seen = system.recover(Arc::new(wreck.clone()), &Life::new(1, None)).unwrap();
            again(&marks, wreck.disk(), &seen, true);
            choices = wreck.choices();
            if !choices.advance() {
                break;
            }
        }
        let is_cut = |n: &usize| *n == 0 || trace.cuts(op, *n);
        let cuts: Vec<usize> = (0..trace.bytes(op).max(1)).filter(is_cut).collect();
        let middle = cuts[cuts.len() / 2];
        let is_crashed = |n: &usize| *n == 0 || *n == middle || model.second_unit == Unit::Write;
        for bytes in cuts.into_iter().filter(is_crashed) {
            walk.seek(op, bytes);
            let disk = walk.disk().kill();
            let seen = system.recover(Arc::new(disk.clone()), &Life::new(1, None)).unwrap();
            walk.seek(op, bytes);
            again(&marks, walk.disk().kill(), &seen, false);
        }
    }
}

// Nothing that a life shows by itself is left out. More may be seen: what was possible a step earlier is, and where a write has
// other places to be torn at since then, that is not asked when the point is tried by itself. So writes are torn at every byte:
// the middle of a write is another one when more is written behind it.
#[test]
fn nothing_is_lost_where_points_of_second_lives_are_alike() {
    let (mut seen, mut runs) = (0, 0);
    for seed in 0..SEEDS {
        let model = Model { lives_max: usize::MAX, point_states_max: u64::MAX, ..Model::FULL };
        let trace = trace(seed);
        let (all, each) = (Wanderer::new(seed), Wanderer::new(seed));
        let certificate = explore(&all, &trace, &model);
        assert!(certificate.is_exhaustive(), "{certificate}");
        each_by_itself(&each, &trace, &model);
        let (all, each) = (all.judged.lock(), each.judged.lock());
        let missing: Vec<&Judged> = each.difference(&all).collect();
        assert!(missing.is_empty(), "seed {seed}: {missing:?}\n{trace}");
        seen += each.len();
        runs += certificate.second;
    }
    assert!(seen > 1000 && runs > 1000, "{seen} outcomes, {runs} second crashes");
}
