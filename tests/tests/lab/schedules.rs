//! Several writers, background jobs and failing operations in chosen orders: the promise is kept in all of them, and
//! mistakes that only an order shows are caught by one string that shows them again.

use std::sync::Arc;
use std::time::Duration;

use keelstone::lab::Bug;
use keelstone::vfs::crash::Model;
use keelstone::{Layout, Options};
use keelstone_host::crash::schedule::{self, Broken, Repeat, Scheduled, Schedules};
use keelstone_host::crash::{Counts, Program, Settings, Writers};

use crate::mistakes::SCHEDULED;

/// What is tried at each point: one crash, since the programs of one writer have the second.
fn model() -> Model {
    Model { point_states_max: 60, depth: 1, ..Model::HALF }
}

fn settings(layout: Layout, bug: Option<Bug>) -> Settings {
    let adjust = Arc::new(move |options: &mut Options| options.lab.bug = bug);
    let (layouts, program) = (vec![layout], Some(Program::default()));
    Settings { layouts, words: 0, program, model: model(), adjust, recordings_max: 0 }
}

fn writers(program: &str) -> Writers {
    program.parse().unwrap_or_else(|error| panic!("{program}: {error}"))
}

fn tried(layout: Layout, bug: Option<Bug>, program: &str, wanted: &Schedules) -> Scheduled {
    schedule::run(&settings(layout, bug), &writers(program), wanted)
        .unwrap_or_else(|error| panic!("{bug:?} {layout:?} {program}: {error}"))
}

/// Tries schedules that keep the promise.
fn kept(layout: Layout, program: &str, wanted: &Schedules) -> Scheduled {
    let tried = tried(layout, None, program, wanted);
    if let Some(found) = &tried.broken {
        panic!("{layout:?} {}: {found}", found.writers);
    }
    let (certificate, tally) = (&tried.certificate, &tried.tally);
    println!("{layout:?} {program}: exhaustive={} {certificate}\n  {tally:?}", tried.exhaustive);
    tried
}

/// What the string of a violation shows again.
fn again(found: &Broken, bug: Option<Bug>) -> Option<Broken> {
    let Repeat { schedule, path } = found.repeat.parse().unwrap();
    let settings = settings(found.layout, bug);
    schedule::repeat(&settings, found.layout, &found.writers, &schedule.unwrap(), &path)
        .unwrap_or_else(|error| panic!("{}: {error}", found.repeat))
}

const SOME: Schedules = Schedules { count: 100, seed: 1, faults: false };

// In the hash layout these are all; in the ordered one a flush and its steps come between.
#[test]
fn two_durable_writers_in_many_orders() {
    for layout in [Layout::Hash, Layout::Ordered] {
        let tried = kept(layout, "durable:a|durable:b", &SOME);
        let tally = &tried.tally;
        assert_eq!(tried.exhaustive, layout == Layout::Hash, "{tally:?}");
        assert!(tally.interleaved > 0 && tally.interleaved < tally.schedules, "{tally:?}");
        assert!(tally.followed > 0 && tally.within > 0, "{tally:?}");
    }
}

// Hash: a log is sealed and gets its hint; ordered: a memtable is flushed, and its log goes.
#[test]
fn two_writers_and_jobs_in_seeded_orders() {
    for (layout, program) in
        [(Layout::Hash, "fill:a,durable:b|put:a"), (Layout::Ordered, "put:a,durable:b|put:a")]
    {
        let tried = kept(layout, program, &Schedules { count: 40, ..SOME });
        let tally = &tried.tally;
        assert!(tally.interleaved > 0 && tally.jobs_interleaved > 0, "{tally:?}");
        assert!(tally.jobs > 0 && tally.given_up > 0, "{tally:?}");
    }
}

// Sampled: each seed is a schedule.
#[test]
fn longer_programs_in_seeded_orders() {
    let wanted = Schedules { count: 20, ..SOME };
    // Why shorter in the ordered layout: its flushes leave so many unsynced writes that a point has many more states.
    let long = "big:a,durable:b,compact|durable:a,delete:b,sync|batch,durable:a,reopen";
    let short = "durable:a,delete:b|durable:b|batch,reopen";
    for (layout, program) in [(Layout::Hash, long), (Layout::Ordered, short)] {
        let tried = kept(layout, program, &wanted);
        let tally = &tried.tally;
        assert!(!tried.exhaustive && tally.schedules == 20, "{layout:?} {tally:?}");
        assert!(tally.interleaved > 5 && tally.jobs > 0, "{tally:?}");
        assert!(tried.certificate.bounded.keys().any(|what| what.contains("seeds 1 to 20")));
    }
}

// Each operation of the disk fails in every way that there is, in seeded schedules.
#[test]
fn failing_operations_in_seeded_orders() {
    let wanted = Schedules { count: 40, seed: 1, faults: true };
    let program = "fill:a,durable:b,put:a|durable:a,sync,put:b";
    for layout in [Layout::Hash, Layout::Ordered] {
        let tried = kept(layout, program, &wanted);
        let tally = &tried.tally;
        assert_eq!(tally.struck, tally.told + tally.absorbed, "{tally:?}");
        assert!(tally.told > 20 && tally.absorbed > 0, "{tally:?}");
        assert!(tally.read_only > 2 && tally.refused > 2, "{tally:?}");
    }
}

// A load waits for jobs in hand, and nobody else is there to end them: it comes when there are none.
#[test]
fn load_comes_when_no_job_is_in_hand() {
    let tried = kept(Layout::Ordered, "durable:b|delete:a,load", &Schedules { count: 5, ..SOME });
    assert!(tried.tally.schedules == 5 && tried.tally.jobs > 0, "{:?}", tried.tally);
}

// The hash layout has no range: what is wrong then needs no crash.
#[test]
fn what_is_wrong_without_a_crash_is_counted() {
    let wanted = Schedules { count: 5, ..SOME };
    let tried = tried(Layout::Hash, None, "sync|range", &wanted);
    let found = tried.broken.as_ref().unwrap();
    assert!(found.explanation.is_none() && found.writers.to_string() == "range", "{found}");
    assert!(tried.wrong == 1 && tried.certificate.violations.is_empty(), "{:?}", tried.certificate);
    let settings = settings(Layout::Hash, None);
    let time = Duration::from_millis(1);
    let lines = Counts::of_schedules(&settings, &writers("sync|range"), &tried, time).lines();
    let line =
        format!("bounded stopped at the first violation: 1 of {} schedules tried", tried.planned);
    for line in ["violations=1", "class=k-bounded", "orders=stopped", &line] {
        assert!(lines.iter().any(|found| found == line), "{line} {lines:?}");
    }
    assert_eq!(again(found, None).map(|again| again.to_string()), Some(found.to_string()));
}

#[test]
fn the_same_schedules_give_the_same_certificate() {
    let wanted = Schedules { count: 10, seed: 7, faults: true };
    let run = || {
        let tried = tried(Layout::Ordered, None, "put:a,durable:b|durable:a", &wanted);
        (tried.certificate, tried.tally)
    };
    assert_eq!(run(), run());
}

#[test]
fn mistakes_that_only_a_schedule_shows_are_caught_and_shown_again() {
    crate::bugs::for_each(SCHEDULED, |_, (bug, layout, program, faults)| {
        let wanted = Schedules { faults: *faults, count: if *faults { 400 } else { 100 }, ..SOME };
        let found = tried(*layout, Some(*bug), program, &wanted).broken;
        let found = found.unwrap_or_else(|| panic!("{bug:?} {layout:?} {program}: not caught"));
        println!("{bug:?} {layout:?} {}: {found}", found.writers);
        let again_with = again(&found, Some(*bug)).map(|again| again.to_string());
        assert_eq!(again_with, Some(found.to_string()), "{bug:?} {layout:?}");
        // Why not `again`: without the mistake the schedule may have other ways.
        let kept = tried(*layout, None, &found.writers.to_string(), &wanted);
        assert!(kept.broken.is_none(), "{layout:?} {}", found.writers);
    });
}
