//! Records a program of redb, cuts the power at every step, opens what is left, and cuts the power again while it
//! recovers.
//!
//! Called by the tests of redb; calls `release`, `pending` and the fault disk. The oracle: what is left opens without a
//! panic, every table reads, and holds what it held after one commit between the last acknowledged and the last begun;
//! once an open has shown it, no later cut shows another. Then one more commit works.
//! Promise: the same release, program and budget give the same counts and the same failures.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use keelstone::vfs::{FaultDisk, Image, Trace};

use super::FILE;
use super::pending::{Cut, Left, Pending, Step, steps};
use super::program::{Change, Content, Program};
use super::release::Release;
use super::storage::Storage;
use crate::differential::quietly;
use crate::fingerprint::fingerprint;

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Seeded subsets at each step.
    pub seeded: u64,
    /// Whether the recovery of each state with a torn header is cut too.
    pub second: bool,
}

/// What was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Steps of the run, each with its cuts.
    pub steps: u64,
    /// States that the cuts left.
    pub states: u64,
    /// Those of them that differ, each opened and judged.
    pub distinct: u64,
    /// Steps of recoveries that were cut again.
    pub second_steps: u64,
    /// States that these second cuts left and that differ.
    pub second: u64,
    /// Databases refused, without a panic, whose creation was not acknowledged.
    pub refused: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, states, distinct, second_steps, second, refused } = self;
        write!(f, "{steps} steps, {states} states, {distinct} of them distinct; second cuts at ")?;
        write!(f, "{second_steps} steps of recoveries, {second} distinct states; ")?;
        write!(f, "{refused} refused before their creation was acknowledged")
    }
}

/// One state that broke the promise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The step of the run.
    pub op: usize,
    /// Which crash it took.
    pub crash: Crash,
    /// What happened.
    pub what: String,
    /// Which cuts.
    pub cuts: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cuts, self.what)
    }
}

/// What an exploration found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was tried.
    pub counts: Counts,
    /// What broke, in order of the run.
    pub failures: Vec<Failure>,
}

/// What may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Window {
    /// The last commit that was acknowledged; nothing if not even the creation was.
    acknowledged: Option<usize>,
    /// The last commit that was begun.
    begun: usize,
}

/// Marks: commit `n` has begun, or returned; commit 0 is the creation.
const fn begun(n: usize) -> u64 {
    2 * n as u64
}

const fn returned(n: usize) -> u64 {
    2 * n as u64 + 1
}

/// Runs the program once and keeps what it did.
pub fn record<R: Release>(program: &Program) -> Result<Trace, String> {
    let disk = empty_file();
    disk.record();
    disk.mark(begun(0));
    let db = R::open(storage(&disk)?)?;
    disk.mark(returned(0));
    for (n, commit) in program.commits.iter().enumerate() {
        disk.mark(begun(n + 1));
        R::commit(&db, commit)?;
        disk.mark(returned(n + 1));
    }
    drop(db);
    Ok(disk.trace())
}

/// A disk with an empty file whose name is durable: what directories lose is nothing that redb could help.
fn empty_file() -> FaultDisk {
    on_disk(&[])
}

fn on_disk(bytes: &[u8]) -> FaultDisk {
    let disk = FaultDisk::new();
    disk.write_file(FILE, bytes).expect("an empty disk takes a file");
    disk
}

fn storage(disk: &FaultDisk) -> Result<Storage, String> {
    Storage::open(disk, FILE).map_err(|error| error.to_string())
}

/// Tries every cut that the budget has.
///
/// # Panics
/// If what is taken for pending is not what the fault disk says.
pub fn explore<R: Release>(program: &Program, budget: Budget) -> Result<Report, String> {
    let trace = record::<R>(program)?;
    let mut walk = trace.walk();
    let mut explorer = Explorer::<R> {
        trace: &trace,
        contents: program.contents(),
        budget,
        seen: HashSet::new(),
        report: Report::default(),
        release: PhantomData,
    };
    for step in steps(&trace) {
        walk.seek(step.op, 0);
        assert!(step.pending.agrees(&walk.disk()), "step {}: not what the disk leaves", step.op);
        explorer.step(&step);
    }
    Ok(explorer.report)
}

/// One run's exploration. Why on one thread: which of two equal states comes first decides whose recovery is cut again.
struct Explorer<'a, R> {
    trace: &'a Trace,
    contents: Vec<Content>,
    budget: Budget,
    /// States that were judged after the first or the second crash, with what was allowed.
    seen: HashSet<(Crash, u128, Window)>,
    report: Report,
    release: PhantomData<fn() -> R>,
}

/// Which crash left a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Crash {
    /// The one in the run.
    First,
    /// The one in the recovery from it.
    Second,
}

impl<R: Release> Explorer<'_, R> {
    /// Every cut at one step of the run.
    fn step(&mut self, step: &Step) {
        self.report.counts.steps += 1;
        let window = self.window(step.op);
        let seed = step.op as u64 * self.budget.seeded;
        let seeds = (seed..seed + self.budget.seeded).map(Cut::Seeded);
        for cut in step.pending.cuts(step.full).into_iter().chain(seeds) {
            self.report.counts.states += 1;
            let Some(bytes) = self.new_image(Crash::First, step, cut, window) else { continue };
            self.report.counts.distinct += 1;
            let disk = on_disk(&bytes);
            disk.record();
            let cuts = place(self.trace, step, cut);
            match quietly(|| self.judge(&disk, window)) {
                Err(what) => self.fail(step.op, Crash::First, what, cuts),
                Ok(None) => self.report.counts.refused += 1,
                Ok(Some(at)) if self.budget.second && is_torn_header(&step.pending, cut) => {
                    for (then, what) in self.second(&disk.trace(), window, at) {
                        self.fail(step.op, Crash::Second, what, format!("{cuts}; then {then}"));
                    }
                }
                Ok(Some(_)) => {}
            }
        }
    }

    fn fail(&mut self, op: usize, crash: Crash, what: String, cuts: String) {
        self.report.failures.push(Failure { op, crash, what, cuts });
    }

    /// Everything lost and everything kept before and after every sync of a recovery, up to where it showed the state
    /// after commit `at`.
    fn second(&mut self, trace: &Trace, window: Window, at: usize) -> Vec<(String, String)> {
        let shown = trace.marks().first().map_or(trace.len(), |(op, _)| *op);
        let decided = Window { acknowledged: Some(at), begun: at };
        let mut failures = Vec::new();
        for step in steps(trace).into_iter().take(shown + 1) {
            if !step.full && !step.pending.is_empty() && step.op != shown {
                continue;
            }
            self.report.counts.second_steps += 1;
            let window = if step.op == shown { decided } else { window };
            for cut in [Left::Nothing, Left::All].map(Cut::Every) {
                let image = self.new_image(Crash::Second, &step, cut, window);
                let Some(bytes) = image else { continue };
                self.report.counts.second += 1;
                if let Err(what) = quietly(|| self.judge(&on_disk(&bytes), window)) {
                    failures.push((place(trace, &step, cut), what));
                }
            }
        }
        failures
    }

    /// What the cut leaves, if it was not judged before with the same things allowed.
    fn new_image(
        &mut self,
        crash: Crash,
        step: &Step,
        cut: Cut,
        window: Window,
    ) -> Option<Vec<u8>> {
        let mut image = Image::from([(String::new(), step.pending.image(cut))]);
        let is_new = self.seen.insert((crash, fingerprint(&image), window));
        image.remove("").filter(|_| is_new)
    }

    fn window(&self, op: usize) -> Window {
        let mut window = Window { acknowledged: None, begun: 0 };
        for mark in self.trace.marks_before(op) {
            let commit = crate::index(mark / 2);
            window.begun = commit;
            if mark == returned(commit) {
                window.acknowledged = Some(commit);
            }
        }
        window
    }

    /// Opens, reads, compares and marks; then commits once more, and closes. The number of the commit after which the
    /// state was; nothing if the database was refused and may be.
    fn judge(&self, disk: &FaultDisk, window: Window) -> Result<Option<usize>, String> {
        let db = match R::open(storage(disk)?) {
            Err(_) if window.acknowledged.is_none() => return Ok(None),
            opened => opened?,
        };
        let content = R::read(&db)?;
        let allowed = window.acknowledged.unwrap_or(0)..=window.begun;
        let Some(at) = self.contents.iter().position(|known| *known == content) else {
            return Err("the tables hold what they never held after a commit".into());
        };
        if !allowed.contains(&at) {
            return Err(format!("the state after commit {at}, allowed were {allowed:?}"));
        }
        disk.mark(0);
        let more = Change::Put(0, u64::MAX, b"one more".to_vec());
        R::commit(&db, &[more]).map_err(|error| format!("one more: {error}"))?;
        let mut expected = content;
        expected.insert((0, u64::MAX), b"one more".to_vec());
        if R::read(&db).map_err(|error| format!("one more: {error}"))? != expected {
            return Err("one more commit gave something else".into());
        }
        Ok(Some(at))
    }
}

fn place(trace: &Trace, step: &Step, cut: Cut) -> String {
    let next = trace.line(step.op).unwrap_or_else(|| "the end".into());
    format!("cut at step {}, before `{next}`: {}", step.op, step.pending.describe(cut))
}

/// Whether a cut leaves a part of the newest write to the head of the file.
fn is_torn_header(pending: &Pending, cut: Cut) -> bool {
    matches!(cut, Cut::One { at, left: Left::Front(_) | Left::Back(_), .. } if pending.is_header(at))
}
