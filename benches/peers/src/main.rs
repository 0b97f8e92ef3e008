//! Keelstone beside other embeddable stores and the floors, on the same keys in the same order.
//!
//! The program runs itself: the parent in `rounds` starts a child for every stage, so that memory
//! and writes are one engine's own; a child runs a stage of `stages` on one of `engines`, each
//! behind the door in `peer`. `tables` makes Markdown of what the children report.
//! Promise: the same arguments do the same work, and its checksums are compared across engines.
#![warn(missing_docs)]

mod engines;
#[path = "../../src/keys.rs"]
mod keys;
mod peer;
mod process;
mod random;
mod report;
mod rounds;
mod stages;
mod tables;

use core::time::Duration;
use std::env;
use std::path::Path;

use crate::rounds::{GROUPS, Settings};
use crate::stages::Plan;

const HELP: &str = "\
usage: peers [--size full|small] [--rounds N] [--engines NAME,...] [--groups NAME,...] [--cap-ms N]
  --size    full: 1,000,000 keys in 5 rounds; small: 2,000 keys in 1 round
  --rounds  another number of rounds
  --engines only these; floors are engines too
  --groups  only these of seq, bulk, random, overwrite, ycsb, reopen
  --cap-ms  a workload ends after this long (4000)
  --notes   runs nothing: the tables of a run whose standard error is in this file
KEELSTONE_BENCH_DIR is where the stores are made; else the system's place for such.";

/// What the arguments ask for, or what is wrong with them.
fn settings(mut args: impl Iterator<Item = String>) -> Result<Settings, String> {
    let plan = Plan { keys: 1_000_000, cap: Duration::from_secs(4) };
    let mut settings = Settings {
        plan,
        rounds: 5,
        engines: engines::all(),
        groups: GROUPS.iter().map(|(name, _)| *name).collect(),
        notes: None,
    };
    let mut rounds = None;
    while let Some(arg) = args.next() {
        let given = args.next().ok_or_else(|| format!("{arg} is not known or lacks its value"))?;
        let number = || given.parse::<u32>().map_err(|_| format!("{arg} takes a number"));
        let named = |name: &str| given.split(',').any(|given| given == name);
        match (arg.as_str(), given.as_str()) {
            ("--size", "full") => {}
            ("--size", "small") => (settings.plan.keys, settings.rounds) = (2_000, 1),
            ("--rounds", _) => rounds = Some(number()?),
            ("--cap-ms", _) => settings.plan.cap = Duration::from_millis(number()?.into()),
            ("--engines", _) => settings.engines.retain(|engine| named(engine.name)),
            ("--notes", _) => settings.notes = Some(given),
            ("--groups", _) => settings.groups.retain(|group| named(group)),
            _ => return Err(format!("{arg} {given} is not known")),
        }
    }
    settings.rounds = rounds.unwrap_or(settings.rounds);
    Ok(settings)
}

/// Runs the stage that the parent asks for: stage, engine, directory, keys, cap in milliseconds.
fn child(args: &[String]) {
    let [stage, name, dir, keys, cap] = args else { panic!("a child takes five arguments") };
    let engine = engines::all().into_iter().find(|engine| engine.name == name);
    let plan = Plan {
        keys: keys.parse().expect("a number of keys"),
        cap: Duration::from_millis(cap.parse().expect("a number of milliseconds")),
    };
    stages::run(stage, &engine.expect("an engine of this build"), Path::new(dir), plan);
}

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == rounds::CHILD) {
        return child(&args[1..]);
    }
    match settings(args.into_iter()) {
        Ok(settings) => {
            let results = match &settings.notes {
                Some(path) => {
                    let notes = std::fs::read_to_string(path).expect("the notes can be read");
                    rounds::noted(&settings, &notes).expect("notes of a run")
                }
                None => rounds::run(&settings),
            };
            report::say(tables::all(&settings, &results));
        }
        Err(wrong) => {
            report::note(format_args!("{wrong}\n{HELP}"));
            std::process::exit(2);
        }
    }
}
