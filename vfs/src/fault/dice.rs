//! Numbers from a seed: splitmix64, so that one seed explains a crash on every machine.
//!
//! Rolled by power cuts, by schedules of the crash lab and by tests. Promise: the same seed gives the same numbers on every
//! machine and in every version. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.

/// A row of numbers that look random and follow from a seed.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The row of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 if there is none.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n.max(1) as u64;
        usize::try_from(self.roll() % n).unwrap_or(0)
    }

    /// Heads or tails.
    pub const fn coin(&mut self) -> bool {
        self.roll() & 1 == 1
    }
}
