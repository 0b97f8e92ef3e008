//! Walks over many sources at once: merged, as a user sees them, and as compaction keeps them. Pure.
//!
//! Called by scans, flush and compaction; calls the cursors of memtables and tables through the trait in `key`.

mod collapse;
mod merge;
// Why std: a failure names its seed, and the measurement reads a clock.
#[cfg(all(test, feature = "std"))]
mod tests;
mod visible;

pub(crate) use collapse::{Collapse, Older, Pull, Readers};
pub(crate) use merge::{MergeCursor, Source};
pub(crate) use visible::{View, VisibleCursor};
