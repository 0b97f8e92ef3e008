//! The loops themselves are tested: with each of the engine's switchable bugs on, everything without crashes and faults
//! passes, and the ordinary loops catch the bug with the seeds and budgets that the correct engine passes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use keelstone::Layout;
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
fn calm(bug: Bug, twist: Twist) -> Result<(), String> {
    let twist = Twist { bug: Some(bug), ..twist };
    for path in all("engine") {
        check(&path, DiskKind::Unwatched, twist, false)?;
    }
    if twist.layout == Layout::Hash {
        tales(bug)?;
    }
    for seed in 1..=CALM_SEEDS {
        let run = Run { seed, ops: 400, kind: DiskKind::Unwatched, twist };
        run.check("").map_err(|error| format!("seed {seed}: {}", first_line(&error)))?;
    }
    Ok(())
}

/// The tales of merges.
fn tales(bug: Bug) -> Result<(), String> {
    for (name, tale) in merge_tales::ALL {
        let told = quietly(|| {
            tale(Shape { bug: Some(bug), ..Shape::TINY });
            Ok(())
        });
        told.map_err(|error| format!("{name}: {}", first_line(&error)))?;
    }
    Ok(())
}

// Bitcask #82: a merge of some files dropped a tombstone, and what it hid came back.
#[test]
fn tombstone_that_a_merge_drops_is_seen() {
    let seen = tales(Bug::TombstoneDropped);
    println!("{seen:?}");
    assert!(seen.is_err());
}

/// Runs without crashes and faults for each mistake and layout.
const CALM_SEEDS: u64 = 10;

/// The mistakes that tests without crashes see too: those of what readers see, a batch whose frames take more space, and a
/// time that a clock which is set back shows.
const SEEN: [Bug; 9] = [
    Bug::BatchInPieces,
    Bug::TimeForgotten,
    Bug::VersionsParted,
    Bug::SnapshotIgnored,
    Bug::TurnForgotten,
    Bug::TombstoneDropped,
    Bug::RangeDropped,
    Bug::RangeCutShort,
    Bug::NewerRangeSeen,
];

#[test]
fn no_other_mistake_is_seen_without_crashes_and_faults() {
    let (next, seen) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(bug) = Bug::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            for twist in [Twist::HASH, Twist::ORDERED] {
                let run = quietly(|| calm(*bug, twist));
                if let (Err(error), false) = (run, SEEN.contains(bug)) {
                    let text = format!("{bug:?} {:?}: {}", twist.layout, first_line(&error));
                    seen.lock().unwrap().push(text);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let seen = seen.into_inner().unwrap();
    assert!(seen.is_empty(), "{}", seen.join("\n"));
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

/// The mistakes that the ordinary loops of the hash layout catch. Of the others the table of the suite `lab` says who does.
const LOOPED: [Bug; 16] = [
    Bug::WriteNotSynced,
    Bug::OlderLogNotSynced,
    Bug::MergeOutputNotSynced,
    Bug::ShadowsNotSynced,
    Bug::LogNameNotSynced,
    Bug::DirNotSynced,
    Bug::ChecksumIgnored,
    Bug::AppendAfterTorn,
    Bug::TombstonesGoFirst,
    Bug::OutputNamesNotSynced,
    Bug::InputsRemovedEarly,
    Bug::CurrentBeforeManifest,
    Bug::RecoveryNotSynced,
    Bug::AppendAfterFailure,
    Bug::SyncRetried,
    Bug::OneSlot,
];

#[test]
fn mistakes_of_the_hash_layout_are_caught_by_the_ordinary_loops() {
    let mut missed = Vec::new();
    for bug in LOOPED {
        let caught = LOOPS.iter().find_map(|(name, run)| {
            let error = quietly(|| run(bug)).err()?;
            Some((name, error))
        });
        let (by, error) = match &caught {
            Some((name, error)) => (**name, first_line(error)),
            None => ("NOBODY", ""),
        };
        println!("{bug:?}\n    caught by: {by}: {error}");
        if caught.is_none() {
            missed.push(bug);
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

// Those of the bugs that a store in the ordered layout can have.
#[test]
fn bugs_that_both_layouts_share_are_caught_in_the_ordered_one() {
    let shared = [
        Bug::WriteNotSynced,
        Bug::MergeOutputNotSynced,
        Bug::LogNameNotSynced,
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

// Mistakes that need an operation that fails, and that no story of `trees` has.
#[test]
fn mistakes_after_a_failure_are_caught_by_failing_operations() {
    let mut missed = Vec::new();
    for bug in [Bug::SealedAgain, Bug::EndedNotSynced, Bug::DirSyncFailureIgnored] {
        let broken = quietly(|| fail_every_operation(shape(bug), &the_run()).map(drop));
        println!("{bug:?}: {}", broken.as_ref().err().map_or("NOBODY", |error| first_line(error)));
        if broken.is_ok() {
            missed.push(bug);
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
