//! An open store and what it gives out, as resources of the contract.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;

use keelstone::Result as EngineResult;

use crate::bindings::exports::keelstone::store::store as wit;
use crate::events::Events;
use crate::{convert, disk, packed};

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

    fn apply(&self, batch: wit::Batch, durability: wit::Durability) -> Result<u64> {
        let durability = convert::durability(durability);
        let applied =
            packed::writes(&batch).and_then(|writes| self.db.write_borrowed(writes, durability));
        applied.map_err(convert::error)
    }

    fn get(&self, keys: wit::Keys) -> Result<wit::Values> {
        values(&keys, |key, bytes| self.db.get_with(key, |value, at| found(bytes, value, at)))
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
        match self.db.layout() {
            keelstone::Layout::Ordered => wit::Layout::Ordered,
            _ => wit::Layout::Hash,
        }
    }

    fn events(&self) -> Vec<wit::Event> {
        self.events.as_ref().map(|events| events.take()).unwrap_or_default()
    }

    fn close(&self) -> Result<()> {
        self.db.close().map_err(convert::error)
    }
}

/// What `get` finds of each key.
fn values(
    keys: &wit::Keys,
    get: impl Fn(&[u8], &mut Vec<u8>) -> EngineResult<Option<wit::Value>>,
) -> Result<wit::Values> {
    let all = || {
        let keys = packed::keys(keys)?;
        let (mut bytes, mut found) = (Vec::new(), Vec::new());
        found.try_reserve_exact(keys.len())?;
        for key in keys {
            found.push(get(key, &mut bytes)?);
        }
        Ok(wit::Values { bytes, found })
    };
    all().map_err(convert::error)
}

fn found(bytes: &mut Vec<u8>, value: &[u8], expires_ms: Option<u64>) -> EngineResult<wit::Value> {
    Ok(wit::Value { length: packed::put(bytes, value)?, expires_ms })
}

/// The store at one instant.
pub(crate) struct Snapshot(keelstone::Snapshot);

impl wit::GuestSnapshot for Snapshot {
    fn get(&self, keys: wit::Keys) -> Result<wit::Values> {
        values(&keys, |key, bytes| self.0.get_with(key, |value, at| found(bytes, value, at)))
    }

    fn scan(&self) -> Result<wit::Cursor> {
        let scan = self.0.scan().map_err(convert::error)?;
        Ok(wit::Cursor::new(Cursor(Pages::new(scan))))
    }

    fn scan_within(&self, bounds: wit::Bounds) -> Result<wit::Cursor> {
        let scan = self.0.scan_within(&convert::bounds(bounds)).map_err(convert::error)?;
        Ok(wit::Cursor::new(Cursor(Pages::new(scan))))
    }

    fn sequence(&self) -> u64 {
        self.0.sequence()
    }
}

/// A place in a scan.
pub(crate) struct Cursor(Pages<keelstone::Scan>);

impl wit::GuestCursor for Cursor {
    fn next(&self, entries: u32, bytes: u32) -> Result<wit::Entries> {
        let (bytes, entries) = self.0.next(entries, bytes, packed::entry)?;
        Ok(wit::Entries { bytes, entries })
    }
}

/// A place in the log.
pub(crate) struct LogCursor(Pages<keelstone::LogReader>);

impl wit::GuestLogCursor for LogCursor {
    fn next(&self, entries: u32, bytes: u32) -> Result<wit::LogEntries> {
        let (bytes, entries) = self.0.next(entries, bytes, packed::log_entry)?;
        Ok(wit::LogEntries { bytes, entries })
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

    /// Takes at least one item, and further ones within the limits; `put` appends the bytes of each.
    fn next<W>(
        &self,
        entries: u32,
        bytes: u32,
        put: impl Fn(&mut Vec<u8>, &T) -> EngineResult<W>,
    ) -> Result<(Vec<u8>, Vec<W>)> {
        let mut rest = self.0.borrow_mut();
        if let Some(failure) = rest.failure.take() {
            return Err(convert::error(failure));
        }
        let (mut held, mut page) = (Vec::new(), Vec::new());
        for _ in 0..entries.clamp(1, PAGE_ENTRIES_MAX) {
            let item = match rest.items.next() {
                None => break,
                Some(Ok(item)) => put(&mut held, &item).map_err(convert::error)?,
                Some(Err(error)) if page.is_empty() => return Err(convert::error(error)),
                Some(Err(error)) => {
                    rest.failure = Some(error);
                    break;
                }
            };
            page.try_reserve(1).map_err(|_| convert::out_of_memory())?;
            page.push(item);
            if held.len() >= usize::try_from(bytes).unwrap_or(usize::MAX) {
                break;
            }
        }
        Ok((held, page))
    }
}

/// A piece of background work.
pub(crate) struct Job(RefCell<keelstone::Job>);

impl wit::GuestJob for Job {
    fn step(&self) -> Result<bool> {
        self.0.borrow_mut().step().map_err(convert::error)
    }
}
