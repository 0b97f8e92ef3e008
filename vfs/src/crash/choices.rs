//! One sequence of choices: it decides everything that a crash leaves open, and counts through all of it.
//!
//! Called by the wreck for each decision and by the explorer from run to run. Source of the idea: exhaustive generators
//! that remember each value with its bound and count up from the end, as in TigerBeetle's `exhaustigen`.
//!
//! Promise: the same sequence decides the same things; counted through, each sequence comes once.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// One decision: which of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pick {
    value: u32,
    bound: u32,
}

/// A sequence of decisions. As text: the numbers with dots between them, `-` if there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    picks: Vec<Pick>,
    at: usize,
    /// Something else was asked than these decide.
    misfit: bool,
}

impl Choices {
    /// The first sequence: every decision takes its first way.
    #[must_use]
    pub const fn new() -> Self {
        Self { picks: Vec::new(), at: 0, misfit: false }
    }

    /// Decides between `bound` ways; with fewer than two there is nothing to decide, and nothing is noted.
    pub(super) fn pick(&mut self, bound: usize) -> usize {
        let bound = u32::try_from(bound).unwrap_or(u32::MAX);
        if bound < 2 {
            return 0;
        }
        match self.picks.get_mut(self.at) {
            Some(pick) => {
                self.misfit |= pick.value >= bound;
                *pick = Pick { value: pick.value.min(bound - 1), bound };
            }
            None => {
                self.misfit = true;
                self.picks.push(Pick { value: 0, bound });
            }
        }
        self.at += 1;
        self.picks[self.at - 1].value as usize
    }

    /// Goes to the next sequence; false if there is none.
    pub(super) fn advance(&mut self) -> bool {
        // Why: what the last run did not come to is no part of its sequence.
        self.picks.truncate(self.at);
        self.at = 0;
        while let Some(last) = self.picks.last_mut() {
            if last.value + 1 < last.bound {
                last.value += 1;
                return true;
            }
            self.picks.pop();
        }
        false
    }

    /// The decisions so far, to be taken again.
    pub(super) fn again(&self) -> Self {
        Self { picks: self.picks[..self.at].to_vec(), at: 0, misfit: false }
    }

    /// Whether all of them were asked for, and nothing else.
    pub(super) const fn fit(&self) -> bool {
        !self.misfit && self.at == self.picks.len()
    }

    /// How many decisions there were.
    pub(super) const fn len(&self) -> usize {
        self.picks.len()
    }

    /// Decision `at`.
    pub(super) fn value(&self, at: usize) -> u32 {
        self.picks.get(at).map_or(0, |pick| pick.value)
    }

    /// The same, but decision `at` goes another way.
    pub(super) fn with(&self, at: usize, value: u32) -> Self {
        let mut choices = self.again();
        choices.picks = self.picks.clone();
        if let Some(pick) = choices.picks.get_mut(at) {
            pick.value = value;
        }
        choices
    }
}

impl fmt::Display for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, pick) in self.picks.iter().enumerate() {
            let dot = if n > 0 { "." } else { "" };
            write!(f, "{dot}{}", pick.value)?;
        }
        if self.picks.is_empty() { f.write_str("-") } else { Ok(()) }
    }
}

impl FromStr for Choices {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::new());
        }
        let pick = |word: &str| {
            let digits = word.bytes().all(|byte| byte.is_ascii_digit());
            let value = word.parse().ok().filter(|_| digits);
            let value = value.ok_or_else(|| alloc::format!("no number: `{word}`"))?;
            Ok(Pick { value, bound: u32::MAX })
        };
        let picks = text.split('.').map(pick).collect::<Result<_, String>>()?;
        Ok(Self { picks, at: 0, misfit: false })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails")]
mod tests {
    use super::Choices;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    // A tree: of the three ways at the top only the second has a second decision, of two ways.
    #[test]
    fn every_sequence_comes_once() {
        let mut choices = Choices::new();
        let mut met = Vec::new();
        loop {
            let top = choices.pick(3);
            let below = if top == 1 { choices.pick(2) } else { choices.pick(1) };
            met.push((top, below));
            if !choices.advance() {
                break;
            }
        }
        assert_eq!(met, [(0, 0), (1, 0), (1, 1), (2, 0)]);
    }

    #[test]
    fn text_is_read_back() {
        let mut choices: Choices = "1.0.2".parse().unwrap();
        assert_eq!((choices.pick(2), choices.pick(5), choices.pick(3)), (1, 0, 2));
        assert_eq!(choices.to_string(), "1.0.2");
        assert_eq!(Choices::new().to_string(), "-");
        assert_eq!("-".parse(), Ok(Choices::new()));
        assert!("1.x".parse::<Choices>().is_err());
    }

    #[test]
    fn a_sequence_that_does_not_fit_takes_the_last_way() {
        let mut choices: Choices = "7".parse().unwrap();
        assert_eq!(choices.pick(3), 2);
        assert!(!choices.fit());
        for (text, bounds, fit) in [
            ("2.1", &[3, 2][..], true),
            ("2.1", &[3], false),
            ("2", &[3, 2], false),
            ("-", &[1], true),
        ] {
            let mut choices: Choices = text.parse().unwrap();
            for bound in bounds {
                choices.pick(*bound);
            }
            assert_eq!(choices.fit(), fit, "{text} {bounds:?}");
        }
    }
}
