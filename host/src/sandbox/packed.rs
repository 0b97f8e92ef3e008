//! Keys and values one behind the other in one list: the shape in which many of them cross the
//! border at the price of one.
//!
//! Called by `db`; calls nothing. Promise: a component whose lengths are not those of its bytes is
//! [`Error::Sandbox`]. Never: panics on what a component says, or keeps memory for it.

use keelstone::{Batch, Entry, LogEntry, Value, Write};

use crate::engine::{Error, Result};
use crate::wasi_fs::bindings::exports::keelstone::store::store as wit;

/// Bytes in order, and what lies in them.
pub(super) struct Packed<T> {
    pub(super) bytes: Vec<u8>,
    pub(super) parts: Vec<T>,
}

/// A length as the contract has it. What is longer than all memory of a component is refused there,
/// because the lengths are then not those of the bytes.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// The writes of a batch.
pub(super) fn batch(from: &Batch) -> Packed<wit::Write> {
    let size = |write: &Write| match write {
        Write::Put { key, value, .. } => key.len() + value.len(),
        Write::Delete { key } => key.len(),
        Write::DeleteRange { from, to } => from.len() + to.len(),
    };
    let mut bytes = Vec::with_capacity(from.writes().iter().map(size).sum());
    let mut put = |part: &[u8]| {
        bytes.extend_from_slice(part);
        length(part)
    };
    let writes = from.writes().iter().map(|write| match write {
        Write::Put { key, value, expires_ms } => wit::Write {
            key_length: put(key),
            value_length: Some(put(value)),
            expires_ms: *expires_ms,
            range: false,
        },
        Write::Delete { key } => {
            wit::Write { key_length: put(key), value_length: None, expires_ms: None, range: false }
        }
        Write::DeleteRange { from, to } => wit::Write {
            key_length: put(from),
            value_length: Some(put(to)),
            expires_ms: None,
            range: true,
        },
    });
    let parts = writes.collect();
    Packed { bytes, parts }
}

/// Keys.
pub(super) fn keys(from: &[&[u8]]) -> Packed<u32> {
    Packed { bytes: from.concat(), parts: from.iter().map(|key| length(key)).collect() }
}

/// The values of keys.
pub(super) fn values(from: &wit::Values) -> Result<Vec<Option<Value>>> {
    let mut rest = &from.bytes[..];
    let value = |found: &Option<wit::Value>| match found {
        Some(wit::Value { length, expires_ms }) => {
            let value = take(&mut rest, *length)?;
            Ok(Some(Value { value, expires_ms: *expires_ms }))
        }
        None => Ok(None),
    };
    let values = from.found.iter().map(value).collect::<Result<_>>()?;
    ended(rest, values)
}

/// Entries of a scan.
pub(super) fn entries(from: &wit::Entries) -> Result<Vec<Entry>> {
    let mut rest = &from.bytes[..];
    let entry = |entry: &wit::Entry| {
        let key = take(&mut rest, entry.key_length)?;
        let value = take(&mut rest, entry.value_length)?;
        Ok(Entry { key, value, expires_ms: entry.expires_ms })
    };
    let entries = from.entries.iter().map(entry).collect::<Result<_>>()?;
    ended(rest, entries)
}

/// Entries of the log.
pub(super) fn log_entries(from: &wit::LogEntries) -> Result<Vec<LogEntry>> {
    let mut rest = &from.bytes[..];
    let entry = |entry: &wit::LogEntry| {
        let wit::LogEntry { sequence, time_ms, write } = *entry;
        let key = take(&mut rest, write.key_length)?;
        let write = match write.value_length {
            Some(length) => {
                let value = take(&mut rest, length)?;
                if write.range {
                    Write::DeleteRange { from: key, to: value }
                } else {
                    Write::Put { key, value, expires_ms: write.expires_ms }
                }
            }
            None => Write::Delete { key },
        };
        Ok(LogEntry { sequence, time_ms, write })
    };
    let entries = from.entries.iter().map(entry).collect::<Result<_>>()?;
    ended(rest, entries)
}

/// The next bytes.
fn take(bytes: &mut &[u8], length: u32) -> Result<Vec<u8>> {
    let (taken, rest) = bytes.split_at_checked(length as usize).ok_or_else(wrong)?;
    *bytes = rest;
    Ok(taken.to_vec())
}

/// What was made of the bytes, if none of them are left.
fn ended<T>(rest: &[u8], made: T) -> Result<T> {
    if rest.is_empty() { Ok(made) } else { Err(wrong()) }
}

fn wrong() -> Error {
    Error::Sandbox("the lengths that the component gave are not those of its bytes".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(length: u32) -> wit::Values {
        wit::Values {
            bytes: b"12".to_vec(),
            found: vec![Some(wit::Value { length, expires_ms: None })],
        }
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let value = Value { value: b"12".to_vec(), expires_ms: None };
        assert_eq!(values(&one(2)), Ok(vec![Some(value)]));
        for length in [0, 1, 3, u32::MAX] {
            assert_eq!(values(&one(length)), Err(wrong()), "length={length}");
        }
        let entry = wit::Entry { key_length: 1, value_length: 2, expires_ms: None };
        let page = wit::Entries { bytes: b"kv".to_vec(), entries: vec![entry] };
        assert_eq!(entries(&page), Err(wrong()));
    }
}
