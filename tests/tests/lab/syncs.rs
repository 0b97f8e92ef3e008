//! Each sync of a recorded run is taken away in turn: somebody notices, or the sync is one of those that are known to
//! be redundant.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use keelstone::Layout;
use keelstone::vfs::crash::{Model, explore_points};
use keelstone_host::crash::Store;

/// A run with rotation, merge or flush and compaction, a manifest switch, a close and a kill in it.
const RUN: &str = "put:a,durable:b,big:a,big:b,delete:a,compact,put:b,reopen,durable:a,big:a,work,work,sync,kill,put:a";

/// The syncs of the run whose absence nobody notices.
fn unnoticed(layout: Layout) -> (usize, Vec<String>) {
    let model = Model { point_states_max: 60, ..Model::HALF };
    let adjust =
        std::sync::Arc::new(|options: &mut keelstone::Options| options.lab.manifest_bytes = 600);
    let store = Store::new(layout, RUN.parse().unwrap(), adjust);
    let (trace, _) = store.record().unwrap();
    let line = |op: usize| trace.line(op).unwrap_or_default();
    let syncs: Vec<usize> = (0..trace.len()).filter(|op| line(*op).starts_with("sync")).collect();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(op) = syncs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let without = trace.without(*op);
            let certificate = explore_points(&store, &without, &model, *op..=without.len());
            if certificate.violations.is_empty() {
                found.lock().unwrap().push((*op, line(*op)));
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let mut found = found.into_inner().unwrap();
    found.sort();
    (syncs.len(), found.into_iter().map(|(op, line)| format!("{op} {line}")).collect())
}

#[test]
fn a_sync_that_is_missing_is_noticed() {
    for layout in [Layout::Hash, Layout::Ordered] {
        let (all, unnoticed) = unnoticed(layout);
        println!("{layout:?}: {all} syncs, not noticed: {unnoticed:#?}");
    }
}
