//! `crash [--long | --bugs]`: the crash lab over all programs of up to two words, or of three, in release, once with writes torn
//! in the middle and every state of the first crash (and of two words every crash of every recovery), once with writes torn at
//! every byte and bounds; or the table of the bugs on purpose,
//! each with what catches it and how soon, and what other projects' crash models see of it.
//!
//! Called by people; the suite `lab` runs the two words and the bugs in every test. `docs/crash-lab.md` keeps what they print.

use crate::component;
use crate::shell::{self, Outcome};

/// More than there are: no state of the first crash is left out where writes are torn in the middle only.
const ALL: &str = "1000000000";
/// So many states are tried at one point of a short program, and so many of a long one, where writes are torn at every byte:
/// with so many of a short one at least one write is torn at each point. There are thirteen times as many programs of one
/// word more.
const STATES: [&str; 2] = ["30000", "100"];
/// So many at one point of a long program where writes are torn in the middle, with garbage and stale bytes.
const HALVES: &str = "500";

/// Explores programs; further arguments go to the first `keel crash` of the two.
pub fn run(args: &[String]) -> Outcome {
    match args.split_first() {
        Some((first, rest)) if first == "--long" => explore(true, rest),
        Some((first, [])) if first == "--bugs" => bugs(),
        _ => explore(false, args),
    }
}

fn explore(long: bool, rest: &[String]) -> Outcome {
    component::ready();
    let product = ["build", "--release", "--package", "keelstone-host", "--bin", "keel"];
    let keel = shell::pick(&shell::build(product)?, "keel")?;
    let words = if long { "3" } else { "2" };
    let states = STATES[usize::from(long)];
    // Why zeros alone for three words: with garbage and stale bytes they take two hours of two cores.
    let zeros = long.then_some("--zeros");
    let halves = ["crash", "--words", words, "--half", "--states", ALL];
    // Why not of three: some three million recoveries, each crashed again at each of its steps.
    let lives = (!long).then_some(["--lives", ALL]).into_iter().flatten();
    shell::run(shell::command(&keel, halves).args(zeros).args(lives).args(rest))?;
    if long {
        let bounded = ["crash", "--words", words, "--half", "--states", HALVES];
        shell::run(&mut shell::command(&keel, bounded))?;
    }
    shell::run(&mut shell::command(&keel, ["crash", "--words", words, "--states", states]))
}

/// Tries every bug and prints the table, and that of the crash models of other projects.
fn bugs() -> Outcome {
    let test = ["test", "--package", "keelstone-tests", "--test", "lab", "--"];
    let tables =
        ["--nocapture", "--test-threads=1", "every_mistake_is_caught", "sees_every_mistake"];
    shell::run(shell::cargo(test).args(tables))
}
