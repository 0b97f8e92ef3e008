//! A failure made small: the few effects that matter, in words, and the sync whose absence let them happen.
//!
//! Called with a violation that was found; calls the explorer's way to one state. One decision after the other is taken
//! back to what is simplest, write missing or write there, as long as something is still wrong. Then a sync is put in at
//! each place, and the nearest one is named with which nothing is wrong from there on.

use super::System;
use super::certificate::Certificate;
use super::explore::{Before, explore_points, explore_second, second_model};
use super::model::Model;
use super::path::Path;
use super::remains::Scene;
use super::way::walk_path;
use crate::Trace;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

/// Why a system did not keep its promise.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The smallest way to a failure.
    pub path: Path,
    /// What is wrong.
    pub message: String,
    /// The step of the recording after which the machine crashed, and the one that never came.
    pub between: (String, String),
    /// What the crash left, in words.
    pub effects: Vec<String>,
    /// The sync that was missing, if one alone would have helped.
    pub barrier: Option<Barrier>,
    /// The disk that crashed last: without the crash, and as it was left.
    pub scene: Scene,
    /// If the machine crashed twice: what recovery and the first use did between the crashes.
    pub second_life: Option<Trace>,
}

/// A sync that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barrier {
    /// Its place: behind so many steps of the recording, or of what was done between two crashes.
    pub op: usize,
    /// Whether it is between two crashes: a sync in recovery, or in the first use.
    pub second: bool,
    /// The sync.
    pub sync: String,
    /// The step before it.
    pub after: String,
}

impl fmt::Display for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.second { "in recovery " } else { "" };
        write!(f, "{place}`{}` after `{}`", self.sync, self.after)
    }
}

/// Whether nothing is wrong at the end of a path.
///
/// # Errors
/// If the path leads nowhere in this recording, or its choices are not those that are asked for: it is of another recording,
/// system or model.
pub fn is_kept<S: System>(
    system: &S,
    trace: &Trace,
    model: &Model,
    path: &Path,
) -> Result<bool, String> {
    let walked = walk_path(system, trace, model, path)?;
    if walked.fits {
        Ok(walked.message().is_none())
    } else {
        Err(format!(
            "{path} decides other things than are asked for: is it of this program and model?"
        ))
    }
}

/// Explains a violation.
///
/// # Errors
/// If the path leads nowhere in this recording, or to nothing wrong.
pub fn explain<S: System>(
    system: &S,
    trace: &Trace,
    model: &Model,
    path: &Path,
) -> Result<Explanation, String> {
    let walked = walk_path(system, trace, model, path)?;
    let message = walked.message().ok_or_else(|| format!("nothing is wrong at {path}"))?;
    let mut best = Small { path: path.clone(), message, effects: walked.words };
    // Why two ways: what survived explains some failures, what was lost explains others.
    for plain in [1, 0] {
        let small = shrink(system, trace, model, path, plain);
        if let Some(small) = small.filter(|small| small.odd() < best.odd()) {
            best = small;
        }
    }
    let (first, killed) =
        path.places.first().map_or((0, false), |place| (place.op, place.choices.is_none()));
    let line = |op: usize| trace.line(op).unwrap_or_else(|| String::from("the end"));
    let before = if first == 0 { String::from("the start") } else { line(first - 1) };
    // Why not all: what a kill leads to is only seen with kills, and without them a point is tried sooner.
    let quick = Model { kills: killed && model.kills, ..model.clone() };
    let barrier = barrier_between(system, trace, model, path)
        .or_else(|| barrier(system, trace, &quick, first));
    let Small { path, message, effects } = best;
    let walked = walk_path(system, trace, model, &path)?;
    let (scene, second_life) = (walked.scene(), walked.between);
    let between = (before, line(first));
    Ok(Explanation { path, message, between, effects, barrier, scene, second_life })
}

/// A failure on its way to become smaller.
struct Small {
    path: Path,
    message: String,
    effects: Vec<String>,
}

impl Small {
    /// How many effects are neither nothing nor a whole write.
    fn odd(&self) -> (usize, usize) {
        let torn = |line: &&String| line.contains(" up to ");
        let ends = |line: &&String| line.ends_with(" there") || line.ends_with(" missing");
        let whole = |line: &&String| ends(line) && !torn(line);
        let whole = self.effects.iter().filter(whole).count();
        (self.effects.len() - whole, self.effects.len())
    }
}

/// Takes decisions back to `plain`, one by one, as long as something is wrong: those of the last crash, then those of the
/// first.
fn shrink<S: System>(
    system: &S,
    trace: &Trace,
    model: &Model,
    path: &Path,
    plain: u32,
) -> Option<Small> {
    let mut small: Option<Small> = None;
    for place in (0..path.places.len()).rev() {
        let start = small.as_ref().map_or(path, |small| &small.path).clone();
        small = shrink_place(system, trace, model, (&start, place), plain).or(small);
    }
    small
}

/// The same at one place of the path.
fn shrink_place<S: System>(
    system: &S,
    trace: &Trace,
    model: &Model,
    (path, place): (&Path, usize),
    plain: u32,
) -> Option<Small> {
    let mut small: Option<Small> = None;
    let mut path = path.clone();
    let mut at = 0;
    loop {
        let Some(choices) = path.places[place].choices.clone().filter(|c| at < c.len()) else {
            return small;
        };
        for value in [plain, 1 - plain] {
            if choices.value(at) == value {
                break;
            }
            let mut trial = path.clone();
            trial.places[place].choices = Some(choices.with(at, value));
            let Ok(walked) = walk_path(system, trace, model, &trial) else { continue };
            if let Some(message) = walked.message() {
                // Why all: after another first crash the second may decide other things.
                let all = [walked.first_choices.as_ref(), walked.choices.as_ref()];
                let all = all.into_iter().skip(2 - trial.places.len());
                for (place, choices) in trial.places.iter_mut().zip(all) {
                    place.choices = choices.cloned();
                }
                small = Some(Small { path: trial.clone(), message, effects: walked.words });
                path = trial;
                break;
            }
        }
        at += 1;
    }
}

/// The first sync that would have helped at the point after `op` steps.
fn barrier<S: System>(system: &S, trace: &Trace, model: &Model, op: usize) -> Option<Barrier> {
    first_sync(trace, op, false, |with_sync, points| {
        explore_points(system, with_sync, model, points)
    })
}

/// The same after two crashes: a sync between them that would have helped at the second.
fn barrier_between<S: System>(
    system: &S,
    trace: &Trace,
    model: &Model,
    path: &Path,
) -> Option<Barrier> {
    let [first, second] = path.places.as_slice() else { return None };
    let walked = walk_path(system, trace, model, path).ok()?;
    let (between, seen) = (walked.between?, walked.first?);
    let marks: Vec<u64> = trace.marks_before(first.op).collect();
    let before = Before { marks: &marks, power: first.choices.is_some(), seen: &seen };
    let model = second_model(model);
    first_sync(&between, second.op, true, |with_sync, points| {
        explore_second(system, with_sync, &model, before, points)
    })
}

/// The sync nearest to the point after `op` steps with which nothing is wrong from its place to there. Why not there alone:
/// behind the step that was too early a sync would only make what is wrong durable sooner.
fn first_sync(
    trace: &Trace,
    op: usize,
    second: bool,
    explored: impl Fn(&Trace, RangeInclusive<usize>) -> Certificate,
) -> Option<Barrier> {
    for at in (0..=op).rev() {
        for (sync, with_sync) in trace.with_syncs(at) {
            let mends = |points| explored(&with_sync, points).violations.is_empty();
            // Why the last first: most syncs do not mend that one, and it is one.
            if mends(op + 1..=op + 1) && mends(at..=op) {
                let after = if at == 0 { None } else { trace.line(at - 1) };
                let after = after.unwrap_or_else(|| String::from("the start"));
                return Some(Barrier { op: at, second, sync, after });
            }
        }
    }
    None
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.message)?;
        writeln!(f, "  crash between `{}` and `{}`", self.between.0, self.between.1)?;
        self.effects.iter().try_for_each(|effect| writeln!(f, "  {effect}"))?;
        match &self.barrier {
            Some(barrier) => writeln!(f, "  would have helped: {barrier}")?,
            None => writeln!(f, "  would have helped: no single sync")?,
        }
        write!(f, "  repeat: {}", self.path)
    }
}
