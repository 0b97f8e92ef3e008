//! Every operation of the run fails, once and from then on; every sync fails in every known way.

use keelstone_tests::crash::{
    CRASH_SHAPE, FaultCounts, fail_every_operation, fail_every_sync, the_run,
};
use keelstone_tests::shape::Shape;

fn told(title: &str, counts: &FaultCounts) {
    println!(
        "{title}: runs={} told={} absorbed={} read_only={} healed={}",
        counts.runs, counts.told, counts.absorbed, counts.read_only, counts.healed
    );
}

fn operations(title: &str, shape: Shape) {
    let counts = fail_every_operation(shape, &the_run()).unwrap_or_else(|error| panic!("{error}"));
    told(title, &counts);
    assert!(counts.runs > 2000 && counts.told > counts.absorbed, "{counts:?}");
    assert!(counts.healed > 100 && counts.read_only > 100, "{counts:?}");
}

#[test]
fn every_operation_fails_once_and_from_then_on() {
    operations("every operation", CRASH_SHAPE);
}

#[test]
fn every_operation_fails_with_a_reserve_and_work_inside_writes() {
    let shape = Shape { reserve_bytes: 512, inline_work: true, ..CRASH_SHAPE };
    operations("with a reserve", shape);
}

#[test]
fn every_operation_fails_with_equal_hashes() {
    operations("with equal hashes", Shape { equal_hashes: true, ..CRASH_SHAPE });
}

// The modes of ATC'20: dropped (ext4 ordered, XFS), late (ext4 data=journal), reverted (btrfs), once per handle.
#[test]
fn every_sync_fails_in_every_known_way() {
    let counts = fail_every_sync(CRASH_SHAPE, &the_run()).unwrap_or_else(|error| panic!("{error}"));
    told("every sync", &counts);
    assert!(counts.read_only > 50 && counts.runs >= 4 * 30, "{counts:?}");
}
