//! How the stores of the tests are opened: everything small, so that much happens in few operations.
//!
//! Called by every driver; makes the engine's options. Promise: seed, clock and sizes are fixed, nothing is random.

use std::sync::Arc;

use keelstone::lab::{Bug, Lab};
use keelstone::{Durability, Layout, ManualClock, Observer, OpenMode, Options, SyncEvery};

use crate::rng::Rng;

/// The seed of every store of the tests, unless a test needs two.
pub const STORE_SEED: u128 = 0x5eed_0000_0000_0000_0000_0000_0000_0001;

/// The options that the tests vary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The layout.
    pub layout: Layout,
    /// Bytes of a memtable before it is flushed.
    pub memtable_bytes: usize,
    /// Memtables that become one table.
    pub flush_memtables: usize,
    /// Bytes of a block of a table.
    pub block_bytes: usize,
    /// Bytes of a table.
    pub table_bytes: u64,
    /// Bits of a filter for each key.
    pub filter_bits: usize,
    /// Whether blocks are compressed.
    pub lz4: bool,
    /// Bytes of a log before the next begins.
    pub segment_bytes: u64,
    /// Shards of the index.
    pub shards: usize,
    /// Whether writes run due work.
    pub inline_work: bool,
    /// What the short forms promise.
    pub durability: Durability,
    /// Syncs by itself.
    pub sync_every: SyncEvery,
    /// How long expired records stay.
    pub grace_ms: u64,
    /// When a segment is merged.
    pub dead_percent: u8,
    /// Bytes that are given up on a full disk.
    pub reserve_bytes: u64,
    /// Memory for snapshots and merges.
    pub memory_budget: usize,
    /// All keys have one place in the index.
    pub equal_hashes: bool,
    /// A manifest is replaced when it is longer than this; 0: when it is usual.
    pub manifest_bytes: u64,
    /// The mistake that is switched on.
    pub bug: Option<Bug>,
}

impl Shape {
    /// Tiny logs, few shards, no reserve, work only when asked for.
    pub const TINY: Self = Self {
        layout: Layout::Hash,
        memtable_bytes: 1 << 20,
        flush_memtables: 1,
        block_bytes: 256,
        table_bytes: 2048,
        filter_bits: 10,
        lz4: false,
        segment_bytes: 2048,
        shards: 8,
        inline_work: false,
        durability: Durability::Buffered,
        sync_every: SyncEvery::NEVER,
        grace_ms: 1000,
        dead_percent: 50,
        reserve_bytes: 0,
        memory_budget: 8 << 20,
        equal_hashes: false,
        manifest_bytes: 0,
        bug: None,
    };

    /// One of many shapes: what a seeded run varies.
    pub fn random(rng: &mut Rng) -> Self {
        let sync_every = match rng.below(4) {
            0 => SyncEvery { writes: 1 + rng.below(10), ..SyncEvery::NEVER },
            1 => SyncEvery { bytes: 100 + rng.below(4000), ..SyncEvery::NEVER },
            2 => SyncEvery { millis: 1 + rng.below(50), ..SyncEvery::NEVER },
            _ => SyncEvery::NEVER,
        };
        Self {
            layout: Layout::Hash,
            memtable_bytes: 1 << 20,
            flush_memtables: 1,
            block_bytes: 256,
            table_bytes: 2048,
            filter_bits: 10,
            lz4: false,
            segment_bytes: *rng.pick(&[2048, 3000, 4096, 8192]),
            shards: *rng.pick(&[8, 8, 16, 64]),
            inline_work: rng.percent(50),
            durability: *rng.pick(&[Durability::Durable, Durability::Buffered]),
            sync_every,
            grace_ms: *rng.pick(&[0, 10, 1000]),
            dead_percent: *rng.pick(&[1, 20, 50, 100]),
            reserve_bytes: *rng.pick(&[0, 0, 4096]),
            memory_budget: 8 << 20,
            equal_hashes: rng.percent(20),
            manifest_bytes: *rng.pick(&[0, 500, 1000]),
            bug: None,
        }
    }

    /// The same in the ordered layout, with tiny memtables, tables and blocks.
    #[must_use]
    pub fn ordered(self, rng: &mut Rng) -> Self {
        Self {
            layout: Layout::Ordered,
            // Why: a memtable has its filter and its first chunks at once; it is sealed soon after.
            memtable_bytes: *rng.pick(&[1024, 70 << 10, 80 << 10]),
            flush_memtables: *rng.pick(&[1, 1, 2, 3]),
            block_bytes: *rng.pick(&[64, 256, 1024]),
            table_bytes: *rng.pick(&[1024, 2048, 8192]),
            filter_bits: *rng.pick(&[0, 10]),
            lz4: rng.percent(30),
            equal_hashes: false,
            ..self
        }
    }

    /// The engine's options.
    #[must_use]
    pub fn options(&self, clock: &Arc<ManualClock>) -> Options {
        let mut options = Options::with_seed(STORE_SEED);
        options.durability = self.durability;
        options.sync_every = self.sync_every;
        options.segment_bytes = self.segment_bytes;
        options.value_bytes_max = 1 << 20;
        options.merge_dead_percent = self.dead_percent;
        options.expiry_grace_ms = self.grace_ms;
        options.reserve_bytes = self.reserve_bytes;
        options.memory_budget = self.memory_budget;
        options.index_shards = self.shards;
        options.inline_work = self.inline_work;
        options.layout = Some(self.layout);
        options.memtable_bytes = self.memtable_bytes;
        options.flush_memtables = self.flush_memtables;
        options.block_bytes = self.block_bytes;
        options.table_bytes = self.table_bytes;
        options.level_bytes = 2 * self.table_bytes;
        options.filter_bits_per_key = self.filter_bits;
        options.lz4 = self.lz4;
        options.paranoid = true;
        options.clock = Arc::clone(clock) as Arc<dyn keelstone::Clock>;
        let Self { bug, equal_hashes, manifest_bytes, .. } = *self;
        options.lab = Lab { bug, equal_hashes, manifest_bytes };
        options
    }

    /// The engine's options with an observer.
    #[must_use]
    pub fn observed(&self, clock: &Arc<ManualClock>, observer: Arc<dyn Observer>) -> Options {
        let mut options = self.options(clock);
        options.observer = Some(observer);
        options
    }

    /// The engine's options for reading only.
    #[must_use]
    pub fn read_only(&self, clock: &Arc<ManualClock>) -> Options {
        let mut options = self.options(clock);
        options.mode = OpenMode::ReadOnly;
        options
    }
}
