//! `demo`: builds `keel` and the demo in release and runs the demo on Unicode's data.
//!
//! Called by people and by `ci`. The work itself is the program `demo` in `tests/`; this only
//! builds and starts it.

use std::time::Instant;

use crate::component;
use crate::shell::{self, Outcome};

const DATA: &str = "tests/data/unicode/UnicodeData.txt";

/// Builds and runs; further arguments go to the program.
pub fn run(args: &[String]) -> Outcome {
    let start = Instant::now();
    component::ready();
    // Why: two builds, so that `keel` is the product and does not get the feature `lab` of the
    // tests.
    let product = ["build", "--release", "--package", "keelstone-host", "--bin", "keel"];
    let keel = shell::pick(&shell::build(product)?, "keel")?;
    let program = ["build", "--release", "--package", "keelstone-tests", "--bin", "demo"];
    let demo = shell::pick(&shell::build(program)?, "demo")?;
    println!("built in release: {:.1} s", start.elapsed().as_secs_f64());
    let mut command = shell::command(demo, args);
    command.arg("--keel").arg(keel).arg("--data").arg(shell::root().join(DATA));
    shell::run(&mut command)
}
