//! Runs the contract on every backend here, and checks that no promise is without a test.

use crate::contract::{DURABLE, LIVE, run, run_durable};
use crate::{CountingDisk, FaultDisk, MemoryDisk, TraceDisk};
use alloc::collections::BTreeSet;
use alloc::sync::Arc;

#[test]
fn memory_keeps_the_contract() {
    run(&|| Arc::new(MemoryDisk::new()));
}

#[test]
fn fault_keeps_the_contract() {
    run(&|| Arc::new(FaultDisk::new()));
    run(&|| Arc::new(FaultDisk::recording()));
    run_durable(&FaultDisk::new);
}

#[test]
fn a_trace_replayed_keeps_the_durable_contract() {
    run_durable(&|| FaultDisk::recording().trace().disk_at(0, 0));
}

#[test]
fn wrappers_keep_the_contract() {
    run(&|| Arc::new(TraceDisk::new(MemoryDisk::new())));
    run(&|| Arc::new(CountingDisk::new(MemoryDisk::new())));
    run(&|| Arc::new(Arc::new(MemoryDisk::new())));
}

#[cfg(all(feature = "std", any(unix, windows)))]
#[test]
fn native_keeps_the_contract() {
    use crate::native::tests::TempDir;
    let dirs = crate::lock::Mutex::new(alloc::vec::Vec::new());
    run(&|| {
        let dir = TempDir::new();
        let disk = dir.disk();
        dirs.lock().push(dir);
        Arc::new(disk)
    });
}

#[test]
fn every_promise_has_a_case() {
    let live = LIVE.iter().copied().flatten().flat_map(|case| case.promises);
    let durable = DURABLE.iter().flat_map(|case| case.promises);
    let tested: BTreeSet<u8> = live.chain(durable).copied().collect();
    let number = |line: &str| line.strip_prefix("//! - **V")?.split_once("**")?.0.parse().ok();
    let promised: BTreeSet<u8> = include_str!("lib.rs").lines().filter_map(number).collect();
    assert_eq!(promised.len(), 19);
    assert_eq!(tested, promised, "a promise without a case, or a case without a promise");
}
