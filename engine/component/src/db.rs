//! An open store and what it gives out, as resources of the contract.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;

use keelstone::{Batch, Result as EngineResult};

use crate::bindings::exports::keelstone::store::store as wit;
use crate::events::Events;
use crate::{convert, disk};

type Result<T> = core::result::Result<T, wit::Error>;

/// Entries that one page may hold at most, whatever is asked for.
const PAGE_ENTRIES_MAX: u32 = 1 << 20;

/// An open store.
pub(crate) struct Db {
    db: keelstone::Db,
    events: Option<Arc<Events>>,
}

impl wit::GuestDb for Db {
    fn open(dir: String, options: wit::Options) -> Result<wit::Db> {
        let (options, events) = convert::options(&options)?;
        let db = keelstone::Db::open(disk(&dir)?, options).map_err(convert::error)?;
        Ok(wit::Db::new(Self { db, events }))
    }

    fn apply(&self, writes: Vec<wit::Write>, durability: wit::Durability) -> Result<u64> {
        let mut batch = Batch::new();
        for write in writes {
            batch.push(convert::write_in(write));
        }
        self.db.write(&batch, convert::durability(durability)).map_err(convert::error)
    }

    fn get(&self, keys: Vec<Vec<u8>>) -> Result<Vec<Option<wit::Value>>> {
        values(&keys, |key| self.db.get_with_expiry(key))
    }

    fn remove(&self, key: Vec<u8>) -> Result<bool> {
        self.db.remove(key).map_err(convert::error)
    }

    fn len(&self) -> Result<u64> {
        self.db.len().map_err(convert::error)
    }

    fn sync(&self) -> Result<()> {
        self.db.sync().map_err(convert::error)
    }

    fn snapshot(&self) -> Result<wit::Snapshot> {
        let snapshot = self.db.snapshot().map_err(convert::error)?;
        Ok(wit::Snapshot::new(Snapshot(snapshot)))
    }

    fn log_from(&self, sequence: u64) -> Result<wit::LogCursor> {
        let log = self.db.log_from(sequence).map_err(convert::error)?;
        Ok(wit::LogCursor::new(LogCursor(Pages::new(log))))
    }

    fn compact(&self) -> Result<()> {
        self.db.compact().map_err(convert::error)
    }

    fn due(&self, now_ms: u64) -> bool {
        self.db.due(now_ms)
    }

    fn work(&self, steps: u32) -> Result<bool> {
        for _ in 0..steps {
            if !self.db.work().map_err(convert::error)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn take_job(&self) -> Option<wit::Job> {
        let job = self.db.take_job()?;
        Some(wit::Job::new(Job(RefCell::new(job))))
    }

    fn give_back(&self, job: wit::Job) {
        let Job(job) = job.into_inner();
        self.db.give_back(job.into_inner());
    }

    fn stats(&self) -> Result<Vec<(String, u64)>> {
        let stats = self.db.stats().map_err(convert::error)?;
        Ok(convert::stats(&stats))
    }

    fn verify(&self) -> Result<wit::VerifyReport> {
        let report = self.db.verify().map_err(convert::error)?;
        Ok(convert::verify_report(report))
    }

    fn backup(&self, dest: String, seed: wit::Seed) -> Result<()> {
        self.db.backup(&disk(&dest)?, convert::seed(seed)).map_err(convert::error)
    }

    fn health(&self) -> wit::Health {
        convert::health(self.db.health())
    }

    fn sequence(&self) -> u64 {
        self.db.sequence()
    }

    fn layout(&self) -> wit::Layout {
        wit::Layout::Hash
    }

    fn events(&self) -> Vec<wit::Event> {
        self.events.as_ref().map(|events| events.take()).unwrap_or_default()
    }

    fn close(&self) -> Result<()> {
        self.db.close().map_err(convert::error)
    }
}

fn values(
    keys: &[Vec<u8>],
    get: impl Fn(&[u8]) -> EngineResult<Option<keelstone::Value>>,
) -> Result<Vec<Option<wit::Value>>> {
    let mut values = Vec::new();
    values.try_reserve_exact(keys.len()).map_err(|_| convert::out_of_memory())?;
    for key in keys {
        values.push(get(key).map_err(convert::error)?.map(convert::value));
    }
    Ok(values)
}

/// The store at one instant.
pub(crate) struct Snapshot(keelstone::Snapshot);

impl wit::GuestSnapshot for Snapshot {
    fn get(&self, keys: Vec<Vec<u8>>) -> Result<Vec<Option<wit::Value>>> {
        values(&keys, |key| self.0.get_with_expiry(key))
    }

    fn scan(&self) -> Result<wit::Cursor> {
        let scan = self.0.scan().map_err(convert::error)?;
        Ok(wit::Cursor::new(Cursor(Pages::new(scan))))
    }

    fn sequence(&self) -> u64 {
        self.0.sequence()
    }
}

/// A place in a scan.
pub(crate) struct Cursor(Pages<keelstone::Scan>);

impl wit::GuestCursor for Cursor {
    fn next(&self, entries: u32, bytes: u32) -> Result<Vec<wit::Entry>> {
        let size = |entry: &wit::Entry| entry.key.len() + entry.value.len();
        self.0.next(entries, bytes, convert::entry, size)
    }
}

/// A place in the log.
pub(crate) struct LogCursor(Pages<keelstone::LogReader>);

impl wit::GuestLogCursor for LogCursor {
    fn next(&self, entries: u32, bytes: u32) -> Result<Vec<wit::LogEntry>> {
        let size = |entry: &wit::LogEntry| {
            entry.write.key.len() + entry.write.value.as_ref().map_or(0, Vec::len)
        };
        self.0.next(entries, bytes, convert::log_entry, size)
    }
}

/// Items that are given out page by page.
struct Pages<I>(RefCell<Rest<I>>);

struct Rest<I> {
    items: I,
    /// Why there are no more, if the items before it filled a page.
    failure: Option<keelstone::Error>,
}

impl<T, I: Iterator<Item = EngineResult<T>>> Pages<I> {
    fn new(items: I) -> Self {
        Self(RefCell::new(Rest { items, failure: None }))
    }

    /// Takes at least one item, and further ones within the limits.
    fn next<W>(
        &self,
        entries: u32,
        bytes: u32,
        shape: impl Fn(T) -> W,
        size: impl Fn(&W) -> usize,
    ) -> Result<Vec<W>> {
        let mut rest = self.0.borrow_mut();
        if let Some(failure) = rest.failure.take() {
            return Err(convert::error(failure));
        }
        let mut page = Vec::new();
        let mut held = 0_usize;
        for _ in 0..entries.clamp(1, PAGE_ENTRIES_MAX) {
            let item = match rest.items.next() {
                None => break,
                Some(Ok(item)) => shape(item),
                Some(Err(error)) if page.is_empty() => return Err(convert::error(error)),
                Some(Err(error)) => {
                    rest.failure = Some(error);
                    break;
                }
            };
            held = held.saturating_add(size(&item));
            page.try_reserve(1).map_err(|_| convert::out_of_memory())?;
            page.push(item);
            if held >= usize::try_from(bytes).unwrap_or(usize::MAX) {
                break;
            }
        }
        Ok(page)
    }
}

/// A piece of background work.
pub(crate) struct Job(RefCell<keelstone::Job>);

impl wit::GuestJob for Job {
    fn step(&self) -> Result<bool> {
        self.0.borrow_mut().step().map_err(convert::error)
    }
}
