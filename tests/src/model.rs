//! The plain truth: a sorted map in memory that does what the store promises.
//!
//! Called by the mirror and by the oracle of the crash loops; knows the behaviour of a store and nothing of its inside.
//! Promise: after the same writes at the same times it shows what a correct store shows.

use std::collections::BTreeMap;

use keelstone::{Entry, Write};

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its value.
    pub value: Vec<u8>,
    /// When it expires; `None`: never.
    pub expires_ms: Option<u64>,
}

/// A store in memory. A clone is a snapshot: its time stands still too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    map: BTreeMap<Vec<u8>, Record>,
    time_ms: u64,
    sequence: u64,
}

impl Model {
    /// Time is the greatest that was seen.
    pub fn see_time(&mut self, now_ms: u64) {
        self.time_ms = self.time_ms.max(now_ms);
    }

    /// The time that decides what has expired.
    #[must_use]
    pub const fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// How many writes there were.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// One write.
    pub fn apply(&mut self, write: &Write) {
        self.sequence += 1;
        match write {
            Write::Put { key, value, expires_ms } => {
                let record = Record { value: value.clone(), expires_ms: *expires_ms };
                self.map.insert(key.clone(), record);
            }
            Write::Delete { key } => {
                self.map.remove(key);
            }
            Write::DeleteRange { from, to } => {
                self.map.retain(|key, _| key < from || key >= to);
            }
        }
    }

    /// A batch.
    pub fn apply_all(&mut self, writes: &[Write]) {
        writes.iter().for_each(|write| self.apply(write));
    }

    /// A bulk load: all of it is one write.
    pub fn load(&mut self, writes: &[Write]) {
        let sequence = self.sequence + u64::from(!writes.is_empty());
        self.apply_all(writes);
        self.sequence = sequence;
    }

    /// What the key holds, if it has not expired.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&Record> {
        self.map.get(key).filter(|record| self.is_live(record))
    }

    /// Whether the key was set and has expired since.
    #[must_use]
    pub fn is_expired(&self, key: &[u8]) -> bool {
        self.map.get(key).is_some_and(|record| !self.is_live(record))
    }

    fn is_live(&self, record: &Record) -> bool {
        record.expires_ms.is_none_or(|at| self.time_ms < at)
    }

    /// Every live key, in ascending order.
    #[must_use]
    pub fn scan(&self) -> Vec<Entry> {
        let live = self.map.iter().filter(|(_, record)| self.is_live(record));
        let entry = |(key, record): (&Vec<u8>, &Record)| Entry {
            key: key.clone(),
            value: record.value.clone(),
            expires_ms: record.expires_ms,
        };
        live.map(entry).collect()
    }

    /// How many keys a scan gives.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.map.values().filter(|record| self.is_live(record)).count() as u64
    }

    /// Whether a scan gives nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every key that was ever set and not deleted, expired or not.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.map.keys().map(Vec::as_slice)
    }
}

/// The write that sets a key.
#[must_use]
pub fn put(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Write {
    Write::Put { key: key.into(), value: value.into(), expires_ms: None }
}

/// The write that sets a key until a time.
#[must_use]
pub fn put_until(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>, expires_ms: u64) -> Write {
    Write::Put { key: key.into(), value: value.into(), expires_ms: Some(expires_ms) }
}

/// The write that takes a key away.
#[must_use]
pub fn delete(key: impl Into<Vec<u8>>) -> Write {
    Write::Delete { key: key.into() }
}

/// The key that a write changes.
#[must_use]
pub fn key_of(write: &Write) -> &[u8] {
    match write {
        Write::Put { key, .. } | Write::Delete { key } | Write::DeleteRange { from: key, .. } => {
            key
        }
    }
}
