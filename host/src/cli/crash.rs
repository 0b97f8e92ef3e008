//! `crash`: every crash of short programs, tried in memory, and a certificate of what was tried.
//!
//! Called by the hall; calls the crash lab. No directory is touched, but for the files that are asked for; a page is
//! written as a whole or not at all.
//! Promise: the same arguments print the same lines but for times; a broken promise of the store is exit 3.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use keelstone::Layout;
use keelstone::vfs::crash::{Explanation, Model, Unit};
use tempfile::NamedTempFile;

use super::args::{Crash, Globals, LayoutName};
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::progress::Progress;
use crate::crash::counts::{layout_name, repeat_command};
use crate::crash::schedule::{self, Broken, Repeat, Schedules};
use crate::crash::{Counts, Program, Settings, Writers, lab, report, run, write_images};

pub(super) fn crash(args: &Crash, globals: &Globals, out: &mut Output<'_>) -> Outcome {
    if globals.sandbox {
        return Err(Failure::Usage("crash has no --sandbox".into()));
    }
    // Why: a panic of the store is a violation that is told as one; it needs no lines of its own.
    std::panic::set_hook(Box::new(|_| {}));
    let settings = settings(args, globals)?;
    if let Some(dir) = args.found.as_deref().filter(|dir| dir.symlink_metadata().is_ok()) {
        return Err(Failure::Usage(format!("--found: {} is there already", dir.display())));
    }
    if let Some(path) = &args.repeat {
        return repeat(&settings, path, args, out);
    }
    if let Some(count) = args.schedules {
        return schedules(&settings, count, args, out);
    }
    let page = args.report.as_deref().map(NewPage::new).transpose()?;
    let settings = if page.is_some() { report::settings(settings) } else { settings };
    let begun = Instant::now();
    let progress = Progress::count("programs", out.is_quiet());
    let told = |done, all| progress.set(done, all);
    let explored = run(&settings, told).map_err(broken)?;
    drop(progress);
    let counts = Counts::of(&settings, &explored, begun.elapsed());
    print(&counts, out)?;
    if let Some(page) = page {
        page.write(&report::page(&settings, &explored, &counts))?;
    }
    let found = explored.iter().find_map(|e| Some((e, e.explanation.as_ref()?)));
    let Some((explored, explanation)) = found else { return Ok(()) };
    tell(explored.layout, &explored.program, explanation, (&settings, args), out)
}

/// The page on its way: a file beside it that becomes it when all of it is written.
struct NewPage<'a> {
    path: &'a Path,
    file: NamedTempFile,
}

impl<'a> NewPage<'a> {
    /// Begins it before the run, so that a path which cannot be written is told at once.
    fn new(path: &'a Path) -> Outcome<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(Failure::Usage(format!("--report: {} is there already", path.display())));
        }
        let Some(name) = path.file_name() else {
            return Err(Failure::Usage(format!("--report: {} names no file", path.display())));
        };
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(name);
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        // Why: others may read it, as any file that a command makes; the system takes off what the user does not want.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(dir.unwrap_or(Path::new(".")));
        let file = file.map_err(Failure::io(path.display().to_string()))?;
        Ok(Self { path, file })
    }

    /// Ends it: the whole page, or none. A file that has come there meanwhile stays.
    fn write(mut self, page: &str) -> Outcome {
        let doing = self.path.display().to_string();
        self.file.write_all(page.as_bytes()).map_err(Failure::io(doing.clone()))?;
        let kept = self.file.persist_noclobber(self.path);
        kept.map(drop).map_err(|error| Failure::io(doing)(error.error))
    }
}

fn broken(message: String) -> Failure {
    Failure::Broken(message)
}

fn settings(args: &Crash, globals: &Globals) -> Outcome<Settings> {
    let layouts = match globals.layout {
        Some(LayoutName::Hash) => vec![Layout::Hash],
        Some(LayoutName::Ordered) => vec![Layout::Ordered],
        None => vec![Layout::Hash, Layout::Ordered],
    };
    // Why only one writer: a program for several needs a schedule, and is read where that is made.
    let writers = writers(args)?;
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
    let model = Model { depth, garbage, dir_sync, point_states_max: args.states, ..model };
    let adjust = std::sync::Arc::new(|_: &mut _| {});
    Ok(Settings { layouts, words, program, model, adjust, recordings_max: 0 })
}

/// The program of each writer that the arguments name.
fn writers(args: &Crash) -> Outcome<Writers> {
    let Some(text) = &args.program else { return Ok(Writers::default()) };
    text.parse().map_err(|error| Failure::Usage(format!("--program: {error}")))
}

/// Many schedules of one program.
fn schedules(settings: &Settings, count: u64, args: &Crash, out: &mut Output<'_>) -> Outcome {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let wanted = Schedules { count, seed: args.seed, faults: args.faults };
    let begun = Instant::now();
    let progress = Progress::spinner("trying schedules", out.is_quiet());
    let writers = writers(args)?;
    let tried = schedule::run(settings, &writers, &wanted).map_err(broken)?;
    drop(progress);
    print(&Counts::of_schedules(settings, &writers, &tried, begun.elapsed()), out)?;
    tried.broken.map_or(Ok(()), |found| tell_schedule(&found, settings, args, out))
}

/// Goes one way again.
fn repeat(settings: &Settings, text: &str, args: &Crash, out: &mut Output<'_>) -> Outcome {
    let usage = |error: String| Failure::Usage(format!("--repeat: {error}"));
    let [layout] = settings.layouts.as_slice() else {
        return Err(usage("needs --program and --layout".into()));
    };
    let Repeat { schedule, path } = text.parse().map_err(usage)?;
    if let Some(schedule) = schedule {
        let found = schedule::repeat(settings, *layout, &writers(args)?, &schedule, &path);
        return match found.map_err(usage)? {
            None => out.text("kept=1"),
            Some(found) => tell_schedule(&found, settings, args, out),
        };
    }
    let Some(program) = &settings.program else {
        return Err(usage("several writers need a schedule".into()));
    };
    let explanation = lab::repeat(settings, *layout, program, &path).map_err(usage)?;
    match explanation {
        None => out.text("kept=1"),
        Some(explanation) => tell(*layout, program, &explanation, (settings, args), out),
    }
}

/// The certificate.
fn print(counts: &Counts, out: &mut Output<'_>) -> Outcome {
    if out.is_json() {
        return out.object(&counts.object());
    }
    counts.lines().iter().try_for_each(|line| out.text(line))
}

/// What is wrong under a schedule, and the command that repeats it.
fn tell_schedule(
    found: &Broken,
    settings: &Settings,
    args: &Crash,
    out: &mut Output<'_>,
) -> Outcome {
    let program = found.writers.to_string();
    let command = repeat_command(found.layout, &program, &found.repeat, &settings.model);
    if !out.is_json() {
        let layout = layout_name(found.layout);
        out.text(&format!("violation program={program} layout={layout}"))?;
        found.to_string().lines().try_for_each(|line| out.text(line))?;
        out.text(&command)?;
    }
    end(found.explanation.as_ref(), &command, args, out)
}

/// What is wrong, and the command that repeats it.
fn tell(
    layout: Layout,
    program: &Program,
    explanation: &Explanation,
    (settings, args): (&Settings, &Crash),
    out: &mut Output<'_>,
) -> Outcome {
    let path = explanation.path.to_string();
    let command = repeat_command(layout, &program.to_string(), &path, &settings.model);
    if !out.is_json() {
        out.text(&format!("violation program={program} layout={}", layout_name(layout)))?;
        explanation.to_string().lines().try_for_each(|line| out.text(line))?;
        out.text(&command)?;
    }
    end(Some(explanation), &command, args, out)
}

/// Writes the files that were asked for, and ends with the failure.
fn end(
    explanation: Option<&Explanation>,
    command: &str,
    args: &Crash,
    out: &mut Output<'_>,
) -> Outcome {
    if let (Some(dir), Some(explanation)) = (&args.found, explanation) {
        let failed = Failure::io(dir.display().to_string());
        write_images(dir, &explanation.scene).map_err(failed)?;
    }
    out.flush()?;
    Err(Failure::Broken(format!("the promise is broken, repeat: {command}")))
}
