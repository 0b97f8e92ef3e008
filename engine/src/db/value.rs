//! What is read of a store: keys, values, when they expire.

use alloc::vec::Vec;

use crate::error::Result;
use crate::ordered::Item;
use crate::record::{Entry as Record, EntryKind};

/// A live key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// When it expires, in milliseconds since 1970; `None`: never.
    pub expires_ms: Option<u64>,
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The value.
    pub value: Vec<u8>,
    /// When it expires, in milliseconds since 1970; `None`: never.
    pub expires_ms: Option<u64>,
}

pub(super) fn bytes_of(slice: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(slice.len())?;
    bytes.extend_from_slice(slice);
    Ok(bytes)
}

pub(super) fn value_of(record: &Record<'_>) -> Result<Vec<u8>> {
    bytes_of(record.value)
}

pub(super) fn expiry_of(item: &Item<'_>) -> Option<u64> {
    (item.kind == EntryKind::PutUntil).then_some(item.expires_ms)
}

pub(super) fn value_of_item(item: &Item<'_>) -> Result<Value> {
    Ok(Value { value: bytes_of(item.value)?, expires_ms: expiry_of(item) })
}

pub(super) fn entry_of_item(item: &Item<'_>) -> Result<Entry> {
    let (key, value) = (bytes_of(item.key)?, bytes_of(item.value)?);
    Ok(Entry { key, value, expires_ms: expiry_of(item) })
}

pub(super) fn value_with_expiry(record: &Record<'_>) -> Result<Value> {
    Ok(Value { value: value_of(record)?, expires_ms: record.expires_ms })
}

pub(super) fn entry_of(record: &Record<'_>) -> Result<Entry> {
    let (key, value) = (bytes_of(record.key)?, value_of(record)?);
    Ok(Entry { key, value, expires_ms: record.expires_ms })
}
