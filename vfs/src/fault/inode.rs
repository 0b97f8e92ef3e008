//! One file as the medium and as the cache see it, and what lies between them.
//!
//! Called by `state` for every change and by `cut` and `states` for what a power cut leaves.
//!
//! ```text
//!   medium   what a power cut leaves at the least
//!   pending  the changes since, in order; each byte and each length may reach the medium or not
//!   cached   what everybody reads; medium + all of pending, unless a sync failed
//! ```
//!
//! The medium is seen as an endless row of bytes, zeros at first, and a length. A change lays
//! bytes over the row and moves the length. A write that grows the file lays zeros from the old
//! end on before its own bytes, and passes through every length on its way; setting a length is
//! one step. So "any subset in any order" is: for each byte any version laid over it or none, and
//! any of the lengths, each independently.
//!
//! Never: knows names.

use super::step::{Bytes, Fate};
use crate::{SyncMode, bytes};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

/// The bytes of a file, shared until somebody changes them.
pub(crate) type Content = Arc<Vec<u8>>;

/// One file.
#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    medium: Content,
    cached: Content,
    pending: Vec<Change>,
    /// The length of the medium once all of `pending` is on it.
    reach: u64,
    /// A failed sync dropped changes: the cache holds bytes that will never be on the medium.
    diverged: bool,
    /// The next sync reports an error that is overdue.
    pub(super) late: bool,
    /// How many errors every open handle has to be told.
    pub(super) errors: u32,
}

/// One change that is not on the medium yet.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) what: What,
    /// The length before it.
    before: u64,
    /// Bytes below were made durable by a sync of the bytes alone.
    settled: u64,
}

/// What changes.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// Bytes are laid down from this offset on.
    Write(u64, Bytes),
    /// The length becomes this.
    Length(u64),
}

impl Change {
    /// The length that the file has, or grows to at the least, after this change.
    fn end(&self) -> u64 {
        match &self.what {
            What::Write(offset, bytes) => offset + bytes::count(bytes.get()),
            What::Length(len) => *len,
        }
    }

    fn is_empty(&self) -> bool {
        matches!(&self.what, What::Write(_, bytes) if bytes.get().is_empty())
    }

    /// The length of the file after this change, if it moves it.
    pub(super) fn length(&self) -> Option<u64> {
        match self.what {
            What::Length(len) => Some(len),
            What::Write(..) => (!self.is_empty() && self.end() > self.before).then(|| self.end()),
        }
    }

    /// Every length that the file passes through in this change.
    pub(super) fn lengths(&self) -> Range<u64> {
        match (&self.what, self.length()) {
            (_, None) => 0..0,
            (What::Length(len), _) => *len..*len + 1,
            (What::Write(offset, _), Some(end)) => self.before.max(*offset) + 1..end + 1,
        }
    }

    /// Where growth lays zeros.
    pub(super) fn zeros(&self) -> Range<u64> {
        self.length().map_or(0..0, |len| self.before.max(self.settled)..len)
    }

    /// Where bytes that are not settled are laid, and which.
    pub(super) fn laid(&self) -> (u64, &[u8]) {
        match &self.what {
            What::Length(_) => (0, &[]),
            What::Write(offset, bytes) => {
                let skip = self.settled.saturating_sub(*offset).min(bytes::count(bytes.get()));
                (offset + skip, &bytes.get()[index(skip)..])
            }
        }
    }

    /// The versions that this change has for the byte at `at`: zero, a byte, or both.
    pub(super) fn versions(&self, at: u64) -> impl Iterator<Item = u8> + use<> {
        let (start, laid) = self.laid();
        let byte = at.checked_sub(start).and_then(|at| laid.get(index(at)).copied());
        let zero = self.zeros().contains(&at).then_some(0);
        zero.into_iter().chain(byte)
    }

    /// Whether nothing tells the two apart, now or after any sync.
    fn same(&self, other: &Self) -> bool {
        let (zeros, others) = (self.zeros(), other.zeros());
        let same_zeros = zeros == others || (zeros.is_empty() && others.is_empty());
        let (length, lengths) = (self.length(), self.lengths());
        length == other.length()
            && lengths == other.lengths()
            && same_zeros
            && self.laid() == other.laid()
    }

    /// Lays the change over `row` as far as `limit`; the length is the caller's business.
    fn lay(&self, row: &mut Vec<u8>, limit: u64) {
        let zeros = self.zeros();
        lay_zeros(row, zeros.start..zeros.end.min(limit));
        let (start, laid) = self.laid();
        let n = index(limit.saturating_sub(start)).min(laid.len());
        lay_bytes(row, start, &laid[..n]);
    }

    /// The change as far as the first `n` bytes that are not settled.
    fn prefix(&self, n: usize) -> Self {
        let mut change = self.clone();
        if let What::Write(_, bytes) = &mut change.what {
            let settled = bytes.get().len() - self.laid().1.len();
            bytes.cut(settled.saturating_add(n));
        }
        change
    }
}

/// Writes zeros over a range of a row of bytes.
pub(super) fn lay_zeros(row: &mut Vec<u8>, range: Range<u64>) {
    if range.start < range.end {
        let (start, end) = (index(range.start), index(range.end));
        if row.len() < end {
            row.resize(end, 0);
        }
        row[start..end].fill(0);
    }
}

/// Writes bytes into a row of bytes.
pub(super) fn lay_bytes(row: &mut Vec<u8>, start: u64, laid: &[u8]) {
    bytes::write_at(row, laid, start).expect("a fault disk is small enough for its memory");
}

/// A position as an index: the fault disk refuses what would not fit.
pub(super) fn index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

impl Inode {
    /// A file whose `content` is all on the medium.
    pub(super) fn durable(content: Content) -> Self {
        let reach = bytes::count(&content);
        Self { medium: content.clone(), cached: content, reach, ..Self::default() }
    }

    /// Whether all of it is on the medium, and nobody is to be told of an error.
    pub(super) fn is_durable(&self) -> bool {
        self.pending.is_empty() && !self.diverged && !self.late && self.errors == 0
    }

    /// Whether nothing tells the two apart, now or after whatever is done to both.
    pub(super) fn same(&self, other: &Self) -> bool {
        let ends = |inode: &Self| (inode.reach, inode.diverged, inode.late, inode.errors);
        let mut pending = self.pending.iter().zip(&other.pending);
        ends(self) == ends(other)
            && self.medium == other.medium
            && self.cached == other.cached
            && self.pending.len() == other.pending.len()
            && pending.all(|(one, other)| one.same(other))
    }

    /// What everybody reads.
    pub(super) fn cached(&self) -> &Content {
        &self.cached
    }

    /// What is on the medium for certain.
    pub(super) fn medium(&self) -> &Content {
        &self.medium
    }

    /// What is not on the medium yet, in order.
    pub(super) fn pending(&self) -> &[Change] {
        &self.pending
    }

    /// How many bytes were written that are not on the medium yet.
    pub(super) fn pending_bytes(&self) -> usize {
        self.pending.iter().map(|change| change.laid().1.len()).sum()
    }

    /// Writes into the cache.
    pub(super) fn write(&mut self, offset: u64, bytes: Bytes) {
        lay_bytes(Arc::make_mut(&mut self.cached), offset, bytes.get());
        let end = offset + bytes::count(bytes.get());
        if let Some(Change { what: What::Write(at, last), settled: 0, .. }) =
            self.pending.last_mut()
            && last.joins(&bytes)
            && *at + bytes::count(last.get()) == offset
        {
            last.join(&bytes);
        } else {
            self.change(What::Write(offset, bytes));
        }
        self.reach = self.reach.max(end);
    }

    /// Sets the length in the cache.
    pub(super) fn set_len(&mut self, len: u64) {
        if len != bytes::count(&self.cached) || len != self.reach {
            Arc::make_mut(&mut self.cached).resize(index(len), 0);
            self.change(What::Length(len));
            self.reach = len;
        }
    }

    fn change(&mut self, what: What) {
        let change = Change { what, before: self.reach, settled: 0 };
        if !change.is_empty() {
            self.pending.push(change);
        }
    }

    /// What a sync does.
    pub(super) fn sync(&mut self, mode: SyncMode, fate: Fate) {
        match fate {
            Fate::Kept => self.settle(mode),
            Fate::Lied => {}
            Fate::Dropped => self.late = false,
            Fate::Late => self.late = true,
            Fate::PerHandle => self.errors += 1,
            Fate::Reverted => {
                self.cached = self.medium.clone();
                self.diverged = false;
            }
        }
        if !matches!(fate, Fate::Kept | Fate::Lied) {
            self.diverged |= !self.pending.is_empty() && fate != Fate::Reverted;
            self.pending.clear();
            self.reach = bytes::count(&self.medium);
        }
    }

    /// A sync that does what it should.
    fn settle(&mut self, mode: SyncMode) {
        if self.pending.is_empty() {
            return;
        }
        let limit = match mode {
            SyncMode::All => u64::MAX,
            SyncMode::Data => bytes::count(&self.medium).min(self.reach),
        };
        let medium = Arc::make_mut(&mut self.medium);
        self.pending.iter().for_each(|change| change.lay(medium, limit));
        match mode {
            SyncMode::All => {
                medium.resize(index(self.reach), 0);
                self.pending.clear();
            }
            SyncMode::Data => {
                for change in &mut self.pending {
                    change.settled = change.settled.max(limit);
                }
                self.pending
                    .retain(|change| change.length().is_some() || !change.laid().1.is_empty());
            }
        }
    }

    /// Turns one bit, in the cache and on the medium, and in what is on its way there.
    pub(super) fn flip(&mut self, at: u64, bit: u8) {
        for content in [&mut self.cached, &mut self.medium] {
            if let Some(byte) = Arc::make_mut(content).get_mut(index(at)) {
                *byte ^= 1 << bit;
            }
        }
        for change in &mut self.pending {
            if let What::Write(offset, bytes) = &mut change.what
                && let Some(at) = at.checked_sub(*offset)
            {
                bytes.flip(index(at), bit);
            }
        }
    }

    /// What a power cut leaves if everything pending was written before it.
    pub(super) fn kept(&self) -> Content {
        if self.pending.is_empty() {
            return self.medium.clone();
        }
        if !self.diverged {
            return self.cached.clone();
        }
        self.torn(usize::MAX)
    }

    /// What a power cut leaves if the first `n` pending bytes, and the lengths between them, were
    /// written before it and nothing after.
    pub(super) fn torn(&self, mut n: usize) -> Content {
        let mut row = Vec::clone(&self.medium);
        let mut len = bytes::count(&row);
        for change in &self.pending {
            let all = change.laid().1.len();
            if n == 0 && all > 0 {
                break;
            }
            let change = change.prefix(n);
            change.lay(&mut row, u64::MAX);
            len = change.length().unwrap_or(len);
            let laid = change.laid().1.len();
            n -= laid;
            if laid < all {
                break;
            }
        }
        row.resize(index(len), 0);
        Arc::new(row)
    }

    /// What a power cut leaves if every length was written before it and none of the bytes.
    pub(super) fn unfilled(&self) -> Content {
        let mut row = Vec::clone(&self.medium);
        row.resize(index(self.reach), 0);
        Arc::new(row)
    }
}
