//! A disk that was opened for a component, and which files on it are the same.
//!
//! Called by `mod.rs`, `open.rs` and `descriptor.rs`; calls nothing but the address of the disk.
//! Promise: a name on a disk has the same hash in every process and on every machine, and two disks
//! of one component have different ones. Never: asks the disk.

use std::ops::Deref;
use std::sync::Arc;

use keelstone::vfs::Vfs;

use crate::wasi_fs::bindings::wasi::filesystem::types::MetadataHashValue;

/// A disk, and its number among those of one component.
#[derive(Clone)]
pub(super) struct Disk {
    vfs: Arc<dyn Vfs>,
    number: u32,
}

impl Disk {
    pub(super) fn new(vfs: Arc<dyn Vfs>, number: u32) -> Self {
        Self { vfs, number }
    }

    /// Whether files can move between the two: two directories may be given on one disk.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.holds(&other.vfs)
    }

    /// Whether this is that disk.
    pub(super) fn holds(&self, vfs: &Arc<dyn Vfs>) -> bool {
        Arc::ptr_eq(&self.vfs, vfs)
    }

    /// The hash of what stands under `name`: it changes with the name and not with the bytes, so
    /// that it serves as the number of a file.
    pub(super) fn hash(&self, name: &str) -> MetadataHashValue {
        // Why FNV-1a: the hasher of the standard library may change with the compiler.
        const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let bytes = self.number.to_le_bytes().into_iter().chain(name.bytes());
        let hash = bytes.fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
        MetadataHashValue { lower: half(hash), upper: half(hash >> 64) }
    }
}

impl Deref for Disk {
    type Target = dyn Vfs;

    fn deref(&self) -> &Self::Target {
        &*self.vfs
    }
}
