//! Mistakes that are switched on are caught by short programs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use keelstone::lab::Bug;
use keelstone::vfs::crash::{Model, Unit, explain, explore_points};
use keelstone::{Layout, Options};
use keelstone_host::crash::{Store, lab, run};

use crate::mistakes::{CAUGHT, ELSEWHERE, FROM_LAST, SCHEDULED, made_by};
use crate::only;

/// What is tried with each.
fn model() -> Model {
    Model { point_states_max: 100, ..Model::HALF }
}

/// What is found in a program, with a mistake or without: so many runs, and the first violation.
fn explored(bug: Option<Bug>, layout: Layout, program: &str) -> (u64, Option<String>) {
    let adjust = Arc::new(move |options: &mut Options| {
        options.lab.bug = bug;
        options.lab.manifest_bytes = 600;
    });
    let store = Store::new(layout, program.parse().unwrap(), adjust);
    let found = store.record().and_then(|(trace, last)| {
        let from = if FROM_LAST.contains(&program) { last } else { 0 };
        let certificate = explore_points(&store, &trace, &model(), from..=trace.len());
        let first = certificate.violations.first();
        let told = first.map(|violation| explain(&store, &trace, &model(), &violation.path));
        let told = told.transpose()?.map(|explanation| explanation.to_string());
        Ok((certificate.runs(), told))
    });
    found.unwrap_or_else(|error| panic!("{bug:?} {program}: {error}"))
}

/// Does something for each row and its number, on two threads.
pub(crate) fn for_each<T: Sync>(rows: &[T], act: impl Fn(usize, &T) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(row) = rows.get(n) else { return };
            act(n, row);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
}

#[test]
fn without_a_mistake_the_same_programs_keep_the_promise() {
    let mut programs: Vec<_> =
        CAUGHT.iter().map(|(_, layout, program)| (*layout, *program)).collect();
    programs.sort_by_key(|(layout, program)| format!("{layout:?} {program}"));
    programs.dedup();
    for_each(&programs, |_, (layout, program)| {
        if let (_, Some(told)) = explored(None, *layout, program) {
            panic!("{layout:?} {program}: {told}");
        }
    });
}

/// Prints the table: `cargo xtask crash --bugs`.
#[test]
fn every_mistake_is_caught() {
    let (lines, missed) = (Mutex::new(BTreeMap::new()), Mutex::new(Vec::new()));
    for_each(CAUGHT, |n, (bug, layout, program)| {
        let begun = Instant::now();
        let (runs, told) = explored(Some(*bug), *layout, program);
        let millis = begun.elapsed().as_millis();
        let Some(told) = told else {
            missed.lock().unwrap().push(format!("{bug:?} {layout:?} {program}"));
            return;
        };
        let what = told.lines().next().unwrap_or_default().split(" (").next().unwrap_or_default();
        let by = made_by(*bug);
        let line =
            format!("{bug:?} | {by} | {layout:?} | {program} | {runs} | {millis} ms | {what}");
        lines.lock().unwrap().insert(n, line);
    });
    println!("mistake | made by | layout | program | runs | time | what the lab said first");
    lines.into_inner().unwrap().values().for_each(|line| println!("{line}"));
    ELSEWHERE
        .iter()
        .for_each(|(bug, test)| println!("{bug:?} | {} | suite crash: {test}", made_by(*bug)));
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

// The path that is printed leads to the same violation under each model with which it was found.
#[test]
fn way_to_each_mistake_is_gone_again() {
    let zeros = Model { unit: Unit::Half, garbage: false, ..model() };
    let models = [model(), zeros, Model { point_states_max: 50, ..Model::FULL }];
    let mut again = 0;
    for (bug, layout, program) in CAUGHT.iter().filter(|(_, _, program)| program.len() < 12) {
        let adjust = move |options: &mut Options| {
            options.lab.bug = Some(*bug);
            options.lab.manifest_bytes = 600;
        };
        // Why not all: tearing second crashes at every byte takes long.
        for model in &models[..if *program == "-" { 3 } else { 2 }] {
            let settings = only(*layout, program, model.clone(), adjust);
            let explored = run(&settings, |_, _| {}).unwrap_or_else(|e| panic!("{bug:?}: {e}"));
            let Some(told) = &explored[0].explanation else { continue };
            let path = told.path.to_string().parse().unwrap();
            let repeated = lab::repeat(&settings, *layout, &program.parse().unwrap(), &path);
            let repeated = repeated.unwrap_or_else(|error| panic!("{bug:?}, {path}: {error}"));
            let message = repeated.map(|repeated| repeated.message);
            assert_eq!(message.as_ref(), Some(&told.message), "{bug:?} {layout:?} {path}, {model}");
            again += 1;
        }
    }
    assert!(again > 60, "only {again} ways");
}

#[test]
fn every_mistake_has_a_row_here_and_in_the_docs() {
    let docs = include_str!("../../../docs/crash-lab.md");
    for bug in Bug::ALL {
        let here = CAUGHT.iter().any(|(caught, ..)| caught == bug);
        let elsewhere = ELSEWHERE.iter().any(|(caught, _)| caught == bug);
        let scheduled = SCHEDULED.iter().any(|(caught, ..)| caught == bug);
        assert!(here != (elsewhere || scheduled), "{bug:?} has no row, or two kinds of rows");
        assert!(docs.contains(&format!("`{bug:?}`")), "docs/crash-lab.md does not have {bug:?}");
    }
}
