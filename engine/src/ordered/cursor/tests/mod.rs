//! What the tests of the cursors share: sources in memory, random inputs, and a reader so simple that it is right.
//!
//! Every random case has a seed; a failure names it, and `SEED=n` in the environment runs that case alone.

#![expect(clippy::unwrap_used, reason = "a test that fails")]

mod collapse;
mod merge;
mod ranges;
mod visible;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::super::key::{Cursor, Item, compare};
use super::super::range::Range;
use super::{MergeCursor, Source};
use crate::error::{Error, Result};
use crate::order::{Comparator, KeyOrder};
use crate::record::EntryKind;

/// One version of a key, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    key: Vec<u8>,
    seq: u64,
    kind: EntryKind,
    value: Vec<u8>,
    expires_ms: u64,
}

impl Version {
    fn put(key: &[u8], seq: u64) -> Self {
        let value = seq.to_le_bytes().to_vec();
        Self { key: key.to_vec(), seq, kind: EntryKind::Put, value, expires_ms: 0 }
    }

    fn item(&self) -> Item<'_> {
        let (kind, expires_ms) = (self.kind, self.expires_ms);
        Item { key: &self.key, seq: self.seq, kind, value: &self.value, expires_ms }
    }

    fn of(item: Item<'_>) -> Self {
        let (key, value) = (item.key.to_vec(), item.value.to_vec());
        Self { key, seq: item.seq, kind: item.kind, value, expires_ms: item.expires_ms }
    }
}

fn sorted(order: &KeyOrder, mut versions: Vec<Version>) -> Vec<Version> {
    versions.sort_by(|a, b| compare(order, (&a.key, a.seq), (&b.key, b.seq)));
    versions
}

/// What cursors did, and after how many operations they fail.
#[derive(Default)]
struct Meter {
    steps: AtomicU64,
    seeks: AtomicU64,
    /// 0 stands for never.
    fail_at: AtomicU64,
}

impl Meter {
    fn total(&self) -> u64 {
        self.steps.load(Relaxed) + self.seeks.load(Relaxed)
    }
}

/// A source over sorted versions.
struct VecCursor {
    order: KeyOrder,
    versions: Arc<Vec<Version>>,
    at: Option<usize>,
    meter: Arc<Meter>,
}

impl VecCursor {
    fn boxed(order: &KeyOrder, versions: Vec<Version>, meter: &Arc<Meter>) -> Box<dyn Cursor> {
        let (order, versions) = (order.clone(), Arc::new(sorted(order, versions)));
        Box::new(Self { order, versions, at: None, meter: Arc::clone(meter) })
    }

    fn moved(&mut self, counter: fn(&Meter) -> &AtomicU64, at: Option<usize>) -> Result<()> {
        counter(&self.meter).fetch_add(1, Relaxed);
        self.at = None;
        if self.meter.fail_at.load(Relaxed) == self.meter.total() {
            return Err(Error::Closed);
        }
        self.at = at.filter(|at| *at < self.versions.len());
        Ok(())
    }

    /// How many versions lie before a place.
    fn before(&self, key: &[u8], seq: u64) -> usize {
        let place = (key, seq);
        self.versions
            .partition_point(|v| compare(&self.order, (&v.key, v.seq), place) == Ordering::Less)
    }
}

impl Cursor for VecCursor {
    fn seek_first(&mut self) -> Result<()> {
        self.moved(|m| &m.seeks, Some(0))
    }

    fn seek_last(&mut self) -> Result<()> {
        self.moved(|m| &m.seeks, self.versions.len().checked_sub(1))
    }

    fn seek(&mut self, key: &[u8], seq: u64) -> Result<()> {
        self.moved(|m| &m.seeks, Some(self.before(key, seq)))
    }

    fn seek_before(&mut self, key: &[u8], seq: u64) -> Result<()> {
        self.moved(|m| &m.seeks, self.before(key, seq).checked_sub(1))
    }

    fn next(&mut self) -> Result<()> {
        let at = self.at.expect("next is called only on an item");
        self.moved(|m| &m.steps, Some(at + 1))
    }

    fn prev(&mut self) -> Result<()> {
        let at = self.at.expect("prev is called only on an item");
        self.moved(|m| &m.steps, at.checked_sub(1))
    }

    fn item(&self) -> Option<Item<'_>> {
        self.at.map(|at| self.versions[at].item())
    }
}

/// Longer keys first, then byte by byte: unlike the order byte by byte in every prefix.
struct ByLength;

impl Comparator for ByLength {
    fn name(&self) -> &str {
        "by-length"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        b.len().cmp(&a.len()).then_with(|| a.cmp(b))
    }
}

/// A small generator of random numbers (xorshift with a multiplication).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit.max(1)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of a few keys, some a prefix of others.
    fn key(&mut self, keys: u64) -> Vec<u8> {
        let n = self.below(keys);
        let byte = b'a' + u8::try_from(n / 3).unwrap();
        core::iter::repeat_n(byte, 1 + usize::try_from(n % 3).unwrap()).collect()
    }

    fn order(&mut self) -> KeyOrder {
        if self.one_in(4) { KeyOrder::Custom(Arc::new(ByLength)) } else { KeyOrder::Bytewise }
    }
}

/// Runs a case for each seed, or for that of the environment alone.
fn for_seeds(count: u64, case: impl Fn(&mut Random)) {
    struct Named(u64);
    impl Drop for Named {
        fn drop(&mut self) {
            if std::thread::panicking() {
                use std::io::Write as _;
                let _ = writeln!(std::io::stderr(), "failed with SEED={}", self.0);
            }
        }
    }
    let alone = std::env::var("SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    for seed in alone.map_or(0..count, |seed| seed..seed + 1) {
        let _named = Named(seed);
        case(&mut Random::new(seed));
    }
}

const TIME: u64 = 100;

/// Random versions and range tombstones, every sequence given once.
struct Case {
    order: KeyOrder,
    keys: u64,
    /// The greatest sequence given.
    newest: u64,
    versions: Vec<Version>,
    ranges: Vec<Range>,
}

impl Case {
    fn random(random: &mut Random) -> Self {
        let (order, keys) = (random.order(), 1 + random.below(40));
        let newest = 1 + random.below(120);
        let range_every = 2 + random.below(20);
        let (mut versions, mut ranges) = (Vec::new(), Vec::new());
        for seq in 1..=newest {
            if random.one_in(range_every) {
                ranges.push(Range { from: random.key(keys), to: random.key(keys), seq });
                continue;
            }
            // Why: a hot key makes long runs of versions.
            let key = if random.one_in(3) { b"b".to_vec() } else { random.key(keys) };
            let mut version = Version::put(&key, seq);
            match random.below(6) {
                0 => (version.kind, version.value) = (EntryKind::Tombstone, Vec::new()),
                1 => {
                    version.kind = EntryKind::PutUntil;
                    version.expires_ms = TIME - 2 + random.below(5);
                }
                _ => {}
            }
            versions.push(version);
        }
        Self { order, keys, newest, versions, ranges }
    }

    /// The versions spread over some sources, with their newest sequences known or not.
    fn merged(&self, random: &mut Random, meter: &Arc<Meter>) -> MergeCursor {
        let mut parts = alloc::vec![Vec::new(); 1 + usize::try_from(random.below(7)).unwrap()];
        let by_age = random.one_in(2);
        for (n, version) in self.versions.iter().enumerate() {
            let part = if by_age {
                n * parts.len() / self.versions.len()
            } else {
                usize::try_from(random.below(parts.len() as u64)).unwrap()
            };
            parts[part].push(version.clone());
        }
        let known = !random.one_in(3);
        let sources = parts.into_iter().map(|part| {
            let newest = part.iter().map(|version| version.seq).max().unwrap_or(0);
            let cursor = VecCursor::boxed(&self.order, part, meter);
            Source { cursor, newest: if known { newest } else { u64::MAX } }
        });
        MergeCursor::new(self.order.clone(), sources.collect()).unwrap()
    }

    /// What a reader at `seq` and `time_ms` finds under each key, in order: the right answer, the slow way.
    fn seen(&self, seq: u64, time_ms: u64) -> Vec<Version> {
        seen(&self.order, &self.versions, &self.ranges, seq, time_ms)
    }
}

fn covers(order: &KeyOrder, range: &Range, key: &[u8]) -> bool {
    order.compare(&range.from, key).is_le() && order.compare(key, &range.to).is_lt()
}

fn seen(
    order: &KeyOrder,
    versions: &[Version],
    ranges: &[Range],
    seq: u64,
    time_ms: u64,
) -> Vec<Version> {
    let mut found: Vec<Version> = Vec::new();
    for version in sorted(order, versions.to_vec()) {
        if version.seq > seq || found.last().is_some_and(|last| last.key == version.key) {
            continue;
        }
        found.push(version);
    }
    found.retain(|version| {
        let covered = |range: &Range| {
            range.seq <= seq && range.seq > version.seq && covers(order, range, &version.key)
        };
        let expired = version.kind == EntryKind::PutUntil && version.expires_ms <= time_ms;
        version.kind != EntryKind::Tombstone && !expired && !ranges.iter().any(covered)
    });
    found
}
