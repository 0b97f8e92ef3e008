//! The operations that the crash and fault loops go through: one run that holds everything, and seeded ones.
//!
//! Promise: small, so that every byte can be tried; a test checks that the trace holds each ingredient.

use keelstone::{Layout, SyncEvery, Write};

use crate::mirror::START_MS;
use crate::model::{delete, put, put_until};
use crate::op::{Generator, Op, value};
use crate::rng::Rng;
use crate::shape::Shape;

/// How the stores of the crash loops are opened.
pub const CRASH_SHAPE: Shape =
    Shape { segment_bytes: 1024, grace_ms: 0, manifest_bytes: 900, ..Shape::TINY };

/// The same in the ordered layout: a memtable is sealed after each write, a table holds a few of them.
pub const ORDERED_CRASH_SHAPE: Shape = Shape {
    layout: Layout::Ordered,
    memtable_bytes: 1024,
    block_bytes: 64,
    table_bytes: 1024,
    ..CRASH_SHAPE
};

fn write(write: keelstone::Write, durable: bool) -> Op {
    Op::Write { writes: vec![write], durable }
}

/// Open, 20 puts, overwrite, delete, expiry, batch, rotation, hint, merge, manifest switch, close.
#[must_use]
pub fn the_run() -> Vec<Op> {
    let mut ops = Vec::new();
    let key = |n: u64| format!("k{n:02}");
    let mut id = 0;
    let mut next = |len| {
        id += 1;
        value(id, len)
    };
    for n in 0..20 {
        // Every third waits for the sync of a later one, so that logs rotate with unsynced writes in both.
        ops.push(write(put(key(n), next(24)), n % 3 == 0));
    }
    ops.push(Op::Sync);
    ops.extend((0..3).map(|_| Op::Work));
    for n in 0..12 {
        ops.push(write(put(key(n), next(24)), n % 4 == 3));
    }
    ops.push(write(delete(key(1)), false));
    ops.push(write(delete(key(15)), true));
    ops.push(write(put_until(key(2), next(10), START_MS + 50), false));
    ops.push(write(put_until("later", next(10), START_MS + 50_000), true));
    let batch = vec![put("a", next(12)), delete(key(3)), put(key(4), next(12))];
    ops.push(Op::Write { writes: batch, durable: false });
    ops.push(Op::Advance(100));
    ops.extend((0..12).map(|_| Op::Work));
    ops.push(write(put(key(5), next(20)), false));
    ops.push(Op::Reopen);
    ops.push(write(put(key(6), next(20)), false));
    ops.push(write(delete("a"), false));
    ops.push(Op::Compact);
    ops.push(write(put(key(7), next(20)), true));
    ops.push(write(delete(key(8)), false));
    ops.push(Op::Reopen);
    ops
}

/// The same for a store with an order: with range deletes, flushes of which some wait, and tables that move.
#[must_use]
pub fn the_ordered_run() -> Vec<Op> {
    let range = |from: &str, to: &str| Write::DeleteRange { from: from.into(), to: to.into() };
    let mut ops = Vec::new();
    for (n, op) in the_run().into_iter().enumerate() {
        match n {
            10 => ops.push(write(range("k02", "k04"), false)),
            30 => ops.push(write(range("k10", "k13"), true)),
            50 => ops.push(write(range("a", "c"), false)),
            _ => {}
        }
        ops.push(op);
    }
    ops
}

/// A run of `count` operations from a seed, with a shape from the same seed.
#[must_use]
pub fn seeded_run(seed: u64, count: usize) -> (Shape, Vec<Op>) {
    let mut rng = Rng::new(seed);
    let shape = Shape {
        segment_bytes: *rng.pick(&[1024, 2048]),
        inline_work: rng.percent(30),
        equal_hashes: rng.percent(20),
        dead_percent: *rng.pick(&[1, 30, 50]),
        sync_every: SyncEvery { writes: *rng.pick(&[0, 0, 3]), ..SyncEvery::NEVER },
        reserve_bytes: *rng.pick(&[0, 0, 100]),
        ..CRASH_SHAPE
    };
    let keys = *rng.pick(&[3, 8, 15]);
    let mut generator = Generator::new(Rng::new(rng.bits()), keys, START_MS);
    (shape, (0..count).map(|_| generator.crash_op()).collect())
}

/// The same in the ordered layout.
#[must_use]
pub fn seeded_ordered_run(seed: u64, count: usize) -> (Shape, Vec<Op>) {
    let (shape, _) = seeded_run(seed, 0);
    let mut rng = Rng::new(!seed);
    let shape = shape.ordered(&mut rng);
    let keys = *rng.pick(&[3, 8, 15]);
    let mut generator = Generator::new(Rng::new(rng.bits()), keys, START_MS).ordered();
    (shape, (0..count).map(|_| generator.crash_op()).collect())
}

/// Bulk loads over everything that there is to load over: a memtable, tables, range tombstones, another load, and
/// writes and an expiry behind them; with many a manifest switch.
#[must_use]
pub fn load_run() -> Vec<Op> {
    let key = |n: u64| format!("k{n:02}");
    let mut id = 0;
    let mut next = |len| {
        id += 1;
        value(id, len)
    };
    let mut ops: Vec<Op> = (0..10).map(|n| write(put(key(2 * n), next(24)), n % 3 == 0)).collect();
    ops.push(Op::Load((0..12).map(|n| put(format!("m{n:02}"), next(150))).collect()));
    ops.push(write(put("m03", next(20)), false));
    ops.push(write(delete(key(4)), false));
    let mut over: Vec<_> = (2..8).map(|n| put(key(n), next(30))).collect();
    over.push(put_until(key(9), next(10), START_MS + 50));
    ops.push(Op::Load(over));
    let (from, to) = (key(3).into_bytes(), key(6).into_bytes());
    ops.push(write(keelstone::Write::DeleteRange { from, to }, false));
    ops.push(write(put(key(5), next(12)), false));
    ops.push(Op::Load(vec![put(key(4), next(16)), put("m03", next(16))]));
    ops.push(Op::Advance(100));
    ops.push(write(delete("m05"), false));
    ops.push(Op::Reopen);
    ops.extend((0..4).map(|_| Op::Work));
    ops.push(Op::Load(vec![put("z", next(16))]));
    ops.push(write(put(key(6), next(20)), false));
    ops.push(Op::Compact);
    ops.push(Op::Load(vec![put(key(6), next(20))]));
    ops.push(Op::Reopen);
    ops
}

/// How the stores of [`load_run`] are opened.
pub const LOAD_SHAPE: Shape = Shape {
    layout: keelstone::Layout::Ordered,
    table_bytes: 1024,
    block_bytes: 128,
    memtable_bytes: 1 << 20,
    ..CRASH_SHAPE
};
