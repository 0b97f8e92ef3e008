//! What is to go wrong, and when: counts the operations and says for each what becomes of it.
//!
//! Called by the disk and its files at the start of every operation; tests make the plans.
//! Promise: the same plan and the same operations give the same failures.
//! Never: touches names or bytes.

use super::step::Fate;
use crate::{Error, Kind, Op, Result};
use alloc::vec::Vec;

/// The most bytes of a fault disk: it lives in memory.
pub(super) const SPACE_BYTES_MAX: u64 = 1 << 31;

/// How much of an operation that fails takes effect all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// The first so many bytes of a write; of every other operation nothing.
    Partial(usize),
    /// Everything.
    Full,
}

/// A failure of the operation with a given number, counted from 0 over every operation of the disk
/// and its files; see [`FaultDisk::ops`](super::FaultDisk::ops).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The number of the operation.
    pub at: u64,
    /// Whether every later operation fails too.
    pub forever: bool,
    /// What the error says.
    pub kind: Kind,
    /// What is done all the same.
    pub effect: Effect,
}

impl Fault {
    /// Operation `at` fails with `kind` and has no effect; the next works again.
    #[must_use]
    pub const fn once(at: u64, kind: Kind) -> Self {
        Self { at, forever: false, kind, effect: Effect::None }
    }

    /// Operation `at` and all after it fail with `kind` and have no effect.
    #[must_use]
    pub const fn forever(at: u64, kind: Kind) -> Self {
        Self { at, forever: true, kind, effect: Effect::None }
    }

    /// The same failure with this effect.
    #[must_use]
    pub const fn with(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }
}

/// The ways in which the sync of a file is known to fail. In each of them what was pending is
/// forgotten: it never reaches the medium, whatever is synced later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncFault {
    /// The sync fails; the cache goes on showing what was written, and later syncs succeed.
    Dropped,
    /// The sync succeeds; the next sync of that file fails.
    Late,
    /// The sync fails; the cache goes back to what is on the medium.
    Reverted,
    /// The sync fails, and so does the next sync through every other handle that was open.
    PerHandle,
}

/// What is to go wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) ops: u64,
    pub(super) syncs: u64,
    pub(super) faults: Vec<Fault>,
    /// The first operation that failed as it was told to.
    pub(super) struck: Option<Op>,
    pub(super) sync_faults: Vec<(u64, SyncFault)>,
    pub(super) halt: Option<(u64, usize)>,
    pub(super) halted: bool,
    pub(super) space: Option<u64>,
    pub(super) lying: bool,
}

/// The leave to do an operation, and what becomes of it.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(super) struct Pass {
    /// How many bytes of a write are written.
    bytes: usize,
    error: Option<Error>,
}

impl Pass {
    /// How many of the `len` bytes of a write are written.
    pub(super) fn bytes(&self, len: usize) -> usize {
        self.bytes.min(len)
    }

    /// The result that the caller sees of what was done.
    pub(super) fn end<T>(self, value: T) -> Result<T> {
        self.error.map_or(Ok(value), Err)
    }
}

impl Plan {
    /// Counts an operation and says what becomes of it: an error has no effect, a pass may have.
    pub(super) fn begin(&mut self, op: Op) -> Result<Pass> {
        let at = self.ops;
        self.ops += 1;
        if self.halted {
            return Err(Error::new(op, Kind::Io));
        }
        let halt = self.halt.filter(|(halt, _)| at >= *halt);
        let (kind, effect) = match halt {
            Some((_, bytes)) => {
                self.halted = true;
                (Kind::Io, halting(op, bytes))
            }
            None => match self.faults.iter().find(|fault| fault.strikes(at)) {
                Some(fault) => {
                    self.struck.get_or_insert(op);
                    (fault.kind, fault.effect)
                }
                None => return Ok(Pass { bytes: usize::MAX, error: None }),
            },
        };
        let error = Error::new(op, kind);
        match effect {
            Effect::Partial(bytes) if op == Op::Write => Ok(Pass { bytes, error: Some(error) }),
            Effect::Full => Ok(Pass { bytes: usize::MAX, error: Some(error) }),
            Effect::None | Effect::Partial(_) => Err(error),
        }
    }

    /// Counts a sync of a file and says in which way it fails, if it does.
    pub(super) fn begin_sync(&mut self) -> Option<SyncFault> {
        let at = self.syncs;
        self.syncs += 1;
        self.sync_faults.iter().find(|(fault, _)| *fault == at).map(|(_, fault)| *fault)
    }

    /// How many bytes may be on the disk.
    pub(super) fn space(&self) -> u64 {
        self.space.unwrap_or(SPACE_BYTES_MAX).min(SPACE_BYTES_MAX)
    }
}

impl Fault {
    const fn strikes(&self, at: u64) -> bool {
        at == self.at || self.forever && at > self.at
    }
}

/// What the operation at which everything stops does before.
fn halting(op: Op, bytes: usize) -> Effect {
    match bytes {
        0 => Effect::None,
        _ if op == Op::Write => Effect::Partial(bytes),
        _ => Effect::Full,
    }
}

impl SyncFault {
    /// What becomes of what was pending.
    pub(super) const fn fate(self) -> Fate {
        match self {
            Self::Dropped => Fate::Dropped,
            Self::Late => Fate::Late,
            Self::Reverted => Fate::Reverted,
            Self::PerHandle => Fate::PerHandle,
        }
    }
}
