//! How fast the walks are from memory: a small size always, a large one with
//! `cargo test --release -p keelstone --lib speed -- --ignored --nocapture --test-threads=1`.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use std::io::Write as _;
use std::time::Instant;

use super::super::super::key::Cursor;
use super::super::super::range::{Range, Ranges};
use super::super::{MergeCursor, Source, View, VisibleCursor};
use super::{Random, VecCursor, Version};
use crate::order::KeyOrder;

/// How the items are spread over the sources.
#[derive(Clone, Copy, Debug)]
enum Spread {
    /// Each item in any source.
    Even,
    /// Nine of ten in the last, as in levels.
    Levels,
}

fn merged(items: u32, sources: u64, spread: Spread) -> MergeCursor {
    let (order, mut random) = (KeyOrder::Bytewise, Random::new(7));
    let mut parts = vec![Vec::new(); usize::try_from(sources).unwrap()];
    for n in 0..items {
        let part = match spread {
            Spread::Levels if !random.one_in(10) => sources - 1,
            _ => random.below(sources),
        };
        let version = Version::put(format!("user:{n:010}").as_bytes(), 1 + u64::from(n));
        parts[usize::try_from(part).unwrap()].push(version);
    }
    let boxed = |part| Source::from(VecCursor::boxed(&order, part, &Arc::default()));
    MergeCursor::new(order.clone(), parts.into_iter().map(boxed).collect()).unwrap()
}

fn visible(items: u32, sources: u64, with_ranges: bool) -> VisibleCursor {
    let order = KeyOrder::Bytewise;
    let key = |n: u32| format!("user:{n:010}").into_bytes();
    // Why sequence 1: the walk looks each key up and finds it uncovered.
    let list: Vec<Range> = (0..items / 100)
        .map(|n| Range { from: key(n * 100), to: key(n * 100 + 50), seq: 1 })
        .filter(|_| with_ranges)
        .collect();
    let ranges = Arc::new(Ranges::new(&order, &list).unwrap());
    let view = View { seq: u64::MAX, ..View::default() };
    VisibleCursor::new(order, merged(items, sources, Spread::Even), ranges, view)
}

/// Runs a walk, which gives its count and a checksum, and tells how fast it was.
fn tell(what: &str, walk: impl FnOnce() -> (u64, u64)) -> u64 {
    let start = Instant::now();
    let (count, sum) = walk();
    let nanos = start.elapsed().as_nanos().max(1);
    let per_second = u128::from(count) * 1_000 / nanos;
    let line: String = format!("{what}: items={count} million_per_s={per_second} sum={sum}");
    writeln!(std::io::stderr(), "{line}").unwrap();
    count
}

fn measure(items: u32) {
    for (sources, spread) in [
        (1, Spread::Even),
        (2, Spread::Even),
        (5, Spread::Even),
        (5, Spread::Levels),
        (8, Spread::Even),
        (20, Spread::Even),
    ] {
        let mut cursor = merged(items, sources, spread);
        for forward in [true, false] {
            let what = format!("merged sources={sources} spread={spread:?} forward={forward}");
            let count = tell(&what, || {
                let (mut count, mut sum) = (0, 0u64);
                if forward {
                    cursor.seek_first().unwrap()
                } else {
                    cursor.seek_last().unwrap()
                }
                while let Some(item) = cursor.item() {
                    (count, sum) = (count + 1, sum.wrapping_mul(31).wrapping_add(item.seq));
                    if forward { cursor.next().unwrap() } else { cursor.prev().unwrap() }
                }
                (count, sum)
            });
            assert_eq!(count, u64::from(items));
        }
    }
    for with_ranges in [false, true] {
        let mut cursor = visible(items, 5, with_ranges);
        for forward in [true, false] {
            let what = format!("visible sources=5 ranges={with_ranges} forward={forward}");
            let count = tell(&what, || {
                let (mut count, mut sum) = (0, 0u64);
                if forward {
                    cursor.seek_first().unwrap()
                } else {
                    cursor.seek_last().unwrap()
                }
                while let Some(item) = cursor.item() {
                    (count, sum) = (count + 1, sum.wrapping_mul(31).wrapping_add(item.seq));
                    if forward { cursor.next().unwrap() } else { cursor.prev().unwrap() }
                }
                (count, sum)
            });
            assert_eq!(count, u64::from(items));
        }
    }
}

#[test]
fn walks_of_a_small_size() {
    measure(1000);
}

#[test]
#[ignore = "a measurement, for release"]
fn walks_of_a_large_size() {
    measure(2_000_000);
}
