//! Many programs through the crash lab, on all cores, always with the same result.
//!
//! Called by the command line and by tests. A program is explored from its last word on: what comes before was explored
//! with the programs that it begins with. Promise: the same settings give the same certificate, whatever the number of
//! threads.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use keelstone::Layout;
use keelstone::vfs::Trace;
use keelstone::vfs::crash::{
    Certificate, Explanation, Model, Path, Violation, explain, explore_points, is_kept,
};

use super::program::Program;
use super::promise::mark_name;
use super::store::{Adjust, Store};

/// What is tried.
#[derive(Clone)]
pub struct Settings {
    /// The layouts.
    pub layouts: Vec<Layout>,
    /// All programs of up to so many words.
    pub words: usize,
    /// Only this program, from its beginning on.
    pub program: Option<Program>,
    /// What power cuts are thought to do.
    pub model: Model,
    /// Changes the options of the stores.
    pub adjust: Adjust,
    /// Of the first so many programs, and of one that breaks the promise, the recording is kept.
    pub recordings_max: usize,
}

/// What was found for one program.
#[derive(Clone, Debug)]
pub struct Explored {
    /// The layout.
    pub layout: Layout,
    /// The program.
    pub program: Program,
    /// What was tried and found.
    pub certificate: Certificate,
    /// The first violation, explained.
    pub explanation: Option<Explanation>,
    /// What the program did to the disk, if it is kept.
    pub recording: Option<Recording>,
}

/// What a program did to the disk, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The steps, in order.
    pub steps: Vec<String>,
    /// The marks, each with the number of steps before it.
    pub marks: Vec<(usize, String)>,
    /// The first point that was explored: those before it were, with shorter programs.
    pub from: usize,
}

impl Recording {
    /// A trace as text.
    #[must_use]
    pub fn of(trace: &Trace, from: usize) -> Self {
        let steps = (0..trace.len()).filter_map(|op| trace.line(op)).collect();
        let marks = trace.marks().iter().map(|(at, mark)| (*at, mark_name(*mark))).collect();
        Self { steps, marks, from }
    }
}

/// Every program that the settings name, in order.
#[must_use]
pub fn programs(settings: &Settings) -> Vec<(Layout, Program)> {
    let of = |layout: &Layout| -> Vec<(Layout, Program)> {
        let programs = match &settings.program {
            Some(program) => vec![program.clone()],
            None => (0..=settings.words).flat_map(|len| Program::all(*layout, len)).collect(),
        };
        programs.into_iter().map(|program| (*layout, program)).collect()
    };
    settings.layouts.iter().flat_map(of).collect()
}

/// Explores every program; after the first violation those behind it are left out. After each, whatever the order, `told` hears
/// how many are done, and of how many.
///
/// # Errors
/// If a program fails without any crash.
pub fn run(
    settings: &Settings,
    told: impl Fn(usize, usize) + Sync,
) -> Result<Vec<Explored>, String> {
    let programs = programs(settings);
    let done = AtomicUsize::new(0);
    in_order(programs.len(), |n| {
        let (layout, program) = &programs[n];
        let explored = one(settings, *layout, program, n < settings.recordings_max)?;
        told(done.fetch_add(1, Ordering::Relaxed) + 1, programs.len());
        let stop = explored.explanation.is_some();
        Ok((explored, stop))
    })
}

/// Does something for 0, 1, 2, ... on all cores; it says what came of it and whether those behind are left out. A panic of
/// any of them goes on here.
///
/// # Errors
/// What the first of them that fails says.
pub(super) fn in_order<T: Send>(
    count: usize,
    act: impl Fn(usize) -> Result<(T, bool), String> + Sync,
) -> Result<Vec<T>, String> {
    let (next, bad) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let work = || {
        let mut done = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            // Why: the first that stops the others is the same with any number of threads.
            if n >= count || n >= bad.load(Ordering::Relaxed) {
                return done;
            }
            let acted = act(n);
            if acted.as_ref().map_or(true, |(_, stop)| *stop) {
                bad.fetch_min(n, Ordering::Relaxed);
            }
            done.push((n, acted));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut done: Vec<_> = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        // Why: what a thread found before it panicked must not be missing in what is printed.
        let joined = handles.into_iter().map(|h| h.join().unwrap_or_else(|p| resume_unwind(p)));
        joined.flatten().collect()
    });
    done.sort_by_key(|(n, _)| *n);
    let bad = bad.into_inner();
    let wanted = done.into_iter().filter(|(n, _)| *n <= bad);
    wanted.map(|(_, acted)| acted.map(|(value, _)| value)).collect()
}

/// Explores one program.
fn one(
    settings: &Settings,
    layout: Layout,
    program: &Program,
    kept: bool,
) -> Result<Explored, String> {
    let store = Store::new(layout, program.clone(), settings.adjust.clone());
    let (trace, last) = store.record().map_err(|error| format!("{program}: {error}"))?;
    let from = if settings.program.is_some() { 0 } else { last };
    let certificate = explore_points(&store, &trace, &settings.model, from..=trace.len());
    let first = certificate.violations.first();
    let explained = |violation: &Violation| {
        // Why the message: what is wrong must be told even if it cannot be explained.
        explain(&store, &trace, &settings.model, &violation.path).map_err(|error| {
            let (path, message) = (&violation.path, &violation.message);
            format!("{program} {layout:?} at {path}: {message}; not explained: {error}")
        })
    };
    let explanation = first.map(explained).transpose()?;
    let recording = (kept || (explanation.is_some() && settings.recordings_max > 0))
        .then(|| Recording::of(&trace, from));
    Ok(Explored { layout, program: program.clone(), certificate, explanation, recording })
}

/// Goes one way to a crash of a program again; `None` if nothing is wrong there.
///
/// # Errors
/// If the path leads nowhere in this program.
pub fn repeat(
    settings: &Settings,
    layout: Layout,
    program: &Program,
    path: &Path,
) -> Result<Option<Explanation>, String> {
    let store = Store::new(layout, program.clone(), settings.adjust.clone());
    let (trace, _) = store.record()?;
    if is_kept(&store, &trace, &settings.model, path)? {
        return Ok(None);
    }
    explain(&store, &trace, &settings.model, path).map(Some)
}
