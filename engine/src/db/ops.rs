//! Writes as the journal takes them.

use crate::batch::WriteRef;
use crate::journal::OpRef;
use crate::record::EntryKind;

pub(super) const fn tombstone(key: &[u8]) -> OpRef<'_> {
    OpRef { kind: EntryKind::Tombstone, key, value: &[], expires_ms: 0 }
}

pub(super) const fn range_tombstone<'a>(from: &'a [u8], to: &'a [u8]) -> OpRef<'a> {
    OpRef { kind: EntryKind::RangeTombstone, key: from, value: to, expires_ms: 0 }
}

pub(super) fn op_of(write: WriteRef<'_>) -> OpRef<'_> {
    match write {
        WriteRef::Put { key, value, expires_ms: None } => {
            OpRef { kind: EntryKind::Put, key, value, expires_ms: 0 }
        }
        WriteRef::Put { key, value, expires_ms: Some(expires_ms) } => {
            OpRef { kind: EntryKind::PutUntil, key, value, expires_ms }
        }
        WriteRef::Delete { key } => tombstone(key),
        WriteRef::DeleteRange { from, to } => range_tombstone(from, to),
    }
}
