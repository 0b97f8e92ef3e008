//! What the tests of Keelstone share: a model, operations, mirrors, golden scripts, crash and fault loops.
//!
//! Used by the test binaries in `tests/`; uses the engine and the disk through their public faces only.
//! Promise: everything random follows from a seed, and every failure prints the command that repeats it.
#![allow(
    clippy::unwrap_used,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "tests have std, and one that cannot go on stops with a panic"
)]

pub mod component;
pub mod cores;
pub mod crash;
pub mod damage;
pub mod differential;
pub mod disk;
pub mod fingerprint;
pub mod fuzzing;
pub mod long;
pub mod merge_tales;
pub mod mirror;
pub mod model;
pub mod models;
pub mod op;
pub mod redb;
pub mod rng;
pub mod rules;
pub mod schedule;
pub mod script;
pub mod shape;
pub mod shrink;
pub mod story;
pub mod tale;
pub mod tally;
pub mod text;

/// A number of the engine as an index.
///
/// # Panics
/// If it has more bits than an index.
#[must_use]
pub fn index(number: u64) -> usize {
    usize::try_from(number).expect("tests are small")
}
