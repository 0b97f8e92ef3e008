//! Bulk loads under power cuts and failing disks: a load is whole or absent, and nothing before it is lost for it.

use keelstone::lab::Bug;
use keelstone_tests::crash::{
    Budget, Depth, LOAD_SHAPE, Recording, explore, fail_every_operation, fail_every_sync, load_run,
};
use keelstone_tests::differential::quietly;
use keelstone_tests::model::put;
use keelstone_tests::op::{Op, value};
use keelstone_tests::shape::Shape;

/// One load of two tables over writes that are not durable, and a write behind it.
fn short_run() -> Vec<Op> {
    let write = |key: &str, id| Op::Write { writes: vec![put(key, value(id, 12))], durable: false };
    let load = (0..14).map(|n| put(format!("k{n:02}"), value(n + 3, 60))).collect();
    vec![write("k03", 1), write("z", 2), Op::Load(load), write("k05", 40), Op::Reopen]
}

#[test]
fn power_cut_at_every_byte_of_a_load_leaves_all_of_it_or_nothing() {
    let recording = Recording::new(LOAD_SHAPE, &short_run()).unwrap();
    assert!(
        recording.count("create", ".table") >= 3,
        "two tables of the load, one of the memtable"
    );
    let counts = explore(&recording, &Budget::FULL).unwrap_or_else(|error| panic!("{error}"));
    println!("every byte of a load: {counts:?}");
    assert!(counts.points > 2000 && counts.distinct > 1000, "{counts:?}");
}

#[test]
fn power_cut_at_every_operation_of_loads_over_everything_keeps_the_promise() {
    let recording = Recording::new(LOAD_SHAPE, &load_run()).unwrap();
    assert!(recording.count("create", ".table") > 10);
    assert!(recording.count("create", ".manifest") > 1, "a manifest was replaced");
    let budget = Budget { depth: Depth::Twice, ..Budget::OPERATIONS };
    let counts = explore(&recording, &budget).unwrap_or_else(|error| panic!("{error}"));
    println!("every operation of loads: {counts:?}");
    assert!(counts.points > 200 && counts.distinct > 1000, "{counts:?}");
}

#[test]
fn every_operation_of_loads_fails_once_and_from_then_on() {
    let counts = fail_every_operation(LOAD_SHAPE, &load_run());
    let counts = counts.unwrap_or_else(|error| panic!("{error}"));
    println!("every operation fails: {counts:?}");
    assert!(counts.runs > 2000 && counts.healed > 100 && counts.read_only > 100, "{counts:?}");
}

// Every write seals the memtable and its log, one whose last write has failed too.
#[test]
fn every_operation_of_loads_over_tiny_memtables_fails() {
    let shape = Shape { memtable_bytes: 1024, ..LOAD_SHAPE };
    let counts = fail_every_operation(shape, &load_run());
    let counts = counts.unwrap_or_else(|error| panic!("{error}"));
    println!("every operation fails, tiny memtables: {counts:?}");
    assert!(counts.runs > 2000 && counts.healed > 100 && counts.read_only > 100, "{counts:?}");
}

#[test]
fn every_sync_of_loads_fails_in_every_known_way() {
    let counts = fail_every_sync(LOAD_SHAPE, &load_run());
    let counts = counts.unwrap_or_else(|error| panic!("{error}"));
    println!("every sync fails: {counts:?}");
    assert!(counts.read_only > 50, "{counts:?}");
}

// The loop itself is tested: tables of a load that are named before they are durable.
#[test]
fn load_that_is_not_synced_is_caught() {
    for bug in [Bug::MergeOutputNotSynced, Bug::DirNotSynced, Bug::LoadNamesNotSynced] {
        let run = || {
            let load = (0..4).map(|n| put(format!("k{n:02}"), value(n, 20))).collect();
            let shape = Shape { bug: Some(bug), ..LOAD_SHAPE };
            let recording = Recording::new(shape, &[Op::Load(load)])?;
            explore(&recording, &Budget::OPERATIONS).map(drop)
        };
        assert!(quietly(run).is_err(), "{bug:?}");
    }
}
