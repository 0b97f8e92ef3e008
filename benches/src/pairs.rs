//! Interleaved measurements: a floor, the floor again, and what is compared with it.
//!
//! Rows take turns in short slices, so that whatever disturbs the machine disturbs all of them; the
//! distance between the floor and itself shows how much it did.

use core::fmt::{self, Write};
use std::time::{Duration, Instant};

/// One thing to measure: runs operations `from..to` and gives a checksum.
pub struct Row<'a> {
    name: &'static str,
    run: Box<dyn FnMut(usize, usize) -> u64 + 'a>,
}

impl<'a> Row<'a> {
    /// A row whose operation `n` is `op(n)`; the checksum is the sum of what it gives.
    pub fn new(name: &'static str, mut op: impl FnMut(usize) -> u64 + 'a) -> Self {
        let run = move |from, to| (from..to).map(&mut op).fold(0, u64::wrapping_add);
        Self { name, run: Box::new(run) }
    }
}

/// What one row took in one pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sample {
    wall: Duration,
    cpu: Duration,
    checksum: u64,
}

/// All samples of some rows; the first row is the floor, the second the floor again.
#[derive(Clone, Debug)]
pub struct Pairs {
    names: Vec<&'static str>,
    /// By pair, then by row.
    samples: Vec<Vec<Sample>>,
    ops: usize,
}

/// What a ratio means for its figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// At most the limit.
    Met,
    /// More than the limit.
    Missed,
    /// Nearer to the limit than the floor is to itself.
    Unresolved,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Unresolved => "unresolved",
        })
    }
}

/// Compares a ratio with its limit, given how far the floor is from itself.
#[must_use]
pub fn judge(ratio: f64, limit: f64, spread: f64) -> Verdict {
    if (ratio - limit).abs() <= limit * spread {
        Verdict::Unresolved
    } else if ratio <= limit {
        Verdict::Met
    } else {
        Verdict::Missed
    }
}

/// The middle value, the mean of two where there is none; 0 of nothing.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match (sorted.get(half), sorted.len() % 2) {
        (Some(middle), 1) => *middle,
        (Some(upper), _) => (sorted[half - 1] + upper) / 2.0,
        (None, _) => 0.0,
    }
}

impl Pairs {
    /// Measures `pairs` times `ops` operations of each row that `rows` makes, in turns of `slice`.
    ///
    /// # Panics
    /// If a row's work differs from its work in the first pair, or `rows` makes other rows.
    #[must_use]
    pub fn measure<'a>(
        pairs: usize,
        ops: usize,
        slice: usize,
        mut rows: impl FnMut(usize) -> Vec<Row<'a>>,
    ) -> Self {
        let mut measured = Self { names: Vec::new(), samples: Vec::new(), ops };
        for pair in 0..pairs {
            let mut rows = rows(pair);
            let names: Vec<_> = rows.iter().map(|row| row.name).collect();
            let samples = measure_pair(&mut rows, ops, slice);
            if let Some(first) = measured.samples.first() {
                let work = |samples: &[Sample]| -> Vec<_> {
                    samples.iter().map(|sample| sample.checksum).collect()
                };
                assert_eq!(names, measured.names, "every pair has the same rows");
                assert_eq!(work(&samples), work(first), "every pair does the same work");
            }
            measured.names = names;
            measured.samples.push(samples);
        }
        measured
    }

    fn row(&self, name: &str) -> usize {
        self.names.iter().position(|row| *row == name).expect("a row of that name")
    }

    fn ratios(&self, row: usize, time: fn(&Sample) -> Duration) -> Vec<f64> {
        let ratio = |s: &Vec<Sample>| time(&s[row]).as_secs_f64() / time(&s[0]).as_secs_f64();
        self.samples.iter().map(ratio).collect()
    }

    /// The median ratio of row `name` to the floor.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn ratio(&self, name: &str) -> f64 {
        median(&self.ratios(self.row(name), |sample| sample.wall))
    }

    /// The greatest distance of the floor from itself, as a share of it.
    #[must_use]
    pub fn spread(&self) -> f64 {
        let ratios = self.ratios(1, |sample| sample.wall);
        ratios.iter().map(|ratio| (ratio - 1.0).abs()).fold(0.0, f64::max)
    }

    /// What the ratio of row `name` means for its limit.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn verdict(&self, name: &str, limit: f64) -> Verdict {
        judge(self.ratio(name), limit, self.spread())
    }

    /// A table in Markdown: one line a row, with the limits of the rows that have one.
    ///
    /// # Panics
    /// Never: a string takes every line.
    #[must_use]
    pub fn table(&self, limits: &[(&str, f64)]) -> String {
        let mut table = String::from(
            "| row | ns/op | ratio | lowest to highest | ratio on the processor | limit | figure \
             |\n|---|---:|---:|---:|---:|---:|---|\n",
        );
        for (row, name) in self.names.iter().enumerate() {
            let nanos = |s: &Vec<Sample>| s[row].wall.as_secs_f64() * 1e9 / self.ops as f64;
            let ns = median(&self.samples.iter().map(nanos).collect::<Vec<_>>());
            let ratios = self.ratios(row, |sample| sample.wall);
            let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            let high = ratios.iter().copied().fold(0.0, f64::max);
            let cpu = median(&self.ratios(row, |sample| sample.cpu));
            let (limit, figure) = match limits.iter().find(|(limited, _)| limited == name) {
                Some((_, limit)) => (format!("{limit}"), self.verdict(name, *limit).to_string()),
                None => (String::new(), String::new()),
            };
            writeln!(
                table,
                "| {name} | {ns:.0} | {:.3} | {low:.3} to {high:.3} | {cpu:.3} | {limit} | \
                 {figure} |",
                median(&ratios),
            )
            .expect("a string takes every line");
        }
        table
    }

    /// The parameters and the checksums of the work, one line.
    #[must_use]
    pub fn parameters(&self) -> String {
        let mut line = format!("pairs={} ops={}", self.samples.len(), self.ops);
        let first = self.samples.first().map_or(&[][..], Vec::as_slice);
        for (name, sample) in self.names.iter().zip(first) {
            line.push_str(&format!(" checksum[{name}]={}", sample.checksum));
        }
        line
    }
}

fn measure_pair(rows: &mut [Row<'_>], ops: usize, slice: usize) -> Vec<Sample> {
    let mut samples = vec![Sample::default(); rows.len()];
    for (turn, from) in (0..ops).step_by(slice.max(1)).enumerate() {
        let to = (from + slice.max(1)).min(ops);
        for at in 0..rows.len() {
            // Why: a row finds the caches as the one before it left them, so every other turn goes
            // the other way.
            let row = if turn % 2 == 0 { at } else { rows.len() - 1 - at };
            let (wall, cpu) = (Instant::now(), thread_time());
            let checksum = (rows[row].run)(from, to);
            let sample = &mut samples[row];
            sample.wall += wall.elapsed();
            sample.cpu += thread_time().saturating_sub(cpu);
            sample.checksum = sample.checksum.wrapping_add(checksum);
        }
    }
    samples
}

/// Time that this thread had a processor.
#[cfg(target_os = "linux")]
#[must_use]
pub fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Time since the first call: std has no clock of a thread.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn thread_time() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).abs() < 1e-9);
    }

    #[test]
    fn what_is_nearer_than_the_floor_to_itself_is_unresolved() {
        assert_eq!(judge(1.4, 1.5, 0.02), Verdict::Met);
        assert_eq!(judge(1.6, 1.5, 0.02), Verdict::Missed);
        assert_eq!(judge(1.49, 1.5, 0.02), Verdict::Unresolved);
        assert_eq!(judge(1.51, 1.5, 0.02), Verdict::Unresolved);
    }

    #[test]
    fn every_row_does_every_operation_once() {
        let pairs = Pairs::measure(3, 10, 4, |_| {
            vec![
                Row::new("floor", |n| n as u64),
                Row::new("floor again", |n| n as u64),
                Row::new("twice", |n| 2 * n as u64),
            ]
        });
        assert_eq!(
            pairs.parameters(),
            "pairs=3 ops=10 checksum[floor]=45 checksum[floor again]=45 checksum[twice]=90"
        );
        assert_eq!(pairs.table(&[("twice", 1e9)]).lines().count(), 5);
    }
}
