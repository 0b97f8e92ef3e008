//! The store at one instant.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::scan::{Bounds, Scan};
use super::store::Store;
use super::value::{Value, bytes_of, expiry_of, value_of, value_of_item, value_with_expiry};
use super::walk::Walk;
use crate::error::{Error, Result};
use crate::{hash, ordered};

/// The store at one instant. Cheap to clone; it ends when the last clone and the last scan of it are dropped.
#[derive(Clone)]
pub struct Snapshot {
    handle: Handle,
}

#[derive(Clone)]
enum Handle {
    Hash(Arc<hash::SnapshotHandle>),
    Ordered(Arc<ordered::SnapshotHandle>),
}

impl Snapshot {
    pub(super) fn new(store: &Store) -> Result<Self> {
        let handle = match store {
            Store::Hash(store) => Handle::Hash(Arc::new(store.snapshot()?)),
            Store::Ordered(store) => Handle::Ordered(Arc::new(store.snapshot()?)),
        };
        Ok(Self { handle })
    }

    /// The value that `key` had.
    ///
    /// # Errors
    /// As [`Db::get`](crate::Db::get); `Closed` also if the snapshot ended because it kept too much.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
        match &self.handle {
            Handle::Hash(handle) => handle.get(key.as_ref(), value_of),
            Handle::Ordered(handle) => handle.get(key.as_ref(), |item| bytes_of(item.value)),
        }
    }

    /// The value that `key` had and when it expires.
    ///
    /// # Errors
    /// As [`get`](Snapshot::get).
    pub fn get_with_expiry(&self, key: impl AsRef<[u8]>) -> Result<Option<Value>> {
        match &self.handle {
            Handle::Hash(handle) => handle.get(key.as_ref(), value_with_expiry),
            Handle::Ordered(handle) => handle.get(key.as_ref(), value_of_item),
        }
    }

    /// Shows the value that `key` had, and when it expires, to `view`; `None` if it was not there.
    ///
    /// # Errors
    /// As [`get`](Snapshot::get), and those of `view`.
    pub fn get_with<R>(
        &self,
        key: &[u8],
        mut view: impl FnMut(&[u8], Option<u64>) -> Result<R>,
    ) -> Result<Option<R>> {
        match &self.handle {
            Handle::Hash(handle) => handle.get(key, |record| view(record.value, record.expires_ms)),
            Handle::Ordered(handle) => handle.get(key, |item| view(item.value, expiry_of(item))),
        }
    }

    /// Whether `key` was there.
    ///
    /// # Errors
    /// As [`get`](Snapshot::get).
    pub fn contains(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        let found = match &self.handle {
            Handle::Hash(handle) => handle.get(key.as_ref(), |_| Ok(()))?,
            Handle::Ordered(handle) => handle.get(key.as_ref(), |_| Ok(()))?,
        };
        Ok(found.is_some())
    }

    /// Every key that was there: in order where the layout has one, else in no particular order.
    ///
    /// # Errors
    /// As [`get`](Snapshot::get).
    pub fn scan(&self) -> Result<Scan> {
        match &self.handle {
            Handle::Hash(handle) => Ok(Scan::unordered(handle.scan()?)),
            Handle::Ordered(_) => self.scan_within(&Bounds::default()),
        }
    }

    /// The keys within `bounds` that were there, in their order, or backward. The ordered layout has it.
    ///
    /// # Errors
    /// `Unsupported` in the hash layout, else as [`get`](Snapshot::get).
    pub fn scan_within(&self, bounds: &Bounds) -> Result<Scan> {
        Ok(Scan::ordered(self.walk(bounds)?, bounds.reverse))
    }

    /// A walk within `bounds` that goes wherever it is told. The ordered layout has it.
    ///
    /// # Errors
    /// As [`scan_within`](Snapshot::scan_within).
    pub fn walk(&self, bounds: &Bounds) -> Result<Walk> {
        match &self.handle {
            Handle::Hash(_) => Err(Error::Unsupported("scans in order in the hash layout")),
            Handle::Ordered(handle) => Walk::new(handle, bounds),
        }
    }

    /// The sequence of the last write that it holds.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        match &self.handle {
            Handle::Hash(handle) => handle.sequence(),
            Handle::Ordered(handle) => handle.sequence(),
        }
    }
}
