//! Byte vectors that behave like files (V10 to V13), shared by the memory and the fault disk.
//!
//! Promise: growth is asked for and never assumed; a failure changes nothing. Never: locks.

use crate::{Error, Kind, Op, Result};
use alloc::vec::Vec;

/// The end of `len` bytes at `offset`; `NoSpace` where no file can reach.
pub(crate) fn end(op: Op, offset: u64, len: u64) -> Result<u64> {
    match offset.checked_add(len) {
        Some(end) if i64::try_from(end).is_ok() => Ok(end),
        _ => Err(Error::new(op, Kind::NoSpace)),
    }
}

/// The length of a slice, as files count.
pub(crate) const fn count(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}

/// Fills `buf` from `offset` on and returns how many bytes there were.
pub(crate) fn read_at(bytes: &[u8], buf: &mut [u8], offset: u64) -> usize {
    let start = usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()));
    let rest = &bytes[start..];
    let n = rest.len().min(buf.len());
    buf[..n].copy_from_slice(&rest[..n]);
    n
}

/// Writes `buf` at `offset`; a gap before it is filled with zeros.
pub(crate) fn write_at(bytes: &mut Vec<u8>, buf: &[u8], offset: u64) -> Result<()> {
    if buf.is_empty() {
        return Ok(());
    }
    let end = end(Op::Write, offset, count(buf))?;
    let end = reserve(Op::Write, bytes, end)?;
    let start = end - buf.len();
    if bytes.len() < start {
        bytes.resize(start, 0);
    }
    let over = (bytes.len() - start).min(buf.len());
    bytes[start..start + over].copy_from_slice(&buf[..over]);
    bytes.extend_from_slice(&buf[over..]);
    Ok(())
}

/// Cuts the vector, or grows it with zeros.
pub(crate) fn set_len(op: Op, bytes: &mut Vec<u8>, len: u64) -> Result<()> {
    let len = reserve(op, bytes, end(op, len, 0)?)?;
    bytes.resize(len, 0);
    Ok(())
}

/// Grows the vector with zeros to at least `offset + len`.
pub(crate) fn allocate(bytes: &mut Vec<u8>, offset: u64, len: u64) -> Result<()> {
    let end = end(Op::Allocate, offset, len)?;
    if end > count(bytes) { set_len(Op::Allocate, bytes, end) } else { Ok(()) }
}

/// Has memory for `len` bytes ready and returns `len` as an index.
fn reserve(op: Op, bytes: &mut Vec<u8>, len: u64) -> Result<usize> {
    let no_memory = Error::new(op, Kind::NoMemory);
    let len = usize::try_from(len).map_err(|_| no_memory)?;
    bytes.try_reserve(len.saturating_sub(bytes.len())).map_err(|_| no_memory)?;
    Ok(len)
}
