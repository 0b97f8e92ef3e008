//! The bugs on purpose: mistakes in order, omission or bound that a developer could make, each at the place where it
//! would be made.
//!
//! Called by the rooms through `Switches::on`, and by tests, which switch one on. `docs/crash-lab.md` has the table: who
//! made the mistake in the world, and what catches it here.

macro_rules! bugs {
    ($($(#[doc = $text:literal])+ $name:ident,)+) => {
        /// A mistake that a developer could make, switched on at run time.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Bug {
            $($(#[doc = $text])+ $name,)+
        }

        #[cfg(feature = "lab")]
        impl Bug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

bugs! {
    // Writes and their syncs.
    /// A sync leaves the active log out, and durable writes return all the same.
    WriteNotSynced,
    /// A sync covers the newest log only; older ones stay unsynced.
    OlderLogNotSynced,
    /// The sync of a log that has grown leaves its new length out.
    LengthNotSynced,
    /// The mark of a frame says that everything before the frame is durable.
    MarkTooHigh,
    /// The durable sequence is raised before the sync, not after it.
    DurableBeforeSync,
    /// After a sync everything counts as durable, what was written during the sync too.
    SyncCoversLater,
    /// After a flush everything counts as durable, what was written behind it too.
    FlushCoversLater,
    /// A batch is written one write after another, each in a frame of its own.
    BatchInPieces,

    // Beginning, sealing and ending logs.
    /// The name of a new log is not durable when the manifest names it.
    LogNameNotSynced,
    /// The manifest edit that begins a log is not synced before the log is used.
    BeginNotSynced,
    /// A sealed log is called so in the manifest before it is synced.
    SealedNotSynced,
    /// After a failed write the same log goes on behind what the write has left.
    AppendAfterFailure,
    /// A log whose sealing failed is sealed again: it may have two footers.
    SealedAgain,
    /// A log with a failed write is ended before what stands in front of it is synced.
    EndedNotSynced,
    /// A failed sync is tried again and believed.
    SyncRetried,
    /// A close says that everything is durable, and has not synced it.
    CloseNotSynced,
    /// A close writes its mark first and syncs then.
    ClosedTooEarly,

    // The directory, the manifest and CURRENT.
    /// The directory is not synced after a file was created.
    DirNotSynced,
    /// A failed sync of the directory passes for one that succeeded.
    DirSyncFailureIgnored,
    /// The manifest edit that puts outputs in the place of inputs is not synced before the inputs go.
    PublishedNotSynced,
    /// The name of a new manifest is not durable when CURRENT names it.
    ManifestNameNotSynced,
    /// CURRENT is switched before the new manifest is synced.
    CurrentBeforeManifest,
    /// CURRENT is switched and not synced before the old manifest goes.
    CurrentNotSynced,
    /// The old manifest goes before CURRENT names the new one.
    ManifestRemovedEarly,
    /// Both slots of CURRENT are the same slot.
    OneSlot,
    /// A slot of CURRENT is believed whatever its checksum.
    SlotChecksumIgnored,
    /// A store is created with CURRENT before the manifest has a durable name.
    CreatedOutOfOrder,

    // Recovery.
    /// Recovery does not check the checksum of a frame.
    ChecksumIgnored,
    /// Recovery takes marks for nothing: what was durable and is gone passes for a torn tail.
    MarkIgnored,
    /// A log with frames that the manifest does not know counts as left over.
    LostLogIgnored,
    /// A log that ends within a frame is damage.
    ShortTailFatal,
    /// A log with bytes behind zeros is damage.
    HoleFatal,
    /// A manifest that ends within an edit is damage.
    TornEditFatal,
    /// Behind a torn log recovery goes on with the next one.
    HoleIgnored,
    /// After a torn tail the same log is written again.
    AppendAfterTorn,
    /// A torn log is ended behind its torn tail, not before it.
    EndedTooLate,
    /// Logs behind a cut stay in the manifest.
    CutLogsKept,
    /// Recovery does not sync what it relied on before it acknowledges anything.
    RecoveryNotSynced,
    /// Recovery does not sync the manifest that it has read.
    ManifestNotSyncedAgain,
    /// Recovery does not sync CURRENT, which it has read.
    CurrentNotSyncedAgain,
    /// Recovery does not sync the directory, whose names it has read.
    NamesNotSyncedAgain,
    /// Recovery does not sync the logs that it has read.
    LogsNotSyncedAgain,
    /// Files that the manifest does not name go before the manifest is synced.
    OrphansRemovedEarly,
    /// Recovery gives numbers again that files without a name in the manifest have.
    NumbersReused,

    // Merges, flushes, compactions and loads.
    /// A merge, a flush or a load is published before its output is synced.
    MergeOutputNotSynced,
    /// A merge or a flush is published before the names of its outputs are durable.
    OutputNamesNotSynced,
    /// A merge is published while the writes that shadow what it dropped are unsynced.
    ShadowsNotSynced,
    /// Inputs of a merge are removed before the manifest says so.
    InputsRemovedEarly,
    /// The inputs of a merge leave the manifest one by one, the newest first: for a while a tombstone that was dropped is
    /// gone, and the value that it hid is not.
    TombstonesGoFirst,
    /// The logs of a flushed memtable are removed before the manifest names its table.
    LogsRemovedEarly,
    /// A flush lets logs go and does not keep the time that they knew.
    TimeForgotten,
    /// A table that could not be finished on a full disk keeps its file.
    FailedTableKept,
    /// A load is published before the names of its tables are durable.
    LoadNamesNotSynced,
    /// A load is published before the writes that came before it are durable.
    LoadBeforeLogs,
    /// A hint is believed whatever its checksums.
    HintChecksumIgnored,
    /// The files of a backup are not synced before CURRENT names them.
    BackupNotSynced,

    // What readers see: no crash is needed.
    /// An output of a compaction ends between two versions of one key.
    VersionsParted,
    /// Flushes, compactions and merges take no care of snapshots.
    SnapshotIgnored,
    /// A walk that turns back stays where it is.
    TurnForgotten,
    /// A tombstone goes while something that it hides stays.
    TombstoneDropped,
    /// A range tombstone goes while something that it hides stays.
    RangeDropped,
    /// Where an output ends, range tombstones are cut at its last key and not at the first of the next.
    RangeCutShort,
    /// A get in a snapshot sees range tombstones that are newer.
    NewerRangeSeen,
}
