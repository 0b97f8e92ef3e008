//! Goes one path again: what recovery says at its end, and what the crash left.
//!
//! Called by the explanation and by whoever repeats a path; calls the system as the explorer does.

use super::choices::Choices;
use super::explore::{Before, Explorer, second_model};
use super::model::Model;
use super::path::{Path, Place};
use super::remains::Scene;
use super::wreck::{Site, WreckDisk};
use super::{Life, System};
use crate::{FaultDisk, Trace};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What a path leads to: what recovery said, what was left in words, and the disk that it found.
pub(super) struct Walked<Seen> {
    pub(super) result: Result<Seen, String>,
    pub(super) words: Vec<String>,
    pub(super) choices: Option<Choices>,
    /// Whether the path has decided all that was asked, and nothing else.
    pub(super) fits: bool,
    /// If there were two crashes: the choices of the first.
    pub(super) first_choices: Option<Choices>,
    found: FaultDisk,
    /// The disk when it crashed.
    crashed: FaultDisk,
    /// What a power cut left of it; `None` if the process was killed.
    wreck: Option<WreckDisk>,
    /// If there were two crashes: what was done between them, and what the first recovery showed.
    pub(super) between: Option<Trace>,
    pub(super) first: Option<Seen>,
}

/// Goes a path and judges its end.
pub(super) fn walk_path<S: System>(
    system: &S,
    trace: &Trace,
    model: &Model,
    path: &Path,
) -> Result<Walked<S::Seen>, String> {
    let (last, first) = path.places.split_last().ok_or("an empty path")?;
    let Some(first) = first.first() else {
        return walk_place(system, trace, model, last, None);
    };
    let walked = walk_place(system, trace, model, first, None)?;
    let seen = walked.result?;
    let disk = walked.found;
    disk.record();
    let life = Life { crashes: 1, disk: Some(disk.clone()) };
    system.recover(Arc::new(disk.clone()), &life)?;
    let marks: Vec<u64> = trace.marks_before(first.op).collect();
    let before = Before { marks: &marks, power: first.choices.is_some(), seen: &seen };
    let model = second_model(model);
    let between = disk.trace();
    let mut second = walk_place(system, &between, &model, last, Some(before))?;
    (second.between, second.first) = (Some(between), Some(seen));
    second.first_choices = walked.choices;
    second.fits &= walked.fits;
    second.words.splice(0..0, walked.words.into_iter().map(|line| format!("first crash: {line}")));
    Ok(second)
}

fn walk_place<S: System>(
    system: &S,
    trace: &Trace,
    model: &Model,
    place: &Place,
    before: Option<Before<'_, S::Seen>>,
) -> Result<Walked<S::Seen>, String> {
    if place.op > trace.len() || place.bytes > trace.bytes(place.op) {
        return Err(format!("the recording has {} steps, none at {place}", trace.len()));
    }
    let explorer = Explorer::new(system, trace, model, before);
    let mut walk = trace.walk();
    walk.honest_dirs(model.dir_sync);
    let marks = trace.marks_before(place.op).count();
    let power = place.choices.is_some();
    let Some(choices) = place.choices.clone() else {
        walk.seek(place.op, place.bytes);
        let crashed = walk.disk();
        let found = crashed.kill();
        let used = found.kill();
        let result = system.recover(Arc::new(used.clone()), &explorer.life(None));
        let result = result
            .and_then(|seen| system.judge(&seen, &explorer.crash(marks, power)).map(|()| seen));
        let (words, wreck, between, first) = (Vec::new(), None, None, None);
        let (choices, first_choices) = (None, None);
        return Ok(Walked {
            result,
            words,
            choices,
            fits: true,
            first_choices,
            found,
            crashed,
            wreck,
            between,
            first,
        });
    };
    let earlier = place.newest.then(|| {
        walk.seek(place.op.saturating_sub(1), 0);
        walk.disk().left()
    });
    walk.seek(place.op, 0);
    let crashed = walk.disk();
    let site = Arc::new(Site::new(crashed.left(), model, earlier.as_ref()));
    let disk = WreckDisk::new(&site, choices, true);
    let result = system.recover(Arc::new(disk.clone()), &explorer.life(None));
    let result =
        result.and_then(|seen| system.judge(&seen, &explorer.crash(marks, power)).map(|()| seen));
    let (words, choices, fits) = (disk.words(), Some(disk.choices().again()), disk.choices().fit());
    let found = disk.disk();
    let (wreck, between, first, first_choices) = (Some(disk), None, None, None);
    Ok(Walked {
        result,
        words,
        choices,
        fits,
        first_choices,
        found,
        crashed,
        wreck,
        between,
        first,
    })
}

impl<Seen> Walked<Seen> {
    /// What is wrong, if something is.
    pub(super) fn message(&self) -> Option<String> {
        self.result.as_ref().err().map(ToString::to_string)
    }

    /// The disk that crashed last, and what that left.
    pub(super) fn scene(&self) -> Scene {
        match &self.wreck {
            None => Scene::of_kill(&self.crashed),
            Some(wreck) => Scene {
                before: self.crashed.cached(),
                left: self.found.cached(),
                remains: wreck.remains(),
            },
        }
    }
}
