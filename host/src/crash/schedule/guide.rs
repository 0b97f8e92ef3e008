//! Who makes the choices of a run: a schedule that is known, or dice from a seed.
//!
//! Called by the stage for each choice. Promise: the same schedule or seed makes the same choices.

use super::text::{Choice, Failing, Schedule};

/// A stream of numbers that follows from its seed (splitmix64).
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 if there is none.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let number = self.bits().checked_rem(end as u64).unwrap_or(0);
        usize::try_from(number).unwrap_or(0)
    }
}

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
