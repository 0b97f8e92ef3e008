//! The public face of a bulk load.

use core::fmt;

use crate::error::Result;
use crate::ordered;

/// Keys in ascending order that become part of the store all at once: [`Db::bulk_load`](crate::Db::bulk_load).
///
/// They go into sorted tables without a log, a memtable or a compaction, and with [`finish`](BulkLoad::finish) they are
/// one write with one sequence. Before that nobody sees them; dropping the load gives it up and removes its files. Any
/// error ends it likewise, and every later call gives the same error.
///
/// Memory: about what one table needs while it is built, and some hundred bytes for each table that is ready.
pub struct BulkLoad {
    load: ordered::Load,
}

impl BulkLoad {
    pub(super) const fn new(load: ordered::Load) -> Self {
        Self { load }
    }

    /// Adds a key that comes after all those before, with its value, and when it expires: in milliseconds since 1970,
    /// `None` for never. Nothing is durable or visible yet.
    ///
    /// # Errors
    /// `Invalid`, with `Unsorted` where the key does not come after the last one; `OutOfSpace`, `Storage`, `ReadOnly`,
    /// `Closed`, `OutOfMemory`. Nothing is left of the load then.
    pub fn put(
        &mut self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
        expires_ms: Option<u64>,
    ) -> Result<()> {
        self.load.put(key.as_ref(), value.as_ref(), expires_ms)
    }

    /// Keys so far.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.load.len()
    }

    /// Whether there is no key so far.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Publishes all of it as one write, and gives its sequence. It is visible to everybody then, but not to snapshots
    /// that were taken before, and durable with every write before it. What was written until now is older than the load,
    /// whenever that was begun; what is written from now on is newer.
    ///
    /// The log does not hold it: [`Db::log_from`](crate::Db::log_from) for its sequence, or one before it, gives
    /// `MergedAway`. A load without a key changes nothing and gives the sequence of the last write.
    ///
    /// # Errors
    /// As [`put`](BulkLoad::put): the load did not happen. Only if the disk failed in the very edit that publishes it, it
    /// may be there after the next open, whole.
    pub fn finish(self) -> Result<u64> {
        self.load.finish()
    }
}

impl fmt::Debug for BulkLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkLoad").field("len", &self.len()).finish_non_exhaustive()
    }
}
