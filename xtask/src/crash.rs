//! `crash [--long]`: the crash lab over all programs of up to two words, or of three, in release.
//!
//! Called by people; the suite `lab` runs the two words in every test. `docs/crash-lab.md` keeps the certificates.

use crate::component;
use crate::shell::{self, Outcome};

/// So many states are tried at one point of a short program, and so many of a long one: there are thirteen times as many
/// programs of one word more.
const STATES: [&str; 2] = ["500", "100"];

/// Explores programs of two words, or with `--long` of three; further arguments go to `keel crash`.
pub fn run(args: &[String]) -> Outcome {
    let (long, rest) = match args.split_first() {
        Some((first, rest)) if first == "--long" => (true, rest),
        _ => (false, args),
    };
    component::ready();
    let product = ["build", "--release", "--package", "keelstone-host", "--bin", "keel"];
    let keel = shell::pick(&shell::build(product)?, "keel")?;
    let words = if long { "3" } else { "2" };
    let states = STATES[usize::from(long)];
    let mut command = shell::command(keel, ["crash", "--words", words, "--states", states]);
    shell::run(command.args(rest))
}
