//! Background jobs in every order: what a reader sees does not depend on who steps which job when.

use keelstone::{Layout, SyncEvery, Write};
use keelstone_tests::mirror::START_MS;
use keelstone_tests::op::{Generator, Op};
use keelstone_tests::rng::{Rng, repeat, seeds};
use keelstone_tests::schedule::{Orders, every_order, seeded_order};
use keelstone_tests::shape::Shape;
use keelstone_tests::story::Story;

/// A memtable is sealed after each write; blocks and tables hold a few records.
const SHAPE: Shape = Shape {
    layout: Layout::Ordered,
    memtable_bytes: 1024,
    block_bytes: 64,
    table_bytes: 1024,
    grace_ms: 0,
    ..Shape::TINY
};

fn delete_range(from: &str, to: &str) -> Op {
    let range = Write::DeleteRange { from: from.into(), to: to.into() };
    Op::Write { writes: vec![range], durable: false }
}

/// Three tables of level 0 with versions of the same keys, and a fourth one that waits to be flushed.
fn setup() -> Story {
    let mut story = Story::new();
    story.put("a", "1").put("b", "1").work(3).put("a", "2").work(3).delete("b").work(3);
    story.put("c", "1");
    story
}

fn every(title: &str, setup: &Story, story: &Story) -> Orders {
    let orders = every_order(SHAPE, setup.ops(), story.ops(), 60_000);
    let orders = orders.unwrap_or_else(|error| panic!("{title}: {error}"));
    println!("{title}: {orders:?}");
    assert!(orders.in_hand_max >= 2, "{title}: no two jobs at once: {orders:?}");
    orders
}

#[test]
fn flush_and_compaction_in_every_order() {
    let mut story = Story::new();
    story.put("a", "3");
    let orders = every("overwrite", &setup(), &story);
    assert!(orders.orders > 500, "{orders:?}");
}

#[test]
fn delete_while_flush_and_compaction_run_in_every_order() {
    let mut story = Story::new();
    story.delete("a");
    let orders = every("delete", &setup(), &story);
    assert!(orders.orders > 500, "{orders:?}");
}

#[test]
fn range_delete_while_flush_and_compaction_run_in_every_order() {
    let mut story = Story::new();
    story.op(delete_range("a", "c"));
    let orders = every("range delete", &setup(), &story);
    assert!(orders.orders > 500, "{orders:?}");
}

// The snapshot is taken before, between or behind any two steps of the jobs that would drop what it wants.
#[test]
fn snapshot_while_flush_and_compaction_run_in_every_order() {
    let mut story = Story::new();
    story.op(Op::Snapshot).delete("a");
    let orders = every("snapshot", &setup(), &story);
    assert!(orders.orders > 500, "{orders:?}");
}

// Sampled: a hundred writes, snapshots and drops, with all jobs in a seeded order; some jobs are given up half way.
#[test]
fn long_programs_in_seeded_orders() {
    let mut all = Orders::default();
    for seed in seeds(7000, 150) {
        let mut rng = Rng::new(seed);
        let random = Shape::random(&mut rng);
        let shape =
            Shape { inline_work: false, sync_every: SyncEvery::NEVER, ..random.ordered(&mut rng) };
        let mut generator = Generator::new(Rng::new(rng.bits()), 15, START_MS).ordered();
        let wanted = |op: &Op| {
            matches!(op, Op::Write { .. } | Op::Snapshot | Op::DropSnapshot(_) | Op::Sync)
        };
        let ops: Vec<Op> =
            core::iter::repeat_with(|| generator.op()).filter(wanted).take(100).collect();
        let orders = seeded_order(shape, &ops, rng.bits()).unwrap_or_else(|error| {
            let command = repeat("engine", "long_programs_in_seeded_orders", seed);
            panic!("seed {seed}: {error}\n  {shape:?}\n  repeat: {command}")
        });
        all.orders += orders.orders;
        all.choices += orders.choices;
        all.given_up += orders.given_up;
        all.in_hand_max = all.in_hand_max.max(orders.in_hand_max);
    }
    println!("seeded orders: {all:?}");
    if std::env::var_os("KEELSTONE_SEED").is_none() {
        assert!(all.in_hand_max >= 3 && all.given_up > 100, "{all:?}");
    }
}
