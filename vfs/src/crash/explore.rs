//! Goes through all crash points of a recording, all states at each, and all crashes of the recoveries.
//!
//! Called at the door; calls the system. A state that shows nothing of the step before it is not tried again: what
//! recovery showed then is judged again by what is allowed now. Recoveries that change the disk in the same way and show
//! the same are crashed again once, with the bytes that nobody looked at as they were on the medium.

use super::certificate::{Certificate, Point, Violation};
use super::choices::Choices;
use super::model::Model;
use super::path::{Path, Place};
use super::remains::Scene;
use super::wreck::{Site, WreckDisk};
use super::{Crash, Life, Second, System};
use crate::fault::Left;
use crate::{FaultDisk, Trace};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

/// Tries every crash of a recorded run.
pub fn explore<S: System>(system: &S, trace: &Trace, model: &Model) -> Certificate {
    explore_points(system, trace, model, 0..=trace.len())
}

/// Tries every crash after so many to so many steps of a recorded run.
pub fn explore_points<S: System>(
    system: &S,
    trace: &Trace,
    model: &Model,
    points: RangeInclusive<usize>,
) -> Certificate {
    let mut explorer = Explorer::new(system, trace, model, None);
    explorer.run(points, None);
    explorer.finish()
}

/// What came before the life that is explored, if it is the second.
#[derive(Clone, Copy)]
pub(super) struct Before<'a, Seen> {
    pub(super) marks: &'a [u64],
    pub(super) power: bool,
    pub(super) seen: &'a Seen,
}

/// The exploration of one recording.
struct Explorer<'a, S: System> {
    system: &'a S,
    trace: &'a Trace,
    marks: Vec<u64>,
    model: &'a Model,
    before: Option<Before<'a, S::Seen>>,
    /// What recovery showed, each with its number.
    outcomes: BTreeMap<S::Seen, usize>,
    /// What was judged: an outcome, how many marks there were, whether power was cut.
    judged: BTreeSet<(usize, usize, bool)>,
    /// Second lives that were explored.
    lived: BTreeSet<(u64, usize, u64)>,
    certificate: Certificate,
}

/// What was open at a point, and what recovery showed there.
type Last<Seen> = (Left, BTreeMap<Seen, usize>);

/// What is known about the point at which the explorer is.
struct Here<Seen> {
    op: usize,
    marks: usize,
    /// What power cuts lead to.
    seen: BTreeMap<Seen, usize>,
    point: Point,
    violation: Option<Violation>,
}

impl<'a, S: System> Explorer<'a, S> {
    fn new(
        system: &'a S,
        trace: &'a Trace,
        model: &'a Model,
        before: Option<Before<'a, S::Seen>>,
    ) -> Self {
        let marks = trace.marks().iter().map(|(_, mark)| *mark).collect();
        let (outcomes, judged, lived) = Default::default();
        let certificate = Certificate::default();
        Self { system, trace, marks, model, before, outcomes, judged, lived, certificate }
    }

    fn finish(mut self) -> Certificate {
        self.certificate.outcomes = self.outcomes.len() as u64;
        self.certificate
    }

    /// Goes through the points; `last` is what is known of the one before them.
    fn run(&mut self, points: RangeInclusive<usize>, mut last: Option<Last<S::Seen>>) {
        let mut walk = self.trace.walk();
        walk.honest_dirs(self.model.dir_sync);
        for op in points {
            walk.seek(op, 0);
            let disk = walk.disk();
            let left = disk.left();
            let marks = self.trace.marks_before(op).count();
            let (runs, kills, second, outcomes) = (0, 0, 0, 0);
            let (shown, violated) = (Vec::new(), false);
            let point = Point { op, runs, kills, second, outcomes, shown, violated };
            let mut here = Here { op, marks, seen: BTreeMap::new(), point, violation: None };
            let growth =
                last.as_ref().map_or(Growth::Other, |(before, _)| Growth::of(before, &left));
            let earlier = last.as_ref().filter(|_| growth != Growth::Other);
            let site = Site::new(left.clone(), self.model, earlier.map(|(before, _)| before));
            if let Some((_, seen)) = earlier {
                self.judge_again(&mut here, seen);
            }
            self.certificate.states_log10 = self.certificate.states_log10.max(site.states_log10());
            let bounded = site.bounded().map(|what| (what, 1)).collect();
            self.certificate.add_bounds(bounded, "");
            if growth != Growth::Same {
                self.power_cuts(&mut here, &Arc::new(site), growth == Growth::More);
            }
            if self.model.kills {
                self.kills(&mut here, &mut walk);
            }
            here.point.outcomes = here.seen.len();
            let kept = here.seen.keys().take(self.model.outcomes_kept);
            here.point.shown = kept.map(|seen| short(self.system.text(seen))).collect();
            here.point.violated = here.violation.is_some();
            self.certificate.points.push(here.point.clone());
            self.certificate.violations.extend(here.violation);
            if here.point.violated && !self.model.go_on {
                return;
            }
            last = Some((left, here.seen));
        }
    }

    /// What was possible a step earlier is possible still, and more may be promised by now.
    fn judge_again(&mut self, here: &mut Here<S::Seen>, seen: &BTreeMap<S::Seen, usize>) {
        for (seen, number) in seen {
            here.seen.insert(seen.clone(), *number);
            let place =
                Place { op: here.op, bytes: 0, newest: false, choices: Some(Choices::new()) };
            if let Err(message) = self.judge(here.marks, seen, *number, true) {
                // Why: nobody noted which choices led there; they are found again without what is known.
                let site = self.site(here.op);
                let path =
                    self.find(&site, here, seen).unwrap_or(Path { places: Vec::from([place]) });
                here.violation.get_or_insert(Violation { path, message });
            }
        }
    }

    fn site(&self, op: usize) -> Arc<Site> {
        let mut walk = self.trace.walk();
        walk.honest_dirs(self.model.dir_sync);
        walk.seek(op, 0);
        Arc::new(Site::new(walk.disk().left(), self.model, None))
    }

    /// The choices that lead to what was seen.
    fn find(&self, site: &Arc<Site>, here: &Here<S::Seen>, wanted: &S::Seen) -> Option<Path> {
        let mut choices = Choices::new();
        loop {
            let disk = WreckDisk::new(site, choices, false);
            let seen = self.system.recover(Arc::new(disk.clone()), &self.life(None));
            choices = disk.choices();
            if seen.as_ref() == Ok(wanted) {
                let choices = Some(choices.again());
                let place = Place { op: here.op, bytes: 0, newest: false, choices };
                return Some(Path { places: Vec::from([place]) });
            }
            if !choices.advance() {
                return None;
            }
        }
    }

    fn life(&self, disk: Option<FaultDisk>) -> Life {
        Life { crashes: 1 + u8::from(self.before.is_some()), disk }
    }

    /// Every state that a power cut leaves.
    fn power_cuts(&mut self, here: &mut Here<S::Seen>, site: &Arc<Site>, newest: bool) {
        let mut choices = Choices::new();
        loop {
            let disk = WreckDisk::new(site, choices, false);
            let seen = self.system.recover(Arc::new(disk.clone()), &self.life(None));
            choices = disk.choices();
            here.point.runs += 1;
            self.certificate.power_cuts += 1;
            let place = || {
                let choices = Some(choices.again());
                Place { op: here.op, bytes: 0, newest, choices }
            };
            match seen {
                Err(message) => {
                    let path = Path { places: Vec::from([place()]) };
                    here.violation.get_or_insert(Violation { path, message });
                }
                Ok(seen) => {
                    let place = place();
                    self.seen(here, seen, place, &disk);
                }
            }
            if !choices.advance() || (here.violation.is_some() && !self.model.go_on) {
                return;
            }
        }
    }

    /// Judges what a power cut led to, and crashes its recovery.
    fn seen(&mut self, here: &mut Here<S::Seen>, seen: S::Seen, place: Place, disk: &WreckDisk) {
        let number = self.number(&seen);
        if let Err(message) = self.judge(here.marks, &seen, number, true) {
            let path = Path { places: Vec::from([place.clone()]) };
            here.violation.get_or_insert(Violation { path, message });
        }
        if self.before.is_none()
            && self.model.depth > 1
            && self.lived.insert((disk.changes(), number, 0))
        {
            self.second_life(here, disk.disk(), &seen, &place);
        }
        here.seen.insert(seen, number);
    }

    fn number(&mut self, seen: &S::Seen) -> usize {
        let next = self.outcomes.len();
        match self.outcomes.get(seen) {
            Some(number) => *number,
            None => *self.outcomes.entry(seen.clone()).or_insert(next),
        }
    }

    fn judge(
        &mut self,
        marks: usize,
        seen: &S::Seen,
        number: usize,
        power: bool,
    ) -> Result<(), String> {
        if !self.judged.insert((number, marks, power)) {
            return Ok(());
        }
        self.system.judge(seen, &self.crash(marks, power))
    }

    fn crash(&self, marks: usize, power: bool) -> Crash<'_, S::Seen> {
        let marks = &self.marks[..marks];
        match self.before {
            None => Crash { power, marks, second: None },
            Some(Before { marks: first, power: first_power, seen }) => {
                let second = Some(Second { first_power, seen, marks });
                Crash { power, marks: first, second }
            }
        }
    }

    /// Kills the process here and at each byte of the next write.
    fn kills(&mut self, here: &mut Here<S::Seen>, walk: &mut crate::fault::Walk) {
        let bytes = if self.before.is_some() { 1 } else { self.trace.bytes(here.op).max(1) };
        let is_cut = |bytes: &usize| *bytes == 0 || self.trace.cuts(here.op, *bytes);
        for bytes in (0..bytes).filter(is_cut).collect::<Vec<_>>() {
            walk.seek(here.op, bytes);
            let disk = walk.disk().kill();
            disk.record();
            let life = self.life(Some(disk.clone()));
            let seen = self.system.recover(Arc::new(disk.clone()), &life);
            here.point.runs += 1;
            here.point.kills += 1;
            self.certificate.kills += 1;
            let place = Place { op: here.op, bytes, newest: false, choices: None };
            let judged = seen.and_then(|seen| {
                let number = self.number(&seen);
                self.judge(here.marks, &seen, number, false).map(|()| (seen, number))
            });
            match judged {
                Err(message) => {
                    let path = Path { places: Vec::from([place]) };
                    here.violation.get_or_insert(Violation { path, message });
                }
                Ok((seen, number))
                    if self.before.is_none() && self.model.depth > 1 && bytes == 0 =>
                {
                    // Why the point: what is still pending differs from point to point.
                    if self.lived.insert((u64::MAX, number, here.op as u64)) {
                        self.second_crashes(here, &disk.trace(), &seen, &place);
                    }
                }
                Ok(_) => {}
            }
        }
    }

    /// Recovers again on a disk that knows what is durable, and crashes that.
    fn second_life(
        &mut self,
        here: &mut Here<S::Seen>,
        disk: FaultDisk,
        seen: &S::Seen,
        place: &Place,
    ) {
        disk.record();
        let life = self.life(Some(disk.clone()));
        let again = self.system.recover(Arc::new(disk.clone()), &life);
        if again.as_ref() != Ok(seen) {
            let path = Path { places: Vec::from([place.clone()]) };
            let message = format!("recovery does not do the same again: {again:?}");
            here.violation.get_or_insert(Violation { path, message });
            return;
        }
        self.second_crashes(here, &disk.trace(), seen, place);
    }

    /// Crashes a second life at each of its steps.
    fn second_crashes(
        &mut self,
        here: &mut Here<S::Seen>,
        trace: &Trace,
        seen: &S::Seen,
        place: &Place,
    ) {
        let power = place.choices.is_some();
        let before = Before { marks: &self.marks[..here.marks], power, seen };
        let model = second_model(self.model);
        let mut second = Explorer::new(self.system, trace, &model, Some(before));
        // Why: a crash before recovery has done anything is the first crash.
        let mut walk = trace.walk();
        walk.honest_dirs(self.model.dir_sync);
        let known = if power { BTreeMap::from([(seen.clone(), 0)]) } else { here.seen.clone() };
        let known = known.into_keys().map(|seen| (second.number(&seen), seen));
        let known = known.map(|(number, seen)| (seen, number)).collect();
        second.run(0..=trace.len(), Some((walk.disk().left(), known)));
        let certificate = second.finish();
        here.point.second += certificate.runs();
        self.certificate.lives += 1;
        self.certificate.second += certificate.runs();
        self.certificate.add_bounds(certificate.bounded, "in second crashes ");
        for violation in certificate.violations.into_iter().take(1) {
            let places = [core::slice::from_ref(place), violation.path.places.as_slice()].concat();
            let message = format!("crashed again: {}", violation.message);
            here.violation.get_or_insert(Violation { path: Path { places }, message });
        }
    }
}

/// What second crashes are thought to do.
fn second_model(model: &Model) -> Model {
    Model { unit: model.second_unit, outcomes_kept: 0, ..model.clone() }
}

/// Longer texts of outcomes are cut.
const OUTCOME_CHARS_MAX: usize = 200;

/// A text of at most so many characters, so that what is kept of a run stays bounded.
fn short(text: String) -> String {
    match text.char_indices().nth(OUTCOME_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// What a step did to what is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Growth {
    /// Nothing.
    Same,
    /// It added to it, and took nothing away.
    More,
    /// Something else.
    Other,
}

impl Growth {
    fn of(before: &Left, after: &Left) -> Self {
        let same_names = before.trees == after.trees;
        let contained = |tree| after.trees.contains(tree);
        let more_names = !same_names && before.trees.iter().all(contained);
        let mut changed = 0;
        for (ino, file) in &after.files {
            let Some(old) = before.files.get(ino) else {
                changed += 1;
                continue;
            };
            let same_length = old.lengths == file.lengths;
            let grown = file.parts.len() >= old.parts.len()
                && Arc::ptr_eq(&old.old, &file.old)
                && (same_length || old.lengths.iter().all(|len| file.lengths.contains(len)));
            if !grown {
                return Self::Other;
            }
            let same = same_length && old.ends == file.ends && old.parts.len() == file.parts.len();
            changed += usize::from(!same);
        }
        let lost = before.files.keys().any(|ino| !after.files.contains_key(ino));
        let known = !lost && before.all_trees && after.all_trees;
        match changed + usize::from(more_names) {
            0 if known && same_names => Self::Same,
            1 if known && (same_names || more_names) => Self::More,
            _ => Self::Other,
        }
    }
}

/// What a path leads to: what recovery said, what was left in words, and the disk that it found.
pub(super) struct Walked<Seen> {
    pub(super) result: Result<Seen, String>,
    pub(super) words: Vec<String>,
    pub(super) choices: Option<Choices>,
    found: FaultDisk,
    /// The disk when it crashed.
    crashed: FaultDisk,
    /// What a power cut left of it; `None` if the process was killed.
    wreck: Option<WreckDisk>,
    /// If there were two crashes: what was done between them.
    pub(super) between: Option<Trace>,
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
    second.between = Some(between);
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
        let (words, choices, wreck, between) = (Vec::new(), None, None, None);
        return Ok(Walked { result, words, choices, found, crashed, wreck, between });
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
    let (words, choices) = (disk.words(), Some(disk.choices().again()));
    let found = disk.disk();
    let (wreck, between) = (Some(disk), None);
    Ok(Walked { result, words, choices, found, crashed, wreck, between })
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
