//! The loops themselves are tested: with each of the engine's switchable bugs on, everything without crashes and faults
//! passes, and the ordinary loops catch the bug with the seeds and budgets that the correct engine passes.

use keelstone::lab::Bug;
use keelstone_tests::crash::{
    Budget, CRASH_SHAPE, Depth, Recording, explore, fail_every_operation, fail_every_sync,
    seeded_ordered_run, seeded_run, the_run,
};
use keelstone_tests::differential::{Run, quietly};
use keelstone_tests::disk::DiskKind;
use keelstone_tests::merge_tales;
use keelstone_tests::script::{Twist, all, check};
use keelstone_tests::shape::Shape;

/// Scripts, the tales of merges and seeded runs without crashes and faults; the correct engine passes them in `engine`.
fn calm(bug: Bug) -> Result<(), String> {
    let twist = Twist { bug: Some(bug), ..Twist::HASH };
    for path in all("engine") {
        check(&path, DiskKind::Unwatched, twist, false)?;
    }
    for (name, tale) in merge_tales::ALL {
        let told = quietly(|| {
            tale(Shape { bug: Some(bug), ..Shape::TINY });
            Ok(())
        });
        told.map_err(|error| format!("{name}: {}", first_line(&error)))?;
    }
    for seed in 1..=60 {
        let run = Run { seed, ops: 400, kind: DiskKind::Unwatched, twist };
        run.check("").map_err(|error| format!("seed {seed}: {}", first_line(&error)))?;
    }
    Ok(())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// One of the ordinary loops: its name, and what it says of a store with a bug.
type Loop = (&'static str, fn(Bug) -> Result<(), String>);

/// The ordinary loops of `run` and `faults`, the quick ones first.
const LOOPS: [Loop; 5] = [
    ("every operation of the run", |bug| {
        let budget = Budget { depth: Depth::Twice, ..Budget::OPERATIONS };
        explore(&record(bug)?, &budget).map(drop)
    }),
    ("every sync fails", |bug| fail_every_sync(shape(bug), &the_run()).map(drop)),
    ("every operation fails", |bug| fail_every_operation(shape(bug), &the_run()).map(drop)),
    ("seeded runs", |bug| {
        (1..=40).try_for_each(|seed| {
            let (shape, ops) = seeded_run(seed, 60);
            let recording = Recording::new(Shape { bug: Some(bug), ..shape }, &ops)?;
            explore(&recording, &Budget { seed, ..Budget::OPERATIONS }).map(drop)
        })
    }),
    ("every byte of the run", |bug| explore(&record(bug)?, &Budget::FULL).map(drop)),
];

const fn shape(bug: Bug) -> Shape {
    Shape { bug: Some(bug), ..CRASH_SHAPE }
}

fn record(bug: Bug) -> Result<Recording, String> {
    Recording::new(shape(bug), &the_run())
}

#[test]
fn every_switchable_bug_is_caught_by_the_ordinary_loops() {
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        let calm = quietly(|| calm(bug));
        let caught = LOOPS.iter().find_map(|(name, run)| {
            let error = quietly(|| run(bug)).err()?;
            Some((name, error))
        });
        let (by, error) = match &caught {
            Some((name, error)) => (**name, first_line(error)),
            None => ("NOBODY", ""),
        };
        let quiet = calm.as_ref().map_or_else(|error| first_line(error), |()| "passes");
        println!("{bug:?}\n    without crashes: {quiet}\n    caught by: {by}: {error}");
        if caught.is_none() || calm.is_err() {
            missed.push(bug);
        }
    }
    assert!(missed.is_empty(), "not caught, or seen without a crash: {missed:?}");
}

// Those of the bugs that a store in the ordered layout can have.
#[test]
fn bugs_that_both_layouts_share_are_caught_in_the_ordered_one() {
    let shared = [
        Bug::WriteNotSynced,
        Bug::MergeOutputNotSynced,
        Bug::BeginNotSynced,
        Bug::DirNotSynced,
        Bug::AppendAfterTorn,
        Bug::RecoveryNotSynced,
        Bug::OneSlot,
    ];
    let caught = |bug: &Bug| {
        let run = || {
            (1..=40).try_for_each(|seed| {
                let (shape, ops) = seeded_ordered_run(seed, 60);
                let recording = Recording::new(Shape { bug: Some(*bug), ..shape }, &ops)?;
                explore(&recording, &Budget { seed, ..Budget::OPERATIONS }).map(drop)
            })
        };
        quietly(run).is_err()
    };
    let missed: Vec<Bug> = shared.into_iter().filter(|bug| !caught(bug)).collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
