//! What a run of the crash lab tried and found: the same for the same input, whoever ran it.

use super::path::Path;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What happened at one crash point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// So many steps were done.
    pub op: usize,
    /// Recoveries that ran for power cuts and kills here.
    pub runs: u64,
    /// Those of them that ran for kills.
    pub kills: u64,
    /// Recoveries that ran for second crashes.
    pub second: u64,
    /// Different things that recovery showed after a power cut.
    pub outcomes: usize,
    /// The first of them as text, as many as the model says.
    pub shown: Vec<String>,
    /// Whether a violation was found here.
    pub violated: bool,
}

/// A state after which the system did not keep its promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The way to it.
    pub path: Path,
    /// What is wrong.
    pub message: String,
}

/// What was tried, and what was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Certificate {
    /// Crash points, in order.
    pub points: Vec<Point>,
    /// Power cuts whose recovery ran.
    pub power_cuts: u64,
    /// Kills whose recovery ran.
    pub kills: u64,
    /// Second crashes, in recovery and in the first use, whose recovery ran.
    pub second: u64,
    /// Recoveries that were crashed again: those that did something different or showed something different.
    pub lives: u64,
    /// Different things that recovery showed, added up over recordings.
    pub outcomes: u64,
    /// States if nothing were left to be decided when it is looked at: a power of ten, the greatest of all points.
    pub states_log10: f64,
    /// What was not tried, in words, and at how many crash points; empty if everything within the model was tried.
    pub bounded: BTreeMap<String, u64>,
    /// What is wrong, in the order of the points; at most one for each.
    pub violations: Vec<Violation>,
}

impl Certificate {
    /// All recoveries.
    #[must_use]
    pub const fn runs(&self) -> u64 {
        self.power_cuts + self.kills + self.second
    }

    /// Whether everything within the model was tried.
    #[must_use]
    pub fn is_exhaustive(&self) -> bool {
        self.bounded.is_empty()
    }

    /// Adds what was tried elsewhere; its points come behind.
    pub fn add(&mut self, other: Self) {
        self.points.extend(other.points);
        self.power_cuts += other.power_cuts;
        self.kills += other.kills;
        self.second += other.second;
        self.lives += other.lives;
        self.outcomes += other.outcomes;
        self.states_log10 = self.states_log10.max(other.states_log10);
        self.add_bounds(other.bounded, "");
        self.violations.extend(other.violations);
    }

    /// Adds what was not tried elsewhere, with words in front that say where.
    pub(super) fn add_bounds(&mut self, bounded: BTreeMap<String, u64>, front: &str) {
        for (what, points) in bounded {
            *self.bounded.entry([front, &what].concat()).or_default() += points;
        }
    }

    /// What was not tried, a line each.
    pub fn bounds(&self) -> impl Iterator<Item = String> {
        self.bounded.iter().map(|(what, points)| format!("{what}: {points} points"))
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = if self.is_exhaustive() { "exhaustive" } else { "k-bounded" };
        let exponent = self.states_log10;
        write!(f, "class={class} points={} runs={} ", self.points.len(), self.runs())?;
        write!(f, "power_cuts={} kills={} second={} ", self.power_cuts, self.kills, self.second)?;
        write!(f, "lives={} outcomes={} ", self.lives, self.outcomes)?;
        write!(f, "states_at_once=10^{exponent:.1} violations={}", self.violations.len())?;
        self.bounds().try_for_each(|what| write!(f, "\nbounded {what}"))
    }
}
