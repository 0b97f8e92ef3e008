//! Each sync of a recorded run is taken away in turn: somebody notices, or the sync is one of those that are known to
//! be redundant.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use keelstone::Layout;
use keelstone::vfs::crash::{Model, explore_points};
use keelstone_host::crash::Store;

/// A run with rotation, a merge, a manifest switch, a close and a kill in it.
const HASH: &str = "put:a,durable:b,big:a,big:b,delete:a,compact,put:b,reopen,durable:a,big:a,work,work,sync,kill,put:a";

/// The syncs whose absence alone nobody notices: those of hints, which are advice, and ten, most of them in a close and
/// the open behind it, that another sync likely covers; that is not proven one by one. A list that changes is to be
/// looked at: what is new in it may be missing in the loops, what is gone from it is needed now.
const UNNOTICED: [&str; 12] = [
    "32 sync 000003.log data",
    "37 sync 000002.hint all",
    "49 sync 000004.hint all",
    "59 sync 000001.manifest all",
    "60 sync CURRENT all",
    "61 sync 000001.manifest all",
    "62 sync_dir .",
    "63 sync 000003.log all",
    "68 sync CURRENT all",
    "69 sync 000001.manifest all",
    "70 sync_dir .",
    "71 sync 000003.log all",
];

/// The syncs of the run whose absence nobody notices.
fn unnoticed(layout: Layout, run: &str) -> (usize, Vec<String>) {
    let model = Model { point_states_max: 60, ..Model::HALF };
    let adjust =
        std::sync::Arc::new(|options: &mut keelstone::Options| options.lab.manifest_bytes = 600);
    let store = Store::new(layout, run.parse().unwrap(), adjust);
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
    let (all, unnoticed) = unnoticed(Layout::Hash, HASH);
    println!("{all} syncs, not noticed: {unnoticed:#?}");
    assert_eq!(unnoticed, UNNOTICED);
    assert!(all >= 2 * unnoticed.len(), "{all}");
}
