//! A schedule as text, and the one string that repeats everything: the schedule, then the way to the crash.
//!
//! Called by those who run schedules and by the command line. `0.2.1f3s/34*:1.0.0` takes the first, the third and the
//! second way where there is a choice, lets operation 3 of the disk (the first is 0) since the last of these choices fail
//! for lack of space, and crashes as the path says. Without a schedule the string is a path.

use std::fmt;
use std::str::FromStr;

use keelstone::vfs::crash::Path;

/// How much of an operation that fails takes effect all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing.
    #[default]
    None,
    /// The first bytes of a write.
    Part,
    /// All of it, and yet there is an error.
    Whole,
    /// Of a sync: what was to be synced stays in the cache and never reaches the medium.
    Dropped,
}

/// An operation of the disk that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failing {
    /// Which one, counted from 0 since the choice.
    pub op: u64,
    /// Whether the disk says that it is full; if not, that the operation failed.
    pub no_space: bool,
    /// What takes effect.
    pub effect: Effect,
    /// Whether every later operation fails as well.
    pub forever: bool,
}

/// One choice: which way, and what fails from there on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Choice {
    /// The way.
    pub way: usize,
    /// What fails.
    pub failing: Option<Failing>,
}

/// All choices of a run. Behind the last one the first way is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Schedule {
    /// The choices.
    pub choices: Vec<Choice>,
}

impl Schedule {
    /// The choice at a place.
    #[must_use]
    pub fn choice(&self, at: usize) -> Choice {
        self.choices.get(at).copied().unwrap_or_default()
    }

    /// Whether this schedule, and behind its end the first ways, is the other.
    #[must_use]
    pub fn leads_to(&self, other: &Self) -> bool {
        let len = self.choices.len().max(other.choices.len());
        self.choices.len() <= other.choices.len()
            && (0..len).all(|at| self.choice(at) == other.choice(at))
    }
}

/// All that is needed to see something again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// The schedule; `None` for a program of one writer without jobs beside it.
    pub schedule: Option<Schedule>,
    /// The crashes.
    pub path: Path,
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = match self.effect {
            Effect::None => "",
            Effect::Part => "p",
            Effect::Whole => "w",
            Effect::Dropped => "d",
        };
        let (space, forever) =
            (if self.no_space { "s" } else { "" }, if self.forever { "+" } else { "" });
        write!(f, "f{}{space}{effect}{forever}", self.op)
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.way)?;
        self.failing.iter().try_for_each(|failing| write!(f, "{failing}"))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let choices: Vec<String> = self.choices.iter().map(Choice::to_string).collect();
        if choices.is_empty() { f.write_str("-") } else { f.write_str(&choices.join(".")) }
    }
}

impl fmt::Display for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.schedule.iter().try_for_each(|schedule| write!(f, "{schedule}/"))?;
        write!(f, "{}", self.path)
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("no number: `{text}`"))
}

impl FromStr for Failing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (op, how) = text.split_at(end);
        let (how, forever) = how.strip_suffix('+').map_or((how, false), |how| (how, true));
        let (how, no_space) = how.strip_prefix('s').map_or((how, false), |how| (how, true));
        let effect = match how {
            "" => Effect::None,
            "p" => Effect::Part,
            "w" => Effect::Whole,
            "d" => Effect::Dropped,
            _ => return Err(format!("no way to fail: `{how}`")),
        };
        Ok(Self { op: number(op)?, no_space, effect, forever })
    }
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (way, failing) = match text.split_once('f') {
            Some((way, failing)) => (way, Some(failing.parse()?)),
            None => (text, None),
        };
        Ok(Self { way: number(way)?, failing })
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::default());
        }
        let choices = text.split('.').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { choices })
    }
}

impl FromStr for Repeat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Why: every part of a path has choices behind a colon, or ends with the sign of a kill.
        let is_schedule = |head: &&str| !head.contains(':') && !head.ends_with('k');
        let parts = text.split_once('/').filter(|(head, _)| is_schedule(head));
        let (schedule, path) = match parts {
            Some((schedule, path)) => (Some(schedule.parse()?), path),
            None => (None, text),
        };
        Ok(Self { schedule, path: path.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::{Repeat, Schedule};

    #[test]
    fn text_is_read_back() {
        for text in ["-", "0", "0.2.1", "0.2.1f3", "1f0s.0f12sp+.3", "0f1d", "2f3w+"] {
            assert_eq!(text.parse::<Schedule>().map(|s| s.to_string()), Ok(text.to_owned()));
            for path in ["34*:1.0.0", "3k/4*:1.2", "17:2.0.14/4:1"] {
                let both = format!("{text}/{path}");
                let repeat = both.parse::<Repeat>();
                assert_eq!(repeat.map(|r| (r.schedule.is_some(), r.to_string())), Ok((true, both)));
                let alone = path.parse::<Repeat>();
                assert_eq!(alone.map(|r| r.to_string()), Ok(path.to_owned()));
            }
        }
        for text in ["", "0.", "x", "0f", "0fs", "0f1x", "0f1ps", "0f1+p", "-1"] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
            assert!(format!("{text}/3:0").parse::<Repeat>().is_err(), "{text}");
        }
    }

    #[test]
    fn first_ways_may_be_left_out_at_the_end() {
        let leads = |one: &str, other: &str| {
            let schedule = |text: &str| text.parse::<Schedule>().unwrap_or_default();
            schedule(one).leads_to(&schedule(other))
        };
        assert!(leads("-", "0.0") && leads("0.1", "0.1.0") && leads("1f2", "1f2"));
        assert!(!leads("0.1", "0.0") && !leads("0.1.0", "0.1") && !leads("1f2", "1"));
    }
}
