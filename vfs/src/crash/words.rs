//! What a crash left, in words: one effect a line, as in `000003.log bytes 61..130 missing`.
//!
//! Filled by the wreck while it decides, if somebody wants to know; read by the explanation of a failure.

use super::found::Fate;
use super::ranges::Ranges;
use crate::fault::Part;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::ops::Range;

/// The effects that were decided.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    wanted: bool,
    pub(super) lines: Vec<String>,
}

impl Words {
    /// With `wanted` the words are kept.
    pub(super) const fn new(wanted: bool) -> Self {
        Self { wanted, lines: Vec::new() }
    }

    /// Whether words are kept.
    pub(super) const fn wanted(&self) -> bool {
        self.wanted
    }

    fn say(&mut self, line: impl FnOnce() -> String) {
        if self.wanted {
            self.lines.push(line());
        }
    }

    pub(super) fn length(&mut self, name: &str, len: u64, old: u64) {
        self.say(|| format!("{name} is {len} bytes long, {old} were synced"));
    }

    pub(super) fn byte(&mut self, name: &str, at: u64, byte: u8) {
        self.say(|| format!("{name} byte {at} is {byte:02x}"));
    }

    pub(super) fn write(
        &mut self,
        name: &str,
        part: &Part,
        within: &Range<u64>,
        fate: Fate,
        places: &[u64],
    ) {
        let what = if part.written { "write" } else { "zeros" };
        let Range { start, end } = *within;
        self.say(|| {
            let head = format!("{name} {what} of bytes {start}..{end}");
            match fate {
                Fate::Missing => format!("{head} missing"),
                Fate::There => format!("{head} there"),
                Fate::Prefix(n) => format!("{head} there up to {}, missing from there", places[n]),
                Fate::Suffix(n) => format!("{head} missing up to {}, there from there", places[n]),
                Fate::Without(n) => format!("{head} there but for byte {}", places[n]),
                Fate::Alone(n) => format!("{head} missing but for byte {}", places[n]),
            }
        });
    }

    pub(super) fn fill(&mut self, name: &str, missing: &Ranges, garbage: bool) {
        self.say(|| {
            let what = if garbage { "garbage" } else { "stale bytes of another file" };
            let mut line = format!("{name} holds {what} in");
            for range in missing.iter() {
                // Why ignored: text always has room.
                let _infallible = write!(line, " {}..{}", range.start, range.end);
            }
            line
        });
    }

    pub(super) fn names(&mut self, line: impl FnOnce() -> String) {
        self.say(line);
    }
}
