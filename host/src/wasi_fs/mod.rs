//! wasi:filesystem and wasi:clocks over any [`Vfs`]: what a component sees of the world.
//!
//! Called by the sandbox through wasmtime; calls a `Vfs` and a `Clock`. Deterministic, without
//! threads: each call of a component is one operation, carried out before it returns, so a component
//! that ships can be run on a disk that fails, and be stopped at any operation.
//! Promise: a component reaches the directories that were opened for it and nothing else; whatever
//! it asks for, the answer is a result, an error code or a trap, and costs the host a bounded amount
//! of memory. Never: follows a link, or panics on what a component says.

pub(crate) mod bindings;
mod clocks;
mod descriptor;
mod disk;
mod error;
mod handles;
mod listing;
mod open;
mod path;
mod stop;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use keelstone::Clock;
use keelstone::vfs::{Access, Vfs};
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};

use crate::wasi_fs::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use crate::wasi_fs::bindings::wasi::filesystem::{preopens, types};
use disk::Disk;
pub use error::FsError;
use error::FsResult;
pub use handles::{Descriptor, OpenDir, OpenFile};
pub use listing::Listing;
pub use stop::{Stop, Stopped, When};

/// Descriptors and listings that a component may hold at once.
pub const HANDLES_MAX: usize = 4096;
/// Bytes that one read gives at most: a component asks again for the rest.
pub const READ_BYTES_MAX: u64 = 1 << 20;
/// Bytes of a path, from the root of its disk: the host keeps it as long as what it names is open.
pub const PATH_BYTES_MAX: usize = 4096;
/// Memory for the names in all listings that a component has open at once.
pub const LISTED_BYTES_MAX: usize = 64 << 20;

/// What one component holds of its host: directories, open files, clocks.
pub struct WasiFs {
    table: ResourceTable,
    handles: usize,
    listed_bytes: usize,
    disks: u32,
    preopens: Vec<Preopen>,
    clock: Arc<dyn Clock>,
    operations: u64,
    stop: Option<Stop>,
}

struct Preopen {
    name: String,
    root: OpenDir,
}

/// Offers the four interfaces to components; `get` finds the files in the data of a store.
///
/// # Errors
/// If the linker has one of them already.
pub fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> &mut WasiFs,
) -> wasmtime::Result<()> {
    types::add_to_linker::<T, HasSelf<WasiFs>>(linker, get)?;
    preopens::add_to_linker::<T, HasSelf<WasiFs>>(linker, get)?;
    wall_clock::add_to_linker::<T, HasSelf<WasiFs>>(linker, get)?;
    monotonic_clock::add_to_linker::<T, HasSelf<WasiFs>>(linker, get)
}

impl WasiFs {
    /// No directory yet; both clocks of the component show `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            table: ResourceTable::new(),
            handles: 0,
            listed_bytes: 0,
            disks: 0,
            preopens: Vec::new(),
            clock,
            operations: 0,
            stop: None,
        }
    }

    /// Opens the root of `vfs` for the component under `name`; with [`Access::Read`] it can change
    /// nothing there.
    pub fn preopen(&mut self, name: &str, vfs: Arc<dyn Vfs>, access: Access) {
        let known = self.preopens.iter().find(|preopen| preopen.root.disk.holds(&vfs));
        let disk = known.map(|preopen| preopen.root.disk.clone());
        let disk = disk.unwrap_or_else(|| {
            self.disks += 1;
            Disk::new(vfs, self.disks)
        });
        let root = OpenDir { disk, name: String::new(), access };
        self.preopens.push(Preopen { name: name.to_owned(), root });
    }

    /// Offers a directory no longer; what the component has open of it stays open.
    pub fn close_preopen(&mut self, name: &str) {
        self.preopens.retain(|preopen| preopen.name != name);
    }

    /// Traps the component at an operation, or no more.
    pub fn set_stop(&mut self, stop: Option<Stop>) {
        self.stop = stop;
    }

    /// How many operations the component has asked for.
    #[must_use]
    pub const fn operations(&self) -> u64 {
        self.operations
    }

    /// Carries out one operation, or traps before, in the middle of, or after it; `work` is told
    /// whether it is to stop in the middle.
    fn operation<T>(&mut self, work: impl FnOnce(&mut Self, bool) -> FsResult<T>) -> FsResult<T> {
        self.operations += 1;
        let Some(stop) = self.stop.filter(|stop| stop.at == self.operations) else {
            return work(self, false);
        };
        if stop.when != When::Before {
            // Why: whether it went well or not, the component does not hear of it.
            let _unheard = work(self, stop.when == When::Middle);
        }
        Err(FsError::Trap(Stopped { operation: stop.at }.into()))
    }
}

impl preopens::Host for WasiFs {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let given = self.operation(|fs, _| {
            let dirs =
                fs.preopens.iter().map(|preopen| (preopen.root.clone(), preopen.name.clone()));
            let dirs: Vec<_> = dirs.collect();
            let give = |(dir, name)| Ok((fs.hand_out(Descriptor::Dir(dir))?, name));
            dirs.into_iter().map(give).collect()
        });
        given.map_err(FsError::into_trap)
    }
}
