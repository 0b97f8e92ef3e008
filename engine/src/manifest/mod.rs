//! Which files are live: a log of edits, and CURRENT, which says in which manifest they stand.
//!
//! Called by the layouts and by whoever looks at a store from outside; calls `log`, `record` and the disk.
//! Promise: after `commit` returned, its edits are durable, all of them; before, none or all of them are.
//! Never: goes on in a manifest whose end is torn or failed, removes a manifest before CURRENT has left it.

mod current;
mod edit;
mod load;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use current::{CURRENT_BYTES, Current, Pointer, Slot, Slots};
pub(crate) use edit::{Edit, LiveFile, State, Status, decode_edit};
pub(crate) use load::{Loaded, load};
pub(crate) use table::{LEVELS, LiveTable, TableMeta};

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::Vfs;

use crate::error::{Error, FileName, Result};
use crate::lab::{Bug, Switches};
use crate::log::LogWriter;
use crate::record::{EntryKind, FileHeader, FileKind, FrameBuilder, FrameKind, Stamp};

/// A manifest is replaced by a snapshot of itself when it is longer than this and than twice the snapshot, in bytes.
const REPLACE_BYTES: u64 = 64 << 10;

/// How a step that writes failed: a failed sync is final, a failed write is not.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Nothing durable depends on it; the file it happened in must not be continued.
    Write(Error),
    /// What is on the medium is unknown: the store must not write until it is opened again.
    Sync(Error),
}

impl Fault {
    pub(crate) const fn error(self) -> Error {
        match self {
            Self::Write(error) | Self::Sync(error) => error,
        }
    }
}

/// The manifest of an open store.
pub(crate) struct Manifest {
    vfs: Arc<dyn Vfs>,
    switches: Switches,
    seed: u128,
    writer: LogWriter,
    current: Current,
    state: State,
    /// The number of the next edit frame in this manifest.
    next_edit: u64,
    /// The length that the first frame, a snapshot of the state, had.
    snapshot_bytes: u64,
    /// The end is torn or a write failed: the next commit goes to a new manifest.
    broken: bool,
    /// A sync failed: what is on the medium is unknown, and nothing is written any more.
    sync_failed: bool,
    frame: FrameBuilder,
}

impl Manifest {
    /// Creates the first manifest and then CURRENT: with its last step the store exists.
    pub(crate) fn create(
        vfs: &Arc<dyn Vfs>,
        switches: Switches,
        seed: u128,
        state: State,
    ) -> core::result::Result<Self, Fault> {
        let mut frame = FrameBuilder::default();
        let mut state = state;
        let number = state.take_number().map_err(Fault::Write)?;
        // Crash: a file that nothing names; creation starts over.
        let writer = new_file(&**vfs, number, seed, &state, &mut frame)?;
        if !switches.on(Bug::CreatedOutOfOrder) {
            sync_root(&**vfs, switches)?;
        }
        // Crash: as before, until the sync of CURRENT and of the directory have both reached the medium.
        let current = Current::create(&**vfs, Pointer { number, seed, layout: state.layout })?;
        sync_root(&**vfs, switches)?;
        let snapshot_bytes = writer.end();
        let (vfs, broken) = (Arc::clone(vfs), false);
        let next_edit = 2;
        Ok(Self {
            vfs,
            switches,
            seed,
            writer,
            current,
            state,
            next_edit,
            snapshot_bytes,
            broken,
            sync_failed: false,
            frame,
        })
    }

    /// Writes a new manifest for a store that is being repaired and makes CURRENT name it.
    pub(crate) fn rebuild(
        vfs: &Arc<dyn Vfs>,
        switches: Switches,
        seed: u128,
        mut state: State,
    ) -> core::result::Result<Self, Fault> {
        let mut frame = FrameBuilder::default();
        let number = state.take_number().map_err(Fault::Write)?;
        // Crash: a manifest that nothing names; repair is run again.
        let writer = new_file(&**vfs, number, seed, &state, &mut frame)?;
        sync_root(&**vfs, switches)?;
        // Crash: from the sync of the slot on the repaired store is the store.
        let current = Current::rebuild(&**vfs, Pointer { number, seed, layout: state.layout })?;
        sync_root(&**vfs, switches)?;
        let (vfs, broken, next_edit, snapshot_bytes) = (Arc::clone(vfs), false, 2, writer.end());
        Ok(Self {
            vfs,
            switches,
            seed,
            writer,
            current,
            state,
            next_edit,
            snapshot_bytes,
            broken,
            sync_failed: false,
            frame,
        })
    }

    /// Goes on with a manifest that `load` has read. Syncs CURRENT and the manifest first.
    pub(crate) fn resume(
        vfs: &Arc<dyn Vfs>,
        switches: Switches,
        loaded: Loaded,
    ) -> core::result::Result<Self, Fault> {
        let Loaded { current, file, number, seed, end, len, next_edit, state, torn, .. } = loaded;
        let name = FileName::Manifest(number);
        let file = Arc::from(file);
        let id = crate::codec::FileId::new(seed, number);
        let writer = LogWriter::resume(file, name, id, end, len, 0);
        if !switches.on(Bug::RecoveryNotSynced) {
            // Crash: nothing has changed yet. What was read from the cache is made durable before it is relied on.
            if !switches.on(Bug::CurrentNotSyncedAgain) {
                current.sync().map_err(Fault::Sync)?;
            }
            if !switches.on(Bug::ManifestNotSyncedAgain) {
                let synced = writer.file().sync(keelstone_vfs::SyncMode::All);
                synced.map_err(|error| Fault::Sync(error.into()))?;
            }
        }
        let stale = current.number() != number;
        let mut manifest = Self {
            vfs: Arc::clone(vfs),
            switches,
            seed,
            writer,
            current,
            state,
            next_edit,
            snapshot_bytes: 0,
            broken: torn,
            sync_failed: false,
            frame: FrameBuilder::default(),
        };
        if stale {
            manifest.point_current()?;
        }
        Ok(manifest)
    }

    pub(crate) const fn state(&self) -> &State {
        &self.state
    }

    pub(crate) const fn number(&self) -> u64 {
        self.current.number()
    }

    /// Bytes of the manifest so far.
    pub(crate) const fn bytes(&self) -> u64 {
        self.writer.end()
    }

    /// A file number that was never used; it is durable with the next commit that names it.
    pub(crate) fn take_number(&mut self) -> Result<u64> {
        self.state.take_number()
    }

    /// Never gives a number below `number`.
    pub(crate) fn skip_numbers(&mut self, number: u64) {
        self.state.next_file = self.state.next_file.max(number);
    }

    /// Makes the edits durable, all or none, and applies them.
    pub(crate) fn commit(&mut self, edits: &[Edit]) -> core::result::Result<(), Fault> {
        if self.sync_failed {
            return Err(Fault::Sync(Error::ReadOnly { after_failed_sync: true }));
        }
        let done = self.try_commit(edits);
        let failed = matches!(done, Err(Fault::Sync(_)));
        self.sync_failed = failed && !self.switches.on(Bug::SyncRetried);
        done
    }

    fn try_commit(&mut self, edits: &[Edit]) -> core::result::Result<(), Fault> {
        let mut next = self.state.clone();
        for edit in edits {
            next.apply(edit).map_err(|_| Fault::Write(Error::Unsupported("edit out of order")))?;
        }
        let replace_bytes = self.switches.manifest_bytes(REPLACE_BYTES);
        let too_long = self.writer.end() > replace_bytes.max(2 * self.snapshot_bytes);
        if self.broken || too_long {
            self.state.next_file = next.next_file;
            return self.replace(next);
        }
        self.append(edits)?;
        self.state = next;
        Ok(())
    }

    fn append(&mut self, edits: &[Edit]) -> core::result::Result<(), Fault> {
        let stamp = edit_stamp(self.next_edit, self.state.mark_time_ms);
        let frame = build(&mut self.frame, &self.writer, edits, &stamp).map_err(Fault::Write)?;
        if let Err(error) = self.writer.append(frame) {
            self.broken = !self.switches.on(Bug::AppendAfterFailure);
            return Err(Fault::Write(error));
        }
        // Crash: the frame is whole or torn at the end; both are states that recovery takes for before or after.
        if !self.leaves_out_sync(edits) {
            let ticket = self.writer.ticket();
            ticket.sync().map_err(Fault::Sync)?;
            self.writer.synced(&ticket);
        }
        self.next_edit += 1;
        Ok(())
    }

    /// Whether a mistake that is switched on leaves these edits unsynced.
    fn leaves_out_sync(&self, edits: &[Edit]) -> bool {
        let begins = edits.iter().any(|edit| matches!(edit, Edit::Begin { .. }));
        let removes = edits.iter().any(|edit| matches!(edit, Edit::Removed { .. }));
        (begins && self.switches.on(Bug::BeginNotSynced))
            || (removes && self.switches.on(Bug::PublishedNotSynced))
    }

    /// Writes `next` as a new manifest and makes CURRENT name it.
    fn replace(&mut self, mut next: State) -> core::result::Result<(), Fault> {
        let number = next.take_number().map_err(Fault::Write)?;
        self.state.next_file = next.next_file;
        // Crash: a manifest that nothing names; the next open removes it.
        let early = self.switches.on(Bug::CurrentBeforeManifest);
        let made = if early {
            new_unsynced(&*self.vfs, number, self.seed, &next, &mut self.frame)
        } else {
            new_file(&*self.vfs, number, self.seed, &next, &mut self.frame)
        };
        let writer = made?;
        if !self.switches.on(Bug::ManifestNameNotSynced) {
            sync_root(&*self.vfs, self.switches)?;
        }
        if !self.broken {
            // Crash: from the sync of this frame on recovery follows it, whichever slot of CURRENT it reads.
            match self.append(&[Edit::Continued { number }]) {
                // Why: a frame that is not whole is a torn tail, and then CURRENT alone decides.
                Ok(()) | Err(Fault::Write(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        let old = core::mem::replace(&mut self.writer, writer);
        (self.state, self.next_edit, self.broken) = (next, 2, false);
        self.snapshot_bytes = self.writer.end();
        if self.switches.on(Bug::ManifestRemovedEarly) {
            let _left_for_open = self.vfs.remove(&format!("{}", old.name()));
        }
        self.point_current()?;
        // Crash: the old manifest is still there; the next open removes it.
        // Why: a file that cannot be removed now is removed at the next open.
        let _left_for_open = self.vfs.remove(&format!("{}", old.name()));
        Ok(())
    }

    /// Makes CURRENT name the manifest that is being written.
    fn point_current(&mut self) -> core::result::Result<(), Fault> {
        let FileName::Manifest(number) = self.writer.name() else {
            return Err(Fault::Write(Error::Unsupported("not a manifest")));
        };
        // Crash: the slot is torn and the other one holds, or it is whole: both lead to the same state.
        self.current.switch(number, self.switches).map_err(Fault::Sync)
    }
}

const fn edit_stamp(number: u64, time_ms: u64) -> Stamp {
    // Why: every edit is synced before the next one is written, so the mark is always the one before.
    Stamp { kind: FrameKind::Edit, seq: number, mark: number - 1, time_ms }
}

fn build<'a>(
    frame: &'a mut FrameBuilder,
    writer: &LogWriter,
    edits: &[Edit],
    stamp: &Stamp,
) -> Result<&'a [u8]> {
    frame.begin(writer.id(), writer.end());
    let mut bytes = Vec::new();
    for edit in edits {
        bytes.clear();
        edit.encode(&mut bytes);
        frame.push(EntryKind::Plain, &[], &bytes, 0)?;
    }
    // Why: an edit frame counts as one in the order of frames, however many edits it has.
    Ok(frame.finish(stamp))
}

fn new_unsynced(
    vfs: &dyn Vfs,
    number: u64,
    seed: u128,
    state: &State,
    frame: &mut FrameBuilder,
) -> core::result::Result<LogWriter, Fault> {
    let header = FileHeader { kind: FileKind::Manifest, number, seed, age: number, first_seq: 1 };
    let name = FileName::Manifest(number);
    let mut writer = LogWriter::create(vfs, name, &header, 0).map_err(Fault::Write)?;
    let stamp = edit_stamp(1, state.mark_time_ms);
    let built = build(frame, &writer, &state.edits(), &stamp).and_then(|b| writer.append(b));
    if let Err(error) = built {
        // Why: on a full disk every byte counts; what cannot be removed now is removed at the next open.
        let _left_for_open = vfs.remove(&format!("{name}"));
        return Err(Fault::Write(error));
    }
    Ok(writer)
}

fn new_file(
    vfs: &dyn Vfs,
    number: u64,
    seed: u128,
    state: &State,
    frame: &mut FrameBuilder,
) -> core::result::Result<LogWriter, Fault> {
    let mut writer = new_unsynced(vfs, number, seed, state, frame)?;
    let ticket = writer.ticket();
    ticket.sync().map_err(Fault::Sync)?;
    writer.synced(&ticket);
    Ok(writer)
}

/// Syncs the directory of the store, where the disk can.
pub(crate) fn sync_root(vfs: &dyn Vfs, switches: Switches) -> core::result::Result<(), Fault> {
    if !vfs.capabilities().dir_sync || switches.on(Bug::DirNotSynced) {
        return Ok(());
    }
    match vfs.sync_dir("") {
        Err(error) if !switches.on(Bug::DirSyncFailureIgnored) => Err(Fault::Sync(error.into())),
        _ => Ok(()),
    }
}
