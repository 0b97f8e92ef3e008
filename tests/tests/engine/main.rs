//! The engine as a user sees it: golden scripts, seeded runs beside the model, merges, snapshots, health.
//!
//! Nothing is killed and no power is cut here; that is `crash`. Every test that can runs with ordinary hashes and with
//! all keys in one place of the index.
#![allow(
    clippy::unwrap_used,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::print_stdout,
    reason = "tests have std, and one that cannot go on stops with a panic"
)]

mod bounds;
mod bulk;
mod differential;
mod events;
mod fixtures;
mod golden;
mod jobs;
mod levels;
mod merges;
mod order;
mod rules;
mod schedules;
mod threads;
