//! Schedules: several writers and background jobs in an order that is chosen, with operations of the disk that fail, and
//! then every crash of that run.
//!
//! Called by `keel crash` and by tests; calls the store through the disk of `keelstone::vfs::crash`. One string has the
//! choices of the run and those of the crash. Promise: it repeats everything, whatever the machine.
//!
//! ```text
//!   text    a schedule as text, the one string       guide    who makes the choices
//!   stage   one run on one thread                    disk     what it runs on
//!   ran     what came of it                          tally    what happened in many
//!   explore many runs, all crashes, a small failure
//! ```

mod disk;
mod explore;
mod guide;
mod ran;
mod stage;
mod tally;
mod text;

pub use explore::{Broken, Scheduled, Schedules, repeat, run};
pub use tally::Tally;
pub use text::{Choice, Effect, Failing, Repeat, Schedule};
