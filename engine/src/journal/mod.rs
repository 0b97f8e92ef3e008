//! What both layouts share of an open store: the order of writes, their logs, the manifest, health and time.
//!
//! Called by the layouts; calls `log`, `manifest` and the disk. The hall: what a journal is made of, how its parts agree
//! on health, time and sequence. It knows nothing of what a layout keeps of the writes in memory.
//! Promise: a frame that `append` wrote is in its log; after `sync_through` every lower sequence survives a power cut.
//! Never: goes on in a log whose tail is torn or failed, retries a failed sync.
//!
//! Locks, in the order in which they may be taken: `syncer`, `writer`.

mod beside;
mod job;
mod log_file;
mod open;
mod recover;
mod reserve;
mod seal;
mod sync;
mod verify;
mod walk;
mod write;

pub(crate) use job::{Job, Works};
pub(crate) use log_file::LogFile;
pub(crate) use open::{Entrance, Found, enter, lock, look, take_lock};
pub(crate) use recover::{Disk, Plan, check_orphans, open_files, open_live, read_tails};
pub use verify::{Hurt, Loss, RepairReport, Torn, VerifyReport};
pub(crate) use verify::{begin_verify, layout_of};
pub use walk::LogEntry;
pub(crate) use walk::LogWalk;
pub(crate) use write::{OpRef, Writer, Written, entry_bytes, expiry_of};

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use keelstone_vfs::lock::Mutex;
use keelstone_vfs::{Kind, Lock, Vfs};

use crate::error::{Error, FileName, Result};
use crate::event::Event;
use crate::lab::Switches;
use crate::manifest::Fault;
use crate::options::Options;

/// What a store can do at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Healthy,
    OutOfSpace,
    OpenedReadOnly,
    SyncFailed,
    Closed,
}

impl State {
    const ALL: [Self; 5] =
        [Self::Healthy, Self::OutOfSpace, Self::OpenedReadOnly, Self::SyncFailed, Self::Closed];
}

/// The part of an open store that orders writes and makes them last.
pub(crate) struct Journal {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) options: Options,
    pub(crate) switches: Switches,
    pub(crate) seed: u128,
    /// Whether a sync reaches the medium here.
    pub(crate) durable_sync: bool,
    pub(crate) writer: Mutex<Writer>,
    syncer: Mutex<()>,
    /// Every sequence up to this one is durable.
    durable_seq: AtomicU64,
    /// The greatest time seen, in milliseconds since 1970.
    time_ms: AtomicU64,
    state: AtomicU8,
    pub(crate) counters: Counters,
    lock: Mutex<Option<Box<dyn Lock>>>,
}

/// What happened since open.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) syncs: AtomicU64,
    pub(crate) sync_us: AtomicU64,
    pub(crate) rotations: AtomicU64,
    pub(crate) recoveries: AtomicU64,
    pub(crate) recovery_us: AtomicU64,
}

impl Journal {
    /// The journal of a store that is about to be created or recovered; nothing can be written before `begin` or
    /// `take_over`.
    pub(crate) fn new(
        vfs: Arc<dyn Vfs>,
        options: Options,
        lock: Option<Box<dyn Lock>>,
        seed: u128,
    ) -> Self {
        let capabilities = vfs.capabilities();
        Self {
            vfs,
            switches: options.switches(),
            seed,
            durable_sync: capabilities.durable_sync && capabilities.dir_sync,
            writer: Mutex::new(Writer::new(None, 1)),
            syncer: Mutex::new(()),
            durable_seq: AtomicU64::new(0),
            time_ms: AtomicU64::new(0),
            state: AtomicU8::new(0),
            counters: Counters::default(),
            lock: Mutex::new(lock),
            options,
        }
    }

    #[inline]
    pub(crate) fn state(&self) -> State {
        State::ALL[usize::from(self.state.load(Ordering::Acquire))]
    }

    /// Enters a state; a worse one is never left for a better one, but that a full disk may heal.
    pub(crate) fn enter(&self, state: State) {
        let new = State::ALL.iter().position(|s| *s == state).unwrap_or(0);
        let new = u8::try_from(new).unwrap_or(0);
        let step = |old: u8| (old <= 1 || new > old).then_some(new);
        // Why: `Err` says that the worse state stays, which is what is wanted.
        let _stays = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
    }

    /// Refuses every call after `close`.
    #[inline]
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.state() == State::Closed { Err(Error::Closed) } else { Ok(()) }
    }

    /// Refuses writes where they cannot be kept.
    pub(crate) fn check_writable(&self) -> Result<()> {
        match self.state() {
            State::Healthy | State::OutOfSpace => Ok(()),
            State::OpenedReadOnly => Err(Error::ReadOnly { after_failed_sync: false }),
            State::SyncFailed => Err(Error::ReadOnly { after_failed_sync: true }),
            State::Closed => Err(Error::Closed),
        }
    }

    /// Whether background work may run.
    pub(crate) fn is_working(&self) -> bool {
        matches!(self.state(), State::Healthy | State::OutOfSpace)
    }

    /// Takes note of a fault and gives the error for the caller.
    pub(crate) fn settle(&self, fault: Fault) -> Error {
        match fault {
            Fault::Sync(error) if !self.switches.on(crate::lab::Bug::SyncRetried) => {
                self.enter(State::SyncFailed);
                self.event(&Event::SyncFailed);
                // Why: no space is no passing state here, what is on the medium is unknown.
                let lost = Error::ReadOnly { after_failed_sync: true };
                if error == Error::OutOfSpace { lost } else { error }
            }
            Fault::Write(Error::OutOfSpace) => {
                self.out_of_space();
                Error::OutOfSpace
            }
            Fault::Write(error) | Fault::Sync(error) => error,
        }
    }

    pub(crate) fn event(&self, event: &Event) {
        if let Some(observer) = &self.options.observer {
            observer.event(event);
        }
    }

    /// The time now: the greatest that was seen in this open, and in the frames that it found.
    #[inline]
    pub(crate) fn now_ms(&self) -> u64 {
        let now = self.options.clock.now_ms();
        self.time_ms.fetch_max(now, Ordering::AcqRel).max(now)
    }

    /// The greatest time seen so far, without asking the clock.
    pub(crate) fn time_ms(&self) -> u64 {
        self.time_ms.load(Ordering::Acquire)
    }

    /// The sequence of the last write.
    pub(crate) fn sequence(&self) -> u64 {
        self.writer.lock().next_seq - 1
    }

    /// The sequence up to which a power cut takes nothing back.
    pub(crate) fn durable_sequence(&self) -> u64 {
        self.durable_seq.load(Ordering::Acquire)
    }

    /// A file number that was never used.
    pub(crate) fn take_number(&self) -> Result<u64> {
        self.writer.lock().manifest.as_mut().ok_or(Error::Closed)?.take_number()
    }

    /// Files of the store and their bytes; a file that goes away meanwhile does not count.
    pub(crate) fn disk_usage(&self) -> Result<(u64, u64)> {
        let (mut files, mut bytes) = (0, 0);
        for name in self.vfs.list("")? {
            if FileName::parse(&name).is_none() {
                continue;
            }
            match self.vfs.open(&name, keelstone_vfs::Access::Read) {
                Ok(file) => (files, bytes) = (files + 1, bytes + file.len()?),
                Err(error) if error.kind == Kind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok((files, bytes))
    }

    /// Nothing goes on from here; the lock is free.
    pub(crate) fn end(&self) {
        self.enter(State::Closed);
        self.lock.lock().take();
    }
}
