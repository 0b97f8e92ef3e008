//! `crash`: every crash of short programs, tried in memory, and a certificate of what was tried.
//!
//! Called by the hall; calls the crash lab. No directory is touched, but for the files that are asked for.
//! Promise: the same arguments print the same lines but for times; a broken promise of the store is exit 3.

use std::path::Path;
use std::time::Instant;

use keelstone::Layout;
use keelstone::vfs::crash::{Certificate, Explanation, Model};
use serde_json::{Map, Value};

use super::args::{Crash, Globals, LayoutName};
use super::exit::{Failure, Outcome};
use super::output::Output;
use crate::crash::{Explored, Program, Settings, lab, run};

pub(super) fn crash(args: &Crash, globals: &Globals, out: &mut Output<'_>) -> Outcome {
    if globals.sandbox {
        return Err(Failure::Usage("crash has no --sandbox".into()));
    }
    // Why: a panic of the store is a violation that is told as one; it needs no lines of its own.
    std::panic::set_hook(Box::new(|_| {}));
    let settings = settings(args, globals)?;
    if let Some(path) = &args.repeat {
        return repeat(&settings, path, args, out);
    }
    let begun = Instant::now();
    let explored = run(&settings).map_err(broken)?;
    let micros = begun.elapsed().as_micros().max(1);
    let mut all = Certificate::default();
    explored.iter().for_each(|explored| all.add(explored.certificate.clone()));
    print(&settings, &explored, &all, micros, out)?;
    let found = explored.iter().find_map(|e| Some((e, e.explanation.as_ref()?)));
    let Some((explored, explanation)) = found else { return Ok(()) };
    tell(explored.layout, &explored.program, explanation, args, out)
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
    let program: Option<Program> = match &args.program {
        None => None,
        Some(text) => {
            Some(text.parse().map_err(|error| Failure::Usage(format!("--program: {error}")))?)
        }
    };
    let words = usize::try_from(args.words).ok().filter(|words| *words <= 4);
    let words = words.ok_or_else(|| Failure::Usage("--words: at most 4".into()))?;
    let model = if args.full { Model::FULL } else { Model::HALF };
    let model = Model { depth: args.depth, point_states_max: args.states, ..model };
    Ok(Settings { layouts, words, program, model, adjust: std::sync::Arc::new(|_| {}) })
}

/// Goes one way again.
fn repeat(settings: &Settings, path: &str, args: &Crash, out: &mut Output<'_>) -> Outcome {
    let usage = |error: String| Failure::Usage(format!("--repeat: {error}"));
    let (Some(program), [layout]) = (&settings.program, settings.layouts.as_slice()) else {
        return Err(usage("needs --program and --layout".into()));
    };
    let path = path.parse().map_err(usage)?;
    let explanation = lab::repeat(settings, *layout, program, &path).map_err(usage)?;
    match explanation {
        None => out.text("kept=1"),
        Some(explanation) => tell(*layout, program, &explanation, args, out),
    }
}

/// The word of `--layout`: the settings name these two only.
const fn layout_name(layout: Layout) -> &'static str {
    match layout {
        Layout::Hash => "hash",
        _ => "ordered",
    }
}

/// The certificate.
fn print(
    settings: &Settings,
    explored: &[Explored],
    all: &Certificate,
    micros: u128,
    out: &mut Output<'_>,
) -> Outcome {
    let layouts: Vec<&str> = settings.layouts.iter().map(|layout| layout_name(*layout)).collect();
    let class = if all.is_exhaustive() { "exhaustive" } else { "k-bounded" };
    let per_second = u128::from(all.runs()) * 1_000_000 / micros;
    let rows: Vec<(&str, Value)> = vec![
        ("class", class.into()),
        ("kills", all.kills.into()),
        ("layouts", layouts.join(",").into()),
        ("lives", all.lives.into()),
        ("millis", u64::try_from(micros / 1000).unwrap_or(u64::MAX).into()),
        ("model", settings.model.to_string().into()),
        ("outcomes", all.outcomes.into()),
        ("per_second", u64::try_from(per_second).unwrap_or(u64::MAX).into()),
        ("points", all.points.len().into()),
        ("power_cuts", all.power_cuts.into()),
        ("programs", explored.len().into()),
        ("runs", all.runs().into()),
        ("second_crashes", all.second.into()),
        ("states_at_once_log10", format!("{:.1}", all.states_log10).into()),
        ("violations", all.violations.len().into()),
    ];
    if out.is_json() {
        let mut object: Map<String, Value> =
            rows.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
        object.insert("bounded".into(), all.bounded.iter().cloned().collect());
        return out.object(&Value::Object(object));
    }
    for (name, value) in &rows {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        out.text(&format!("{name}={text}"))?;
    }
    all.bounded.iter().try_for_each(|what| out.text(&format!("bounded {what}")))
}

/// What is wrong, and the command that repeats it.
fn tell(
    layout: Layout,
    program: &Program,
    explanation: &Explanation,
    args: &Crash,
    out: &mut Output<'_>,
) -> Outcome {
    let command = format!(
        "keel crash --layout {} --program {program} --repeat {}",
        layout_name(layout),
        explanation.path
    );
    if !out.is_json() {
        out.text(&format!("violation program={program} layout={}", layout_name(layout)))?;
        explanation.to_string().lines().try_for_each(|line| out.text(line))?;
        out.text(&command)?;
    }
    if let Some(dir) = &args.found {
        write_image(dir, explanation)?;
    }
    out.flush()?;
    Err(Failure::Broken(format!("the promise is broken, repeat: {command}")))
}

/// The files that recovery found, in a directory of their own.
fn write_image(dir: &Path, explanation: &Explanation) -> Outcome {
    let failed = |error| Failure::io(dir.display().to_string())(error);
    std::fs::create_dir(dir).map_err(failed)?;
    for (name, bytes) in &explanation.found {
        match name.strip_suffix('/') {
            Some(name) => std::fs::create_dir_all(dir.join(name)).map_err(failed)?,
            None => std::fs::write(dir.join(name), bytes).map_err(failed)?,
        }
    }
    Ok(())
}
