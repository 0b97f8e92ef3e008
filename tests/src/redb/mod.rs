//! redb as a guinea pig: its files on the fault disk, its crashes explored, two releases of it judged by one oracle.
//!
//! Called by the tests of redb; `docs/redb.md` has what was found.
//!
//! ```text
//!   storage   a file of any `Vfs` as redb's storage      release   two releases under one face
//!   program   what it does                               pending   what a power cut leaves of it
//!   explore   every step cut, opened, judged, cut again
//! ```

mod explore;
mod pending;
mod program;
mod release;
mod storage;

pub use explore::{Budget, Counts, Crash, Failure, Report, explore, record};
pub use program::Program;
pub use release::{Newest, Release, WithBug};
pub use storage::Storage;

/// The name of the database's file.
const FILE: &str = "db";
