//! What the host needs of a store, wherever it runs: in this process, or inside the sandbox.
//!
//! Called by the command line and by whoever wants to hold either kind; calls the engine. [`Engine`]
//! is an open store, [`View`] a snapshot of it, [`Load`] a bulk load into it, [`Work`] a piece of its
//! background work.
//! Promise: both kinds give the same answers. Never: falls back from one kind to the other.

use keelstone::vfs::Vfs;
use keelstone::{
    Batch, Bounds, BulkLoad, Db, Durability, Entry, Health, Layout, LogEntry, Snapshot, Value,
    VerifyReport,
};
use std::sync::Arc;

/// Why a call on a store failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The store says so.
    #[error("{0}")]
    Store(#[from] keelstone::Error),
    /// The sandbox ended: a trap, a limit, or no component. For the store this is like the end of
    /// a process: open it again, and everything that was acknowledged is there.
    #[error("{0}")]
    Sandbox(String),
}

/// The result of every call on a store.
pub type Result<T> = core::result::Result<T, Error>;

/// Entries one after another; the first error is the last item.
pub type Entries = Box<dyn Iterator<Item = Result<Entry>>>;

/// Writes in the order of their sequences; the first error is the last item.
pub type LogEntries = Box<dyn Iterator<Item = Result<LogEntry>>>;

/// An open store. Its calls mean what those of [`Db`] mean, and fail as they do.
pub trait Engine {
    /// As [`Db::write`].
    fn write(&self, batch: &Batch, durability: Durability) -> Result<u64>;
    /// As [`Db::bulk_load`]; `Unsupported` inside the sandbox.
    fn bulk_load(&self) -> Result<Box<dyn Load>>;
    /// The values of keys, in the order of the keys.
    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value>>>;
    /// As [`Db::get_with_expiry`].
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        Ok(self.get_many(&[key])?.pop().flatten())
    }
    /// As [`Db::remove`].
    fn remove(&self, key: &[u8]) -> Result<bool>;
    /// As [`Db::len`].
    fn len(&self) -> Result<u64>;
    /// As [`Db::is_empty`].
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }
    /// As [`Db::sync`].
    fn sync(&self) -> Result<()>;
    /// As [`Db::snapshot`].
    fn snapshot(&self) -> Result<Box<dyn View>>;
    /// As [`Db::log_from`].
    fn log_from(&self, sequence: u64) -> Result<LogEntries>;
    /// As [`Db::compact`].
    fn compact(&self) -> Result<()>;
    /// As [`Db::due`].
    fn due(&self, now_ms: u64) -> Result<bool>;
    /// As [`Db::work`].
    fn work(&self) -> Result<bool>;
    /// As [`Db::take_job`].
    fn take_job(&self) -> Result<Option<Box<dyn Work>>>;
    /// As [`Db::stats`], by name.
    fn stats(&self) -> Result<Vec<(String, u64)>>;
    /// As [`Db::verify`].
    fn verify(&self) -> Result<VerifyReport>;
    /// As [`Db::backup`].
    fn backup(&self, dest: &Arc<dyn Vfs>, seed: u128) -> Result<()>;
    /// As [`Db::health`].
    fn health(&self) -> Result<Health>;
    /// As [`Db::sequence`].
    fn sequence(&self) -> Result<u64>;
    /// As [`Db::layout`].
    fn layout(&self) -> Result<Layout>;
    /// As [`Db::close`].
    fn close(&self) -> Result<()>;
}

/// Keys in ascending order that become part of the store all at once.
pub trait Load {
    /// As [`BulkLoad::put`].
    fn put(&mut self, key: &[u8], value: &[u8], expires_ms: Option<u64>) -> Result<()>;
    /// As [`BulkLoad::finish`].
    fn finish(self: Box<Self>) -> Result<u64>;
}

/// A store at one instant.
pub trait View {
    /// The values that keys had, in the order of the keys.
    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value>>>;
    /// As [`Snapshot::get_with_expiry`].
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        Ok(self.get_many(&[key])?.pop().flatten())
    }
    /// As [`Snapshot::scan`].
    fn scan(&self) -> Result<Entries>;
    /// As [`Snapshot::scan_within`].
    fn scan_within(&self, bounds: &Bounds) -> Result<Entries>;
    /// As [`Snapshot::sequence`].
    fn sequence(&self) -> Result<u64>;
}

/// A piece of background work.
pub trait Work {
    /// As [`Job::step`](keelstone::Job::step).
    fn step(&mut self) -> Result<bool>;
    /// As [`Db::give_back`].
    fn give_back(self: Box<Self>) -> Result<()>;
}

impl Engine for Db {
    fn write(&self, batch: &Batch, durability: Durability) -> Result<u64> {
        Ok(Self::write(self, batch, durability)?)
    }

    fn bulk_load(&self) -> Result<Box<dyn Load>> {
        Ok(Box::new(Self::bulk_load(self)?))
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value>>> {
        keys.iter().map(|key| Ok(self.get_with_expiry(key)?)).collect()
    }

    fn remove(&self, key: &[u8]) -> Result<bool> {
        Ok(Self::remove(self, key)?)
    }

    fn len(&self) -> Result<u64> {
        Ok(Self::len(self)?)
    }

    fn sync(&self) -> Result<()> {
        Ok(Self::sync(self)?)
    }

    fn snapshot(&self) -> Result<Box<dyn View>> {
        Ok(Box::new(Self::snapshot(self)?))
    }

    fn log_from(&self, sequence: u64) -> Result<LogEntries> {
        let log = Self::log_from(self, sequence)?;
        Ok(Box::new(log.map(|entry| Ok(entry?))))
    }

    fn compact(&self) -> Result<()> {
        Ok(Self::compact(self)?)
    }

    fn due(&self, now_ms: u64) -> Result<bool> {
        Ok(Self::due(self, now_ms))
    }

    fn work(&self) -> Result<bool> {
        Ok(Self::work(self)?)
    }

    fn take_job(&self) -> Result<Option<Box<dyn Work>>> {
        let Some(job) = Self::take_job(self) else { return Ok(None) };
        Ok(Some(Box::new(NativeWork { db: self.clone(), job })))
    }

    fn stats(&self) -> Result<Vec<(String, u64)>> {
        let stats = Self::stats(self)?;
        Ok(stats.fields().into_iter().map(|(name, count)| (name.to_owned(), count)).collect())
    }

    fn verify(&self) -> Result<VerifyReport> {
        Ok(Self::verify(self)?)
    }

    fn backup(&self, dest: &Arc<dyn Vfs>, seed: u128) -> Result<()> {
        Ok(Self::backup(self, dest, seed)?)
    }

    fn health(&self) -> Result<Health> {
        Ok(Self::health(self))
    }

    fn sequence(&self) -> Result<u64> {
        Ok(Self::sequence(self))
    }

    fn layout(&self) -> Result<Layout> {
        Ok(Self::layout(self))
    }

    fn close(&self) -> Result<()> {
        Ok(Self::close(self)?)
    }
}

impl Load for BulkLoad {
    fn put(&mut self, key: &[u8], value: &[u8], expires_ms: Option<u64>) -> Result<()> {
        Ok(Self::put(self, key, value, expires_ms)?)
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        Ok(Self::finish(*self)?)
    }
}

impl View for Snapshot {
    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value>>> {
        keys.iter().map(|key| Ok(self.get_with_expiry(key)?)).collect()
    }

    fn scan(&self) -> Result<Entries> {
        let scan = Self::scan(self)?;
        Ok(Box::new(scan.map(|entry| Ok(entry?))))
    }

    fn scan_within(&self, bounds: &Bounds) -> Result<Entries> {
        let scan = Self::scan_within(self, bounds)?;
        Ok(Box::new(scan.map(|entry| Ok(entry?))))
    }

    fn sequence(&self) -> Result<u64> {
        Ok(Self::sequence(self))
    }
}

/// Work of a store in this process.
struct NativeWork {
    db: Db,
    job: keelstone::Job,
}

impl Work for NativeWork {
    fn step(&mut self) -> Result<bool> {
        Ok(self.job.step()?)
    }

    fn give_back(self: Box<Self>) -> Result<()> {
        let Self { db, job } = *self;
        db.give_back(job);
        Ok(())
    }
}
