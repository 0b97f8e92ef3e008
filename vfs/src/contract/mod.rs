//! The contract suite: what every backend is tested for, promise by promise.
//!
//! Called by the tests of every backend, here and elsewhere:
//!
//! ```
//! use keelstone_vfs::{MemoryDisk, contract};
//! contract::run(&|| std::sync::Arc::new(MemoryDisk::new()));
//! ```
//!
//! [`LIVE`] needs a disk and nothing else. [`DURABLE`] needs to see what a power cut leaves, which
//! only a [`FaultDisk`] can show; the native backend's own tests check instead that each sync asks
//! the system for what it promises, and passes on what the system refuses.
//! Promise: a case panics if the backend breaks its promise. Never: leaves anything but files on
//! the disk that it was given.

mod bytes;
mod durability;
mod names;

use crate::{Error, FaultDisk, File, Kind, Op, Result, Vfs};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

/// Makes a new, empty disk.
pub type MakeDisk<'a> = &'a dyn Fn() -> Arc<dyn Vfs>;

/// One test of the contract, for disks of the kind `D`.
#[derive(Clone, Copy, Debug)]
pub struct Case<D> {
    /// What is true of a backend that passes.
    pub name: &'static str,
    /// The numbers of the promises that it tests.
    pub promises: &'static [u8],
    /// Runs the test on a new, empty disk.
    pub run: fn(D),
}

/// The tests that every backend runs.
pub const LIVE: &[&[Case<Arc<dyn Vfs>>]] = &[names::CASES, bytes::CASES];

/// The tests of what a power cut leaves.
pub const DURABLE: &[Case<FaultDisk>] = durability::CASES;

/// Runs every test of [`LIVE`], each on a disk of its own.
pub fn run(make: MakeDisk<'_>) {
    for case in LIVE.iter().copied().flatten() {
        (case.run)(make());
    }
}

/// Runs every test of [`DURABLE`], each on a disk of its own.
pub fn run_durable(make: &dyn Fn() -> FaultDisk) {
    for case in DURABLE {
        (case.run)(make());
    }
}

/// Asserts that something failed in this way.
#[track_caller]
fn fails<T>(result: Result<T>, op: Op, kind: Kind) {
    match result {
        Ok(_) => panic!("{} should fail with {kind:?}", op.name()),
        Err(error) => assert_eq!(Error { os: 0, ..error }, Error::new(op, kind)),
    }
}

/// A new file with these bytes.
#[track_caller]
fn file_with(disk: &dyn Vfs, name: &str, bytes: &[u8]) -> Box<dyn File> {
    let file = disk.create(name).expect("a new file");
    file.write_at(bytes, 0).expect("a write");
    file
}

/// All bytes of a file.
#[track_caller]
fn all_of(file: &dyn File) -> Vec<u8> {
    let len = file.len().expect("a length");
    // One more, to see that the file ends where it says.
    let mut buf = vec![0; usize::try_from(len).expect("a short file") + 1];
    let n = file.read_at(&mut buf, 0).expect("a read");
    buf.truncate(n);
    assert_eq!(n as u64, len);
    buf
}
