//! Memory for nodes: chunks that never move and go all at once.
//!
//! Called by `skiplist`; calls the allocator. The list of chunks belongs to whoever owns the arena, the free room in them to
//! the one writer.
//! Promise: what was taken is nobody else's, and stays in place until the arena is dropped; a want of memory is an error.
//! Never: gives a single piece back, reads or writes what it gave away.
#![expect(
    unsafe_code,
    reason = "memory that is shared while it is still being given away has no safe type"
)]

use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::mem;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// Every piece begins at a multiple of this, and its length is one.
pub(super) const ALIGN: usize = 8;
/// Chunks double up to this size; only a batch that is longer gets a longer one.
const CHUNK_BYTES_MAX: usize = 1 << 20;
/// A batch with more bytes than this part of a usual chunk gets a chunk of exactly its size.
const OWN_CHUNK_PART: usize = 4;

/// What stands at the front of every chunk.
#[repr(C, align(8))]
struct Header {
    /// The chunk that was made before this one.
    older: *mut Self,
    /// Of the whole chunk.
    layout: Layout,
}

const HEADER_BYTES: usize = mem::size_of::<Header>();
const _: () = assert!(HEADER_BYTES.is_multiple_of(ALIGN) && mem::align_of::<Header>() == ALIGN);

/// All chunks, from the newest on.
#[derive(Debug, Default)]
pub(super) struct Arena {
    newest: AtomicPtr<Header>,
    bytes: AtomicUsize,
}

impl Arena {
    /// Bytes of all chunks, used or not.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Makes a chunk with `bytes` free bytes, a multiple of `ALIGN`.
    fn chunk(&self, bytes: usize) -> Result<Free> {
        let size = bytes.checked_add(HEADER_BYTES).ok_or(Error::OutOfMemory)?;
        let layout = Layout::from_size_align(size, ALIGN).map_err(|_| Error::OutOfMemory)?;
        // SAFETY: the size is not 0, a header is in it.
        let chunk = NonNull::new(unsafe { alloc(layout) }).ok_or(Error::OutOfMemory)?;
        let header = chunk.cast::<Header>();
        let link = |older: *mut Header| {
            // SAFETY: the header lies in the chunk and is aligned as the chunk is; nobody else sees it before it is linked.
            unsafe { header.write(Header { older, layout }) };
            Some(header.as_ptr())
        };
        // Why: with this loop the call is sound whoever makes it; chunks are only ever added, so no pointer comes back.
        let linked = self.newest.fetch_update(Ordering::Release, Ordering::Relaxed, link);
        debug_assert!(linked.is_ok(), "the closure always gives a chunk");
        self.bytes.fetch_add(size, Ordering::Relaxed);
        // SAFETY: the chunk is longer than its header.
        Ok(Free { at: unsafe { chunk.add(HEADER_BYTES) }, bytes })
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        let mut chunk = *self.newest.get_mut();
        while !chunk.is_null() {
            // SAFETY: every chunk in the list was allocated with this layout and its header was written; it is left by
            // the list before it is freed, and who has pieces of it has no longer than the arena lives.
            unsafe {
                let Header { older, layout } = ptr::read(chunk);
                dealloc(chunk.cast(), layout);
                chunk = older;
            }
        }
    }
}

/// The free end of a chunk.
#[derive(Debug)]
struct Free {
    at: NonNull<u8>,
    bytes: usize,
}

// SAFETY: it stands for memory that nobody else uses, wherever it is.
unsafe impl Send for Free {}
// SAFETY: a shared one gives nothing away.
unsafe impl Sync for Free {}

impl Free {
    const NONE: Self = Self { at: NonNull::<u64>::dangling().cast(), bytes: 0 };

    /// The next piece, if it fits.
    fn take(&mut self, bytes: usize) -> Option<NonNull<u8>> {
        let left = self.bytes.checked_sub(bytes)?;
        let piece = self.at;
        // SAFETY: so many bytes were free from here on: the end is in the chunk, or one past it.
        self.at = unsafe { piece.add(bytes) };
        self.bytes = left;
        Some(piece)
    }
}

/// The free room of an arena, in two chunks: pieces come from the rest first, as long as they fit.
#[derive(Debug)]
pub(super) struct Room {
    /// What newer chunks left over, or the chunk of one large batch.
    rest: Free,
    current: Free,
    /// Free bytes of the next usual chunk.
    next_bytes: usize,
}

impl Room {
    /// No room yet; the first chunk has `bytes` free bytes if nothing larger is asked for.
    pub(super) const fn new(bytes: usize) -> Self {
        Self { rest: Free::NONE, current: Free::NONE, next_bytes: bytes & !(ALIGN - 1) }
    }

    /// Sees to it that pieces of `bytes` bytes in all can be taken. Each of them is a multiple of `ALIGN`.
    pub(super) fn reserve(&mut self, arena: &Arena, bytes: usize) -> Result<()> {
        // Invariant: whichever of the two is taken from, the one with more room has room for all that is left of the batch.
        if self.rest.bytes.max(self.current.bytes) >= bytes {
            return Ok(());
        }
        if bytes > self.next_bytes / OWN_CHUNK_PART {
            self.rest = arena.chunk(bytes)?;
            return Ok(());
        }
        let old = mem::replace(&mut self.current, arena.chunk(self.next_bytes)?);
        if old.bytes > self.rest.bytes {
            self.rest = old;
        }
        self.next_bytes = (self.next_bytes * 2).min(CHUNK_BYTES_MAX);
        Ok(())
    }

    /// A piece of `bytes` bytes, aligned to `ALIGN`; `None` if it was not reserved. `bytes` is a multiple of `ALIGN`.
    pub(super) fn take(&mut self, bytes: usize) -> Option<NonNull<u8>> {
        assert!(bytes.is_multiple_of(ALIGN), "pieces keep the next one aligned");
        self.rest.take(bytes).or_else(|| self.current.take(bytes))
    }
}
