//! Who makes the choices of a run: a schedule that is known, or dice from a seed.
//!
//! Called by the stage for each choice. Promise: the same schedule or seed makes the same choices.

use keelstone::vfs::fault::Dice;

use super::text::{Choice, Failing, Schedule};

/// Who makes the choices.
#[derive(Clone, Debug)]
pub(super) enum Guide {
    /// A schedule; where it does not fit, the last way there is.
    Listed(Schedule),
    /// Dice; nothing fails.
    Rolled(Dice),
}

impl Guide {
    /// Dice that follow from a seed.
    pub(super) const fn seeded(seed: u64) -> Self {
        Self::Rolled(Dice::new(seed))
    }

    /// Choice number `at`, among so many ways.
    pub(super) fn choice(&mut self, at: usize, of: usize) -> Choice {
        match self {
            Self::Rolled(dice) => Choice { way: dice.below(of), failing: None },
            Self::Listed(schedule) => {
                let Choice { way, failing } = schedule.choice(at);
                Choice { way: way.min(of.saturating_sub(1)), failing }
            }
        }
    }
}

/// A schedule in which one operation more fails.
pub(super) fn with_failing(schedule: &Schedule, at: usize, failing: Failing) -> Schedule {
    let mut schedule = schedule.clone();
    if let Some(choice) = schedule.choices.get_mut(at) {
        choice.failing = Some(failing);
    }
    schedule
}
