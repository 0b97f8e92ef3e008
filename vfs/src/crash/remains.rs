//! What a crash left of each file, byte for byte, beside what the disk would hold if it had not crashed.
//!
//! Called for the explanation of a failure; compares the cache at the crash, the medium, and what was found. Promise: the
//! ranges of a file are in order, without a gap, up to the longer of both lengths. A byte that is the same with and without
//! the crash counts as there, whatever became of the write. Never: decides.

use super::found::index;
use super::ranges::Ranges;
use crate::fault::{FaultDisk, Ino, Left, LeftFile, Part};
use crate::tree::{Node, Tree};
use crate::{Image, bytes};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

/// What became of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Survival {
    /// It was synced, and nothing was written over it since.
    Synced,
    /// It was not synced and is there all the same.
    There,
    /// The write is lost; what stood there before it is back, or never went.
    Older,
    /// The file ends before it.
    Missing,
    /// The file has grown, the bytes did not arrive: a zero.
    Zero,
    /// The same, but 0xa5, which nobody wrote.
    Garbage,
    /// The same, but a byte of another file.
    Stale,
    /// Nobody looked, so it was not decided: any of these would do.
    Open,
}

impl Survival {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Synced,
        Self::There,
        Self::Older,
        Self::Missing,
        Self::Zero,
        Self::Garbage,
        Self::Stale,
        Self::Open,
    ];
}

impl fmt::Display for Survival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Synced => "synced",
            Self::There => "there",
            Self::Older => "older",
            Self::Missing => "missing",
            Self::Zero => "zero",
            Self::Garbage => "garbage",
            Self::Stale => "stale",
            Self::Open => "open",
        })
    }
}

/// One file, with the crash and without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remains {
    /// The name that it would have without the crash; `None` if it was removed.
    pub before: Option<String>,
    /// The name that the crash left it.
    pub left: Option<String>,
    /// The name that was synced.
    pub synced: Option<String>,
    /// How many bytes were synced.
    pub synced_bytes: u64,
    /// What became of the bytes.
    pub ranges: Vec<(Range<u64>, Survival)>,
}

/// A disk at the moment of a crash, and what the crash left of it.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// Every file as it would be without the crash: all effects are there.
    pub before: Image,
    /// Every file as the crash left it, with the old bytes where nobody looked.
    pub left: Image,
    /// Each file, byte for byte.
    pub remains: Vec<Remains>,
}

/// What of a file was decided.
pub(super) struct Decided<'a> {
    pub(super) ino: Ino,
    /// What the crash left, the old bytes where nobody looked.
    pub(super) bytes: &'a [u8],
    /// Whether somebody looked at the length.
    pub(super) len_known: bool,
    /// The positions that somebody looked at.
    pub(super) seen: &'a Ranges,
    /// What stands where bytes are missing: nothing but zeros, garbage, or stale bytes.
    pub(super) fill: Survival,
    /// Where it stands.
    pub(super) filled: &'a Ranges,
}

impl Scene {
    /// A process is killed: nothing is lost.
    pub(super) fn of_kill(disk: &FaultDisk) -> Self {
        let left = disk.left();
        let tree = left.cached_names().clone();
        let mut all = Ranges::default();
        all.add(0..u64::MAX);
        let nothing = Ranges::default();
        let inos: Vec<Ino> = tree.nodes.values().filter_map(Node::file).collect();
        let contents: Vec<_> = inos.iter().map(|ino| (*ino, left.cached(*ino))).collect();
        let decided = contents.iter().map(|(ino, content)| Decided {
            ino: *ino,
            bytes: content,
            len_known: true,
            seen: &all,
            fill: Survival::Zero,
            filled: &nothing,
        });
        let remains = remains(&left, &tree, decided.collect());
        Self { before: disk.cached(), left: disk.cached(), remains }
    }
}

/// What is left of each file that has a name before or after the crash.
pub(super) fn remains(
    left: &Left,
    tree: &Arc<Tree<Ino>>,
    decided: Vec<Decided<'_>>,
) -> Vec<Remains> {
    let synced = left.synced_names();
    let files = [left.cached_names(), tree];
    let inos: BTreeSet<Ino> =
        files.iter().flat_map(|tree| tree.nodes.values().filter_map(Node::file)).collect();
    let one = |ino: Ino| {
        let found = decided.iter().find(|decided| decided.ino == ino);
        Remains {
            before: name_of(left.cached_names(), ino),
            left: name_of(tree, ino),
            synced: name_of(&synced, ino),
            synced_bytes: bytes::count(&left.medium(ino)),
            ranges: ranges(left, ino, found),
        }
    };
    let mut all: Vec<Remains> = inos.into_iter().map(one).collect();
    all.sort_by(|a, b| a.name().cmp(b.name()));
    all
}

fn name_of(tree: &Tree<Ino>, ino: Ino) -> Option<String> {
    let mut nodes = tree.nodes.iter().filter(|(_, node)| node.file() == Some(ino));
    nodes.next().map(|(name, _)| String::from(&**name))
}

impl Remains {
    /// The name for people: the one without the crash, or the one with it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.before.as_deref().or(self.left.as_deref()).unwrap_or_default()
    }
}

/// What became of the bytes of a file, range by range.
fn ranges(left: &Left, ino: Ino, found: Option<&Decided<'_>>) -> Vec<(Range<u64>, Survival)> {
    let (old, new) = (left.medium(ino), left.cached(ino));
    let open_file = left.open_file(ino);
    let now = found.map_or(old.as_slice(), |found| found.bytes);
    let bytes = Bytes { old: &old, new: &new, now, file: open_file.as_ref(), found };
    let mut ranges: Vec<(Range<u64>, Survival)> = Vec::new();
    for at in 0..bytes::count(&new).max(bytes::count(now)) {
        let survival = bytes.survival(at);
        match ranges.last_mut() {
            Some((range, last)) if *last == survival => range.end = at + 1,
            _ => ranges.push((at..at + 1, survival)),
        }
    }
    ranges
}

/// The bytes of a file: on the medium, in the cache, and as the crash left them.
struct Bytes<'a> {
    old: &'a [u8],
    new: &'a [u8],
    now: &'a [u8],
    /// What was pending, if anything was.
    file: Option<&'a LeftFile>,
    found: Option<&'a Decided<'a>>,
}

impl Bytes<'_> {
    fn survival(&self, at: u64) -> Survival {
        let byte = |row: &[u8]| row.get(index(at)).copied();
        let (old, new, now) = (byte(self.old), byte(self.new), byte(self.now));
        let parts = self.file.map_or(&[][..], |file| &file.parts);
        let covering = || parts.iter().filter(|part| part.start <= at && at < part.end());
        let was_written = |byte: Option<u8>| {
            let of = |part: &Part| part.bytes.get(index(at - part.start)).copied();
            covering().any(|part| of(part) == byte)
        };
        let is_touched = covering().next().is_some();
        if !is_touched && old.is_some() == new.is_some() && old == now {
            return Survival::Synced;
        }
        if !self.is_decided(at) {
            return Survival::Open;
        }
        match (new, now) {
            (Some(_), None) => Survival::Missing,
            _ if new == now => Survival::There,
            (None, _) => Survival::Older,
            _ if old.is_some() && old == now => Survival::Older,
            _ => match self.found.filter(|found| found.filled.gaps(at..at + 1).is_empty()) {
                Some(found) => found.fill,
                None if now != Some(0) && was_written(now) => Survival::Older,
                None => Survival::Zero,
            },
        }
    }

    /// Whether somebody looked at it.
    fn is_decided(&self, at: u64) -> bool {
        let Some(found) = self.found else { return false };
        let beyond = at >= bytes::count(found.bytes);
        found.len_known && (beyond || found.seen.gaps(at..at + 1).is_empty())
    }
}
