//! The table cache: open tables, so many and no more.
//!
//! Called by reads and compaction; one for all tables of a store. The table that was not used for longest goes first.
//! Promise: the cache never holds more tables, or more of their memory, than it may; a table makes room before it is
//! opened. Never: closes a table that a reader holds: it lives until the reader lets it go, and is counted.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use keelstone_vfs::lock::Mutex;

use super::reader::Table;
use crate::error::Result;

/// How many tables are open.
#[derive(Default)]
struct Count {
    now: AtomicUsize,
    max: AtomicUsize,
}

/// Counts one table as open for as long as it lives.
pub(super) struct Alive(Arc<Count>);

impl Alive {
    fn new(count: &Arc<Count>) -> Self {
        let now = count.now.fetch_add(1, Ordering::AcqRel) + 1;
        count.max.fetch_max(now, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::AcqRel);
    }
}

struct Held {
    table: Arc<Table>,
    /// When it was used last.
    used: u64,
}

#[derive(Default)]
struct State {
    held: BTreeMap<u64, Held>,
    /// Memory of the tables held.
    bytes: usize,
    /// Tables that are being opened and have a place reserved.
    opening: usize,
    /// Counts uses.
    now: u64,
}

/// Open tables by number.
pub(crate) struct TableCache {
    limit_tables: usize,
    limit_bytes: usize,
    state: Mutex<State>,
    count: Arc<Count>,
}

impl TableCache {
    /// Holds at most so many tables, with at most so many bytes of memory.
    pub(crate) fn new(limit_tables: usize, limit_bytes: usize) -> Self {
        let (state, count) = (Mutex::default(), Arc::default());
        Self { limit_tables, limit_bytes, state, count }
    }

    /// The table `number`; `open` opens it if it is not held. No lock is held meanwhile.
    ///
    /// A table that finds no room, because so many others are just being opened or it is larger than all the room there
    /// is, is not kept.
    ///
    /// # Errors
    /// What `open` returns.
    pub(crate) fn get(
        &self,
        number: u64,
        open: impl FnOnce() -> Result<Table>,
    ) -> Result<Arc<Table>> {
        let mut gone = Vec::new();
        let reserved = {
            let mut state = self.state.lock();
            if let Some(table) = state.find(number) {
                return Ok(table);
            }
            while state.held.len() + state.opening >= self.limit_tables {
                let Some(table) = state.evict() else { break };
                gone.push(table);
            }
            let room = state.held.len() + state.opening < self.limit_tables;
            state.opening += usize::from(room);
            room
        };
        // Why: closed before another is opened, and not under the lock.
        drop(gone);
        let alive = Alive::new(&self.count);
        let result = open().map(|mut table| {
            table.alive = Some(alive);
            Arc::new(table)
        });
        if !reserved {
            return result;
        }
        let mut gone = Vec::new();
        let mut state = self.state.lock();
        state.opening -= 1;
        let table = result?;
        // Why: another reader may have opened it meanwhile; both are to have the same one.
        let table = match state.find(number) {
            Some(first) => first,
            None => state.keep(number, table, self.limit_bytes, &mut gone),
        };
        drop(state);
        Ok(table)
    }

    /// Gives a table up, because its file is being removed: no reader that comes later wants it.
    pub(crate) fn remove(&self, number: u64) {
        let removed = self.state.lock().take(number);
        drop(removed);
    }

    /// Tables that are open, those that only a reader holds included.
    pub(crate) fn open_now(&self) -> usize {
        self.count.now.load(Ordering::Acquire)
    }

    /// The most tables that were ever open.
    pub(crate) fn open_max(&self) -> usize {
        self.count.max.load(Ordering::Acquire)
    }

    /// Memory of the tables that the cache holds.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.state.lock().bytes
    }
}

impl State {
    fn find(&mut self, number: u64) -> Option<Arc<Table>> {
        self.now += 1;
        let held = self.held.get_mut(&number)?;
        held.used = self.now;
        Some(Arc::clone(&held.table))
    }

    fn keep(
        &mut self,
        number: u64,
        table: Arc<Table>,
        limit_bytes: usize,
        gone: &mut Vec<Arc<Table>>,
    ) -> Arc<Table> {
        let bytes = table.memory_bytes();
        if bytes > limit_bytes {
            return table;
        }
        while self.bytes + bytes > limit_bytes {
            let Some(other) = self.evict() else { break };
            gone.push(other);
        }
        self.bytes += bytes;
        self.held.insert(number, Held { table: Arc::clone(&table), used: self.now });
        table
    }

    /// Takes out what was not used for longest, of the tables that no reader holds if there is one.
    fn evict(&mut self) -> Option<Arc<Table>> {
        // Why: letting go of a table that a reader holds closes no file.
        let pinned = |held: &Held| Arc::strong_count(&held.table) > 1;
        let oldest = self.held.iter().min_by_key(|(_, held)| (pinned(held), held.used));
        let number = *oldest?.0;
        self.take(number)
    }

    fn take(&mut self, number: u64) -> Option<Arc<Table>> {
        let held = self.held.remove(&number)?;
        self.bytes -= held.table.memory_bytes();
        Some(held.table)
    }
}
