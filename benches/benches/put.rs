//! Puts of one thread, buffered and durable, beside bare writes of the same bytes.
//!
//! A helper for work on the engine; the figures themselves come from `figures`, in pairs.
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "benchmarks have std")]

use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};
use criterion::{criterion_group, criterion_main};
use keelstone::Durability;
use keelstone_benches::floor::WriteFloor;
use keelstone_benches::keys::{Key, key, value};
use keelstone_benches::say;
use keelstone_benches::size::Size;
use keelstone_benches::store::{self, Traffic};

/// Bare writes of a put's bytes into a new file with allocated space.
fn floor(bytes: usize, count: u64, durability: Durability) -> Duration {
    let dir = store::scratch();
    let mut floor = WriteFloor::new(dir.path(), "floor", bytes, count);
    let start = Instant::now();
    for number in 0..count {
        match durability {
            Durability::Buffered => floor.write(number),
            Durability::Durable => floor.write_durable(number),
        };
    }
    start.elapsed()
}

/// Puts of new keys into a new store.
fn put(count: u64, durability: Durability) -> Duration {
    let dir = store::scratch();
    let db = store::open(dir.path(), store::options(durability));
    let keys: Vec<Key> = (0..count).map(key).collect();
    db.put(key(count), value(count)).expect("a put");
    let start = Instant::now();
    for (number, key) in (0..).zip(&keys) {
        db.put(key, value(number)).expect("a put");
    }
    let elapsed = start.elapsed();
    assert_eq!(db.len(), Ok(count + 1), "every put is there");
    elapsed
}

fn rows(group: &mut BenchmarkGroup<'_, WallTime>, bytes: usize, durability: Durability) {
    group.throughput(Throughput::Elements(1));
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    for name in ["floor/write", "floor/write again"] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| floor(bytes, count, durability));
        });
    }
    group.bench_function("put", |bencher| {
        bencher.iter_custom(|count| put(count, durability));
    });
}

fn puts(criterion: &mut Criterion) {
    let Traffic { put_bytes, .. } = Traffic::count();
    say(format_args!("put: key_bytes=16 value_bytes=100 write_bytes={put_bytes}"));
    let syncs = store::count_syncs(Size::of_this_run().pick(2_000, 500));
    say(format_args!("durable put: {syncs:?}, one sync each"));
    let mut group = criterion.benchmark_group("put");
    rows(&mut group, put_bytes, Durability::Buffered);
    group.finish();
    let mut group = criterion.benchmark_group("durable");
    rows(&mut group, put_bytes, Durability::Durable);
    group.finish();
}

criterion_group!(benches, puts);
criterion_main!(benches);
