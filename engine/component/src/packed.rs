//! Keys and values one behind the other in one list: the shape in which many of them cross the
//! border at the price of one.
//!
//! Called by `db`; calls nothing. Promise: lengths of the host are believed only once they are known
//! to be those of the bytes. Never: traps on what a host says.

use alloc::vec::Vec;

use keelstone::{Error, Invalid, LogEntry, Result, Write, WriteRef};

use crate::bindings::exports::keelstone::store::store as wit;

/// The keys, in order.
pub(crate) fn keys(from: &wit::Keys) -> Result<impl ExactSizeIterator<Item = &[u8]>> {
    let lengths = from.lengths.iter();
    let mut bytes = checked(&from.bytes, lengths.clone().map(|length| u64::from(*length)))?;
    Ok(lengths.map(move |length| take(&mut bytes, *length)))
}

/// The writes, in order.
pub(crate) fn writes(from: &wit::Batch) -> Result<impl ExactSizeIterator<Item = WriteRef<'_>>> {
    let writes = from.writes.iter();
    let length = |w: &wit::Write| u64::from(w.key_length) + u64::from(w.value_length.unwrap_or(0));
    let mut bytes = checked(&from.bytes, writes.clone().map(length))?;
    Ok(writes.map(move |write| {
        let key = take(&mut bytes, write.key_length);
        match write.value_length {
            Some(length) => {
                let value = take(&mut bytes, length);
                if write.range {
                    return WriteRef::DeleteRange { from: key, to: value };
                }
                WriteRef::Put { key, value, expires_ms: write.expires_ms }
            }
            None => WriteRef::Delete { key },
        }
    }))
}

/// The bytes, if these are their lengths.
fn checked(bytes: &[u8], lengths: impl Iterator<Item = u64>) -> Result<&[u8]> {
    // Why it cannot overflow: no list has 2^32 elements, and no element two full lengths.
    let told: u64 = lengths.sum();
    if told == bytes.len() as u64 {
        Ok(bytes)
    } else {
        Err(Error::Invalid(Invalid::Option("bytes")))
    }
}

/// The next bytes of a list that was checked.
fn take<'a>(bytes: &mut &'a [u8], length: u32) -> &'a [u8] {
    let (taken, rest) = bytes.split_at_checked(length as usize).unwrap_or_default();
    *bytes = rest;
    taken
}

/// Appends a value; gives its length.
pub(crate) fn put(bytes: &mut Vec<u8>, value: &[u8]) -> Result<u32> {
    bytes.try_reserve(value.len())?;
    bytes.extend_from_slice(value);
    u32::try_from(value.len()).map_err(|_| Error::OutOfMemory)
}

/// Appends an entry of a scan.
pub(crate) fn entry(bytes: &mut Vec<u8>, found: &keelstone::Entry) -> Result<wit::Entry> {
    let (key_length, value_length) = (put(bytes, &found.key)?, put(bytes, &found.value)?);
    Ok(wit::Entry { key_length, value_length, expires_ms: found.expires_ms })
}

/// Appends an entry of the log.
pub(crate) fn log_entry(bytes: &mut Vec<u8>, found: &LogEntry) -> Result<wit::LogEntry> {
    let write = match &found.write {
        Write::Put { key, value, expires_ms } => wit::Write {
            key_length: put(bytes, key)?,
            value_length: Some(put(bytes, value)?),
            expires_ms: *expires_ms,
            range: false,
        },
        Write::Delete { key } => wit::Write {
            key_length: put(bytes, key)?,
            value_length: None,
            expires_ms: None,
            range: false,
        },
        Write::DeleteRange { from, to } => wit::Write {
            key_length: put(bytes, from)?,
            value_length: Some(put(bytes, to)?),
            expires_ms: None,
            range: true,
        },
    };
    Ok(wit::LogEntry { sequence: found.sequence, time_ms: found.time_ms, write })
}
