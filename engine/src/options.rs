//! How a store is opened. Plain values with defaults; checked once, at open.

use alloc::sync::Arc;
use core::fmt;

use crate::clock::{Clock, ManualClock};
use crate::error::{Error, Invalid, Result};
use crate::event::Observer;
use crate::limits;
use crate::order::Comparator;

/// Which storage layout a store has; chosen at creation, kept for its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// Keys in a hash index in memory, records in logs: a get is one read, scans are unordered.
    Hash,
    /// Sorted tables in levels: scans in order, in both directions, and range deletes.
    Ordered,
}

/// When a write that returned survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When the call returned: it was synced, with everything before it.
    Durable,
    /// When a later sync returned. It survives the end of the process at once.
    Buffered,
}

/// Syncs that the store does by itself, for buffered writes: whichever limit is reached first. 0 means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncEvery {
    /// After this many writes.
    pub writes: u64,
    /// After this many bytes of log.
    pub bytes: u64,
    /// When the oldest write that is not synced is this old; seen at the next write, or by [`Db::due`](crate::Db::due).
    pub millis: u64,
}

impl SyncEvery {
    /// No syncs but those that are asked for.
    pub const NEVER: Self = Self { writes: 0, bytes: 0, millis: 0 };
}

/// What `open` does when there is no store, or there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Opens the store, or creates it in an empty directory.
    Create,
    /// Opens a store that exists.
    Existing,
    /// Opens a store that exists and changes no byte.
    ReadOnly,
}

/// How a store is opened. `Options::default()` is right for most: durable writes, merges when half is dead.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Create, open, or only read.
    pub mode: OpenMode,
    /// The layout of a new store, and the one that an old store must have; `None`: ordered for a new one, any for an old.
    pub layout: Option<Layout>,
    /// What [`Db::put`](crate::Db::put) and the other short forms promise.
    pub durability: Durability,
    /// Syncs by itself for buffered writes.
    pub sync_every: SyncEvery,
    /// The longest value, in bytes.
    pub value_bytes_max: usize,
    /// A log is sealed and a new one begun before it would grow beyond this many bytes; a merge aims at it too.
    pub segment_bytes: u64,
    /// A segment is merged when this share of its bytes is dead, in percent.
    pub merge_dead_percent: u8,
    /// Expired records stay on disk for this long, in milliseconds.
    pub expiry_grace_ms: u64,
    /// Bytes of a file that is given up when the disk is full, so that deletes and merges go on; 0: none.
    pub reserve_bytes: u64,
    /// Memory in bytes. Hash layout: for what snapshots and scans keep, and for a merge's work. Ordered layout: five
    /// eighths of it for blocks, one for what is kept of open tables; a quarter should do for the memtables.
    pub memory_budget: usize,
    /// Shards of the index, a multiple of 8 from 8 to 65,528: a put moves at most about keys / shards x 1.6 entries.
    pub index_shards: usize,
    /// Ordered layout: memory of the memtable that takes writes, in bytes; full, it is sealed and waits to become a table.
    pub memtable_bytes: usize,
    /// Ordered layout: so many sealed memtables become one table together, 1 to 64; fewer where a quarter of the budget
    /// has no room for them and the one that takes writes. More of them: fewer bytes are written and fewer compactions run;
    /// more memory is held, and after a kill more logs are replayed. Writers wait for the flush where one more than this is
    /// sealed, and never before three are.
    pub flush_memtables: usize,
    /// Ordered layout: a memtable that was not written to for so long becomes a table, so that its log can go; 0: never.
    pub memtable_idle_ms: u64,
    /// Ordered layout: about how long a table becomes that a compaction writes, in bytes.
    pub table_bytes: u64,
    /// Ordered layout: the bytes of level 1; every other level may have ten times those of the one above.
    pub level_bytes: u64,
    /// Ordered layout: about how long a block of a table becomes before it is compressed, in bytes.
    pub block_bytes: usize,
    /// Ordered layout: bits of a table's filter for each key, 0 for none; 10 let 1 in 100 absent keys through.
    pub filter_bits_per_key: usize,
    /// Ordered layout: prefixes of this length get a filter of their own; scans of a prefix leave tables out by it.
    pub prefix_bytes: Option<usize>,
    /// Ordered layout: whether blocks are compressed with LZ4.
    pub lz4: bool,
    /// Ordered layout: tables that are kept open at once.
    pub open_tables: usize,
    /// Ordered layout: what compactions may read and write in a second while nothing waits for them; 0: no limit.
    pub compaction_bytes_per_second: u64,
    /// Ordered layout: the order of keys; `None`: byte by byte. Its name is stored, and another one is refused.
    pub comparator: Option<Arc<dyn Comparator>>,
    /// Ordered layout: checks every version of the tree as it is installed.
    pub paranoid: bool,
    /// Whether writes run bounded steps of due background work; `false` leaves that to whoever calls `work`.
    pub inline_work: bool,
    /// The 128-bit seed of a new store: checksums and hashes are keyed by it. Take it from a random source.
    pub seed: u128,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Who is told of recoveries, cuts, merges and refusals.
    pub observer: Option<Arc<dyn Observer>>,
    /// Switches for tests.
    #[cfg(feature = "lab")]
    pub lab: crate::lab::Lab,
}

impl Options {
    /// Options with a seed for new stores; time stands still at 0 until [`clock`](Self::clock) is set.
    #[must_use]
    pub fn with_seed(seed: u128) -> Self {
        Self {
            mode: OpenMode::Create,
            layout: None,
            durability: Durability::Durable,
            sync_every: SyncEvery::NEVER,
            value_bytes_max: limits::VALUE_BYTES_DEFAULT,
            segment_bytes: 64 << 20,
            merge_dead_percent: 50,
            expiry_grace_ms: 3_600_000,
            reserve_bytes: 1 << 20,
            memory_budget: 256 << 20,
            index_shards: 1024,
            memtable_bytes: 16 << 20,
            flush_memtables: 3,
            memtable_idle_ms: 600_000,
            table_bytes: 8 << 20,
            level_bytes: 64 << 20,
            block_bytes: 4096,
            filter_bits_per_key: 10,
            prefix_bytes: None,
            lz4: false,
            open_tables: 512,
            compaction_bytes_per_second: 0,
            comparator: None,
            paranoid: false,
            inline_work: true,
            seed,
            clock: ManualClock::new(0),
            observer: None,
            #[cfg(feature = "lab")]
            lab: crate::lab::Lab::default(),
        }
    }

    /// The switches of a test build; all off in a product.
    pub(crate) const fn switches(&self) -> crate::lab::Switches {
        #[cfg(feature = "lab")]
        return crate::lab::Switches::new(self.lab);
        #[cfg(not(feature = "lab"))]
        return crate::lab::Switches {};
    }

    /// Refuses values that cannot work.
    pub(crate) fn check(&self) -> Result<()> {
        let bad = |name| Err(Error::Invalid(Invalid::Option(name)));
        if self.value_bytes_max > limits::VALUE_BYTES_LIMIT {
            return bad("value_bytes_max");
        }
        if self.segment_bytes < 1024 || self.segment_bytes > limits::FILE_BYTES_MAX / 2 {
            return bad("segment_bytes");
        }
        if self.merge_dead_percent == 0 || self.merge_dead_percent > 100 {
            return bad("merge_dead_percent");
        }
        if !(8..=65_528).contains(&self.index_shards) || !self.index_shards.is_multiple_of(8) {
            return bad("index_shards");
        }
        if !(1024..=1 << 30).contains(&self.memtable_bytes) {
            return bad("memtable_bytes");
        }
        if !(1..=64).contains(&self.flush_memtables) {
            return bad("flush_memtables");
        }
        if !(1024..=limits::FILE_BYTES_MAX / 2).contains(&self.table_bytes) {
            return bad("table_bytes");
        }
        if self.level_bytes < self.table_bytes {
            return bad("level_bytes");
        }
        if !(64..=1 << 20).contains(&self.block_bytes) {
            return bad("block_bytes");
        }
        if self.filter_bits_per_key > 64 {
            return bad("filter_bits_per_key");
        }
        if self.open_tables < 16 {
            return bad("open_tables");
        }
        Ok(())
    }
}

/// The system clock, and a seed from the operating system's random state.
#[cfg(feature = "std")]
impl Default for Options {
    fn default() -> Self {
        Self { clock: Arc::new(crate::clock::SystemClock), ..Self::with_seed(random_seed()) }
    }
}

/// 128 bits from the random state that the operating system gives every process for its hash maps.
#[cfg(feature = "std")]
fn random_seed() -> u128 {
    use core::hash::{BuildHasher, Hasher};
    let half = || {
        let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
        hasher.write_u64(crate::clock::SystemClock.now_ms());
        u128::from(hasher.finish())
    };
    half() << 64 | half()
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("mode", &self.mode)
            .field("layout", &self.layout)
            .field("durability", &self.durability)
            .field("sync_every", &self.sync_every)
            .field("segment_bytes", &self.segment_bytes)
            .finish_non_exhaustive()
    }
}
