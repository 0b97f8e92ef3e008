//! Seeded runs of the store beside the model; at their end they prove that enough happened.

use keelstone_tests::differential::Run;
use keelstone_tests::disk::DiskKind;
use keelstone_tests::long;
use keelstone_tests::rng::seeds;
use keelstone_tests::script::Twist;
use keelstone_tests::tally::Tally;

/// Runs every seed, and fails with what the first failing one says.
fn run(test: &str, (first, count): (u64, u64), run: impl Fn(u64) -> Run) -> (Tally, usize) {
    let mut tally = Tally::default();
    let seeds = seeds(first, count);
    for seed in &seeds {
        tally.merge(&run(*seed).check(test).unwrap_or_else(|error| panic!("seed {seed}: {error}")));
    }
    (tally, seeds.len())
}

/// What a suite of runs must have met, unless it is one seed that is repeated.
fn met(tally: &Tally, runs: usize, wanted: &[(&str, u64)]) {
    if runs > 1 && std::env::var_os("KEELSTONE_SEED").is_none() {
        tally.at_least(wanted);
    }
}

#[test]
fn store_and_model_agree_in_memory() {
    let plan = |seed| Run { seed, ops: 400, kind: DiskKind::Memory, twist: Twist::HASH };
    let (tally, runs) = run("store_and_model_agree_in_memory", (1, 600), plan);
    let wanted = [
        ("merges", 2000),
        ("rotations", 2000),
        ("reopens", 2000),
        ("kills", 2000),
        ("expiries", 500),
        ("hints_used", 4000),
        ("files_scanned", 4000),
        ("snapshot_reads", 500),
        ("slow_scans", 300),
        ("gets_between_steps", 2000),
        ("jobs", 500),
        ("merge_steps", 200),
        ("log_reads", 1000),
        ("merged_away", 300),
        ("backups", 500),
        ("batches", 5000),
        ("removes", 2000),
    ];
    met(&tally, runs, &wanted);
}

#[test]
fn store_and_model_agree_with_equal_hashes() {
    let twist = Twist { equal_hashes: true, ..Twist::HASH };
    let plan = |seed| Run { seed, ops: 400, kind: DiskKind::Memory, twist };
    let (tally, runs) = run("store_and_model_agree_with_equal_hashes", (1000, 100), plan);
    let wanted = [
        ("merges", 300),
        ("rotations", 300),
        ("reopens", 300),
        ("expiries", 50),
        ("hints_used", 500),
        ("snapshot_reads", 80),
        ("merge_steps", 25),
    ];
    met(&tally, runs, &wanted);
}

#[test]
fn store_and_model_agree_on_the_native_disk() {
    let plan = |seed| Run { seed, ops: 150, kind: DiskKind::Native, twist: Twist::HASH };
    let (tally, runs) = run("store_and_model_agree_on_the_native_disk", (2000, 20), plan);
    let wanted = [
        ("merges", 3),
        ("rotations", 10),
        ("reopens", 10),
        ("kills", 10),
        ("expiries", 3),
        ("merge_steps", 1),
    ];
    met(&tally, runs, &wanted);
}

#[test]
fn ordered_store_and_model_agree_in_memory() {
    let (kind, twist) = (DiskKind::Memory, Twist::ORDERED);
    let plan = |seed| Run { seed, ops: 400, kind, twist };
    let (tally, runs) = run("ordered_store_and_model_agree_in_memory", (5000, 400), plan);
    let wanted = [
        ("flushes", 2000),
        ("compactions", 1000),
        ("reopens", 1000),
        ("kills", 1000),
        ("expiries", 300),
        ("snapshot_reads", 300),
        ("slow_scans", 200),
        ("range_deletes", 1000),
        ("range_scans", 1000),
        ("backups", 300),
        ("removes", 1000),
    ];
    met(&tally, runs, &wanted);
}

// One store, a million operations, other options every 20,000 of them: snapshots, walks, expiry, range deletes, jobs in
// hand, reopens and kills all meet each other.
#[test]
fn million_operations_on_an_ordered_store() {
    const OPS: u64 = 1_000_000;
    for seed in seeds(6000, 1) {
        let done = long::run("million_operations_on_an_ordered_store", seed, OPS)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let rare: Vec<_> = done.kinds.iter().filter(|(_, count)| **count < OPS / 100).collect();
        assert!(rare.is_empty() && done.kinds.len() == 28, "rare: {rare:?} of {:?}", done.kinds);
        done.tally.at_least(&[
            ("ops", OPS),
            ("flushes", 1000),
            ("compactions", 300),
            ("reopens", 100),
            ("kills", 100),
            ("deep_trees", 100),
            ("table_moves", 100),
            ("expiries", 1000),
            ("snapshot_reads", 1000),
            ("slow_scans", 1000),
            ("range_deletes", 1000),
            ("range_scans", 1000),
            ("jobs", 1000),
            ("log_reads", 1000),
            ("merged_away", 1000),
            ("backups", 1000),
        ]);
    }
}
