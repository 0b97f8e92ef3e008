//! `fuzz [TARGET] [SECONDS]`: runs fuzz targets for a time. Not part of `ci`: their corpora replay
//! in the tests.

use std::fs;

use crate::shell::{self, Outcome};

const SECONDS: &str = "600";

/// Runs one target, or each in turn.
pub fn run(args: &[String]) -> Outcome {
    let (target, seconds) = match args {
        [] => (None, SECONDS),
        [target] => (Some(target), SECONDS),
        [target, seconds, ..] => (Some(target), seconds.as_str()),
    };
    if seconds.parse::<u32>().is_err() {
        return Err(format!("not a number of seconds: {seconds}"));
    }
    let known = targets()?;
    let chosen = match target {
        Some(target) if known.contains(target) => vec![target.clone()],
        Some(target) => return Err(format!("no target {target}; there are: {}", known.join(" "))),
        None => known,
    };
    ready()?;
    for target in chosen {
        println!("== fuzz {target}, {seconds} s");
        // Why: `rustup run` and not `cargo +nightly`, which only rustup's own cargo understands.
        let limit = format!("-max_total_time={seconds}");
        // Why: the first folder takes what is found, the second one is the committed corpus.
        let (found, corpus) =
            (format!("fuzz/corpus/{target}"), format!("tests/data/corpora/{target}"));
        fs::create_dir_all(shell::root().join(&found))
            .map_err(|error| format!("{found}: {error}"))?;
        let words = ["run", "nightly", "cargo", "fuzz", "run", target.as_str(), &found, &corpus];
        let words = words.into_iter().chain(["--", &limit, "-rss_limit_mb=2048"]);
        shell::run(&mut shell::command("rustup", words))?;
    }
    Ok(())
}

/// The names of the targets, in order.
fn targets() -> Result<Vec<String>, String> {
    let folder = shell::root().join("fuzz/fuzz_targets");
    let files = fs::read_dir(&folder).map_err(|error| format!("fuzz/fuzz_targets: {error}"))?;
    let mut names: Vec<String> = files
        .flatten()
        .filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".rs")?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// Says what to install if the nightly compiler or cargo-fuzz is missing.
fn ready() -> Outcome {
    if !shell::works(&mut shell::command("rustup", ["run", "nightly", "rustc", "--version"])) {
        return Err("fuzzing needs a nightly compiler: rustup toolchain install nightly".into());
    }
    if !shell::works(&mut shell::command(
        "rustup",
        ["run", "nightly", "cargo", "fuzz", "--version"],
    )) {
        return Err("fuzzing needs cargo-fuzz: cargo install cargo-fuzz".into());
    }
    Ok(())
}
