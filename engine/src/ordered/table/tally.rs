//! What the properties say of a table's entries, counted one by one.
//!
//! Called by the writer, and by those who read a table whole to see whether its properties are true. Never: knows the
//! order; the bounds are their matter.

use super::TableMeta;
use crate::ordered::key::Item;
use crate::record::EntryKind;

impl TableMeta {
    /// Of no entries yet; `number` names the file.
    pub(in crate::ordered) fn tally(number: u64) -> Self {
        Self { number, min_seq: u64::MAX, ..Self::default() }
    }

    pub(in crate::ordered) fn add(&mut self, item: &Item<'_>) {
        self.entries += 1;
        self.tombstones += u64::from(item.kind == EntryKind::Tombstone);
        self.add_seq(item.seq);
        self.raw_bytes += (item.key.len() + item.value.len()) as u64;
        if item.kind == EntryKind::PutUntil {
            let at = item.expires_ms;
            let (min, max) = self.expires.unwrap_or((at, at));
            self.expires = Some((min.min(at), max.max(at)));
        }
    }

    pub(in crate::ordered) fn add_range(&mut self, seq: u64) {
        self.ranges += 1;
        self.add_seq(seq);
    }

    fn add_seq(&mut self, seq: u64) {
        self.min_seq = self.min_seq.min(seq);
        self.max_seq = self.max_seq.max(seq);
    }

    /// After the last entry and range tombstone.
    pub(in crate::ordered) fn end_tally(&mut self) {
        if self.entries == 0 && self.ranges == 0 {
            self.min_seq = 0;
        }
    }
}
