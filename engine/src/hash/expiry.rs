//! When live records expire: so that `len` is exact and a merge knows what is dead, without reading. Pure.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use keelstone_vfs::lock::Mutex;

/// The time that never comes: a record that expires then is one that does not expire.
pub(crate) const NEVER_MS: u64 = u64::MAX;

/// How many records, and how many bytes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    count: u64,
    bytes: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.bytes += other.bytes;
    }

    fn sub(&mut self, other: Self) {
        self.count -= other.count;
        self.bytes -= other.bytes;
    }
}

/// The expiring entries of the index.
#[derive(Default)]
struct Ledger {
    /// Everything that expired up to this time is in `past`, everything else in `coming`.
    horizon_ms: u64,
    /// By time and slot.
    coming: BTreeMap<(u64, u16), Tally>,
    /// By slot.
    past: Vec<Tally>,
}

impl Ledger {
    fn tally(&mut self, expires_ms: u64, slot: u16) -> &mut Tally {
        if expires_ms <= self.horizon_ms {
            self.past_of(slot)
        } else {
            self.coming.entry((expires_ms, slot)).or_default()
        }
    }

    fn past_of(&mut self, slot: u16) -> &mut Tally {
        let slot = usize::from(slot);
        if self.past.len() <= slot {
            self.past.resize(slot + 1, Tally::default());
        }
        &mut self.past[slot]
    }

    fn advance(&mut self, horizon_ms: u64) {
        if horizon_ms <= self.horizon_ms {
            return;
        }
        self.horizon_ms = horizon_ms;
        while let Some(((expires_ms, slot), tally)) = self.coming.pop_first() {
            if expires_ms > horizon_ms {
                self.coming.insert((expires_ms, slot), tally);
                break;
            }
            self.past_of(slot).add(tally);
        }
    }
}

/// The expiring entries of the index, behind a lock of their own.
#[derive(Default)]
pub(crate) struct Expiries(Mutex<Ledger>);

impl Expiries {
    pub(crate) fn add(&self, expires_ms: u64, slot: u16, bytes: u32) {
        if expires_ms == NEVER_MS {
            return;
        }
        let tally = Tally { count: 1, bytes: u64::from(bytes) };
        self.0.lock().tally(expires_ms, slot).add(tally);
    }

    pub(crate) fn sub(&self, expires_ms: u64, slot: u16, bytes: u32) {
        if expires_ms == NEVER_MS {
            return;
        }
        let mut ledger = self.0.lock();
        let tally = ledger.tally(expires_ms, slot);
        tally.sub(Tally { count: 1, bytes: u64::from(bytes) });
        if tally.count == 0 {
            ledger.coming.remove(&(expires_ms, slot));
        }
    }

    pub(crate) fn clear(&self) {
        *self.0.lock() = Ledger::default();
    }

    /// How many entries have expired at `now_ms`, which is never before an earlier horizon.
    pub(crate) fn expired(&self, now_ms: u64) -> u64 {
        let ledger = self.0.lock();
        let coming = ledger.coming.range(..=(now_ms, u16::MAX));
        let past: u64 = ledger.past.iter().map(|tally| tally.count).sum();
        past + coming.map(|(_, tally)| tally.count).sum::<u64>()
    }

    /// Bytes of the entries of one file that had expired at `horizon_ms`, or at a later horizon that was asked for.
    pub(crate) fn expired_bytes(&self, horizon_ms: u64, slot: u16) -> u64 {
        let mut ledger = self.0.lock();
        ledger.advance(horizon_ms);
        ledger.past.get(usize::from(slot)).map_or(0, |tally| tally.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_end_of_time_everything_has_expired() {
        let expiries = Expiries::default();
        expiries.add(u64::MAX - 1, 1, 100);
        assert_eq!(expiries.expired_bytes(u64::MAX, 1), 100);
        expiries.sub(u64::MAX - 1, 1, 100);
        assert_eq!((expiries.expired(u64::MAX), expiries.expired_bytes(u64::MAX, 1)), (0, 0));
    }

    #[test]
    fn what_has_expired_is_counted_before_and_after_the_horizon_moves() {
        let expiries = Expiries::default();
        for (at, slot) in [(10, 1), (10, 2), (20, 1), (30, 2)] {
            expiries.add(at, slot, 100);
        }
        assert_eq!((expiries.expired(9), expiries.expired(10), expiries.expired(25)), (0, 2, 3));
        assert_eq!((expiries.expired_bytes(20, 1), expiries.expired_bytes(20, 2)), (200, 100));
        assert_eq!((expiries.expired(20), expiries.expired(30)), (3, 4));
        expiries.sub(10, 1, 100);
        expiries.sub(30, 2, 100);
        expiries.add(5, 2, 50);
        assert_eq!((expiries.expired(30), expiries.expired_bytes(0, 2)), (3, 150));
    }
}
