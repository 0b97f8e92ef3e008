//! Switches for tests, in a test build only (feature `lab`): bugs on purpose and equal hashes.
//!
//! With a bug on, every test without crashes or faults still passes, and the ordinary crash loops must catch it. That is
//! how the loops themselves are tested.

/// A mistake that a developer could make, switched on at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bug {
    /// A sync leaves the active log out, and durable writes return all the same.
    WriteNotSynced,
    /// A sync covers the newest log only; older ones stay unsynced.
    OlderLogNotSynced,
    /// A merge is published before its output is synced.
    MergeOutputNotSynced,
    /// A merge is published while the writes that shadow what it dropped are unsynced.
    ShadowsNotSynced,
    /// The manifest edit that begins a log is not synced before the log is used.
    BeginNotSynced,
    /// The directory is not synced after a file was created.
    DirNotSynced,
    /// Recovery does not check the checksum of a frame.
    ChecksumIgnored,
    /// After a torn tail the same log is written again.
    AppendAfterTorn,
    /// The inputs of a merge leave the manifest one by one, the newest first: for a while a tombstone that was dropped is
    /// gone, and the value that it hid is not.
    TombstonesGoFirst,
    /// A merge is published before the names of its outputs are durable.
    OutputNamesNotSynced,
    /// Inputs of a merge are removed before the manifest says so.
    InputsRemovedEarly,
    /// CURRENT is switched before the new manifest is synced.
    CurrentBeforeManifest,
    /// Recovery does not sync what it relied on before it acknowledges anything.
    RecoveryNotSynced,
    /// After a failed write the same log goes on behind what the write has left.
    AppendAfterFailure,
    /// A failed sync is tried again and believed.
    SyncRetried,
    /// Both slots of CURRENT are the same slot.
    OneSlot,
}

#[cfg(feature = "lab")]
impl Bug {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::WriteNotSynced,
        Self::OlderLogNotSynced,
        Self::MergeOutputNotSynced,
        Self::ShadowsNotSynced,
        Self::BeginNotSynced,
        Self::DirNotSynced,
        Self::ChecksumIgnored,
        Self::AppendAfterTorn,
        Self::TombstonesGoFirst,
        Self::OutputNamesNotSynced,
        Self::InputsRemovedEarly,
        Self::CurrentBeforeManifest,
        Self::RecoveryNotSynced,
        Self::AppendAfterFailure,
        Self::SyncRetried,
        Self::OneSlot,
    ];
}

/// What the rooms of the engine see of the switches: in a product all of them are off, and the compiler knows it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Switches {
    #[cfg(feature = "lab")]
    lab: Lab,
}

impl Switches {
    #[cfg(feature = "lab")]
    pub(crate) const fn new(lab: Lab) -> Self {
        Self { lab }
    }

    /// Whether the bug is on.
    #[cfg(feature = "lab")]
    pub(crate) fn on(self, bug: Bug) -> bool {
        self.lab.bug == Some(bug)
    }

    /// Whether the bug is on: never.
    #[cfg(not(feature = "lab"))]
    #[expect(clippy::unused_self, reason = "the same call in both builds")]
    pub(crate) const fn on(self, _bug: Bug) -> bool {
        false
    }

    /// Whether all keys get the same place in the index.
    #[cfg(feature = "lab")]
    pub(crate) const fn equal_hashes(self) -> bool {
        self.lab.equal_hashes
    }

    /// Whether all keys get the same place in the index: never.
    #[cfg(not(feature = "lab"))]
    #[expect(clippy::unused_self, reason = "the same call in both builds")]
    pub(crate) const fn equal_hashes(self) -> bool {
        false
    }

    /// How long a manifest may grow.
    #[cfg(feature = "lab")]
    pub(crate) const fn manifest_bytes(self, usual: u64) -> u64 {
        if self.lab.manifest_bytes == 0 { usual } else { self.lab.manifest_bytes }
    }

    /// How long a manifest may grow: as usual.
    #[cfg(not(feature = "lab"))]
    #[expect(clippy::unused_self, reason = "the same call in both builds")]
    pub(crate) const fn manifest_bytes(self, usual: u64) -> u64 {
        usual
    }
}

/// The switches of one store.
#[cfg(feature = "lab")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Lab {
    /// The bug that is on.
    pub bug: Option<Bug>,
    /// Every key gets the same place and tag in the index.
    pub equal_hashes: bool,
    /// A manifest is replaced when it is longer than this, so that short runs see it; 0: when it is usual.
    pub manifest_bytes: u64,
}

/// The seed of every file that the doors for fuzzing make and read.
#[cfg(feature = "lab")]
pub const SEED: u128 = 0x5eed_0000_0000_0000_0000_0000_0000_0002;

/// The number of every file that the doors for fuzzing make and read.
#[cfg(feature = "lab")]
pub const NUMBER: u64 = 1;

/// What a door for fuzzing met.
#[cfg(feature = "lab")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames, or blocks of a hint, whose every byte was checked.
    pub frames: u64,
    /// Entries in them.
    pub entries: u64,
    /// Places where bytes are no frame.
    pub defects: u64,
}
