//! What a child tells its parent: one line a number, on standard output.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use std::io::{self, Write};

/// One line of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// How long some operations took.
    Time(Time),
    /// Something that was counted.
    Count {
        /// What.
        name: String,
        /// How many.
        value: u64,
    },
    /// The child waits to be killed.
    Ready,
}

/// How long some operations took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// The workload.
    pub name: String,
    /// Operations.
    pub ops: u64,
    /// All of them together.
    pub took: Duration,
    /// The sum of what they gave.
    pub checksum: u64,
    /// Whether time allowed all that were planned.
    pub whole: bool,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(Time { name, ops, took, checksum, whole }) => {
                write!(f, "time {name} {ops} {} {checksum} {whole}", took.as_nanos())
            }
            Self::Count { name, value } => write!(f, "count {name} {value}"),
            Self::Ready => f.write_str("ready"),
        }
    }
}

impl FromStr for Line {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let bad = || format!("not a line of a report: {line}");
        let number = |word: &str| word.parse::<u64>().map_err(|_| bad());
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["time", name, ops, nanos, checksum, whole] => Ok(Self::Time(Time {
                name: name.to_owned(),
                ops: number(ops)?,
                took: Duration::from_nanos(number(nanos)?),
                checksum: number(checksum)?,
                whole: whole.parse().map_err(|_| bad())?,
            })),
            ["count", name, value] => {
                Ok(Self::Count { name: name.to_owned(), value: number(value)? })
            }
            ["ready"] => Ok(Self::Ready),
            _ => Err(bad()),
        }
    }
}

/// Prints a line.
///
/// # Panics
/// When standard output is gone: nobody would see what is measured.
pub fn say(line: impl fmt::Display) {
    writeln!(io::stdout().lock(), "{line}").expect("standard output takes a line");
}

/// Prints a line beside the results.
pub fn note(line: impl fmt::Display) {
    // Why: a run goes on where nobody listens to its progress.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Reports something that was counted.
pub fn count(name: impl Into<String>, value: u64) {
    say(Line::Count { name: name.into(), value });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_were_written() {
        let time = Time {
            name: "fillseq".to_owned(),
            ops: 3,
            took: Duration::from_nanos(17),
            checksum: u64::MAX,
            whole: false,
        };
        let count = Line::Count { name: "disk".to_owned(), value: 9 };
        for line in [Line::Time(time), count, Line::Ready] {
            assert_eq!(line.to_string().parse(), Ok(line));
        }
        assert!("time fillseq".parse::<Line>().is_err());
    }
}
