//! The contract suite of the disk, run on the backend for components, inside a sandbox.
//!
//! Called by the tests of the host, case by case; calls the suite of `vfs`. A broken promise is a
//! panic, and that a trap: the test knows the case by its number.
#![no_std]
extern crate alloc;

#[allow(missing_docs, unsafe_code, reason = "made by a macro")]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "keelstone:store/suite", generate_all });
    export!(Suite with_types_in self);
    pub(crate) struct Suite;
}

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::contract::{Case, LIVE};
use keelstone_vfs::{Vfs, WasiDisk};

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

fn cases() -> impl Iterator<Item = &'static Case<Arc<dyn Vfs>>> {
    LIVE.iter().copied().flatten()
}

impl bindings::Guest for bindings::Suite {
    fn cases() -> Vec<String> {
        cases().map(|case| case.name.to_string()).collect()
    }

    fn run(n: u32, dir: String) {
        let case = usize::try_from(n).ok().and_then(|n| cases().nth(n));
        let (Some(case), Ok(disk)) = (case, WasiDisk::open(&dir)) else {
            panic!("no such case, or no such directory");
        };
        (case.run)(Arc::new(disk));
    }
}
