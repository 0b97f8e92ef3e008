//! What came of one run: its recording, its choices and its story.
//!
//! Made by the stage, read by those who explore and repeat.

use keelstone::vfs::{Op, Trace};

use super::tally::Tally;
use super::text::{Choice, Schedule};
use crate::crash::store::Store;

/// One choice that was made.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) choice: Choice,
    /// Among so many ways.
    pub(super) of: usize,
    /// After so many steps of the recording.
    pub(super) at: usize,
    /// The operations of the disk from here to the next choice.
    pub(super) ops: Vec<Op>,
}

/// What a run was.
pub(super) struct Ran {
    /// What recovers and judges it.
    pub(super) store: Store,
    pub(super) trace: Trace,
    pub(super) chosen: Vec<Chosen>,
    /// The run in words.
    pub(super) story: Vec<String>,
    pub(super) tally: Tally,
    /// What was wrong without any crash.
    pub(super) wrong: Option<String>,
}

impl Ran {
    /// The choices that were made.
    pub(super) fn schedule(&self) -> Schedule {
        Schedule { choices: self.chosen.iter().map(|chosen| chosen.choice).collect() }
    }

    /// The steps of the recording before a choice; all, if there are fewer choices.
    pub(super) fn steps_before(&self, choice: usize) -> usize {
        self.chosen.get(choice).map_or(self.trace.len(), |chosen| chosen.at)
    }
}
