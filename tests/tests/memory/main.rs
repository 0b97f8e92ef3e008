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
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use keelstone::vfs::NativeDisk;
use keelstone::{Db, Layout, Options};

use child::{ACKNOWLEDGED, AT, DIR, LAYOUT, Outcome, STEP, STEPS, Step};

/// What the store holds.
type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// How often each thing happened.
#[derive(Debug, Default)]
struct Counts {
    told: AtomicU64,
    absorbed: AtomicU64,
    ended: AtomicU64,
}

/// Where the stores stand: in memory, if the system keeps files there. A process that ends leaves its files to the system in any
/// file system, and no power is cut here; waiting for a real disk took nine tenths of this suite's time.
fn directory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// One run in which allocation `at` of a step fails; `false` if the step has fewer.
fn run(layout: Layout, step: usize, at: u64, counts: &Counts) -> bool {
    let dir = tempfile::TempDir::with_prefix_in("keelstone-memory", directory()).unwrap();
    let store = dir.path().join("store");
    std::fs::create_dir(&store).unwrap();
    let acknowledged = dir.path().join("acknowledged");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_run_with_one_failing_allocation", "--test-threads=1"])
        .env(STEP, step.to_string())
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
        other => panic!("{layout:?}, step {step}, allocation {at}: {other:?} {child:?}"),
    };
    let place = format!("{layout:?}, step {step}, allocation {at}");
    check(layout, &place, &store, &acknowledged, outcome.is_none());
    true
}

/// The store holds what was acknowledged; if the process ended in a step, perhaps that too.
fn check(layout: Layout, place: &str, store: &Path, acknowledged: &[u8], ended: bool) {
    let mut options = Options::with_seed(1);
    options.layout = Some(layout);
    let db = Db::open(std::sync::Arc::new(NativeDisk::open(store).unwrap()), options)
        .unwrap_or_else(|error| panic!("{place}: {error}"));
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
    assert!(right, "{place}: {:?} is not {:?}", lengths(&found), lengths(&expected));
    db.put("again", "1").unwrap();
    assert_eq!(db.verify().unwrap().corrupt, [], "{place}");
}

/// Of each key the length of its value: what a person can read.
fn lengths(state: &State) -> Vec<(String, usize)> {
    state.iter().map(|(key, value)| (String::from_utf8_lossy(key).into(), value.len())).collect()
}

fn every_allocation(layout: Layout) {
    let (counts, next, all) = (Counts::default(), AtomicUsize::new(0), AtomicU64::new(0));
    let work = || {
        loop {
            let step = next.fetch_add(1, Ordering::Relaxed);
            if step >= STEPS.len() {
                return;
            }
            let failed = (0..).find(|at| !run(layout, step, *at, &counts)).unwrap_or(u64::MAX);
            all.fetch_add(failed, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    println!("{layout:?}: {} allocations, {counts:?}", all.into_inner());
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
    if std::env::var_os(AT).is_some() {
        child::run();
    }
}
