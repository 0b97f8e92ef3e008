//! wasi:clocks from one clock of the host.

use wasmtime::component::Resource;

use super::{FsError, WasiFs};
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::clocks::wall_clock::{self, Datetime};
use crate::bindings::wasi::io::poll::Pollable;

impl wall_clock::Host for WasiFs {
    fn now(&mut self) -> wasmtime::Result<Datetime> {
        let now = self.operation(|fs, _| {
            let ms = fs.clock.now_ms();
            let nanoseconds = u32::try_from(ms % 1000 * 1_000_000).unwrap_or(0);
            Ok(Datetime { seconds: ms / 1000, nanoseconds })
        });
        now.map_err(FsError::into_trap)
    }

    fn resolution(&mut self) -> wasmtime::Result<Datetime> {
        Ok(Datetime { seconds: 0, nanoseconds: 1_000_000 })
    }
}

impl monotonic_clock::Host for WasiFs {
    fn now(&mut self) -> wasmtime::Result<u64> {
        let now = self.operation(|fs, _| Ok(fs.clock.ticks_us().saturating_mul(1000)));
        now.map_err(FsError::into_trap)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1000)
    }

    fn subscribe_instant(&mut self, _when: u64) -> wasmtime::Result<Resource<Pollable>> {
        Err(wasmtime::Error::msg("this host has no timers"))
    }

    fn subscribe_duration(&mut self, _when: u64) -> wasmtime::Result<Resource<Pollable>> {
        Err(wasmtime::Error::msg("this host has no timers"))
    }
}
