//! The one lock type of the core: the standard one with `std`, a spinning one without.
//!
//! Used by the backends here and by the engine. A panic while a lock is held does not poison it:
//! whoever broke an invariant has already stopped, and what others find is judged by the checks at
//! the door, not by the lock.

#[cfg(not(feature = "std"))]
use spin::{Mutex as RawMutex, RwLock as RawRwLock};
#[cfg(feature = "std")]
use std::sync::{Mutex as RawMutex, PoisonError, RwLock as RawRwLock};

#[cfg(not(feature = "std"))]
pub use spin::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};
#[cfg(feature = "std")]
pub use std::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

/// Lets other threads go first, where there are threads.
pub fn give_way() {
    #[cfg(feature = "std")]
    std::thread::yield_now();
    #[cfg(not(feature = "std"))]
    core::hint::spin_loop();
}

/// Mutual exclusion.
#[derive(Debug, Default)]
pub struct Mutex<T>(RawMutex<T>);

impl<T> Mutex<T> {
    /// A new, free lock around `value`.
    pub const fn new(value: T) -> Self {
        Self(RawMutex::new(value))
    }

    /// Waits for the lock and holds it until the guard is dropped.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        #[cfg(feature = "std")]
        return self.0.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(not(feature = "std"))]
        return self.0.lock();
    }
}

/// Many readers or one writer.
#[derive(Debug, Default)]
pub struct RwLock<T>(RawRwLock<T>);

impl<T> RwLock<T> {
    /// A new, free lock around `value`.
    pub const fn new(value: T) -> Self {
        Self(RawRwLock::new(value))
    }

    /// Waits until no writer holds the lock and shares it until the guard is dropped.
    #[inline]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        #[cfg(feature = "std")]
        return self.0.read().unwrap_or_else(PoisonError::into_inner);
        #[cfg(not(feature = "std"))]
        return self.0.read();
    }

    /// Waits for the lock and holds it alone until the guard is dropped.
    #[inline]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        #[cfg(feature = "std")]
        return self.0.write().unwrap_or_else(PoisonError::into_inner);
        #[cfg(not(feature = "std"))]
        return self.0.write();
    }
}
