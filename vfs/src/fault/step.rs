//! Everything that can happen to a fault disk, as values: what a trace records and replays.
//!
//! Called by the disk and its files, which make steps, and by `state`, which takes them.
//! Never: decides anything.

use crate::SyncMode;
use alloc::sync::Arc;
use core::fmt;

/// A name, shared.
pub(super) type Name = Arc<str>;

/// The number of a file, which stays when it gets another name.
pub(crate) type Ino = u64;

/// A part of the bytes of one write, shared.
#[derive(Clone)]
pub(super) struct Bytes {
    all: Arc<[u8]>,
    start: usize,
    end: usize,
}

impl Bytes {
    /// All of these bytes.
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self { all: Arc::from(bytes), start: 0, end: bytes.len() }
    }

    /// These bytes from `start` to `end`.
    pub(super) fn part(&self, start: usize, end: usize) -> Self {
        Self { all: self.all.clone(), start: self.start + start, end: self.start + end }
    }

    /// The bytes.
    pub(super) fn get(&self) -> &[u8] {
        &self.all[self.start..self.end]
    }

    /// Leaves the first `len` bytes.
    pub(super) fn cut(&mut self, len: usize) {
        self.end = self.end.min(self.start.saturating_add(len));
    }

    /// Whether `next` is the next part of the same write.
    pub(super) fn joins(&self, next: &Self) -> bool {
        Arc::ptr_eq(&self.all, &next.all) && self.end == next.start
    }

    /// Takes in the next part of the same write.
    pub(super) fn join(&mut self, next: &Self) {
        self.end = next.end;
    }

    /// Turns one bit of the byte at `at`, if there is one.
    pub(super) fn flip(&mut self, at: usize, bit: u8) {
        if at < self.end - self.start {
            let mut bytes = self.get().to_vec();
            bytes[at] ^= 1 << bit;
            *self = Self::new(&bytes);
        }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x?}", self.get())
    }
}

/// What a sync really did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// What it promises.
    Kept,
    /// Nothing, and nobody was told.
    Lied,
    /// Nothing ever: what was pending is forgotten and stays in the cache alone.
    Dropped,
    /// As dropped, and the next sync tells.
    Late,
    /// Nothing ever, and the cache went back to what is on the medium.
    Reverted,
    /// As dropped, and every open handle is told once.
    PerHandle,
}

/// One thing that happened. The file's name is the one it was opened by.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Create(Name, Ino),
    CreateDir(Name),
    /// The flag tells whether it is atomic.
    Rename(Name, Name, bool),
    Remove(Name),
    SyncDir(Name, Fate),
    Write(Name, Ino, u64, Bytes),
    SetLen(Name, Ino, u64),
    /// The file has at least this length.
    Allocate(Name, Ino, u64),
    Sync(Name, Ino, SyncMode, Fate),
    /// A bit of the medium turned.
    Flip(Name, u64, u8),
    /// Somebody laid a file onto the medium.
    Plant(Name, Ino, Bytes),
    /// Somebody took a file off the medium.
    Uproot(Name),
}

impl Step {
    /// How many bytes the step writes, one after the other.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Write(_, _, _, bytes) => bytes.get().len(),
            _ => 0,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(name, _) => write!(f, "create {name}"),
            Self::CreateDir(name) => write!(f, "create_dir {name}"),
            Self::Rename(from, to, _) => write!(f, "rename {from} {to}"),
            Self::Remove(name) => write!(f, "remove {name}"),
            Self::SyncDir(dir, fate) => write!(f, "sync_dir {}{}", shown(dir), fate.text()),
            Self::Write(name, _, offset, bytes) => {
                write!(f, "write {name} {offset}+{}", bytes.get().len())
            }
            Self::SetLen(name, _, len) => write!(f, "set_len {name} {len}"),
            Self::Allocate(name, _, len) => write!(f, "allocate {name} {len}"),
            Self::Sync(name, _, mode, fate) => {
                write!(f, "sync {name} {}{}", mode_name(*mode), fate.text())
            }
            Self::Flip(name, at, bit) => write!(f, "flip {name} {at}.{bit}"),
            Self::Plant(name, _, bytes) => write!(f, "plant {name} {}", bytes.get().len()),
            Self::Uproot(name) => write!(f, "uproot {name}"),
        }
    }
}

impl Fate {
    const fn text(self) -> &'static str {
        match self {
            Self::Kept => "",
            Self::Lied => " lied",
            Self::Dropped => " dropped",
            Self::Late => " late",
            Self::Reverted => " reverted",
            Self::PerHandle => " per-handle",
        }
    }
}

/// A directory as texts show it: the root is a dot.
pub(crate) fn shown(dir: &str) -> &str {
    if dir.is_empty() { "." } else { dir }
}

/// How much a sync makes durable, as texts show it.
pub(crate) const fn mode_name(mode: SyncMode) -> &'static str {
    match mode {
        SyncMode::Data => "data",
        SyncMode::All => "all",
    }
}
