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
use crate::error::Result;
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

/// Runs a scan some times and tells the best: other programs on the machine only ever make it slower.
fn tell(what: &str, (items, runs): (u32, u32), mut scan: impl FnMut() -> (u64, u64)) {
    let (mut best, mut sum) = (u128::MAX, 0);
    for _ in 0..runs {
        let start = Instant::now();
        let (count, checksum) = scan();
        best = best.min(start.elapsed().as_nanos().max(1));
        assert_eq!(count, u64::from(items));
        sum = checksum;
    }
    let picos = best * 1000 / u128::from(items);
    let (nanos, tenths) = (picos / 1000, picos % 1000 / 100);
    let line: String = format!("{what}: items={items} ns_per_item={nanos}.{tenths} sum={sum}");
    writeln!(std::io::stderr(), "{line}").unwrap();
}

/// Counts what a walk stands on until it stands on none.
fn drain<C>(
    cursor: &mut C,
    seq: impl Fn(&C) -> Option<u64>,
    step: impl Fn(&mut C) -> Result<()>,
) -> (u64, u64) {
    let (mut count, mut sum) = (0, 0u64);
    while let Some(seq) = seq(cursor) {
        (count, sum) = (count + 1, sum.wrapping_mul(31).wrapping_add(seq));
        step(cursor).unwrap();
    }
    (count, sum)
}

fn measure(size: (u32, u32)) {
    for (sources, spread) in [
        (1, Spread::Even),
        (2, Spread::Even),
        (5, Spread::Even),
        (5, Spread::Levels),
        (8, Spread::Even),
        (20, Spread::Even),
    ] {
        let mut cursor = merged(size.0, sources, spread);
        let what = format!("merged sources={sources} spread={spread:?}");
        tell(&format!("{what} forward"), size, || {
            cursor.seek_first().unwrap();
            drain(&mut cursor, |cursor| cursor.item().map(|item| item.seq), Cursor::next)
        });
        tell(&format!("{what} backward"), size, || {
            cursor.seek_last().unwrap();
            drain(&mut cursor, |cursor| cursor.item().map(|item| item.seq), Cursor::prev)
        });
    }
    for with_ranges in [false, true] {
        let mut cursor = visible(size.0, 5, with_ranges);
        let what = format!("visible sources=5 ranges={with_ranges}");
        tell(&format!("{what} forward"), size, || {
            cursor.seek_first().unwrap();
            drain(&mut cursor, |c| c.item().map(|item| item.seq), VisibleCursor::next)
        });
        tell(&format!("{what} backward"), size, || {
            cursor.seek_last().unwrap();
            drain(&mut cursor, |c| c.item().map(|item| item.seq), VisibleCursor::prev)
        });
    }
}

#[test]
fn walks_of_a_small_size() {
    measure((1000, 2));
}

#[test]
#[ignore = "a measurement, for release"]
fn walks_of_a_large_size() {
    measure((100_000, 40));
}
