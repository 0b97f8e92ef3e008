//! The second half of a merge: one edit makes the outputs live, then the index's entries move to them.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use super::super::Store;
use super::super::files::DataFile;
use super::super::index::Loc;
use super::{Merge, Move, Output, Phase};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::journal::LogFile;
use crate::lab::Bug;
use crate::manifest::{Edit, Fault, Manifest, sync_root};

/// Index entries that one step moves.
const STEP_MOVES: usize = 2048;

impl Merge {
    /// Makes the outputs, instead of the inputs, what the manifest names.
    pub(super) fn publish(&mut self, store: &Store) -> Result<()> {
        if !store.journal.switches.on(Bug::ShadowsNotSynced) {
            // Crash: nothing is published. What shadows a record that was dropped must not be lost after it.
            let seq = store.journal.sequence();
            store.journal.sync_through(seq)?;
        }
        if !store.journal.switches.on(Bug::OutputNamesNotSynced) {
            // Crash: nothing is published. What the manifest will name must be there.
            sync_root(&*store.journal.vfs, store.journal.switches)
                .map_err(|fault| store.journal.settle(fault))?;
        }
        if store.journal.switches.on(Bug::InputsRemovedEarly) {
            for input in &self.inputs {
                store.journal.vfs.remove(&format!("{}", input.log.name))?;
            }
        }
        let mut edits: Vec<_> = self.outputs.iter().map(|o| Edit::File(o.live(self.age))).collect();
        edits.extend(self.inputs.iter().map(|f| Edit::Removed { number: f.log.number }));
        let mut writer = store.journal.writer.lock();
        // Why before the edit: behind it an error would take the outputs for unpublished and remove them. Files are added
        // under this lock only.
        store.files.reserve(self.outputs.len())?;
        let manifest = writer.manifest.as_mut().ok_or(Error::Closed)?;
        // Crash: before the edit the inputs hold, after it the outputs; the others are removed at the next open.
        let committed = if store.journal.switches.on(Bug::TombstonesGoFirst) {
            commit_one_by_one(manifest, &mut edits, self.outputs.len())
        } else {
            manifest.commit(&edits)
        };
        if let Err(fault) = committed {
            // Why: the edit may be in the file all the same, so the outputs must stay; the next open knows.
            self.outputs.clear();
            return Err(store.journal.settle(fault));
        }
        for output in &self.outputs {
            self.files.push(output.install(store, self.age)?);
        }
        for input in &self.inputs {
            input.retired.store(true, Ordering::Release);
        }
        drop(writer);
        self.tell(store);
        self.outputs.clear();
        self.phase = Phase::Move;
        Ok(())
    }

    fn tell(&self, store: &Store) {
        let bytes_out = self.outputs.iter().map(|output| output.writer.end()).sum();
        let (inputs, outputs) = (self.inputs.len() as u64, self.outputs.len() as u64);
        store.counters.merges.fetch_add(1, Ordering::Relaxed);
        store.counters.merge_bytes_in.fetch_add(self.bytes_in, Ordering::Relaxed);
        store.counters.merge_bytes_out.fetch_add(bytes_out, Ordering::Relaxed);
        let bytes_in = self.bytes_in;
        store.journal.event(&Event::Merged { inputs, outputs, bytes_in, bytes_out });
    }

    /// Lets a number of index entries point to the outputs.
    pub(super) fn move_some(&mut self, store: &Store) {
        // Why: a write looks up what it displaces and then displaces it; nothing may move in between.
        let writer = store.journal.writer.lock();
        let end = self.moves.len().min(self.moved + STEP_MOVES);
        for entry in &self.moves[self.moved..end] {
            self.move_one(store, entry);
        }
        drop(writer);
        self.moved = end;
        if end == self.moves.len() {
            let us = store.journal.options.clock.ticks_us().saturating_sub(self.started_us);
            store.counters.merge_us.fetch_add(us, Ordering::Relaxed);
            for input in self.inputs.drain(..) {
                store.retire(input);
            }
            self.phase = Phase::Done;
        }
    }

    fn move_one(&self, store: &Store, entry: &Move) {
        let Move { place, from, len, expires_ms, to } = *entry;
        let expires = Some(expires_ms);
        let to =
            to.and_then(|(output, offset)| Some((self.files.get(usize::from(output))?, offset)));
        let Some((file, offset)) = to else {
            if store.index.forget(place, from) {
                store.count_gone(from, len, expires);
            }
            return;
        };
        if store.index.relocate(place, from, Loc::new(file.slot, offset, len)) {
            store.count_gone(from, len, expires);
            file.add_live(u64::from(len));
            store.expiries.add(expires_ms, file.slot, len);
        }
    }
}

/// What the switchable bug does instead of one edit.
fn commit_one_by_one(
    manifest: &mut Manifest,
    edits: &mut [Edit],
    outputs: usize,
) -> core::result::Result<(), Fault> {
    edits[outputs..].reverse();
    edits.chunks(1).try_for_each(|edit| manifest.commit(edit))
}

impl Output {
    /// Makes the file one that the index can point into.
    fn install(&self, store: &Store, age: u64) -> Result<Arc<DataFile>> {
        let (live, file) = (self.live(age), Arc::clone(self.writer.file()));
        let log = Arc::new(LogFile::new(&live, self.writer.id(), file));
        log.end.store(self.writer.end(), Ordering::Release);
        log.closed.store(true, Ordering::Release);
        log.add_entries(self.records, self.entry_bytes);
        let file = store.files.add(|slot| DataFile::new(slot, log))?;
        file.tombstone_bytes.store(self.tombstone_bytes, Ordering::Relaxed);
        Ok(file)
    }
}
