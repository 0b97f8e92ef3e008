//! The merged walk against one sorted list of everything.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use super::super::super::key::{Cursor, compare};
use super::super::{MergeCursor, Source};
use super::{Case, Meter, Random, VecCursor, Version, for_seeds, sorted};
use crate::error::{Error, Result};
use crate::order::KeyOrder;

/// Does a random move to the cursor and to an index into the sorted list.
fn walk(
    random: &mut Random,
    case: &Case,
    all: &[Version],
    (cursor, at): (&mut MergeCursor, &mut Option<usize>),
) -> Result<()> {
    let (key, seq) = (random.key(case.keys), random.below(case.newest + 2));
    let before =
        all.partition_point(|v| compare(&case.order, (&v.key, v.seq), (&key[..], seq)).is_lt());
    let (moved, to) = match (random.below(12), *at) {
        (0, _) => (cursor.seek_first(), Some(0)),
        (1, _) => (cursor.seek_last(), all.len().checked_sub(1)),
        (2, _) | (3.., None) => (cursor.seek(&key, seq), Some(before)),
        (3, _) => (cursor.seek_before(&key, seq), before.checked_sub(1)),
        (4..8, Some(now)) => (cursor.next(), Some(now + 1)),
        (8.., Some(now)) => (cursor.prev(), now.checked_sub(1)),
    };
    *at = if moved.is_ok() { to.filter(|to| *to < all.len()) } else { None };
    moved
}

#[test]
fn any_walk_stands_where_one_sorted_list_would() {
    for_seeds(2000, |random| {
        let case = Case::random(random);
        let all = sorted(&case.order, case.versions.clone());
        let (mut cursor, mut at) = (case.merged(random, &Arc::default()), None);
        assert!(cursor.item().is_none());
        for _ in 0..150 {
            walk(random, &case, &all, (&mut cursor, &mut at)).unwrap();
            assert_eq!(cursor.item(), at.map(|at| all[at].item()));
        }
    });
}

#[test]
fn whole_scans_give_every_item_once_both_ways() {
    for_seeds(500, |random| {
        let case = Case::random(random);
        let all = sorted(&case.order, case.versions.clone());
        let mut cursor = case.merged(random, &Arc::default());
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
        assert_eq!((&forward, &backward), (&all, &all));
    });
}

#[test]
fn an_error_surfaces_and_leaves_it_on_none_until_it_is_sought() {
    for_seeds(1000, |random| {
        let (case, meter) = (Case::random(random), Arc::new(Meter::default()));
        let all = sorted(&case.order, case.versions.clone());
        let (mut cursor, mut at) = (case.merged(random, &meter), None);
        meter.fail_at.store(1 + random.below(60), Relaxed);
        let mut failures = 0;
        for _ in 0..100 {
            let before = meter.total();
            let moved = walk(random, &case, &all, (&mut cursor, &mut at));
            let fail_at = meter.fail_at.load(Relaxed);
            let due = before < fail_at && fail_at <= meter.total();
            assert_eq!(moved, if due { Err(Error::Closed) } else { Ok(()) });
            failures += u32::from(due);
            assert_eq!(cursor.item(), at.map(|at| all[at].item()));
        }
        assert!(failures <= 1);
    });
}

#[test]
fn equal_items_come_in_the_order_of_their_sources_both_ways() {
    let (order, meter) = (KeyOrder::Bytewise, Arc::default());
    let source = |n: u8| {
        let version = Version { value: vec![n], ..Version::put(b"k", 7) };
        Source::from(VecCursor::boxed(&order, vec![version], &meter))
    };
    let mut cursor = MergeCursor::new(order.clone(), (0..4).map(source).collect()).unwrap();
    let mut at = 0u8;
    cursor.seek_first().unwrap();
    for forward in
        [true, true, false, true, false, false, true, true, true, false, false, false, false]
    {
        assert_eq!(cursor.item().unwrap().value, [at]);
        if forward {
            cursor.next().unwrap()
        } else {
            cursor.prev().unwrap()
        }
        at = if forward { at + 1 } else { at.wrapping_sub(1) };
    }
    assert!(cursor.item().is_none());
}

#[test]
fn no_source_is_no_item() {
    let mut cursor: MergeCursor = MergeCursor::new(KeyOrder::Bytewise, Vec::new()).unwrap();
    cursor.seek_first().unwrap();
    assert!(cursor.item().is_none());
    cursor.seek_before(b"k", 1).unwrap();
    assert!(cursor.item().is_none());
}
