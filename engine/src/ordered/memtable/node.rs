//! A node of the list: one version of one key, and its tower of links, in one piece of memory.
//!
//! ```text
//! Header   seq expires_ms value_len key_len kind height prefix     32 bytes; the prefix last, beside the links
//! tower    a link for each level that the node stands on           height * 16 bytes
//! key      key_len bytes
//! value    value_len bytes, then up to a multiple of 8
//! ```
//!
//! Called by `skiplist`; calls nothing.
//! Promise: everything but the tower stays as it was written; a node that is reached through a link is seen as a whole.
//! Never: frees anything, knows the order.
#![expect(unsafe_code, reason = "nodes differ in length and are linked while others read them")]

use core::marker::PhantomData;
use core::mem::size_of;
use core::ptr::NonNull;
use core::slice;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use super::arena::ALIGN;
use crate::ordered::key::Item;
use crate::record::EntryKind;

#[repr(C, align(8))]
pub(super) struct Header {
    seq: u64,
    expires_ms: u64,
    value_len: u32,
    key_len: u16,
    kind: EntryKind,
    height: u8,
    /// Why last: a search reads it and a link, which so stand mostly in one line of the processor's cache.
    prefix: u64,
}

/// The way to the next node of a level, and the least that its prefix can be: so a node that is too far is not touched.
// Invariant: the bound is at most the prefix of any node that `next` is seen to lead to. The next of a node only ever comes
// nearer, a bound is stored before its pointer and loaded after it: it belongs to the node that was seen or to a nearer one.
#[derive(Default)]
#[repr(C, align(8))]
struct Link {
    bound: AtomicU64,
    next: AtomicPtr<Header>,
}

/// A line of the processor's cache, and how many of a node are expected: header, tower, key and the beginning of the value.
#[cfg(target_arch = "x86_64")]
const LINE_BYTES: usize = 64;
#[cfg(target_arch = "x86_64")]
const LINES_EXPECTED: usize = 3;

const HEADER_BYTES: usize = size_of::<Header>();
const _: () = assert!(HEADER_BYTES == 32 && size_of::<Link>() == 16);
const _: () = assert!(align_of::<Header>() == ALIGN && align_of::<Link>() == ALIGN);

const fn tower_bytes(height: usize) -> usize {
    height * size_of::<Link>()
}

/// Bytes of a node, or `None` if it is longer than memory.
pub(super) fn bytes(height: usize, key_len: usize, value_len: usize) -> Option<usize> {
    let front = HEADER_BYTES + tower_bytes(height);
    front.checked_add(key_len)?.checked_add(value_len)?.checked_next_multiple_of(ALIGN)
}

/// Where a node is, without a word on how long it lives: for those who keep it beside the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address(NonNull<Header>);

// SAFETY: an address alone gives no access.
unsafe impl Send for Address {}
// SAFETY: as above.
unsafe impl Sync for Address {}

/// A node that lives for `'a`.
///
/// Two are equal if they are the same node.
// Invariant: the pointer covers the whole node, which was written by `Node::write` and is only changed through its links.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Node<'a>(NonNull<Header>, PhantomData<&'a ()>);

impl<'a> Node<'a> {
    /// Writes a node, with links to nowhere.
    ///
    /// # Safety
    /// At `memory` are `bytes` bytes for its height and lengths, aligned to `ALIGN`, that nobody else uses while `'a` lasts.
    pub(super) unsafe fn write(
        memory: NonNull<u8>,
        height: usize,
        prefix: u64,
        item: &Item<'_>,
    ) -> Self {
        let lengths =
            (u8::try_from(height), u16::try_from(item.key.len()), u32::try_from(item.value.len()));
        let (Ok(height_byte), Ok(key_len), Ok(value_len)) = lengths else {
            panic!("the front door checks lengths");
        };
        let Item { seq, expires_ms, kind, .. } = *item;
        let header =
            Header { prefix, seq, expires_ms, value_len, key_len, kind, height: height_byte };
        let node = Self(memory.cast(), PhantomData);
        // SAFETY: `bytes` is the sum of these parts, and each begins at a multiple of its alignment.
        unsafe {
            node.0.write(header);
            for level in 0..height {
                node.0.add(1).cast::<Link>().add(level).write(Link::default());
            }
            let key = memory.add(HEADER_BYTES + tower_bytes(height));
            key.copy_from_nonoverlapping(NonNull::from(item.key).cast(), item.key.len());
            let value = key.add(item.key.len());
            value.copy_from_nonoverlapping(NonNull::from(item.value).cast(), item.value.len());
        }
        node
    }

    pub(super) const fn address(self) -> Address {
        Address(self.0)
    }

    /// The node at an address.
    ///
    /// # Safety
    /// The node lives for `'a`.
    pub(super) const unsafe fn at(address: Address) -> Self {
        Self(address.0, PhantomData)
    }

    const fn header(self) -> &'a Header {
        // SAFETY: the header was written and is never changed.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    pub(super) const fn prefix(self) -> u64 {
        self.header().prefix
    }

    #[inline]
    pub(super) const fn seq(self) -> u64 {
        self.header().seq
    }

    #[inline]
    fn link(self, level: usize) -> &'a Link {
        assert!(level < usize::from(self.header().height), "a tower is left at its top");
        // SAFETY: so many links follow the header; they are changed as atomics only.
        unsafe { self.0.add(1).cast::<Link>().add(level).as_ref() }
    }

    /// The next node on a level that this node stands on.
    #[inline]
    pub(super) fn next(self, level: usize) -> Option<Self> {
        // Pairs with `set_next`: what was written before the link is seen.
        let next = NonNull::new(self.link(level).next.load(Ordering::Acquire))?;
        Some(Self(next, PhantomData))
    }

    /// Asks the processor to have the beginning of the node at hand soon: a hint, where there is such an instruction.
    #[inline]
    pub(super) fn expect(self) {
        #[cfg(target_arch = "x86_64")]
        for line in 0..LINES_EXPECTED {
            use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let at = self.0.as_ptr().cast::<i8>().wrapping_add(line * LINE_BYTES);
            // SAFETY: every processor of this kind has the instruction; it may name any address and changes nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(at) };
        }
    }

    /// A prefix that no node has less than, of those that `next` of this level has led to when this is called.
    #[inline]
    pub(super) fn bound(self, level: usize) -> u64 {
        self.link(level).bound.load(Ordering::Relaxed)
    }

    /// Links a node behind this one, before the one that is there.
    ///
    /// # Safety
    /// `next` is of the same list: it lives as long as this node is read, not only for `'a`.
    pub(super) unsafe fn set_next(self, level: usize, next: Node<'_>) {
        let link = self.link(level);
        link.bound.store(next.prefix(), Ordering::Relaxed);
        link.next.store(next.0.as_ptr(), Ordering::Release);
    }

    /// Gives this node, which nobody else sees yet, the next of another.
    ///
    /// # Safety
    /// As for `set_next`.
    pub(super) unsafe fn take_next(self, level: usize, other: Node<'_>) {
        let (from, to) = (other.link(level), self.link(level));
        // Relaxed: it is the writer's own, and readers get it with the link to this node.
        to.bound.store(from.bound.load(Ordering::Relaxed), Ordering::Relaxed);
        to.next.store(from.next.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Bytes of the node.
    ///
    /// # Safety
    /// They are the key's or the value's.
    unsafe fn slice(self, offset: usize, len: usize) -> &'a [u8] {
        // SAFETY: the caller says that they belong to the node; they were written and are never changed.
        unsafe { slice::from_raw_parts(self.0.cast::<u8>().add(offset).as_ptr(), len) }
    }

    fn front(self) -> usize {
        HEADER_BYTES + tower_bytes(usize::from(self.header().height))
    }

    #[inline]
    pub(super) fn key(self) -> &'a [u8] {
        // SAFETY: the key stands behind the tower.
        unsafe { self.slice(self.front(), usize::from(self.header().key_len)) }
    }

    pub(super) fn item(self) -> Item<'a> {
        let Header { seq, expires_ms, value_len, key_len, kind, .. } = *self.header();
        // SAFETY: the value stands behind the key.
        let value = unsafe { self.slice(self.front() + usize::from(key_len), value_len as usize) };
        Item { key: self.key(), seq, kind, value, expires_ms }
    }
}
