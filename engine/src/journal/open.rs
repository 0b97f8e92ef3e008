//! Looking at a directory, locking it, and beginning or taking over the store in it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use keelstone_vfs::{Access, Kind, Lock, Vfs};

use super::{Journal, LogFile, Plan, Writer};
use crate::error::{Damage, Error, FileName, Invalid, Result};
use crate::event::Event;
use crate::lab::{Bug, Switches};
use crate::manifest::{self, Fault, Loaded, Manifest, Slots};
use crate::options::{OpenMode, Options};

/// What is in the directory.
pub(crate) enum Found {
    Store(Slots),
    /// Nothing, or what an interrupted creation left.
    Nothing,
}

/// Looks without changing anything.
pub(crate) fn look(vfs: &dyn Vfs, mode: OpenMode, switches: Switches) -> Result<Found> {
    let slots = Slots::read_as(vfs, switches)?;
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
    let ours = |name: &String| {
        use FileName::{Log, Manifest, Segment, Table};
        matches!(FileName::parse(name), Some(Manifest(_) | Log(_) | Segment(_) | Table(_)))
    };
    if names.iter().any(ours) {
        // Why: files of a store without its CURRENT are a damaged store, not an empty directory.
        return Err(crate::log::corrupt(FileName::Current, 0, 0, Damage::Missing));
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
    match look(vfs, mode, Switches::default()) {
        Ok(_) | Err(Error::Corrupt(_)) => take_lock(vfs, mode),
        // Why: whoever opens it hears the reason.
        Err(_) => Ok(None),
    }
}

/// Excludes every other user of the store.
pub(crate) fn take_lock(vfs: &dyn Vfs, mode: OpenMode) -> Result<Option<Box<dyn Lock>>> {
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

/// What `enter` found, locked.
pub(crate) struct Entrance {
    pub(crate) journal: Journal,
    /// The store that is there; `None`: nothing, or what an interrupted creation left, and a store may begin here.
    pub(crate) loaded: Option<Loaded>,
}

/// Looks, takes the lock, and reads which files are live.
pub(crate) fn enter(vfs: Arc<dyn Vfs>, options: Options) -> Result<Entrance> {
    options.check()?;
    // Why: a directory that is no store must not even get the lock's file.
    let switches = options.switches();
    look(&*vfs, options.mode, switches)?;
    let lock = take_lock(&*vfs, options.mode)?;
    // Why: until the lock was held, another user may have created the store or switched its manifest.
    match look(&*vfs, options.mode, switches)? {
        Found::Nothing => {
            let seed = options.seed;
            Ok(Entrance { journal: Journal::new(vfs, options, lock, seed), loaded: None })
        }
        Found::Store(slots) => {
            let read_only = options.mode == OpenMode::ReadOnly;
            let access = if read_only { Access::Read } else { Access::Write };
            let loaded = manifest::load(&*vfs, access, &slots)?;
            if loaded.torn && switches.on(Bug::TornEditFatal) {
                let (name, bytes) = (FileName::Manifest(loaded.number), loaded.len - loaded.end);
                return Err(crate::log::corrupt(name, loaded.end, bytes, Damage::Short));
            }
            let seed = loaded.seed;
            let journal = Journal::new(vfs, options, lock, seed);
            Ok(Entrance { journal, loaded: Some(loaded) })
        }
    }
}

impl Journal {
    /// Creates the store: its first manifest with `state`, then CURRENT.
    pub(crate) fn begin(&self, state: manifest::State) -> Result<()> {
        // Crash: what an earlier creation left is removed, CURRENT first; a store begins to exist with CURRENT only.
        for name in ["CURRENT", "000001.manifest"] {
            match self.vfs.remove(name) {
                Ok(()) => {}
                Err(error) if error.kind == Kind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        let manifest = Manifest::create(&self.vfs, self.switches, self.seed, state);
        *self.writer.lock() = Writer::new(Some(manifest.map_err(Fault::error)?), 1);
        self.event(&Event::Created);
        self.begin_reserve();
        Ok(())
    }

    /// A store for reading only: as far as `plan` says, and nothing is changed.
    pub(crate) fn look_on(&self, loaded: &Loaded, plan: &Plan) {
        self.see_time(loaded, plan);
        self.enter(super::State::OpenedReadOnly);
        self.durable_seq.store(loaded.state.mark_seq, Ordering::Release);
        *self.writer.lock() = Writer::new(None, plan.next_seq);
    }

    fn see_time(&self, loaded: &Loaded, plan: &Plan) {
        let time_ms = plan.time_ms.max(loaded.state.mark_time_ms);
        self.time_ms.fetch_max(time_ms, Ordering::AcqRel);
    }

    /// Makes durable what recovery relied on, and closes what it cut; only then anything new is acknowledged.
    /// `logs` are those of the plan, open.
    pub(crate) fn take_over(
        &self,
        loaded: Loaded,
        plan: &Plan,
        logs: &[Arc<LogFile>],
    ) -> Result<()> {
        self.see_time(&loaded, plan);
        if self.switches.on(Bug::OrphansRemovedEarly) {
            self.remove_orphans(loaded.number, &loaded.state.numbers())?;
        }
        let mut manifest = Manifest::resume(&self.vfs, self.switches, loaded)
            .map_err(|fault| self.settle(fault))?;
        // Why: a crash may have lost the edit that gave a number, and the file with it is still there. Its bytes would
        // validate in a new file of that number.
        if !self.switches.on(Bug::NumbersReused) {
            manifest.skip_numbers(self.number_after_all()?);
        }
        let mut writer = Writer::new(Some(manifest), plan.next_seq);
        self.settle_logs(&mut writer, plan, logs)?;
        let named = writer.manifest.as_ref().map(|m| (m.number(), m.state().numbers()));
        *self.writer.lock() = writer;
        if self.durable_sync {
            self.durable_seq.store(plan.next_seq - 1, Ordering::Release);
        }
        if let Some((manifest, live)) = named {
            self.remove_orphans(manifest, &live)?;
        }
        self.begin_reserve();
        Ok(())
    }

    /// The number after the greatest that any file in the directory has.
    fn number_after_all(&self) -> Result<u64> {
        let names = self.vfs.list("")?;
        let numbers = names.iter().filter_map(|name| FileName::parse(name)?.number());
        Ok(numbers.max().map_or(0, |number| number.saturating_add(1)))
    }

    /// Removes every file of ours that the manifest of this number, with these live files, does not name.
    fn remove_orphans(&self, manifest: u64, live: &[u64]) -> Result<()> {
        for name in self.vfs.list("")? {
            let Some(parsed) = FileName::parse(&name) else { continue };
            let keep = match parsed {
                FileName::Manifest(number) => number == manifest,
                FileName::Current | FileName::Lock | FileName::Reserve => true,
                other => other.number().is_some_and(|number| live.binary_search(&number).is_ok()),
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
}
