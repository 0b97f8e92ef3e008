//! Switches for tests, in a test build only (feature `lab`): bugs on purpose and equal hashes.
//!
//! With a bug on, every test without crashes or faults still passes, but for the bugs of what readers see, and the crash lab
//! or the crash loops must catch it. That is how they are tested themselves.

mod bug;

pub use bug::Bug;

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
