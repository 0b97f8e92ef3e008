//! What a user sees, against a reader that looks at everything, and how many steps it costs.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use super::super::super::range::{Range, Ranges};
use super::super::{MergeCursor, Source, View, VisibleCursor};
use super::{Case, Meter, Random, TIME, VecCursor, Version, for_seeds};
use crate::error::{Error, Result};
use crate::order::KeyOrder;
use crate::record::EntryKind;

fn view(random: &mut Random, case: &Case) -> View {
    let seq = if random.one_in(2) { case.newest } else { random.below(case.newest + 1) };
    let mut bound = || if random.one_in(2) { Some(random.key(case.keys)) } else { None };
    let (lower, upper) = (bound(), bound());
    View { seq, time_ms: TIME - 1 + random.below(3), lower, upper }
}

/// The keys of the view, in order.
fn expected(case: &Case, view: &View) -> Vec<Version> {
    let mut all = case.seen(view.seq, view.time_ms);
    all.retain(|version| {
        let key = &version.key;
        let above = view.lower.as_ref().is_none_or(|low| case.order.compare(low, key).is_le());
        let below = view.upper.as_ref().is_none_or(|up| case.order.compare(key, up).is_lt());
        above && below
    });
    all
}

fn cursor(random: &mut Random, case: &Case, view: &View, meter: &Arc<Meter>) -> VisibleCursor {
    let ranges = Arc::new(Ranges::new(&case.order, &case.ranges).unwrap());
    VisibleCursor::new(case.order.clone(), case.merged(random, meter), ranges, view.clone())
}

/// Does a random move to the cursor and to an index into what is expected.
fn walk(
    random: &mut Random,
    case: &Case,
    all: &[Version],
    (cursor, at): (&mut VisibleCursor, &mut Option<usize>),
) -> Result<()> {
    let key = random.key(case.keys);
    let before = all.partition_point(|v| case.order.compare(&v.key, &key).is_lt());
    let (moved, to) = match (random.below(12), *at) {
        (0, _) => (cursor.seek_first(), Some(0)),
        (1, _) => (cursor.seek_last(), all.len().checked_sub(1)),
        (2, _) => (cursor.seek(&key), Some(before)),
        (3, _) => (cursor.seek_before(&key), before.checked_sub(1)),
        (4..8, now) => (cursor.next(), now.map(|now| now + 1)),
        (8.., now) => (cursor.prev(), now.and_then(|now| now.checked_sub(1))),
    };
    *at = if moved.is_ok() { to.filter(|to| *to < all.len()) } else { None };
    moved
}

#[test]
fn any_walk_sees_what_a_reader_of_everything_sees() {
    for_seeds(4000, |random| {
        let case = Case::random(random);
        let view = view(random, &case);
        let all = expected(&case, &view);
        let mut cursor = cursor(random, &case, &view, &Arc::default());
        let mut at = None;
        for _ in 0..100 {
            walk(random, &case, &all, (&mut cursor, &mut at)).unwrap();
            assert_eq!(cursor.item(), at.map(|at| all[at].item()), "view={view:?}");
        }
    });
}

#[test]
fn whole_scans_see_every_key_once_both_ways() {
    for_seeds(2000, |random| {
        let case = Case::random(random);
        let view = view(random, &case);
        let mut cursor = cursor(random, &case, &view, &Arc::default());
        let mut forward = Vec::new();
        cursor.seek_first().unwrap();
        while let Some(item) = cursor.item() {
            forward.push(Version::of(item));
            cursor.next().unwrap();
        }
        let mut backward = Vec::new();
        cursor.seek_last().unwrap();
        while let Some(item) = cursor.item() {
            backward.push(Version::of(item));
            cursor.prev().unwrap();
        }
        backward.reverse();
        let all = expected(&case, &view);
        assert_eq!((&forward, &backward), (&all, &all));
    });
}

#[test]
fn an_error_leaves_it_on_none_and_a_seek_goes_on() {
    for_seeds(1500, |random| {
        let case = Case::random(random);
        let (view, meter) = (view(random, &case), Arc::new(Meter::default()));
        let all = expected(&case, &view);
        let (mut cursor, mut at) = (cursor(random, &case, &view, &meter), None);
        meter.fail_at.store(1 + random.below(100), Relaxed);
        for _ in 0..60 {
            let before = meter.total();
            let moved = walk(random, &case, &all, (&mut cursor, &mut at));
            let fail_at = meter.fail_at.load(Relaxed);
            let due = before < fail_at && fail_at <= meter.total();
            assert_eq!(moved, if due { Err(Error::Closed) } else { Ok(()) });
            assert_eq!(cursor.item(), at.map(|at| all[at].item()));
        }
    });
}

/// A cursor over these sources, each with its newest sequence known, and the count of what it does.
fn over(sources: Vec<Vec<Version>>, ranges: &[Range], seq: u64) -> (VisibleCursor, Arc<Meter>) {
    let (order, meter) = (KeyOrder::Bytewise, Arc::new(Meter::default()));
    let ranges = Arc::new(Ranges::new(&order, ranges).unwrap());
    let sources = sources.into_iter().map(|versions| {
        let newest = versions.iter().map(|version| version.seq).max().unwrap_or(0);
        Source { cursor: VecCursor::boxed(&order, versions, &meter), newest }
    });
    let inner = MergeCursor::new(order.clone(), sources.collect()).unwrap();
    let view = View { seq, ..View::default() };
    (VisibleCursor::new(order, inner, ranges, view), meter)
}

/// The keys seen by a whole scan, and what it cost.
fn scan(cursor: &mut VisibleCursor, meter: &Meter, forward: bool) -> (Vec<Version>, u64) {
    let before = meter.total();
    let mut found = Vec::new();
    if forward {
        cursor.seek_first().unwrap()
    } else {
        cursor.seek_last().unwrap()
    }
    while let Some(item) = cursor.item() {
        found.push(Version::of(item));
        if forward { cursor.next().unwrap() } else { cursor.prev().unwrap() }
    }
    (found, meter.total() - before)
}

#[test]
fn a_key_with_a_hundred_thousand_versions_costs_a_few_steps() {
    for seq in [1, 2, 50_000, 100_000, 100_001, 100_002] {
        let hot = |n: u64| Version::put(b"hot", n);
        let sources = vec![
            (2..=100_001).filter(|n| n % 3 != 0).map(hot).collect(),
            (2..=100_001).filter(|n| n % 3 == 0).map(hot).collect(),
            vec![Version::put(b"a", 1), Version::put(b"z", 1)],
        ];
        let (mut cursor, meter) = over(sources, &[], seq);
        for forward in [true, false] {
            let (found, cost) = scan(&mut cursor, &meter, forward);
            assert_eq!(found.len(), if seq > 1 { 3 } else { 2 });
            assert!(cost < 60, "cost={cost} seq={seq} forward={forward}");
        }
    }
}

#[test]
fn a_hot_key_that_was_deleted_costs_a_few_steps() {
    let mut hot: Vec<Version> = (1..=100_000).map(|n| Version::put(b"hot", n)).collect();
    hot.push(Version {
        kind: EntryKind::Tombstone,
        value: Vec::new(),
        ..Version::put(b"hot", 100_001)
    });
    // Why: newer than the reader, they are passed before the tombstone, and the stale ones behind it.
    hot.extend((100_002..=200_000).map(|n| Version::put(b"hot", n)));
    let (mut cursor, meter) = over(vec![hot], &[], 100_001);
    for forward in [true, false] {
        let (found, cost) = scan(&mut cursor, &meter, forward);
        assert!(found.is_empty() && cost < 40, "cost={cost}");
    }
}

#[test]
fn a_range_delete_over_a_hundred_thousand_keys_costs_a_few_steps() {
    let old = (0..100_000u32)
        .map(|n| Version::put(alloc::format!("k{n:06}").as_bytes(), 1 + u64::from(n)))
        .collect();
    let newer = vec![Version::put(b"k050000", 200_001), Version::put(b"m", 200_002)];
    let range = Range { from: b"k000010".to_vec(), to: b"k099990".to_vec(), seq: 200_000 };
    let (mut cursor, meter) = over(vec![newer, old], &[range], u64::MAX);
    for forward in [true, false] {
        let (found, cost) = scan(&mut cursor, &meter, forward);
        assert_eq!(found.len(), 22);
        assert!(found.iter().any(|version| version.key == b"k050000"));
        assert!(cost < 150, "cost={cost} forward={forward}");
    }
    // Why: a reader older than the tombstone must still be told everything.
    let (found, _) = {
        let old = (0..1000u32)
            .map(|n| Version::put(alloc::format!("k{n:06}").as_bytes(), 1 + u64::from(n)))
            .collect();
        let range = Range { from: b"a".to_vec(), to: b"z".to_vec(), seq: 200_000 };
        let (mut cursor, meter) = over(vec![old], &[range], 199_999);
        scan(&mut cursor, &meter, true)
    };
    assert_eq!(found.len(), 1000);
}
