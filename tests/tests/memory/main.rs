//! Every allocation of a short program fails, one in each run: the call says so, or the process ends as if it were killed;
//! nothing that was acknowledged is lost, and the store goes on.
//!
//! A failed allocation can end a process, so each run is one of its own: this program again, as a child.
#![allow(
    clippy::unwrap_used,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::print_stdout,
    reason = "tests have std, and one that cannot go on stops with a panic"
)]

mod child;
mod failing;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use keelstone::vfs::NativeDisk;
use keelstone::{Db, Layout, Options};

use child::{ACKNOWLEDGED, AT, DIR, LAYOUT, Outcome, STEPS, Step};

/// What the store holds.
type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// How often each thing happened.
#[derive(Debug, Default)]
struct Counts {
    told: AtomicU64,
    absorbed: AtomicU64,
    ended: AtomicU64,
}

/// One run in which allocation `at` fails; `false` if the program has fewer.
fn run(layout: Layout, at: u64, counts: &Counts) -> bool {
    let dir = tempfile::TempDir::with_prefix("keelstone-memory").unwrap();
    let store = dir.path().join("store");
    std::fs::create_dir(&store).unwrap();
    let acknowledged = dir.path().join("acknowledged");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_run_with_one_failing_allocation", "--test-threads=1"])
        .env(AT, at.to_string())
        // Why: a process that ends reads all its symbols otherwise.
        .env("RUST_BACKTRACE", "0")
        .env(LAYOUT, format!("{layout:?}"))
        .env(DIR, &store)
        .env(ACKNOWLEDGED, &acknowledged)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let acknowledged = std::fs::read(&acknowledged).unwrap_or_default();
    let outcome = child.code().and_then(Outcome::of);
    match outcome {
        Some(Outcome::NotReached) => return false,
        Some(Outcome::Told) => counts.told.fetch_add(1, Ordering::Relaxed),
        Some(Outcome::Absorbed) => counts.absorbed.fetch_add(1, Ordering::Relaxed),
        // Why the signal: a place that cannot say that memory is short ends the process.
        None if child.signal() == Some(6) => counts.ended.fetch_add(1, Ordering::Relaxed),
        other => panic!("{layout:?}, allocation {at}: {other:?} {child:?}"),
    };
    check(layout, at, &store, &acknowledged, outcome.is_none());
    true
}

/// The store holds what was acknowledged; if the process ended in a step, perhaps that too.
fn check(layout: Layout, at: u64, store: &Path, acknowledged: &[u8], ended: bool) {
    let mut options = Options::with_seed(1);
    options.layout = Some(layout);
    let db = Db::open(std::sync::Arc::new(NativeDisk::open(store).unwrap()), options)
        .unwrap_or_else(|error| panic!("{layout:?}, allocation {at}: {error}"));
    let found: State = db
        .scan()
        .unwrap()
        .map(|entry| entry.map(|entry| (entry.key, entry.value)).unwrap())
        .filter(|(key, _)| key != b"after")
        .collect();
    // A byte for each step: done, or refused for want of memory.
    let mut expected = State::new();
    let apply = |state: &mut State, step: Step| match step {
        Step::Put(key, len) => drop(state.insert(key.into(), vec![b'v'; len])),
        Step::Delete(key) => drop(state.remove(key.as_bytes())),
        _ => {}
    };
    for (step, done) in STEPS.into_iter().zip(acknowledged) {
        if *done == b'+' {
            apply(&mut expected, step);
        }
    }
    let mut next = expected.clone();
    if let Some(step) = STEPS.get(acknowledged.len()).filter(|_| ended) {
        apply(&mut next, *step);
    }
    let right = found == expected || found == next;
    assert!(right, "{layout:?}, allocation {at}: {found:?} is not {expected:?}");
    db.put("again", "1").unwrap();
    assert_eq!(db.verify().unwrap().corrupt, [], "{layout:?}, allocation {at}");
}

fn every_allocation(layout: Layout) {
    let counts = Counts::default();
    let (next, end) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= end.load(Ordering::Relaxed) {
                return;
            }
            if !run(layout, at, &counts) {
                end.fetch_min(at, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    println!("{layout:?}: {} allocations, {counts:?}", end.load(Ordering::Relaxed));
    assert!(counts.told.into_inner() > 50, "{layout:?}: hardly any call says that memory is short");
}

#[test]
fn every_allocation_of_the_hash_layout_fails_once() {
    every_allocation(Layout::Hash);
}

#[test]
fn every_allocation_of_the_ordered_layout_fails_once() {
    every_allocation(Layout::Ordered);
}

/// The child of the tests above; by itself it has nothing to do.
#[test]
fn a_run_with_one_failing_allocation() {
    if let Ok(at) = std::env::var(AT) {
        child::run(at.parse().unwrap());
    }
}
