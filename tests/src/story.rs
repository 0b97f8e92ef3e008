//! Short lists of operations with words for what they are, for tests that tell one story each.
//!
//! Called by named crash tests; makes values that no other write of the story has.

use crate::model::{delete, put, put_until};
use crate::op::{Op, value};

/// Operations in the making.
#[derive(Clone, Debug, Default)]
pub struct Story {
    ops: Vec<Op>,
    id: u64,
}

impl Story {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The operations.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Any operation.
    pub fn op(&mut self, op: Op) -> &mut Self {
        self.ops.push(op);
        self
    }

    fn write(&mut self, write: keelstone::Write, durable: bool) -> &mut Self {
        self.op(Op::Write { writes: vec![write], durable })
    }

    /// Sets a key, not synced.
    pub fn put(&mut self, key: &str, value: &str) -> &mut Self {
        self.write(put(key, value), false)
    }

    /// Sets a key, synced.
    pub fn durable(&mut self, key: &str, value: &str) -> &mut Self {
        self.write(put(key, value), true)
    }

    /// Sets a key until a time, not synced.
    pub fn until(&mut self, key: &str, value: &str, expires_ms: u64) -> &mut Self {
        self.write(put_until(key, value, expires_ms), false)
    }

    /// Takes a key away, not synced.
    pub fn delete(&mut self, key: &str) -> &mut Self {
        self.write(delete(key), false)
    }

    /// Sets keys `prefix0..` to values of 100 bytes, not synced: six of them begin a log of 1 KiB.
    pub fn fill(&mut self, prefix: &str, count: u64) -> &mut Self {
        for n in 0..count {
            self.id += 1;
            self.write(put(format!("{prefix}{n}"), value(self.id, 100)), false);
        }
        self
    }

    /// Makes everything durable.
    pub fn sync(&mut self) -> &mut Self {
        self.op(Op::Sync)
    }

    /// So many steps of due work.
    pub fn work(&mut self, steps: usize) -> &mut Self {
        (0..steps).for_each(|_| self.ops.push(Op::Work));
        self
    }

    /// All the work there is.
    pub fn compact(&mut self) -> &mut Self {
        self.op(Op::Compact)
    }

    /// Closes and opens.
    pub fn reopen(&mut self) -> &mut Self {
        self.op(Op::Reopen)
    }

    /// Drops as a killed process does and opens.
    pub fn kill(&mut self) -> &mut Self {
        self.op(Op::Kill)
    }

    /// Lets time go by.
    pub fn advance(&mut self, ms: u64) -> &mut Self {
        self.op(Op::Advance(ms))
    }
}
