//! The run that holds everything, and seeded ones, crashed at every point.

use keelstone::Write;
use keelstone::vfs::FaultDisk;
use keelstone_tests::crash::{
    Budget, CRASH_SHAPE, Counts, Crash, Depth, Recording, explore, seeded_ordered_run, seeded_run,
    the_run,
};
use keelstone_tests::model::{Model, key_of};
use keelstone_tests::op::Op;
use keelstone_tests::rng::{repeat, seeds};
use keelstone_tests::shape::Shape;

fn record(shape: Shape) -> Recording {
    Recording::new(shape, &the_run()).unwrap_or_else(|error| panic!("{error}"))
}

fn told(title: &str, counts: &Counts) {
    println!(
        "{title}: points={} states={} distinct={} second={} seeded={}",
        counts.points, counts.states, counts.distinct, counts.second, counts.seeded
    );
}

#[test]
fn the_run_holds_every_ingredient() {
    let recording = record(CRASH_SHAPE);
    let least = |what: &str, verb: &str, part: &str, least: usize| {
        let count = recording.count(verb, part);
        assert!(count >= least, "{what}: {count} of `{verb} ... {part}`\n{:?}", recording.trace);
    };
    least("open", "create", "CURRENT", 1);
    least("rotation", "create", ".log", 4);
    least("hint", "create", ".hint", 3);
    least("merge", "create", ".seg", 1);
    least("merge inputs go", "remove", ".log", 2);
    least("manifest", "create", ".manifest", 2);
    least("manifest goes", "remove", ".manifest", 1);
    least("current", "write", "CURRENT", 2);
    least("directory", "sync_dir", "", 5);
    assert!(recording.history.len() >= 40, "writes: {}", recording.history.len());
    let keys = recording.history.last().len();
    assert!(keys >= 15, "only {keys} keys are left at the end");
    let met = Met::of(&recording);
    let all = met.new_keys >= 20 && met.overwrites >= 1 && met.deletes >= 1;
    assert!(all && met.batches >= 1 && met.passed >= 1, "{met:?}");
    let end = recording.history.window(Crash::Power, recording.trace.len());
    let closed = the_run().last() == Some(&Op::Reopen) && end.least == recording.history.len();
    assert!(closed, "the last close did not acknowledge everything");
}

/// What the writes of a recording did.
#[derive(Debug, Default)]
struct Met {
    new_keys: u64,
    overwrites: u64,
    deletes: u64,
    /// Batches of more than one write.
    batches: u64,
    /// Records that are in the store at the end, by the clock of then expired.
    passed: u64,
}

impl Met {
    fn of(recording: &Recording) -> Self {
        let (mut met, mut model) = (Self::default(), Model::default());
        for batch in recording.history.batches() {
            met.batches += u64::from(batch.len() > 1);
            for write in batch {
                let there = model.get(key_of(write)).is_some();
                match write {
                    Write::Put { .. } if there => met.overwrites += 1,
                    Write::Put { .. } => met.new_keys += 1,
                    Write::Delete { .. } | Write::DeleteRange { .. } => {
                        met.deletes += u64::from(there)
                    }
                }
                model.apply(write);
            }
        }
        model.see_time(recording.history.time_at(recording.trace.len()));
        met.passed = model.keys().filter(|key| model.is_expired(key)).count() as u64;
        met
    }
}

// Exhaustive over points and kinds of cuts, every file torn at every byte; 1,000 seeded subsets between every two
// operations besides.
#[test]
fn every_byte_of_the_run_and_every_cut() {
    let counts = explore(&record(CRASH_SHAPE), &Budget::FULL).unwrap_or_else(|e| panic!("{e}"));
    told("every byte", &counts);
    assert!(counts.seeded >= 100_000 && counts.points >= 5000, "{counts:?}");
    assert!(counts.second > counts.distinct, "no recovery was crashed: {counts:?}");
}

#[test]
fn every_operation_of_the_run_with_equal_hashes() {
    let shape = Shape { equal_hashes: true, ..CRASH_SHAPE };
    let budget = Budget { depth: Depth::Twice, ..Budget::OPERATIONS };
    let counts = explore(&record(shape), &budget).unwrap_or_else(|e| panic!("{e}"));
    told("equal hashes", &counts);
    assert!(counts.second > counts.distinct, "no recovery was crashed: {counts:?}");
}

// Recovery, use and a merge crashed at every step with every kind of cut, after a kill and after power cuts.
#[test]
fn every_cut_of_every_recovery() {
    let budget = Budget { tear_every: 0, seeded: 0, depth: Depth::Through, ..Budget::OPERATIONS };
    let counts = explore(&record(CRASH_SHAPE), &budget).unwrap_or_else(|e| panic!("{e}"));
    told("every recovery", &counts);
    assert!(counts.second > 20 * counts.distinct, "recoveries have no cuts: {counts:?}");
}

// Sampled: seeded runs, every operation of each, every kind of cut, files torn at every 13th byte, some subsets.
#[test]
fn seeded_runs_are_crashed_at_every_operation() {
    let mut counts = Counts::default();
    for seed in seeds(1, 40) {
        let (shape, ops) = seeded_run(seed, 60);
        let part = Recording::new(shape, &ops)
            .and_then(|recording| explore(&recording, &Budget { seed, ..Budget::OPERATIONS }));
        counts.add(&part.unwrap_or_else(|error| {
            let command = repeat("crash", "seeded_runs_are_crashed_at_every_operation", seed);
            panic!("seed {seed}: {error}\n  {shape:?}\n  repeat: {command}")
        }));
    }
    told("seeded runs", &counts);
}

// Sampled, in the ordered layout: memtables, tables and blocks so small that flushes and compactions happen all the time.
#[test]
fn seeded_ordered_runs_are_crashed_at_every_operation() {
    let mut counts = Counts::default();
    for seed in seeds(1, 40) {
        let (shape, ops) = seeded_ordered_run(seed, 60);
        let part = Recording::new(shape, &ops)
            .and_then(|recording| explore(&recording, &Budget { seed, ..Budget::OPERATIONS }));
        counts.add(&part.unwrap_or_else(|error| {
            let command =
                repeat("crash", "seeded_ordered_runs_are_crashed_at_every_operation", seed);
            panic!("seed {seed}: {error}\n  {shape:?}\n  repeat: {command}")
        }));
    }
    told("seeded ordered runs", &counts);
}

// The oracle itself: a store that never syncs must be caught, or the loops show nothing.
#[test]
fn disk_that_lies_about_syncs_is_noticed() {
    let disk = FaultDisk::recording();
    disk.lie(true);
    let mut driver = keelstone_tests::crash::Driver::new(disk.clone(), CRASH_SHAPE);
    the_run().iter().for_each(|op| driver.step(op).unwrap());
    driver.kill();
    let (trace, shape) = (disk.trace(), CRASH_SHAPE);
    let history = driver.history_of(&trace);
    let recording = Recording { trace, history, shape };
    assert!(explore(&recording, &Budget::OPERATIONS).is_err(), "nobody noticed");
}
