//! The hash layout, in the tradition of Bitcask: keys in a hash index in memory, records in logs on disk.
//!
//! Called by the front door (`db`); calls `log`, `manifest` and the disk. The hall: what a store is made of, how its
//! parts agree on health, time and sequence. Reading, writing, syncing, snapshots, jobs and recovery have files of their
//! own.
//!
//! Locks, in the order in which they may be taken: `jobs`, `syncer`, `writer`, `snapshots`, one shard (or several, in
//! ascending order, by `Index::apply` only), `files`, `expiries`. No lock of a shard is held across a disk operation.

mod backup;
mod expiry;
mod files;
mod frames;
mod hint;
mod index;
mod jobs;
mod merge;
mod open;
#[cfg(feature = "lab")]
pub(crate) mod probe;
mod read;
mod recover;
mod repair;
mod reserve;
mod rewrite;
mod seal;
mod snapshot;
mod stats;
mod sync;
mod tail;
mod verify;
mod write;

pub(crate) use jobs::Job;
pub(crate) use open::{lock, open};
pub(crate) use repair::repair;
pub use repair::{Loss, RepairReport};
pub(crate) use snapshot::{ScanShards, SnapshotHandle};
pub use stats::Stats;
pub use tail::LogEntry;
pub(crate) use tail::LogWalk;
pub(crate) use verify::verify;
pub use verify::{Torn, VerifyReport};
pub(crate) use write::OpRef;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use keelstone_vfs::lock::Mutex;
use keelstone_vfs::{Lock, Vfs};

use crate::codec::KeyHasher;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::lab::Switches;
use crate::manifest::Fault;
use crate::options::Options;

use expiry::Expiries;
use files::Files;
use index::{Index, Place};
use jobs::Jobs;
use snapshot::Snapshots;
use stats::Counters;
use write::Writer;

/// The number of the hash layout on disk.
pub(crate) const LAYOUT: u8 = 1;

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

/// An open store.
pub(crate) struct Store {
    vfs: Arc<dyn Vfs>,
    options: Options,
    switches: Switches,
    seed: u128,
    hasher: KeyHasher,
    durable_sync: bool,
    index: Index,
    files: Files,
    expiries: Expiries,
    writer: Mutex<Writer>,
    syncer: Mutex<()>,
    /// Every sequence up to this one is durable.
    durable_seq: AtomicU64,
    /// The greatest time seen, in milliseconds since 1970.
    time_ms: AtomicU64,
    state: AtomicU8,
    snapshots: Snapshots,
    jobs: Mutex<Jobs>,
    counters: Counters,
    lock: Mutex<Option<Box<dyn Lock>>>,
}

impl Store {
    #[inline]
    pub(crate) fn state(&self) -> State {
        State::ALL[usize::from(self.state.load(Ordering::Acquire))]
    }

    /// Enters a state; a worse one is never left for a better one, but that a full disk may heal.
    fn enter(&self, state: State) {
        let new = State::ALL.iter().position(|s| *s == state).unwrap_or(0);
        let new = u8::try_from(new).unwrap_or(0);
        let step = |old: u8| (old <= 1 || new > old).then_some(new);
        // Why: `Err` says that the worse state stays, which is what is wanted.
        let _stays = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
    }

    /// Refuses every call after `close`.
    #[inline]
    fn check_open(&self) -> Result<()> {
        if self.state() == State::Closed { Err(Error::Closed) } else { Ok(()) }
    }

    /// Refuses writes where they cannot be kept.
    fn check_writable(&self) -> Result<()> {
        match self.state() {
            State::Healthy | State::OutOfSpace => Ok(()),
            State::OpenedReadOnly => Err(Error::ReadOnly { after_failed_sync: false }),
            State::SyncFailed => Err(Error::ReadOnly { after_failed_sync: true }),
            State::Closed => Err(Error::Closed),
        }
    }

    /// Takes note of a fault and gives the error for the caller.
    fn settle(&self, fault: Fault) -> Error {
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

    fn event(&self, event: &Event) {
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

    #[inline]
    fn place(&self, key: &[u8]) -> Place {
        self.index.place(self.hasher.hash(key))
    }

    /// What a scan now would return.
    pub(crate) fn len(&self) -> Result<u64> {
        self.check_open()?;
        let now = self.now_ms();
        let _writer = self.writer.lock();
        Ok(self.index.len() - self.expiries.expired(now))
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.writer.lock().next_seq - 1
    }

    pub(crate) fn durable_sequence(&self) -> u64 {
        self.durable_seq.load(Ordering::Acquire)
    }

    /// Syncs, writes the mark that makes every defect visible, and lets the lock go.
    pub(crate) fn close(&self) -> Result<()> {
        let state = self.state();
        let done = match state {
            State::Closed => return Ok(()),
            State::Healthy | State::OutOfSpace => self.close_clean(),
            State::OpenedReadOnly => Ok(()),
            State::SyncFailed => Err(Error::ReadOnly { after_failed_sync: true }),
        };
        self.enter(State::Closed);
        self.lock.lock().take();
        done
    }
}
