//! The way to one state: where the machine crashed, what was left, and where it crashed again. As text it repeats
//! everything.
//!
//! `17:2.0.14` is a power cut after 17 steps with these choices, `17*:3` the same where only what step 17 added was
//! tried, `17+5k` a kill after 5 bytes of the next step, and `17:2.0.14/4:1` a second power cut, 4 steps after the first
//! recovery began.

use super::choices::Choices;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// One crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// So many steps were done.
    pub(super) op: usize,
    /// So many bytes of the next were written.
    pub(super) bytes: usize,
    /// Whether states that were possible a step earlier are left out.
    pub(super) newest: bool,
    /// What the power cut left; `None` if the process was killed.
    pub(super) choices: Option<Choices>,
}

/// The crashes one after the other, the last one being judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    pub(super) places: Vec<Place>,
}

impl Path {
    /// Each crash: after how many steps it came, of the recording or of the life after the first crash, how many bytes of
    /// the next step were written, and whether power was cut.
    pub fn crashes(&self) -> impl Iterator<Item = (usize, usize, bool)> {
        self.places.iter().map(|place| (place.op, place.bytes, place.choices.is_some()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.op)?;
        if self.bytes > 0 {
            write!(f, "+{}", self.bytes)?;
        }
        match &self.choices {
            None => f.write_str("k"),
            Some(choices) => write!(f, "{}:{choices}", if self.newest { "*" } else { "" }),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, place) in self.places.iter().enumerate() {
            let between = if n > 0 { "/" } else { "" };
            write!(f, "{between}{place}")?;
        }
        Ok(())
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (head, choices) = match text.split_once(':') {
            Some((head, choices)) => (head, Some(choices.parse()?)),
            None => (text.strip_suffix('k').ok_or(format!("`{text}` has no choices"))?, None),
        };
        let (head, newest) = head.strip_suffix('*').map_or((head, false), |head| (head, true));
        let (op, bytes) = head.split_once('+').unwrap_or((head, "0"));
        if choices.is_none() && newest || choices.is_some() && head.contains('+') {
            return Err(format!("`{text}`: `+` is of kills alone, and `*` of power cuts"));
        }
        let number = |word: &str| {
            let digits = word.bytes().all(|byte| byte.is_ascii_digit());
            word.parse().ok().filter(|_| digits).ok_or_else(|| format!("no number: `{word}`"))
        };
        Ok(Self { op: number(op)?, bytes: number(bytes)?, newest, choices })
    }
}

impl FromStr for Path {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let places = text.split('/').map(str::parse).collect::<Result<Vec<Place>, _>>()?;
        if places.len() > 2 {
            Err(String::from("at most two crashes"))
        } else {
            Ok(Self { places })
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails")]
mod tests {
    use super::Path;
    use alloc::string::ToString;

    #[test]
    fn text_is_read_back() {
        for text in ["17:2.0.14", "17*:3", "17+5k", "0:-", "17:2.0.14/4:1", "3k/4*:1.2"] {
            assert_eq!(text.parse::<Path>().unwrap().to_string(), text);
        }
        let others = ["0**:-", "1*k", "1+2:0", "1++2k", "+1:0", "1:+0", "1:0.", "1*+2k"];
        for text in ["", "17", "x:1", "1:a", "1:1/2:1/3:1", "1+k"].into_iter().chain(others) {
            assert!(text.parse::<Path>().is_err(), "{text}");
        }
    }
}
