//! What the benchmarks share: keys and values, stores in scratch directories, floors, pairs.
//!
//! Called by the programs in `benches/benches`; calls the engine's front door and the bare system.
//! `docs/benchmarks.md` has the commands and what was measured. A floor does what an operation
//! cannot do without, through the standard library alone; a figure is a ratio to it.
//! Promise: every run prints its parameters and a checksum of its work, and the same parameters
//! give the same checksum. Never: called by the product.
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "benchmarks have std")]

pub mod floor;
pub mod keys;
pub mod pairs;
pub mod reads;
pub mod size;
pub mod store;

/// Prints a line.
///
/// # Panics
/// When standard output is gone: nobody would see what is measured.
pub fn say(line: impl core::fmt::Display) {
    use std::io::Write;
    writeln!(std::io::stdout().lock(), "{line}").expect("standard output takes a line");
}
