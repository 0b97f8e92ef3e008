//! A skiplist that one writer extends while any number of readers walk it, without locks.
//!
//! Called by the hall; calls `arena`, `node` and the order of keys.
//! Promise: there is one writer to a list, by type; an item is seen whole or not at all, and by everybody who began to look
//! after its insert returned; items stay until list, writer and cursors are gone.
//! Never: removes or changes an item.
//!
//! Pugh 1990, with the links set from the bottom up, so that a reader who meets a node on a level finds it linked below.
#![expect(unsafe_code, reason = "a writer and a cursor remember nodes of a list that they share")]

use alloc::sync::Arc;
use core::cmp::Ordering as Order;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::arena::{Arena, Room};
use super::node::{self, Address, Node};
use crate::codec::word;
use crate::error::{Error, Result};
use crate::order::KeyOrder;
use crate::ordered::key::{self, Cursor, Item};
use crate::record::EntryKind;

/// Levels: with one node in two on the next one, enough for 16 million items.
///
/// Why every second and not every fourth: a node that is too far is not touched, so a step down costs next to nothing, and a
/// step along waits for memory; there are half as many of those for each doubling of the items.
const HEIGHT_MAX: usize = 24;

/// A place among the items, and the number that decides most comparisons with it.
#[derive(Clone, Copy)]
struct Place<'k> {
    prefix: u64,
    key: &'k [u8],
    seq: u64,
}

pub(super) struct SkipList {
    order: KeyOrder,
    arena: Arena,
    /// Stands before every item, on all levels.
    head: Address,
    /// Levels on which there are items, at least 1.
    height: AtomicUsize,
    len: AtomicUsize,
}

impl SkipList {
    /// An empty list and its only writer. The first chunk of memory has `chunk_bytes`.
    pub(super) fn new(
        order: KeyOrder,
        chunk_bytes: usize,
        seed: u64,
    ) -> Result<(Arc<Self>, SkipWriter)> {
        let (arena, mut room) = (Arena::default(), Room::new(chunk_bytes));
        let item = Item { key: &[], seq: 0, kind: EntryKind::Plain, value: &[], expires_ms: 0 };
        let head = add(&arena, &mut room, HEIGHT_MAX, 0, &item)?.address();
        let (height, len) = (AtomicUsize::new(1), AtomicUsize::new(0));
        let list = Arc::new(Self { order, arena, head, height, len });
        let splice = [head; HEIGHT_MAX];
        let writer =
            SkipWriter { list: Arc::clone(&list), room, heights: Heights::new(seed), splice };
        Ok((list, writer))
    }

    /// Bytes of all memory that nodes are made in, used or not.
    pub(super) fn bytes(&self) -> usize {
        self.arena.bytes()
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// The first item at or after the place (`key`, `seq`).
    pub(super) fn seek(&self, key: &[u8], seq: u64) -> Option<Item<'_>> {
        self.search(self.place(key, seq), |_, _| {}).1.map(Node::item)
    }

    /// All items, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Item<'_>> {
        core::iter::successors(self.head().next(0), |node| node.next(0)).map(Node::item)
    }

    fn place<'k>(&self, key: &'k [u8], seq: u64) -> Place<'k> {
        Place { prefix: prefix(&self.order, key), key, seq }
    }

    fn head(&self) -> Node<'_> {
        // SAFETY: the head lies in the arena of this list.
        unsafe { Node::at(self.head) }
    }

    /// Whether an item, so not the head, stands before the place.
    #[inline]
    fn is_before(&self, node: Node<'_>, place: Place<'_>) -> bool {
        if node.prefix() != place.prefix {
            return node.prefix() < place.prefix;
        }
        let (here, there) = ((node.key(), node.seq()), (place.key, place.seq));
        key::compare(&self.order, here, there) == Order::Less
    }

    /// The last node before the place, the head if there is none, and the item behind it; tells the last node before the
    /// place on every level.
    #[inline]
    fn search<'a>(
        &'a self,
        place: Place<'_>,
        mut tell: impl FnMut(usize, Node<'a>),
    ) -> (Node<'a>, Option<Node<'a>>) {
        let (mut before, mut behind) = (self.head(), None);
        for level in (0..self.height.load(Ordering::Relaxed)).rev() {
            behind = loop {
                let next = before.next(level);
                // Why the first two: what was too far on the level above, or is by its link, need not be touched.
                let far = next == behind || before.bound(level) > place.prefix;
                match next {
                    Some(node) if !far && self.is_before(node, place) => before = node,
                    _ => break next,
                }
            };
            tell(level, before);
        }
        (before, behind)
    }

    /// The last node, the head if the list is empty.
    fn last(&self) -> Node<'_> {
        let mut last = self.head();
        for level in (0..self.height.load(Ordering::Relaxed)).rev() {
            while let Some(next) = last.next(level) {
                last = next;
            }
        }
        last
    }
}

/// The first eight bytes as a number that is ordered as they are, where the order is that of bytes; else the same number for
/// every key, so that the comparison is left to the order.
fn prefix(order: &KeyOrder, key: &[u8]) -> u64 {
    if !order.is_bytewise() {
        return 0;
    }
    word(key)
}

/// Makes a node that is not linked yet.
fn add<'a>(
    arena: &'a Arena,
    room: &mut Room,
    height: usize,
    prefix: u64,
    item: &Item<'_>,
) -> Result<Node<'a>> {
    let bytes = node::bytes(height, item.key.len(), item.value.len()).ok_or(Error::OutOfMemory)?;
    room.reserve(arena, bytes)?;
    let memory = room.take(bytes).ok_or(Error::OutOfMemory)?;
    // SAFETY: the piece has the length of the node, was given away once, and stays while the arena, whose room this is in
    // every call of this file, lives.
    Ok(unsafe { Node::write(memory, height, prefix, item) })
}

/// Heights of nodes, from a seed: xorshift (Marsaglia 2003), scrambled by a product.
#[derive(Clone, Debug)]
struct Heights(u64);

impl Heights {
    const fn new(seed: u64) -> Self {
        let state = seed ^ 0x9e37_79b9_7f4a_7c15;
        // Why: 0 would stay 0.
        Self(if state == 0 { 1 } else { state })
    }

    /// 1, and with a chance of one in two each, one more.
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let zeros = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d).leading_zeros();
        (1 + zeros as usize).min(HEIGHT_MAX)
    }
}

/// The only writer of a list.
pub(super) struct SkipWriter {
    list: Arc<SkipList>,
    room: Room,
    heights: Heights,
    /// On every level the last node before the end of the newest item.
    // Invariant: a place between the first of them and its next is, on every level, between that one and its next.
    splice: [Address; HEIGHT_MAX],
}

impl SkipWriter {
    /// Makes room for items with these lengths of key and value: to insert them, or the first of them, in any order, cannot
    /// fail. An error leaves the list as it was.
    pub(super) fn reserve(&mut self, lengths: impl Iterator<Item = (usize, usize)>) -> Result<()> {
        // Why: the same heights will be drawn, and their sum does not depend on who gets which: the room is exact.
        let mut heights = self.heights.clone();
        let mut bytes = 0_usize;
        for (key_len, value_len) in lengths {
            let node = node::bytes(heights.next(), key_len, value_len);
            bytes = node.and_then(|node| bytes.checked_add(node)).ok_or(Error::OutOfMemory)?;
        }
        self.room.reserve(&self.list.arena, bytes)
    }

    /// Adds an item; no other has its key and its sequence. An error leaves the list as it was.
    pub(super) fn insert(&mut self, item: &Item<'_>) -> Result<()> {
        let place = self.list.place(item.key, item.seq);
        let mut heights = self.heights.clone();
        let height = heights.next();
        self.find(place);
        let list = &*self.list;
        let node = add(&list.arena, &mut self.room, height, place.prefix, item)?;
        self.heights = heights;
        for (level, before) in self.splice.iter_mut().enumerate().take(height) {
            // SAFETY: the splice has nodes of this list, and the list lives as long as its writer.
            let last = unsafe { Node::at(*before) };
            // SAFETY: all nodes lie in the arena of this list.
            unsafe {
                node.take_next(level, last);
                last.set_next(level, node);
            }
            *before = node.address();
        }
        // Why relaxed: with the old height a reader only has a longer way.
        let height = height.max(list.height.load(Ordering::Relaxed));
        list.height.store(height, Ordering::Relaxed);
        list.len.store(list.len.load(Ordering::Relaxed) + 1, Ordering::Release);
        Ok(())
    }

    /// Moves the splice to the place, not at all if it is there: keys in ascending order are added without a search.
    fn find(&mut self, place: Place<'_>) {
        let (list, splice) = (&*self.list, &mut self.splice);
        // SAFETY: the splice has nodes of this list, and the list lives as long as its writer.
        let last = unsafe { Node::at(splice[0]) };
        let follows = last == list.head() || list.is_before(last, place);
        if follows && last.next(0).is_none_or(|next| !list.is_before(next, place)) {
            return;
        }
        list.search(place, |level, node| splice[level] = node.address());
    }
}

/// A walk over a memtable. It keeps the items alive; those that are added meanwhile it may meet or not.
pub(crate) struct MemtableCursor {
    list: Arc<SkipList>,
    at: Option<Address>,
}

impl MemtableCursor {
    pub(super) const fn new(list: Arc<SkipList>) -> Self {
        Self { list, at: None }
    }

    fn node(&self) -> Option<Node<'_>> {
        // SAFETY: a cursor stands on nodes of its list only, and keeps it.
        self.at.map(|at| unsafe { Node::at(at) })
    }

    /// Where to stand: on the node, but on none instead of the head.
    fn item_at(list: &SkipList, node: Node<'_>) -> Option<Address> {
        (node != list.head()).then(|| node.address())
    }
}

impl Cursor for MemtableCursor {
    fn seek_first(&mut self) -> Result<()> {
        self.at = self.list.head().next(0).map(Node::address);
        Ok(())
    }

    fn seek_last(&mut self) -> Result<()> {
        self.at = Self::item_at(&self.list, self.list.last());
        Ok(())
    }

    fn seek(&mut self, key: &[u8], seq: u64) -> Result<()> {
        let place = self.list.place(key, seq);
        self.at = self.list.search(place, |_, _| {}).1.map(Node::address);
        Ok(())
    }

    fn seek_before(&mut self, key: &[u8], seq: u64) -> Result<()> {
        let (before, _) = self.list.search(self.list.place(key, seq), |_, _| {});
        self.at = Self::item_at(&self.list, before);
        Ok(())
    }

    fn next(&mut self) -> Result<()> {
        let next = self.node().and_then(|node| node.next(0));
        // Why: nodes lie anywhere; while this one is looked at, and those of other sources, the one behind it can come.
        if let Some(behind) = next.and_then(|node| node.next(0)) {
            behind.expect();
        }
        self.at = next.map(Node::address);
        Ok(())
    }

    // Why a search: links back would cost every node a pointer, and walks back are rare.
    fn prev(&mut self) -> Result<()> {
        self.at = self.node().and_then(|node| {
            let place = Place { prefix: node.prefix(), key: node.key(), seq: node.seq() };
            Self::item_at(&self.list, self.list.search(place, |_, _| {}).0)
        });
        Ok(())
    }

    fn item(&self) -> Option<Item<'_>> {
        self.node().map(Node::item)
    }

    #[inline]
    fn beginning(&self) -> Option<u64> {
        self.node().map(Node::prefix)
    }
}
