//! Which files are worth merging: those with the greatest share of bytes that a merge would drop.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::sync::atomic::Ordering;

use super::super::Store;
use super::super::files::{DataFile, insert_ordered};
use super::Merge;

/// A merge takes inputs up to this many times the size of a segment.
const INPUT_SEGMENTS: u64 = 4;

impl Store {
    /// The merge that is most worth doing, if one is.
    pub(in crate::hash) fn choose_merge(&self) -> Option<Merge> {
        let files = self.files.live();
        let horizon = self.dead_horizon();
        let oldest_age = files.iter().map(|file| file.log.age).min().unwrap_or(0);
        let mut worst: Vec<_> = files
            .iter()
            .filter(|file| file.log.is_closed())
            .map(|file| (self.dead_percent(file, oldest_age, horizon), Arc::clone(file)))
            .filter(|(percent, _)| *percent >= u64::from(self.journal.options.merge_dead_percent))
            .collect();
        let limit = self.journal.options.segment_bytes.saturating_mul(INPUT_SEGMENTS);
        let (mut inputs, mut bytes) = (Vec::new(), 0);
        let rank = |(percent, file): &(u64, Arc<DataFile>)| (*percent, Reverse(file.log.number));
        while let Some(at) = (0..worst.len()).max_by_key(|at| rank(&worst[*at])) {
            let (_, file) = worst.swap_remove(at);
            if !inputs.is_empty() && bytes + file.log.end() > limit {
                break;
            }
            bytes += file.log.end();
            insert_ordered(&mut inputs, file, |file| (file.log.age, file.log.number));
        }
        (!inputs.is_empty())
            .then(|| Merge::new(inputs, &files, self.journal.options.clock.ticks_us()))
    }

    /// A merge of everything that is closed, if that would drop anything.
    pub(in crate::hash) fn full_merge(&self) -> Option<Merge> {
        let files = self.files.live();
        let mut inputs = Vec::new();
        for file in files.iter().filter(|file| file.log.is_closed()) {
            insert_ordered(&mut inputs, Arc::clone(file), |file| (file.log.age, file.log.number));
        }
        let horizon = self.dead_horizon();
        let dead = |file: &Arc<DataFile>| {
            let load = |counter: &core::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
            let entry_bytes = load(&file.log.entry_bytes);
            entry_bytes != load(&file.live_bytes)
                || entry_bytes == 0
                || (horizon > 0 && self.expiries.expired_bytes(horizon, file.slot) > 0)
        };
        let worth = inputs.iter().any(dead);
        worth.then(|| Merge::new(inputs, &files, self.journal.options.clock.ticks_us()))
    }

    /// Records that expired up to this time are dead, unless a snapshot may want them.
    pub(in crate::hash) fn dead_horizon(&self) -> u64 {
        if self.snapshots.any() {
            return 0;
        }
        self.journal.now_ms().saturating_sub(self.journal.options.expiry_grace_ms)
    }

    /// The share of the file's bytes that a merge would drop.
    fn dead_percent(&self, file: &DataFile, oldest_age: u64, horizon: u64) -> u64 {
        let load = |counter: &core::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let total = load(&file.log.entry_bytes);
        if total == 0 {
            return 100;
        }
        let mut dead = total.saturating_sub(load(&file.live_bytes));
        if oldest_age < file.log.age {
            // Why: what must be carried is not dead.
            dead = dead.saturating_sub(load(&file.tombstone_bytes));
        }
        if horizon > 0 {
            dead += self.expiries.expired_bytes(horizon, file.slot);
        }
        dead * 100 / total
    }
}
