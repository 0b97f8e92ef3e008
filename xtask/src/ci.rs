//! `ci`: everything that must hold, cheap checks first and the tests last, so that their summary
//! closes the output.

use std::path::Path;
use std::time::Instant;

use crate::shell::{self, Outcome};
use crate::{bench, component, demo, nostd, test, tidy};

/// Runs the steps in order and stops at the first that fails.
pub fn run() -> Outcome {
    let start = Instant::now();
    component::ready();
    step("format", format)?;
    step("tidy", tidy::run)?;
    step("clippy", clippy)?;
    step("docs", docs)?;
    step("no_std", nostd::run)?;
    step("fuzz targets compile", fuzz_targets)?;
    step("examples", examples)?;
    step("demo", || demo::run(&[]))?;
    step("benchmarks, small", bench::small)?;
    println!("all but the tests: {:.1} s", start.elapsed().as_secs_f64());
    // Why: without `step`, whose closing line would stand below the runner's summary.
    println!("== test");
    test::run(None)
}

fn step(name: &str, work: impl FnOnce() -> Outcome) -> Outcome {
    println!("== {name}");
    let start = Instant::now();
    let outcome = work();
    let word = if outcome.is_ok() { "ok" } else { "FAILED" };
    println!("== {name}: {word}, {:.1} s", start.elapsed().as_secs_f64());
    outcome
}

fn format() -> Outcome {
    shell::run(&mut shell::cargo(["fmt", "--all", "--check"]))?;
    if has_fuzz() {
        shell::run(&mut shell::cargo(["fmt", "--manifest-path", FUZZ, "--check"]))?;
    }
    Ok(())
}

fn clippy() -> Outcome {
    let all = ["--workspace", "--all-targets", "--all-features"].as_slice();
    let core = ["--package", "keelstone-vfs", "--package", "keelstone", "--no-default-features"];
    for scope in [all, core.as_slice()] {
        let mut command = shell::cargo(["clippy"]);
        shell::run(command.args(scope).args(["--", "--deny", "warnings"]))?;
    }
    Ok(())
}

fn docs() -> Outcome {
    let mut command = shell::cargo(["doc", "--workspace", "--no-deps"]);
    shell::run(command.env("RUSTDOCFLAGS", "--deny warnings"))
}

/// Runs every example program; each checks what it shows.
fn examples() -> Outcome {
    for (package, folder) in [("keelstone-vfs", "vfs/examples"), ("keelstone", "engine/examples")] {
        let folder = shell::root().join(folder);
        let files = std::fs::read_dir(&folder);
        let files = files.map_err(|error| format!("{}: {error}", folder.display()))?;
        let name = |file: std::fs::DirEntry| {
            Some(file.file_name().to_str()?.strip_suffix(".rs")?.to_owned())
        };
        let mut names: Vec<String> = files.flatten().filter_map(name).collect();
        names.sort();
        for name in names {
            let words = ["run", "--quiet", "--package", package, "--example", &name];
            // Why there: the example that the README shows keeps its store in the folder it runs in.
            let mut command = shell::cargo(words);
            let manifest = shell::root().join("Cargo.toml");
            command.arg("--manifest-path").arg(manifest);
            let place = std::env::temp_dir().join(format!("keelstone-example-{name}"));
            std::fs::create_dir_all(&place)
                .map_err(|error| format!("{}: {error}", place.display()))?;
            shell::run(command.current_dir(&place))?;
            std::fs::remove_dir_all(&place)
                .map_err(|error| format!("{}: {error}", place.display()))?;
        }
    }
    Ok(())
}

/// Outside the workspace, so the steps above do not see it.
const FUZZ: &str = "fuzz/Cargo.toml";

fn has_fuzz() -> bool {
    Path::new(&shell::root().join(FUZZ)).is_file()
}

fn fuzz_targets() -> Outcome {
    if !has_fuzz() {
        println!("no fuzz targets yet");
        return Ok(());
    }
    shell::run(&mut shell::cargo(["check", "--manifest-path", FUZZ, "--no-default-features"]))
}
