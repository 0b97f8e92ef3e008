//! A store inside the sandbox, with the face that every store has.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keelstone::vfs::{Access, Lock, Vfs};
use keelstone::{Batch, Bounds, Durability, Health, Layout, Options, Value, VerifyReport};
use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::instance::{Instance, State};
use super::{DEST, STORE, convert, packed};
use crate::engine::{Engine, Entries, Load, LogEntries, Result, View, Work};
use crate::wasi_fs::bindings::exports::keelstone::store::store as wit;
use crate::wasi_fs::bindings::exports::keelstone::store::store::Guest;

/// Entries of a scan that one call brings at most.
const PAGE_ENTRIES: u32 = 1000;
/// Bytes of entries after which a call brings no more.
const PAGE_BYTES: u32 = 256 << 10;

/// What a call gives: wasmtime's error if the component ended, its own otherwise.
type Called<T> = wasmtime::Result<core::result::Result<T, wit::Error>>;

/// An open store in an instance of its own. A clone is the same store.
///
/// Any number of threads may use it; one call runs at a time. Dropping the last clone without
/// `close` is like the end of a process.
#[derive(Clone)]
pub struct SandboxDb {
    shared: Arc<Shared>,
}

struct Shared {
    instance: Mutex<Instance>,
    db: ResourceAny,
    /// Held as long as the store is open.
    lock: Mutex<Option<Box<dyn Lock>>>,
}

impl SandboxDb {
    pub(super) fn open(
        mut instance: Instance,
        lock: Option<Box<dyn Lock>>,
        options: &Options,
    ) -> Result<Self> {
        let wanted = convert::options(options);
        let db = instance.call(|store, guest| {
            guest.keelstone_store_store().db().call_open(store, STORE, wanted)
        })?;
        let (instance, lock) = (Mutex::new(instance), Mutex::new(lock));
        Ok(Self { shared: Arc::new(Shared { instance, db, lock }) })
    }

    /// What happened since the last call, oldest first, as name and text; nothing if the options
    /// named no observer.
    ///
    /// # Errors
    /// `Sandbox`.
    pub fn events(&self) -> Result<Vec<(String, String)>> {
        let db = self.shared.db;
        let events = self.shared.enter(|store, guest| guest.db().call_events(store, db))?;
        Ok(events.into_iter().map(|event| (event.name, event.text)).collect())
    }

    /// Fuel for each call from now on, in place of [`Limits::fuel`](super::Limits): for hosts that allow some calls more
    /// than others.
    pub fn set_fuel(&self, fuel: u64) {
        self.shared.instance().set_fuel(fuel);
    }

    /// What the last call has left of its fuel.
    #[must_use]
    pub fn fuel_left(&self) -> u64 {
        // Why 0: there is always fuel to ask for, as the sandbox is configured.
        self.shared.instance().store.get_fuel().unwrap_or(0)
    }

    /// How many operations the component has asked of its host.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.shared.instance().store.data().fs.operations()
    }
}

impl Shared {
    fn instance(&self) -> MutexGuard<'_, Instance> {
        // Why: an instance is whole between calls, whatever another thread met.
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<T>(&self, call: impl FnOnce(&mut Store<State>, &Guest) -> Called<T>) -> Result<T> {
        self.instance().call(|store, guest| call(store, guest.keelstone_store_store()))
    }

    fn enter<T>(
        &self,
        call: impl FnOnce(&mut Store<State>, &Guest) -> wasmtime::Result<T>,
    ) -> Result<T> {
        self.instance().enter(|store, guest| call(store, guest.keelstone_store_store()))
    }
}

impl Engine for SandboxDb {
    fn write(&self, batch: &Batch, durability: Durability) -> Result<u64> {
        let (packed, durability) = (packed::batch(batch), convert::durability(durability));
        let batch = wit::Batch { bytes: &packed.bytes, writes: &packed.parts };
        let db = self.shared.db;
        self.shared.call(|store, guest| guest.db().call_apply(store, db, batch, durability))
    }

    fn bulk_load(&self) -> Result<Box<dyn Load>> {
        // Why: the component's contract has no call for it.
        Err(keelstone::Error::Unsupported("bulk loads inside the sandbox").into())
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value>>> {
        let db = self.shared.db;
        let packed = packed::keys(keys);
        let keys = wit::Keys { bytes: &packed.bytes, lengths: &packed.parts };
        let values = self.shared.call(|store, guest| guest.db().call_get(store, db, keys))?;
        packed::values(&values)
    }

    fn remove(&self, key: &[u8]) -> Result<bool> {
        let db = self.shared.db;
        self.shared.call(|store, guest| guest.db().call_remove(store, db, key))
    }

    fn len(&self) -> Result<u64> {
        let db = self.shared.db;
        self.shared.call(|store, guest| guest.db().call_len(store, db))
    }

    fn sync(&self) -> Result<()> {
        let db = self.shared.db;
        self.shared.call(|store, guest| guest.db().call_sync(store, db))
    }

    fn snapshot(&self) -> Result<Box<dyn View>> {
        let db = self.shared.db;
        let handle = self.shared.call(|store, guest| guest.db().call_snapshot(store, db))?;
        Ok(Box::new(SandboxView(self.held(handle))))
    }

    fn log_from(&self, sequence: u64) -> Result<LogEntries> {
        let db = self.shared.db;
        let log = self.shared.call(|store, guest| guest.db().call_log_from(store, db, sequence))?;
        Ok(Box::new(Pages::new(self.held(log), |held| {
            let page = held.shared.call(|store, guest| {
                guest.log_cursor().call_next(store, held.handle, PAGE_ENTRIES, PAGE_BYTES)
            })?;
            packed::log_entries(&page)
        })))
    }

    fn compact(&self) -> Result<()> {
        let db = self.shared.db;
        self.shared.call(|store, guest| guest.db().call_compact(store, db))
    }

    fn due(&self, now_ms: u64) -> Result<bool> {
        let db = self.shared.db;
        self.shared.enter(|store, guest| guest.db().call_due(store, db, now_ms))
    }

    fn work(&self) -> Result<bool> {
        let db = self.shared.db;
        self.shared.call(|store, guest| guest.db().call_work(store, db, 1))
    }

    fn take_job(&self) -> Result<Option<Box<dyn Work>>> {
        let db = self.shared.db;
        let job = self.shared.enter(|store, guest| guest.db().call_take_job(store, db))?;
        Ok(job.map(|job| Box::new(SandboxWork(self.held(job))) as Box<dyn Work>))
    }

    fn stats(&self) -> Result<Vec<(String, u64)>> {
        let db = self.shared.db;
        self.shared.call(|store, guest| guest.db().call_stats(store, db))
    }

    fn verify(&self) -> Result<VerifyReport> {
        let db = self.shared.db;
        let report = self.shared.call(|store, guest| guest.db().call_verify(store, db))?;
        Ok(convert::verify_report(report))
    }

    fn backup(&self, dest: &Arc<dyn Vfs>, seed: u128) -> Result<()> {
        let (db, seed) = (self.shared.db, convert::seed(seed));
        let mut instance = self.shared.instance();
        // Why only now: the component reaches the place of a backup as long as it writes one.
        instance.store.data_mut().fs.preopen(DEST, Arc::clone(dest), Access::Write);
        let done = instance.call(|store, guest| {
            guest.keelstone_store_store().db().call_backup(store, db, DEST, seed)
        });
        instance.store.data_mut().fs.close_preopen(DEST);
        done
    }

    fn health(&self) -> Result<Health> {
        let db = self.shared.db;
        let health = self.shared.enter(|store, guest| guest.db().call_health(store, db))?;
        Ok(convert::health(health))
    }

    fn sequence(&self) -> Result<u64> {
        let db = self.shared.db;
        self.shared.enter(|store, guest| guest.db().call_sequence(store, db))
    }

    fn layout(&self) -> Result<Layout> {
        let db = self.shared.db;
        let layout = self.shared.enter(|store, guest| guest.db().call_layout(store, db))?;
        Ok(convert::layout(layout))
    }

    fn close(&self) -> Result<()> {
        let db = self.shared.db;
        let closed = self.shared.call(|store, guest| guest.db().call_close(store, db));
        drop(self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        closed
    }
}

impl SandboxDb {
    fn held(&self, handle: ResourceAny) -> Held {
        Held { shared: Arc::clone(&self.shared), handle, given_away: false }
    }
}

/// A resource of the component; dropped with this value.
struct Held {
    shared: Arc<Shared>,
    handle: ResourceAny,
    /// The component has it back.
    given_away: bool,
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.given_away {
            self.shared.instance().drop_resource(self.handle);
        }
    }
}

struct SandboxView(Held);

impl View for SandboxView {
    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value>>> {
        let Held { shared, handle, .. } = &self.0;
        let packed = packed::keys(keys);
        let keys = wit::Keys { bytes: &packed.bytes, lengths: &packed.parts };
        let values = shared.call(|store, guest| guest.snapshot().call_get(store, *handle, keys))?;
        packed::values(&values)
    }

    fn scan(&self) -> Result<Entries> {
        let Held { shared, handle, .. } = &self.0;
        let cursor = shared.call(|store, guest| guest.snapshot().call_scan(store, *handle))?;
        Ok(entries(shared, cursor))
    }

    fn scan_within(&self, bounds: &Bounds) -> Result<Entries> {
        let Held { shared, handle, .. } = &self.0;
        let bounds = wit::Bounds {
            lower: bounds.from.as_deref(),
            upper: bounds.to.as_deref(),
            prefix: bounds.prefix.as_deref(),
            reverse: bounds.reverse,
        };
        let cursor = shared
            .call(|store, guest| guest.snapshot().call_scan_within(store, *handle, bounds))?;
        Ok(entries(shared, cursor))
    }

    fn sequence(&self) -> Result<u64> {
        let Held { shared, handle, .. } = &self.0;
        shared.enter(|store, guest| guest.snapshot().call_sequence(store, *handle))
    }
}

/// What the component's cursor goes over.
fn entries(shared: &Arc<Shared>, cursor: ResourceAny) -> Entries {
    let held = Held { shared: Arc::clone(shared), handle: cursor, given_away: false };
    Box::new(Pages::new(held, |held| {
        let page = held.shared.call(|store, guest| {
            guest.cursor().call_next(store, held.handle, PAGE_ENTRIES, PAGE_BYTES)
        })?;
        packed::entries(&page)
    }))
}

/// Items that come page by page; ends after the first error.
struct Pages<T, F> {
    held: Option<Held>,
    page: std::vec::IntoIter<T>,
    next: F,
}

impl<T, F: FnMut(&Held) -> Result<Vec<T>>> Pages<T, F> {
    fn new(held: Held, next: F) -> Self {
        Self { held: Some(held), page: Vec::new().into_iter(), next }
    }
}

impl<T, F: FnMut(&Held) -> Result<Vec<T>>> Iterator for Pages<T, F> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        if let Some(item) = self.page.next() {
            return Some(Ok(item));
        }
        match (self.next)(self.held.as_ref()?) {
            Ok(page) if page.is_empty() => {
                self.held = None;
                None
            }
            Ok(page) => {
                self.page = page.into_iter();
                self.page.next().map(Ok)
            }
            Err(error) => {
                self.held = None;
                Some(Err(error))
            }
        }
    }
}

struct SandboxWork(Held);

impl Work for SandboxWork {
    fn step(&mut self) -> Result<bool> {
        let Held { shared, handle, .. } = &self.0;
        shared.call(|store, guest| guest.job().call_step(store, *handle))
    }

    fn give_back(mut self: Box<Self>) -> Result<()> {
        self.0.given_away = true;
        let Held { shared, handle, .. } = &self.0;
        let db = shared.db;
        shared.enter(|store, guest| guest.db().call_give_back(store, db, *handle))
    }
}
