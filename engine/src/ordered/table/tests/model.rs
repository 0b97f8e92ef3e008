//! Random tables against a sorted list, in every form that options give them.

use super::*;

/// The options in all forms.
fn all_options() -> Vec<TableOptions> {
    let mut all = Vec::new();
    for block_bytes in [1, 200, 4096] {
        for restart_interval in [1, 16] {
            for lz4 in [false, true] {
                let filter_bits_per_key = if lz4 { 10 } else { restart_interval - 1 };
                let prefix_bytes = lz4.then_some(2);
                all.push(TableOptions {
                    block_bytes,
                    restart_interval,
                    filter_bits_per_key,
                    prefix_bytes,
                    lz4,
                });
            }
        }
    }
    all
}

fn orders() -> [KeyOrder; 2] {
    [KeyOrder::Bytewise, KeyOrder::Custom(Arc::new(Shortlex))]
}

/// Places at, before and behind an item, and keys that resemble its key.
fn places_near(item: &Owned, dice: &mut Dice) -> Vec<(Vec<u8>, u64)> {
    let mut keys = vec![item.key.clone(), [&item.key[..], &[0]].concat()];
    let mut other = item.key.clone();
    let last = other.pop().unwrap();
    keys.push([&other[..], &[last.wrapping_add(1)]].concat());
    if !other.is_empty() {
        keys.push([&other[..], &[last.wrapping_sub(1)]].concat());
        keys.push(other);
    }
    let key = keys.swap_remove(dice.below(keys.len()));
    let seqs = [0, item.seq.saturating_sub(1), item.seq, item.seq.saturating_add(1), u64::MAX];
    let mut places: Vec<_> = seqs.iter().map(|seq| (item.key.clone(), *seq)).collect();
    places.push((key, seqs[dice.below(5)]));
    places
}

/// Compares searches of all kinds with the list.
fn check_searches(table: &Arc<Table>, items: &[Owned], dice: &mut Dice) {
    let order = &table.order;
    let blocks = Arc::new(BlockCache::new(1 << 20));
    let mut cursor = TableCursor::new(Arc::clone(table), Arc::clone(&blocks), Reading::CACHED);
    for item in items {
        for (key, seq) in places_near(item, dice) {
            let at = items.partition_point(|i| compare(order, i.place(), (&key, seq)).is_lt());
            let before = at.checked_sub(1).map(|at| &items[at]);
            cursor.seek(&key, seq).unwrap();
            assert_eq!(cursor.item().map(Owned::of).as_ref(), items.get(at), "{key:?} {seq}");
            let expected = items.get(at).filter(|item| item.key == key);
            let found = get(table, &blocks, &key, seq).unwrap();
            assert_eq!(found.as_ref(), expected, "{key:?} {seq}");
            cursor.seek_before(&key, seq).unwrap();
            assert_eq!(cursor.item().map(Owned::of).as_ref(), before, "{key:?} {seq}");
        }
        for len in 1..item.key.len().min(5) {
            assert!(table.may_contain_prefix(&item.key[..len]));
        }
    }
}

/// Walks to and fro.
fn check_steps(cursor: &mut TableCursor, items: &[Owned], dice: &mut Dice) {
    for _ in 0..20 {
        let mut at = dice.below(items.len());
        cursor.seek(&items[at].key, items[at].seq).unwrap();
        for _ in 0..40 {
            assert_eq!(cursor.item().map(Owned::of).as_ref(), Some(&items[at]));
            if dice.below(2) == 0 {
                cursor.next().unwrap();
                at += 1;
            } else {
                cursor.prev().unwrap();
                at = at.wrapping_sub(1);
            }
            if at >= items.len() {
                assert_eq!(cursor.item(), None);
                break;
            }
        }
    }
}

#[test]
fn what_was_written_is_found_in_both_directions_and_from_everywhere() {
    for (seed, options) in all_options().into_iter().enumerate() {
        for order in orders() {
            let dice = &mut Dice::new(seed as u64);
            let count = [1, 40, 700][seed % 3];
            let items = sample(dice, &order, count);
            let built = build(&order, options, &items, &[]);
            let table = Arc::new(built.open().unwrap());
            assert_eq!(*table.meta(), built.meta);
            for reading in [Reading::CACHED, Reading::ONCE] {
                let mut cursor = cursor(&table, reading);
                assert!(walk(&mut cursor, true).unwrap() == items, "{seed} {options:?}");
                let mut back = walk(&mut cursor, false).unwrap();
                back.reverse();
                assert!(back == items, "{seed} {options:?}");
                check_steps(&mut cursor, &items, dice);
            }
            check_searches(&table, &items, dice);
            let report = table.verify().unwrap();
            assert_eq!((report.hurts, report.entries), (vec![], items.len() as u64), "{options:?}");
        }
    }
}
