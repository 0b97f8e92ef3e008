//! Keelstone as a WASI component: what `wit/store.wit` says, carried out by the engine over the
//! host's files and clocks.
//!
//! Called by a component host; calls the engine. Holds bindings and mapping only: `db` has the
//! resources, `convert` turns options, reports and errors into the
//! contract's and back, `packed` keys and values.
//! Promise: no libc, no thread, no import but files and clocks. Never: decides anything that the
//! engine could decide.
#![no_std]
#![warn(missing_docs)]
extern crate alloc;

mod clock;
mod convert;
mod db;
mod dump;
mod events;
mod packed;

#[allow(missing_docs, unsafe_code, reason = "made by a macro")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "keelstone:store/component",
        generate_all,
    });
    // What the host calls.
    export!(Component with_types_in self);
    pub(crate) struct Component;
}

use alloc::string::String;
use alloc::sync::Arc;

use keelstone_vfs::{Kind, Vfs, WasiDisk};

use bindings::Component;
use bindings::exports::keelstone::store::store::{
    Error, Guest, Options, RepairReport, VerifyReport,
};

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// A panic is a trap: for the store it is like the end of a process.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// The directory that the host opened under this name.
fn disk(dir: &str) -> Result<Arc<dyn Vfs>, Error> {
    match WasiDisk::open(dir) {
        Ok(disk) => Ok(Arc::new(disk)),
        Err(error) => Err(convert::error(match error.kind {
            Kind::NotFound => keelstone::Error::NoStore,
            _ => error.into(),
        })),
    }
}

impl Guest for Component {
    type Db = db::Db;
    type Snapshot = db::Snapshot;
    type Cursor = db::Cursor;
    type LogCursor = db::LogCursor;
    type Job = db::Job;
    type Dump = dump::Dump;

    fn verify(dir: String) -> Result<VerifyReport, Error> {
        let report = keelstone::verify(&disk(&dir)?).map_err(convert::error)?;
        Ok(convert::verify_report(report))
    }

    fn repair(dir: String, options: Options) -> Result<RepairReport, Error> {
        let (options, _) = convert::options(&options)?;
        let report = keelstone::repair(&disk(&dir)?, &options).map_err(convert::error)?;
        Ok(convert::repair_report(report))
    }
}
