//! An allocator one of whose allocations fails.
#![expect(unsafe_code, reason = "an allocator has no safe face")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

/// Allocations until one fails; this many: none does.
const NEVER: u64 = u64::MAX;

thread_local! {
    /// Of this thread: what others allocate meanwhile, as the test runner's does, neither counts nor fails.
    static LEFT: Cell<u64> = const { Cell::new(NEVER) };
}

/// The system's allocator, but for one allocation of the thread that has armed it.
struct Failing;

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// After so many more allocations of this thread one fails.
pub(crate) fn arm(at: u64) {
    LEFT.set(at);
}

/// From now on none fails; says whether one did.
pub(crate) fn disarm() -> bool {
    LEFT.replace(NEVER) == NEVER
}

/// Whether this allocation fails.
fn fails() -> bool {
    match LEFT.get() {
        NEVER => false,
        0 => {
            LEFT.set(NEVER);
            true
        }
        left => {
            LEFT.set(left - 1);
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
