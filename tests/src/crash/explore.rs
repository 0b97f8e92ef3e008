//! Visits every point of a recorded run and judges every crash at it, on all cores, always with the same result.
//!
//! Called by the crash tests; calls the fault disk's trace and the oracle. A state that was judged before, with the same
//! bytes and the same things allowed, is counted and not judged again.

use std::collections::HashSet;
use std::sync::Mutex;

use keelstone::vfs::fault::Moment;
use keelstone::vfs::{FaultDisk, PowerCut};

use super::cuts;
use super::driver::Recording;
use super::history::{Crash, Window};
use super::oracle::{Case, Depth, Oracle};
use crate::cores::{Failure, on_all_cores};
use crate::differential::quietly;
use crate::fingerprint::fingerprint;

/// How much of a run is tried.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Points inside writes too, not only between operations.
    pub every_byte: bool,
    /// Every systematic power cut at each point, files torn at every n-th unsynced byte; 0: only everything lost and
    /// everything kept.
    pub tear_every: usize,
    /// Seeded subsets between every two operations.
    pub seeded: usize,
    /// The first seed.
    pub seed: u64,
    /// How far the oracle goes between operations; inside writes it goes once.
    pub depth: Depth,
}

impl Budget {
    /// Everything.
    pub const FULL: Self =
        Self { every_byte: true, tear_every: 1, seeded: 1000, seed: 1, depth: Depth::Twice };
    /// Every operation, every kind of cut between operations, some subsets.
    pub const OPERATIONS: Self =
        Self { every_byte: false, tear_every: 13, seeded: 3, seed: 1, depth: Depth::Once };
}

/// What was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Points of the run.
    pub points: u64,
    /// States that power cuts and kills left.
    pub states: u64,
    /// Those of them that differ.
    pub distinct: u64,
    /// Second crashes, in recovery and in the first use.
    pub second: u64,
    /// Seeded subsets.
    pub seeded: u64,
}

impl Counts {
    /// Adds other counts.
    pub const fn add(&mut self, other: &Self) {
        self.points += other.points;
        self.states += other.states;
        self.distinct += other.distinct;
        self.second += other.second;
        self.seeded += other.seeded;
    }
}

/// What makes two states one: the bytes, what is allowed, the time, and how far the oracle goes.
type Key = (u128, Window, u64, Depth);

/// Tries every crash that the budget has.
pub fn explore(recording: &Recording, budget: &Budget) -> Result<Counts, String> {
    let seen = Mutex::new(HashSet::new());
    let parts = on_all_cores(|me, of| Worker::new(recording, budget, &seen).run(me, of))?;
    let mut counts = Counts::default();
    parts.iter().for_each(|part| counts.add(part));
    Ok(counts)
}

/// One thread's part: every n-th point.
struct Worker<'a> {
    recording: &'a Recording,
    budget: &'a Budget,
    oracle: Oracle<'a>,
    seen: &'a Mutex<HashSet<Key>>,
    counts: Counts,
}

impl<'a> Worker<'a> {
    fn new(recording: &'a Recording, budget: &'a Budget, seen: &'a Mutex<HashSet<Key>>) -> Self {
        let oracle = Oracle::new(&recording.history, recording.shape);
        Self { recording, budget, oracle, seen, counts: Counts::default() }
    }

    fn run(mut self, me: usize, threads: usize) -> Result<Counts, Failure> {
        let moments = self.recording.trace.walk();
        let wanted = moments.filter(|moment| self.budget.every_byte || moment.bytes == 0);
        for (n, moment) in wanted.enumerate().filter(|(n, _)| n % threads == me) {
            let done = quietly(|| self.point(&moment));
            done.map_err(|error| {
                let line = self.recording.trace.line(moment.op).unwrap_or_default();
                let (op, bytes) = (moment.op, moment.bytes);
                (n, format!("crash at step {op} `{line}`, {bytes} bytes of it: {error}"))
            })?;
        }
        Ok(self.counts)
    }

    /// Every crash at one point.
    fn point(&mut self, moment: &Moment) -> Result<(), String> {
        self.counts.points += 1;
        let between = moment.bytes == 0;
        let depth = if between { self.budget.depth } else { Depth::Once };
        let history = &self.recording.history;
        let (later, now_ms) = (history.window(Crash::Power, moment.op), history.time_at(moment.op));
        let case = |crash| Case { window: history.window(crash, moment.op), later, now_ms };
        let (kill, power) = (case(Crash::Kill), case(Crash::Power));
        self.counts.states += 1;
        self.counts.distinct += 1;
        self.judge("kill", &moment.disk.kill(), kill, depth)?;
        let line = self.recording.trace.line(moment.op).unwrap_or_default();
        let inside = if between { None } else { line.split(' ').nth(1) };
        let every = self.budget.tear_every;
        let cuts =
            if every == 0 { cuts::EXTREMES.into() } else { cuts::all(&moment.disk, inside, every) };
        for cut in cuts {
            let depth = if is_padding(&cut) { Depth::Once } else { depth };
            self.state(&moment.disk, &cut, power, depth)?;
        }
        for n in 0..if between { self.budget.seeded } else { 0 } {
            let seed = self.budget.seed + (moment.op * self.budget.seeded + n) as u64;
            self.counts.seeded += 1;
            self.state(&moment.disk, &PowerCut::Seeded(seed), power, Depth::Once)?;
        }
        Ok(())
    }

    /// What one power cut leaves.
    fn state(
        &mut self,
        disk: &FaultDisk,
        cut: &PowerCut,
        case: Case,
        depth: Depth,
    ) -> Result<(), String> {
        self.counts.states += 1;
        let disk = disk.power_cut(cut);
        let key = (fingerprint(&disk.cached()), case.window, case.now_ms, depth);
        if !self.seen.lock().expect("panics are caught").insert(key) {
            return Ok(());
        }
        self.counts.distinct += 1;
        self.judge(&cut.to_string(), &disk, case, depth)
    }

    fn judge(
        &mut self,
        what: &str,
        disk: &FaultDisk,
        case: Case,
        depth: Depth,
    ) -> Result<(), String> {
        if depth > Depth::Once {
            self.oracle.look(disk, case).map_err(|error| format!("{what}, read-only: {error}"))?;
        }
        let states = self.oracle.judge(disk, case, depth);
        self.counts.second += states.map_err(|error| format!("{what}: {error}"))?;
        Ok(())
    }
}

/// Whether a cut tears a long run of padding: then the recovery of a few of its bytes is crashed again, not of all.
fn is_padding(cut: &PowerCut) -> bool {
    matches!(cut, PowerCut::Torn { bytes, .. } if *bytes > 300 && bytes % 997 != 0)
}
