//! The mistakes of `bugs` under the crash models of other projects, beside the crash lab: who sees which.
//!
//! `KEELSTONE_STATES=N` tries N states of each model at each step instead of ten.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use keelstone::lab::Bug;
use keelstone::{Layout, Options};
use keelstone_host::crash::Store;
use keelstone_tests::models::{Tally, all, trial};

use crate::bugs::for_each;
use crate::mistakes::CAUGHT;

/// How many states of each model are tried at each step.
fn per_point() -> u64 {
    std::env::var("KEELSTONE_STATES").map_or(10, |text| text.parse().unwrap())
}

/// A program with a mistake or without, recorded and tried under the models of others.
fn tried(bug: Option<Bug>, layout: Layout, program: &str) -> Vec<Tally> {
    let adjust = Arc::new(move |options: &mut Options| {
        options.lab.bug = bug;
        options.lab.manifest_bytes = 600;
    });
    let store = Store::new(layout, program.parse().unwrap(), adjust);
    let (trace, _) = store.record().unwrap_or_else(|error| panic!("{bug:?} {program}: {error}"));
    trial(&store, &trace, all(), per_point(), 1)
}

/// Programs in which one crash may show a mistake that the lab, which crashes recovery and the first use too, finds in a shorter one:
/// a durable write, and several manifests.
const LONGER: [&str; 2] = ["durable:a", "put:a,reopen,reopen,put:b,reopen,reopen"];

/// All programs of the mistakes in one layout, and the longer ones.
fn programs(layout: Layout) -> BTreeSet<&'static str> {
    let of_layout = CAUGHT.iter().filter(|(_, other, _)| *other == layout);
    of_layout.map(|(_, _, program)| *program).chain(LONGER).collect()
}

/// What each model sees of a mistake in the program in which it sees most.
fn best(bug: Bug, layout: Layout) -> Vec<Tally> {
    let tried = programs(layout).into_iter().map(|program| tried(Some(bug), layout, program));
    let seen = |tally: &Tally| tally.bad as f64 / tally.samples as f64;
    tried
        .reduce(|best, more| {
            let both = best.into_iter().zip(more);
            both.map(|(best, more)| if seen(&more) > seen(&best) { more } else { best }).collect()
        })
        .unwrap_or_default()
}

/// A share in per cent, with enough digits; a dash if there is none.
fn share(tally: &Tally) -> String {
    let percent = tally.bad as f64 * 100.0 / tally.samples as f64;
    match tally.bad {
        0 => "-".into(),
        _ if percent >= 10.0 => format!("{percent:.0} %"),
        _ if percent >= 0.1 => format!("{percent:.1} %"),
        _ => format!("{percent:.2} %"),
    }
}

#[test]
fn without_a_mistake_no_model_of_others_reports_anything() {
    let of = |layout| programs(layout).into_iter().map(move |program| (layout, program));
    let programs: Vec<_> = [Layout::Hash, Layout::Ordered].into_iter().flat_map(of).collect();
    for_each(&programs, |_, (layout, program)| {
        for Tally { name, samples, bad, first } in tried(None, *layout, program) {
            let place = format!("{layout:?} {program}, {name}");
            assert!(samples > 0, "{place} was not tried");
            assert_eq!(bad, 0, "{place} of {samples}: {}", first.unwrap_or_default());
        }
    });
}

// The lab sees all of them: `bugs::every_mistake_is_caught`.
#[test]
fn no_model_of_others_sees_every_mistake() {
    let rows = Mutex::new(BTreeMap::new());
    for_each(CAUGHT, |n, (bug, layout, _)| {
        let tallies = best(*bug, *layout);
        rows.lock().unwrap().insert(n, (*bug, *layout, tallies));
    });
    let rows = rows.into_inner().unwrap();
    println!("{}", table(rows.values()));
    for (n, model) in all().iter().enumerate() {
        let blind = rows.values().filter(|(_, _, tallies)| tallies[n].bad == 0).count();
        assert!(blind > 0, "{} sees everything", model.name());
        assert!(blind < rows.len(), "{} sees nothing", model.name());
    }
    // Why these: their descriptions leave it out, whatever the dice.
    let cannot = [
        // A sync of any new file is one of its directory; a file with its own sync has its name; names are never lost.
        ("LevelDB", Bug::DirNotSynced),
        ("FoundationDB", Bug::DirNotSynced),
        ("SQLite", Bug::DirNotSynced),
        // Removals are undone.
        ("Pebble, 0 %", Bug::InputsRemovedEarly),
        ("Pebble, 50 %", Bug::InputsRemovedEarly),
        // No write is torn.
        ("LevelDB", Bug::ChecksumIgnored),
        ("Pebble, 0 %", Bug::ChecksumIgnored),
    ];
    for (bug, layout, tallies) in rows.values() {
        // Why: that takes a kill, a recovery from the cache and then a power cut, which nobody else has.
        let all_blind = *bug == Bug::RecoveryNotSynced;
        let is_blind = |tally: &&Tally| all_blind || cannot.contains(&(tally.name, *bug));
        for tally in tallies.iter().filter(is_blind) {
            assert_eq!(tally.bad, 0, "{} {bug:?} {layout:?}: {:?}", tally.name, tally.first);
        }
    }
}

/// The rows as a table.
fn table<'a>(rows: impl Iterator<Item = &'a (Bug, Layout, Vec<Tally>)>) -> String {
    let mut text = String::from("| Mistake | Layout | lab |");
    let names: Vec<&str> = all().iter().map(|model| model.name()).collect();
    names.iter().for_each(|name| write!(text, " {name} |").unwrap());
    text += "\n|---|---|---|";
    names.iter().for_each(|_| text += "---|");
    for (bug, layout, tallies) in rows {
        write!(text, "\n| `{bug:?}` | {} | yes |", format!("{layout:?}").to_lowercase()).unwrap();
        tallies.iter().for_each(|tally| write!(text, " {} |", share(tally)).unwrap());
    }
    text
}
