//! Backup: everything that a snapshot holds, as a store of its own in another directory.

use alloc::sync::Arc;

use keelstone_vfs::{SyncMode, Vfs};

use super::table::TableWriter;
use super::walk::Bounds;
use super::{Item, LAYOUT, Store};
use crate::codec::KeyHasher;
use crate::error::{Error, FileName, Invalid, Result};
use crate::lab::{Bug, Switches};
use crate::manifest::{Edit, Fault, LiveTable, Manifest, State};

/// The level of the tables of a copy: nothing in it overlaps.
const LEVEL: u8 = 1;

impl Store {
    /// Writes the store as it is now into the empty `dest`, with a seed of its own. The copy exists with its last step.
    pub(crate) fn backup(self: &Arc<Self>, dest: &Arc<dyn Vfs>, seed: u128) -> Result<()> {
        if !dest.list("")?.is_empty() {
            return Err(Error::Invalid(Invalid::NotEmpty));
        }
        let mut state = State::new(LAYOUT);
        if let Err(error) = self.copy_tables(dest, seed, &mut state) {
            clear(&**dest);
            return Err(error);
        }
        // Crash: files without CURRENT are no store; the destination is to be emptied and the backup taken again.
        let made = Manifest::create(dest, Switches::default(), seed, state);
        made.map(|_| ()).map_err(Fault::error)
    }

    fn copy_tables(
        self: &Arc<Self>,
        dest: &Arc<dyn Vfs>,
        seed: u128,
        state: &mut State,
    ) -> Result<()> {
        let snapshot = self.snapshot()?;
        let mut walk = snapshot.walk(Bounds::default())?;
        state.order = self.order.name().as_bytes().to_vec();
        let mut writer = None;
        walk.seek_first()?;
        while let Some(item) = walk.item() {
            let full = |w: &TableWriter| w.bytes() >= self.journal.options.table_bytes;
            if writer.as_ref().is_some_and(full) {
                self.finish_copy(&mut writer, state)?;
            }
            if writer.is_none() {
                writer = Some(self.begin_copy(dest, seed, state)?);
            }
            if let Some(writer) = &mut writer {
                // Why: the copy has a history of its own, and every entry of it has its place in it.
                writer.add(&Item { seq: snapshot.sequence(), ..item })?;
            }
            walk.next()?;
        }
        self.finish_copy(&mut writer, state)?;
        let seq = snapshot.sequence();
        (state.mark_seq, state.flushed_seq) = (seq, seq);
        state.mark_time_ms = self.journal.now_ms();
        Ok(())
    }

    fn begin_copy(
        &self,
        dest: &Arc<dyn Vfs>,
        seed: u128,
        state: &mut State,
    ) -> Result<TableWriter> {
        let (number, hasher) = (state.take_number()?, KeyHasher::new(seed));
        TableWriter::create(&**dest, number, seed, self.order.clone(), hasher, self.table_options)
    }

    fn finish_copy(&self, writer: &mut Option<TableWriter>, state: &mut State) -> Result<()> {
        let Some(writer) = writer.take() else { return Ok(()) };
        let finished = writer.finish()?;
        if !self.journal.switches.on(Bug::BackupNotSynced) {
            finished.file.sync(SyncMode::All)?;
        }
        let name = FileName::Table(finished.meta.number);
        let table = Arc::new(LiveTable { level: LEVEL, meta: finished.meta });
        state.apply(&Edit::Table(table)).map_err(|what| crate::log::corrupt(name, 0, 0, what))
    }
}

/// Takes the tables of a copy away that has failed. What cannot be removed stays: the caller has the first error.
fn clear(dest: &dyn Vfs) {
    for name in dest.list("").unwrap_or_default() {
        if matches!(FileName::parse(&name), Some(FileName::Table(_))) {
            let _kept = dest.remove(&name);
        }
    }
}
