//! `bench`: how fast puts and gets are here, measured with the parameters that it prints.
//!
//! Called by the hall; calls the engine. Keys are 16 bytes; every value that a get finds is
//! compared.

use std::path::Path;
use std::time::{Duration, Instant};

use keelstone::vfs::fault::Dice;
use keelstone::{Batch, Durability};

use super::args::{Bench, Globals};
use super::exit::{Failure, Outcome};
use super::open;
use super::output::{Output, counts_object};
use crate::engine::Engine;

/// Durable puts are few: each waits for the disk.
const DURABLE_MAX: u64 = 200;

/// Measures in a directory of its own, removed afterwards, or in one that is given and kept.
pub(super) fn bench(args: &Bench, globals: &Globals, out: &mut Output<'_>) -> Outcome {
    match &args.dir {
        Some(dir) => measure(dir, args, globals, out),
        None => {
            let temporary = tempfile::Builder::new().prefix("keel-bench-").tempdir();
            let dir = temporary.map_err(Failure::io("temporary directory"))?;
            measure(dir.path(), args, globals, out)?;
            dir.close().map_err(Failure::io("temporary directory"))
        }
    }
}

fn measure(dir: &Path, args: &Bench, globals: &Globals, out: &mut Output<'_>) -> Outcome {
    let workload = Workload::of(args)?;
    let db = open::or_create(dir, globals)?;
    let durable = args.count.min(DURABLE_MAX);
    let puts = timed(args.count, |n| workload.put(&*db, n, Durability::Buffered))?;
    let begun = Instant::now();
    db.sync()?;
    let sync_us = micros(begun.elapsed());
    let puts_durable = timed(durable, |n| workload.put(&*db, n, Durability::Durable))?;
    let gets = timed(args.count, |n| workload.get(&*db, n))?;
    let misses = timed(args.count, |n| workload.miss(&*db, n))?;
    open::finish(&*db, globals)?;
    let mut rows = vec![
        ("count".to_owned(), args.count),
        ("seed".to_owned(), args.seed),
        ("sync_us".to_owned(), sync_us),
        ("value_bytes".to_owned(), args.value_bytes),
    ];
    let kinds =
        [("put", puts), ("put_durable", puts_durable), ("get", gets), ("get_absent", misses)];
    for (name, measured) in kinds {
        rows.push((format!("{name}_nanos"), measured.nanos()));
        rows.push((format!("{name}_per_second"), measured.per_second()));
    }
    rows.push(("put_durable_count".to_owned(), durable));
    rows.sort();
    print(&rows, out)
}

fn print(rows: &[(String, u64)], out: &mut Output<'_>) -> Outcome {
    let rows: Vec<_> = rows.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    if out.is_json() {
        return out.object(&counts_object(&rows));
    }
    rows.iter().try_for_each(|(name, count)| out.text(&format!("{name}={count}")))
}

/// How long some operations took together.
#[derive(Clone, Copy)]
struct Measured {
    count: u64,
    took: Duration,
}

impl Measured {
    /// The mean of one operation.
    fn nanos(self) -> u64 {
        u64::try_from(self.took.as_nanos() / u128::from(self.count.max(1))).unwrap_or(u64::MAX)
    }

    fn per_second(self) -> u64 {
        let nanos = self.took.as_nanos().max(1);
        u64::try_from(u128::from(self.count) * 1_000_000_000 / nanos).unwrap_or(u64::MAX)
    }
}

fn timed(count: u64, mut operation: impl FnMut(u64) -> Outcome) -> Outcome<Measured> {
    let begun = Instant::now();
    for n in 0..count {
        operation(n)?;
    }
    Ok(Measured { count, took: begun.elapsed() })
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// Keys, values and their order, all from the seed.
struct Workload {
    seed: u64,
    count: u64,
    step: u64,
    value_bytes: usize,
}

impl Workload {
    fn of(args: &Bench) -> Outcome<Self> {
        let max = keelstone::limits::VALUE_BYTES_DEFAULT;
        let value_bytes = usize::try_from(args.value_bytes).ok().filter(|&bytes| bytes <= max);
        let value_bytes = value_bytes
            .ok_or_else(|| Failure::Usage(format!("--value-bytes: value too long max={max}")))?;
        // Why: gets walk through the keys in steps of a number that has no factor in common with
        // their count, so that each is got once and not in the order of the puts.
        let mut step = mixed(args.seed) % args.count;
        while common_factor(step, args.count) > 1 {
            step = (step + 1) % args.count;
        }
        Ok(Self { seed: args.seed, count: args.count, step, value_bytes })
    }

    fn key(&self, n: u64) -> [u8; 16] {
        Self::spread(self.seed, n)
    }

    fn spread(seed: u64, n: u64) -> [u8; 16] {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&mixed(seed ^ n).to_be_bytes());
        key[8..].copy_from_slice(&n.to_be_bytes());
        key
    }

    fn value(&self, n: u64) -> Vec<u8> {
        let words = (0..).map(|word: u64| mixed(self.seed ^ n.rotate_left(32) ^ word));
        words.flat_map(u64::to_le_bytes).take(self.value_bytes).collect()
    }

    fn put(&self, db: &dyn Engine, n: u64, durability: Durability) -> Outcome {
        let mut batch = Batch::new();
        batch.put(self.key(n), self.value(n));
        db.write(&batch, durability)?;
        Ok(())
    }

    fn get(&self, db: &dyn Engine, n: u64) -> Outcome {
        let product = u128::from(n) * u128::from(self.step) % u128::from(self.count);
        let n = u64::try_from(product).unwrap_or(0);
        let found = db.get(&self.key(n))?.map(|found| found.value);
        if found == Some(self.value(n)) { Ok(()) } else { Err(Self::mismatch()) }
    }

    fn miss(&self, db: &dyn Engine, n: u64) -> Outcome {
        // Why: keys of another seed, so that an earlier run in the same directory did not put them.
        let absent = Self::spread(!self.seed, n);
        if db.get(&absent)?.is_none() { Ok(()) } else { Err(Self::mismatch()) }
    }

    fn mismatch() -> Failure {
        let error = std::io::Error::other("a get did not find what was put");
        Failure::Io { doing: "bench".into(), error }
    }
}

/// A fixed, well-spread function of 64 bits.
fn mixed(n: u64) -> u64 {
    Dice::new(n).roll()
}

fn common_factor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_factor(b, a % b) }
}
