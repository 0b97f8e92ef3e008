//! Mistakes that are switched on are caught by short programs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use keelstone::Layout;
use keelstone::lab::Bug;
use keelstone::vfs::crash::Model;
use keelstone_host::crash::{Explored, run};

use crate::only;

/// What is tried with each.
fn model() -> Model {
    Model { point_states_max: 100, ..Model::HALF }
}

/// The mistakes that this layout can make, each with a program that leads to it.
pub(crate) const MISTAKES: &[(Bug, Layout, &str)] = &[
    (Bug::WriteNotSynced, Layout::Hash, "durable:a"),
    (Bug::WriteNotSynced, Layout::Ordered, "durable:a"),
    (Bug::BeginNotSynced, Layout::Hash, "durable:a"),
    (Bug::BeginNotSynced, Layout::Ordered, "durable:a"),
    (Bug::DirNotSynced, Layout::Hash, "durable:a"),
    (Bug::DirNotSynced, Layout::Ordered, "durable:a"),
    (Bug::ChecksumIgnored, Layout::Hash, "durable:a"),
    (Bug::ChecksumIgnored, Layout::Ordered, "durable:a"),
    (Bug::OlderLogNotSynced, Layout::Hash, MERGES),
    (Bug::OlderLogNotSynced, Layout::Ordered, "put:a,big:b,sync"),
    (Bug::MergeOutputNotSynced, Layout::Hash, MERGES),
    (Bug::MergeOutputNotSynced, Layout::Ordered, "durable:a"),
    (Bug::ShadowsNotSynced, Layout::Hash, MERGES),
    (Bug::AppendAfterTorn, Layout::Ordered, "big:a,big:b,durable:a"),
    (Bug::OutputNamesNotSynced, Layout::Hash, MERGES),
    (Bug::InputsRemovedEarly, Layout::Hash, MERGES),
    (Bug::CurrentBeforeManifest, Layout::Hash, MERGES),
    (Bug::CurrentBeforeManifest, Layout::Ordered, "put:a,reopen,reopen"),
    (Bug::RecoveryNotSynced, Layout::Hash, "put:a"),
    (Bug::RecoveryNotSynced, Layout::Ordered, "put:a"),
    (Bug::OneSlot, Layout::Hash, MERGES),
    (Bug::OneSlot, Layout::Ordered, "put:a,reopen,reopen"),
];

/// Two merges of the hash layout, a deletion between them.
pub const MERGES: &str = "big:a,big:a,compact,delete:a,compact,reopen";

/// What is found in a program, with a mistake or without.
pub(crate) fn explored(bug: Option<Bug>, layout: Layout, program: &str) -> Explored {
    let settings = only(layout, program, model(), move |options| {
        options.lab.bug = bug;
        options.lab.manifest_bytes = 600;
    });
    let explored = run(&settings).unwrap_or_else(|error| panic!("{bug:?} {program}: {error}"));
    explored.into_iter().next().unwrap()
}

/// Does something for each row, on two threads.
pub(crate) fn for_each<T: Sync>(rows: &[T], act: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
            act(row);
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
        MISTAKES.iter().map(|(_, layout, program)| (*layout, *program)).collect();
    programs.sort_by_key(|(layout, program)| format!("{layout:?} {program}"));
    programs.dedup();
    for_each(&programs, |(layout, program)| {
        let explored = explored(None, *layout, program);
        if let Some(explanation) = explored.explanation {
            panic!("{layout:?} {program}: {explanation}");
        }
    });
}

#[test]
fn every_mistake_is_caught() {
    let missed = Mutex::new(Vec::new());
    for_each(MISTAKES, |(bug, layout, program)| {
        let begun = Instant::now();
        match explored(Some(*bug), *layout, program).explanation {
            Some(told) => {
                println!("{bug:?} {layout:?} by {program} {:?}\n{told}\n", begun.elapsed())
            }
            None => missed.lock().unwrap().push(format!("{bug:?} {layout:?} {program}")),
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
