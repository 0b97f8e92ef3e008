//! Counts and durations of this layout.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use super::Store;
use crate::error::Result;
use crate::manifest::LEVELS;
use crate::stats::{LevelStats, OrderedStats, Stats};

/// What happened since open.
#[derive(Default)]
pub(super) struct Counters {
    flushes: AtomicU64,
    flush_us: AtomicU64,
    flush_bytes: AtomicU64,
    compactions: AtomicU64,
    compaction_us: AtomicU64,
    compaction_bytes_in: AtomicU64,
    compaction_bytes_out: AtomicU64,
    pub(super) moves: AtomicU64,
    loads: AtomicU64,
    load_bytes: AtomicU64,
}

impl Counters {
    pub(super) fn flush(&self, us: u64, bytes: u64) {
        self.flushes.fetch_add(1, Ordering::Relaxed);
        self.flush_us.fetch_add(us, Ordering::Relaxed);
        self.flush_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn load(&self, bytes: u64) {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.load_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn compaction(&self, us: u64, bytes_in: u64, bytes_out: u64) {
        self.compactions.fetch_add(1, Ordering::Relaxed);
        self.compaction_us.fetch_add(us, Ordering::Relaxed);
        self.compaction_bytes_in.fetch_add(bytes_in, Ordering::Relaxed);
        self.compaction_bytes_out.fetch_add(bytes_out, Ordering::Relaxed);
    }
}

impl Store {
    pub(crate) fn stats(self: &Arc<Self>) -> Result<Stats> {
        self.journal.check_open()?;
        let (keys, live_bytes) = self.count()?;
        let (files, disk_bytes) = self.journal.disk_usage()?;
        let logs = self.hand.lock().logs.len();
        let view = self.view();
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (c, j) = (&self.counters, &self.journal.counters);
        let raw: u64 = view.version.tables().map(|file| file.meta.raw_bytes).sum();
        let sealed: usize = view.sealed.iter().map(|sealed| sealed.memtable.bytes()).sum();
        let level = |level: usize| LevelStats {
            tables: view.version.levels[level].len() as u64,
            bytes: view.version.bytes(level),
        };
        let blocks = self.tables.blocks.stats();
        let ordered = OrderedStats {
            flushes: load(&c.flushes),
            flush_us: load(&c.flush_us),
            flush_bytes: load(&c.flush_bytes),
            compactions: load(&c.compactions),
            compaction_us: load(&c.compaction_us),
            compaction_bytes_in: load(&c.compaction_bytes_in),
            compaction_bytes_out: load(&c.compaction_bytes_out),
            table_moves: load(&c.moves),
            loads: load(&c.loads),
            load_bytes: load(&c.load_bytes),
            memtable_bytes: (sealed + view.memtable.bytes()) as u64,
            sealed_memtables: view.sealed.len() as u64,
            tables_open: self.tables.cache.open_now() as u64,
            tables_open_max: self.tables.cache.open_max() as u64,
            block_cache_bytes: blocks.bytes as u64,
            block_cache_bytes_max: blocks.max_bytes_seen as u64,
            block_cache_hits: blocks.hits,
            block_cache_misses: blocks.misses,
            levels: core::array::from_fn::<_, LEVELS, _>(level),
        };
        Ok(Stats {
            keys,
            live_bytes,
            dead_bytes: raw.saturating_sub(live_bytes),
            disk_bytes,
            files,
            sequence: self.journal.sequence(),
            durable_sequence: self.journal.durable_sequence(),
            segments: (view.version.tables().count() + logs) as u64,
            snapshots: self.snapshots.count(),
            syncs: load(&j.syncs),
            sync_us: load(&j.sync_us),
            rotations: load(&j.rotations),
            recoveries: load(&j.recoveries),
            recovery_us: load(&j.recovery_us),
            ordered: Some(ordered),
            ..Stats::default()
        })
    }
}
