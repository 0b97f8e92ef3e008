//! `crash [--long | --bugs]`: the crash lab over all programs of up to two words, or of three, in release; or the table of
//! the bugs on purpose, each with what catches it and how soon.
//!
//! Called by people; the suite `lab` runs the two words and the bugs in every test. `docs/crash-lab.md` keeps what they print.

use crate::component;
use crate::shell::{self, Outcome};

/// So many states are tried at one point of a short program, and so many of a long one: there are thirteen times as many
/// programs of one word more.
const STATES: [&str; 2] = ["500", "100"];

/// Explores programs; further arguments go to `keel crash`.
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
    let mut command = shell::command(keel, ["crash", "--words", words, "--states", states]);
    shell::run(command.args(rest))
}

/// Tries every bug and prints the table.
fn bugs() -> Outcome {
    let test = ["test", "--package", "keelstone-tests", "--test", "lab", "--"];
    shell::run(shell::cargo(test).args(["--nocapture", "every_mistake_is_caught"]))
}
