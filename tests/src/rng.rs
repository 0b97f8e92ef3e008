//! The one source of randomness of the tests: the dice of the fault disk, so that a seed repeats everything.
//!
//! Called by the generators of operations and by the samplers. Promise: the same seed gives the same numbers on
//! every machine and in every version.

use keelstone::vfs::fault::Dice;

/// A stream of numbers that follows from its seed.
#[derive(Clone, Debug)]
pub struct Rng(Dice);

impl Rng {
    /// The stream of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Dice::new(seed))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.roll()
    }

    /// A number below `end`, which must not be 0.
    pub fn below(&mut self, end: u64) -> u64 {
        assert!(end > 0, "nothing is below 0");
        self.bits() % end
    }

    /// An index into something with `len` items.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("it is below a usize")
    }

    /// Whether an event with this chance happens.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One of the items.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }
}

/// The seeds of a test: `first..first + count`, or what `KEELSTONE_SEED` says: one, as in `7`, or a range, as in
/// `1000..2000`, for a long search.
///
/// # Panics
/// If `KEELSTONE_SEED` is neither.
#[must_use]
pub fn seeds(first: u64, count: u64) -> Vec<u64> {
    let Ok(text) = std::env::var("KEELSTONE_SEED") else {
        return (first..first + count).collect();
    };
    let number = |text: &str| text.parse::<u64>().expect("KEELSTONE_SEED is N or N..M");
    match text.split_once("..") {
        Some((from, to)) => (number(from)..number(to)).collect(),
        None => vec![number(&text)],
    }
}

/// The command that repeats one seed of one test.
#[must_use]
pub fn repeat(binary: &str, test: &str, seed: u64) -> String {
    format!("KEELSTONE_SEED={seed} cargo test -p keelstone-tests --test {binary} -- {test}")
}
