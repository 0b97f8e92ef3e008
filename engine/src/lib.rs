//! Keelstone: an embeddable key-value store that loses nothing it acknowledged as durable, or says exactly what was lost.
//!
//! Open a [`Db`] on a [`vfs::Vfs`] and use it; `docs/architecture.md` has the map of the house. The core needs neither
//! threads nor a clock nor std: time is [`Options::clock`], background work is [`Db::work`] or [`Db::take_job`].
#![cfg_attr(not(feature = "std"), no_std)]
extern crate alloc;

mod batch;
mod clock;
mod codec;
mod db;
mod dump;
mod error;
mod event;
mod hash;
mod journal;
#[cfg(feature = "lab")]
pub mod lab;
#[cfg(not(feature = "lab"))]
mod lab;
pub mod limits;
mod log;
mod manifest;
mod options;
mod order;
mod ordered;
#[cfg(feature = "lab")]
pub mod probe;
mod record;
mod stats;
#[cfg(feature = "std")]
mod threads;

pub use batch::{Batch, Write, WriteRef};

#[cfg(feature = "std")]
pub use clock::SystemClock;
pub use clock::{Clock, ManualClock};
pub use db::{
    Bounds, BulkLoad, Db, Entry, Health, Job, LogReader, Scan, Snapshot, Value, Walk, lock, repair,
    verify, verify_with,
};
pub use dump::{Dump, dump};
pub use error::{Corruption, Damage, Error, FileName, Invalid, Result};
pub use event::{Event, Observer};
pub use journal::{Hurt, LogEntry, Loss, RepairReport, Torn, VerifyReport};
pub use keelstone_vfs as vfs;
pub use options::{Durability, Layout, OpenMode, Options, SyncEvery};
pub use order::Comparator;
pub use stats::{LevelStats, OrderedStats, Stats};
#[cfg(feature = "std")]
pub use threads::Workers;
