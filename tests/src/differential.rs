//! Seeded runs of the store beside the model, made small when they fail.
//!
//! Called by the engine's tests and by the table of switchable bugs; calls `mirror`. No crashes and no faults here:
//! a store with any of the lab's bugs passes these too.

use std::panic::{AssertUnwindSafe, catch_unwind};

use keelstone::Layout;

use crate::disk::{Disk, DiskKind};
use crate::mirror::{Mirror, START_MS};
use crate::op::{Generator, Op};
use crate::rng::{Rng, repeat};
use crate::script::Twist;
use crate::shape::Shape;
use crate::shrink::shrink;
use crate::tally::Tally;

/// One seeded run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Everything follows from it.
    pub seed: u64,
    /// How many operations.
    pub ops: usize,
    /// On which disk.
    pub kind: DiskKind,
    /// What is different in every store.
    pub twist: Twist,
}

impl Run {
    /// The store's options and the operations.
    #[must_use]
    pub fn plan(&self) -> (Shape, Vec<Op>) {
        let mut rng = Rng::new(self.seed);
        let mut shape = Shape::random(&mut rng);
        shape.equal_hashes |= self.twist.equal_hashes;
        shape.bug = self.twist.bug;
        let keys = *rng.pick(&[3, 10, 40]);
        let mut generator = Generator::new(Rng::new(rng.bits()), keys, START_MS);
        if self.twist.layout == Layout::Ordered {
            shape = shape.ordered(&mut rng);
            generator = generator.ordered();
        }
        let ops = (0..self.ops).map(|_| generator.any_op()).collect();
        (shape, ops)
    }

    /// Runs it and returns the counts, or the smallest list of operations that fails.
    pub fn check(&self, test: &str) -> Result<Tally, String> {
        let (shape, ops) = self.plan();
        let first = match play(self.kind, shape, &ops) {
            Ok(tally) => return Ok(tally),
            Err(error) => error,
        };
        let small = shrink(&ops, 2000, |list| play(self.kind, shape, list).is_err());
        let last = play(self.kind, shape, &small).err().unwrap_or_default();
        let list: String = small.iter().map(|op| format!("\n    {op}")).collect();
        let command = repeat("engine", test, self.seed);
        Err(format!("{first}\n  repeat: {command}\n  {shape:?}\n  smallest:{list}\n  {last}"))
    }
}

/// Runs some operations; a panic is a failure like any other.
pub fn play(kind: DiskKind, shape: Shape, ops: &[Op]) -> Result<Tally, String> {
    let run = || -> Result<Tally, String> {
        let mut mirror = Mirror::new(Disk::new(kind), shape)?;
        for (n, op) in ops.iter().enumerate() {
            mirror.step(op).map_err(|error| format!("operation {n} {op}: {error}"))?;
        }
        mirror.end()?;
        Ok(mirror.tally)
    };
    quietly(run)
}

/// Turns a panic into an error with its message.
pub fn quietly<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panic: {}", text.unwrap_or("without a message")))
    })
}
