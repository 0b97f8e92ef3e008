//! Time is an argument: the engine never reads a clock of its own.
//!
//! [`Options::clock`](crate::Options) holds one; the engine asks it when a write needs a time or a record can expire.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

/// Milliseconds since 1970-01-01 00:00 UTC. It may jump: within one open the engine uses the greatest time it saw.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now_ms(&self) -> u64;

    /// Microseconds from any fixed point, never backward: only durations in `stats` are made of it.
    fn ticks_us(&self) -> u64 {
        self.now_ms().saturating_mul(1000)
    }
}

/// A clock that stands still until it is set: for tests, `--now`, and hosts that push the time in.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `now_ms`.
    #[must_use]
    pub fn new(now_ms: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(now_ms)))
    }

    /// Sets the time, forward or backward.
    pub fn set(&self, now_ms: u64) {
        self.0.store(now_ms, Ordering::Relaxed);
    }

    /// Moves the time forward.
    pub fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The operating system's clock.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[cfg(feature = "std")]
impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        // Why: a clock set before 1970 counts as 1970; time never goes backward for the engine anyway.
        since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }

    fn ticks_us(&self) -> u64 {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        let start = START.get_or_init(std::time::Instant::now);
        u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}
