//! What a power cut leaves: one choice among everything that was pending, applied.
//!
//! Called by the disk. Promise: the same state and choice give the same disk, and everything on it
//! is durable. Never: changes the disk that it cuts.

use super::dice::Dice;
use super::inode::{Change, Content, Inode, What, index, lay_bytes, lay_zeros};
use super::state::State;
use super::step::Ino;
use crate::tree::{Node, Tree};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// What the medium got of everything that was pending when the power failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PowerCut {
    /// Nothing.
    Lost,
    /// Everything.
    Kept,
    /// All names, and no bytes and lengths.
    Names,
    /// All bytes and lengths, and no names.
    Bytes,
    /// All names and lengths, and no bytes: zeros where files grew.
    Lengths,
    /// Of one file the first so many pending bytes, in the order in which they were written, and
    /// the lengths between them; of the others what `rest` says. The file's own name is kept.
    Torn {
        /// The file's name.
        file: String,
        /// How many pending bytes.
        bytes: usize,
        /// What became of everything else.
        rest: Rest,
    },
    /// Everything but one pending operation on names, counted from the oldest, and those that make
    /// no sense without it.
    NameLost(usize),
    /// Nothing but one pending operation on names, and those without which it makes no sense.
    NameEarly(usize),
    /// A subset, and parts of writes, and sometimes zeros, garbage or stale bytes in their place,
    /// all drawn from this seed.
    Seeded(u64),
}

/// What became of everything that a choice does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing of it reached the medium.
    Lost,
    /// All of it did.
    Kept,
}

impl fmt::Display for PowerCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str("all lost"),
            Self::Kept => f.write_str("all kept"),
            Self::Names => f.write_str("names kept, bytes lost"),
            Self::Bytes => f.write_str("bytes kept, names lost"),
            Self::Lengths => f.write_str("names and lengths kept, bytes lost"),
            Self::Torn { file, bytes, rest } => {
                let rest = if *rest == Rest::Lost { "lost" } else { "kept" };
                write!(f, "{file} torn after {bytes} bytes, rest {rest}")
            }
            Self::NameLost(at) => write!(f, "name operation {at} lost"),
            Self::NameEarly(at) => write!(f, "name operation {at} early"),
            Self::Seeded(seed) => write!(f, "seed {seed}"),
        }
    }
}

impl State {
    /// The systematic choices.
    pub(super) fn cuts(&self) -> Vec<PowerCut> {
        use PowerCut::{Bytes, Kept, Lengths, Lost, NameEarly, NameLost, Names};
        let mut cuts = vec![Lost, Kept, Names, Bytes, Lengths];
        let cached = &self.names.cached.nodes;
        let gone = self.names.durable.nodes.iter().filter(|(name, _)| !cached.contains_key(*name));
        for (name, node) in cached.iter().chain(gone) {
            // What is gone can only be torn if its removal was lost.
            let rests = if cached.contains_key(name) { 2 } else { 1 };
            let inode = node.file().map(|ino| self.inode(ino));
            for inode in inode.into_iter().filter(|inode| !inode.pending().is_empty()) {
                let torn = |bytes, rest| PowerCut::Torn { file: name.to_string(), bytes, rest };
                let each = |bytes| [Rest::Lost, Rest::Kept].map(|rest| torn(bytes, rest));
                let each = |bytes| each(bytes).into_iter().take(rests);
                cuts.extend((0..=inode.pending_bytes()).flat_map(each));
            }
        }
        let names = 0..self.names.pending.len();
        cuts.extend(names.flat_map(|at| [NameLost(at), NameEarly(at)]));
        cuts
    }

    /// A choice in words.
    pub(super) fn describe(&self, choice: &PowerCut) -> String {
        match choice {
            PowerCut::NameLost(at) | PowerCut::NameEarly(at) if *at < self.names.pending.len() => {
                [choice.to_string(), self.names.pending[*at].to_string()].join(": ")
            }
            _ => choice.to_string(),
        }
    }

    /// The disk after a power cut.
    pub(super) fn cut(&self, choice: &PowerCut) -> Self {
        match choice {
            PowerCut::Lost => self.cut_to(&[], |_, inode| inode.medium().clone()),
            PowerCut::Kept => self.cut_to(&self.all(), |_, inode| inode.kept()),
            PowerCut::Names => self.cut_to(&self.all(), |_, inode| inode.medium().clone()),
            PowerCut::Bytes => self.cut_to(&[], |_, inode| inode.kept()),
            PowerCut::Lengths => self.cut_to(&self.all(), |_, inode| inode.unfilled()),
            PowerCut::Torn { file, bytes, rest } => self.tear(file, *bytes, *rest),
            PowerCut::NameLost(at) => {
                let mut chosen = self.all();
                chosen.iter_mut().skip(*at).take(1).for_each(|chosen| *chosen = false);
                self.names.drop_orphaned(&mut chosen);
                self.cut_to(&chosen, |_, inode| inode.kept())
            }
            PowerCut::NameEarly(at) => {
                let mut chosen = vec![false; self.names.pending.len()];
                chosen.iter_mut().skip(*at).take(1).for_each(|chosen| *chosen = true);
                self.names.add_needed(&mut chosen);
                self.cut_to(&chosen, |_, inode| inode.medium().clone())
            }
            PowerCut::Seeded(seed) => self.roll(&mut Dice::new(*seed), true),
        }
    }

    fn all(&self) -> Vec<bool> {
        vec![true; self.names.pending.len()]
    }

    fn cut_to(&self, names: &[bool], content: impl Fn(Ino, &Inode) -> Content) -> Self {
        self.durable(self.names.after(names), content)
    }

    /// The file that has this name, or had it.
    pub(super) fn file(&self, name: &str) -> Option<Ino> {
        let node = |tree: &Tree<Ino>| tree.nodes.get(name).copied();
        match node(&self.names.cached).or_else(|| node(&self.names.durable))? {
            Node::File(ino) => Some(ino),
            Node::Dir => None,
        }
    }

    fn tear(&self, file: &str, bytes: usize, rest: Rest) -> Self {
        let torn = self.file(file);
        let names = match rest {
            Rest::Kept => self.all(),
            Rest::Lost if self.names.cached.nodes.contains_key(file) => self.names.making(file),
            Rest::Lost => Vec::new(),
        };
        self.cut_to(&names, |ino, inode| match rest {
            _ if torn == Some(ino) => inode.torn(bytes),
            Rest::Lost => inode.medium().clone(),
            Rest::Kept => inode.kept(),
        })
    }

    /// A subset by dice, with garbage or without.
    pub(super) fn roll(&self, dice: &mut Dice, garbage: bool) -> Self {
        // Why: with odds of one half alone, that nearly all or nearly nothing is left is rare.
        let odds = [1, 2, 4, 6, 7][dice.below(5)];
        let mut chosen: Vec<bool> = Vec::new();
        for at in 0..self.names.pending.len() {
            let stands = self.names.stands(&chosen, at);
            chosen.push(stands && dice.below(8) < odds);
        }
        let seed = dice.roll();
        self.cut_to(&chosen, |ino, inode| {
            inode.rolled(&mut Dice::new(seed ^ (ino + 1).wrapping_mul(0x9e37_79b9)), odds, garbage)
        })
    }
}

impl Inode {
    /// What is left of the file by dice: each change with odds of `odds` in 8.
    fn rolled(&self, dice: &mut Dice, odds: usize, garbage: bool) -> Content {
        if self.pending().is_empty() {
            return self.medium().clone();
        }
        let mut row = Vec::clone(self.medium());
        let mut len = row.len() as u64;
        for change in self.pending() {
            let lengths = change.lengths();
            if !lengths.is_empty() && dice.below(8) < odds {
                // Mostly the last of them: a write is rarely torn.
                let back =
                    if dice.coin() { 0 } else { dice.below(index(lengths.end - lengths.start)) };
                len = lengths.end - 1 - back as u64;
                if dice.coin() {
                    lay_zeros(&mut row, change.zeros());
                }
            }
            if dice.below(8) < odds {
                self.lay_part(change, &mut row, dice, garbage);
            }
        }
        row.resize(index(len), 0);
        Arc::new(row)
    }

    /// Lays a part of a write, or something else in its place.
    fn lay_part(&self, change: &Change, row: &mut Vec<u8>, dice: &mut Dice, garbage: bool) {
        let (start, laid) = change.laid();
        let (a, b) = (dice.below(laid.len() + 1), dice.below(laid.len() + 1));
        let lay = |row: &mut Vec<u8>, from: usize, bytes: &[u8]| {
            lay_bytes(row, start + from as u64, bytes);
        };
        match dice.below(if garbage { 9 } else { 7 }) {
            0..=2 => lay(row, 0, laid),
            3 => lay(row, 0, &laid[..a]),
            4 => lay(row, a, &laid[a..]),
            5 => lay(row, a.min(b), &laid[a.min(b)..a.max(b)]),
            6 => {
                lay(row, 0, &laid[..a.min(b)]);
                lay(row, a.max(b), &laid[a.max(b)..]);
            }
            7 => lay(row, a.min(b), &vec![0xa5; a.max(b) - a.min(b)]),
            _ => lay(row, 0, &self.stale(laid.len(), dice)),
        }
    }

    /// Bytes that were in this file before, from somewhere else in it.
    fn stale(&self, len: usize, dice: &mut Dice) -> Vec<u8> {
        let source = match self.pending().get(dice.below(self.pending().len() + 1)) {
            Some(Change { what: What::Write(_, bytes), .. }) => bytes.get(),
            _ => self.medium(),
        };
        source.iter().copied().skip(dice.below(source.len())).take(len).collect()
    }
}
