//! Bytes as a list of operations on memtables, tables and the walks over them, beside a model of
//! plain maps.
//!
//! Why beside the whole store: here every level, every direction and every bound is one byte away.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use keelstone::probe::{Merged, Sight, Stack, StackShape, Version, Visible};

use super::Bytes;

/// More operations than this teach nothing new.
const OPS_MAX: usize = 400;
/// More memtables and tables than this neither.
const PARTS_MAX: usize = 6;

type Place = (Vec<u8>, Reverse<u64>);
type Versions = BTreeMap<Place, Version>;

/// Keys from one up to another are gone below a sequence.
struct Range {
    from: Vec<u8>,
    to: Vec<u8>,
    seq: u64,
}

/// What is in the stack, and everything that was ever written.
#[derive(Default)]
struct Model {
    written: Versions,
    ranges: Vec<Range>,
    memtable: Versions,
    /// The newest first.
    sealed: Vec<Versions>,
    tables: Vec<Versions>,
}

impl Model {
    /// Every version that is there, in order.
    fn merged(&self) -> Vec<Version> {
        let mut all = self.memtable.clone();
        for part in self.sealed.iter().chain(&self.tables) {
            all.extend(part.clone());
        }
        all.into_values().collect()
    }

    /// What a reader sees, in order.
    fn visible(&self, sight: &Sight) -> Vec<Version> {
        let mut newest: BTreeMap<&[u8], &Version> = BTreeMap::new();
        for version in self.written.values().filter(|version| version.seq <= sight.seq) {
            newest.entry(&version.key).or_insert(version);
        }
        let seen = newest.into_values().filter(|version| self.is_seen(version, sight));
        let above = |key: &Vec<u8>| sight.lower.as_ref().is_none_or(|lower| lower <= key);
        let below = |key: &Vec<u8>| sight.upper.as_ref().is_none_or(|upper| key < upper);
        seen.filter(|v| above(&v.key) && below(&v.key)).cloned().collect()
    }

    fn is_seen(&self, version: &Version, sight: &Sight) -> bool {
        let covers = |range: &&Range| {
            let newer = range.seq > version.seq && range.seq <= sight.seq;
            newer && range.from <= version.key && version.key < range.to
        };
        let alive = version.expires_ms.is_none_or(|expires_ms| expires_ms > sight.time_ms);
        version.value.is_some() && alive && !self.ranges.iter().any(|range| covers(&range))
    }

    /// The newest version that is there, up to a sequence.
    fn get(&self, key: &[u8], seq: u64) -> Option<Version> {
        let parts = self.sealed.iter().chain(&self.tables).chain([&self.memtable]);
        let places = (key.to_vec(), Reverse(seq))..=(key.to_vec(), Reverse(0));
        let found = parts.filter_map(|part| part.range(places.clone()).next());
        found.map(|(_, version)| version).max_by_key(|version| version.seq).cloned()
    }

    /// Puts what a compaction kept in the place of its inputs.
    fn compact(&mut self, (first, end): (usize, usize), kept: Vec<Version>, expired_ms: u64) {
        let mut inputs = Versions::new();
        for table in self.tables.drain(first..end) {
            inputs.extend(table);
        }
        let mut output = Versions::new();
        for version in kept {
            let place = (version.key.clone(), Reverse(version.seq));
            let input = inputs.get(&place).expect("a compaction makes nothing up");
            let buried = Version { value: None, expires_ms: None, ..input.clone() };
            let expired = input.expires_ms.is_some_and(|at| at <= expired_ms);
            assert!(version == *input || (expired && version == buried), "{version:?} {input:?}");
            let behind = output.last_key_value().is_none_or(|(last, _)| *last < place);
            assert!(behind, "a compaction keeps the order");
            output.insert(place, version);
        }
        self.tables.insert(first, output);
    }
}

/// Where a walk stands in a list; `None`: on none.
type At = Option<usize>;

/// The stack, the model, and the walks that are open.
struct Run {
    stack: Stack,
    model: Model,
    next_seq: u64,
    time_ms: u64,
    /// Before this time nothing that expires may be looked at any more.
    expired_ms: u64,
    /// The sequences that readers hold, ascending.
    snapshots: Vec<u64>,
    /// Readers at this sequence and later see everything that is not of a snapshot.
    compacted_seq: u64,
    merged: Option<(Merged, Vec<Version>, At)>,
    visible: Option<(Visible, Vec<Version>, At)>,
}

/// The first two bytes are the shape, the rest are operations.
///
/// # Panics
/// If a walk does not stand where the model says.
pub fn iterators(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let mut run = Run::new(&mut bytes);
    for _ in 0..OPS_MAX {
        if bytes.is_empty() {
            break;
        }
        run.step(&mut bytes);
    }
    run.open_merged();
    run.open_visible(Sight { seq: run.next_seq, time_ms: run.time_ms, ..Sight::default() });
    run.walk_through();
}

fn key(bytes: &mut Bytes<'_>) -> Vec<u8> {
    let n = bytes.byte();
    match n {
        0..=99 => vec![b'h'],
        100..=199 => vec![b'a' + n % 16],
        200..=239 => vec![b'a' + n % 4; 1 + usize::from(n % 8) / 2],
        _ => vec![b'm'; usize::from(n - 239) * 20],
    }
}

impl Run {
    fn new(bytes: &mut Bytes<'_>) -> Self {
        let (flags, block) = (bytes.byte(), bytes.byte());
        let shape = StackShape {
            block_bytes: usize::from(block),
            restart_interval: 1 + usize::from(flags & 15),
            lz4: flags & 16 != 0,
            ahead: flags & 32 != 0,
            known: flags & 64 == 0,
        };
        Self {
            stack: Stack::new(shape),
            model: Model::default(),
            next_seq: 1,
            time_ms: 100,
            expired_ms: 0,
            snapshots: Vec::new(),
            compacted_seq: 0,
            merged: None,
            visible: None,
        }
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.byte() % 32 {
            0..=5 => self.put(bytes),
            6 | 7 => self.insert(key(bytes), None, None),
            8 | 9 => self.delete_range(&key(bytes), &key(bytes)),
            10 | 11 => self.seal(),
            12 | 13 => self.flush(),
            14 => self.compact(bytes),
            15 => self.time_ms += u64::from(bytes.byte() % 8),
            16 => self.snapshot(bytes),
            17 => self.get(bytes),
            18 => self.open_merged(),
            19 | 20 => {
                let sight = self.sight(bytes);
                self.open_visible(sight);
            }
            21 => self.walk_through(),
            22..=25 => self.move_merged(bytes),
            _ => self.move_visible(bytes),
        }
    }

    fn seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq - 1
    }

    fn put(&mut self, bytes: &mut Bytes<'_>) {
        let (key, what) = (key(bytes), bytes.byte());
        let expires_ms = (what % 4 == 0).then(|| self.time_ms + u64::from(what >> 4));
        let value = vec![what; usize::from(what % 32) * usize::from(what >> 5)];
        self.insert(key, Some(value), expires_ms);
    }

    fn insert(&mut self, key: Vec<u8>, value: Option<Vec<u8>>, expires_ms: Option<u64>) {
        let seq = self.seq();
        let version = Version { key, seq, value, expires_ms };
        self.stack.insert(&version);
        let place = (version.key.clone(), Reverse(seq));
        self.model.memtable.insert(place.clone(), version.clone());
        self.model.written.insert(place, version);
        // Why: a merged walk may meet what comes meanwhile or not; a reader of an earlier sequence must not care.
        self.merged = None;
    }

    fn delete_range(&mut self, from: &[u8], to: &[u8]) {
        let seq = self.seq();
        self.stack.delete_range(from, to, seq);
        self.model.ranges.push(Range { from: from.to_vec(), to: to.to_vec(), seq });
    }

    fn seal(&mut self) {
        if self.stack.sealed() < PARTS_MAX {
            self.stack.seal();
            let memtable = std::mem::take(&mut self.model.memtable);
            self.model.sealed.insert(0, memtable);
        }
    }

    fn flush(&mut self) {
        if self.stack.tables() < PARTS_MAX {
            self.stack.flush();
            if let Some(oldest) = self.model.sealed.pop() {
                self.model.tables.insert(0, oldest);
            }
        }
    }

    fn compact(&mut self, bytes: &mut Bytes<'_>) {
        let count = self.stack.tables();
        if count == 0 {
            return;
        }
        let first = bytes.index(count);
        let end = first + 1 + bytes.index(count - first);
        self.expired_ms = self.expired_ms.max(self.time_ms.saturating_sub(10));
        let kept = self.stack.compact((first, end), &self.snapshots, self.expired_ms);
        self.model.compact((first, end), kept, self.expired_ms);
        self.compacted_seq = self.next_seq - 1;
    }

    /// Takes a snapshot, or gives one up.
    fn snapshot(&mut self, bytes: &mut Bytes<'_>) {
        let seq = self.next_seq - 1;
        if bytes.byte() & 1 == 1 && !self.snapshots.is_empty() {
            self.snapshots.remove(bytes.index(self.snapshots.len()));
        } else if self.snapshots.last() != Some(&seq) {
            self.snapshots.push(seq);
        }
    }

    fn get(&mut self, bytes: &mut Bytes<'_>) {
        let (key, seq) = (key(bytes), u64::from(bytes.byte()));
        assert_eq!(self.stack.get(&key, seq), self.model.get(&key, seq), "get {key:?} at {seq}");
    }

    /// A reader that there may be: of a snapshot, or of what is newer than every compaction.
    fn sight(&self, bytes: &mut Bytes<'_>) -> Sight {
        let what = bytes.byte();
        let newest = self.next_seq - 1;
        let mut seq = newest;
        if what & 1 == 1 && !self.snapshots.is_empty() {
            seq = self.snapshots[bytes.index(self.snapshots.len())];
        } else if what & 2 == 2 {
            seq = newest.saturating_sub(u64::from(bytes.byte() % 16)).max(self.compacted_seq);
        }
        let time_ms = self.time_ms.saturating_sub(u64::from(what >> 5)).max(self.expired_ms);
        let lower = (what & 4 == 4).then(|| key(bytes));
        let upper = (what & 8 == 8).then(|| key(bytes));
        Sight { seq, time_ms, lower, upper }
    }

    fn open_merged(&mut self) {
        self.merged = Some((self.stack.merged(), self.model.merged(), None));
    }

    fn open_visible(&mut self, sight: Sight) {
        let expected = self.model.visible(&sight);
        self.visible = Some((self.stack.visible(sight), expected, None));
    }

    fn move_merged(&mut self, bytes: &mut Bytes<'_>) {
        let Some((cursor, all, at)) = &mut self.merged else { return };
        let what = bytes.byte();
        *at = match (what % 8, *at) {
            (0, _) => {
                cursor.seek_first();
                Some(0)
            }
            (1, _) => {
                cursor.seek_last();
                all.len().checked_sub(1)
            }
            (2 | 3, Some(now)) => {
                cursor.next();
                Some(now + 1)
            }
            (4 | 5, Some(now)) => {
                cursor.prev();
                now.checked_sub(1)
            }
            (to, _) => {
                let (key, seq) = (key(bytes), u64::from(bytes.byte()));
                let place = (&key, Reverse(seq));
                let before = all.partition_point(|v| (&v.key, Reverse(v.seq)) < place);
                match to {
                    6 => {
                        cursor.seek(&key, seq);
                        Some(before)
                    }
                    _ => {
                        cursor.seek_before(&key, seq);
                        before.checked_sub(1)
                    }
                }
            }
        };
        *at = at.filter(|at| *at < all.len());
        assert_eq!(cursor.item().as_ref(), at.map(|at| &all[at]), "merged, {what}");
    }

    fn move_visible(&mut self, bytes: &mut Bytes<'_>) {
        let Some((cursor, all, at)) = &mut self.visible else { return };
        let what = bytes.byte();
        *at = match what % 8 {
            0 => {
                cursor.seek_first();
                Some(0)
            }
            1 => {
                cursor.seek_last();
                all.len().checked_sub(1)
            }
            2 | 3 => {
                cursor.next();
                at.map(|now| now + 1)
            }
            4 | 5 => {
                cursor.prev();
                at.and_then(|now| now.checked_sub(1))
            }
            to => {
                let key = key(bytes);
                let before = all.partition_point(|v| v.key < key);
                match to {
                    6 => {
                        cursor.seek(&key);
                        Some(before)
                    }
                    _ => {
                        cursor.seek_before(&key);
                        before.checked_sub(1)
                    }
                }
            }
        };
        *at = at.filter(|at| *at < all.len());
        assert_eq!(cursor.item().as_ref(), at.map(|at| &all[at]), "visible, {what}");
    }

    /// Walks both open walks from end to end, both ways.
    fn walk_through(&mut self) {
        if let Some((cursor, all, at)) = &mut self.merged {
            cursor.seek_first();
            for version in all.iter() {
                assert_eq!(cursor.item().as_ref(), Some(version), "merged, forward");
                cursor.next();
            }
            assert_eq!(cursor.item(), None);
            cursor.seek_last();
            for version in all.iter().rev() {
                assert_eq!(cursor.item().as_ref(), Some(version), "merged, backward");
                cursor.prev();
            }
            assert_eq!(cursor.item(), None);
            *at = None;
        }
        if let Some((cursor, all, at)) = &mut self.visible {
            cursor.seek_last();
            for version in all.iter().rev() {
                assert_eq!(cursor.item().as_ref(), Some(version), "visible, backward");
                cursor.prev();
            }
            assert_eq!(cursor.item(), None);
            cursor.seek_first();
            for version in all.iter() {
                assert_eq!(cursor.item().as_ref(), Some(version), "visible, forward");
                cursor.next();
            }
            assert_eq!(cursor.item(), None);
            *at = None;
        }
    }
}
