//! The crash lab on Keelstone itself: all short programs, mistakes that are switched on, syncs that are taken away.
//!
//! `keel crash` does the same from outside, and longer. Everything here gives the same result on every machine.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that fails, and says what it tried"
)]
#![expect(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "tests have the standard library"
)]

mod bugs;
mod mistakes;
mod models;
mod programs;
mod purpose;
mod report;
mod schedules;
mod syncs;

use std::sync::Arc;

use keelstone::vfs::crash::Model;
use keelstone::{Layout, Options};
use keelstone_host::crash::{Program, Settings};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Both layouts, the engine as it is.
fn settings(words: usize, model: Model) -> Settings {
    let layouts = vec![Layout::Hash, Layout::Ordered];
    Settings { layouts, words, program: None, model, adjust: Arc::new(|_| {}), recordings_max: 0 }
}

/// One program of one layout, from its beginning on, with changed options.
fn only(
    layout: Layout,
    program: &str,
    model: Model,
    adjust: impl Fn(&mut Options) + Send + Sync + 'static,
) -> Settings {
    let program: Program = program.parse().unwrap();
    let adjust = Arc::new(adjust);
    let (layouts, program) = (vec![layout], Some(program));
    Settings { layouts, words: 0, program, model, adjust, recordings_max: 0 }
}
