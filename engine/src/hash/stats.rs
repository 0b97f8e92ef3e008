//! Counts and durations.

use core::sync::atomic::{AtomicU64, Ordering};

use super::Store;
use crate::error::Result;
use crate::stats::Stats;

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
            ordered: None,
        })
    }
}
