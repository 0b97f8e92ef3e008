//! Many schedules of one program: all of them, or seeded ones, each run once and crashed at every point.
//!
//! Called by the command line and by tests; calls the stage and the lab. Schedules that begin alike share what they have
//! in common: each point of a recording is crashed with the first of them. The creation of the store, before the first
//! choice, is that of the empty program. Promise: the same settings give the same result, whatever the number of threads.

use std::collections::BTreeSet;
use std::fmt;

use keelstone::vfs::Op;
use keelstone::vfs::crash::{Certificate, Explanation, explain, explore_points, is_kept};
use keelstone::vfs::fault::Dice;
use keelstone::{Layout, vfs};

use super::guide::{Guide, with_failing};
use super::ran::{Chosen, Ran};
use super::stage::run as run_stage;
use super::tally::Tally;
use super::text::{Effect, Failing, Repeat, Schedule};
use crate::crash::lab::{Settings, in_order};
use crate::crash::program::Writers;
use crate::crash::store::Store;
use crate::crash::told;

/// Which schedules are tried.
#[derive(Clone, Copy, Debug)]
pub struct Schedules {
    /// So many at most in each layout.
    pub count: usize,
    /// If there are more, those that follow from so many seeds from this one on.
    pub seed: u64,
    /// Whether schedules are tried in which one operation of the disk fails.
    pub faults: bool,
}

/// What was tried of one program.
#[derive(Clone, Debug)]
pub struct Scheduled {
    /// What was tried and found, of all schedules.
    pub certificate: Certificate,
    /// What happened in them.
    pub tally: Tally,
    /// Schedules under which something is wrong without any crash.
    pub wrong: u64,
    /// So many schedules were to be tried; fewer were, if something is wrong.
    pub planned: usize,
    /// Whether those planned are all schedules of each layout.
    pub exhaustive: bool,
    /// The first violation.
    pub broken: Option<Broken>,
}

/// A promise that is broken under a schedule.
#[derive(Clone, Debug)]
pub struct Broken {
    /// The layout.
    pub layout: Layout,
    /// The program, with as few words as were needed.
    pub writers: Writers,
    /// The string that repeats it.
    pub repeat: String,
    /// What happened until the crash, in words.
    pub story: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// How the crash led to it; `None` if it is wrong without one.
    pub explanation: Option<Explanation>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.message)?;
        self.story.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        let lines = self.explanation.as_ref().map(told::lines).unwrap_or_default();
        // Why without the message and the last: that stands above, and the path alone repeats nothing here.
        let lines = lines.get(told::message_lines(&self.message)..).unwrap_or_default();
        let lines = lines.split_last().map_or(&[][..], |(_, lines)| lines);
        lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        write!(f, "  repeat: {}", self.repeat)
    }
}

/// A schedule, and the choice from which on it is new.
struct Planned {
    layout: Layout,
    schedule: Schedule,
    from: usize,
}

/// What came of one schedule.
struct Tried {
    certificate: Certificate,
    tally: Tally,
    wrong: bool,
}

impl Tried {
    fn is_broken(&self) -> bool {
        self.wrong || !self.certificate.violations.is_empty()
    }
}

fn store(settings: &Settings, layout: Layout) -> Store {
    Store::new(layout, crate::crash::Program::default(), settings.adjust.clone())
}

/// The ways in which an operation can fail.
fn failures(op: Op, at: u64) -> Vec<Failing> {
    let one = |no_space, effect, forever| Failing { op: at, no_space, effect, forever };
    let (once, ever) = (one(false, Effect::None, false), one(false, Effect::None, true));
    match op {
        Op::Write => vec![
            once,
            ever,
            one(false, Effect::Part, false),
            one(false, Effect::Whole, false),
            one(true, Effect::None, false),
            one(true, Effect::Part, true),
        ],
        Op::Sync => vec![
            once,
            ever,
            one(false, Effect::Whole, false),
            one(false, Effect::Dropped, false),
            one(true, Effect::None, false),
        ],
        Op::Create | Op::Rename | Op::Remove | Op::CreateDir | Op::SetLen | Op::Allocate => {
            vec![once, ever, one(false, Effect::Whole, false), one(true, Effect::None, false)]
        }
        Op::SyncDir => vec![once, ever, one(false, Effect::Whole, false)],
        _ => vec![once, ever],
    }
}

/// The schedules in which one operation of a run fails.
fn failing(ran: &Ran) -> impl Iterator<Item = Schedule> + use<> {
    let schedule = ran.schedule();
    let mut all = Vec::new();
    for (at, chosen) in ran.chosen.iter().enumerate() {
        let ways = (0..).zip(&chosen.ops).flat_map(|(n, op)| failures(*op, n));
        all.extend(ways.map(|failing| (at, failing)));
    }
    all.into_iter().map(move |(at, failing)| with_failing(&schedule, at, failing))
}

/// All schedules of a program; `None` if there are more than asked for.
fn all(store: &Store, writers: &Writers, wanted: &Schedules) -> Option<BTreeSet<Schedule>> {
    let mut met = BTreeSet::new();
    let mut next = Schedule::default();
    loop {
        let ran = run_stage(store, writers, Guide::Listed(next));
        met.insert(ran.schedule());
        if wanted.faults {
            for schedule in failing(&ran) {
                // Why again: behind a failure there may be other ways than before.
                met.insert(run_stage(store, writers, Guide::Listed(schedule)).schedule());
                if met.len() > wanted.count {
                    return None;
                }
            }
        }
        if met.len() > wanted.count {
            return None;
        }
        let turned = |chosen: &Chosen| chosen.choice.way + 1 < chosen.of;
        let Some(last) = ran.chosen.iter().rposition(turned) else { return Some(met) };
        next = ran.schedule();
        next.choices.truncate(last + 1);
        next.choices[last].way += 1;
    }
}

/// Schedules that follow from seeds.
fn seeded(store: &Store, writers: &Writers, wanted: &Schedules) -> BTreeSet<Schedule> {
    let of_seed = |seed: u64| {
        let ran = run_stage(store, writers, Guide::seeded(seed));
        let mut failing: Vec<_> = failing(&ran).collect();
        if !wanted.faults || failing.is_empty() {
            return ran.schedule();
        }
        let schedule = failing.swap_remove(Dice::new(!seed).below(failing.len()));
        run_stage(store, writers, Guide::Listed(schedule)).schedule()
    };
    let seeds = (0..wanted.count as u64).map_while(|n| wanted.seed.checked_add(n));
    seeds.map(of_seed).collect()
}

/// In this order each schedule shares the longest beginning with the one before it.
fn in_turn(layout: Layout, schedules: BTreeSet<Schedule>) -> Vec<Planned> {
    let mut last = Schedule::default();
    let plan = |schedule: Schedule| {
        let both = last.choices.iter().zip(&schedule.choices);
        let from = both.take_while(|(one, other)| one == other).count();
        last = schedule.clone();
        Planned { layout, schedule, from }
    };
    schedules.into_iter().map(plan).collect()
}

/// Tries the schedules of the programs in each layout; those behind the first violation are left out.
///
/// # Errors
/// Where something is found that cannot be found again.
pub fn run(
    settings: &Settings,
    writers: &Writers,
    wanted: &Schedules,
) -> Result<Scheduled, String> {
    let (mut planned, mut exhaustive) = (Vec::new(), true);
    for layout in &settings.layouts {
        let store = store(settings, *layout);
        let of_layout = all(&store, writers, wanted);
        exhaustive &= of_layout.is_some();
        let schedules = of_layout.unwrap_or_else(|| seeded(&store, writers, wanted));
        planned.extend(in_turn(*layout, schedules));
    }
    let tried = in_order(planned.len(), |n| {
        let tried = one(settings, writers, &planned[n]);
        let stop = tried.is_broken();
        Ok((tried, stop))
    })?;
    let (mut certificate, mut tally) = (Certificate::default(), Tally::default());
    let found = tried.iter().position(Tried::is_broken);
    let wrong = tried.iter().filter(|tried| tried.wrong).count() as u64;
    for tried in tried {
        certificate.add(tried.certificate);
        tally.add(&tried.tally);
    }
    let broken = found.map(|n| {
        let Planned { layout, schedule, .. } = &planned[n];
        smallest(settings, *layout, writers, schedule)
    });
    if !exhaustive {
        let (first, count) = (wanted.seed, wanted.count);
        let last = first.saturating_add(count as u64).saturating_sub(1);
        let text = format!("schedules of the seeds {first} to {last}, there are more than {count}");
        certificate.bounded.insert(text, certificate.points.len() as u64);
    }
    let (planned, broken) = (planned.len(), broken.transpose()?);
    Ok(Scheduled { certificate, tally, wrong, planned, exhaustive, broken })
}

fn one(settings: &Settings, writers: &Writers, planned: &Planned) -> Tried {
    let store = store(settings, planned.layout);
    let ran = run_stage(&store, writers, Guide::Listed(planned.schedule.clone()));
    let points = ran.steps_before(planned.from)..=ran.trace.len();
    let certificate = explore_points(&ran.store, &ran.trace, &settings.model, points);
    Tried { certificate, tally: ran.tally, wrong: ran.wrong.is_some() }
}

/// Runs a schedule and crashes it everywhere: the first violation, if there is one, by its path if a crash is needed.
fn tried_again(
    settings: &Settings,
    layout: Layout,
    writers: &Writers,
    schedule: &Schedule,
) -> (Ran, Option<Option<vfs::crash::Path>>) {
    let ran = run_stage(&store(settings, layout), writers, Guide::Listed(schedule.clone()));
    let points = ran.steps_before(0)..=ran.trace.len();
    let certificate = explore_points(&ran.store, &ran.trace, &settings.model, points);
    let path = certificate.violations.into_iter().next().map(|violation| Some(violation.path));
    let violation = path.or_else(|| ran.wrong.is_some().then_some(None));
    (ran, violation)
}

/// A crash under a schedule, explained.
fn explained(
    settings: &Settings,
    layout: Layout,
    writers: &Writers,
    ran: &Ran,
    path: &vfs::crash::Path,
) -> Result<Broken, String> {
    let explanation = explain(&ran.store, &ran.trace, &settings.model, path)?;
    let schedule = Some(ran.schedule());
    let repeat = Repeat { schedule, path: explanation.path.clone() }.to_string();
    let (writers, story) = (writers.clone(), ran.story.clone());
    let message = explanation.message.clone();
    Ok(Broken { layout, writers, repeat, story, message, explanation: Some(explanation) })
}

/// What is wrong without a crash.
fn wrong(layout: Layout, writers: &Writers, ran: &Ran) -> Option<Broken> {
    let message = ran.wrong.clone()?;
    // Why this path: any does, since no crash is needed.
    let repeat = format!("{}/0k", ran.schedule());
    let (writers, story) = (writers.clone(), ran.story.clone());
    Some(Broken { layout, writers, repeat, story, message, explanation: None })
}

/// A violation with as few words and choices as leaving out one after the other leads to.
fn smallest(
    settings: &Settings,
    layout: Layout,
    writers: &Writers,
    schedule: &Schedule,
) -> Result<Broken, String> {
    let mut best = (writers.clone(), schedule.clone());
    'smaller: loop {
        let (writers, schedule) = &best;
        let fewer = writers.with_one_word_less().into_iter();
        let fewer = fewer.map(|fewer| (fewer, schedule.clone()));
        let shorter = (0..schedule.choices.len()).map(|at| {
            let mut shorter = schedule.clone();
            shorter.choices.remove(at);
            (writers.clone(), shorter)
        });
        for (less, shorter) in fewer.chain(shorter) {
            let (ran, violation) = tried_again(settings, layout, &less, &shorter);
            let size = (less.words(), ran.chosen.len());
            if violation.is_some() && size < (writers.words(), schedule.choices.len()) {
                best = (less, ran.schedule());
                continue 'smaller;
            }
        }
        break;
    }
    let (writers, schedule) = best;
    match tried_again(settings, layout, &writers, &schedule) {
        (ran, Some(Some(path))) => explained(settings, layout, &writers, &ran, &path),
        (ran, _) => wrong(layout, &writers, &ran).ok_or_else(|| "it does not come again".into()),
    }
}

/// Goes the way of a string again; `None` if nothing is wrong there.
///
/// # Errors
/// If it leads nowhere in this program.
pub fn repeat(
    settings: &Settings,
    layout: Layout,
    writers: &Writers,
    schedule: &Schedule,
    path: &vfs::crash::Path,
) -> Result<Option<Broken>, String> {
    let ran = run_stage(&store(settings, layout), writers, Guide::Listed(schedule.clone()));
    if !schedule.leads_to(&ran.schedule()) {
        return Err(format!("the schedule does not fit the program, {} does", ran.schedule()));
    }
    // Why the crash first: so it is when a run is tried.
    if is_kept(&ran.store, &ran.trace, &settings.model, path)? {
        return Ok(wrong(layout, writers, &ran));
    }
    explained(settings, layout, writers, &ran, path).map(Some)
}
