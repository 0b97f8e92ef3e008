//! Random numbers with a seed: even ones, and Zipf's as YCSB draws them. Pure.

/// SplitMix64.
pub struct Random {
    state: u64,
}

impl Random {
    /// The same seed gives the same numbers.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// 64 random bits.
    pub const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.state;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number below `end`; its bias is below one in 2^40 for the sizes here.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.bits() % end
    }

    /// A number from 0 on and below 1.
    pub const fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How uneven YCSB's draws are.
const THETA: f64 = 0.99;

/// Zipf's distribution over the numbers below a count: 0 is the most frequent. Keys are hashes of
/// their numbers, so frequent keys are no neighbours.
pub struct Zipf {
    count: u64,
    zeta: f64,
    alpha: f64,
    eta: f64,
}

impl Zipf {
    /// Over the numbers below `count`, by the method of Gray et al., "Quickly generating
    /// billion-record synthetic databases".
    #[must_use]
    pub fn new(count: u64) -> Self {
        let zeta_of = |end: u64| (1..=end).map(|i| (i as f64).powf(-THETA)).sum::<f64>();
        let (zeta, alpha) = (zeta_of(count), 1.0 / (1.0 - THETA));
        let eta =
            (1.0 - (2.0 / count as f64).powf(1.0 - THETA)) / (1.0 - zeta_of(2.min(count)) / zeta);
        Self { count, zeta, alpha, eta }
    }

    /// The next number.
    pub fn next(&self, random: &mut Random) -> u64 {
        let unit = random.unit();
        let scaled = unit * self.zeta;
        if scaled < 1.0 {
            return 0;
        }
        if scaled < 1.0 + 0.5_f64.powf(THETA) {
            return 1;
        }
        let share = (self.eta * unit - self.eta + 1.0).powf(self.alpha);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below count")]
        let number = (self.count as f64 * share) as u64;
        number.min(self.count - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zipf_prefers_small_numbers_and_stays_below_its_count() {
        let (zipf, mut random) = (Zipf::new(1_000), Random::new(1));
        let mut counts = vec![0; 1_000];
        for _ in 0..100_000 {
            counts[usize::try_from(zipf.next(&mut random)).expect("a small number")] += 1;
        }
        // Number 0 has the share 1 / zeta(1000), which is 13 percent.
        assert!((12_000..14_500).contains(&counts[0]), "{}", counts[0]);
        assert!(counts[0] > counts[1] && counts[1] > counts[10] && counts[10] > counts[500]);
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let draw = |seed| Random::new(seed).bits();
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
