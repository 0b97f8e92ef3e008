//! Sets of range tombstones against the list that they were made of.

use alloc::vec;
use alloc::vec::Vec;

use super::super::super::range::{Range, Ranges, Walk};
use super::{Random, covers, for_seeds};
use crate::order::KeyOrder;

const KEYS: u64 = 30;

fn list(random: &mut Random) -> Vec<Range> {
    let count = random.below(12);
    (0..count)
        .map(|_| Range { from: random.key(KEYS), to: random.key(KEYS), seq: 1 + random.below(20) })
        .collect()
}

fn naive(order: &KeyOrder, list: &[Range], key: &[u8], seq: u64) -> u64 {
    list.iter()
        .filter(|range| range.seq <= seq && covers(order, range, key))
        .map(|range| range.seq)
        .max()
        .unwrap_or(0)
}

fn all_keys() -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = (b'A'..=b'z').map(|byte| vec![byte]).collect();
    for (byte, len) in (b'a'..=b'k').flat_map(|byte| [(byte, 2), (byte, 3), (byte, 4)]) {
        keys.push(vec![byte; len]);
    }
    keys
}

fn assert_says(order: &KeyOrder, ranges: &Ranges, list: &[Range]) {
    for key in all_keys() {
        for seq in 0..22 {
            let (says, should) = (ranges.covering(order, &key, seq), naive(order, list, &key, seq));
            assert_eq!(says, should, "key={key:?} seq={seq} list={list:?}");
        }
    }
    let fragments: Vec<_> = ranges.iter().collect();
    for fragment in &fragments {
        assert!(order.compare(fragment.from, fragment.to).is_lt());
        assert!(!fragment.seqs.is_empty() && fragment.seqs.is_sorted_by(|a, b| a > b));
    }
    for pair in fragments.windows(2) {
        assert!(order.compare(pair[0].to, pair[1].from).is_le());
        assert!(pair[0].to != pair[1].from || pair[0].seqs != pair[1].seqs, "cut for nothing");
    }
    assert_eq!(ranges.is_empty(), fragments.is_empty());
}

#[test]
fn a_set_says_what_its_list_says() {
    for_seeds(1500, |random| {
        let (order, list) = (random.order(), list(random));
        assert_says(&order, &Ranges::new(&order, &list).unwrap(), &list);
    });
}

#[test]
fn merged_sets_say_what_all_their_lists_say() {
    for_seeds(500, |random| {
        let order = random.order();
        let lists = [list(random), list(random), list(random)];
        let sets = lists.each_ref().map(|list| Ranges::new(&order, list).unwrap());
        assert_says(&order, &Ranges::merge(&order, &sets).unwrap(), &lists.concat());
    });
}

#[test]
fn a_clipped_set_ends_at_its_limits_and_the_parts_make_the_whole() {
    for_seeds(500, |random| {
        let (order, list) = (random.order(), list(random));
        let whole = Ranges::new(&order, &list).unwrap();
        let (from, to) = (random.key(KEYS), random.key(KEYS));
        let inside = whole.clip(&order, Some(&from), Some(&to)).unwrap();
        for key in all_keys() {
            let is_inside = order.compare(&from, &key).is_le() && order.compare(&key, &to).is_lt();
            let should = if is_inside { naive(&order, &list, &key, 15) } else { 0 };
            assert_eq!(inside.covering(&order, &key, 15), should, "key={key:?}");
        }
        assert_eq!(whole.clip(&order, None, None).unwrap(), whole);
        let parts = [
            whole.clip(&order, None, Some(&from)).unwrap(),
            whole.clip(&order, Some(&from), None).unwrap(),
        ];
        assert_eq!(Ranges::merge(&order, &parts).unwrap(), whole);
    });
}

#[test]
fn a_walk_says_the_same_from_wherever_it_stood() {
    for_seeds(300, |random| {
        let (order, list) = (random.order(), list(random));
        let ranges = Ranges::new(&order, &list).unwrap();
        let (keys, mut walk) = (all_keys(), Walk::default());
        for _ in 0..200 {
            let key = &keys[usize::try_from(random.below(keys.len() as u64)).unwrap()];
            let seq = random.below(22);
            let says = walk.covering(&ranges, &order, key, seq);
            assert_eq!(says, naive(&order, &list, key, seq), "key={key:?} seq={seq}");
        }
    });
}

#[test]
fn empty_and_inverted_ranges_cover_nothing() {
    let order = KeyOrder::Bytewise;
    let range = |from: &[u8], to: &[u8]| Range { from: from.to_vec(), to: to.to_vec(), seq: 9 };
    let ranges = Ranges::new(&order, &[range(b"b", b"b"), range(b"c", b"a")]).unwrap();
    assert!(ranges.is_empty());
    assert_eq!(ranges, Ranges::default());
    assert_eq!(ranges.covering(&order, b"b", 10), 0);
}

#[test]
fn a_thousand_deletes_of_one_range_are_one_fragment() {
    let order = KeyOrder::Bytewise;
    let one = |seq| Range { from: b"a".to_vec(), to: b"z".to_vec(), seq };
    let list: Vec<Range> = (1..=1000).map(one).collect();
    let ranges = Ranges::new(&order, &list).unwrap();
    assert_eq!(ranges.iter().count(), 1);
    assert_eq!(ranges.covering(&order, b"m", 500), 500);
}
