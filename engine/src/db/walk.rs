//! Walks: from key to key, in order, in both directions.

use alloc::sync::Arc;

use super::scan::Bounds;
use super::value::{Entry, entry_of_item};
use crate::error::Result;
use crate::ordered;

/// A walk over the keys of a snapshot, in order and in both directions. It stands on an entry or on none; a new one
/// stands on none.
pub struct Walk {
    walk: ordered::Walk,
    _snapshot: Arc<ordered::SnapshotHandle>,
}

impl Walk {
    pub(super) fn new(snapshot: &Arc<ordered::SnapshotHandle>, bounds: &Bounds) -> Result<Self> {
        Ok(Self { walk: snapshot.walk(bounds.inner())?, _snapshot: Arc::clone(snapshot) })
    }

    /// Goes to the first entry.
    ///
    /// # Errors
    /// As [`Db::get`](crate::Db::get); it stands on none then. So do all other moves.
    pub fn seek_first(&mut self) -> Result<()> {
        self.walk.seek_first()
    }

    /// Goes to the last entry.
    ///
    /// # Errors
    /// As [`seek_first`](Walk::seek_first).
    pub fn seek_last(&mut self) -> Result<()> {
        self.walk.seek_last()
    }

    /// Goes to the first entry whose key is `key` or comes after it.
    ///
    /// # Errors
    /// As [`seek_first`](Walk::seek_first).
    pub fn seek(&mut self, key: impl AsRef<[u8]>) -> Result<()> {
        self.walk.seek(key.as_ref())
    }

    /// Goes to the last entry whose key comes before `key`.
    ///
    /// # Errors
    /// As [`seek_first`](Walk::seek_first).
    pub fn seek_before(&mut self, key: impl AsRef<[u8]>) -> Result<()> {
        self.walk.seek_before(key.as_ref())
    }

    /// Goes one entry on; from the last, or from none, to none.
    ///
    /// # Errors
    /// As [`seek_first`](Walk::seek_first).
    #[expect(clippy::should_implement_trait, reason = "it moves and gives nothing")]
    pub fn next(&mut self) -> Result<()> {
        self.walk.next()
    }

    /// Goes one entry back; from the first, or from none, to none.
    ///
    /// # Errors
    /// As [`seek_first`](Walk::seek_first).
    pub fn prev(&mut self) -> Result<()> {
        self.walk.prev()
    }

    /// The key it stands on; valid until it moves.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        self.walk.item().map(|item| item.key)
    }

    /// The value of that key.
    #[must_use]
    pub fn value(&self) -> Option<&[u8]> {
        self.walk.item().map(|item| item.value)
    }

    /// A copy of the entry it stands on.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn entry(&self) -> Result<Option<Entry>> {
        self.walk.item().map(|item| entry_of_item(&item)).transpose()
    }
}
