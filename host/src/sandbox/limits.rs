//! How much an instance may have and do.

use wasmtime::ResourceLimiter;

/// How much an instance may have and do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory, at most 4 GiB. At least the store's memory budget, its index, and the largest
    /// call: one that needs more ends in a trap.
    pub memory_bytes: usize,
    /// Fuel for each call: about one unit for each operation of the component's code. A call that
    /// needs more ends in a trap.
    pub fuel: u64,
}

impl Default for Limits {
    /// 1 GiB of memory, and for each call as much fuel as some minutes of work take.
    fn default() -> Self {
        Self { memory_bytes: 1 << 30, fuel: 1 << 40 }
    }
}

/// Refuses memory beyond the limit, and remembers that it did.
pub(super) struct Limiter {
    memory_bytes: usize,
    pub(super) refused: bool,
}

impl Limiter {
    pub(super) const fn new(limits: Limits) -> Self {
        Self { memory_bytes: limits.memory_bytes, refused: false }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = desired <= self.memory_bytes;
        self.refused |= !granted;
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Why: the component's table is as long as it was made.
        Ok(desired <= 100_000)
    }
}
