//! What stays after a compaction, against readers that look at everything before and after it.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use super::super::super::range::{Range, Ranges};
use super::super::{Collapse, MergeCursor, Older, Pull, Readers, Source};
use super::{Case, Meter, Random, TIME, VecCursor, Version, covers, for_seeds, seen, sorted};
use crate::error::Error;
use crate::order::KeyOrder;
use crate::record::EntryKind;

/// A level below that holds some keys, or says so.
#[derive(Clone)]
struct Held {
    order: KeyOrder,
    keys: Vec<Vec<u8>>,
}

impl Older for Held {
    fn holds(&mut self, key: &[u8]) -> bool {
        self.keys.iter().any(|held| held == key)
    }

    fn holds_any(&mut self, from: &[u8], to: &[u8]) -> bool {
        let range = Range { from: from.to_vec(), to: to.to_vec(), seq: 1 };
        self.keys.iter().any(|key| covers(&self.order, &range, key))
    }
}

/// A store with the inputs of a compaction in the middle, newer entries above them and older ones below.
struct Store {
    inputs: Case,
    above: Case,
    below: Case,
    held: Held,
    readers: Readers,
}

impl Store {
    fn random(random: &mut Random) -> Self {
        let all = Case::random(random);
        let mut cut = [random.below(all.newest + 1), random.below(all.newest + 1)];
        cut.sort_unstable();
        if random.one_in(3) {
            cut[0] = 0;
        }
        let part = |from: u64, through: u64| Case {
            order: all.order.clone(),
            versions: all
                .versions
                .iter()
                .filter(|v| v.seq > from && v.seq <= through)
                .cloned()
                .collect(),
            ranges: all
                .ranges
                .iter()
                .filter(|r| r.seq > from && r.seq <= through)
                .cloned()
                .collect(),
            ..all
        };
        let (below, inputs) = (part(0, cut[0]), part(cut[0], cut[1]));
        let above = part(cut[1], u64::MAX);
        let mut keys: Vec<_> = below.versions.iter().map(|version| version.key.clone()).collect();
        (0..random.below(4)).for_each(|_| keys.push(random.key(all.keys)));
        let mut snapshots: Vec<_> =
            (0..random.below(5)).map(|_| random.below(all.newest + 1)).collect();
        snapshots.sort_unstable();
        let held = Held { order: all.order.clone(), keys };
        Self { inputs, above, below, held, readers: Readers { snapshots, expired_ms: TIME - 1 } }
    }

    /// All sequences at which somebody reads.
    fn reads(&self) -> Vec<u64> {
        let newest = [self.inputs.newest, u64::MAX];
        self.readers.snapshots.iter().copied().chain(newest).collect()
    }

    fn seen_with(&self, inputs: &Case, seq: u64, time_ms: u64) -> Vec<Version> {
        let parts = [&self.below, inputs, &self.above];
        let versions = parts.map(|part| &part.versions[..]).concat();
        let ranges = parts.map(|part| &part.ranges[..]).concat();
        seen(&inputs.order, &versions, &ranges, seq, time_ms)
    }

    fn collapse(&self, random: &mut Random, meter: &Arc<Meter>) -> Collapse<MergeCursor, Held> {
        let order = &self.inputs.order;
        let ranges = Ranges::new(order, &self.inputs.ranges).unwrap();
        let cursor = self.inputs.merged(random, meter);
        Collapse::new(order.clone(), cursor, ranges, self.readers.clone(), self.held.clone())
    }

    /// The inputs as they are after the compaction.
    fn collapsed(&self, random: &mut Random) -> Case {
        let mut collapse = self.collapse(random, &Arc::default());
        let mut versions = Vec::new();
        loop {
            match collapse.next().unwrap() {
                Pull::Item(item) => versions.push(Version::of(item)),
                Pull::More => {}
                Pull::End => break,
            }
        }
        assert_eq!(collapse.items_read(), self.inputs.versions.len() as u64);
        let kept = collapse.ranges().unwrap();
        let ranges = kept.iter().flat_map(|fragment| {
            fragment.seqs.iter().map(move |seq| Range {
                from: fragment.from.to_vec(),
                to: fragment.to.to_vec(),
                seq: *seq,
            })
        });
        Case { order: self.inputs.order.clone(), versions, ranges: ranges.collect(), ..self.inputs }
    }

    /// The greatest sequence that the same readers see.
    fn end_of_stripe(&self, seq: u64) -> u64 {
        self.readers.snapshots.iter().copied().find(|end| *end >= seq).unwrap_or(u64::MAX)
    }

    fn is_oldest_stripe(&self, seq: u64) -> bool {
        self.readers.snapshots.first().is_none_or(|first| seq <= *first)
    }
}

#[test]
fn every_reader_sees_the_same_before_and_after() {
    for_seeds(4000, |random| {
        let store = Store::random(random);
        let after = store.collapsed(random);
        assert_eq!(sorted(&after.order, after.versions.clone()), after.versions);
        for seq in store.reads() {
            for time_ms in TIME - 1..=TIME + 2 {
                let before = store.seen_with(&store.inputs, seq, time_ms);
                let after = store.seen_with(&after, seq, time_ms);
                assert_eq!(before, after, "seq={seq} readers={:?}", store.readers);
            }
        }
    });
}

#[test]
fn nothing_stays_that_nobody_sees_but_tombstones_that_hide_something() {
    for_seeds(4000, |random| {
        let store = Store::random(random);
        let after = store.collapsed(random);
        let (order, mut held) = (&after.order, store.held.clone());
        for version in &after.versions {
            let end = store.end_of_stripe(version.seq);
            if version.kind != EntryKind::Tombstone {
                let seen = store.inputs.seen(end, TIME - 1);
                assert!(seen.contains(version), "{version:?} readers={:?}", store.readers);
                continue;
            }
            let newer = |other: &Version| {
                other.key == version.key && other.seq > version.seq && other.seq <= end
            };
            assert!(!store.inputs.versions.iter().any(newer), "{version:?} is shadowed");
            let over = |range: &Range| {
                range.seq > version.seq && range.seq <= end && covers(order, range, &version.key)
            };
            assert!(!store.inputs.ranges.iter().any(over), "{version:?} is covered");
            assert!(!store.is_oldest_stripe(version.seq) || held.holds(&version.key));
        }
        for range in &after.ranges {
            let end = store.end_of_stripe(range.seq);
            let over = |other: &Range| {
                other.seq > range.seq && other.seq <= end && covers(order, other, &range.from)
            };
            assert!(!store.inputs.ranges.iter().any(over), "{range:?} is shadowed");
            let needed = held.holds_any(&range.from, &range.to);
            assert!(!store.is_oldest_stripe(range.seq) || needed, "{range:?} hides nothing");
        }
    });
}

#[test]
fn a_second_compaction_changes_nothing() {
    for_seeds(2000, |random| {
        let mut store = Store::random(random);
        store.inputs = store.collapsed(random);
        let again = store.collapsed(random);
        assert_eq!(again.versions, store.inputs.versions);
        let ranges = |case: &Case| Ranges::new(&case.order, &case.ranges).unwrap();
        assert_eq!(ranges(&again), ranges(&store.inputs));
    });
}

#[test]
fn an_error_is_never_the_end() {
    for_seeds(1000, |random| {
        let (store, meter) = (Store::random(random), Arc::new(Meter::default()));
        meter.fail_at.store(1 + random.below(80), Relaxed);
        let mut collapse = store.collapse(random, &meter);
        let end = loop {
            match collapse.next() {
                Ok(Pull::End) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        let due = meter.total() >= meter.fail_at.load(Relaxed);
        assert_eq!(end, if due { Err(Error::Closed) } else { Ok(()) });
        for _ in 0..3 {
            let again = collapse.next();
            assert_eq!(again, if due { Err(Error::Closed) } else { Ok(Pull::End) });
        }
    });
}

fn over(versions: Vec<Version>, held: &[&[u8]], readers: Readers) -> Collapse<MergeCursor, Held> {
    let (order, meter) = (KeyOrder::Bytewise, Arc::default());
    let source = Source::from(VecCursor::boxed(&order, versions, &meter));
    let cursor = MergeCursor::new(order.clone(), vec![source]).unwrap();
    let keys = held.iter().map(|key| key.to_vec()).collect();
    let held = Held { order: order.clone(), keys };
    Collapse::new(order, cursor, Ranges::default(), readers, held)
}

#[test]
fn work_for_one_call_is_bounded_by_items_and_by_bytes() {
    let readers = Readers { snapshots: vec![50_000], expired_ms: 0 };
    for value_bytes in [8usize, 10_000] {
        let count = if value_bytes == 8 { 100_000 } else { 2000 };
        let large = |seq| Version { value: vec![1; value_bytes], ..Version::put(b"hot", seq) };
        let mut collapse = over((1..=count).map(large).collect(), &[], readers.clone());
        let (mut kept, mut calls) = (Vec::new(), 0u64);
        loop {
            let (items, bytes) = (collapse.items_read(), collapse.bytes_read());
            let item = match collapse.next().unwrap() {
                Pull::Item(item) => Some(item.seq),
                Pull::More => None,
                Pull::End => break,
            };
            kept.extend(item);
            calls += 1;
            assert!(collapse.items_read() - items <= 256);
            assert!(collapse.bytes_read() - bytes <= (256 << 10) + 10_003);
        }
        assert_eq!(kept, if count > 50_000 { vec![100_000, 50_000] } else { vec![2000] });
        assert!(calls > 50);
    }
}

/// LevelDB issue 178 and its kin: what was deleted comes back, because its tombstone went before it did.
#[test]
fn a_tombstone_goes_only_where_nothing_older_lies_and_no_older_snapshot_reads() {
    let tombstone =
        |seq| Version { kind: EntryKind::Tombstone, value: Vec::new(), ..Version::put(b"k", seq) };
    let kept = |versions: Vec<Version>, held: &[&[u8]], snapshots: &[u64]| {
        let readers = Readers { snapshots: snapshots.to_vec(), expired_ms: 0 };
        let mut collapse = over(versions, held, readers);
        let mut seqs = Vec::new();
        while let Pull::Item(item) = collapse.next().unwrap() {
            seqs.push(item.seq);
        }
        seqs
    };
    let both = || vec![tombstone(9), Version::put(b"k", 5)];
    assert_eq!(kept(both(), &[], &[]), []);
    assert_eq!(kept(both(), &[b"k"], &[]), [9]);
    assert_eq!(kept(both(), &[b"j"], &[]), []);
    assert_eq!(kept(both(), &[], &[7]), [9, 5]);
    assert_eq!(kept(both(), &[], &[9]), []);
    assert_eq!(kept(both(), &[], &[4]), [9]);
}

#[test]
fn an_expired_entry_becomes_a_tombstone_or_nothing() {
    let until =
        |expires_ms| Version { kind: EntryKind::PutUntil, expires_ms, ..Version::put(b"k", 5) };
    let first = |expires_ms, held: &[&[u8]]| {
        let readers = Readers { snapshots: Vec::new(), expired_ms: 100 };
        let mut collapse = over(vec![until(expires_ms)], held, readers);
        match collapse.next().unwrap() {
            Pull::Item(item) => Some(Version::of(item)),
            _ => None,
        }
    };
    assert_eq!(first(101, &[]), Some(until(101)));
    assert_eq!(first(100, &[]), None);
    let buried = first(100, &[b"k"]).unwrap();
    assert_eq!((buried.kind, buried.seq, buried.expires_ms), (EntryKind::Tombstone, 5, 0));
    assert!(buried.value.is_empty());
}
