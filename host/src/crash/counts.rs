//! The certificate of a run over many programs, as names and values: the lines of `keel crash`, its JSON, and the page.
//!
//! Called by the command line and the report. Promise: the same names and the same values in each of them; of the same
//! run only the times differ.

use std::time::Duration;

use keelstone::Layout;
use keelstone::vfs::crash::{Certificate, Model, Unit};
use serde_json::{Map, Value};

use super::lab::{self, Explored, Settings};
use super::program::{Word, Writers};
use super::schedule::Scheduled;
use super::store::sizes;

/// The word of `--layout`: the settings name these two only.
#[must_use]
pub const fn layout_name(layout: Layout) -> &'static str {
    match layout {
        Layout::Hash => "hash",
        _ => "ordered",
    }
}

/// The command that goes one way to a crash of a program again.
#[must_use]
pub fn repeat_command(layout: Layout, program: &str, path: &str, model: &Model) -> String {
    // Why quotes: a shell takes the bar for a pipe, and some take a star for names of files.
    let (layout, flags) = (layout_name(layout), flags(model));
    format!("keel crash --layout {layout} --program '{program}'{flags} --repeat '{path}'")
}

/// How a model is asked for where it is not the one without flags: the numbers of a path mean something in their own only.
fn flags(model: &Model) -> String {
    let mut flags = String::new();
    match (model.unit, model.second_unit) {
        (Unit::Half, _) => flags += " --half",
        (_, Unit::Half) => {}
        _ => flags += " --full",
    }
    if !model.garbage {
        flags += " --zeros";
    }
    if !model.dir_sync {
        flags += " --no-dir-sync";
    }
    // Why: the missing sync is sought with as many crashes.
    if model.depth != Model::HALF.depth {
        flags += &format!(" --depth {}", model.depth);
    }
    if model.point_states_max != Model::HALF.point_states_max {
        flags += &format!(" --states {}", model.point_states_max);
    }
    flags
}

/// The words of all layouts; those that some layouts do not have stand with the name of one that has them.
fn alphabet(layouts: &[Layout]) -> String {
    let of = layouts.iter().map(|layout| (*layout, Word::alphabet(*layout)));
    let of: Vec<(Layout, Vec<Word>)> = of.collect();
    let mut words: Vec<String> = Vec::new();
    for (layout, alphabet) in &of {
        for word in alphabet {
            let everywhere = of.iter().all(|(_, other)| other.contains(word));
            let place =
                if everywhere { String::new() } else { format!("@{}", layout_name(*layout)) };
            words.push(format!("{word}{place}"));
        }
    }
    let mut met = std::collections::BTreeSet::new();
    words.retain(|word| met.insert(word.clone()));
    words.join(",")
}

/// What was tried and found in all programs.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Names and values, in order.
    pub rows: Vec<(&'static str, Value)>,
    /// What was not tried.
    pub bounded: Vec<String>,
}

impl Counts {
    /// Adds up what was found in a run that took so long.
    #[must_use]
    pub fn of(settings: &Settings, explored: &[Explored], time: Duration) -> Self {
        let mut all = Certificate::default();
        explored.iter().for_each(|explored| all.add(explored.certificate.clone()));
        let mut counts = Self::of_all(settings, all, explored.len(), time);
        if explored.iter().any(|explored| explored.explanation.is_some()) {
            counts.stop(explored.len(), lab::programs(settings).len(), "programs");
        }
        match &settings.program {
            Some(program) => counts.rows.push(("program", program.to_string().into())),
            None => {
                counts.rows.push(("alphabet", alphabet(&settings.layouts).into()));
                counts.rows.push(("words", settings.words.into()));
            }
        }
        counts.rows.sort_by_key(|(name, _)| *name);
        counts
    }

    /// The same of the schedules of one program, with what happened in them.
    #[must_use]
    pub fn of_schedules(
        settings: &Settings,
        writers: &Writers,
        tried: &Scheduled,
        time: Duration,
    ) -> Self {
        let mut counts = Self::of_all(settings, tried.certificate.clone(), 1, time);
        counts.rows.extend(tried.tally.rows().map(|(name, count)| (name, count.into())));
        counts.set("violations", tried.certificate.violations.len() as u64 + tried.wrong);
        let stopped = tried.broken.is_some();
        if stopped {
            let schedules = usize::try_from(tried.tally.schedules).unwrap_or(usize::MAX);
            counts.stop(schedules, tried.planned, "schedules");
        }
        let orders = match (tried.exhaustive, stopped) {
            (true, true) => "stopped",
            (true, false) => "exhaustive",
            (false, _) => "sampled",
        };
        if !tried.exhaustive {
            // Why: of the crashes of each schedule the bounds say more.
            counts.set("class", orders);
        }
        counts.rows.push(("orders", orders.into()));
        counts.rows.push(("program", writers.to_string().into()));
        counts.rows.sort_by_key(|(name, _)| *name);
        counts
    }

    fn of_all(settings: &Settings, all: Certificate, programs: usize, time: Duration) -> Self {
        let names = settings.layouts.iter().map(|layout| layout_name(*layout));
        let class = if all.is_exhaustive() { "exhaustive" } else { "k-bounded" };
        let micros = time.as_micros().max(1);
        let per_second = u128::from(all.runs()) * 1_000_000 / micros;
        let number = |n: u128| Value::from(u64::try_from(n).unwrap_or(u64::MAX));
        let rows = vec![
            ("class", class.into()),
            ("kills", all.kills.into()),
            ("layouts", names.collect::<Vec<_>>().join(",").into()),
            ("lives", all.lives.into()),
            ("millis", number(micros / 1000)),
            ("model", settings.model.to_string().into()),
            ("outcomes", all.outcomes.into()),
            ("per_second", number(per_second)),
            ("points", all.points.len().into()),
            ("power_cuts", all.power_cuts.into()),
            ("programs", programs.into()),
            ("runs", all.runs().into()),
            ("second_crashes", all.second.into()),
            ("sizes", sizes().into()),
            ("states_at_once_log10", ((all.states_log10 * 10.0).round() / 10.0).into()),
            ("violations", all.violations.len().into()),
        ];
        Self { rows, bounded: all.bounds().collect() }
    }

    /// Gives a name another value.
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        if let Some((_, old)) = self.rows.iter_mut().find(|(row, _)| *row == name) {
            *old = value.into();
        }
    }

    /// Says that the run ended at its first violation: what would have come behind it was not tried.
    fn stop(&mut self, tried: usize, all: usize, of: &str) {
        self.bounded.push(format!("stopped at the first violation: {tried} of {all} {of} tried"));
        self.set("class", "k-bounded");
    }

    /// As one object.
    #[must_use]
    pub fn object(&self) -> Value {
        let rows = self.rows.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let mut object: Map<String, Value> = rows.collect();
        object.insert("bounded".into(), self.bounded.iter().cloned().collect());
        Value::Object(object)
    }

    /// As lines.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let rows = self.rows.iter().map(|(name, value)| format!("{name}={}", text(value)));
        rows.chain(self.bounded.iter().map(|what| format!("bounded {what}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_the_model_where_it_is_not_the_ordinary_one() {
        let command = |model| repeat_command(Layout::Hash, "put:a|put:b", "17:2", &model);
        let end = |flags| {
            format!("keel crash --layout hash --program 'put:a|put:b'{flags} --repeat '17:2'")
        };
        assert_eq!(command(Model::HALF), end(""));
        assert_eq!(
            command(Model { point_states_max: 60, ..Model::FULL }),
            end(" --full --states 60")
        );
        assert_eq!(command(Model { unit: Unit::Half, ..Model::HALF }), end(" --half"));
        let less = Model { garbage: false, dir_sync: false, depth: 1, ..Model::HALF };
        assert_eq!(command(less), end(" --zeros --no-dir-sync --depth 1"));
    }
}
