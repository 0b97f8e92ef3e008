//! Scans, and what they are limited to.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::value::{Entry, entry_of};
use super::walk::Walk;
use crate::error::Result;
use crate::{hash, ordered};

/// Live keys with their values, in the order that the call that made it says; it ends after the first error.
pub struct Scan {
    source: Source,
}

enum Source {
    Shards(hash::ScanShards),
    Walk { walk: Box<Walk>, reverse: bool, begun: bool },
    Ended,
}

impl Scan {
    pub(super) const fn unordered(shards: hash::ScanShards) -> Self {
        Self { source: Source::Shards(shards) }
    }

    pub(super) fn ordered(walk: Walk, reverse: bool) -> Self {
        Self { source: Source::Walk { walk: Box::new(walk), reverse, begun: false } }
    }
}

impl Source {
    fn next(&mut self) -> Result<Option<Entry>> {
        match self {
            Self::Ended => Ok(None),
            Self::Shards(shards) => shards.next(entry_of),
            Self::Walk { walk, reverse, begun } => {
                match (core::mem::replace(begun, true), *reverse) {
                    (false, false) => walk.seek_first()?,
                    (false, true) => walk.seek_last()?,
                    (true, false) => walk.next()?,
                    (true, true) => walk.prev()?,
                }
                walk.entry()
            }
        }
    }
}

impl Iterator for Scan {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        let next = self.source.next().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.source = Source::Ended;
        }
        next
    }
}

/// Which keys a scan or a walk is limited to, and from which end a scan begins; by default all, from the least on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// The least key that belongs to it.
    pub from: Option<Vec<u8>>,
    /// The least key above those that belong to it.
    pub to: Option<Vec<u8>>,
    /// What every key begins with; only in the order byte by byte, and together with no other limit.
    pub prefix: Option<Vec<u8>>,
    /// From the greatest key down.
    pub reverse: bool,
}

impl Bounds {
    /// Keys from `from` on.
    #[must_use]
    pub fn from(mut self, from: impl Into<Vec<u8>>) -> Self {
        self.from = Some(from.into());
        self
    }

    /// Keys up to, and without, `to`.
    #[must_use]
    pub fn to(mut self, to: impl Into<Vec<u8>>) -> Self {
        self.to = Some(to.into());
        self
    }

    /// Keys that begin with `prefix`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Vec<u8>>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// From the greatest key down.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.reverse = true;
        self
    }

    pub(super) fn inner(&self) -> ordered::Bounds {
        let Self { from, to, prefix, .. } = self.clone();
        match prefix {
            Some(prefix) => ordered::Bounds::of_prefix(prefix),
            None => ordered::Bounds { from, to, prefix: None },
        }
    }
}
