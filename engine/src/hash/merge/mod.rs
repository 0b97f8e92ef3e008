//! Merging: copies what is alive out of files that are mostly dead, while everybody goes on.
//!
//! Copy, then publish with one manifest edit, then move the index's entries in bounded steps, each only if the index still
//! holds the old place; the inputs go after the last step and the last reader.
//!
//! A tombstone is dropped only if every file begun before its own is an input too, and carried only while the index lacks
//! its key. An expired record counts as a tombstone once its grace is over.

mod choose;
mod copy;
mod publish;

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Store;
use super::files::DataFile;
use super::hint::{Collector, HintWriter, Item};
use super::index::{Loc, Place};
use crate::error::{FileName, Result};
use crate::log::LogWriter;
use crate::manifest::{LiveFile, Status};
use crate::record::{FILE_HEADER_BYTES, FileKind, FrameBuilder};

/// A merge that is under way.
pub(crate) struct Merge {
    inputs: Vec<Arc<DataFile>>,
    /// The age of the newest input: the outputs take it.
    age: u64,
    /// Files that are older than this and no inputs exist, or `u64::MAX`.
    older_than: u64,
    phase: Phase,
    outputs: Vec<Output>,
    frame: FrameBuilder,
    pending: Vec<Pending>,
    moves: Vec<Move>,
    moved: usize,
    files: Vec<Arc<DataFile>>,
    started_us: u64,
    bytes_in: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Reading input `0` from offset `1` on.
    Copy(usize, u64),
    /// Finishing output `0`.
    Finish(usize),
    Publish,
    Move,
    Done,
}

/// One output file.
struct Output {
    writer: LogWriter,
    seq: u64,
    collector: Option<Collector>,
    hint: Option<HintWriter>,
    records: u64,
    entry_bytes: u64,
    tombstone_bytes: u64,
}

/// An entry of the frame that is being built.
struct Pending {
    item: Item,
    place: Place,
    from: Option<Loc>,
}

/// What becomes of an index entry when the merge is published.
struct Move {
    place: Place,
    from: Loc,
    len: u32,
    expires_ms: u64,
    /// The output and the offset in it; `None`: the record had expired and is gone.
    to: Option<(u16, u32)>,
}

impl Merge {
    /// `inputs` in the order of their ages.
    fn new(inputs: Vec<Arc<DataFile>>, all: &[Arc<DataFile>], started_us: u64) -> Self {
        let age = inputs.iter().map(|file| file.log.age).max().unwrap_or(0);
        let chosen =
            |file: &DataFile| inputs.iter().any(|input| input.log.number == file.log.number);
        let others = all.iter().filter(|file| !chosen(file)).map(|file| file.log.age);
        let older_than = others.min().unwrap_or(u64::MAX);
        let bytes_in = inputs.iter().map(|file| file.log.end()).sum();
        Self {
            inputs,
            age,
            older_than,
            phase: Phase::Copy(0, FILE_HEADER_BYTES as u64),
            outputs: Vec::new(),
            frame: FrameBuilder::default(),
            pending: Vec::new(),
            moves: Vec::new(),
            moved: 0,
            files: Vec::new(),
            started_us,
            bytes_in,
        }
    }

    pub(in crate::hash) fn step(&mut self, store: &Store) -> Result<bool> {
        match self.phase {
            Phase::Copy(input, offset) => self.copy(store, input, offset)?,
            Phase::Finish(output) => self.finish_output(store, output)?,
            Phase::Publish => self.publish(store)?,
            Phase::Move => self.move_some(store),
            Phase::Done => {}
        }
        Ok(self.phase != Phase::Done)
    }

    /// The job ends here: outputs that were never published go away; a published merge is carried through.
    pub(in crate::hash) fn abandon(&mut self, store: &Store) {
        while self.phase == Phase::Move {
            self.move_some(store);
        }
        for output in self.outputs.drain(..) {
            let FileName::Segment(number) = output.writer.name() else { continue };
            for name in [FileName::Segment(number), FileName::Hint(number)] {
                // Why: what cannot be removed now is removed at the next open.
                let _left_for_open = store.journal.vfs.remove(&format!("{name}"));
            }
        }
    }
}

impl Output {
    fn live(&self, age: u64) -> LiveFile {
        let number = self.writer.name().number().unwrap_or(0);
        let status = Status::Sealed { len: self.writer.end() };
        LiveFile { kind: FileKind::Segment, number, age, status, first_seq: 0, last_seq: 0 }
    }
}
