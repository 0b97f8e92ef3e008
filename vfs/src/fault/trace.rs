//! A recording of everything that happened to a fault disk, and the way back to any point of it.
//!
//! Called by tests and the crash explorer: a workload runs once, and every point of it is then
//! rebuilt from the trace, which is far cheaper than running it again.
//! Promise: the disk at a point is the disk as it was, with what was pending still pending.

use super::names::NameOp;
use super::state::State;
use super::step::{Fate, Step};
use super::{FaultDisk, Happened};
use crate::tree::Node;
use crate::{Capabilities, SyncMode};
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// A recording that goes on.
#[derive(Clone)]
pub(super) struct Recorder {
    start: State,
    capabilities: Capabilities,
    steps: Vec<Step>,
    marks: Vec<(usize, u64)>,
}

impl Recorder {
    pub(super) const fn new(start: State, capabilities: Capabilities) -> Self {
        Self { start, capabilities, steps: Vec::new(), marks: Vec::new() }
    }

    pub(super) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    pub(super) fn mark(&mut self, mark: u64) {
        self.marks.push((self.steps.len(), mark));
    }

    pub(super) fn finish(self) -> Trace {
        let Self { start, capabilities, steps, marks } = self;
        Trace { tape: Arc::new(Tape { start, capabilities, steps, marks }) }
    }
}

/// Everything that happened to a disk, in order: only what had an effect, so neither reads nor
/// failures without one. Cheap to clone. As text it has one line for each operation and mark.
#[derive(Clone)]
pub struct Trace {
    pub(super) tape: Arc<Tape>,
}

/// What a trace holds.
pub(super) struct Tape {
    pub(super) start: State,
    pub(super) capabilities: Capabilities,
    pub(super) steps: Vec<Step>,
    pub(super) marks: Vec<(usize, u64)>,
}

impl Trace {
    /// The number of operations.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tape.steps.len()
    }

    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tape.steps.is_empty()
    }

    /// Operation `op` in one line, as in `write a.log 0+44`.
    #[must_use]
    pub fn line(&self, op: usize) -> Option<String> {
        self.tape.steps.get(op).map(ToString::to_string)
    }

    /// Operation `op` as a value; `None` beyond the end, and for failures, lies and damage.
    #[must_use]
    pub fn happened(&self, op: usize) -> Option<Happened<'_>> {
        self.tape.steps.get(op).and_then(Step::happened)
    }

    /// How many bytes operation `op` writes; 0 for all that are not writes.
    #[must_use]
    pub fn bytes(&self, op: usize) -> usize {
        self.tape.steps.get(op).map_or(0, Step::bytes)
    }

    /// Whether a stop after so many bytes of operation `op`, a write, is beside a byte that is not
    /// zero, or at the edge of a sector.
    pub(crate) fn cuts(&self, op: usize, bytes: usize) -> bool {
        let Some(Step::Write(_, _, offset, all)) = self.tape.steps.get(op) else { return false };
        let (at, edge) = (bytes.saturating_sub(1), offset.saturating_add(bytes as u64));
        edge.is_multiple_of(512) || all.get().iter().skip(at).take(2).any(|byte| *byte != 0)
    }

    /// The marks, each with the number of operations before it, in order.
    #[must_use]
    pub fn marks(&self) -> &[(usize, u64)] {
        &self.tape.marks
    }

    /// The marks that were made before operation `op`.
    pub fn marks_before(&self, op: usize) -> impl Iterator<Item = u64> {
        let before = move |mark: &&(usize, u64)| mark.0 <= op;
        self.tape.marks.iter().take_while(before).map(|(_, mark)| *mark)
    }

    /// The disk as it was after the first `op` operations and the first `bytes` bytes of the next
    /// one if that is a write. To visit many points in order, [`walk`](Self::walk) is cheaper.
    #[must_use]
    pub fn disk_at(&self, op: usize, bytes: usize) -> FaultDisk {
        let mut walk = self.walk();
        walk.seek(op, bytes);
        walk.disk()
    }

    /// A walk through all points in order: the start, each byte of each write, and the end of each
    /// operation.
    #[must_use]
    pub fn walk(&self) -> Walk {
        let state = self.tape.start.clone();
        Walk { trace: self.clone(), state, op: 0, bytes: 0, begun: false, honest_dirs: true }
    }

    /// This trace with one sync more behind the first `op` operations: one for each file, and each
    /// directory, that has something to sync there. Each with its line.
    pub(crate) fn with_syncs(&self, op: usize) -> Vec<(String, Self)> {
        let mut walk = self.walk();
        walk.seek(op, 0);
        let State { names, inodes, .. } = &walk.state;
        let mut syncs: Vec<Step> = Vec::new();
        for (name, node) in &names.cached.nodes {
            if let Node::File(ino) = node
                && inodes.get(ino).is_some_and(|inode| !inode.pending().is_empty())
            {
                syncs.push(Step::Sync(name.clone(), *ino, SyncMode::All, Fate::Kept));
            }
        }
        let dirs: BTreeSet<&str> = names.pending.iter().flat_map(NameOp::dirs).collect();
        syncs.extend(dirs.into_iter().map(|dir| Step::SyncDir(Arc::from(dir), Fate::Kept)));
        syncs.into_iter().map(|sync| (sync.to_string(), self.with(op, sync))).collect()
    }

    /// This trace with a step more.
    fn with(&self, op: usize, step: Step) -> Self {
        let Tape { start, capabilities, steps, marks } = &*self.tape;
        let mut steps = steps.clone();
        steps.insert(op, step);
        let marks = marks.iter().map(|(at, mark)| (at + usize::from(*at >= op), *mark)).collect();
        let tape = Tape { start: start.clone(), capabilities: *capabilities, steps, marks };
        Self { tape: Arc::new(tape) }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut marks = self.tape.marks.iter().peekable();
        for op in 0..=self.len() {
            while let Some((_, mark)) = marks.next_if(|(at, _)| *at == op) {
                writeln!(f, "mark {mark}")?;
            }
            if let Some(step) = self.tape.steps.get(op) {
                writeln!(f, "{step}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One point of a trace.
#[derive(Clone, Debug)]
pub struct Moment {
    /// How many operations are done.
    pub op: usize,
    /// How many bytes of the next one are written.
    pub bytes: usize,
    /// The disk as it was then.
    pub disk: FaultDisk,
}

/// A walk through a trace. As an iterator it visits every point; [`seek`](Self::seek) skips.
#[derive(Clone)]
pub struct Walk {
    trace: Trace,
    state: State,
    op: usize,
    bytes: usize,
    begun: bool,
    honest_dirs: bool,
}

impl Walk {
    /// Without honest directories their syncs have no effect from here on.
    pub(crate) const fn honest_dirs(&mut self, honest: bool) {
        self.honest_dirs = honest;
    }

    /// Goes to the point after `op` operations and `bytes` bytes of the next; a point beyond the
    /// end of the operation or of the trace is that end. Going back starts again from the front.
    pub fn seek(&mut self, op: usize, bytes: usize) {
        if (op, bytes) < (self.op, self.bytes) {
            let honest_dirs = self.honest_dirs;
            *self = Self { honest_dirs, ..self.trace.walk() };
        }
        self.begun = true;
        while self.op < op.min(self.trace.len()) {
            self.finish_op();
        }
        let bytes = bytes.min(self.trace.bytes(self.op));
        if bytes > self.bytes {
            self.state.take_bytes(&self.trace.tape.steps[self.op], self.bytes, bytes);
            self.bytes = bytes;
        }
    }

    /// The disk at this point, with nothing open or locked and no recording.
    #[must_use]
    pub fn disk(&self) -> FaultDisk {
        FaultDisk::from_state(self.state.clone(), self.trace.tape.capabilities)
    }

    fn finish_op(&mut self) {
        let step = &self.trace.tape.steps[self.op];
        if self.bytes > 0 {
            self.state.take_bytes(step, self.bytes, step.bytes());
        } else if self.honest_dirs || !matches!(step, Step::SyncDir(..)) {
            self.state.take(step);
        }
        self.op += 1;
        self.bytes = 0;
    }
}

impl Iterator for Walk {
    type Item = Moment;

    fn next(&mut self) -> Option<Moment> {
        if !self.begun {
            self.begun = true;
        } else if self.op >= self.trace.len() {
            return None;
        } else if self.bytes + 1 < self.trace.bytes(self.op) {
            self.seek(self.op, self.bytes + 1);
        } else {
            self.finish_op();
        }
        Some(Moment { op: self.op, bytes: self.bytes, disk: self.disk() })
    }
}
