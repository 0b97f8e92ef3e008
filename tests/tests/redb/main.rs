//! redb in the crash lab: two published crash bugs of an older release are caught, and the newest release is tried in the
//! same way. `docs/redb.md` has the story.
//!
//! Every test tries what its model says at every step of its program, and prints the certificate.
#![allow(
    clippy::unwrap_used,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::print_stdout,
    reason = "tests have std, stop with a panic where they cannot go on, and print what they counted"
)]

use std::collections::BTreeMap;

use keelstone::vfs::crash::{Certificate, Model, Unit, Violation, explain, explore};
use keelstone_tests::redb::{Newest, Program, Redb, Release, WithBug};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Writes there, missing or torn in the middle, each length that the file had; the assumptions of redb: no garbage.
const ONE_CRASH: Model = Model {
    unit: Unit::Half,
    second_unit: Unit::Half,
    garbage: false,
    depth: 1,
    kills: false,
    point_states_max: 20,
    go_on: true,
    ..Model::FULL
};
/// Recoveries are crashed too.
const TWO_CRASHES: Model = Model { depth: 2, ..ONE_CRASH };

/// Explores; prints the certificate, and of each kind of violation how many there are, and the first, explained.
fn tried<R: Release>(program: Program, model: &Model) -> Certificate {
    let name = program.name;
    let redb = Redb::<R>::new(program);
    let trace = redb.record().unwrap();
    let certificate = explore(&redb, &trace, model);
    println!("{}, {name} program: {model}\n{certificate}", R::NAME);
    let mut kinds: BTreeMap<&str, Vec<&Violation>> = BTreeMap::new();
    for violation in &certificate.violations {
        kinds.entry(&violation.message).or_default().push(violation);
    }
    for (message, violations) in kinds {
        let first = explain(&redb, &trace, model, &violations[0].path).unwrap();
        println!("{} times: {message}\n{first}", violations.len());
    }
    certificate
}

// redb pull request 1276 (fd82cedb): a header with the larger layout is on the medium, the file's new length is not, and
// every open panics from then on; what was acknowledged before is there and cannot be reached.
#[test]
fn redb_1276_file_that_was_to_grow_cannot_be_opened_any_more() {
    let certificate = tried::<WithBug>(Program::growing(), &ONE_CRASH);
    let unopenable = "panic: assertion failed: storage.raw_file_len()? >= header.layout().len()";
    let found: Vec<_> =
        certificate.violations.iter().filter(|found| found.message == unopenable).collect();
    assert!(found.len() >= 3, "{:?}", certificate.violations);
    let redb = Redb::<WithBug>::new(Program::growing());
    let trace = redb.record().unwrap();
    let told = explain(&redb, &trace, &ONE_CRASH, &found[0].path).unwrap();
    let shown = told.effects.iter().map(String::as_str).collect::<Vec<_>>();
    let expected =
        ["db is 1056768 bytes long, 1056768 were synced", "db write of bytes 9..320 there"];
    assert_eq!(shown, expected, "not by the length alone");
}

// redb pull request 1290 (8e04e95b): the first crash tears the slot of a commit, the recovery writes it again with a
// checksum that is right, and the second crash makes it the newest: an acknowledged commit is gone.
#[test]
fn redb_1290_second_crash_takes_an_acknowledged_commit_back() {
    let violations = tried::<WithBug>(Program::small(), &TWO_CRASHES).violations;
    let second = |found: &Violation| found.message.starts_with("crashed again: ");
    assert!(violations.iter().all(second), "{violations:?}");
    let taken_back =
        |found: &Violation| found.message.starts_with("crashed again: the state after commit ");
    assert!(violations.iter().any(taken_back), "{violations:?}");
}

#[test]
fn newest_redb_keeps_what_it_acknowledged_through_two_crashes() {
    let certificate = tried::<Newest>(Program::small(), &TWO_CRASHES);
    assert_eq!(certificate.violations, []);
    assert!(certificate.power_cuts >= 500 && certificate.second >= 10_000, "too little was tried");
}

#[test]
fn newest_redb_keeps_what_it_acknowledged_while_its_file_grows() {
    let certificate = tried::<Newest>(Program::growing(), &ONE_CRASH);
    assert_eq!(certificate.violations, []);
    assert!(certificate.power_cuts >= 500, "too little was tried");
}

#[test]
fn same_program_gives_the_same_trace_and_the_growing_one_grows() {
    fn twice<R: Release>() {
        for program in [Program::small(), Program::growing()] {
            let name = program.name;
            let redb = Redb::<R>::new(program);
            let trace = redb.record().unwrap().to_string();
            assert_eq!(trace, redb.record().unwrap().to_string(), "{name}");
            let lengths = trace.matches("set_len ").count();
            assert!(lengths >= if name == "growing" { 2 } else { 1 }, "{trace}");
        }
    }
    twice::<WithBug>();
    twice::<Newest>();
}
