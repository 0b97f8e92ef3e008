//! `bench [NAME]`: the benchmarks, at full size or, for `ci`, at the small size that only shows
//! that they work.

use crate::shell::{self, Outcome};

/// Runs all benchmarks, the file `NAME`, or those whose name contains `NAME`.
pub fn run(name: Option<&str>) -> Outcome {
    let mut command = shell::cargo(["bench", "--package", "keelstone-benches"]);
    match name {
        Some(name) if shell::root().join(format!("benches/benches/{name}.rs")).is_file() => {
            command.args(["--bench", name]);
        }
        Some(name) => {
            command.args(["--", name]);
        }
        None => {}
    }
    shell::run(&mut command)
}

/// Runs every benchmark once at its small size.
pub fn small() -> Outcome {
    let mut command = shell::cargo(["bench", "--package", "keelstone-benches", "--", "--test"]);
    shell::run(command.env("KEELSTONE_BENCH_SMALL", "1"))
}
