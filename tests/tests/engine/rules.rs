//! The rules of durability see mistakes without a crash, and nothing wrong where there is no mistake.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use keelstone::lab::Bug;
use keelstone::vfs::fault::{Effect, Fault, SyncFault};
use keelstone::vfs::{FaultDisk, Kind, Vfs};
use keelstone::{Db, Durability, Layout, ManualClock, Result};
use keelstone_tests::mirror::START_MS;
use keelstone_tests::rules::RulesDisk;
use keelstone_tests::shape::Shape;

/// What fails on the way.
#[derive(Clone, Copy)]
enum Failing {
    Nothing,
    /// Some write and, each in a run of its own, every other one: half of it is done.
    Writes,
    Syncs,
}

fn shape(layout: Layout, bug: Option<Bug>) -> Shape {
    Shape { layout, bug, memtable_bytes: 1024, manifest_bytes: 600, dead_percent: 1, ..Shape::TINY }
}

/// Logs, flushes, merges, a new manifest, a store that is opened again; what fails is left alone.
fn program(vfs: &Arc<dyn Vfs>, shape: Shape) -> Result<()> {
    let clock = ManualClock::new(START_MS);
    for round in 0..3 {
        let db = Db::open(Arc::clone(vfs), shape.options(&clock))?;
        for n in 0..6 {
            // Why no `?`: after a failure the store goes on, and that is what some mistakes are about.
            let _may_fail = db.put(format!("{n}"), vec![round; 700]);
            let _may_fail = db.write(keelstone::Batch::new().put("d", "1"), Durability::Durable);
            let _may_fail = db.work();
        }
        let _may_fail = db.delete("3");
        let _may_fail = db.compact();
        let _may_fail = db.close();
    }
    Ok(())
}

/// The rule that was broken in some run, if one was; and how many runs there were.
fn broken(layout: Layout, bug: Option<Bug>, failing: Failing) -> (Option<String>, u64) {
    let mut runs = 0;
    loop {
        let disk = FaultDisk::new();
        match failing {
            Failing::Nothing => {}
            Failing::Writes => {
                disk.inject(Fault { effect: Effect::Partial(40), ..Fault::once(runs, Kind::Io) });
            }
            Failing::Syncs => disk.fail_sync(runs, SyncFault::Dropped),
        }
        let vfs: Arc<dyn Vfs> = Arc::new(RulesDisk::new(disk.clone()));
        runs += 1;
        let run = catch_unwind(AssertUnwindSafe(|| program(&vfs, shape(layout, bug))));
        if let Err(panic) = run {
            let text = panic.downcast_ref::<String>().expect("a panic with values in it");
            assert!(text.starts_with("rule: "), "{text}");
            return (Some(text.clone()), runs);
        }
        let more = match failing {
            Failing::Nothing => false,
            Failing::Writes => disk.ops() >= runs,
            Failing::Syncs => disk.syncs() >= runs,
        };
        if !more {
            return (None, runs);
        }
    }
}

#[test]
fn without_a_mistake_no_rule_is_broken() {
    for layout in [Layout::Hash, Layout::Ordered] {
        for failing in [Failing::Nothing, Failing::Writes, Failing::Syncs] {
            let (rule, runs) = broken(layout, None, failing);
            assert_eq!(rule, None, "{layout:?}");
            assert!(matches!(failing, Failing::Nothing) || runs > 100, "{layout:?}: {runs} runs");
        }
    }
}

#[test]
fn mistakes_break_the_rule_that_they_are_against() {
    let (not_durable, removed) = ("of it are durable", "is removed while");
    let unread = "the durable manifest cannot be read";
    let rows = [
        (Layout::Hash, Bug::MergeOutputNotSynced, Failing::Nothing, not_durable),
        (Layout::Ordered, Bug::MergeOutputNotSynced, Failing::Nothing, not_durable),
        (Layout::Hash, Bug::OutputNamesNotSynced, Failing::Nothing, not_durable),
        (Layout::Hash, Bug::InputsRemovedEarly, Failing::Nothing, removed),
        (Layout::Hash, Bug::CurrentBeforeManifest, Failing::Nothing, unread),
        (Layout::Ordered, Bug::CurrentBeforeManifest, Failing::Nothing, unread),
        (Layout::Hash, Bug::AppendAfterFailure, Failing::Writes, "behind a write that failed"),
        (Layout::Ordered, Bug::AppendAfterFailure, Failing::Writes, "behind a write that failed"),
        (Layout::Hash, Bug::SyncRetried, Failing::Syncs, "is tried again"),
        (Layout::Ordered, Bug::SyncRetried, Failing::Syncs, "is tried again"),
    ];
    let mut wrong = Vec::new();
    for (layout, bug, failing, words) in rows {
        let (rule, _) = broken(layout, Some(bug), failing);
        if !rule.as_ref().is_some_and(|rule| rule.contains(words)) {
            wrong.push(format!("{layout:?} {bug:?}: {rule:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
