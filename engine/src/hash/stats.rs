//! Counts and durations.

use core::sync::atomic::{AtomicU64, Ordering};

use super::Store;
use crate::error::Result;

/// What happened since open.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) merges: AtomicU64,
    pub(super) merge_us: AtomicU64,
    pub(super) merge_bytes_in: AtomicU64,
    pub(super) merge_bytes_out: AtomicU64,
    pub(super) hints_used: AtomicU64,
    pub(super) files_scanned: AtomicU64,
}

/// What `Db::stats` reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Live keys: what a scan now would return.
    pub keys: u64,
    /// Bytes of their records.
    pub live_bytes: u64,
    /// Bytes of records that a merge would drop.
    pub dead_bytes: u64,
    /// Bytes of all files of the store, reserved space included.
    pub disk_bytes: u64,
    /// Files of the store.
    pub files: u64,
    /// The last sequence.
    pub sequence: u64,
    /// The last sequence that is known to be durable.
    pub durable_sequence: u64,
    /// Logs and segments.
    pub segments: u64,
    /// Open snapshots and scans.
    pub snapshots: u64,
    /// Bytes of memory of the index.
    pub index_bytes: u64,
    /// The most index entries that growing moved within one write.
    pub index_moves_max: u64,
    /// Syncs of logs since open.
    pub syncs: u64,
    /// Microseconds in them.
    pub sync_us: u64,
    /// Logs sealed since open.
    pub rotations: u64,
    /// Merges since open.
    pub merges: u64,
    /// Microseconds in them, from the first step to the last.
    pub merge_us: u64,
    /// Bytes that went into merges.
    pub merge_bytes_in: u64,
    /// Bytes that came out of them.
    pub merge_bytes_out: u64,
    /// 1 after an open that read an existing store.
    pub recoveries: u64,
    /// Microseconds in it.
    pub recovery_us: u64,
    /// Hints that it used.
    pub hints_used: u64,
    /// Files whose records it read one by one.
    pub files_scanned: u64,
}

impl Stats {
    /// Every figure with its name, sorted by name.
    #[must_use]
    pub fn fields(&self) -> alloc::vec::Vec<(&'static str, u64)> {
        alloc::vec![
            ("dead_bytes", self.dead_bytes),
            ("disk_bytes", self.disk_bytes),
            ("durable_sequence", self.durable_sequence),
            ("files", self.files),
            ("files_scanned", self.files_scanned),
            ("hints_used", self.hints_used),
            ("index_bytes", self.index_bytes),
            ("index_moves_max", self.index_moves_max),
            ("keys", self.keys),
            ("live_bytes", self.live_bytes),
            ("merge_bytes_in", self.merge_bytes_in),
            ("merge_bytes_out", self.merge_bytes_out),
            ("merge_us", self.merge_us),
            ("merges", self.merges),
            ("recoveries", self.recoveries),
            ("recovery_us", self.recovery_us),
            ("rotations", self.rotations),
            ("segments", self.segments),
            ("sequence", self.sequence),
            ("snapshots", self.snapshots),
            ("sync_us", self.sync_us),
            ("syncs", self.syncs),
        ]
    }
}

impl Store {
    pub(crate) fn stats(&self) -> Result<Stats> {
        let keys = self.len()?;
        let (files, disk_bytes) = self.journal.disk_usage()?;
        let live = self.files.live();
        let entry_bytes: u64 = live.iter().map(|f| f.log.entry_bytes.load(Ordering::Relaxed)).sum();
        let live_bytes = self.live_bytes();
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (c, j) = (&self.counters, &self.journal.counters);
        Ok(Stats {
            keys,
            live_bytes,
            dead_bytes: entry_bytes.saturating_sub(live_bytes),
            disk_bytes,
            files,
            sequence: self.journal.sequence(),
            durable_sequence: self.journal.durable_sequence(),
            segments: live.len() as u64,
            snapshots: self.snapshots.count(),
            index_bytes: self.index.bytes(),
            index_moves_max: self.index.moves_max(),
            syncs: load(&j.syncs),
            sync_us: load(&j.sync_us),
            rotations: load(&j.rotations),
            merges: load(&c.merges),
            merge_us: load(&c.merge_us),
            merge_bytes_in: load(&c.merge_bytes_in),
            merge_bytes_out: load(&c.merge_bytes_out),
            recoveries: load(&j.recoveries),
            recovery_us: load(&j.recovery_us),
            hints_used: load(&c.hints_used),
            files_scanned: load(&c.files_scanned),
        })
    }
}
