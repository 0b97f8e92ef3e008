//! A recorded run under other models of a crash: at each of its steps some states of each model are recovered and judged,
//! with the same recovery and the same judge as in the crash lab.
//!
//! Called by the suite `lab`. After the first recovery has shown what there is and was used, the process is killed and
//! recovery runs again: a store that can be used only once is no good. Promise: the same seed gives the same counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelstone::vfs::crash::{Crash, Life, Second, System};
use keelstone::vfs::{FaultDisk, Image, Trace};

use super::{Cache, CrashModel};
use crate::rng::Rng;

/// What one model saw of one run.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Whose model it is.
    pub name: &'static str,
    /// How many states were tried.
    pub samples: u64,
    /// How many of them break the promise.
    pub bad: u64,
    /// What the first of them shows.
    pub first: Option<String>,
}

/// What two recoveries showed, one after the other, and the marks of the first.
struct Shown<Seen> {
    first: Seen,
    marks: Vec<u64>,
    second: Result<Seen, String>,
}

/// So many states are remembered with what they showed.
const KNOWN_MAX: usize = 20_000;

/// Tries `per_point` states of each model at each step of a recorded run.
///
/// # Panics
/// If something happened to the disk that no plain run does.
pub fn trial<S: System>(
    system: &S,
    trace: &Trace,
    mut models: Vec<Box<dyn CrashModel>>,
    per_point: u64,
    seed: u64,
) -> Vec<Tally> {
    let tally = |name| Tally { name, samples: 0, bad: 0, first: None };
    let mut tallies: Vec<Tally> = models.iter().map(|model| tally(model.name())).collect();
    let mut cache = Cache::default();
    let mut known = BTreeMap::new();
    for op in 0..=trace.len() {
        let marks: Vec<u64> = trace.marks_before(op).collect();
        if known.len() > KNOWN_MAX {
            known.clear();
        }
        for (model, tally) in models.iter().zip(&mut tallies) {
            for n in 0..per_point {
                let mut rng = Rng::new(seed ^ (op as u64) << 32 ^ n);
                let image = model.state(&cache, &mut rng);
                // Why: neighbours leave much the same, and recovery does the same on the same disk.
                let shown = known.entry(image).or_insert_with_key(|image| recovered(system, image));
                tally.samples += 1;
                if let Err(told) = judged(system, shown, &marks) {
                    tally.bad += 1;
                    tally.first.get_or_insert_with(|| format!("after {op} steps: {told}"));
                }
            }
        }
        if op < trace.len() {
            let happened = trace.happened(op).expect("a run without failures");
            models.iter_mut().for_each(|model| model.take(&happened, &cache));
            cache.take(&happened);
        }
    }
    tallies
}

fn recovered<S: System>(system: &S, image: &Image) -> Result<Shown<S::Seen>, String> {
    let disk = FaultDisk::new();
    for (name, bytes) in image {
        disk.write_file(name, bytes).map_err(|error| format!("{name}: {error}"))?;
    }
    disk.record();
    let first = system.recover(Arc::new(disk.clone()), &Life::new(1, Some(disk.clone())))?;
    let marks = disk.trace().marks().iter().map(|(_, mark)| *mark).collect();
    let second = system.recover(Arc::new(disk.kill()), &Life::new(2, None));
    Ok(Shown { first, marks, second })
}

fn judged<S: System>(
    system: &S,
    shown: &Result<Shown<S::Seen>, String>,
    marks: &[u64],
) -> Result<(), String> {
    let Shown { first, marks: later, second } = shown.as_ref().map_err(Clone::clone)?;
    system.judge(first, &Crash { power: true, marks, second: None })?;
    let between = Second { first_power: true, seen: first, marks: later };
    let second = second.as_ref().map_err(|told| format!("opened again: {told}"))?;
    let crash = Crash { power: false, marks, second: Some(between) };
    system.judge(second, &crash).map_err(|told| format!("opened again: {told}"))
}
