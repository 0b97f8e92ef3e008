//! Doors for fuzzing, in a test build only (feature `lab`): the private decoders over bytes from
//! anywhere.
//!
//! Called by the fuzz targets and by the replay of their corpora; calls `record`, `log`, `manifest`,
//! hints, and the tables and cursors of the ordered layout.
//! Promise: whatever the bytes, a door returns; it panics only where the engine breaks a promise of
//! its own.
//! Never: used by the engine.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::{Access, Image, MemoryDisk, Vfs};

use crate::codec::{self, FileId};
use crate::error::{Error, FileName, Result};
use crate::lab::Switches;
use crate::log::{FrameReader, Step, next_header, read_file_header, search_rest};
use crate::manifest::{self, Edit, Manifest, Slots, State, Status};
use crate::record::{
    ENTRY_BYTES, Entries, EntryKind, FILE_HEADER_BYTES, FileHeader, FileKind, FrameBuilder,
    FrameKind, HEADER_BYTES, Header, MAGIC, Stamp, decode_body, decode_entry, entry_len,
};

pub use crate::hash::probe::{encode_hint, hint};
pub use crate::lab::{Counts, NUMBER, SEED};
pub use crate::ordered::memtable::probe::{Memtable, MemtableWriter};
pub use crate::ordered::probe::{
    Merged, Sight, Stack, StackShape, Version, Visible, block, encode_block, encode_table,
    seal_table, table,
};

/// Bytes of a slot of CURRENT without its padding.
const SLOT_BYTES: usize = 64;

/// A file of this number and kind.
fn header(kind: FileKind) -> FileHeader {
    FileHeader { kind, number: NUMBER, seed: SEED, age: NUMBER, first_seq: 1 }
}

/// Whether a frame's entries, built again at their place, have the same bytes.
fn builds_again(id: FileId, header: &Header, offset: u64, entries: Entries<'_>, bytes: &[u8]) {
    let mut builder = FrameBuilder::default();
    builder.begin(id, offset);
    for entry in entries {
        let until = entry.expires_ms.unwrap_or(0);
        let placed = builder.push(entry.kind, entry.key, entry.value, until);
        assert!(placed.is_ok_and(|p| (p.offset, p.len) == (entry.offset, entry.len)));
    }
    assert_eq!(builder.finish(&header.stamp), bytes, "what decodes was encoded");
}

/// Decodes bytes as the first frame of a file, and as the first entry of one.
#[must_use]
pub fn record(bytes: &[u8]) -> Counts {
    let (id, offset) = (header(FileKind::Log).id(), FILE_HEADER_BYTES as u64);
    let mut counts = Counts::default();
    if let Ok(entry) = decode_entry(bytes, id, offset) {
        assert!(entry.len as usize <= bytes.len() && entry.offset == offset);
        counts.entries += 1;
    }
    let Some((head, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return counts };
    let header = match Header::decode(head, id, offset) {
        Ok(Some(header)) => header,
        Ok(None) => return counts,
        Err(_) => return Counts { defects: 1, ..counts },
    };
    let body = usize::try_from(header.len).ok().and_then(|len| rest.get(..len));
    let Some(body) = body else { return Counts { defects: 1, ..counts } };
    match decode_body(&header, body, id, offset, true) {
        Ok(entries) => {
            let count = entries.clone().count() as u64;
            assert_eq!(count, u64::from(header.count), "as many entries as the header says");
            builds_again(id, &header, offset, entries, &bytes[..HEADER_BYTES + body.len()]);
            Counts { frames: 1, entries: counts.entries + count, ..counts }
        }
        Err(_) => Counts { defects: 1, ..counts },
    }
}

/// Walks the image of a file of frames to its end, over every defect.
#[must_use]
pub fn frames(bytes: &[u8]) -> Counts {
    let name = FileName::Log(NUMBER);
    let disk = disk(&[(name, bytes)]);
    walk(&disk, name).unwrap_or(Counts { defects: 1, ..Counts::default() })
}

fn walk(disk: &MemoryDisk, name: FileName) -> Result<Counts> {
    let file = disk.open(&format!("{name}"), Access::Read)?;
    let (id, len) = (read_file_header(&*file, name)?.id(), file.len()?);
    let mut reader = FrameReader::new(&*file, id, len);
    let mut counts = Counts::default();
    loop {
        let offset = match reader.next()? {
            Step::Frame { entries, .. } => {
                counts.frames += 1;
                counts.entries += entries.count() as u64;
                continue;
            }
            Step::End { offset } => offset,
            Step::Defect { offset, .. } => {
                counts.defects += 1;
                offset
            }
        };
        let rest = search_rest(&*file, name, id, offset, len)?;
        assert!(offset + rest.bytes <= len, "the rest lies in the file");
        let next = next_header(&*file, name, id, offset + 1, len)?;
        assert!(next.is_none() || rest.header, "both searches see the same headers");
        let Some(next) = next else { return Ok(counts) };
        assert!(next > offset, "a search goes forward");
        reader = FrameReader::new(&*file, id, len).seek(next);
    }
}

/// Loads a store's state from both slots of CURRENT and up to two manifests, goes on in it, and
/// loads it again.
///
/// The parts of `bytes`: two bytes with the length of the first manifest, two slots of 64 bytes,
/// the manifests.
#[must_use]
pub fn manifest(bytes: &[u8]) -> Counts {
    let Some((slots, first, second)) = split_manifest(bytes) else { return Counts::default() };
    let disk = disk(&[
        (FileName::Current, &slots),
        (FileName::Manifest(1), first),
        (FileName::Manifest(2), second),
    ]);
    let vfs: Arc<dyn Vfs> = Arc::new(disk);
    let Ok(state) = load(&vfs) else { return Counts { defects: 1, ..Counts::default() } };
    let mut again = State::new(state.layout);
    for edit in state.edits() {
        assert!(again.apply(&edit).is_ok(), "a state can be written down");
    }
    assert_eq!(again, state, "and read again");
    let frames = u64::from(go_on(&vfs).is_ok());
    Counts { frames, entries: state.files.len() as u64, defects: 0 }
}

fn split_manifest(bytes: &[u8]) -> Option<(Vec<u8>, &[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    let (used, rest) = rest.split_at_checked(2 * SLOT_BYTES)?;
    let mut slots = alloc::vec![0; manifest::CURRENT_BYTES];
    codec::put(&mut slots, 0, &used[..SLOT_BYTES]);
    codec::put(&mut slots, manifest::CURRENT_BYTES / 2, &used[SLOT_BYTES..]);
    let (first, second) = rest.split_at(rest.len().min(usize::from(u16::from_le_bytes(*len))));
    Some((slots, first, second))
}

fn load(vfs: &Arc<dyn Vfs>) -> Result<State> {
    let slots = Slots::read(&**vfs)?.ok_or(Error::NoStore)?;
    Ok(manifest::load(&**vfs, Access::Read, &slots)?.state)
}

/// The manifest of the store on a disk, and the files that it names, each with the bytes that must be in it whatever
/// happens: those of CURRENT and of manifests are not counted.
///
/// # Errors
/// As an open for reading.
pub fn named_files(vfs: &Arc<dyn Vfs>) -> Result<Vec<(String, u64)>> {
    let slots = Slots::read(&**vfs)?.ok_or(Error::NoStore)?;
    let loaded = manifest::load(&**vfs, Access::Read, &slots)?;
    let (current, manifest) = (FileName::Current, FileName::Manifest(loaded.number));
    let files = loaded.state.files.iter().map(|file| match file.status {
        Status::Begun => (file.name(), FILE_HEADER_BYTES as u64),
        Status::Sealed { len } => (file.name(), len),
        Status::Ended { offset } => (file.name(), offset),
    });
    let tables = loaded.state.tables.iter();
    let tables = tables.map(|table| (FileName::Table(table.meta.number), table.meta.len));
    let all = [(current, 0), (manifest, 0)].into_iter().chain(files).chain(tables);
    Ok(all.map(|(name, len)| (format!("{name}"), len)).collect())
}

/// Resumes a manifest that was loaded and commits an edit: what is then loaded is what was
/// committed.
fn go_on(vfs: &Arc<dyn Vfs>) -> Result<()> {
    let slots = Slots::read(&**vfs)?.ok_or(Error::NoStore)?;
    let loaded = manifest::load(&**vfs, Access::Write, &slots)?;
    let mut manifest =
        Manifest::resume(vfs, Switches::default(), loaded).map_err(manifest::Fault::error)?;
    let number = manifest.take_number()?;
    let edit = Edit::Begin { number, first_seq: 1 };
    manifest.commit(&[edit]).map_err(manifest::Fault::error)?;
    let state = load(vfs);
    assert_eq!(state.as_ref(), Ok(manifest.state()), "what was committed is loaded");
    Ok(())
}

/// A disk with these files.
fn disk(files: &[(FileName, &[u8])]) -> MemoryDisk {
    let entry = |(name, bytes): &(FileName, &[u8])| -> (String, Vec<u8>) {
        (format!("{name}"), bytes.to_vec())
    };
    MemoryDisk::from_image(&files.iter().map(entry).collect::<Image>())
}

/// Kind, key and value of an entry.
type Parts = (EntryKind, &'static [u8], &'static [u8]);

/// A log of two frames with every kind of entry, and its footer.
#[must_use]
pub fn encode_log() -> Vec<u8> {
    let header = header(FileKind::Log);
    let mut bytes = header.encode().to_vec();
    let mut builder = FrameBuilder::default();
    let all: [&[Parts]; 3] = [
        &[(EntryKind::Put, b"k", b"value"), (EntryKind::PutUntil, b"until", b"v")],
        &[(EntryKind::Tombstone, b"k", b"")],
        &[(EntryKind::Plain, b"", b"footer")],
    ];
    for (at, entries) in all.iter().enumerate() {
        let kind = if at == 2 { FrameKind::Footer } else { FrameKind::Batch };
        let seq = [1, 3, 4][at];
        builder.begin(header.id(), bytes.len() as u64);
        for (kind, key, value) in *entries {
            let placed = builder.push(*kind, key, value, 7000);
            assert!(placed.is_ok(), "a small entry");
        }
        bytes.extend_from_slice(builder.finish(&Stamp { kind, seq, mark: seq - 1, time_ms: 9 }));
    }
    bytes
}

/// The first frame of that log.
#[must_use]
pub fn encode_record() -> Vec<u8> {
    let log = encode_log();
    let body = u32::from_le_bytes([log[72], log[73], log[74], log[75]]) as usize;
    log[FILE_HEADER_BYTES..FILE_HEADER_BYTES + HEADER_BYTES + body].to_vec()
}

/// CURRENT and the manifest of a small store, as [`manifest`] takes them; `continued` in a second
/// manifest or not.
#[must_use]
pub fn encode_manifest(continued: bool) -> Vec<u8> {
    let disk = MemoryDisk::new();
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let mut manifest = Manifest::create(&vfs, Switches::default(), SEED, State::new(1))
        .unwrap_or_else(|fault| panic!("a disk in memory: {fault:?}"));
    let edits = [
        Edit::Begin { number: 3, first_seq: 1 },
        Edit::Sealed { number: 3, len: 500, last_seq: 9 },
        Edit::Begin { number: 4, first_seq: 10 },
        Edit::Ended { number: 4, offset: 300, last_seq: 12 },
        Edit::Removed { number: 3 },
        Edit::Mark { seq: 12, time_ms: 77 },
    ];
    let edits = edits.iter().chain(continued.then_some(&Edit::Continued { number: 2 }));
    for edit in edits {
        assert!(manifest.commit(core::slice::from_ref(edit)).is_ok(), "a disk in memory");
    }
    let image = disk.image();
    let (current, first) = (&image["CURRENT"], &image["000001.manifest"]);
    let len = u16::try_from(first.len()).expect("a small manifest");
    let slots = [&current[..SLOT_BYTES], &current[manifest::CURRENT_BYTES / 2..][..SLOT_BYTES]];
    let mut second = Vec::new();
    if continued {
        let header = FileHeader { number: 2, age: 2, ..header(FileKind::Manifest) };
        second = manifest_of(&header, &manifest.state().edits());
    }
    [&len.to_le_bytes()[..], slots[0], slots[1], first, &second].concat()
}

/// A manifest of one frame.
fn manifest_of(header: &FileHeader, edits: &[Edit]) -> Vec<u8> {
    let mut builder = FrameBuilder::default();
    builder.begin(header.id(), FILE_HEADER_BYTES as u64);
    for edit in edits {
        let mut bytes = Vec::new();
        edit.encode(&mut bytes);
        assert!(builder.push(EntryKind::Plain, &[], &bytes, 0).is_ok(), "a small entry");
    }
    let stamp = Stamp { kind: FrameKind::Edit, seq: 1, mark: 0, time_ms: 0 };
    [&header.encode()[..], builder.finish(&stamp)].concat()
}

/// Makes every checksum right for the bytes that are there: so fuzzing comes behind them.
///
/// A frame is taken for one if its two magic bytes are there and its lengths stay in the file.
pub fn seal_file(bytes: &mut [u8]) {
    let Some((head, _)) = bytes.split_first_chunk_mut::<FILE_HEADER_BYTES>() else { return };
    let crc = codec::crc(&head[..60]);
    codec::put(head, 60, &crc.to_le_bytes());
    let Ok(header) = FileHeader::decode(head) else { return };
    let mut at = FILE_HEADER_BYTES;
    while let Some(len) = seal_frame(&mut bytes[at..], header.id(), at as u64) {
        at += len;
    }
}

/// Makes the checksums of a frame at `offset` of the file [`NUMBER`] right.
pub fn seal_record(bytes: &mut [u8]) {
    let _whole = seal_frame(bytes, header(FileKind::Log).id(), FILE_HEADER_BYTES as u64);
}

/// Makes the checksums of both slots, and of all frames of both manifests, right.
pub fn seal_manifest(bytes: &mut [u8]) {
    let Some((len, rest)) = bytes.split_first_chunk_mut::<2>() else { return };
    let Some((slots, rest)) = rest.split_at_mut_checked(2 * SLOT_BYTES) else { return };
    for (index, slot) in slots.chunks_mut(SLOT_BYTES).enumerate() {
        seal_slot(slot, index);
    }
    let first = usize::from(u16::from_le_bytes(*len)).min(rest.len());
    let (first, second) = rest.split_at_mut(first);
    seal_file(first);
    seal_file(second);
}

/// Makes the checksums of both slots of CURRENT right, unless they are empty.
pub fn seal_current(bytes: &mut [u8]) {
    for (index, slot) in bytes.chunks_mut(manifest::CURRENT_BYTES / 2).enumerate() {
        if let Some(slot) = slot.get_mut(..SLOT_BYTES) {
            seal_slot(slot, index);
        }
    }
}

fn seal_slot(slot: &mut [u8], index: usize) {
    if slot.iter().any(|b| *b != 0) {
        let crc = codec::crc(&slot[..60]) ^ u32::from(index == 1);
        codec::put(slot, 60, &crc.to_le_bytes());
    }
}

/// Seals one frame and gives its length; `None` if there is none.
fn seal_frame(bytes: &mut [u8], id: FileId, offset: u64) -> Option<usize> {
    let (head, rest) = bytes.split_first_chunk_mut::<HEADER_BYTES>()?;
    if head[4..6] != MAGIC {
        return None;
    }
    let len = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
    let body = rest.get_mut(..usize::try_from(len).ok()?)?;
    let (mut at, mut crcs) = (0, Vec::new());
    while at + ENTRY_BYTES <= body.len() {
        let Ok(len) = entry_len(&body[at..]) else { break };
        let Some(entry) = body.get_mut(at..at + len) else { break };
        let crc = id.crc(offset + (HEADER_BYTES + at) as u64, &entry[4..]).to_le_bytes();
        codec::put(entry, 0, &crc);
        crcs.extend_from_slice(&crc);
        at += len;
    }
    codec::put(head, 40, &codec::crc(&crcs).to_le_bytes());
    let crc = id.crc(offset, &head[4..]);
    codec::put(head, 0, &crc.to_le_bytes());
    Some(HEADER_BYTES + body.len())
}
