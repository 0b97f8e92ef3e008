//! `test [FILTER]`: builds what the tests need, counts them, runs all of them.
//!
//! Calls cargo-nextest if it is installed, else `cargo test`; the counts and the checks are the
//! same. The counts come first, so that the runner's own summary is the last thing on the screen.
//! Never: passes with a test left out; but where there is no browser, one test says so and opens no
//! page, and a line above the tests says it too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::browser;
use crate::component;
use crate::counts::{self, Counts};
use crate::shell::{self, Built, Outcome};

const MINIMUM: &str = "tests/minimum.txt";

/// What the two runners have in common: the programs of the tests, not the doc tests.
const TARGETS: [&str; 2] = ["--workspace", "--tests"];

/// Runs all tests, or those whose name contains `filter`.
pub fn run(filter: Option<&str>) -> Outcome {
    component::ready();
    let keel = build_keel()?;
    let suites = build_suites()?;
    if let Some(filter) = filter {
        return run_tests(&keel, Some(filter), false).map(|_| ());
    }
    let mut counts = count(&suites)?;
    let listed: u64 = counts.values().sum();
    counts.insert("doc".into(), run_doc_tests()?);
    print(&counts);
    let wrong = counts::compare(&counts, &read_minimum()?);
    if !wrong.is_empty() {
        return Err(format!("the number of tests is wrong\n  {}", wrong.join("\n  ")));
    }
    let (passed, skipped) = run_tests(&keel, None, false)?;
    if (passed, skipped) != (listed, 0) {
        return Err(format!("{listed} tests exist, {passed} passed, {skipped} were skipped"));
    }
    Ok(())
}

/// Runs all tests in the mode that records golden scripts anew, and raises the minimum.
pub fn bless() -> Outcome {
    let keel = build_keel()?;
    let suites = build_suites()?;
    let mut counts = count(&suites)?;
    counts.insert("doc".into(), run_doc_tests()?);
    run_tests(&keel, None, true)?;
    let text = counts::render(&counts::raise(&counts, &read_minimum()?));
    let path = shell::root().join(MINIMUM);
    fs::write(&path, text).map_err(|error| format!("{MINIMUM}: {error}"))
}

/// Builds `keel` as users get it, and puts it where no later build replaces it: the tests' own
/// build of the engine has the feature `lab`, and cargo would put a `keel` with it into the same
/// place.
fn build_keel() -> Result<PathBuf, String> {
    let built = shell::build(["build", "--package", "keelstone-host", "--bin", "keel"])?;
    let made = shell::pick(&built, "keel")?;
    let folder = made.parent().unwrap_or(Path::new(".")).join("under-test");
    let copy = folder.join(made.file_name().unwrap_or_default());
    // Why renamed: one that still runs from an earlier time cannot be written to.
    let fresh = copy.with_extension("new");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::copy(&made, &fresh))
        .and_then(|_| fs::rename(&fresh, &copy))
        .map_err(|error| format!("{}: {error}", copy.display()))?;
    Ok(copy)
}

fn build_suites() -> Result<Vec<Built>, String> {
    let mut built = shell::build(["test", "--no-run"].iter().chain(&TARGETS))?;
    built.retain(|program| program.test);
    Ok(built)
}

/// Asks each test program how many tests it has; one that would be ignored is refused.
fn count(suites: &[Built]) -> Result<Counts, String> {
    let mut counts = Counts::new();
    for suite in suites {
        let ignored = list(suite, &["--list", "--ignored"])?;
        if let Some(name) = ignored.first() {
            return Err(format!("{}: {name} is ignored; mend the test or remove it", suite.name));
        }
        let count = u64::try_from(list(suite, &["--list"])?.len()).unwrap_or(u64::MAX);
        *counts.entry(suite.name.clone()).or_default() += count;
    }
    Ok(counts)
}

fn list(suite: &Built, args: &[&str]) -> Result<Vec<String>, String> {
    let output = shell::capture(&mut shell::command(&suite.path, args))?;
    Ok(output.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

fn run_doc_tests() -> Result<u64, String> {
    let output = shell::tee(&mut shell::cargo(["test", "--doc", "--workspace"]))?;
    let (passed, ignored) = counts::tally(&output);
    if ignored > 0 {
        return Err(format!("{ignored} doc tests are ignored; use no_run, or make them run"));
    }
    Ok(passed)
}

fn run_tests(keel: &Path, filter: Option<&str>, bless: bool) -> Result<(u64, u64), String> {
    let nextest = shell::works(&mut shell::cargo(["nextest", "--version"]));
    let verb: &[&str] = if nextest { &["nextest", "run"] } else { &["test"] };
    let mut command = shell::cargo(verb);
    command.args(TARGETS).args(filter).env("KEEL_BIN", keel);
    if nextest {
        command.arg("--no-fail-fast");
    }
    if let Some(browser) = browser::find() {
        command.env(browser::VARIABLE, browser);
    }
    set_mode(&mut command, bless);
    Ok(counts::tally(&shell::tee(&mut command)?))
}

/// Says which tests there are and whether they record: what the caller's terminal has set for one
/// test by hand would make all of them check less.
fn set_mode(command: &mut Command, bless: bool) {
    command.env_remove("KEELSTONE_SEED");
    if bless {
        command.env("KEELSTONE_BLESS", "1");
    } else {
        command.env_remove("KEELSTONE_BLESS");
    }
}

fn read_minimum() -> Result<Counts, String> {
    match fs::read_to_string(shell::root().join(MINIMUM)) {
        Ok(text) => counts::parse(&text).map_err(|error| format!("{MINIMUM}: {error}")),
        // Why: the first `bless` of a fresh tree has nothing to compare with, and `test` then names
        // every suite.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Counts::new()),
        Err(error) => Err(format!("{MINIMUM}: {error}")),
    }
}

fn print(counts: &Counts) {
    println!("tests by suite:");
    for (suite, count) in counts {
        println!("  {count:>5} {suite}");
    }
    println!("  {:>5} in all", counts.values().sum::<u64>());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn seed_and_bless_of_the_caller_do_not_reach_the_tests() {
        let set = |bless| {
            let mut command = Command::new("cargo");
            set_mode(&mut command, bless);
            let value = |name: &str| {
                let found = command.get_envs().find(|(key, _)| *key == OsStr::new(name));
                found.map(|(_, value)| value.map(OsStr::to_owned))
            };
            (value("KEELSTONE_SEED"), value("KEELSTONE_BLESS"))
        };
        // `Some(None)`: taken away.
        assert_eq!(set(false), (Some(None), Some(None)));
        assert_eq!(set(true), (Some(None), Some(Some("1".into()))));
    }
}
