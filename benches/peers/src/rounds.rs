//! The parent: rounds in which every engine takes its turn, each stage in a child of its own.
//!
//! In every round the engines change places, so that none is always behind the same other.

use core::str::FromStr;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::peer::Engine;
use crate::report::{Line, Time, note};
use crate::stages::Plan;

/// The first argument of a child.
pub const CHILD: &str = "child";

/// The groups with their stages; stages of one group that follow each other share a directory,
/// unless the later one fills a store again.
pub const GROUPS: [(&str, &[&str]); 6] = [
    ("seq", &["seq"]),
    ("bulk", &["bulk"]),
    ("random", &["random"]),
    ("overwrite", &["overwrite"]),
    ("ycsb", &["ycsb"]),
    ("reopen", &["load-close", "reopen-clean", "load-wait", "reopen-killed"]),
];

/// What is run.
pub struct Settings {
    /// How much.
    pub plan: Plan,
    /// How often.
    pub rounds: u32,
    /// On what.
    pub engines: Vec<Engine>,
    /// Which groups.
    pub groups: Vec<&'static str>,
    /// Where the notes of an earlier run are, if that is all that is asked for.
    pub notes: Option<String>,
}

/// What was measured: by engine and name, a number a round.
#[derive(Default)]
pub struct Results {
    /// Operations a second.
    pub speeds: BTreeMap<(&'static str, String), Vec<f64>>,
    /// Everything else, in the unit in which it was counted; times of single calls in milliseconds.
    pub counts: BTreeMap<(&'static str, String), Vec<f64>>,
    /// Workloads that time did not allow in full.
    pub cut: BTreeSet<(&'static str, String)>,
    /// The checksums of the workloads that were done in full.
    pub checksums: BTreeMap<String, u64>,
}

impl Results {
    fn add(&mut self, engine: &'static str, line: Line) {
        match line {
            Line::Time(time) => self.add_time(engine, &time),
            Line::Count { name, value } => {
                self.counts.entry((engine, name)).or_default().push(value as f64);
            }
            Line::Ready => {}
        }
    }

    fn add_time(&mut self, engine: &'static str, time: &Time) {
        let (name, seconds) = (time.name.clone(), time.took.as_secs_f64());
        // Why: opening, closing and compacting are one call of one store; a scan is many pairs.
        if let Some(kind) = name.split('-').next()
            && ["close", "compact", "reopen"].contains(&kind)
        {
            self.counts.entry((engine, name)).or_default().push(seconds * 1e3);
            return;
        }
        self.speeds.entry((engine, name.clone())).or_default().push(time.ops as f64 / seconds);
        if !time.whole {
            self.cut.insert((engine, name));
            return;
        }
        let checksum = *self.checksums.entry(name.clone()).or_insert(time.checksum);
        assert_eq!(time.checksum, checksum, "{engine} did the same {name} as those before it");
    }
}

/// Reads what a run noted on standard error, for one that was ended before its tables.
///
/// # Errors
/// A line that is no note, or of an engine that this run is not about.
pub fn noted(settings: &Settings, notes: &str) -> Result<Results, String> {
    let mut results = Results::default();
    for note in notes.lines() {
        let bad = || format!("not a note of these engines: {note}");
        let mut words = note.splitn(5, ' ');
        let (Some("round"), Some(_), Some(_), Some(name), Some(line)) =
            (words.next(), words.next(), words.next(), words.next(), words.next())
        else {
            return Err(bad());
        };
        let engine = settings.engines.iter().find(|engine| engine.name == name).ok_or_else(bad)?;
        results.add(engine.name, line.parse()?);
    }
    Ok(results)
}

/// Runs everything.
///
/// # Panics
/// If a child fails: its message is above.
#[must_use]
pub fn run(settings: &Settings) -> Results {
    let mut results = Results::default();
    for round in 0..settings.rounds {
        for (group, stages) in GROUPS.iter().filter(|(name, _)| settings.groups.contains(name)) {
            for turn in 0..settings.engines.len() {
                let at = (turn + round as usize) % settings.engines.len();
                let engine = &settings.engines[at];
                if engine.floor && *group == "reopen" {
                    continue;
                }
                run_stages(stages, engine, settings.plan, round, &mut results);
            }
        }
    }
    results
}

fn run_stages(stages: &[&str], engine: &Engine, plan: Plan, round: u32, results: &mut Results) {
    let mut dir = scratch();
    for stage in stages {
        if *stage == "load-wait" {
            dir = scratch();
        }
        for line in run_child(stage, engine, dir.path(), plan) {
            note(format_args!("round {} {stage} {} {line}", round + 1, engine.name));
            results.add(engine.name, line);
        }
    }
}

/// A directory that goes away with the value.
fn scratch() -> TempDir {
    let made = match env::var_os("KEELSTONE_BENCH_DIR") {
        Some(dir) => TempDir::new_in(dir),
        None => TempDir::new(),
    };
    made.expect("a scratch directory can be made")
}

/// Runs one stage in a process of its own, and kills that when it says that it waits for it.
fn run_child(stage: &str, engine: &Engine, dir: &Path, plan: Plan) -> Vec<Line> {
    let program = env::current_exe().expect("this program has a path");
    let mut child = Command::new(program)
        .args([CHILD, stage, engine.name])
        .arg(dir)
        .args([plan.keys.to_string(), plan.cap.as_millis().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child can be started");
    let mut lines = Vec::new();
    let output = child.stdout.take().expect("it is piped");
    for line in BufReader::new(output).lines() {
        let line = line.expect("a child writes text");
        let line = Line::from_str(&line).expect("a child writes lines of a report");
        if line == Line::Ready {
            child.kill().expect("a child of one's own can be killed");
        }
        lines.push(line);
    }
    let killed = lines.contains(&Line::Ready);
    let status = child.wait().expect("a child of one's own can be waited for");
    assert!(killed || status.success(), "{stage} of {}: {status}", engine.name);
    lines
}
