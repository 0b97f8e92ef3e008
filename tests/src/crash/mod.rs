//! Crash and fault loops: a run is driven on the fault disk, every crash is tried, and an oracle judges what is left.
//!
//! ```text
//!   run       the operations that every loop goes through
//!   driver    does them to a store on a fault disk and notes what was acknowledged
//!   history   which states a crash may leave
//!   oracle    opens what is left, compares, uses the store, crashes it again
//!   cuts      the power cuts at one point
//!   explore   every point of a recorded run, every power cut at it
//!   faults    every operation of the run fails, every sync fails in every way
//!   recovery  the same of a recovery from a power cut
//! ```
//!
//! Promise: the same run and seeds give the same states, whatever the number of threads.

mod cuts;
mod driver;
mod explore;
mod faults;
mod history;
mod oracle;
mod recovery;
mod run;

pub use driver::{Driver, Recording};
pub use explore::{Budget, Counts, explore};
pub use faults::{FaultCounts, fail_every_operation, fail_every_sync};
pub use history::{Crash, History, Window};
pub use oracle::{Case, Depth, Oracle};
pub use run::{
    CRASH_SHAPE, LOAD_SHAPE, ORDERED_CRASH_SHAPE, load_run, seeded_ordered_run, seeded_run,
    the_ordered_run, the_run,
};
