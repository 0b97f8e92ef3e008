//! Reading one key: probe the index, read the record, check it, compare the key.

use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use super::Store;
use super::files::DataFile;
use super::index::{Candidates, Loc, Place, class_len};
use crate::error::{Damage, Error, Result};
use crate::log::corrupt;
use crate::record::{Entry, EntryKind, decode_entry, entry_len};

/// Records up to this many bytes are read onto the stack.
const STACK_BYTES: usize = 512;
/// Where only the key is wanted, records up to this many bytes are read and checked whole.
const WHOLE_BYTES: u64 = 4096;

/// A record that a key was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) loc: Loc,
    pub(crate) len: u32,
    pub(crate) expires_ms: Option<u64>,
}

/// What reading a place gave.
enum Read<R> {
    /// The record of the key.
    Hit(R),
    /// The record of another key with the same tag.
    Other,
    /// The file is gone: the entry has moved since it was looked up.
    Gone,
}

impl Store {
    /// Gives the live record of `key` to `view`, or `None`; `now` decides what has expired.
    pub(crate) fn get<R>(
        &self,
        key: &[u8],
        mut view: impl FnMut(&Entry<'_>) -> Result<R>,
    ) -> Result<Option<R>> {
        self.journal.check_open()?;
        let place = self.place(key);
        loop {
            let candidates = self.index.shard(place.shard).candidates(place.tag);
            match self.read_first(place, &candidates, key, &mut view)? {
                Read::Hit(found) => return Ok(found),
                Read::Other => return Ok(None),
                Read::Gone => {}
            }
        }
    }

    /// The first candidate that is the key's record; inside `Hit`, `None` stands for an expired one.
    fn read_first<R>(
        &self,
        place: Place,
        candidates: &Candidates,
        key: &[u8],
        view: &mut impl FnMut(&Entry<'_>) -> Result<R>,
    ) -> Result<Read<Option<R>>> {
        for loc in candidates.iter() {
            let read = self.read_at(loc, |entry| {
                if entry.key != key {
                    return Ok(None);
                }
                if entry.expires_ms.is_some_and(|at| at <= self.journal.now_ms()) {
                    return Ok(Some(None));
                }
                Ok(Some(Some(view(entry)?)))
            });
            match read {
                Ok(Some(Some(found))) => return Ok(Read::Hit(found)),
                Ok(Some(None)) => {}
                Ok(None) => return Ok(Read::Gone),
                // Why: while we read, a merge may have moved the entry and given its slot away.
                Err(Error::Corrupt(_)) if !self.index.shard(place.shard).holds(place.tag, loc) => {
                    return Ok(Read::Gone);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Read::Other)
    }

    /// Reads and checks the record at a place; `None` if its file is gone.
    pub(super) fn read_at<R>(
        &self,
        loc: Loc,
        view: impl FnOnce(&Entry<'_>) -> Result<R>,
    ) -> Result<Option<R>> {
        let Some(file) = self.files.get(loc.slot) else { return Ok(None) };
        let len = usize::try_from(class_len(loc.class)).map_err(|_| Error::OutOfMemory)?;
        if len <= STACK_BYTES {
            let mut buf = [0; STACK_BYTES];
            return self.read_into(&file, loc, &mut buf[..len], view).map(Some);
        }
        let mut buf = Vec::new();
        buf.try_reserve_exact(len)?;
        buf.resize(len, 0);
        self.read_into(&file, loc, &mut buf, view).map(Some)
    }

    fn read_into<R>(
        &self,
        file: &DataFile,
        loc: Loc,
        buf: &mut [u8],
        view: impl FnOnce(&Entry<'_>) -> Result<R>,
    ) -> Result<R> {
        let offset = u64::from(loc.offset);
        let count = file.log.file.read_at(buf, offset)?;
        let entry = decode_entry(&buf[..count], file.log.id, offset).and_then(value_of).map_err(
            |what| {
                let bytes = class_len(loc.class);
                let error = corrupt(file.log.name, offset, bytes, what);
                self.damaged(error)
            },
        )?;
        view(&entry)
    }

    fn damaged(&self, error: Error) -> Error {
        if let Error::Corrupt(corruption) = error {
            self.journal.event(&crate::event::Event::Damaged(corruption));
        }
        error
    }

    /// The record that holds `key` now, expired or not. For writers and merges: exact, and cheap for long values.
    pub(super) fn find(&self, place: Place, key: &[u8]) -> Result<Option<Found>> {
        let candidates = self.index.shard(place.shard).candidates(place.tag);
        for loc in candidates.iter() {
            match self.find_at(loc, key)? {
                Read::Hit(found) => return Ok(Some(found)),
                Read::Other => {}
                Read::Gone => {
                    // Invariant: entries move under the writer's lock or by the one merge that asks here.
                    return Err(Error::Unsupported("an index entry without a file"));
                }
            }
        }
        Ok(None)
    }

    fn find_at(&self, loc: Loc, key: &[u8]) -> Result<Read<Found>> {
        // Why: bytes that were not checked may say that two keys agree, not that they differ.
        if class_len(loc.class) > WHOLE_BYTES.max(19 + key.len() as u64)
            && let Some(found) = self.find_by_head(loc, key)?
        {
            return Ok(Read::Hit(found));
        }
        let read = self.read_at(loc, |entry| {
            let found = Found { loc, len: entry.len, expires_ms: entry.expires_ms };
            Ok((entry.key == key).then_some(found))
        })?;
        Ok(match read {
            Some(Some(found)) => Read::Hit(found),
            Some(None) => Read::Other,
            None => Read::Gone,
        })
    }

    /// Reads the front of a long record only; `None` if it does not plainly hold the key.
    fn find_by_head(&self, loc: Loc, key: &[u8]) -> Result<Option<Found>> {
        let Some(file) = self.files.get(loc.slot) else { return Ok(None) };
        let mut buf = Vec::new();
        buf.try_reserve_exact(19 + key.len())?;
        buf.resize(19 + key.len(), 0);
        let count = file.log.file.read_at(&mut buf, u64::from(loc.offset))?;
        Ok(head_of(&buf[..count], loc, key))
    }

    /// How many bytes of records are alive.
    pub(super) fn live_bytes(&self) -> u64 {
        self.files.all().iter().map(|file| file.live_bytes.load(Ordering::Relaxed)).sum()
    }
}

/// The entry, if it is one that the index may name.
#[inline]
fn value_of(entry: Entry<'_>) -> core::result::Result<Entry<'_>, Damage> {
    match entry.kind {
        EntryKind::Put | EntryKind::PutUntil => Ok(entry),
        _ => Err(Damage::Kind),
    }
}

/// What the unchecked front of a record says, if it holds `key` and has the length that the index expects.
fn head_of(buf: &[u8], loc: Loc, key: &[u8]) -> Option<Found> {
    let len = u32::try_from(entry_len(buf).ok()?).ok()?;
    let until = *buf.get(4)? == 2;
    let (key_len, _) = buf.get(5..)?.split_first_chunk::<2>()?;
    let head = if until { 19 } else { 11 };
    let found = buf.get(head..head + key.len())?;
    let agrees = usize::from(u16::from_le_bytes(*key_len)) == key.len() && found == key;
    if !agrees || super::index::class_of(len) != loc.class {
        return None;
    }
    let expires_ms = match until {
        true => Some(u64::from_le_bytes(*buf.get(11..)?.first_chunk::<8>()?)),
        false => None,
    };
    Some(Found { loc, len, expires_ms })
}
