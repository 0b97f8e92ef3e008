//! One file of a wreck: its length and bytes are decided when somebody looks at them.
//!
//! Called by the wreck for every look and every change. Promise: what was seen once stays; what nobody looked at stays
//! open. Never: knows names or handles.

use super::choices::Choices;
use super::model::{Model, Unit};
use super::ranges::Ranges;
use super::remains::{Decided, Survival};
use super::words::Words;
use crate::bytes;
use crate::fault::{Ino, LeftFile, Part};
use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

/// What stands where a file has grown and its bytes are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    Zero,
    Garbage,
    Stale,
}

/// How one write, as far as it is looked at, reached the medium. Positions are its places, see there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Missing,
    There,
    Prefix(usize),
    Suffix(usize),
    Without(usize),
    Alone(usize),
}

impl Fate {
    /// The ways for `count` positions, the whole ones first.
    fn of(count: usize, torn: bool, unit: Unit) -> usize {
        match count {
            0 => 1,
            1 => 2,
            _ if !torn => 2,
            _ if unit == Unit::Half => 4,
            // With three positions these are all the subsets there are.
            _ => 2 + 2 * (count - 1) + 2 * (count - 2),
        }
    }

    fn nth(count: usize, nth: usize, unit: Unit) -> Self {
        if unit == Unit::Half && nth > 1 {
            return if nth == 2 { Self::Prefix(count / 2) } else { Self::Suffix(count / 2) };
        }
        let (tears, middles) = (count.saturating_sub(1), count.saturating_sub(2));
        match nth {
            0 => Self::Missing,
            1 => Self::There,
            n if n < 2 + tears => Self::Prefix(n - 1),
            n if n < 2 + 2 * tears => Self::Suffix(n - 1 - tears),
            n if n < 2 + 2 * tears + middles => Self::Without(n - 1 - 2 * tears),
            n => Self::Alone(n - 1 - 2 * tears - middles),
        }
    }

    /// Whether the byte at `at` is there, the differing positions being `places`.
    fn has(self, places: &[u64], at: u64) -> bool {
        match self {
            Self::Missing => false,
            Self::There => true,
            Self::Prefix(n) => at < places[n],
            Self::Suffix(n) => at >= places[n],
            Self::Without(n) => at != places[n],
            Self::Alone(n) => at == places[n],
        }
    }
}

/// How many writes of a disk may be torn at once, and whether the others are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    /// So many.
    pub(super) torn: usize,
    /// Each of the others is there or missing by itself; if not, of each file the first so many are there, and so many
    /// of the rest as `torn` says deviate.
    pub(super) free: bool,
    /// Whether nothing is left out.
    pub(super) whole: bool,
}

/// So many times more states than the model wants are tried before no write deviates at all.
const MORE: f64 = 16.0;

impl Bound {
    /// The largest bound with which the writes of these files have about as many states as the model allows.
    pub(super) fn of<'a>(files: impl Iterator<Item = &'a LeftFile>, model: &Model) -> Self {
        if model.unit == Unit::Byte {
            return Self { torn: usize::MAX, free: true, whole: true };
        }
        // exact[k]: the states with exactly k torn, the others there or missing.
        let mut exact = Vec::from([1.0]);
        // Of each file the first so many; and in how many ways one write deviates from that.
        let (mut firsts, mut deviating) = (1.0, 0.0);
        let files: Vec<&LeftFile> = files.collect();
        files.iter().for_each(|file| firsts *= (file.parts.len() + 1) as f64);
        for (file, part) in files.iter().flat_map(|file| file.parts.iter().map(move |p| (*file, p)))
        {
            let tears = tears(file, part, model);
            deviating += tears + 1.0;
            let mut next = Vec::new();
            next.resize(exact.len() + 1, 0.0);
            for (k, states) in exact.iter().enumerate() {
                next[k] += 2.0 * states;
                next[k + 1] += tears * states;
            }
            exact = next;
        }
        let (parts, mut sum) = (exact.len() - 1, 0.0);
        let fitting = exact.iter().take_while(|states| {
            sum += **states;
            sum <= model.point_states_max as f64
        });
        match fitting.count() {
            k if k > parts => Self { torn: parts, free: true, whole: true },
            0 => {
                let fits = firsts * deviating <= MORE * model.point_states_max as f64;
                Self { torn: usize::from(fits), free: false, whole: false }
            }
            k => Self { torn: k - 1, free: true, whole: false },
        }
    }
}

/// In how many ways a write can be torn.
fn tears(file: &LeftFile, part: &Part, model: &Model) -> f64 {
    let below = |at| file.old.get(index(at)).copied().unwrap_or(0);
    let places = places(file, part, part.start..part.end(), below, model).count();
    let ways = Fate::of(places, true, model.unit).saturating_sub(2);
    let within = |len: &&u64| part.start < **len && **len < part.end();
    let cuts = lengths(file, model).iter().filter(within).count();
    let grows = part.end() > bytes::count(&file.old);
    let fills = if model.garbage && part.written && grows { 3 } else { 1 };
    ((ways + cuts) * fills) as f64
}

/// Where a write, within a range, differs from what is below it; and where a file has grown and something else than zeros
/// may stand, the beginning of each run of bytes that do not differ: they can be missing too.
fn places<'a>(
    file: &LeftFile,
    part: &'a Part,
    within: Range<u64>,
    below: impl Fn(u64) -> u8 + 'a,
    model: &Model,
) -> impl Iterator<Item = u64> + 'a {
    let old = bytes::count(&file.old);
    let garbage = model.garbage && part.written;
    let first = within.start;
    let same = move |at: u64| part.bytes[index(at - part.start)] == below(at);
    within.filter(move |at| {
        let begins = || *at == first.max(old) || !same(at - 1);
        !same(*at) || (garbage && *at >= old && begins())
    })
}

/// The lengths that are told apart.
pub(super) fn lengths<'a>(file: &'a LeftFile, model: &Model) -> Cow<'a, [u64]> {
    match model.unit {
        Unit::Byte => Cow::Borrowed(&file.lengths),
        Unit::Write => Cow::Borrowed(&file.cuts),
        Unit::Half => {
            // Each end, and the middle before it.
            let mut before = None;
            let mut lengths = Vec::new();
            for (n, len) in file.cuts.iter().enumerate() {
                if file.ends.contains(len) {
                    let middle = before.map_or(n, |before: usize| before.midpoint(n));
                    lengths.extend([file.cuts[middle], *len]);
                    before = Some(n);
                }
            }
            lengths.dedup();
            Cow::Owned(lengths)
        }
    }
}

/// One file of a wreck.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    left: Option<Arc<LeftFile>>,
    /// What the crash left, as far as it is decided; the old bytes elsewhere.
    bytes: Arc<Vec<u8>>,
    len_known: bool,
    seen: Ranges,
    /// The writes that were torn.
    torn: BTreeSet<usize>,
    /// With a bound that is not free: so many writes are there.
    first: Option<usize>,
    fill: Option<Fill>,
    /// Where bytes are missing, and that stands instead.
    filled: Ranges,
    /// What the file holds after changes.
    row: Option<Arc<Vec<u8>>>,
    /// From here on the bytes were taken by [`behind`](Self::behind), and have changed by writes alone since then.
    taken: Option<u64>,
}

/// What decisions are made with.
pub(super) struct Deciding<'a> {
    pub(super) model: &'a Model,
    pub(super) choices: &'a mut Choices,
    pub(super) bound: Bound,
    /// How many writes of the disk were torn.
    pub(super) torn: &'a mut usize,
    pub(super) words: &'a mut Words,
    /// The file's name, for words.
    pub(super) name: &'a str,
    /// Bytes of another file.
    pub(super) stale: &'a [u8],
    /// The part and the lengths that were possible before the newest step, if that was a change of this file: a state
    /// that shows nothing of it was tried before.
    pub(super) fresh: Option<&'a Fresh>,
}

/// What the newest step added to a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Fresh {
    /// Parts from this number on are new.
    pub(super) parts: usize,
    /// The lengths that were possible before.
    pub(super) lengths: Vec<u64>,
}

impl Found {
    /// A file that is whole.
    pub(super) fn whole(bytes: Arc<Vec<u8>>) -> Self {
        Self { bytes, len_known: true, ..Self::default() }
    }

    /// A file in which something is open.
    pub(super) fn open(left: &Arc<LeftFile>) -> Self {
        let bytes = left.old.clone();
        Self { left: Some(left.clone()), bytes, ..Self::default() }
    }

    /// What the file holds; decided only where it was settled.
    pub(super) fn row(&self) -> &Arc<Vec<u8>> {
        self.row.as_ref().unwrap_or(&self.bytes)
    }

    /// What the crash left, the old bytes where nobody looked.
    pub(super) fn bytes(&self) -> &Arc<Vec<u8>> {
        &self.bytes
    }

    /// What of it was decided.
    pub(super) fn decided(&self, ino: Ino) -> Decided<'_> {
        let fill = match self.fill {
            None | Some(Fill::Zero) => Survival::Zero,
            Some(Fill::Garbage) => Survival::Garbage,
            Some(Fill::Stale) => Survival::Stale,
        };
        let Self { bytes, len_known, seen, filled, .. } = self;
        Decided { ino, bytes, len_known: *len_known, seen, fill, filled }
    }

    /// The row, to be changed.
    pub(super) fn row_mut(&mut self) -> &mut Vec<u8> {
        let row = self.row.get_or_insert_with(|| self.bytes.clone());
        Arc::make_mut(row)
    }

    /// The bytes from `end` on up to where they were taken before; the first time without zeros at their end.
    pub(super) fn behind(&mut self, end: u64) -> Vec<u8> {
        let taken = self.taken.replace(self.taken.map_or(end, |taken| taken.min(end)));
        let upto = taken.map_or(usize::MAX, index).min(self.row().len());
        let behind = self.row().get(index(end)..upto).unwrap_or_default();
        // Why only then: later the end says that something was decided up to there, be it zeros.
        let used = match taken {
            None => behind.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1),
            Some(_) => behind.len(),
        };
        behind[..used].to_vec()
    }

    /// Bytes that were overwritten need no decision any more.
    pub(super) fn overwritten(&mut self, range: Range<u64>) {
        if self.left.is_some() {
            self.seen.add(range);
        }
    }

    /// Decides the length.
    pub(super) fn settle_len(&mut self, with: &mut Deciding<'_>) {
        if self.len_known {
            return;
        }
        self.len_known = true;
        let Some(left) = self.left.clone() else { return };
        let old = bytes::count(&left.old);
        let mut lengths = lengths(&left, with.model).into_owned();
        if let Some(fresh) = with.fresh {
            // Why: where the newest change only lies beyond the old lengths, a state with one of those was tried.
            let beyond = |part: &Part| fresh.lengths.iter().all(|len| *len <= part.start);
            if left.parts[fresh.parts..].iter().all(beyond) && lengths.len() > fresh.lengths.len() {
                lengths.retain(|len| !fresh.lengths.contains(len));
            }
        }
        if *with.torn >= with.bound.torn && !with.bound.whole {
            lengths.retain(|len| left.ends.contains(len));
            if lengths.is_empty() {
                lengths.extend(left.ends.last());
            }
        }
        let len = lengths[with.choices.pick(lengths.len())];
        if lengths.len() > 1 || len != old {
            with.words.length(with.name, len, old);
        }
        if with.model.unit != Unit::Byte && !left.ends.contains(&len) {
            let cut = left.parts.iter().position(|part| part.start < len && len < part.end());
            *with.torn += cut.map_or(0, |part| usize::from(self.torn.insert(part)));
        }
        if len != old {
            Arc::make_mut(&mut self.bytes).resize(index(len), 0);
        }
    }

    /// Decides the bytes of a range as far as it is open.
    pub(super) fn settle(&mut self, range: Range<u64>, with: &mut Deciding<'_>) {
        self.settle_len(with);
        let Some(left) = self.left.clone() else { return };
        let end = range.end.min(bytes::count(&self.bytes));
        for open in self.seen.gaps(range.start..end) {
            let range = index(open.start)..index(open.end);
            // Why only then: before the first write nothing was taken.
            let before = self.taken.and_then(|_| self.row().get(range.clone())).map(<[u8]>::to_vec);
            match with.model.unit {
                Unit::Byte => self.settle_bytes(&left, open.clone(), with),
                Unit::Write | Unit::Half => self.settle_writes(&left, open.clone(), with),
            }
            if let Some(row) = &mut self.row {
                // Why: changes lie over what the crash left, and what was changed is not open.
                let row = Arc::make_mut(row);
                let upto = range.end.min(row.len());
                if range.start < upto {
                    row[range.start..upto].copy_from_slice(&self.bytes[range.start..upto]);
                }
            }
            if before.is_some_and(|before| self.row().get(range) != Some(&*before)) {
                self.taken = self.taken.max(Some(open.end));
            }
            self.seen.add(open);
        }
    }

    fn settle_bytes(&mut self, left: &LeftFile, open: Range<u64>, with: &mut Deciding<'_>) {
        for at in open {
            let versions = left.versions(at);
            let nth = with.choices.pick(versions.len());
            if let Some(byte) = versions.iter().nth(nth)
                && self.bytes[index(at)] != *byte
            {
                Arc::make_mut(&mut self.bytes)[index(at)] = *byte;
                with.words.byte(with.name, at, *byte);
            }
        }
    }

    fn settle_writes(&mut self, left: &LeftFile, open: Range<u64>, with: &mut Deciding<'_>) {
        let (mut missing, mut laid) = (Ranges::default(), Ranges::default());
        for (n, part) in left.parts.iter().enumerate() {
            let within = part.start.max(open.start)..part.end().min(open.end);
            if within.start >= within.end {
                continue;
            }
            let byte = |at: u64| part.bytes[index(at - part.start)];
            let below = |at: u64| self.bytes[index(at)];
            let places: Vec<u64> = places(left, part, within.clone(), below, with.model).collect();
            let fate = self.fate(left, n, &within, &places, with);
            if fate == Fate::There {
                missing.remove(within.clone());
            }
            let grown = bytes::count(&left.old).max(within.start)..within.end;
            let row = (fate != Fate::Missing).then(|| Arc::make_mut(&mut self.bytes));
            match row {
                Some(row) if fate == Fate::There => {
                    let (from, to) = (index(within.start), index(within.end));
                    let skip = index(within.start - part.start);
                    row[from..to].copy_from_slice(&part.bytes[skip..skip + to - from]);
                }
                Some(row) => {
                    for at in within.filter(|at| fate.has(&places, *at)) {
                        row[index(at)] = byte(at);
                        missing.remove(at..at + 1);
                    }
                    if part.written {
                        // Why: where an earlier write is there, that is what stands under one that is missing.
                        let bare = laid.gaps(grown.clone()).into_iter().flatten();
                        let bare = bare.filter(|at| !fate.has(&places, *at));
                        bare.for_each(|at| missing.add(at..at + 1));
                    }
                }
                None if part.written && grown.start < grown.end => {
                    laid.gaps(grown.clone()).into_iter().for_each(|bare| missing.add(bare));
                }
                None => {}
            }
            if part.written && grown.start < grown.end {
                laid.add(grown);
            }
        }
        if with.model.garbage && !missing.is_empty() {
            self.fill(&missing, with);
        }
    }

    /// Decides how one write reached the medium within a range.
    fn fate(
        &mut self,
        left: &LeftFile,
        part: usize,
        within: &Range<u64>,
        places: &[u64],
        with: &mut Deciding<'_>,
    ) -> Fate {
        if places.is_empty() {
            return Fate::There;
        }
        let may_tear = *with.torn < with.bound.torn && !self.torn.contains(&part);
        let fate = if with.bound.free {
            // Why: what shows nothing of the newest write was tried at the point before.
            let all = &left.parts[part];
            let is_fresh =
                with.fresh.is_some_and(|fresh| part == fresh.parts && part + 1 == left.parts.len());
            let skip = is_fresh && within.start == all.start && within.end == all.end();
            let unit = with.model.unit;
            let ways = Fate::of(places.len(), may_tear, unit);
            let skip = usize::from(skip && left.lengths.len() == 1 && ways > 1);
            Fate::nth(places.len(), skip + with.choices.pick(ways - skip), unit)
        } else {
            self.deviating(left, part, places.len(), may_tear, with)
        };
        if !matches!(fate, Fate::Missing | Fate::There) {
            *with.torn += usize::from(self.torn.insert(part));
        }
        with.words.write(with.name, &left.parts[part], within, fate, places);
        fate
    }

    /// With a bound that is not free: the first so many writes are there, the others are not, but for some.
    fn deviating(
        &mut self,
        left: &LeftFile,
        part: usize,
        places: usize,
        may_deviate: bool,
        with: &mut Deciding<'_>,
    ) -> Fate {
        let first = *self.first.get_or_insert_with(|| with.choices.pick(left.parts.len() + 1));
        let (usual, other) = if part < first { (1, 0) } else { (0, 1) };
        let unit = with.model.unit;
        if !may_deviate {
            return Fate::nth(places, usual, unit);
        }
        let nth = match with.choices.pick(Fate::of(places, true, unit)) {
            0 => usual,
            1 => other,
            n => n,
        };
        if nth == other {
            *with.torn += usize::from(self.torn.insert(part));
        }
        Fate::nth(places, nth, unit)
    }

    /// Decides what stands where bytes are missing.
    fn fill(&mut self, missing: &Ranges, with: &mut Deciding<'_>) {
        let fill = match self.fill {
            Some(fill) => fill,
            None => match with.choices.pick(if with.stale.is_empty() { 2 } else { 3 }) {
                0 => Fill::Zero,
                1 => Fill::Garbage,
                _ => Fill::Stale,
            },
        };
        self.fill = Some(fill);
        missing.iter().for_each(|range| self.filled.add(range));
        if fill == Fill::Zero {
            return;
        }
        with.words.fill(with.name, missing, fill == Fill::Garbage);
        let row = Arc::make_mut(&mut self.bytes);
        for at in missing.iter().flatten() {
            let stale = with.stale.get(index(at)).copied().unwrap_or(0);
            row[index(at)] = if fill == Fill::Garbage { 0xa5 } else { stale };
        }
    }
}

/// A position as an index.
pub(super) fn index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
