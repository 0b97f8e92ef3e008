//! Each sync of a recorded run is taken away, moved before the operation in front of it, moved behind the next one, and
//! exchanged with the next sync: a crash shows it, or it is shown to be of no consequence.
//!
//! Of no consequence is a change after which no crash can leave anything new ([`Trace::new_points`]), and one of order
//! with which every state at every new point keeps the promise. A sync that has nothing to make durable where it stands
//! is of the first kind; then the same line of the engine is caught elsewhere. Whatever else is not noticed when it is gone
//! stands in a list with its purpose, and what shows the purpose is done here too.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use keelstone::lab::Bug;
use keelstone::vfs::Trace;
use keelstone::vfs::crash::{Model, System, Unit, explore_points};
use keelstone::{Layout, Options};
use keelstone_host::crash::Store;

use crate::purpose::{Missing, Purpose, is_left_out};

/// A run with rotation, a merge, a close, and a kill in it.
const HASH: &str = "put:a,durable:b,big:a,big:b,delete:a,compact,put:b,reopen,durable:a,big:a,work,work,sync,put:b,kill,put:a";

/// The same with flushes and a compaction in the place of rotation and merge.
const ORDERED: &str =
    "put:a,durable:b,put:a,sync,work,work,delete:b,sync,compact,put:b,reopen,durable:a,kill,put:a";

/// What is tried at first and catches all that is caught: writes are there, missing or torn in the middle, one crash.
const ONE_CRASH: Model = Model {
    unit: Unit::Half,
    garbage: false,
    depth: 1,
    kills: false,
    point_states_max: 5000,
    ..Model::HALF
};
/// What is tried with a sync that is gone and was not missed then: kills, and a second crash.
const TWO_CRASHES: Model =
    Model { depth: 2, kills: true, garbage: true, point_states_max: 30, ..ONE_CRASH };

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// A crash shows it.
    Caught,
    /// No crash can leave anything new.
    NothingNew,
    /// What is new keeps the promise, all of it.
    Harmless,
    /// What is new and was tried keeps the promise.
    Unnoticed,
}

/// A run with one sync less, or with one in another place.
struct Change {
    op: usize,
    what: String,
    removed: bool,
    trace: Trace,
}

fn store(layout: Layout, program: &str) -> Store {
    mistaken(layout, program, None)
}

fn mistaken(layout: Layout, program: &str, bug: Option<Bug>) -> Store {
    let adjust = Arc::new(move |options: &mut Options| {
        options.lab.manifest_bytes = 600;
        options.lab.bug = bug;
    });
    Store::new(layout, program.parse().unwrap(), adjust)
}

fn line(trace: &Trace, op: usize) -> String {
    trace.line(op).unwrap_or_default()
}

/// What a line does, whichever file of its kind it is about.
pub(crate) fn role(trace: &Trace, op: usize) -> String {
    line(trace, op).chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn syncs(trace: &Trace) -> Vec<usize> {
    (0..trace.len()).filter(|op| line(trace, *op).starts_with("sync")).collect()
}

fn changes(trace: &Trace) -> Vec<Change> {
    let syncs = syncs(trace);
    let mut changes = Vec::new();
    for (n, op) in syncs.iter().copied().enumerate() {
        let mut push = |what: String, changed: Option<Trace>| {
            let removed = what.is_empty();
            let what = if removed { String::from("removed") } else { what };
            let what = format!("{op} `{}` {what}", line(trace, op));
            changes.extend(changed.map(|trace| Change { op, what, removed, trace }));
        };
        push(String::new(), Some(trace.without(op)));
        let before = op.checked_sub(1).and_then(|to| trace.moved(op, to));
        push(format!("before `{}`", line(trace, op.saturating_sub(1))), before);
        push(format!("behind `{}`", line(trace, op + 1)), trace.moved(op, op + 1));
        let next = syncs.get(n + 1).copied().unwrap_or(op);
        let other = (line(trace, next) != line(trace, op)).then(|| trace.exchanged(op, next));
        push(format!("exchanged with {next} `{}`", line(trace, next)), other.flatten());
    }
    changes
}

fn verdict<S: System>(system: &S, trace: &Trace, change: &Trace, models: &[Model]) -> Verdict {
    let new = trace.new_points(change);
    let (Some(first), Some(last)) = (new.first(), new.last()) else { return Verdict::NothingNew };
    let mut all = true;
    for model in models {
        let certificate = explore_points(system, change, model, *first..=*last);
        all &= certificate.is_exhaustive();
        if !certificate.violations.is_empty() {
            return Verdict::Caught;
        }
    }
    if all { Verdict::Harmless } else { Verdict::Unnoticed }
}

/// Does the work for each of these, two at once, and gives the results in their order.
fn each<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let thread = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(one) = all.get(at) else { return };
            let result = work(one);
            done.lock().unwrap().push((at, result));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(thread);
        scope.spawn(thread);
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The mistakes that leave out the syncs of an open, one kind each.
const AGAIN: [Bug; 4] = [
    Bug::CurrentNotSyncedAgain,
    Bug::ManifestNotSyncedAgain,
    Bug::NamesNotSyncedAgain,
    Bug::LogsNotSyncedAgain,
];

/// The steps of the run that open the store again.
fn opens(layout: Layout, program: &str) -> Vec<std::ops::Range<usize>> {
    let words: Vec<&str> = program.split(',').collect();
    let steps = |n: usize| store(layout, &words[..n].join(",")).record().unwrap().0.len();
    let again = (0..words.len()).filter(|n| ["reopen", "kill"].contains(&words[*n]));
    again.map(|n| steps(n)..steps(n + 1)).collect()
}

/// Tries all of it; what is not noticed and not proven must be `kept`, and its purpose is shown.
fn check(layout: Layout, program: &str, kept: &[(&str, Purpose)]) {
    let store = store(layout, program);
    let (trace, _) = store.record().unwrap();
    let changes = changes(&trace);
    let verdicts = each(&changes, |change| {
        let models = [ONE_CRASH, TWO_CRASHES];
        let models = if change.removed { &models[..] } else { &models[..1] };
        verdict(&store, &trace, &change.trace, models)
    });
    for removed in [true, false] {
        for verdict in [Verdict::Caught, Verdict::NothingNew, Verdict::Harmless, Verdict::Unnoticed]
        {
            let of = changes.iter().zip(&verdicts).filter(|(change, _)| change.removed == removed);
            let count = of.filter(|(_, found)| **found == verdict).count();
            println!("{layout:?} removed={removed} {verdict:?}={count}");
        }
    }

    // A sync is idle, and that is all that "nothing new" means where one is taken away, but where the next step syncs too.
    let (mut caught, mut idle) = (BTreeSet::new(), Vec::new());
    for (change, verdict) in changes.iter().zip(&verdicts).filter(|(change, _)| change.removed) {
        let is_idle = trace.made_durable(change.op).is_empty();
        assert!(!is_idle || *verdict == Verdict::NothingNew, "{} {verdict:?}", change.what);
        match verdict {
            Verdict::Caught => drop(caught.insert(role(&trace, change.op))),
            Verdict::NothingNew => idle.push(change.op),
            Verdict::Harmless | Verdict::Unnoticed => {}
        }
    }
    // What is idle here is caught elsewhere; of an open, where a mistake of the table leaves it out.
    let opens = opens(layout, program);
    let again = AGAIN.map(|bug| (bug, mistaken(layout, program, Some(bug)).record().unwrap().0));
    let missed: Vec<String> = idle
        .into_iter()
        .filter(|op| {
            if opens.iter().any(|open| open.contains(op)) {
                !again.iter().any(|(bug, by)| is_left_out(layout, (&trace, *op), *bug, by))
            } else {
                !caught.contains(&role(&trace, *op))
            }
        })
        .map(|op| format!("{op} `{}` idle", line(&trace, op)))
        .collect();

    // Of those that are moved, whatever was tried entirely is proven; a sync that is gone needs a reason all the same.
    let found = changes.iter().zip(&verdicts).filter(|(change, verdict)| match verdict {
        Verdict::Caught | Verdict::NothingNew => false,
        Verdict::Harmless => change.removed,
        Verdict::Unnoticed => true,
    });
    let found: Vec<&Change> = found.map(|(change, _)| change).collect();
    let names: Vec<&str> = found.iter().map(|change| change.what.as_str()).collect();
    assert!(missed.is_empty(), "nothing shows what these are there for: {missed:?}");
    let kept_names: Vec<&str> = kept.iter().map(|(what, _)| *what).collect();
    assert_eq!(
        names, kept_names,
        "what is new may be missing in the lab; what is gone is needed now"
    );

    let kept: Vec<(&Change, Purpose)> =
        found.into_iter().zip(kept.iter().map(|(_, purpose)| *purpose)).collect();
    for (Change { what, .. }, purpose) in &kept {
        let Purpose::LineOf(other) = purpose else { continue };
        let has_its_own = |(change, purpose): &(&Change, Purpose)| {
            change.op == *other && !matches!(purpose, Purpose::LineOf(_))
        };
        assert!(kept.iter().any(has_its_own), "{what}: {other} has no purpose of its own");
    }
    let shown = each(&kept, |(change, purpose)| {
        let op = change.op;
        let missing = Missing { store: &store, trace: &trace, op, without: &change.trace };
        missing.shows(*purpose, |bug| mistaken(layout, program, Some(bug)).record().unwrap().0)
    });
    for ((Change { what, .. }, purpose), shown) in kept.iter().zip(shown) {
        let shown = shown.unwrap_or_else(|| panic!("{what}: nothing shows {purpose:?}"));
        println!("{layout:?} {what}: {purpose:?} {shown}");
    }
}

/// What is not noticed in the hash layout, and what it is there for.
const KEPT_HASH: [(&str, Purpose); 4] = [
    // A hint that is whole is believed, so that the records of a sealed file need not be read.
    ("37 `sync 000002.hint all` removed", Purpose::OpensSooner),
    // So small a segment is read as fast as its hint; but damage to a record that nobody needs is not met.
    (
        "49 `sync 000004.hint all` removed",
        Purpose::Damage("000004.seg flipped at 64: Right, without Refused"),
    ),
    // The mark of a clean close: without it damage to the last log passes for a torn tail.
    (
        "59 `sync 000001.manifest all` removed",
        Purpose::Damage("000003.log flipped at 64: Refused, without Wrong"),
    ),
    // What is open here are removals, which the next open does again; elsewhere it is names.
    ("62 `sync_dir .` removed", Purpose::Mistake(Bug::NamesNotSyncedAgain)),
];

#[test]
fn a_sync_that_is_missing_or_misplaced_is_noticed() {
    check(Layout::Hash, HASH, &KEPT_HASH);
}

/// The same in the ordered layout.
const KEPT_ORDERED: [(&str, Purpose); 8] = [
    // Of this log all but the footer is durable; elsewhere it is writes.
    ("40 `sync 000003.log all` removed", Purpose::Mistake(Bug::OlderLogNotSynced)),
    // The name of a log; here the sync of the new manifest's name covers it.
    ("53 `sync_dir .` removed", Purpose::Mistake(Bug::LogNameNotSynced)),
    // That the manifest goes on in the next one: with a damaged slot of CURRENT it is found all the same.
    (
        "60 `sync 000001.manifest all` removed",
        Purpose::Damage("CURRENT cut to 64: Right, without Refused"),
    ),
    ("66 `sync 000004.log all` removed", Purpose::Mistake(Bug::OlderLogNotSynced)),
    // The name of a table; here too that of the new manifest covers it.
    ("101 `sync_dir .` removed", Purpose::Mistake(Bug::OutputNamesNotSynced)),
    ("108 `sync 000007.manifest all` removed", Purpose::LineOf(60)),
    (
        "127 `sync 000013.manifest all` removed",
        Purpose::Damage("000008.log flipped at 64: Refused, without Wrong"),
    ),
    ("130 `sync_dir .` removed", Purpose::Mistake(Bug::NamesNotSyncedAgain)),
];

#[test]
fn a_sync_of_an_ordered_store_that_is_missing_or_misplaced_is_noticed() {
    check(Layout::Ordered, ORDERED, &KEPT_ORDERED);
}
