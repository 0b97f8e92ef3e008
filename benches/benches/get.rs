//! Gets and misses of one thread with a warm page cache, beside a bare read of the same bytes.
//!
//! A helper for work on the engine; the figures themselves come from `figures`, in pairs.
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "benchmarks have std")]

use core::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keelstone_benches::reads::Reads;
use keelstone_benches::say;
use keelstone_benches::size::Size;
use keelstone_benches::store::Traffic;

/// One row: goes through the order again and again.
fn row(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    count: usize,
    op: impl Fn(usize) -> u64,
) {
    let mut n = 0;
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            n = if n + 1 < count { n + 1 } else { 0 };
            black_box(op(n))
        });
    });
}

fn get(criterion: &mut Criterion) {
    let keys = Size::of_this_run().pick(1_000_000, 2_000);
    let Traffic { get_bytes, .. } = Traffic::count();
    let reads = Reads::new(keys);
    let sum = |op: &dyn Fn(usize) -> u64| (0..reads.len()).map(op).fold(0, u64::wrapping_add);
    let (floor, get, miss) =
        (sum(&|n| reads.floor(n)), sum(&|n| reads.get(n)), sum(&|n| reads.miss(n)));
    assert_eq!((floor, miss), (get, keys), "the floor reads what the gets read");
    say(format_args!("get: keys={keys} key_bytes=16 value_bytes=100 read_bytes={get_bytes}"));
    say(format_args!("get: checksum={get} misses={miss}"));
    let mut group = criterion.benchmark_group("get");
    group.throughput(Throughput::Elements(1));
    row(&mut group, "floor/pread", reads.len(), |n| reads.floor(n));
    row(&mut group, "floor/pread again", reads.len(), |n| reads.floor(n));
    row(&mut group, "get", reads.len(), |n| reads.get(n));
    row(&mut group, "miss", reads.len(), |n| reads.miss(n));
    group.finish();
}

criterion_group!(benches, get);
criterion_main!(benches);
