//! Every operation of the run fails, once and from then on; every sync fails in every known way.

use keelstone_tests::crash::{
    CRASH_SHAPE, FaultCounts, ORDERED_CRASH_SHAPE, fail_every_operation, fail_every_sync,
    the_ordered_run, the_run,
};
use keelstone_tests::op::Op;
use keelstone_tests::shape::Shape;

fn told(title: &str, counts: &FaultCounts) {
    println!(
        "{title}: failed={} runs={} told={} absorbed={} read_only={} healed={}",
        counts.failed, counts.runs, counts.told, counts.absorbed, counts.read_only, counts.healed
    );
}

fn operations(title: &str, shape: Shape, ops: &[Op]) {
    let counts = fail_every_operation(shape, ops).unwrap_or_else(|error| panic!("{error}"));
    told(title, &counts);
    assert!(counts.runs > 2000 && counts.told > counts.absorbed, "{counts:?}");
    assert!(counts.healed > 100 && counts.read_only > 100, "{counts:?}");
}

#[test]
fn every_operation_fails_once_and_from_then_on() {
    operations("every operation", CRASH_SHAPE, &the_run());
}

#[test]
fn every_operation_fails_with_a_reserve_and_work_inside_writes() {
    let shape = Shape { reserve_bytes: 512, inline_work: true, ..CRASH_SHAPE };
    operations("with a reserve", shape, &the_run());
}

#[test]
fn every_operation_fails_with_equal_hashes() {
    let shape = Shape { equal_hashes: true, ..CRASH_SHAPE };
    operations("with equal hashes", shape, &the_run());
}

// The modes of ATC'20: dropped (ext4 ordered, XFS), late (ext4 data=journal), reverted (btrfs), once per handle.
#[test]
fn every_sync_fails_in_every_known_way() {
    let counts = fail_every_sync(CRASH_SHAPE, &the_run()).unwrap_or_else(|error| panic!("{error}"));
    told("every sync", &counts);
    assert!(counts.read_only > 50 && counts.runs >= 4 * 30, "{counts:?}");
}

#[test]
fn every_operation_of_an_ordered_store_fails_once_and_from_then_on() {
    operations("every ordered operation", ORDERED_CRASH_SHAPE, &the_ordered_run());
}

// A memtable holds many writes, a flush comes with a close or a compact, and work goes on inside writes.
#[test]
fn every_operation_of_an_ordered_store_fails_with_a_reserve_and_work_inside_writes() {
    let shape = Shape {
        memtable_bytes: 70 << 10,
        reserve_bytes: 512,
        inline_work: true,
        lz4: true,
        ..ORDERED_CRASH_SHAPE
    };
    operations("every ordered operation, with a reserve", shape, &the_ordered_run());
}

#[test]
fn every_sync_of_an_ordered_store_fails_in_every_known_way() {
    let counts = fail_every_sync(ORDERED_CRASH_SHAPE, &the_ordered_run());
    let counts = counts.unwrap_or_else(|error| panic!("{error}"));
    told("every ordered sync", &counts);
    assert!(counts.read_only > 50 && counts.runs >= 4 * 60, "{counts:?}");
    // Why: the sync of a new table is one like any other; nothing gets over it but another open.
    assert_eq!(counts.healed, 0, "{counts:?}");
}
