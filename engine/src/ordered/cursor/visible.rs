//! What a user sees of a store at one snapshot: of each key its newest version then, if it was not gone.
//!
//! Made by scans; calls the merged cursor of everything that they may see.
//! Promise: the keys of the view in order, each once; work for one key is bounded however many versions it has, and
//! nothing is allocated for a step once the buffers have grown.
//! Never: copies a value on the way forward.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::super::key::{Cursor, Item};
use super::super::range::{Ranges, Walk};
use super::MergeCursor;
use crate::error::Result;
use crate::order::KeyOrder;
use crate::record::EntryKind;

/// What is seen: the snapshot, its time, and the bounds of the scan.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// Versions with greater sequences came later.
    pub(crate) seq: u64,
    /// Entries that expire at this time or before are gone.
    pub(crate) time_ms: u64,
    /// The first key that belongs to the scan.
    pub(crate) lower: Option<Vec<u8>>,
    /// The first key behind that does not.
    pub(crate) upper: Option<Vec<u8>>,
}

/// How many items in a row are passed one by one before the walk seeks: a seek costs about as much in each source.
const STEPS: u32 = 8;

/// Where the item is that the cursor stands on.
#[derive(Clone, Copy)]
enum Place {
    None,
    /// The merged cursor stands on it; it was reached forward.
    Inner,
    /// In the buffers, and the merged cursor stands before all its versions; it was reached backward.
    Copied,
}

/// The walk over what is seen.
pub(crate) struct VisibleCursor<C = Box<dyn Cursor>> {
    order: KeyOrder,
    inner: MergeCursor<C>,
    ranges: Arc<Ranges>,
    view: View,
    walk: Walk,
    place: Place,
    /// The key that the walk last dealt with; while the cursor stands on an item, that item's.
    key: Vec<u8>,
    /// The newest visible version of `key`, on the way backward.
    copy: Copied,
    /// How many keys in a row were covered by range tombstones.
    covered: u32,
}

#[derive(Default)]
struct Copied {
    seq: u64,
    expires_ms: u64,
    kind: Option<EntryKind>,
    value: Vec<u8>,
}

impl Copied {
    fn take(&mut self, item: &Item<'_>) -> Result<()> {
        self.value.clear();
        self.value.try_reserve(item.value.len())?;
        self.value.extend_from_slice(item.value);
        (self.seq, self.expires_ms, self.kind) = (item.seq, item.expires_ms, Some(item.kind));
        Ok(())
    }
}

/// What the newest version of a key, not newer than the view, means for its user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Seen,
    Gone,
    /// Gone under a range tombstone.
    Covered,
}

impl<C: Cursor> VisibleCursor<C> {
    /// `ranges` are the range tombstones of all the sources of `inner`.
    pub(crate) fn new(
        order: KeyOrder,
        inner: MergeCursor<C>,
        ranges: Arc<Ranges>,
        view: View,
    ) -> Self {
        let (key, copy) = (Vec::new(), Copied::default());
        let (walk, place) = (Walk::default(), Place::None);
        Self { order, inner, ranges, view, walk, place, key, copy, covered: 0 }
    }

    /// Goes to the first key of the view.
    pub(crate) fn seek_first(&mut self) -> Result<()> {
        self.place = Place::None;
        match &self.view.lower {
            Some(lower) => self.inner.seek(lower, self.view.seq)?,
            None => self.inner.seek_first()?,
        }
        self.find_forward(false)
    }

    /// Goes to the last key of the view.
    pub(crate) fn seek_last(&mut self) -> Result<()> {
        self.place = Place::None;
        match &self.view.upper {
            Some(upper) => self.inner.seek_before(upper, u64::MAX)?,
            None => self.inner.seek_last()?,
        }
        self.find_backward()
    }

    /// Goes to the first key of the view at or after `key`.
    pub(crate) fn seek(&mut self, key: &[u8]) -> Result<()> {
        if self.view.lower.as_ref().is_some_and(|lower| self.order.compare(key, lower).is_lt()) {
            return self.seek_first();
        }
        self.place = Place::None;
        self.inner.seek(key, self.view.seq)?;
        self.find_forward(false)
    }

    /// Goes to the last key of the view before `key`.
    pub(crate) fn seek_before(&mut self, key: &[u8]) -> Result<()> {
        if self.view.upper.as_ref().is_some_and(|upper| self.order.compare(key, upper).is_gt()) {
            return self.seek_last();
        }
        self.place = Place::None;
        self.inner.seek_before(key, u64::MAX)?;
        self.find_backward()
    }

    /// Goes one key on; from the last, or from none, to none.
    pub(crate) fn next(&mut self) -> Result<()> {
        match core::mem::replace(&mut self.place, Place::None) {
            Place::None => return Ok(()),
            Place::Inner => self.inner.next()?,
            Place::Copied => self.inner.seek(&self.key, 0)?,
        }
        self.find_forward(true)
    }

    /// Goes one key back; from the first, or from none, to none.
    pub(crate) fn prev(&mut self) -> Result<()> {
        match core::mem::replace(&mut self.place, Place::None) {
            Place::None => return Ok(()),
            Place::Inner => self.inner.seek_before(&self.key, u64::MAX)?,
            Place::Copied => {}
        }
        self.find_backward()
    }

    /// A mistake on purpose: the next step back begins where the merged cursor stands, on the very key.
    pub(crate) fn forget_turn(&mut self) {
        if let Place::Inner = self.place {
            self.place = Place::Copied;
        }
    }

    /// The version that is seen, `Put` or `PutUntil`.
    pub(crate) fn item(&self) -> Option<Item<'_>> {
        match self.place {
            Place::None => None,
            Place::Inner => self.inner.item(),
            Place::Copied => self.copy.kind.map(|kind| Item {
                key: &self.key,
                seq: self.copy.seq,
                kind,
                value: &self.copy.value,
                expires_ms: self.copy.expires_ms,
            }),
        }
    }

    /// Goes on from where the merged cursor stands to the first item that is seen. `decided` says that `self.key` needs
    /// no more of its versions.
    fn find_forward(&mut self, mut decided: bool) -> Result<()> {
        let mut key_known = decided;
        let mut steps = 0;
        self.covered = 0;
        while let Some(item) = self.inner.item() {
            if !(key_known && is_same(item.key, &self.key)) {
                if past(&self.order, item.key, self.view.upper.as_deref()) {
                    return Ok(());
                }
                fill(&mut self.key, item.key)?;
                (key_known, decided, steps) = (true, false, 0);
            }
            if !decided && item.seq <= self.view.seq {
                (decided, steps) = (true, 0);
                match judge(&mut self.walk, &self.ranges, &self.order, &self.view, &item) {
                    Verdict::Seen => {
                        self.place = Place::Inner;
                        return Ok(());
                    }
                    Verdict::Gone => self.covered = 0,
                    Verdict::Covered => self.covered += 1,
                }
                if self.covered == STEPS && self.skip_forward()? {
                    continue;
                }
            }
            steps += 1;
            if steps == STEPS {
                // Why only once: at sequence 0 a seek would find the same version again.
                self.inner.seek(&self.key, if decided { 0 } else { self.view.seq })?;
            } else {
                self.inner.next()?;
            }
        }
        Ok(())
    }

    /// Goes back from where the merged cursor stands to the first key that is seen, into the buffers.
    fn find_backward(&mut self) -> Result<()> {
        self.covered = 0;
        while let Some(item) = self.inner.item() {
            let lower = self.view.lower.as_deref();
            if lower.is_some_and(|lower| self.order.compare(item.key, lower).is_lt()) {
                return Ok(());
            }
            fill(&mut self.key, item.key)?;
            if !self.take_newest()? {
                continue;
            }
            let Some(kind) = self.copy.kind else { continue };
            let (seq, expires_ms) = (self.copy.seq, self.copy.expires_ms);
            let item = Item { key: &self.key, seq, kind, value: &[], expires_ms };
            match judge(&mut self.walk, &self.ranges, &self.order, &self.view, &item) {
                Verdict::Seen => {
                    self.place = Place::Copied;
                    return Ok(());
                }
                Verdict::Gone => self.covered = 0,
                Verdict::Covered => self.covered += 1,
            }
            if self.covered == STEPS {
                self.skip_backward()?;
            }
        }
        Ok(())
    }

    /// Passes all versions of `self.key` backward, the oldest of which the merged cursor stands on, and copies the newest
    /// that is not newer than the view. Says whether there is one.
    fn take_newest(&mut self) -> Result<bool> {
        let mut found = false;
        for _ in 0..STEPS {
            match self.inner.item() {
                Some(item) if item.key == &self.key[..] => {
                    if item.seq <= self.view.seq {
                        self.copy.take(&item)?;
                        found = true;
                    }
                }
                _ => return Ok(found),
            }
            self.inner.prev()?;
        }
        let more = |item: Item<'_>| item.key == &self.key[..];
        if !self.inner.item().is_some_and(more) {
            return Ok(found);
        }
        if found {
            self.inner.seek(&self.key, self.view.seq)?;
            match self.inner.item() {
                Some(item) if item.key == &self.key[..] => self.copy.take(&item)?,
                _ => debug_assert!(false, "a version that was seen is not found again"),
            }
        }
        self.inner.seek_before(&self.key, u64::MAX)?;
        Ok(found)
    }

    /// Skips what is left of the fragment that `self.key` lies in. Says whether the merged cursor moved.
    ///
    /// Why it is right: the fragment's tombstone, the newest of the view, covers every version in it that is older, and
    /// only sources all of whose items are older skip. Newer items in the range can only stand in the other sources,
    /// which go on item by item. Why it waits for some covered keys in a row: a seek for a fragment that covers but a
    /// few items costs more than to pass them.
    fn skip_forward(&mut self) -> Result<bool> {
        self.covered = 0;
        let Some(fragment) = self.walk.fragment(&self.ranges, &self.order, &self.key) else {
            return Ok(false);
        };
        self.inner.skip_to(fragment.to, fragment.covering(self.view.seq))
    }

    /// The same on the way backward.
    fn skip_backward(&mut self) -> Result<bool> {
        self.covered = 0;
        let Some(fragment) = self.walk.fragment(&self.ranges, &self.order, &self.key) else {
            return Ok(false);
        };
        self.inner.skip_before(fragment.from, fragment.covering(self.view.seq))
    }
}

/// Whether two keys are equal. Why the last bytes first: they differ in most keys that follow each other.
#[inline]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.last() == b.last() && a == b
}

fn past(order: &KeyOrder, key: &[u8], upper: Option<&[u8]>) -> bool {
    upper.is_some_and(|upper| order.compare(key, upper).is_ge())
}

fn judge(
    walk: &mut Walk,
    ranges: &Ranges,
    order: &KeyOrder,
    view: &View,
    item: &Item<'_>,
) -> Verdict {
    if walk.covering(ranges, order, item.key, view.seq) > item.seq {
        return Verdict::Covered;
    }
    match item.kind {
        EntryKind::Put => Verdict::Seen,
        EntryKind::PutUntil if item.expires_ms > view.time_ms => Verdict::Seen,
        _ => Verdict::Gone,
    }
}

/// Replaces what a buffer holds.
#[inline]
fn fill(buffer: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    if buffer.len() == bytes.len() {
        buffer.copy_from_slice(bytes);
        return Ok(());
    }
    buffer.clear();
    buffer.try_reserve(bytes.len())?;
    buffer.extend_from_slice(bytes);
    Ok(())
}
