//! The disks that a test runs on, each as a `Vfs` that keeps its bytes while the value lives, and watches its rules.

use std::sync::{Arc, OnceLock};

use keelstone::lab::Bug;
use keelstone::vfs::{MemoryDisk, NativeDisk, Vfs};
use keelstone_host::sandbox::Sandbox;
use tempfile::TempDir;

use crate::rules::RulesDisk;

/// The component that ships, ready to run.
///
/// # Panics
/// If the tests were built without it.
#[must_use]
pub fn sandbox() -> Sandbox {
    static READY: OnceLock<Sandbox> = OnceLock::new();
    READY.get_or_init(|| Sandbox::built_in().expect("built with the component")).clone()
}

/// A disk; a clone is the same disk.
#[derive(Clone)]
pub struct Disk {
    vfs: Arc<dyn Vfs>,
    _dir: Option<Arc<TempDir>>,
}

/// Which disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskKind {
    /// In memory.
    Memory,
    /// A temporary directory of the operating system.
    Native,
    /// In memory, and the engine runs as a component inside the sandbox.
    Sandbox,
    /// In memory, and nobody watches the rules: for mistakes that are made on purpose.
    Unwatched,
}

impl Disk {
    /// An empty disk in memory.
    #[must_use]
    pub fn memory() -> Self {
        Self { vfs: Arc::new(RulesDisk::new(MemoryDisk::new())), _dir: None }
    }

    /// An empty disk in memory, watched unless a mistake is made on purpose.
    #[must_use]
    pub fn with(bug: Option<Bug>) -> Self {
        Self::new(if bug.is_none() { DiskKind::Memory } else { DiskKind::Unwatched })
    }

    /// An empty temporary directory, removed with the last clone.
    ///
    /// # Panics
    /// If the operating system gives none.
    #[must_use]
    pub fn native() -> Self {
        let dir = TempDir::with_prefix("keelstone-test").expect("a temporary directory");
        let vfs = NativeDisk::open(dir.path()).expect("the directory can be opened");
        Self { vfs: Arc::new(RulesDisk::new(vfs)), _dir: Some(Arc::new(dir)) }
    }

    /// An empty disk of a kind.
    #[must_use]
    pub fn new(kind: DiskKind) -> Self {
        match kind {
            DiskKind::Memory | DiskKind::Sandbox => Self::memory(),
            DiskKind::Native => Self::native(),
            DiskKind::Unwatched => Self::of(Arc::new(MemoryDisk::new())),
        }
    }

    /// Wraps another disk.
    #[must_use]
    pub fn of(vfs: Arc<dyn Vfs>) -> Self {
        Self { vfs, _dir: None }
    }

    /// The disk as the engine takes it.
    #[must_use]
    pub fn vfs(&self) -> Arc<dyn Vfs> {
        Arc::clone(&self.vfs)
    }
}
