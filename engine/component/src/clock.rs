//! The host's clocks as the engine's.

use keelstone::Clock;

use crate::bindings::wasi::clocks::{monotonic_clock, wall_clock};

/// wasi:clocks.
pub(crate) struct HostClock;

impl Clock for HostClock {
    fn now_ms(&self) -> u64 {
        let now = wall_clock::now();
        now.seconds.saturating_mul(1000).saturating_add(u64::from(now.nanoseconds / 1_000_000))
    }

    fn ticks_us(&self) -> u64 {
        monotonic_clock::now() / 1000
    }
}
