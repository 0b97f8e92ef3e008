//! A trace with a sync taken away or moved, and where that can matter.
//!
//! Called by tests that ask of each sync of a run what it is there for.
//!
//! Promise: at a point that [`Trace::new_points`] leaves out no crash leaves anything that it cannot leave at a point of the
//! unchanged trace with the same marks. Never: runs or judges a system.

use super::inode::Inode;
use super::state::State;
use super::step::{Fate, Ino, Step};
use super::trace::{Tape, Trace};
use crate::tree::Node;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

impl Trace {
    /// This trace without one of its operations.
    #[must_use]
    pub fn without(&self, op: usize) -> Self {
        let (mut steps, mut marks) = (self.tape.steps.clone(), self.tape.marks.clone());
        if op < steps.len() {
            steps.remove(op);
            marks.iter_mut().filter(|(at, _)| *at > op).for_each(|(at, _)| *at -= 1);
        }
        self.of(steps, marks)
    }

    /// This trace with the sync `from` as its operation `to`, next to the one that was `to`. All else keeps its order,
    /// marks among it. `None` if `from` is no sync, or what it syncs is made only between the two.
    #[must_use]
    pub fn moved(&self, from: usize, to: usize) -> Option<Self> {
        let (mut steps, mut marks) = (self.tape.steps.clone(), self.tape.marks.clone());
        if from.max(to) >= steps.len() || !steps[from].is_sync() {
            return None;
        }
        if steps[to.min(from)..from].iter().any(|step| step.makes_what(&steps[from])) {
            return None;
        }
        let sync = steps.remove(from);
        steps.insert(to, sync);
        for (at, _) in &mut marks {
            if from < *at && *at <= to {
                *at -= 1;
            } else if to < *at && *at <= from {
                *at += 1;
            }
        }
        Some(self.of(steps, marks))
    }

    /// This trace with two syncs in each other's place; the marks stay where they are. `None` if one is no sync, or what
    /// the later one syncs is made only between the two.
    #[must_use]
    pub fn exchanged(&self, one: usize, other: usize) -> Option<Self> {
        let (mut steps, marks) = (self.tape.steps.clone(), self.tape.marks.clone());
        let (first, last) = (one.min(other), one.max(other));
        if last >= steps.len() || !steps[first].is_sync() || !steps[last].is_sync() {
            return None;
        }
        if steps[first..last].iter().any(|step| step.makes_what(&steps[last])) {
            return None;
        }
        steps.swap(first, last);
        Some(self.of(steps, marks))
    }

    fn of(&self, steps: Vec<Step>, marks: Vec<(usize, u64)>) -> Self {
        let Tape { start, capabilities, .. } = &*self.tape;
        let tape = Tape { start: start.clone(), capabilities: *capabilities, steps, marks };
        Self { tape: Arc::new(tape) }
    }

    /// What operation `op`, a sync, makes durable: bytes, zeros where the file grew, lengths, operations on names. Empty
    /// if nothing was open there; then the disk is the same without it.
    #[must_use]
    pub fn made_durable(&self, op: usize) -> Vec<String> {
        let states: Vec<State> = self.states().skip(op).take(2).map(|(state, _)| state).collect();
        let ([before, after], Some(step)) = (states.as_slice(), self.tape.steps.get(op)) else {
            return Vec::new();
        };
        let open = |state: &State| match step {
            Step::Sync(name, ino, ..) => open_in(state.inodes.get(ino), name),
            Step::SyncDir(..) => state.names.pending.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        let (mut open, still) = (open(before), open(after));
        for what in &still {
            if let Some(at) = open.iter().position(|open| open == what) {
                open.remove(at);
            }
        }
        open
    }

    /// The points of `changed`, this trace with syncs taken away or moved, at which a crash can leave something that it
    /// cannot leave here, or at which other marks were made. Left out are those with a disk that this trace has at one of
    /// the three nearest points with the same marks, or would have there after the sync that `changed` has done last.
    ///
    /// Why that: a sync changes nothing that is read, and of all that a power cut could leave before it, it takes away.
    #[must_use]
    pub fn new_points(&self, changed: &Self) -> Vec<usize> {
        let known: Vec<_> = self.states().collect();
        let points = changed.states().enumerate().filter(|(point, (state, marks))| {
            let last = point.checked_sub(1).and_then(|op| changed.tape.steps.get(op));
            let covers = |known: &State| {
                known.same(state)
                    || last.filter(|step| step.is_sync()).is_some_and(|sync| {
                        let mut known = known.clone();
                        known.take(sync);
                        known.same(state)
                    })
            };
            let mut near = known.iter().skip(point.saturating_sub(1)).take(3);
            !near.any(|(known, known_marks)| known_marks == marks && covers(known))
        });
        points.map(|(point, _)| point).collect()
    }

    /// The disk at each point, with the number of marks before it.
    fn states(&self) -> impl Iterator<Item = (State, usize)> {
        let mut state = self.tape.start.clone();
        (0..=self.len()).map(move |point| {
            if let Some(step) = point.checked_sub(1).and_then(|op| self.tape.steps.get(op)) {
                state.take(step);
            }
            (state.clone(), self.marks_before(point).count())
        })
    }
}

impl Step {
    const fn is_sync(&self) -> bool {
        matches!(self, Self::Sync(_, _, _, Fate::Kept) | Self::SyncDir(_, Fate::Kept))
    }

    /// Whether `sync` cannot be done before this.
    fn makes_what(&self, sync: &Self) -> bool {
        match (self, sync) {
            (Self::Create(_, made), Self::Sync(_, synced, ..)) => made == synced,
            (Self::CreateDir(made), Self::SyncDir(synced, _)) => made == synced,
            _ => false,
        }
    }
}

/// What is open in a file, in words.
fn open_in(inode: Option<&Arc<Inode>>, name: &str) -> Vec<String> {
    let mut open = Vec::new();
    for change in inode.into_iter().flat_map(|inode| inode.pending()) {
        let ((start, laid), zeros) = (change.laid(), change.zeros());
        if !laid.is_empty() {
            open.push(format!("{name} bytes {start}+{}", laid.len()));
        } else if !zeros.is_empty() {
            open.push(format!("{name} zeros {}+{}", zeros.start, zeros.end - zeros.start));
        }
        open.extend(change.length().map(|len| format!("{name} length {len}")));
    }
    open
}

impl State {
    /// Whether no crash, and nothing that is done from here on, can tell the two disks apart.
    fn same(&self, other: &Self) -> bool {
        let same = |ino: Ino| match (self.inodes.get(&ino), other.inodes.get(&ino)) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one.same(other),
            (one, other) => one.is_none() && other.is_none(),
        };
        // Why only what has a name, or had one, or is getting one: nothing leads to another file.
        let trees = [&self.names.cached, &self.names.durable];
        let named = trees.into_iter().flat_map(|tree| tree.nodes.values());
        let made = self.names.pending.iter().filter_map(super::names::NameOp::node);
        self.names == other.names
            && named.copied().chain(made).filter_map(|node| Node::file(&node)).all(same)
    }
}
