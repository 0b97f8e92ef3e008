//! wasi:clocks from one clock of the host.
//!
//! Called through wasmtime by components; calls the `Clock`. Promise: the wall clock shows
//! `now_ms`, the other one `ticks_us`. Never: waits, so that nothing can be subscribed to.

use wasmtime::component::Resource;

use super::{FsError, FsResult, WasiFs};
use crate::wasi_fs::bindings::wasi::clocks::monotonic_clock;
use crate::wasi_fs::bindings::wasi::clocks::wall_clock::{self, Datetime};
use crate::wasi_fs::bindings::wasi::io::poll::Pollable;

impl WasiFs {
    /// One look at a clock.
    fn time<T>(&mut self, look: impl FnOnce(&Self) -> T) -> wasmtime::Result<T> {
        self.operation(|fs, _| Ok(look(fs))).map_err(FsError::into_trap)
    }

    fn no_timers(&mut self) -> wasmtime::Result<Resource<Pollable>> {
        let none: FsResult<_> = self
            .operation(|_, _| Err(FsError::Trap(wasmtime::Error::msg("this host has no timers"))));
        none.map_err(FsError::into_trap)
    }
}

impl wall_clock::Host for WasiFs {
    fn now(&mut self) -> wasmtime::Result<Datetime> {
        self.time(|fs| {
            let ms = fs.clock.now_ms();
            let nanoseconds = u32::try_from(ms % 1000 * 1_000_000).unwrap_or(0);
            Datetime { seconds: ms / 1000, nanoseconds }
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<Datetime> {
        self.time(|_| Datetime { seconds: 0, nanoseconds: 1_000_000 })
    }
}

impl monotonic_clock::Host for WasiFs {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.time(|fs| fs.clock.ticks_us().saturating_mul(1000))
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        self.time(|_| 1000)
    }

    fn subscribe_instant(&mut self, _when: u64) -> wasmtime::Result<Resource<Pollable>> {
        self.no_timers()
    }

    fn subscribe_duration(&mut self, _when: u64) -> wasmtime::Result<Resource<Pollable>> {
        self.no_timers()
    }
}
