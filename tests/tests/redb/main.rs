//! redb on the fault disk: two published crash bugs of an older release are caught, and the newest release is tried in the
//! same way. `docs/redb.md` has the story.
//!
//! Every test is exhaustive over the choices in `redb::pending` at every step of its program, and prints what it counted.
#![allow(
    clippy::unwrap_used,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::print_stdout,
    reason = "tests have std, stop with a panic where they cannot go on, and print what they counted"
)]

use std::collections::BTreeMap;

use keelstone_tests::redb::{
    Budget, Crash, Failure, Newest, Program, Release, Report, WithBug, explore, record,
};

/// One crash; files of megabytes, so few subsets.
const GROWING: Budget = Budget { seeded: 2, second: false };
/// Recoveries are cut too where the header was torn.
const SMALL: Budget = Budget { seeded: 4, second: true };

/// Explores, and prints the counts and the first failure of each kind.
fn tried<R: Release>(program: &Program, budget: Budget) -> Report {
    let report = explore::<R>(program, budget).unwrap();
    println!("{}, {} program: {}", R::NAME, program.name, report.counts);
    let mut kinds: BTreeMap<&str, Vec<&Failure>> = BTreeMap::new();
    for failure in &report.failures {
        kinds.entry(&failure.what).or_default().push(failure);
    }
    for (_, failures) in kinds {
        println!("  {} times, first at {}", failures.len(), failures[0]);
    }
    report
}

// redb pull request 1276 (fd82cedb): a header with the larger layout is on the medium, the file's new length is not, and
// every open panics from then on; what was acknowledged before is there and cannot be reached.
#[test]
fn redb_1276_file_that_was_to_grow_cannot_be_opened_any_more() {
    let report = tried::<WithBug>(&Program::growing(), GROWING);
    let unopenable = |failure: &&Failure| {
        failure.crash == Crash::First
            && failure.what.contains("raw_file_len()? >= header.layout().len()")
    };
    let found: Vec<&Failure> = report.failures.iter().filter(unopenable).collect();
    assert!(found.len() >= 3, "{found:?}");
    let length_alone = |failure: &&Failure| {
        failure.cuts.contains("`set_len db ") && failure.cuts.ends_with(" lost, rest kept")
    };
    assert!(found.into_iter().any(|failure| length_alone(&failure)), "not by the length alone");
}

// redb pull request 1290 (8e04e95b): the first crash tears the slot of a commit, the recovery writes it again with a
// checksum that is right, and the second crash makes it the newest: an acknowledged commit is gone.
#[test]
fn redb_1290_second_crash_takes_an_acknowledged_commit_back() {
    let report = tried::<WithBug>(&Program::small(), SMALL);
    assert!(
        report.failures.iter().all(|failure| failure.crash == Crash::Second),
        "{:?}",
        report.failures
    );
    let taken_back = |failure: &&Failure| failure.what.starts_with("the state after commit ");
    let found = report.failures.iter().filter(taken_back).count();
    assert!(found >= 3, "{:?}", report.failures);
}

#[test]
fn newest_redb_keeps_what_it_acknowledged_through_two_crashes() {
    let report = tried::<Newest>(&Program::small(), SMALL);
    assert_eq!(report.failures, []);
    assert!(report.counts.distinct >= 200 && report.counts.second >= 200, "too little was tried");
}

#[test]
fn newest_redb_keeps_what_it_acknowledged_while_its_file_grows() {
    let report = tried::<Newest>(&Program::growing(), GROWING);
    assert_eq!(report.failures, []);
    assert!(report.counts.distinct >= 200, "too little was tried");
}

#[test]
fn same_program_gives_the_same_trace_and_the_growing_one_grows() {
    fn twice<R: Release>() {
        for program in [Program::small(), Program::growing()] {
            let trace = record::<R>(&program).unwrap().to_string();
            assert_eq!(trace, record::<R>(&program).unwrap().to_string(), "{}", R::NAME);
            let lengths = trace.matches("set_len ").count();
            assert!(lengths >= if program.name == "growing" { 2 } else { 1 }, "{trace}");
        }
    }
    twice::<WithBug>();
    twice::<Newest>();
}
