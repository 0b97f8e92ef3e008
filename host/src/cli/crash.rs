//! `crash`: every crash of short programs, tried in memory, and a certificate of what was tried.
//!
//! Called by the hall; calls the crash lab. No directory is touched, but for the files that are asked for; a page is
//! written as a whole or not at all.
//! Promise: the same arguments print the same lines but for times; a broken promise of the store is exit 3.

use std::sync::Arc;
use std::time::Instant;

use keelstone::Layout;
use keelstone::vfs::crash::{Explanation, Model, Unit};
use serde_json::json;

use super::args::{Crash, Globals, LayoutName};
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::places::Places;
use super::progress::Progress;
use crate::crash::counts::{layout_name, repeat_command};
use crate::crash::schedule::{self, Broken, Repeat, Schedules};
use crate::crash::{Counts, Explored, Settings, Writers, lab, report, run, told};

pub(super) fn crash(args: &Crash, globals: &Globals, out: &mut Output<'_>) -> Outcome {
    if globals.sandbox {
        return Err(Failure::Usage("crash has no --sandbox".into()));
    }
    // Why: a panic of the store is a violation that is told as one; it needs no lines of its own.
    std::panic::set_hook(Box::new(|_| {}));
    let settings = settings(args, globals)?;
    let places = Places::new(args)?;
    if let Some(path) = &args.repeat {
        return repeat(&settings, path, args, &places, out);
    }
    if let Some(count) = args.schedules {
        return schedules(&settings, count, args, &places, out);
    }
    let settings = if places.has_page() { report::settings(settings) } else { settings };
    let begun = Instant::now();
    let progress = Progress::count("programs", out.is_quiet());
    let told = |done, all| progress.set(done, all);
    let explored = run(&settings, told).map_err(Failure::Broken)?;
    drop(progress);
    let counts = Counts::of(&settings, &explored, begun.elapsed());
    let found = explored.iter().find_map(|e| Violation::of_program(e, &settings.model));
    // Why before the page: what was found is told even if that cannot be written.
    let printed = print(&counts, out).and_then(|()| tell(found.as_ref(), out));
    let page = places.write_page(|| report::page(&settings, &explored, &counts));
    end(found.as_ref(), [printed, page], &places)
}

fn settings(args: &Crash, globals: &Globals) -> Outcome<Settings> {
    // Why only one writer: a program for several needs a schedule, and is read where that is made.
    let writers = writers(args)?;
    let layouts = layouts(globals, &writers)?;
    let several = writers.programs.len() > 1;
    if several && args.schedules.is_none() && args.repeat.is_none() {
        return Err(Failure::Usage("--program: several writers need --schedules".into()));
    }
    let program = writers.programs.into_iter().next().filter(|_| !several);
    let program = program.filter(|_| args.program.is_some());
    let words = usize::try_from(args.words).ok().filter(|words| *words <= 4);
    let words = words.ok_or_else(|| Failure::Usage("--words: at most 4".into()))?;
    let model = match (args.full, args.half) {
        (true, _) => Model::FULL,
        (_, true) => Model { unit: Unit::Half, ..Model::HALF },
        _ => Model::HALF,
    };
    let (depth, garbage, dir_sync) = (args.depth, !args.zeros, !args.no_dir_sync);
    let lives_max = usize::try_from(args.lives).unwrap_or(usize::MAX);
    let point_states_max = args.states;
    let model = Model { depth, garbage, dir_sync, point_states_max, lives_max, ..model };
    let adjust = Arc::new(|_: &mut _| {});
    Ok(Settings { layouts, words, program, model, adjust, recordings_max: 0 })
}

/// The layout that is asked for, or those that have all operations of the program.
fn layouts(globals: &Globals, writers: &Writers) -> Outcome<Vec<Layout>> {
    let layout = match globals.layout {
        Some(LayoutName::Hash) => Layout::Hash,
        Some(LayoutName::Ordered) => Layout::Ordered,
        None => {
            let both = [Layout::Hash, Layout::Ordered].into_iter();
            return Ok(both.filter(|layout| writers.lacking(*layout).is_none()).collect());
        }
    };
    match writers.lacking(layout) {
        None => Ok(vec![layout]),
        Some(word) => Err(Failure::Usage(format!("--program: {word} needs --layout ordered"))),
    }
}

/// The program of each writer that the arguments name.
fn writers(args: &Crash) -> Outcome<Writers> {
    let Some(text) = &args.program else { return Ok(Writers::default()) };
    text.parse().map_err(|error| Failure::Usage(format!("--program: {error}")))
}

/// Many schedules of one program.
fn schedules(
    settings: &Settings,
    count: u64,
    args: &Crash,
    places: &Places<'_>,
    out: &mut Output<'_>,
) -> Outcome {
    if args.seed.checked_add(count).is_none() {
        return Err(Failure::Usage("--seed: too large for so many --schedules".into()));
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let wanted = Schedules { count, seed: args.seed, faults: args.faults };
    let begun = Instant::now();
    let progress = Progress::spinner("trying schedules", out.is_quiet());
    let writers = writers(args)?;
    let tried = schedule::run(settings, &writers, &wanted).map_err(Failure::Broken)?;
    drop(progress);
    let counts = Counts::of_schedules(settings, &writers, &tried, begun.elapsed());
    let found = tried.broken.as_ref().map(|found| Violation::of_schedule(found, &settings.model));
    let printed = print(&counts, out).and_then(|()| tell(found.as_ref(), out));
    end(found.as_ref(), [printed], places)
}

/// Goes one way again.
fn repeat(
    settings: &Settings,
    text: &str,
    args: &Crash,
    places: &Places<'_>,
    out: &mut Output<'_>,
) -> Outcome {
    let usage = |error: String| Failure::Usage(format!("--repeat: {error}"));
    let [layout] = settings.layouts.as_slice() else {
        return Err(usage("needs --program and --layout".into()));
    };
    let Repeat { schedule, path } = text.parse().map_err(usage)?;
    let (broken, explanation);
    let found = if let Some(schedule) = schedule {
        broken = schedule::repeat(settings, *layout, &writers(args)?, &schedule, &path);
        let broken = broken.as_ref().map_err(|error| usage(error.clone()))?;
        broken.as_ref().map(|found| Violation::of_schedule(found, &settings.model))
    } else {
        let Some(program) = &settings.program else {
            return Err(usage("several writers need a schedule".into()));
        };
        explanation = lab::repeat(settings, *layout, program, &path).map_err(usage)?;
        let program = program.to_string();
        explanation.as_ref().map(|told| Violation::of(*layout, program, told, &settings.model))
    };
    let printed = match &found {
        None => out.either(|| "kept=1".into(), || json!({ "kept": 1 })),
        found => tell(found.as_ref(), out),
    };
    end(found.as_ref(), [printed], places)
}

/// The certificate.
fn print(counts: &Counts, out: &mut Output<'_>) -> Outcome {
    if out.is_json() {
        return out.object(&counts.object());
    }
    counts.lines().iter().try_for_each(|line| out.text(line))
}

/// A promise that is broken, as it is told.
struct Violation<'a> {
    layout: Layout,
    program: String,
    message: &'a str,
    /// What is wrong and how it came to that, a line each.
    words: Vec<String>,
    /// The way there.
    path: String,
    /// The command that goes it.
    command: String,
    /// How the crash led to it; `None` if it is wrong without one.
    explanation: Option<&'a Explanation>,
}

impl<'a> Violation<'a> {
    fn of_program(explored: &'a Explored, model: &Model) -> Option<Self> {
        let explanation = explored.explanation.as_ref()?;
        Some(Self::of(explored.layout, explored.program.to_string(), explanation, model))
    }

    fn of(layout: Layout, program: String, explanation: &'a Explanation, model: &Model) -> Self {
        let path = explanation.path.to_string();
        let command = repeat_command(layout, &program, &path, model);
        let (message, words) = (&explanation.message, told::lines(explanation));
        Self { layout, program, message, words, path, command, explanation: Some(explanation) }
    }

    fn of_schedule(found: &'a Broken, model: &Model) -> Self {
        let (program, path) = (found.writers.to_string(), found.repeat.clone());
        let command = repeat_command(found.layout, &program, &path, model);
        let words = found.to_string().lines().map(str::to_owned).collect();
        let (message, explanation) = (&found.message, found.explanation.as_ref());
        Self { layout: found.layout, program, message, words, path, command, explanation }
    }

    /// What is wrong, and the command that repeats it; out at once.
    fn tell(&self, out: &mut Output<'_>) -> Outcome {
        let layout = layout_name(self.layout);
        if out.is_json() {
            out.object(&json!({
                "violation": self.message, "program": self.program, "layout": layout,
                "words": self.words, "repeat": self.path, "command": self.command,
            }))?;
        } else {
            out.text(&format!("violation program={} layout={layout}", self.program))?;
            self.words.iter().try_for_each(|line| out.text(line))?;
            out.text(&self.command)?;
        }
        out.flush()
    }
}

/// Tells what was found, if anything was.
fn tell(found: Option<&Violation<'_>>, out: &mut Output<'_>) -> Outcome {
    found.map_or(Ok(()), |found| found.tell(out))
}

/// Writes the disks that were asked for. A broken promise decides how the command ends, whatever could not be written.
fn end(
    found: Option<&Violation<'_>>,
    written: impl IntoIterator<Item = Outcome>,
    places: &Places<'_>,
) -> Outcome {
    let mut missing = written.into_iter().filter_map(Result::err);
    let Some(found) = found else { return missing.next().map_or(Ok(()), Err) };
    let images = places.write_images(found.explanation.map(|told| &told.scene)).err();
    let missing = missing.chain(images).map(|failure| format!("not written: {failure}, "));
    let (missing, command) = (missing.collect::<String>(), &found.command);
    Err(Failure::Broken(format!("the promise is broken, {missing}repeat: {command}")))
}
