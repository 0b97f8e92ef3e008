//! The memtable beside a model, at its limits, and under readers while it is written.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test may fail loudly")]

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::cmp::Ordering as Order;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use keelstone_vfs::fault::Dice;

use super::filter::Filter;
use super::{Memtable, MemtableCursor, MemtableWriter, node};
use crate::codec::KeyHasher;
use crate::error::Error;
use crate::limits::KEY_BYTES_MAX;
use crate::order::{Comparator, KeyOrder};
use crate::ordered::key::{Cursor, Item};
use crate::ordered::range::Range;
use crate::record::EntryKind;

const MIB: usize = 1 << 20;

/// From the end of the bytes' order to its beginning; counts how often it was asked.
#[derive(Default)]
struct Reversed(AtomicUsize);

impl Comparator for Reversed {
    fn name(&self) -> &'static str {
        "reversed"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Order {
        self.0.fetch_add(1, Ordering::Relaxed);
        b.cmp(a)
    }
}

struct Random(Dice);

impl Random {
    fn new(seed: u64) -> Self {
        Self(Dice::new(seed))
    }

    fn next(&mut self) -> u64 {
        self.0.roll()
    }

    fn below(&mut self, end: usize) -> usize {
        self.0.below(end)
    }

    /// A key of few bytes that differ little, often behind a beginning longer than a prefix.
    fn key(&mut self) -> Vec<u8> {
        let mut key = if self.below(2) == 0 { b"longprefix".to_vec() } else { Vec::new() };
        for _ in 0..=self.below(3) {
            key.push([0, 1, 0x7f, 0x80, 0xff][self.below(5)]);
        }
        key
    }
}

fn hash(key: &[u8]) -> u128 {
    KeyHasher::new(7).hash(key)
}

fn put<'a>(key: &'a [u8], value: &'a [u8], seq: u64) -> Item<'a> {
    Item { key, seq, kind: EntryKind::Put, value, expires_ms: 0 }
}

fn new(order: KeyOrder, bytes_hint: usize) -> (Arc<Memtable>, MemtableWriter) {
    Memtable::new(order, bytes_hint, 1).unwrap()
}

/// Where an item stands, by the model's own idea of the order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    reversed: bool,
    key: Vec<u8>,
    seq: u64,
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Order {
        let keys = self.key.cmp(&other.key);
        let keys = if self.reversed { keys.reverse() } else { keys };
        keys.then(self.seq.cmp(&other.seq).reverse())
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

/// Kind, expiry and value of each version.
type Items = BTreeMap<Place, (EntryKind, u64, Vec<u8>)>;

struct Model {
    reversed: bool,
    items: Items,
}

fn item<'a>((place, (kind, until, value)): (&'a Place, &'a (EntryKind, u64, Vec<u8>))) -> Item<'a> {
    Item { key: &place.key, seq: place.seq, kind: *kind, value, expires_ms: *until }
}

impl Model {
    fn place(&self, key: &[u8], seq: u64) -> Place {
        Place { reversed: self.reversed, key: key.to_vec(), seq }
    }

    /// Every question that can be asked about one place.
    fn check_at(&self, table: &Memtable, cursor: &mut MemtableCursor, key: &[u8], seq: u64) {
        let place = self.place(key, seq);
        let (at, before) =
            (self.items.range(&place..).next(), self.items.range(..&place).next_back());
        cursor.seek(key, seq).unwrap();
        assert_eq!(cursor.item(), at.map(item), "seek key={key:?} seq={seq}");
        if at.is_some() {
            cursor.prev().unwrap();
            assert_eq!(cursor.item(), before.map(item), "prev key={key:?} seq={seq}");
        }
        cursor.seek_before(key, seq).unwrap();
        assert_eq!(cursor.item(), before.map(item), "seek_before key={key:?} seq={seq}");
        if before.is_some() {
            cursor.next().unwrap();
            assert_eq!(cursor.item(), at.map(item), "next key={key:?} seq={seq}");
        }
        let found = at.map(item).filter(|item| item.key == key);
        let met = table.get(key, hash(key), seq, |item| assert_eq!(Some(item), found)).is_some();
        assert_eq!(met, found.is_some(), "get key={key:?} seq={seq}");
    }

    fn check(&self, table: &Memtable, random: &mut Random) {
        assert_eq!(table.len(), self.items.len());
        let mut cursor = table.cursor();
        assert_eq!(cursor.item(), None, "a new cursor stands on none");
        cursor.seek_first().unwrap();
        for expected in self.items.iter().map(item) {
            assert_eq!(cursor.item(), Some(expected));
            cursor.next().unwrap();
        }
        assert_eq!(cursor.item(), None);
        cursor.seek_last().unwrap();
        for expected in self.items.iter().rev().map(item) {
            assert_eq!(cursor.item(), Some(expected));
            cursor.prev().unwrap();
        }
        assert_eq!(cursor.item(), None);
        for Place { key, seq, .. } in self.items.keys() {
            for seq in [0, seq - 1, *seq, seq + 1, u64::MAX] {
                self.check_at(table, &mut cursor, key, seq);
            }
        }
        for _ in 0..100 {
            let (key, seq) = (random.key(), random.next() % 500);
            self.check_at(table, &mut cursor, &key, seq);
        }
    }
}

fn agrees_with_a_model(seed: u64, reversed: bool) {
    let custom = || KeyOrder::Custom(Arc::new(Reversed::default()));
    let order = if reversed { custom() } else { KeyOrder::Bytewise };
    let (table, mut writer) = Memtable::new(order, 0, seed).unwrap();
    let (mut model, mut random) = (Model { reversed, items: Items::new() }, Random::new(seed));
    model.check(&table, &mut random);
    for seq in 1..=400 {
        let key = random.key();
        let (kind, until) = match random.below(4) {
            0 => (EntryKind::Tombstone, 0),
            1 => (EntryKind::PutUntil, random.next()),
            _ => (EntryKind::Put, 0),
        };
        let len = if kind == EntryKind::Tombstone { 0 } else { random.below(20) };
        let value = vec![seq as u8; len];
        // Why: sequences come in order from a batch, but need not.
        let seq = (seq ^ 3) + 1;
        let item = Item { key: &key, seq, kind, value: &value, expires_ms: until };
        writer.insert(&item, hash(&key)).unwrap();
        model.items.insert(model.place(&key, seq), (kind, until, value));
        if seq % 50 == 0 {
            model.check(&table, &mut random);
        }
    }
    model.check(&table, &mut random);
}

#[test]
fn random_items_read_as_the_model_says_in_both_orders() {
    for seed in 0..20 {
        agrees_with_a_model(seed, false);
        agrees_with_a_model(seed, true);
    }
}

#[test]
fn every_short_key_has_its_place() {
    let (table, mut writer) = new(KeyOrder::Bytewise, 0);
    let mut model = Model { reversed: false, items: Items::new() };
    let bytes = [0, 1, 0xff];
    let mut keys: Vec<Vec<u8>> = vec![Vec::new()];
    for len in 0..3 {
        let longer = keys
            .iter()
            .filter(|key| key.len() == len)
            .flat_map(|key| bytes.iter().map(move |byte| [key.as_slice(), &[*byte]].concat()));
        keys.extend(longer.collect::<Vec<_>>());
    }
    for (n, key) in keys.iter().skip(1).enumerate() {
        // The same bytes as a number of eight: only lengths and what follows tell them apart.
        for key in
            [key.clone(), [key.as_slice(), &[0; 6]].concat(), [&[0; 7], key.as_slice()].concat()]
        {
            let place = model.place(&key, n as u64 + 1);
            if model.items.insert(place, (EntryKind::Put, 0, Vec::new())).is_none() {
                writer.insert(&put(&key, &[], n as u64 + 1), hash(&key)).unwrap();
            }
        }
    }
    model.check(&table, &mut Random::new(1));
}

#[test]
fn the_longest_keys_and_large_values_are_kept() {
    let (table, mut writer) = new(KeyOrder::Bytewise, 0);
    let mut model = Model { reversed: false, items: Items::new() };
    let lens = [0, 1, 65_535, 65_536, MIB - 1, 5 * MIB, 0, 300_000, 700_000, 17];
    for (n, len) in lens.into_iter().enumerate() {
        let mut key = vec![b'k'; if n % 2 == 0 { KEY_BYTES_MAX } else { 3 }];
        *key.last_mut().unwrap() = n as u8;
        let (seq, value) = (n as u64 + 1, vec![n as u8; len]);
        writer.insert(&put(&key, &value, seq), hash(&key)).unwrap();
        model.items.insert(model.place(&key, seq), (EntryKind::Put, 0, value));
    }
    model.check(&table, &mut Random::new(2));
}

#[test]
fn a_cursor_keeps_the_items() {
    let (table, mut writer) = new(KeyOrder::Bytewise, 0);
    writer.insert(&put(b"a", b"1", 1), hash(b"a")).unwrap();
    let mut cursor = table.cursor();
    writer.insert(&put(b"b", b"2", 2), hash(b"b")).unwrap();
    drop((table, writer));
    cursor.seek_last().unwrap();
    assert_eq!(cursor.item(), Some(put(b"b", b"2", 2)));
    cursor.prev().unwrap();
    assert_eq!(cursor.item(), Some(put(b"a", b"1", 1)));
}

/// Bytes of a node without its tower.
fn least(key: usize, value: usize) -> usize {
    node::bytes(0, key, value).unwrap()
}

#[test]
fn little_memory_is_lost_at_the_ends_of_chunks() {
    for (count, value_max) in [(200_000, 100), (2_000, 20_000), (200, 900_000)] {
        let (table, mut writer) = new(KeyOrder::Bytewise, 64 * MIB);
        let empty = table.bytes();
        assert!(empty < MIB + 2 * 65_536, "the filter, and nothing large yet bytes={empty}");
        let (mut random, mut sum, value) = (Random::new(3), 0, vec![0; value_max]);
        for seq in 1..=count {
            let (key, len) = (random.next().to_le_bytes(), random.below(value_max));
            writer.insert(&put(&key, &value[..len], seq), hash(&key)).unwrap();
            sum += least(key.len(), len);
        }
        let taken = table.bytes() - empty;
        // A tower has 4 / 3 links in the mean; one chunk may be empty still.
        let towers = count as usize * 16 * 3 / 2;
        assert!(taken + 65_536 >= sum, "taken={taken} sum={sum}");
        assert!(taken <= (sum + towers) * 21 / 20 + MIB, "taken={taken} sum={sum}");
    }
}

#[test]
fn a_reserved_batch_takes_no_more_memory_in_any_order() {
    let (table, mut writer) = new(KeyOrder::Bytewise, 0);
    let (mut random, mut seq, value) = (Random::new(4), 0, vec![7; 300_000]);
    for round in 0..300 {
        let value_max = [1, 100, 5_000, value.len()][random.below(4)];
        let mut lens: Vec<usize> =
            (0..=random.below(40)).map(|_| random.below(value_max)).collect();
        let before = table.bytes();
        writer.reserve(lens.iter().map(|len| (16, *len)), [(1, 2)].into_iter()).unwrap();
        let reserved = table.bytes();
        let need: usize = lens.iter().map(|len| least(16, *len) + 24 * 16).sum();
        // The chunks of the ranges have grown to 16 KiB at the end.
        assert!(reserved - before <= need.max(MIB) + (16 << 10) + 4096, "round={round}");
        // What of a batch comes, and in which order, may differ from what was said.
        lens.reverse();
        lens.truncate(lens.len() - random.below(lens.len()) / 2);
        for len in lens {
            seq += 1;
            let key = [random.next(), seq].map(u64::to_le_bytes).concat();
            writer.insert(&put(&key, &value[..len], seq), hash(&key)).unwrap();
        }
        writer.insert_range(b"a", b"bc", seq).unwrap();
        assert_eq!(table.bytes(), reserved, "round={round}: the room was there");
    }
    assert_eq!(table.len() as u64, seq);
}

#[test]
fn too_much_is_refused_and_nothing_changes() {
    let (table, mut writer) = new(KeyOrder::Bytewise, 0);
    writer.insert(&put(b"a", b"1", 1), hash(b"a")).unwrap();
    let before = table.bytes();
    for lengths in [(1, usize::MAX), (1, usize::MAX / 2), (1, isize::MAX as usize - 99)] {
        let refused = writer.reserve([(1, 1), lengths].into_iter(), core::iter::empty());
        assert_eq!(refused, Err(Error::OutOfMemory));
        let refused = writer.reserve(core::iter::empty(), [lengths].into_iter());
        assert_eq!(refused, Err(Error::OutOfMemory));
    }
    assert_eq!((table.bytes(), table.len()), (before, 1));
    writer.insert(&put(b"b", b"2", 2), hash(b"b")).unwrap();
    assert_eq!(table.get(b"b", hash(b"b"), 2, |item| item.seq), Some(2));
}

#[test]
fn the_filter_forgets_nothing_and_lets_few_others_through() {
    // As many as fit when entries are as small as can be.
    let count = 2_u64 * (MIB as u64) / 48;
    let filter = Filter::new(2 * MIB).unwrap();
    assert_eq!(filter.bytes(), 2 * MIB / 64);
    let hash = |n: u64| hash(&n.to_le_bytes());
    (0..count).for_each(|n| filter.add(hash(n)));
    assert!((0..count).all(|n| filter.has(hash(n))));
    let wrong = (count..2 * count).filter(|n| filter.has(hash(*n))).count() as u64;
    assert!(wrong * 100 < count * 10, "wrong={wrong} of {count}");
    let roomy = Filter::new(8 * MIB).unwrap();
    (0..count).for_each(|n| roomy.add(hash(n)));
    let wrong = (count..2 * count).filter(|n| roomy.has(hash(*n))).count() as u64;
    assert!(wrong * 1000 < count * 5, "wrong={wrong} of {count}");
}

#[test]
fn ascending_inserts_need_no_search() {
    let comparator = Arc::new(Reversed::default());
    let order = KeyOrder::Custom(Arc::<Reversed>::clone(&comparator));
    let (table, mut writer) = new(order, 0);
    let asked = || comparator.0.swap(0, Ordering::Relaxed);
    let mut count = |n: u32| {
        let key = (u32::MAX - n).to_be_bytes();
        writer.insert(&put(&key, b"", u64::from(n) + 1), hash(&key)).unwrap();
        asked()
    };
    for n in (0..20_000).step_by(2) {
        assert!(count(n) <= 1, "at the end n={n}");
    }
    // Into a gap in the middle, too, after the search for it.
    let searched: usize = (0..100).map(|n| count(10_001 + 2 * n)).sum();
    assert!(searched < 100 * 60, "logarithmic searched={searched}");
    assert_eq!(table.len(), 10_100);
}

#[test]
fn a_search_is_short_whatever_the_seed() {
    for seed in 0..8 {
        let comparator = Arc::new(Reversed::default());
        let order = KeyOrder::Custom(Arc::<Reversed>::clone(&comparator));
        let (table, mut writer) = Memtable::new(order, 0, seed).unwrap();
        let mut random = Random::new(seed);
        for seq in 1..=10_000 {
            let key = random.next().to_le_bytes();
            writer.insert(&put(&key, b"", seq), hash(&key)).unwrap();
        }
        comparator.0.store(0, Ordering::Relaxed);
        let mut cursor = table.cursor();
        (0..1000).for_each(|_| cursor.seek(&random.next().to_le_bytes(), 9).unwrap());
        let asked = comparator.0.load(Ordering::Relaxed);
        assert!(asked < 1000 * 40, "seed={seed} asked={asked}");
    }
}

#[test]
fn ranges_are_kept_aside() {
    let (table, mut writer) = new(KeyOrder::Bytewise, 0);
    assert!(!table.has_ranges());
    assert!(table.ranges().unwrap().is_empty());
    let range = |from: &[u8], to: &[u8], seq| Range { from: from.to_vec(), to: to.to_vec(), seq };
    writer.insert_range(b"m", b"p", 5).unwrap();
    let first = table.ranges().unwrap();
    assert!(Arc::ptr_eq(&first, &table.ranges().unwrap()), "copied once");
    writer.insert_range(b"a", b"z", 6).unwrap();
    writer.insert_range(b"m", b"n", 7).unwrap();
    assert!(table.has_ranges());
    assert_eq!(*first, [range(b"m", b"p", 5)], "who asked earlier keeps what there was");
    let all = [range(b"a", b"z", 6), range(b"m", b"n", 7), range(b"m", b"p", 5)];
    assert_eq!(*table.ranges().unwrap(), all);
    assert_eq!((table.len(), table.get(b"m", hash(b"m"), 9, |_| ())), (0, None));
}

const CONCURRENT: u64 = if cfg!(miri) { 200 } else { 30_000 };

/// The key that is inserted as number `n`: not in order, two versions of each.
fn nth(n: u64) -> Vec<u8> {
    let spread = (n / 2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{spread:020}").into_bytes()
}

/// One look at everything while the writer goes on: `done` were there before.
fn look(table: &Memtable, done: u64, random: &mut Random) {
    for _ in 0..50 {
        let n = random.next() % done.max(1);
        let (key, seq) = (nth(n), n + 1);
        let value = table.get(&key, hash(&key), seq, |item| (item.seq, item.value.to_vec()));
        // Why 0 says nothing: the first item may just have come.
        assert!(value.is_some() || done == 0, "n={n} done={done}");
        assert!(value.is_none_or(|(found, value)| found == seq && value == key));
    }
    assert_eq!(
        table.ranges().unwrap().iter().filter(|r| r.seq <= done).count() as u64,
        done / 1000
    );
}

/// A walk in one direction meets everything that was there, in order.
fn walk(table: &Memtable, done: u64, back: bool) {
    let (mut cursor, mut last, mut met) = (table.cursor(), None::<Place>, 0);
    if back { cursor.seek_last() } else { cursor.seek_first() }.unwrap();
    while let Some(item) = cursor.item() {
        assert_eq!(item.key, item.value, "seen as a whole");
        let place = Place { reversed: false, key: item.key.to_vec(), seq: item.seq };
        assert!(
            last.is_none_or(
                |last| last.cmp(&place) == if back { Order::Greater } else { Order::Less }
            )
        );
        met += u64::from(item.seq <= done);
        last = Some(place);
        if back { cursor.prev() } else { cursor.next() }.unwrap();
    }
    assert_eq!(met, done, "everything that was there before");
}

#[test]
fn readers_find_in_order_whatever_was_inserted_before_they_began() {
    let (table, mut writer) = new(KeyOrder::Bytewise, MIB);
    let done = AtomicU64::new(0);
    thread::scope(|scope| {
        for reader in 0..2 {
            let (table, done) = (&table, &done);
            scope.spawn(move || {
                let (mut random, mut seen) = (Random::new(reader), 0);
                while seen < CONCURRENT {
                    seen = done.load(Ordering::Acquire);
                    look(table, seen, &mut random);
                    if random.below(16) == 0 || seen == CONCURRENT {
                        walk(table, seen, reader == 1);
                    }
                }
            });
        }
        for n in 0..CONCURRENT {
            let key = nth(n);
            writer.insert(&put(&key, &key, n + 1), hash(&key)).unwrap();
            if n % 1000 == 999 {
                writer.insert_range(&key, b"z", n + 1).unwrap();
            }
            done.store(n + 1, Ordering::Release);
        }
    });
}
