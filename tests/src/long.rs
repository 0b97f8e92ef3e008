//! One long run of an ordered store beside the model: one store, many operations, other options every now and then.
//!
//! Called by the engine's tests; calls `mirror`. No kind of operation is rare, so that each meets each. A long run is not
//! made small when it fails: it tells its last operations, and its seed repeats it.

use std::collections::BTreeMap;

use crate::differential::quietly;
use crate::disk::Disk;
use crate::mirror::{Mirror, START_MS};
use crate::op::{Generator, Op};
use crate::rng::{Rng, repeat};
use crate::shape::Shape;
use crate::tally::Tally;

/// Keys of the store: enough for three levels and more of tiny tables.
const KEYS: u64 = 300;
/// Operations after which the store is opened with other options.
const SHAPE_OPS: u64 = 20_000;
/// Operations after which the count of keys, a scan, is compared.
const LEN_OPS: u64 = 50;
/// How many of the last operations a failure tells.
const TOLD: usize = 20;

/// What a long run did.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// How often each thing happened.
    pub tally: Tally,
    /// Operations of each kind.
    pub kinds: BTreeMap<&'static str, u64>,
}

/// Runs `count` operations from a seed.
pub fn run(test: &str, seed: u64, count: u64) -> Result<Done, String> {
    let mut last = Vec::new();
    let done = quietly(|| play(seed, count, &mut last));
    done.map_err(|error| {
        let list: String = last.iter().map(|op| format!("\n    {op}")).collect();
        let command = repeat("engine", test, seed);
        format!("{error}\n  repeat: {command}\n  the last operations:{list}")
    })
}

/// The run itself; the last operations stay in `last`.
fn play(seed: u64, count: u64, last: &mut Vec<Op>) -> Result<Done, String> {
    let mut rng = Rng::new(seed);
    let generator = Generator::new(Rng::new(rng.bits()), KEYS, START_MS);
    let mut generator = generator.ordered().with_short_ranges();
    let mut mirror = Mirror::new(Disk::memory(), shape(&mut rng))?;
    mirror.len_every = LEN_OPS;
    let mut kinds = BTreeMap::new();
    for n in 0..count {
        if n % SHAPE_OPS == SHAPE_OPS - 1 {
            let next = shape(&mut rng);
            mirror.reshape(next).map_err(|error| format!("before {n}, {next:?}: {error}"))?;
        }
        let op = generator.even_op();
        *kinds.entry(op.name()).or_insert(0) += 1;
        let done = mirror.step(&op);
        if last.len() == TOLD {
            last.remove(0);
        }
        last.push(op);
        done.map_err(|error| format!("operation {n}: {error}"))?;
    }
    mirror.end()?;
    Ok(Done { tally: mirror.tally, kinds })
}

fn shape(rng: &mut Rng) -> Shape {
    let random = Shape::random(rng);
    random.ordered(rng)
}
