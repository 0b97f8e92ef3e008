//! What each fuzz target does with its bytes; the targets in `fuzz/` and the replay of their
//! corpora call it.
//!
//! Calls the engine's doors for fuzzing, its public face and the command line's escapes.
//! Promise: whatever the bytes, a target returns, or it panics because a promise of the product is
//! broken.
//! Never: reads a clock, a file or a random number.

mod bytes;
mod corpus;
mod crash_image;
mod escapes;
mod files;
mod iterators;
mod operations;
mod tables;

pub use bytes::Bytes;
pub use corpus::{Target, seeds};
pub use crash_image::crash_image;
pub use escapes::escapes;
pub use files::{hint, log, manifest, record};
pub use iterators::iterators;
pub use operations::operations;
pub use tables::{block, table};

/// Every target under its name.
pub const TARGETS: [(&str, Target); 10] = [
    ("record", record),
    ("log", log),
    ("hint", hint),
    ("manifest", manifest),
    ("escapes", escapes),
    ("operations", operations),
    ("crash_image", crash_image),
    ("block", block),
    ("table", table),
    ("iterators", iterators),
];
