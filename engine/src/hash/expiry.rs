//! When live records expire: so that `len` is exact and a merge knows what is dead, without reading. Pure.

use alloc::collections::BTreeMap;

use keelstone_vfs::lock::Mutex;

/// How many records, and how many bytes of them, expire at one time in one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

/// The expiring entries of the index, by time and slot.
#[derive(Default)]
pub(crate) struct Expiries(Mutex<BTreeMap<(u64, u16), Tally>>);

impl Expiries {
    pub(crate) fn add(&self, expires_ms: u64, slot: u16, bytes: u32) {
        let mut map = self.0.lock();
        let tally = map.entry((expires_ms, slot)).or_default();
        tally.count += 1;
        tally.bytes += u64::from(bytes);
    }

    pub(crate) fn sub(&self, expires_ms: u64, slot: u16, bytes: u32) {
        let mut map = self.0.lock();
        if let Some(tally) = map.get_mut(&(expires_ms, slot)) {
            tally.count -= 1;
            tally.bytes -= u64::from(bytes);
            if tally.count == 0 {
                map.remove(&(expires_ms, slot));
            }
        }
    }

    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }

    /// How many entries have expired at `now_ms`.
    pub(crate) fn expired(&self, now_ms: u64) -> u64 {
        self.0.lock().range(..=(now_ms, u16::MAX)).map(|(_, tally)| tally.count).sum()
    }

    /// Bytes of the entries of one file that have expired at `now_ms`.
    pub(crate) fn expired_bytes(&self, now_ms: u64, slot: u16) -> u64 {
        let map = self.0.lock();
        let expired = map.range(..=(now_ms, u16::MAX));
        expired.filter(|((_, s), _)| *s == slot).map(|(_, tally)| tally.bytes).sum()
    }
}
