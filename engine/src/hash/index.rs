//! Where each live key is: packed entries in sharded tables, keys left on disk. Pure: no I/O.
//!
//! An entry has 11 bytes: 32 bits of the key's hash (the tag), the slot of the file, the offset, and a length class from
//! which one read fetches the record. Different keys may have equal tags; whoever looks reads the key to be sure.
//!
//! Shards cover hash ranges whose widths spread over a factor of two (8 to 15 units), so that they do not double at the
//! same time: the mean load of the tables, and with it the bytes per key, stays about the same at every size.
//!
//! While a snapshot is open, every change also goes to the shard's undo list; walking it backward gives the shard as it
//! was. `new` of an undo names the entry by its place, which is unique, so a merge that moves an entry corrects it there.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use hashbrown::HashTable;
use keelstone_vfs::lock::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::error::Result;

/// Units of hash range in a group of eight shards: 8 + 9 + ... + 15.
const GROUP_UNITS: u64 = 92;
const GROUP_SHARDS: usize = 8;

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Loc {
    pub(crate) slot: u16,
    pub(crate) offset: u32,
    /// Length class of the record, see [`class_of`].
    pub(crate) class: u8,
}

impl Loc {
    pub(crate) fn new(slot: u16, offset: u32, len: u32) -> Self {
        Self { slot, offset, class: class_of(len) }
    }

    /// One number for it: places in a file follow each other, and so do files by their slots.
    pub(crate) const fn pack(self) -> u64 {
        (self.slot as u64) << 40 | (self.offset as u64) << 8 | self.class as u64
    }

    /// What [`pack`](Self::pack) made.
    #[expect(clippy::cast_possible_truncation, reason = "the parts of a packed place")]
    pub(crate) const fn unpack(packed: u64) -> Self {
        Self { slot: (packed >> 40) as u16, offset: (packed >> 8) as u32, class: packed as u8 }
    }

    /// Whether both are the same place.
    pub(crate) const fn same(self, other: Self) -> bool {
        self.slot == other.slot && self.offset == other.offset
    }
}

/// The smallest class whose length is at least `len`: an exponent and three bits of mantissa, at most 12.5 % too long.
#[expect(clippy::cast_possible_truncation, reason = "at most 29 * 8 + 7 for 32 bits")]
pub(crate) const fn class_of(len: u32) -> u8 {
    if len < 8 {
        return len as u8;
    }
    let exponent = 28 - len.leading_zeros();
    let up = (len as u64 + (1 << exponent) - 1) >> exponent;
    // Why: rounding up may carry into the next exponent, and 16 << e is 8 << (e + 1).
    (exponent as u64 * 8 + up) as u8
}

/// The length that a class stands for.
#[inline]
pub(crate) const fn class_len(class: u8) -> u64 {
    let class = class as u64;
    if class < 16 {
        return class;
    }
    let exponent = class / 8 - 1;
    (class - exponent * 8) << exponent
}

/// The place of a key in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) shard: u32,
    pub(crate) tag: u32,
}

/// One packed entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packed([u8; 11]);

impl Packed {
    fn new(tag: u32, loc: Loc) -> Self {
        let ([a, b, c, d], [e, f]) = (tag.to_le_bytes(), loc.slot.to_le_bytes());
        let [g, h, i, j] = loc.offset.to_le_bytes();
        Self([a, b, c, d, e, f, g, h, i, j, loc.class])
    }

    fn tag(&self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_le_bytes([a, b, c, d])
    }

    fn loc(&self) -> Loc {
        let [_, _, _, _, e, f, g, h, i, j, class] = self.0;
        let (slot, offset) = (u16::from_le_bytes([e, f]), u32::from_le_bytes([g, h, i, j]));
        Loc { slot, offset, class }
    }
}

/// Spreads a tag over the 64 bits that the table wants: the top seven choose the group byte, the low ones the bucket.
const fn spread(tag: u32) -> u64 {
    (tag as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// How one change of the shard is taken back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Undo {
    pub(crate) seq: u64,
    pub(crate) tag: u32,
    pub(crate) old: Option<Loc>,
    pub(crate) new: Option<Loc>,
}

/// A part of the index with a lock of its own.
#[derive(Default)]
pub(crate) struct Shard {
    table: HashTable<Packed>,
    undo: Vec<Undo>,
}

impl Shard {
    /// The entries with this tag.
    #[inline]
    pub(crate) fn candidates(&self, tag: u32) -> Candidates {
        let mut found = Candidates::default();
        for packed in self.table.iter_hash(spread(tag)) {
            if packed.tag() == tag {
                found.push(packed.loc());
            }
        }
        found
    }

    /// Whether this very entry is there.
    pub(crate) fn holds(&self, tag: u32, loc: Loc) -> bool {
        self.table.find(spread(tag), |p| p.tag() == tag && p.loc().same(loc)).is_some()
    }

    /// Makes room for one entry more.
    fn reserve(&mut self, count: usize) -> Result<()> {
        let room = self.table.try_reserve(count, |p| spread(p.tag()));
        room.map_err(|_| crate::Error::OutOfMemory)
    }

    /// Replaces `old` by `new`; `None` on a side means that the key is not there.
    fn change(&mut self, tag: u32, old: Option<Loc>, new: Option<Loc>) {
        let same = |loc: Loc| move |p: &Packed| p.tag() == tag && p.loc().same(loc);
        match (old, new) {
            (Some(old), Some(new)) => {
                if let Some(packed) = self.table.find_mut(spread(tag), same(old)) {
                    *packed = Packed::new(tag, new);
                }
            }
            (Some(old), None) => {
                if let Ok(found) = self.table.find_entry(spread(tag), same(old)) {
                    found.remove();
                }
            }
            (None, Some(new)) => {
                self.table.insert_unique(spread(tag), Packed::new(tag, new), |p| spread(p.tag()));
            }
            (None, None) => {}
        }
    }

    /// The changes after `seq` that may concern the tag, oldest first.
    pub(crate) fn undo_since(&self, seq: u64, tag: u32) -> Vec<Undo> {
        let from = self.undo.partition_point(|undo| undo.seq <= seq);
        self.undo[from..].iter().filter(|undo| undo.tag == tag).copied().collect()
    }

    /// Every entry as it was at `seq`.
    pub(crate) fn entries_at(&self, seq: u64) -> Result<Vec<Loc>> {
        let mut locs = Vec::new();
        locs.try_reserve(self.table.len())?;
        let from = self.undo.partition_point(|undo| undo.seq <= seq);
        let undone = &self.undo[from..];
        if undone.is_empty() {
            locs.extend(self.table.iter().map(Packed::loc));
            return Ok(locs);
        }
        let key = |loc: Loc| (loc.slot, loc.offset);
        let mut map = alloc::collections::BTreeMap::new();
        map.extend(self.table.iter().map(|p| (key(p.loc()), p.loc())));
        for undo in undone.iter().rev() {
            if let Some(new) = undo.new {
                map.remove(&key(new));
            }
            if let Some(old) = undo.old {
                map.insert(key(old), old);
            }
        }
        locs.extend(map.into_values());
        Ok(locs)
    }
}

/// A few places, without allocation in the usual case of none or one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    first: Option<Loc>,
    more: Vec<Loc>,
}

impl Candidates {
    fn push(&mut self, loc: Loc) {
        if self.first.is_none() {
            self.first = Some(loc);
        } else {
            self.more.push(loc);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Loc> + '_ {
        self.first.into_iter().chain(self.more.iter().copied())
    }
}

/// One change of the index that a write makes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) place: Place,
    pub(crate) seq: u64,
    pub(crate) old: Option<Loc>,
    pub(crate) new: Option<Loc>,
}

/// The whole index.
pub(crate) struct Index {
    shards: Box<[RwLock<Shard>]>,
    units: u64,
    equal_hashes: bool,
    len: AtomicU64,
    undo_len: AtomicUsize,
    moves_max: AtomicU64,
}

impl Index {
    /// An empty index of `shards` shards, a multiple of eight.
    pub(crate) fn new(shards: usize, equal_hashes: bool) -> Result<Self> {
        let mut list = Vec::new();
        list.try_reserve_exact(shards)?;
        list.resize_with(shards, RwLock::default);
        let units = (shards / GROUP_SHARDS) as u64 * GROUP_UNITS;
        let shards = list.into_boxed_slice();
        let (len, undo_len, moves_max) = Default::default();
        Ok(Self { shards, units, equal_hashes, len, undo_len, moves_max })
    }

    /// Where the key with this hash belongs.
    #[expect(clippy::cast_possible_truncation, reason = "the tag is 32 of the hash's bits")]
    #[inline]
    pub(crate) fn place(&self, hash: u128) -> Place {
        if self.equal_hashes {
            return Place { shard: 0, tag: 7 };
        }
        Place { shard: self.shard_of(hash), tag: hash as u32 }
    }

    /// The shard that covers this hash: it grows with the hash.
    #[expect(clippy::cast_possible_truncation, reason = "fewer than 2^16 shards")]
    #[inline]
    fn shard_of(&self, hash: u128) -> u32 {
        let unit = ((hash >> 96) as u64 * self.units) >> 32;
        let (group, unit) = (unit / GROUP_UNITS, unit % GROUP_UNITS);
        (group * GROUP_SHARDS as u64 + shard_in_group(unit)) as u32
    }

    /// The first hash beyond shard `shard`, `None` for the last one.
    pub(crate) fn shard_end(&self, shard: usize) -> Option<u128> {
        if shard + 1 == self.shards.len() {
            return None;
        }
        let next = (shard + 1) as u64;
        let (group, within) = (next / GROUP_SHARDS as u64, next % GROUP_SHARDS as u64);
        let unit = group * GROUP_UNITS + first_unit(within);
        // The smallest h with (h * units) >> 32 == unit.
        let high = (u128::from(unit) << 32).div_ceil(u128::from(self.units));
        Some(high << 96)
    }

    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    #[inline]
    pub(crate) fn shard(&self, shard: u32) -> RwLockReadGuard<'_, Shard> {
        self.shards[shard as usize].read()
    }

    fn shard_mut(&self, shard: impl Into<u64>) -> RwLockWriteGuard<'_, Shard> {
        let at = usize::try_from(shard.into()).unwrap_or(usize::MAX);
        self.shards[at].write()
    }

    /// Entries, expired ones included.
    pub(crate) fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    /// Makes sure that the changes will find room: after it, `apply` cannot fail.
    pub(crate) fn reserve(&self, changes: &[Change]) -> Result<()> {
        if let [change] = changes {
            return self.reserve_in(u64::from(change.place.shard), 1);
        }
        // Why: a batch may bring many keys into one shard; each needs its own room.
        let mut ids: Vec<u64> = Vec::new();
        ids.try_reserve(changes.len())?;
        ids.extend(changes.iter().map(|change| u64::from(change.place.shard)));
        ids.sort_unstable();
        ids.chunk_by(|a, b| a == b).try_for_each(|same| self.reserve_in(same[0], same.len()))
    }

    fn reserve_in(&self, shard: u64, count: usize) -> Result<()> {
        let mut shard = self.shard_mut(shard);
        let before = shard.table.capacity();
        let moved = shard.table.len() as u64;
        shard.reserve(count)?;
        shard.undo.try_reserve(count)?;
        if shard.table.capacity() != before {
            self.moves_max.fetch_max(moved, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Applies the changes of one write at once: whoever sees one of them sees all.
    pub(crate) fn apply(&self, changes: &[Change], undo: bool) {
        if let [change] = changes {
            let mut shard = self.shard_mut(change.place.shard);
            self.apply_one(&mut shard, change, undo);
            return;
        }
        let shard_of = |change: &Change| u64::from(change.place.shard);
        let mut ids: Vec<u64> = changes.iter().map(shard_of).collect();
        ids.sort_unstable();
        ids.dedup();
        // Invariant: shards are locked in ascending order and nobody else holds more than one.
        let mut guards: Vec<_> = ids.iter().map(|id| self.shard_mut(*id)).collect();
        for change in changes {
            if let Ok(at) = ids.binary_search(&shard_of(change)) {
                self.apply_one(&mut guards[at], change, undo);
            }
        }
    }

    fn apply_one(&self, shard: &mut Shard, change: &Change, undo: bool) {
        let Change { place, seq, old, new } = *change;
        shard.change(place.tag, old, new);
        match (old, new) {
            (None, Some(_)) => _ = self.len.fetch_add(1, Ordering::AcqRel),
            (Some(_), None) => _ = self.len.fetch_sub(1, Ordering::AcqRel),
            _ => {}
        }
        if undo && (old.is_some() || new.is_some()) {
            shard.undo.push(Undo { seq, tag: place.tag, old, new });
            self.undo_len.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Moves an entry if it still is where it was; says whether it was.
    pub(crate) fn relocate(&self, place: Place, from: Loc, to: Loc) -> bool {
        let mut shard = self.shard_mut(place.shard);
        let held = shard.holds(place.tag, from);
        // Why: an entry that was displaced since stands in an undo list by its old place, on both sides.
        for undo in shard.undo.iter_mut().filter(|_| held) {
            if undo.new.is_some_and(|new| new.same(from)) {
                undo.new = Some(to);
            }
        }
        shard.change(place.tag, Some(from), Some(to));
        held
    }

    /// Takes an entry away that a merge found expired, if it still is where it was; says whether it was.
    pub(crate) fn forget(&self, place: Place, loc: Loc) -> bool {
        let mut shard = self.shard_mut(place.shard);
        let held = shard.holds(place.tag, loc);
        if held {
            shard.change(place.tag, Some(loc), None);
            self.len.fetch_sub(1, Ordering::AcqRel);
        }
        held
    }

    /// Bytes that the undo lists hold.
    pub(crate) fn undo_bytes(&self) -> usize {
        self.undo_len.load(Ordering::Relaxed) * size_of::<Undo>()
    }

    /// Forgets what no snapshot from `oldest` on needs.
    pub(crate) fn trim_undo(&self, oldest: u64) {
        if self.undo_len.load(Ordering::Relaxed) == 0 {
            return;
        }
        for shard in &self.shards {
            let mut shard = shard.write();
            let count = shard.undo.partition_point(|undo| undo.seq <= oldest);
            shard.undo.drain(..count);
            shard.undo.shrink_to(16);
            self.undo_len.fetch_sub(count, Ordering::Relaxed);
        }
    }

    /// Takes everything out: recovery starts over.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            *shard.write() = Shard::default();
        }
        self.len.store(0, Ordering::Release);
    }

    /// Bytes of memory that the tables have allocated, and the shards themselves.
    pub(crate) fn bytes(&self) -> u64 {
        let tables: usize = self.shards.iter().map(|s| s.read().table.allocation_size()).sum();
        (tables + self.shards.len() * size_of::<RwLock<Shard>>()) as u64
    }

    /// The most entries that growing moved within one put.
    pub(crate) fn moves_max(&self) -> u64 {
        self.moves_max.load(Ordering::Relaxed)
    }

    /// A shard that recovery fills; `finish_shard` puts it in place.
    pub(crate) fn begin_shard(&self, place_shard: u32, count: usize) -> Result<Filling<'_>> {
        let mut shard = self.shard_mut(place_shard);
        shard.reserve(count)?;
        Ok(Filling { index: self, shard })
    }
}

/// The first unit of the shard `within` its group.
const fn first_unit(within: u64) -> u64 {
    within * 8 + within * within.saturating_sub(1) / 2
}

/// The shard within a group that has this unit.
#[expect(clippy::cast_possible_truncation, reason = "a group has 92 units")]
const fn shard_in_group(unit: u64) -> u64 {
    const TABLE: [u8; GROUP_UNITS as usize] = {
        let mut table = [0; GROUP_UNITS as usize];
        let mut shard = 0u8;
        let mut unit = 0;
        while unit < GROUP_UNITS as usize {
            if shard < 7 && unit as u64 == first_unit(shard as u64 + 1) {
                shard += 1;
            }
            table[unit] = shard;
            unit += 1;
        }
        table
    };
    TABLE[unit as usize] as u64
}

/// A shard while recovery fills it, newest records first.
pub(crate) struct Filling<'i> {
    index: &'i Index,
    shard: RwLockWriteGuard<'i, Shard>,
}

/// The class that marks a tombstone while a shard is filled: no record is that short.
const TOMBSTONE: u8 = 0;

impl Filling<'_> {
    /// The entries that were added with this tag.
    #[inline]
    pub(crate) fn find(&self, tag: u32, mut is: impl FnMut(Loc) -> bool) -> bool {
        self.shard.table.find(spread(tag), |p| p.tag() == tag && is(p.loc())).is_some()
    }

    /// Adds a record that no newer one shadows.
    #[inline]
    pub(crate) fn add(&mut self, tag: u32, loc: Loc) {
        self.shard.table.insert_unique(spread(tag), Packed::new(tag, loc), |p| spread(p.tag()));
    }

    /// Adds a tombstone: it shadows older records until the shard is finished.
    pub(crate) fn add_tombstone(&mut self, tag: u32, slot: u16, offset: u32) {
        self.add(tag, Loc { slot, offset, class: TOMBSTONE });
    }

    /// Drops the tombstones and counts what stays.
    pub(crate) fn finish(mut self, tombstones: bool, before: u64) {
        if tombstones {
            self.shard.table.retain(|packed| packed.loc().class != TOMBSTONE);
        }
        let count = self.shard.table.len() as u64;
        self.index.len.fetch_add(count - before, Ordering::AcqRel);
    }

    /// Entries that are there now.
    pub(crate) fn len(&self) -> u64 {
        self.shard.table.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_at_least_as_long_and_at_most_an_eighth_longer() {
        let mut lens: Vec<u32> = (0..70_000).collect();
        lens.extend((16..31).flat_map(|e| [(1u32 << e) - 1, 1 << e, (1 << e) + 1]));
        for len in lens {
            let up = class_len(class_of(len));
            assert!(up >= u64::from(len), "len={len} up={up}");
            assert!(up * 8 <= u64::from(len) * 9, "len={len} up={up}");
            assert!(class_of(len) > 0 || len == 0);
        }
    }

    #[test]
    fn shards_cover_all_hashes_in_order() {
        for shards in [8, 16, 1024, 65_528] {
            let index = Index::new(shards, false).expect("memory");
            let mut start = 0u128;
            for shard in 0..shards {
                assert_eq!(index.shard_of(start) as usize, shard, "shards={shards}");
                match index.shard_end(shard) {
                    Some(end) => {
                        assert_eq!(index.shard_of(end - 1) as usize, shard, "shards={shards}");
                        start = end;
                    }
                    None => assert_eq!(index.shard_of(u128::MAX) as usize, shard),
                }
            }
        }
    }

    #[test]
    fn an_undone_shard_is_as_it_was() {
        let index = Index::new(8, false).expect("memory");
        let (place, loc) = (Place { shard: 3, tag: 9 }, |n| Loc::new(1, n, 100));
        let change = |seq, old, new| Change { place, seq, old, new };
        index.apply(&[change(1, None, Some(loc(1)))], false);
        index.apply(&[change(2, Some(loc(1)), Some(loc(2)))], true);
        index.apply(&[change(3, Some(loc(2)), None)], true);
        index.apply(&[change(4, None, Some(loc(4)))], true);
        assert!(index.relocate(place, loc(4), loc(40)));
        let at = |seq| index.shard(3).entries_at(seq).expect("memory");
        assert_eq!(at(1), [loc(1)]);
        assert_eq!(at(2), [loc(2)]);
        assert_eq!(at(3), []);
        assert_eq!(at(4), [loc(40)]);
        assert_eq!(index.len(), 1);
    }
}
