//! The crash lab for Keelstone itself: short programs, every crash of each, and the promise as the judge.
//!
//! Called by `keel crash` and by tests; calls the engine over the disks of `keelstone::vfs::crash`, which explores.
//!
//! ```text
//!   program   words over two keys         store   a store as a system of the lab
//!   promise   what it may show after a crash
//!   schedule/ several writers, jobs and failing operations in a chosen order
//!   lab       many programs, all cores         counts  the certificate of all of them, line by line
//!   report/   a run as one HTML page         images  a counterexample as directories
//!   told      an explanation in lines
//! ```

pub mod counts;
mod images;
pub mod lab;
pub mod program;
mod promise;
pub mod report;
pub mod schedule;
pub mod store;
pub mod told;

pub use counts::Counts;
pub use images::write_images;
pub use lab::{Explored, Recording, Settings, run};
pub use program::{Program, Word, Writers};
pub use promise::{Seen, mark_name};
pub use store::{Adjust, Store};
