//! What the page's script draws from: programs, their timelines and points, as JSON with tables of texts that are named
//! by number.
//!
//! Called for the page; pure.

use std::collections::BTreeMap;

use keelstone::vfs::crash::Point;
use serde_json::{Value, json};

use super::{failure, words};
use crate::crash::counts::{Counts, layout_name};
use crate::crash::lab::{self, Explored, Recording, Settings};

/// Texts, each once.
#[derive(Default)]
struct Texts {
    numbers: BTreeMap<String, usize>,
    texts: Vec<String>,
}

impl Texts {
    fn number(&mut self, text: &str) -> usize {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len();
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        number
    }
}

/// Everything.
pub(super) fn data(settings: &Settings, explored: &[Explored], counts: &Counts) -> Value {
    let mut texts = Texts::default();
    let programs: Vec<Value> = explored.iter().map(|one| program(one, &mut texts)).collect();
    let is_there = |name: &str| counts.rows.iter().any(|(row, _)| *row == name);
    let meanings: Vec<_> = words::MEANINGS.iter().filter(|(name, _)| is_there(name)).collect();
    let mut broken = explored.iter().enumerate();
    let broken = broken.find_map(|(n, one)| failure::failure(n, one, &settings.model));
    json!({
        "meanings": meanings,
        "model": words::model(&settings.model),
        "bounds": words::bounds(&settings.model, &counts.bounded),
        "outcomes_kept": settings.model.outcomes_kept,
        "recordings_max": settings.recordings_max,
        "programs_all": lab::programs(settings).len(),
        "programs": programs,
        "failure": broken,
        "texts": texts.texts,
    })
}

/// A program: what it is, its counts, and its timeline if it was kept.
fn program(explored: &Explored, texts: &mut Texts) -> Value {
    let certificate = &explored.certificate;
    let recording = explored.recording.as_ref();
    let timeline = recording.map(|recording| timeline(recording, &certificate.points, texts));
    json!({
        "program": explored.program.to_string(),
        "layout": layout_name(explored.layout),
        "points": certificate.points.len(),
        "power_cuts": certificate.power_cuts,
        "kills": certificate.kills,
        "second": certificate.second,
        "outcomes": certificate.outcomes,
        "violations": certificate.violations.len(),
        "timeline": timeline,
    })
}

/// Steps and marks by the numbers of their texts, and the points.
fn timeline(recording: &Recording, points: &[Point], texts: &mut Texts) -> Value {
    let mut object = steps(recording, |text| texts.number(text));
    let mut point = |point: &Point| {
        let shown: Vec<usize> = point.shown.iter().map(|text| texts.number(text)).collect();
        let Point { op, runs, kills, second, outcomes, violated, .. } = point;
        json!([op, runs, kills, second, outcomes, u8::from(*violated), shown])
    };
    object["points"] = points.iter().map(&mut point).collect();
    object["from"] = recording.from.into();
    object
}

/// Steps and marks by the numbers of their texts, or as texts.
pub(super) fn steps<T: Into<Value>>(
    recording: &Recording,
    mut number: impl FnMut(&str) -> T,
) -> Value {
    let steps: Vec<Value> = recording.steps.iter().map(|step| number(step).into()).collect();
    let marks = recording.marks.iter();
    let marks: Vec<Value> = marks.map(|(at, mark)| json!([at, number(mark).into()])).collect();
    json!({ "steps": steps, "marks": marks })
}
