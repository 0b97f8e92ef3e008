//! An allocator one of whose allocations fails.
#![expect(unsafe_code, reason = "an allocator has no safe face")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Allocations until one fails; this many: none does.
const NEVER: u64 = u64::MAX;

static LEFT: AtomicU64 = AtomicU64::new(NEVER);

/// The system's allocator, but for one allocation.
struct Failing;

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// After so many more allocations one fails.
pub(crate) fn arm(at: u64) {
    LEFT.store(at, Ordering::SeqCst);
}

/// From now on none fails; says whether one did.
pub(crate) fn disarm() -> bool {
    LEFT.swap(NEVER, Ordering::SeqCst) == NEVER
}

/// Whether this allocation fails.
fn fails() -> bool {
    match LEFT.load(Ordering::SeqCst) {
        NEVER => false,
        0 => {
            LEFT.store(NEVER, Ordering::SeqCst);
            true
        }
        left => {
            LEFT.store(left - 1, Ordering::SeqCst);
            false
        }
    }
}

// SAFETY: everything is the system's allocator's; a null pointer says that there is no memory, as the trait has it.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps what the trait asks for.
        if fails() { ptr::null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        if fails() { ptr::null_mut() } else { unsafe { System.alloc_zeroed(layout) } }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        if fails() { ptr::null_mut() } else { unsafe { System.realloc(memory, layout, size) } }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) };
    }
}
