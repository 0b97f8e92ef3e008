//! Inserts into the memtable beside those into another lock-free skiplist, `crossbeam-skiplist`.
//!
//! One writer alone, and one writer beside one reader that asks for what is there already. Keys of
//! 16 bytes in random order, values of 100. Needs the feature `lab`: a memtable is private to the
//! engine. A helper for work on the engine; the time of the writer is taken on the wall.
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "benchmarks have std")]

use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use crossbeam_skiplist::SkipMap;
use keelstone::probe::Memtable;
use keelstone_benches::keys::{KEY_BYTES, VALUE_BYTES, key, value};
use keelstone_benches::say;
use keelstone_benches::size::Size;

/// Bytes of an item in memory, about.
const ITEM_BYTES: u64 = 192;

/// Puts numbers below `count`, beside a reader if there is to be one, and takes the writer's time.
fn insert(
    count: u64,
    reader: bool,
    mut put: impl FnMut(u64),
    has: impl Fn(u64) -> bool + Sync,
) -> Duration {
    let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        if reader {
            scope.spawn(|| {
                let mut step = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    step = step.wrapping_add(0x9e37_79b9_7f4a_7c15);
                    let there = done.load(Ordering::Acquire);
                    assert!(there == 0 || has(step % there), "what was put is found");
                }
            });
        }
        let start = Instant::now();
        for number in 0..count {
            put(number);
            done.store(number + 1, Ordering::Release);
        }
        let elapsed = start.elapsed();
        stop.store(true, Ordering::Relaxed);
        elapsed
    })
}

fn keelstone(count: u64, reader: bool) -> Duration {
    let bytes = usize::try_from(count * ITEM_BYTES).expect("it fits in memory");
    let (table, mut writer) = Memtable::new(bytes, 1).expect("memory");
    let put = |number| {
        writer.put(&key(number), &value(number), number + 1).expect("memory");
    };
    let has = |number| table.get(&key(number), u64::MAX) == Some(VALUE_BYTES);
    let elapsed = insert(count, reader, put, has);
    assert_eq!(table.items() as u64, count);
    elapsed
}

/// A key and its sequence in the order of the memtable: of one key the newest first.
fn internal(number: u64, seq: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(KEY_BYTES + 8);
    bytes.extend_from_slice(&key(number));
    bytes.extend_from_slice(&(!seq).to_be_bytes());
    bytes
}

fn crossbeam(count: u64, reader: bool) -> Duration {
    let map: SkipMap<Vec<u8>, Vec<u8>> = SkipMap::new();
    let put = |number| {
        map.insert(internal(number, number + 1), value(number).to_vec());
    };
    let has = |number| {
        let place = internal(number, u64::MAX);
        let found = map.lower_bound(Bound::Included(&place));
        found.is_some_and(|entry| entry.key().starts_with(&place[..KEY_BYTES]))
    };
    let elapsed = insert(count, reader, put, has);
    assert_eq!(map.len() as u64, count);
    elapsed
}

fn memtable(criterion: &mut Criterion) {
    let count = Size::of_this_run().pick(1_000_000, 2_000);
    say(format_args!("memtable: keys={count} key_bytes={KEY_BYTES} value_bytes={VALUE_BYTES}"));
    for (name, reader) in [("insert", false), ("insert beside a reader", true)] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(count));
        group.sampling_mode(SamplingMode::Flat).sample_size(10);
        group.bench_function("keelstone", |bencher| {
            bencher.iter_custom(|rounds| (0..rounds).map(|_| keelstone(count, reader)).sum());
        });
        group.bench_function("crossbeam", |bencher| {
            bencher.iter_custom(|rounds| (0..rounds).map(|_| crossbeam(count, reader)).sum());
        });
        group.finish();
    }
}

criterion_group!(benches, memtable);
criterion_main!(benches);
