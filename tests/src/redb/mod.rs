//! redb as a guinea pig of the crash lab: its file on the fault disk, two releases of it judged by one promise.
//!
//! Called by the tests of redb; `docs/redb.md` has what was found.
//!
//! ```text
//!   storage   a file of any `Vfs` as redb's storage      release   two releases under one face
//!   program   what it does                               system    recorded, recovered, judged
//! ```

mod program;
mod release;
mod storage;
mod system;

pub use program::Program;
pub use release::{Newest, Release, WithBug};
pub use storage::Storage;
pub use system::{Redb, Seen};

/// The name of the database's file.
const FILE: &str = "db";
