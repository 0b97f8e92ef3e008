//! The crash lab: every state that a power cut can leave of a recorded run, recovered and judged.
//!
//! Called by tests and by the command line; anything that writes through a [`Vfs`] can be a [`System`]. A run is recorded
//! once, on a [`FaultDisk`]. At each of its steps the lab lets recovery run on a disk that decides what the crash left
//! only when recovery looks at it, and goes on until everything that can be seen was seen.
//!
//! ```text
//!   mod           the door: systems, crashes, exploring     explore     points, runs, second lives
//!   model         what is thought to happen                 wreck       the disk that is still open
//!   choices       one sequence decides it all               found       one file of it
//!   path          the way to a state, as text               ranges      sets of positions
//!   certificate   what was tried and found                  explain     a failure made small, in words
//!   remains       what a crash left, byte for byte          way         one path, gone again
//!   known         points of second lives that are alike     print       numbers by which things are compared
//! ```
//!
//! ```
//! use keelstone_vfs::crash::{Crash, Model, explore, system};
//! use keelstone_vfs::{Access, Error, FaultDisk, SyncMode, Vfs};
//! // One byte in a file, counted up in place: what recovery shows of it, and what it may show.
//! let recover = |disk: &dyn Vfs| {
//!     let mut byte = [0];
//!     disk.open("counter", Access::Read)?.read_at(&mut byte, 0)?;
//!     Ok::<u8, Error>(byte[0])
//! };
//! let judge = |seen: &u8, crash: &Crash<'_, u8>| {
//!     let last = crash.marks.last().map_or(0, |mark| *mark as u8);
//!     if (last..=last + 1).contains(seen) { Ok(()) } else { Err(format!("{seen} after {last}")) }
//! };
//! let disk = FaultDisk::new();
//! let file = disk.create("counter")?;
//! file.write_at(&[0], 0)?;
//! file.sync(SyncMode::All)?;
//! disk.sync_dir("")?;
//! disk.record();
//! for n in 1..4 {
//!     file.write_at(&[n], 0)?;
//!     file.sync(SyncMode::All)?;
//!     disk.mark(n.into());
//! }
//! let certificate = explore(&system(recover, judge), &disk.trace(), &Model::FULL);
//! assert!(certificate.violations.is_empty() && certificate.is_exhaustive(), "{certificate}");
//! # Ok::<(), Error>(())
//! ```
//!
//! What is wrong is made small and told in words by [`explain`]; the path of a violation, as text, is gone again by [`is_kept`].
//!
//! Promise: complete within the [`Model`], or the [`Certificate`] says what was left out; the same input gives the same
//! certificate. Never: threads, clocks, the operating system.

mod certificate;
mod choices;
mod explain;
mod explore;
mod found;
mod known;
mod model;
mod path;
mod print;
mod ranges;
mod remains;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails")]
#[expect(clippy::cast_possible_truncation, reason = "small numbers")]
mod tests;
mod way;
mod words;
mod wreck;

pub use certificate::{Certificate, Point, Violation};
pub use choices::Choices;
pub use explain::{Barrier, Explanation, explain, is_kept};
pub use explore::{explore, explore_points};
pub use model::{Model, Unit};
pub use path::Path;
pub use remains::{Remains, Scene, Survival};

use crate::{FaultDisk, Vfs};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::fmt::{Debug, Display};
use core::marker::PhantomData;

/// Something that keeps a promise across crashes.
pub trait System {
    /// What recovery shows: all that the promise is about. Equal things are judged once.
    type Seen: Clone + Ord + Debug;

    /// Opens what a crash left, reads everything that can be read, and uses it. An error is a violation. It must do the
    /// same on the same disk, and use no other thread.
    fn recover(&self, disk: Arc<dyn Vfs>, life: &Life) -> Result<Self::Seen, String>;

    /// Whether that is allowed after this crash.
    fn judge(&self, seen: &Self::Seen, crash: &Crash<'_, Self::Seen>) -> Result<(), String>;

    /// A short text of what was seen, for people.
    fn text(&self, seen: &Self::Seen) -> String {
        alloc::format!("{seen:?}")
    }
}

/// A system of two functions: what recovery shows, and whether that is allowed. An error of recovery is a violation.
pub fn system<Seen, E, R, J>(recover: R, judge: J) -> impl System<Seen = Seen>
where
    Seen: Clone + Ord + Debug,
    E: Display,
    R: Fn(&dyn Vfs) -> Result<Seen, E>,
    J: Fn(&Seen, &Crash<'_, Seen>) -> Result<(), String>,
{
    Functions { recover, judge, seen: PhantomData }
}

struct Functions<R, J, Seen> {
    recover: R,
    judge: J,
    seen: PhantomData<fn() -> Seen>,
}

impl<Seen, E, R, J> System for Functions<R, J, Seen>
where
    Seen: Clone + Ord + Debug,
    E: Display,
    R: Fn(&dyn Vfs) -> Result<Seen, E>,
    J: Fn(&Seen, &Crash<'_, Seen>) -> Result<(), String>,
{
    type Seen = Seen;

    fn recover(&self, disk: Arc<dyn Vfs>, _: &Life) -> Result<Seen, String> {
        (self.recover)(&*disk).map_err(|error| error.to_string())
    }

    fn judge(&self, seen: &Seen, crash: &Crash<'_, Seen>) -> Result<(), String> {
        (self.judge)(seen, crash)
    }
}

/// A life of a system, from one crash to the next.
#[derive(Clone, Debug)]
pub struct Life {
    /// How many crashes there were: 1 or more. What recovery shows must not depend on it: a second crash before recovery
    /// has done anything counts as the first one, and is not tried again.
    pub crashes: u8,
    disk: Option<FaultDisk>,
}

impl Life {
    /// A life after so many crashes. If there is a disk and it records, it keeps the marks.
    #[must_use]
    pub const fn new(crashes: u8, disk: Option<FaultDisk>) -> Self {
        Self { crashes, disk }
    }

    /// Notes that something was begun or acknowledged. The judge of a later crash is told.
    pub fn mark(&self, mark: u64) {
        if let Some(disk) = &self.disk {
            disk.mark(mark);
        }
    }
}

/// The crash after which a system is judged.
#[derive(Debug)]
pub struct Crash<'a, Seen> {
    /// Whether power was cut; if not, the process was killed and the disk lost nothing.
    pub power: bool,
    /// The marks of the recording before the first crash.
    pub marks: &'a [u64],
    /// If this is the second crash: what there was between the two.
    pub second: Option<Second<'a, Seen>>,
}

/// What was between the first and the second crash.
#[derive(Debug)]
pub struct Second<'a, Seen> {
    /// Whether the first crash was a power cut.
    pub first_power: bool,
    /// What the first recovery shows when it is not crashed.
    pub seen: &'a Seen,
    /// The marks of the second life before the second crash.
    pub marks: &'a [u64],
}

// Why by hand: a derived copy would ask what is seen to be one.
impl<Seen> Clone for Crash<'_, Seen> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Seen> Copy for Crash<'_, Seen> {}

impl<Seen> Clone for Second<'_, Seen> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Seen> Copy for Second<'_, Seen> {}
