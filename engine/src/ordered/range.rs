//! Range tombstones: everything from one key up to another is gone. Pure.
//!
//! Made by whoever holds tombstones (memtable, tables, compaction); asked by cursors, gets and compaction.
//! Promise: what a set says of a key is what the list of tombstones that it was made of says.
//! Never: changes once made; answers for a tombstone that is newer than the reader.

use alloc::vec::Vec;

use crate::error::Result;
use crate::order::KeyOrder;

/// Keys from `from` up to, and without, `to`: every version with a sequence below `seq` is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: Vec<u8>,
    pub(crate) to: Vec<u8>,
    pub(crate) seq: u64,
}

/// An immutable set of range tombstones, cut where one begins or ends, so that a lookup is a binary search.
///
/// ```text
/// tombstones    9   [b ------------ f)
///               5         [d ------------- h)
/// bounds            b     d         f      h
/// sequences         9     9 5       5      none
/// ```
///
/// Why one buffer each for keys and sequences: growth is asked for, not assumed, and a set of a thousand fragments is
/// three allocations. Nested tombstones repeat their sequences in each fragment: n of them, each in the next, need
/// n * n numbers. Compaction takes this back, because it keeps one sequence for each snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges {
    keys: Vec<u8>,
    seqs: Vec<u64>,
    // Invariant: ascending keys; the last has no sequences; no two neighbours have the same.
    bounds: Vec<Bound>,
}

/// Where the key of a bound, and the sequences that hold from it to the next bound, end in their buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bound {
    key_end: usize,
    seqs_end: usize,
}

/// Keys from `from` up to, and without, `to`, over which the same tombstones lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment<'a> {
    pub(crate) from: &'a [u8],
    pub(crate) to: &'a [u8],
    /// Descending, each once, never empty.
    pub(crate) seqs: &'a [u64],
}

impl Fragment<'_> {
    /// The greatest sequence that is not above `seq`, else 0.
    pub(crate) fn covering(&self, seq: u64) -> u64 {
        greatest(self.seqs, seq)
    }
}

/// The greatest of descending numbers that is not above `seq`, else 0.
fn greatest(seqs: &[u64], seq: u64) -> u64 {
    // Why: the reader of the newest state is the common one.
    match seqs.first() {
        Some(first) if *first <= seq => *first,
        _ => seqs.get(seqs.partition_point(|other| *other > seq)).copied().unwrap_or(0),
    }
}

/// Where a tombstone begins or ends.
#[derive(Clone, Copy)]
struct Edge<'a> {
    key: &'a [u8],
    seq: u64,
    begins: bool,
}

impl Ranges {
    /// The set of these tombstones, which may overlap in any way. One that ends where it begins, or before, covers nothing.
    pub(crate) fn new(order: &KeyOrder, ranges: &[Range]) -> Result<Self> {
        Self::cut(order, ranges.iter().map(|range| (&range.from[..], &range.to[..], range.seq)))
    }

    /// The set that covers what any of these covers.
    #[cfg(test)]
    pub(crate) fn merge<'a>(
        order: &KeyOrder,
        sets: impl IntoIterator<Item = &'a Self>,
    ) -> Result<Self> {
        let fragments = sets.into_iter().flat_map(Self::iter);
        Self::cut(order, fragments.flat_map(|f| f.seqs.iter().map(move |seq| (f.from, f.to, *seq))))
    }

    /// Only what lies from `from` up to, and without, `to`; `None` stands for no limit.
    pub(crate) fn clip(
        &self,
        order: &KeyOrder,
        from: Option<&[u8]>,
        to: Option<&[u8]>,
    ) -> Result<Self> {
        let mut clipped = Self::default();
        for fragment in self.iter() {
            let later = from.filter(|from| order.compare(from, fragment.from).is_gt());
            let earlier = to.filter(|to| order.compare(to, fragment.to).is_lt());
            let (from, to) = (later.unwrap_or(fragment.from), earlier.unwrap_or(fragment.to));
            if order.compare(from, to).is_lt() {
                clipped.push(from, to, fragment.seqs.iter().copied())?;
            }
        }
        Ok(clipped)
    }

    /// The same set without the sequences that `keep` leaves out of a fragment; it is given each fragment and each
    /// sequence with the next greater one that was kept.
    pub(crate) fn retain(
        &self,
        mut keep: impl FnMut(Fragment<'_>, u64, Option<u64>) -> bool,
    ) -> Result<Self> {
        let mut retained = Self::default();
        for fragment in self.iter() {
            let mut above = None;
            let seqs = fragment.seqs.iter().copied().filter(|seq| {
                let kept = keep(fragment, *seq, above);
                above = if kept { Some(*seq) } else { above };
                kept
            });
            retained.push(fragment.from, fragment.to, seqs)?;
        }
        Ok(retained)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.bounds.is_empty()
    }

    /// The greatest sequence, not above `seq`, of a tombstone that lies over `key`, else 0: for a reader at `seq`, the
    /// versions of `key` below it are gone.
    #[cfg(test)]
    pub(crate) fn covering(&self, order: &KeyOrder, key: &[u8], seq: u64) -> u64 {
        self.fragment_at(self.bounds_through(order, key))
            .map_or(0, |fragment| fragment.covering(seq))
    }

    /// The fragments in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Fragment<'_>> {
        (1..self.bounds.len()).filter_map(|n| self.fragment_at(n))
    }

    /// How many bounds are not after `key`.
    fn bounds_through(&self, order: &KeyOrder, key: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.bounds.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if order.compare(self.key(middle), key).is_le() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// What lies behind the first `n` bounds and before the others, if tombstones lie there.
    fn fragment_at(&self, n: usize) -> Option<Fragment<'_>> {
        if n == 0 || n >= self.bounds.len() {
            return None;
        }
        let seqs = self.seqs(n - 1);
        (!seqs.is_empty()).then(|| Fragment { from: self.key(n - 1), to: self.key(n), seqs })
    }

    /// The end of the bound before `index`.
    fn starts(&self, index: usize) -> Bound {
        index.checked_sub(1).map_or(Bound { key_end: 0, seqs_end: 0 }, |before| self.bounds[before])
    }

    fn key(&self, index: usize) -> &[u8] {
        &self.keys[self.starts(index).key_end..self.bounds[index].key_end]
    }

    fn seqs(&self, index: usize) -> &[u64] {
        &self.seqs[self.starts(index).seqs_end..self.bounds[index].seqs_end]
    }

    /// Cuts tombstones: walks over all edges and writes down, at each key, which are open from there on.
    fn cut<'a>(
        order: &KeyOrder,
        ranges: impl Iterator<Item = (&'a [u8], &'a [u8], u64)>,
    ) -> Result<Self> {
        let mut edges = Vec::new();
        for (from, to, seq) in ranges {
            if order.compare(from, to).is_lt() {
                edges.try_reserve(2)?;
                edges.push(Edge { key: from, seq, begins: true });
                edges.push(Edge { key: to, seq, begins: false });
            }
        }
        // Why beginnings first: what begins and ends at one key is never counted below zero.
        edges.sort_unstable_by(|a, b| {
            order.compare(a.key, b.key).then_with(|| b.begins.cmp(&a.begins))
        });
        let (mut set, mut open, mut rest) = (Self::default(), Open::default(), &edges[..]);
        while let Some(first) = rest.first() {
            let count = rest.iter().take_while(|edge| edge.key == first.key).count();
            let (here, after) = rest.split_at(count);
            here.iter().try_for_each(|edge| open.pass(*edge))?;
            set.push_bound(first.key, open.0.iter().map(|(seq, _)| *seq))?;
            rest = after;
        }
        Ok(set)
    }

    /// Adds a fragment that begins where the last one ends, or later.
    fn push(&mut self, from: &[u8], to: &[u8], seqs: impl Iterator<Item = u64>) -> Result<()> {
        self.push_bound(from, seqs)?;
        self.push_bound(to, core::iter::empty())
    }

    /// From `key` on these sequences hold. A key equal to the last bound's replaces what was said there.
    fn push_bound(&mut self, key: &[u8], seqs: impl Iterator<Item = u64>) -> Result<()> {
        if self.bounds.len().checked_sub(1).is_some_and(|last| self.key(last) == key) {
            self.bounds.pop();
            let end = self.starts(self.bounds.len());
            self.keys.truncate(end.key_end);
            self.seqs.truncate(end.seqs_end);
        }
        let before = self.bounds.len();
        let begin = self.starts(before).seqs_end;
        for seq in seqs {
            self.seqs.try_reserve(1)?;
            self.seqs.push(seq);
        }
        let same_as = self.starts(before.saturating_sub(1)).seqs_end..begin;
        if self.seqs[same_as] == self.seqs[begin..] {
            self.seqs.truncate(begin);
            return Ok(());
        }
        self.keys.try_reserve(key.len())?;
        self.bounds.try_reserve(1)?;
        self.keys.extend_from_slice(key);
        self.bounds.push(Bound { key_end: self.keys.len(), seqs_end: self.seqs.len() });
        Ok(())
    }
}

/// The sequences that are open at a place of the walk, descending, and how many tombstones have each: cut in two by the
/// bounds of tables, one tombstone comes as several.
#[derive(Default)]
struct Open(Vec<(u64, usize)>);

impl Open {
    fn pass(&mut self, edge: Edge<'_>) -> Result<()> {
        let at = self.0.partition_point(|(seq, _)| *seq > edge.seq);
        let count = self.0.get_mut(at).filter(|(seq, _)| *seq == edge.seq).map(|(_, count)| count);
        match (count, edge.begins) {
            (Some(count), true) => *count += 1,
            (Some(count), false) if *count > 1 => *count -= 1,
            (Some(_), false) => {
                self.0.remove(at);
            }
            (None, true) => {
                self.0.try_reserve(1)?;
                self.0.insert(at, (edge.seq, 1));
            }
            (None, false) => debug_assert!(false, "a tombstone ends that never began"),
        }
        Ok(())
    }
}

/// A place among the fragments of one set that follows a scan: near the last key asked for, an answer costs two
/// comparisons, in either direction; far from it, a binary search.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Walk {
    /// How many bounds were not after the last key.
    passed: usize,
}

/// How many bounds a walk passes one by one before it searches.
const NEAR: usize = 4;

impl Walk {
    /// The fragment of `ranges` that `key` lies in.
    pub(crate) fn fragment<'r>(
        &mut self,
        ranges: &'r Ranges,
        order: &KeyOrder,
        key: &[u8],
    ) -> Option<Fragment<'r>> {
        if ranges.is_empty() {
            return None;
        }
        let count = ranges.bounds.len();
        let mut passed = self.passed.min(count);
        for step in 0..=NEAR {
            if step == NEAR {
                passed = ranges.bounds_through(order, key);
            } else if passed < count && order.compare(ranges.key(passed), key).is_le() {
                passed += 1;
            } else if passed > 0 && order.compare(ranges.key(passed - 1), key).is_gt() {
                passed -= 1;
            } else {
                break;
            }
        }
        self.passed = passed;
        ranges.fragment_at(passed)
    }

    /// What [`Ranges::covering`] says.
    #[inline]
    pub(crate) fn covering(
        &mut self,
        ranges: &Ranges,
        order: &KeyOrder,
        key: &[u8],
        seq: u64,
    ) -> u64 {
        // Why here too: most walks have no tombstone at all.
        if ranges.is_empty() {
            return 0;
        }
        self.fragment(ranges, order, key).map_or(0, |fragment| fragment.covering(seq))
    }
}
