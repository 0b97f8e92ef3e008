//! Goes through all crash points of a recording, all states at each, and all crashes of the recoveries.
//!
//! Called at the door; calls the system. A state that shows nothing of the step before it is not tried again: what
//! recovery showed then is judged again by what is allowed now. Recoveries that found the same wherever they looked are
//! crashed again once, with the bytes that nobody looked at as they were on the medium; and where two of them come to the
//! same, as far as anybody looks, that is tried once.

use super::certificate::{Certificate, Point, Violation};
use super::choices::Choices;
use super::known::{Known, Looked, Open, look_too};
use super::model::{Model, Unit};
use super::path::{Path, Place};
use super::wreck::{Site, WreckDisk};
use super::{Crash, Life, Second, System};
use crate::fault::Left;
use crate::{FaultDisk, Trace};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::take;
use core::ops::RangeInclusive;

/// Tries every crash of a recorded run. The disk must have recorded it ([`FaultDisk::recording`]): of one that has not
/// there is nothing but the beginning. A panic of the system ends it; what never ends is waited for.
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

/// Tries every second crash after so many to so many steps of what was done after the first.
pub(super) fn explore_second<S: System>(
    system: &S,
    between: &Trace,
    model: &Model,
    before: Before<'_, S::Seen>,
    points: RangeInclusive<usize>,
) -> Certificate {
    let mut explorer = Explorer::new(system, between, model, Some(before));
    explorer.run(points, None);
    explorer.finish()
}

/// What came before the life that is explored, if it is the second.
pub(super) struct Before<'a, Seen> {
    pub(super) marks: &'a [u64],
    pub(super) power: bool,
    pub(super) seen: &'a Seen,
}

/// The exploration of one recording.
pub(super) struct Explorer<'a, S: System> {
    system: &'a S,
    trace: &'a Trace,
    marks: Vec<u64>,
    model: &'a Model,
    before: Option<Before<'a, S::Seen>>,
    /// What recovery showed, each with its number.
    outcomes: BTreeMap<S::Seen, usize>,
    /// What was judged and is allowed: an outcome, how many marks there were, whether power was cut.
    judged: BTreeSet<(usize, usize, bool)>,
    /// Points of second lives at which everything was tried.
    known: Known<S::Seen>,
    /// Second lives that were explored.
    lives: BTreeMap<LifeKey, Lived<S::Seen>>,
    /// How many of them are of a kind: have changed the disk alike, and shown the same.
    kinds: BTreeMap<(u128, usize), usize>,
    /// What was judged, each once.
    met: Vec<Met<S::Seen>>,
    certificate: Certificate,
}

/// Recoveries that found the same wherever they looked are one life: a number for that.
type LifeKey = u128;

/// A second life that was explored: what its crashes led to may be judged again, when more is promised.
struct Lived<Seen> {
    /// What the first recovery showed.
    seen: Seen,
    /// The marks of the second life.
    marks: Vec<u64>,
    /// What recoveries from its crashes showed.
    met: Vec<Met<Seen>>,
    /// With so many marks before the first crash it was judged.
    judged: usize,
}

/// What was judged: what a recovery showed, how many marks there were before the crash, whether power was cut.
type Met<Seen> = (Seen, usize, bool);

/// What is known of the point before.
struct Last<Seen> {
    left: Left,
    seen: BTreeMap<Seen, usize>,
    killed: BTreeSet<Seen>,
    lives: BTreeSet<LifeKey>,
    looked: Looked,
    blind: bool,
}

/// What is known about the point at which the explorer is.
struct Here<Seen> {
    op: usize,
    marks: usize,
    /// What power cuts lead to.
    seen: BTreeMap<Seen, usize>,
    /// The second lives behind them.
    lives: BTreeSet<LifeKey>,
    /// What kills lead to.
    killed: BTreeSet<Seen>,
    /// Where recoveries looked.
    looked: Looked,
    point: Point,
    violation: Option<Violation>,
    /// Whether recoveries ran of which nobody knows where they looked.
    blind: bool,
    /// What is wrong with something that the same disk has led to before.
    refused: Option<String>,
    /// Whether recoveries were not crashed again, because so many of their kind were.
    left_out: bool,
}

impl<Seen: Ord> Here<Seen> {
    fn new(op: usize, marks: usize) -> Self {
        let (runs, kills, second, outcomes) = (0, 0, 0, 0);
        let (shown, violated) = (Vec::new(), false);
        let point = Point { op, runs, kills, second, outcomes, shown, violated };
        let (seen, lives, killed, looked) = Default::default();
        let (violation, refused, blind, left_out) = (None, None, false, false);
        Self { op, marks, seen, lives, killed, looked, point, violation, blind, refused, left_out }
    }

    /// What the point after this needs to know; `left` is what was open here.
    fn last(self, left: Left) -> Last<Seen> {
        let Self { seen, killed, lives, looked, blind, .. } = self;
        Last { left, seen, killed, lives, looked, blind }
    }
}

impl<'a, S: System> Explorer<'a, S> {
    pub(super) fn new(
        system: &'a S,
        trace: &'a Trace,
        model: &'a Model,
        before: Option<Before<'a, S::Seen>>,
    ) -> Self {
        let marks = trace.marks().iter().map(|(_, mark)| *mark).collect();
        let (outcomes, judged, lives, kinds, met) = Default::default();
        let (known, certificate) = Default::default();
        Self {
            system,
            trace,
            marks,
            model,
            before,
            outcomes,
            judged,
            known,
            lives,
            kinds,
            met,
            certificate,
        }
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
            let mut here = Here::new(op, marks);
            if self.is_known(&mut here, &left) {
                last = Some(here.last(left));
                continue;
            }
            let growth =
                last.as_ref().map_or(Growth::Other, |before| Growth::of(&before.left, &left));
            let earlier = last.as_ref().filter(|_| growth != Growth::Other);
            let site = Site::new(left.clone(), self.model, earlier.map(|before| &before.left));
            if let Some(before) = earlier {
                here.looked = before.looked.clone();
                here.blind = before.blind;
                self.judge_again(&mut here, &before.seen);
                self.judge_lives_again(&mut here, &before.lives);
            }
            self.certificate.states_log10 = self.certificate.states_log10.max(site.states_log10());
            let bounded = site.bounded().map(|what| (what, 1)).collect();
            self.certificate.add_bounds(bounded, "");
            if growth != Growth::Same {
                self.power_cuts(&mut here, &Arc::new(site), growth == Growth::More);
            }
            if self.model.kills {
                let same = |before: &&Last<S::Seen>| {
                    self.before.is_some() && growth == Growth::Same && before.left.reads_as(&left)
                };
                match earlier.filter(same) {
                    Some(before) => self.judge_kills_again(&mut here, &before.killed),
                    None => self.kills(&mut here, &mut walk),
                }
            }
            self.close(&mut here, &left);
            if here.point.violated && !self.model.go_on {
                return;
            }
            last = Some(here.last(left));
        }
    }

    /// Notes what came of a point.
    fn close(&mut self, here: &mut Here<S::Seen>, left: &Left) {
        if let Some(message) = here.refused.take() {
            // Why: what is wrong is told even if the way to it is not found again.
            let choices = Some(Choices::new());
            let place = Place { op: here.op, bytes: 0, newest: false, choices };
            let path = Path { places: Vec::from([place]) };
            here.violation.get_or_insert(Violation { path, message });
        }
        if here.left_out {
            let max = self.model.lives_max;
            let what = format!("at most {max} recoveries of a kind crashed again");
            self.certificate.add_bounds(BTreeMap::from([(what, 1)]), "");
        }
        here.point.outcomes = here.seen.len();
        let kept = here.seen.keys().take(self.model.outcomes_kept);
        here.point.shown = kept.map(|seen| short(self.system.text(seen))).collect();
        here.point.violated = here.violation.is_some();
        self.certificate.violations.extend(here.violation.take());
        // Why not behind a violation: what an error was told for is not among what was seen.
        if self.has_known() && !here.blind && self.certificate.violations.is_empty() {
            let cut = here.seen.keys().map(|seen| (seen, true));
            let shown = cut.chain(here.killed.iter().map(|seen| (seen, false)));
            self.known.put(&Open::new(left, self.model), &here.looked, shown);
        }
        self.certificate.points.push(here.point.clone());
    }

    /// Whether what was tried at a point is kept: in second lives, which come to the same points. The first has lives of its
    /// own at each, and what is open in single bytes is more than is compared.
    fn has_known(&self) -> bool {
        self.before.is_some() && self.model.unit != Unit::Byte
    }

    /// Whether the same was open before at a point of a second life; then what was shown there is judged again. If that is
    /// wrong here, the point has to be tried, to find the way to it.
    fn is_known(&mut self, here: &mut Here<S::Seen>, left: &Left) -> bool {
        if !self.has_known() {
            return false;
        }
        let met = self.met.len();
        let mut known = take(&mut self.known);
        let open = Open::new(left, self.model);
        let shown = known.get(&open);
        let allowed = shown.is_some_and(|(looked, mut shown)| {
            here.looked = looked.clone();
            shown.all(|(seen, power)| {
                let number = self.number(seen);
                if power {
                    here.seen.insert(seen.clone(), number);
                } else {
                    here.killed.insert(seen.clone());
                }
                let judged = self.judge(here.marks, seen, number, power);
                here.refused = judged.err();
                here.refused.is_none()
            })
        });
        self.known = known;
        if !allowed {
            self.met.truncate(met);
            here.seen.clear();
            here.killed.clear();
            here.looked.clear();
        }
        allowed
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

    /// The same for kills, where nothing has changed: of a second life no kill is crashed again, nor one within a write tried.
    fn judge_kills_again(&mut self, here: &mut Here<S::Seen>, killed: &BTreeSet<S::Seen>) {
        here.killed.clone_from(killed);
        for seen in killed {
            let number = self.number(seen);
            if let Err(message) = self.judge(here.marks, seen, number, false) {
                let place = Place { op: here.op, bytes: 0, newest: false, choices: None };
                let path = Path { places: Vec::from([place]) };
                here.violation.get_or_insert(Violation { path, message });
            }
        }
    }

    /// The same for second lives: what a crash of a recovery led to is possible still.
    fn judge_lives_again(&mut self, here: &mut Here<S::Seen>, lives: &BTreeSet<LifeKey>) {
        for key in lives {
            here.lives.insert(*key);
            let Err(message) = self.judge_life(key, here.marks) else { continue };
            // Why: nobody noted which choices led there.
            let site = self.site(here.op);
            let mut choices = Choices::new();
            loop {
                let disk = WreckDisk::new(&site, choices, false);
                let seen = self.system.recover(Arc::new(disk.clone()), &self.life(None));
                choices = disk.choices();
                if let Ok(seen) = seen
                    && disk.decided() == *key
                {
                    let choices = Some(choices.again());
                    let place = Place { op: here.op, bytes: 0, newest: false, choices };
                    self.crash_again(here, &disk, &seen, &place);
                    break;
                }
                if !choices.advance() {
                    break;
                }
            }
            // Why: what is wrong is told even if the way to it is not found again.
            let choices = Some(Choices::new());
            let place = Place { op: here.op, bytes: 0, newest: false, choices };
            let path = Path { places: Vec::from([place]) };
            here.violation.get_or_insert(Violation { path, message });
            return;
        }
    }

    /// Judges everything that crashes of a second life led to with so many marks before the first crash.
    fn judge_life(&mut self, key: &LifeKey, marks: usize) -> Result<(), String> {
        let Some(life) = self.lives.get_mut(key) else { return Ok(()) };
        if life.judged >= marks {
            return Ok(());
        }
        life.judged = marks;
        life.met.iter().try_for_each(|(seen, second, power)| {
            let second =
                Second { first_power: true, seen: &life.seen, marks: &life.marks[..*second] };
            let crash = Crash { power: *power, marks: &self.marks[..marks], second: Some(second) };
            let judged = self.system.judge(seen, &crash);
            judged.map_err(|message| format!("crashed again: {message}"))
        })
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

    pub(super) fn life(&self, disk: Option<FaultDisk>) -> Life {
        Life { crashes: 1 + u8::from(self.before.is_some()), disk }
    }

    /// Every state that a power cut leaves.
    fn power_cuts(&mut self, here: &mut Here<S::Seen>, site: &Arc<Site>, newest: bool) {
        let mut choices = Choices::new();
        loop {
            let disk = WreckDisk::new(site, choices, false);
            let seen = self.system.recover(Arc::new(disk.clone()), &self.life(None));
            choices = disk.choices();
            look_too(&mut here.looked, &disk.looked());
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
        if self.before.is_none() && self.model.depth > 1 {
            self.second_life(here, disk, (&seen, number), &place);
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
        if self.judged.contains(&(number, marks, power)) {
            return Ok(());
        }
        if self.before.is_some() {
            self.met.push((seen.clone(), marks, power));
        }
        self.system.judge(seen, &self.crash(marks, power))?;
        self.judged.insert((number, marks, power));
        Ok(())
    }

    pub(super) fn crash(&self, marks: usize, power: bool) -> Crash<'_, S::Seen> {
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
        let cuts: Vec<usize> = (0..bytes).filter(is_cut).collect();
        for bytes in &cuts {
            // Why not within every write: as with power cuts, a second crash of each would be too many.
            let lives = self.before.is_none()
                && self.model.depth > 1
                && (*bytes == 0
                    || self.model.second_unit == Unit::Write
                    || *bytes == cuts[cuts.len() / 2]);
            let bytes = *bytes;
            walk.seek(here.op, bytes);
            let disk = walk.disk().kill();
            let open = if self.has_known() { disk.left().killed() } else { None };
            let seen = if let Some(open) = open {
                let site = Arc::new(Site::new(open, self.model, None));
                let wreck = WreckDisk::new(&site, Choices::new(), false);
                let seen = self.system.recover(Arc::new(wreck.clone()), &self.life(None));
                look_too(&mut here.looked, &wreck.looked());
                seen
            } else {
                here.blind = true;
                disk.record();
                let life = self.life(Some(disk.clone()));
                self.system.recover(Arc::new(disk.clone()), &life)
            };
            here.point.runs += 1;
            here.point.kills += 1;
            self.certificate.kills += 1;
            let place = Place { op: here.op, bytes, newest: false, choices: None };
            let judged = seen.and_then(|seen| {
                let number = self.number(&seen);
                here.killed.insert(seen.clone());
                self.judge(here.marks, &seen, number, false).map(|()| seen)
            });
            match judged {
                Err(message) => {
                    let path = Path { places: Vec::from([place]) };
                    here.violation.get_or_insert(Violation { path, message });
                }
                // Why at every point: what is still pending differs from one to the next.
                Ok(seen) if lives => {
                    let known = (here.seen.clone(), here.looked.clone());
                    self.second_crashes(here, &disk.trace(), &seen, &place, known);
                }
                Ok(_) => {}
            }
        }
    }

    /// Crashes what a recovery did, unless one that found the same was crashed; then that is judged again.
    fn second_life(
        &mut self,
        here: &mut Here<S::Seen>,
        wreck: &WreckDisk,
        (seen, number): (&S::Seen, usize),
        place: &Place,
    ) {
        let key = wreck.decided();
        if !self.lives.contains_key(&key) {
            let alike = self.kinds.entry((wreck.changes(), number)).or_default();
            if *alike >= self.model.lives_max {
                here.left_out = true;
                return;
            }
            *alike += 1;
        }
        here.lives.insert(key);
        // Why a second time: if more is promised by now and that is broken, the way to it is found by trying it.
        if !self.lives.contains_key(&key) || self.judge_life(&key, here.marks).is_err() {
            let life = self.crash_again(here, wreck, seen, place);
            self.lives.extend(life.map(|life| (key, life)));
        }
    }

    /// Recovers again on a disk that knows what is durable, and crashes that.
    fn crash_again(
        &mut self,
        here: &mut Here<S::Seen>,
        wreck: &WreckDisk,
        seen: &S::Seen,
        place: &Place,
    ) -> Option<Lived<S::Seen>> {
        let disk = wreck.disk();
        disk.record();
        let life = self.life(Some(disk.clone()));
        let again = self.system.recover(Arc::new(disk.clone()), &life);
        if again.as_ref() != Ok(seen) {
            let path = Path { places: Vec::from([place.clone()]) };
            let message = format!(
                "recovery showed {seen:?}, and on the same disk again it does not: {again:?}"
            );
            here.violation.get_or_insert(Violation { path, message });
            return None;
        }
        let known = (BTreeMap::from([(seen.clone(), 0)]), wreck.looked());
        Some(self.second_crashes(here, &disk.trace(), seen, place, known))
    }

    /// Crashes a second life at each of its steps. What is `known`: what crashes before its first step lead to, and where
    /// recoveries looked there.
    fn second_crashes(
        &mut self,
        here: &mut Here<S::Seen>,
        trace: &Trace,
        seen: &S::Seen,
        place: &Place,
        (known, looked): (BTreeMap<S::Seen, usize>, Looked),
    ) -> Lived<S::Seen> {
        let power = place.choices.is_some();
        let before = Before { marks: &self.marks[..here.marks], power, seen };
        let model = second_model(self.model);
        let mut second = Explorer::new(self.system, trace, &model, Some(before));
        second.known = take(&mut self.known);
        // Why: a crash before recovery has done anything is the first crash.
        let mut walk = trace.walk();
        walk.honest_dirs(self.model.dir_sync);
        let known = known.into_keys().map(|seen| (second.number(&seen), seen));
        let known = known.map(|(number, seen)| (seen, number)).collect();
        let (left, lives) = (walk.disk().left(), BTreeSet::new());
        // Why: before the life has done anything, a kill leaves what the crash before it left.
        let killed = BTreeSet::from([seen.clone()]);
        let last = Last { left, seen: known, killed, lives, looked, blind: false };
        // Why only then: where a write was cut, or writes are torn in other places from here on, what was tried before the life
        // is not all that can be left at its beginning.
        let tried = place.bytes == 0 && model.unit == self.model.unit && here.violation.is_none();
        second.run(0..=trace.len(), (power || tried).then_some(last));
        self.known = take(&mut second.known);
        let (marks, met) = (take(&mut second.marks), take(&mut second.met));
        let lived = Lived { seen: seen.clone(), marks, met, judged: here.marks };
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
        lived
    }
}

impl<Seen> Clone for Before<'_, Seen> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Seen> Copy for Before<'_, Seen> {}

/// What second crashes are thought to do.
pub(super) fn second_model(model: &Model) -> Model {
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
