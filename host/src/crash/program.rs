//! The programs that the crash lab runs: short lists of words over two keys, and what each of them does to a store.
//!
//! Called by the lab and the command line. Promise: a program as text is read back; the words of a layout, in order, give
//! every program of a length once.

use std::fmt;
use std::str::FromStr;

use keelstone::{Batch, Layout};

/// The two keys.
pub const KEYS: [&str; 2] = ["a", "b"];

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Puts key `0` or `1`, buffered.
    Put(usize),
    /// The same, durable.
    Durable(usize),
    /// Puts a value that fills a memtable.
    Big(usize),
    /// Puts a value that is longer than a log; not in the alphabet.
    Fill(usize),
    /// Deletes a key, buffered.
    Delete(usize),
    /// Puts the first key and deletes the second, buffered, in one batch.
    Batch,
    /// Deletes both keys as a range, buffered; ordered layout only.
    Range,
    /// Loads both keys in bulk; ordered layout only, and not in the alphabet.
    Load,
    /// Makes everything durable.
    Sync,
    /// One bounded step of due work.
    Work,
    /// Does all the work there is.
    Compact,
    /// Closes the store and opens it.
    Reopen,
    /// Drops the store as a killed process does, and opens it.
    Kill,
}

impl Word {
    /// The alphabet of a layout.
    #[must_use]
    pub fn alphabet(layout: Layout) -> Vec<Self> {
        let mut words = vec![
            Self::Put(0),
            Self::Put(1),
            Self::Durable(0),
            Self::Durable(1),
            Self::Big(0),
            Self::Delete(0),
            Self::Delete(1),
            Self::Batch,
        ];
        words.push(Self::Range);
        words.extend([Self::Sync, Self::Work, Self::Compact, Self::Reopen, Self::Kill]);
        words.retain(|word| word.is_of(layout));
        words
    }

    /// Every word that a program may have, in some layout.
    fn all() -> impl Iterator<Item = Self> {
        let more = [Self::Big(1), Self::Fill(0), Self::Fill(1), Self::Load];
        Self::alphabet(Layout::Ordered).into_iter().chain(more)
    }

    /// Whether a layout has it.
    #[must_use]
    pub fn is_of(self, layout: Layout) -> bool {
        layout == Layout::Ordered || !matches!(self, Self::Range | Self::Load)
    }

    /// What it writes as the `n`-th operation, and whether that is durable.
    #[must_use]
    pub fn batch(self, n: usize) -> Option<(Batch, bool)> {
        let value = format!("{}", n + 1);
        let mut batch = Batch::new();
        match self {
            Self::Put(key) | Self::Durable(key) => batch.put(KEYS[key], value),
            Self::Big(key) => batch.put(KEYS[key], value.repeat(BIG_BYTES)),
            Self::Fill(key) => batch.put(KEYS[key], value.repeat(FILL_BYTES)),
            Self::Delete(key) => batch.delete(KEYS[key]),
            Self::Batch => batch.put(KEYS[0], value).delete(KEYS[1]),
            Self::Range => batch.delete_range(KEYS[0], "c"),
            _ => return None,
        };
        Some((batch, matches!(self, Self::Durable(_))))
    }

    /// The keys and values that it loads in bulk as the `n`-th operation.
    #[must_use]
    pub fn load(self, n: usize) -> Option<[(&'static str, String); 2]> {
        (self == Self::Load).then(|| KEYS.map(|key| (key, format!("{}", n + 1))))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Put(_) => "put",
            Self::Durable(_) => "durable",
            Self::Big(_) => "big",
            Self::Fill(_) => "fill",
            Self::Load => "load",
            Self::Delete(_) => "delete",
            Self::Batch => "batch",
            Self::Range => "range",
            Self::Sync => "sync",
            Self::Work => "work",
            Self::Compact => "compact",
            Self::Reopen => "reopen",
            Self::Kill => "kill",
        }
    }
}

/// The operations of programs as a line; those that only one layout has stand with its name.
#[must_use]
pub fn operations() -> String {
    let place = |word: Word| if word.is_of(Layout::Hash) { "" } else { "@ordered" };
    let words: Vec<String> = Word::all().map(|word| format!("{word}{}", place(word))).collect();
    format!("operations: {}", words.join(", "))
}

/// How often the number is repeated in a big value: with it a tiny memtable is full.
pub(super) const BIG_BYTES: usize = 120;
/// The same in a value that is longer than a tiny log.
pub(super) const FILL_BYTES: usize = 1100;

/// A list of words. As text they have commas between them, `-` if there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The words.
    pub words: Vec<Word>,
}

impl Program {
    /// All programs of so many words.
    #[must_use]
    pub fn all(layout: Layout, len: usize) -> Vec<Self> {
        let alphabet = Word::alphabet(layout);
        let mut programs = vec![Self::default()];
        for _ in 0..len {
            let longer = |program: &Self| {
                let with =
                    |word: &Word| Self { words: [program.words.as_slice(), &[*word]].concat() };
                alphabet.iter().map(with).collect::<Vec<_>>()
            };
            programs = programs.iter().flat_map(longer).collect();
        }
        programs
    }
}

/// A program for each of several writers. As text they have `|` between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writers {
    /// The programs.
    pub programs: Vec<Program>,
}

impl Writers {
    /// All words.
    #[must_use]
    pub fn words(&self) -> usize {
        self.programs.iter().map(|program| program.words.len()).sum()
    }

    /// The first word that a layout lacks.
    #[must_use]
    pub fn lacking(&self, layout: Layout) -> Option<Word> {
        let mut words = self.programs.iter().flat_map(|program| &program.words);
        words.find(|word| !word.is_of(layout)).copied()
    }

    /// The same with one word less, in each way; a writer without words goes.
    #[must_use]
    pub fn with_one_word_less(&self) -> Vec<Self> {
        let places = self.programs.iter().enumerate();
        let places =
            places.flat_map(|(n, program)| (0..program.words.len()).map(move |at| (n, at)));
        let less = |(n, at): (usize, usize)| {
            let mut programs = self.programs.clone();
            programs[n].words.remove(at);
            if programs[n].words.is_empty() && programs.len() > 1 {
                programs.remove(n);
            }
            Self { programs }
        };
        places.map(less).collect()
    }
}

impl fmt::Display for Writers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let programs: Vec<String> = self.programs.iter().map(Program::to_string).collect();
        f.write_str(&programs.join("|"))
    }
}

impl FromStr for Writers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let programs = text.split('|').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { programs })
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(key)
            | Self::Durable(key)
            | Self::Big(key)
            | Self::Fill(key)
            | Self::Delete(key) => {
                write!(f, "{}:{}", self.name(), KEYS[*key])
            }
            _ => f.write_str(self.name()),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.words.iter().map(Word::to_string).collect();
        if words.is_empty() { f.write_str("-") } else { f.write_str(&words.join(",")) }
    }
}

impl FromStr for Word {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::all().find(|word| word.to_string() == text);
        known.ok_or_else(|| match text {
            "" => format!("an operation is missing; {}", operations()),
            _ => format!("no such operation: {text}; {}", operations()),
        })
    }
}

impl FromStr for Program {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::default());
        }
        let words = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { words })
    }
}

#[cfg(test)]
mod tests {
    use keelstone::Layout;

    use super::{Program, Word, Writers};

    #[test]
    fn writers_are_read_back_and_shrink() {
        let writers = |text: &str| text.parse::<Writers>().unwrap_or_default();
        let three = writers("put:a,durable:b|sync");
        assert_eq!((three.to_string().as_str(), three.words()), ("put:a,durable:b|sync", 3));
        let less = ["durable:b|sync", "put:a|sync", "put:a,durable:b"].map(writers);
        assert_eq!(three.with_one_word_less(), less);
        assert_eq!(writers("put:a").with_one_word_less(), [writers("-")]);
        assert!("put:a|".parse::<Writers>().is_err());
    }

    #[test]
    fn word_that_a_layout_lacks_is_found_in_every_writer() {
        let writers: Writers = "put:a,sync|load,range".parse().unwrap_or_default();
        assert_eq!(writers.lacking(Layout::Hash), Some(Word::Load));
        assert_eq!(writers.lacking(Layout::Ordered), None);
    }

    #[test]
    fn operations_are_those_that_can_be_read() {
        let line = super::operations();
        let words = line.strip_prefix("operations: ").unwrap_or_default().split(", ");
        let read = words.filter(|word| word.trim_end_matches("@ordered").parse::<Word>().is_ok());
        assert_eq!(read.count(), 18, "{line}");
        assert!(line.ends_with("fill:b, load@ordered"), "{line}");
    }

    #[test]
    fn programs_are_read_back() {
        for layout in [Layout::Hash, Layout::Ordered] {
            for len in 0..3 {
                let programs = Program::all(layout, len);
                let words = Word::alphabet(layout).len();
                assert_eq!(programs.len(), words.pow(u32::try_from(len).unwrap_or(0)));
                for program in programs {
                    assert_eq!(program.to_string().parse(), Ok(program));
                }
            }
        }
        for text in ["", "put", "put:c", "put:a,", "Sync"] {
            assert!(text.parse::<Program>().is_err(), "{text}");
        }
    }
}
