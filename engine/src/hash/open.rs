//! Opening a store, or creating one: the lock, CURRENT, the manifest, then `recover`.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use keelstone_vfs::lock::Mutex;
use keelstone_vfs::{Access, Kind, Lock, Vfs};

use super::expiry::Expiries;
use super::files::Files;
use super::index::Index;
use super::jobs::Jobs;
use super::recover::{Plan, read_files};
use super::snapshot::Snapshots;
use super::stats::Counters;
use super::write::Writer;
use super::{LAYOUT, State, Store};
use crate::codec::KeyHasher;
use crate::error::{Error, FileName, Invalid, Result};
use crate::event::Event;
use crate::manifest::{self, Loaded, Manifest, Slots};
use crate::options::{OpenMode, Options};

/// Opens or creates the store in the root of `vfs`.
pub(crate) fn open(vfs: Arc<dyn Vfs>, options: Options) -> Result<Arc<Store>> {
    options.check()?;
    let started = options.clock.ticks_us();
    // Why: a directory that is no store must not even get the lock's file.
    look(&*vfs, options.mode)?;
    let lock = take_lock(&*vfs, options.mode)?;
    // Why: until the lock was held, another user may have created the store or switched its manifest.
    let store = match look(&*vfs, options.mode)? {
        Found::Store(slots) => open_existing(vfs, options, lock, &slots)?,
        Found::Nothing => create(vfs, options, lock)?,
    };
    let us = store.options.clock.ticks_us().saturating_sub(started);
    store.counters.recovery_us.store(us, Ordering::Relaxed);
    Ok(store)
}

/// What is in the directory.
pub(super) enum Found {
    Store(Slots),
    /// Nothing, or what an interrupted creation left.
    Nothing,
}

/// Looks without changing anything.
pub(super) fn look(vfs: &dyn Vfs, mode: OpenMode) -> Result<Found> {
    let slots = Slots::read(vfs)?;
    if let Some(slots) = slots.filter(|slots| slots.newest().is_some() || slots.newer()) {
        return Ok(Found::Store(slots));
    }
    let names = vfs.list("")?;
    if names.iter().all(|name| left_by_creation(name)) {
        return match (mode, slots) {
            (OpenMode::Create, _) => Ok(Found::Nothing),
            (_, Some(slots)) if slots.bytes > 0 => Err(slots.error()),
            _ => Err(Error::NoStore),
        };
    }
    if let Some(slots) = slots {
        return Err(slots.error());
    }
    let ours = |name: &alloc::string::String| {
        matches!(FileName::parse(name), Some(FileName::Manifest(_) | FileName::Log(_)))
    };
    if names.iter().any(ours) {
        // Why: files of a store without its CURRENT are a damaged store, not an empty directory.
        let what = crate::error::Damage::Missing;
        return Err(crate::log::corrupt(FileName::Current, 0, 0, what));
    }
    match mode {
        OpenMode::Create => Err(Error::Invalid(Invalid::NotEmpty)),
        _ => Err(Error::NoStore),
    }
}

/// Whether a creation that was interrupted may have left this name. It never leaves a log.
fn left_by_creation(name: &str) -> bool {
    let name = FileName::parse(name);
    matches!(name, Some(FileName::Lock | FileName::Current | FileName::Manifest(1)))
}

/// Excludes every other user of what `open` would open, or find damaged.
pub(crate) fn lock(vfs: &dyn Vfs, mode: OpenMode) -> Result<Option<Box<dyn Lock>>> {
    match look(vfs, mode) {
        Ok(_) | Err(Error::Corrupt(_)) => take_lock(vfs, mode),
        // Why: whoever opens it hears the reason.
        Err(_) => Ok(None),
    }
}

/// Excludes every other user of the store.
pub(super) fn take_lock(vfs: &dyn Vfs, mode: OpenMode) -> Result<Option<Box<dyn Lock>>> {
    if !vfs.capabilities().lock {
        return Ok(None);
    }
    let access = if mode == OpenMode::ReadOnly { Access::Read } else { Access::Write };
    match vfs.lock("LOCK", access) {
        Ok(lock) => Ok(Some(lock)),
        // Why: a store without this file has no writer now, and reading must not create it.
        Err(error) if error.kind == Kind::NotFound && access == Access::Read => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn create(vfs: Arc<dyn Vfs>, options: Options, lock: Option<Box<dyn Lock>>) -> Result<Arc<Store>> {
    // Crash: what an earlier creation left is removed, CURRENT first; a store begins to exist with CURRENT only.
    for name in ["CURRENT", "000001.manifest"] {
        match vfs.remove(name) {
            Ok(()) => {}
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    let switches = options.switches();
    let seed = options.seed;
    let manifest = Manifest::create(&vfs, switches, seed, manifest::State::new(LAYOUT))
        .map_err(manifest::Fault::error)?;
    let store = Store::assemble(vfs, options, lock, seed)?;
    *store.writer.lock() = Writer::new(Some(manifest), 1);
    store.event(&Event::Created);
    store.begin_reserve();
    Ok(store)
}

fn open_existing(
    vfs: Arc<dyn Vfs>,
    options: Options,
    lock: Option<Box<dyn Lock>>,
    slots: &Slots,
) -> Result<Arc<Store>> {
    let read_only = options.mode == OpenMode::ReadOnly;
    let access = if read_only { Access::Read } else { Access::Write };
    let loaded = manifest::load(&*vfs, access, slots)?;
    if loaded.state.layout != LAYOUT {
        return Err(Error::Unsupported("the layout of this store"));
    }
    let store = Store::assemble(vfs, options, lock, loaded.seed)?;
    let plan = read_files(&store, &loaded, access)?;
    store.time_ms.fetch_max(plan.time_ms.max(loaded.state.mark_time_ms), Ordering::AcqRel);
    if read_only {
        store.enter(State::OpenedReadOnly);
        store.durable_seq.store(loaded.state.mark_seq, Ordering::Release);
        *store.writer.lock() = Writer::new(None, plan.next_seq);
    } else {
        store.take_over(loaded, plan)?;
        store.begin_reserve();
    }
    store.counters.recoveries.store(1, Ordering::Relaxed);
    store.event(&Event::Recovered {
        keys: store.index.len(),
        sequence: store.sequence(),
        scanned: store.counters.files_scanned.load(Ordering::Relaxed),
        hinted: store.counters.hints_used.load(Ordering::Relaxed),
    });
    Ok(store)
}

impl Store {
    fn assemble(
        vfs: Arc<dyn Vfs>,
        options: Options,
        lock: Option<Box<dyn Lock>>,
        seed: u128,
    ) -> Result<Arc<Self>> {
        let switches = options.switches();
        let index = Index::new(options.index_shards, switches.equal_hashes())?;
        let capabilities = vfs.capabilities();
        Ok(Arc::new(Self {
            vfs,
            switches,
            seed,
            hasher: KeyHasher::new(seed),
            durable_sync: capabilities.durable_sync && capabilities.dir_sync,
            index,
            files: Files::default(),
            expiries: Expiries::default(),
            writer: Mutex::new(Writer::new(None, 1)),
            syncer: Mutex::new(()),
            durable_seq: AtomicU64::new(0),
            time_ms: AtomicU64::new(0),
            state: AtomicU8::new(0),
            snapshots: Snapshots::default(),
            jobs: Mutex::new(Jobs::default()),
            counters: Counters::default(),
            lock: Mutex::new(lock),
            options,
        }))
    }

    /// Makes durable what recovery relied on, and closes what it cut; only then anything new is acknowledged.
    fn take_over(self: &Arc<Self>, loaded: Loaded, plan: Plan) -> Result<()> {
        let mut manifest = Manifest::resume(&self.vfs, self.switches, loaded)
            .map_err(|fault| self.settle(fault))?;
        // Why: a crash may have lost the edit that gave a number, and the file with it is still there. Its bytes would
        // validate in a new file of that number.
        manifest.skip_numbers(self.number_after_all()?);
        let mut writer = Writer::new(Some(manifest), plan.next_seq);
        self.settle_files(&mut writer, &plan)?;
        *self.writer.lock() = writer;
        if self.durable_sync {
            self.durable_seq.store(plan.next_seq - 1, Ordering::Release);
        }
        self.remove_orphans()
    }

    /// The number after the greatest that any file in the directory has.
    fn number_after_all(&self) -> Result<u64> {
        let names = self.vfs.list("")?;
        let numbers = names.iter().filter_map(|name| FileName::parse(name)?.number());
        Ok(numbers.max().map_or(0, |number| number.saturating_add(1)))
    }

    /// Removes every file of ours that the manifest does not name.
    fn remove_orphans(&self) -> Result<()> {
        let manifest = {
            let writer = self.writer.lock();
            writer.manifest.as_ref().map(Manifest::number)
        };
        let live = self.files.live();
        let is_live = |n| live.binary_search_by_key(&n, |file| file.number).is_ok();
        for name in self.vfs.list("")? {
            let Some(parsed) = FileName::parse(&name) else { continue };
            let keep = match parsed {
                FileName::Manifest(number) => Some(number) == manifest,
                FileName::Log(n)
                | FileName::Segment(n)
                | FileName::Hint(n)
                | FileName::Table(n) => is_live(n),
                FileName::Current | FileName::Lock | FileName::Reserve => true,
            };
            if keep {
                continue;
            }
            match self.vfs.remove(&name) {
                Ok(()) => self.event(&Event::Removed { file: parsed }),
                // Why: it harms nobody and the next open tries again.
                Err(error) => self.event(&Event::WorkFailed(error.into())),
            }
        }
        Ok(())
    }

    /// Builds the reserve; a full disk is a state to open in, not a reason to refuse.
    fn begin_reserve(&self) {
        if let Err(error) = self.build_reserve() {
            if error == Error::OutOfSpace {
                self.out_of_space();
            } else {
                self.event(&Event::WorkFailed(error));
            }
        }
    }
}
