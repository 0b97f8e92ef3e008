//! Frames, entries and file headers, over all small inputs: what comes back was encoded, what was
//! changed is seen.

#![expect(clippy::unwrap_used, reason = "a test that fails")]

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::codec::{self, FileId};
use crate::error::{Damage, Error, Invalid};
use crate::limits;

const OFFSET: u64 = 64;
const STAMP: Stamp = Stamp { kind: FrameKind::Batch, seq: 5, mark: 4, time_ms: 77 };
const FRAME_KINDS: [FrameKind; 5] =
    [FrameKind::Batch, FrameKind::Carried, FrameKind::Edit, FrameKind::Hint, FrameKind::Footer];

/// What an entry is made of.
type Parts = (EntryKind, Vec<u8>, Vec<u8>, u64);

fn id() -> FileId {
    FileId::new(7, 1)
}

/// Every kind with keys and values of up to two bytes.
fn small_entries() -> Vec<Parts> {
    let mut all = Vec::new();
    for (key_len, value_len) in [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)] {
        let (key, value) = (vec![0xa0; key_len], vec![0xb0; value_len]);
        all.push((EntryKind::Put, key.clone(), value.clone(), 0));
        all.push((EntryKind::PutUntil, key.clone(), value.clone(), 1 << 40));
        if value_len == 0 {
            all.push((EntryKind::Tombstone, key, Vec::new(), 0));
        } else {
            all.push((EntryKind::RangeTombstone, key, value, 0));
        }
    }
    let plain = |len| (EntryKind::Plain, Vec::new(), vec![0xc0; len], 0);
    all.extend((0..3).map(plain));
    all
}

fn frame_at(id: FileId, offset: u64, stamp: &Stamp, entries: &[Parts]) -> Vec<u8> {
    let mut builder = FrameBuilder::default();
    builder.begin(id, offset);
    for (kind, key, value, expires_ms) in entries {
        builder.push(*kind, key, value, *expires_ms).unwrap();
    }
    builder.finish(stamp).to_vec()
}

fn frame(entries: &[Parts]) -> Vec<u8> {
    frame_at(id(), OFFSET, &STAMP, entries)
}

/// A frame with an entry of every kind.
fn full_frame() -> Vec<u8> {
    frame(&[
        (EntryKind::Put, vec![1], vec![2, 3], 0),
        (EntryKind::PutUntil, vec![4], vec![5], 6),
        (EntryKind::Tombstone, vec![7], vec![], 0),
        (EntryKind::Plain, vec![], vec![8], 0),
    ])
}

/// Decodes a whole frame; `None` is the clean end.
fn decode(bytes: &[u8], id: FileId, offset: u64) -> Result<Option<Vec<Parts>>, Damage> {
    let (head, body) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(Damage::Short)?;
    let Some(header) = Header::decode(head, id, offset)? else { return Ok(None) };
    let entries = decode_body(&header, body, id, offset, true)?;
    let parts =
        |e: Entry<'_>| (e.kind, e.key.to_vec(), e.value.to_vec(), e.expires_ms.unwrap_or(0));
    Ok(Some(entries.map(parts).collect()))
}

/// Makes the header's checksum right again after a test has changed a field.
fn reseal(frame: &mut [u8]) {
    let crc = id().crc(OFFSET, &frame[4..HEADER_BYTES]);
    codec::put(frame, 0, &crc.to_le_bytes());
}

#[test]
fn every_small_frame_comes_back_as_it_was_built() {
    let entries = small_entries();
    let pairs =
        entries.iter().flat_map(|a| entries.iter().map(move |b| vec![a.clone(), b.clone()]));
    for list in entries.iter().map(|e| vec![e.clone()]).chain(pairs) {
        for offset in [OFFSET, OFFSET + 1, u64::from(u32::MAX)] {
            let bytes = frame_at(id(), offset, &STAMP, &list);
            assert_eq!(decode(&bytes, id(), offset), Ok(Some(list.clone())));
        }
    }
}

#[test]
fn every_stamp_comes_back() {
    for kind in FRAME_KINDS {
        for number in [0, 1, u64::from(u32::MAX), u64::MAX - 1] {
            let stamp = Stamp { kind, seq: number, mark: number, time_ms: u64::MAX - number };
            let bytes = frame_at(id(), OFFSET, &stamp, &small_entries()[..1]);
            let header = Header::decode(bytes.first_chunk().unwrap(), id(), OFFSET);
            let header = header.unwrap().unwrap();
            assert_eq!((header.stamp, header.count), (stamp, 1));
            assert_eq!((header.last_seq(), header.frame_len()), (number, bytes.len() as u64));
        }
    }
}

#[test]
fn every_cut_of_a_frame_is_seen() {
    let bytes = full_frame();
    for len in 0..bytes.len() {
        assert!(decode(&bytes[..len], id(), OFFSET).is_err(), "len={len}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(decode(&longer, id(), OFFSET).is_err());
}

#[test]
fn every_turned_bit_of_a_frame_is_seen() {
    let bytes = full_frame();
    for bit in 0..bytes.len() * 8 {
        let mut wrong = bytes.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&wrong, id(), OFFSET).is_err(), "bit={bit}");
    }
}

#[test]
fn every_byte_of_a_frame_can_have_one_value_only() {
    let bytes = full_frame();
    for at in 0..bytes.len() {
        for value in (0..=255).filter(|value| *value != bytes[at]) {
            let mut wrong = bytes.clone();
            wrong[at] = value;
            assert!(decode(&wrong, id(), OFFSET).is_err(), "at={at} value={value}");
        }
    }
}

#[test]
fn a_frame_is_valid_at_its_offset_in_its_file_of_its_store_only() {
    let bytes = full_frame();
    assert!(decode(&bytes, id(), OFFSET).is_ok());
    for offset in (0..4096).filter(|offset| *offset != OFFSET) {
        assert!(decode(&bytes, id(), offset).is_err(), "offset={offset}");
    }
    for number in (0..4096).filter(|number| *number != 1) {
        assert!(decode(&bytes, FileId::new(7, number), OFFSET).is_err(), "number={number}");
    }
    for seed in (0..4096).filter(|seed| *seed != 7) {
        assert!(decode(&bytes, FileId::new(seed, 1), OFFSET).is_err(), "seed={seed}");
    }
}

#[test]
fn a_header_of_zeros_is_the_clean_end_and_one_other_byte_is_not() {
    let zeros = [0; HEADER_BYTES];
    assert_eq!(Header::decode(&zeros, id(), OFFSET), Ok(None));
    for at in 0..HEADER_BYTES {
        for value in 1..=255 {
            let mut bytes = zeros;
            bytes[at] = value;
            assert!(Header::decode(&bytes, id(), OFFSET).is_err(), "at={at} value={value}");
        }
    }
}

#[test]
fn fields_that_cannot_be_are_refused_under_a_right_checksum() {
    let bytes = full_frame();
    let with = |at: usize, field: &[u8]| {
        let mut bytes = bytes.clone();
        codec::put(&mut bytes, at, field);
        reseal(&mut bytes);
        decode(&bytes, id(), OFFSET)
    };
    for kind in [0, 6, 255] {
        assert_eq!(with(6, &[kind]), Err(Damage::Kind), "kind={kind}");
    }
    assert_eq!(with(7, &[1]), Err(Damage::Kind));
    let len = u32::from_le_bytes(*bytes[8..].first_chunk().unwrap());
    for wrong in [0, 43, len - 1, len + 1, u32::MAX] {
        assert_eq!(with(8, &wrong.to_le_bytes()), Err(Damage::Length), "len={wrong}");
    }
    for wrong in [0, 3, 5, u32::MAX] {
        assert_eq!(with(12, &wrong.to_le_bytes()), Err(Damage::Length), "count={wrong}");
    }
    for seq in [u64::MAX, u64::MAX - 3] {
        assert_eq!(with(16, &seq.to_le_bytes()), Err(Damage::Length), "seq={seq}");
    }
    assert_eq!(with(40, &[0; 4]), Err(Damage::Checksum));
}

#[test]
fn entries_that_cannot_be_are_refused_under_right_checksums() {
    let raw = |kind: u8, key_len: u16, value_len: u32, rest: &[u8]| {
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&key_len.to_le_bytes());
        bytes.extend_from_slice(&value_len.to_le_bytes());
        bytes.extend_from_slice(rest);
        let mut builder = FrameBuilder::default();
        builder.begin(id(), OFFSET);
        builder.push_raw(&bytes).unwrap();
        decode(builder.finish(&STAMP), id(), OFFSET)
    };
    assert!(raw(1, 1, 1, b"kv").is_ok());
    assert_eq!(raw(1, 0, 1, b"v"), Err(Damage::Kind), "a put without a key");
    assert_eq!(raw(2, 0, 1, b"12345678v"), Err(Damage::Kind), "a put until without a key");
    assert_eq!(raw(3, 0, 0, b""), Err(Damage::Kind), "a tombstone without a key");
    assert_eq!(raw(3, 1, 1, b"kv"), Err(Damage::Kind), "a tombstone with a value");
    assert_eq!(raw(4, 1, 0, b"k"), Err(Damage::Kind), "plain bytes with a key");
    assert!(raw(5, 1, 1, b"kv").is_ok());
    assert_eq!(raw(5, 1, 0, b"k"), Err(Damage::Kind), "a range tombstone without an end");
    assert_eq!(raw(5, 0, 1, b"v"), Err(Damage::Kind), "a range without its first key");
    for kind in [0, 6, 255] {
        assert_eq!(raw(kind, 1, 1, b"kv"), Err(Damage::Kind), "kind={kind}");
    }
    assert_eq!(raw(1, 1, 2, b"kv"), Err(Damage::Length), "longer than the frame");
    assert_eq!(raw(1, 1, 0, b"kv"), Err(Damage::Checksum), "shorter than what was hashed");
    assert_eq!(raw(1, 1, u32::MAX, b"kv"), Err(Damage::Length), "longer than any frame");
}

#[test]
fn entries_of_another_frame_at_the_same_place_do_not_pass() {
    let one = |value: u8| frame(&[(EntryKind::Put, vec![1], vec![value], 0)]);
    let (old, new) = (one(1), one(2));
    let mixed = [&new[..HEADER_BYTES], &old[HEADER_BYTES..]].concat();
    assert_eq!(decode(&mixed, id(), OFFSET), Err(Damage::Checksum));
}

#[test]
fn a_single_entry_is_read_from_its_place_and_nowhere_else() {
    for parts in small_entries() {
        let bytes = frame(core::slice::from_ref(&parts));
        let (offset, bytes) = (OFFSET + HEADER_BYTES as u64, &bytes[HEADER_BYTES..]);
        let longer = [bytes, b"more"].concat();
        let entry = decode_entry(&longer, id(), offset).unwrap();
        assert_eq!((entry.kind, entry.key, entry.value), (parts.0, &parts.1[..], &parts.2[..]));
        assert_eq!((entry.offset, entry.len as usize), (offset, bytes.len()));
        assert_eq!(entry.raw, &bytes[4..]);
        assert_eq!(entry_len(&longer), Ok(bytes.len()));
        for len in 0..bytes.len() {
            assert_eq!(decode_entry(&bytes[..len], id(), offset), Err(Damage::Length), "{len}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut wrong = longer.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_entry(&wrong, id(), offset).is_err(), "bit={bit}");
        }
        assert!(decode_entry(&longer, id(), offset + 1).is_err());
    }
}

#[test]
fn an_entry_that_is_carried_elsewhere_is_valid_there() {
    for parts in small_entries() {
        let bytes = frame(core::slice::from_ref(&parts));
        let entry = decode_entry(&bytes[HEADER_BYTES..], id(), OFFSET + HEADER_BYTES as u64);
        let mut builder = FrameBuilder::default();
        builder.begin(FileId::new(7, 2), 999);
        let placed = builder.push_raw(entry.unwrap().raw).unwrap();
        assert_eq!(placed.offset, 999 + HEADER_BYTES as u64);
        let carried = decode(builder.finish(&STAMP), FileId::new(7, 2), 999);
        assert_eq!(carried, Ok(Some(vec![parts])));
    }
}

#[test]
fn a_builder_forgets_the_frame_before() {
    let mut builder = FrameBuilder::default();
    builder.begin(id(), 5000);
    builder.push(EntryKind::Put, b"old", b"old", 0).unwrap();
    builder.begin(id(), OFFSET);
    assert_eq!((builder.len(), builder.count()), (HEADER_BYTES, 0));
    let (kind, key, value, until) = &small_entries()[0];
    builder.push(*kind, key, value, *until).unwrap();
    assert_eq!(builder.finish(&STAMP), frame(&small_entries()[..1]));
}

#[test]
fn the_longest_key_comes_back_and_a_longer_one_is_refused() {
    let longest = vec![(EntryKind::Put, vec![b'k'; limits::KEY_BYTES_MAX], vec![1], 0)];
    assert_eq!(decode(&frame(&longest), id(), OFFSET), Ok(Some(longest)));
    let mut builder = FrameBuilder::default();
    builder.begin(id(), OFFSET);
    let (bytes, max) = (limits::KEY_BYTES_MAX + 1, limits::KEY_BYTES_MAX);
    let refused = builder.push(EntryKind::Put, &vec![b'k'; bytes], &[], 0);
    assert_eq!(refused, Err(Error::Invalid(Invalid::KeyTooLong { bytes, max })));
}

#[test]
fn a_frame_that_would_be_too_long_is_refused_before_it_takes_memory() {
    let mut builder = FrameBuilder::default();
    builder.begin(id(), OFFSET);
    let max = limits::FRAME_BYTES_MAX;
    // Why: zeros that nobody writes to take no memory.
    let value = vec![0; max - HEADER_BYTES - ENTRY_BYTES];
    let refused = builder.push(EntryKind::Put, b"k", &value, 0);
    let bytes = max + 1;
    assert_eq!(refused, Err(Error::Invalid(Invalid::BatchTooLarge { bytes, max })));
}

const FILE: FileHeader =
    FileHeader { kind: FileKind::Log, number: 3, seed: 1 << 100, age: 9, first_seq: 11 };

#[test]
fn file_headers_of_every_kind_come_back() {
    for kind in
        [FileKind::Manifest, FileKind::Log, FileKind::Segment, FileKind::Hint, FileKind::Table]
    {
        for number in [0, 1, u64::MAX] {
            let seed = u128::MAX - u128::from(number);
            let header = FileHeader { kind, number, seed, age: number, first_seq: number };
            assert_eq!(FileHeader::decode(&header.encode()), Ok(header));
        }
    }
}

#[test]
fn every_byte_of_a_file_header_can_have_one_value_only() {
    let bytes = FILE.encode();
    for at in 0..FILE_HEADER_BYTES {
        for value in (0..=255).filter(|value| *value != bytes[at]) {
            let mut wrong = bytes;
            wrong[at] = value;
            let decoded = FileHeader::decode(&wrong);
            assert_eq!(decoded, Err(HeaderError::Damaged(Damage::Checksum)), "at={at}");
        }
    }
    let zeros = [0; FILE_HEADER_BYTES];
    assert_eq!(FileHeader::decode(&zeros), Err(HeaderError::Damaged(Damage::Checksum)));
}

/// A file header with one field changed and its checksum made right.
fn sealed(at: usize, field: &[u8]) -> [u8; FILE_HEADER_BYTES] {
    let mut bytes = FILE.encode();
    codec::put(&mut bytes, at, field);
    let crc = codec::crc(&bytes[..60]);
    codec::put(&mut bytes, 60, &crc.to_le_bytes());
    bytes
}

#[test]
fn a_newer_version_is_believed_only_with_its_checksum() {
    for version in [FORMAT_VERSION + 1, u16::MAX] {
        let newer = sealed(8, &version.to_le_bytes());
        assert_eq!(FileHeader::decode(&newer), Err(HeaderError::Newer(version)));
        let mut damaged = newer;
        damaged[60] ^= 1;
        assert_eq!(FileHeader::decode(&damaged), Err(HeaderError::Damaged(Damage::Checksum)));
        // Why: what else a newer version changes is not ours to judge.
        let mut unknown = newer;
        unknown[10] = 200;
        let crc = codec::crc(&unknown[..60]);
        codec::put(&mut unknown, 60, &crc.to_le_bytes());
        assert_eq!(FileHeader::decode(&unknown), Err(HeaderError::Newer(version)));
    }
}

#[test]
fn an_unknown_kind_of_file_is_refused_under_a_right_checksum() {
    for kind in [0, 6, 255] {
        let decoded = FileHeader::decode(&sealed(10, &[kind]));
        assert_eq!(decoded, Err(HeaderError::Damaged(Damage::Kind)), "kind={kind}");
    }
    let decoded = FileHeader::decode(&sealed(0, b"KEELSTOP"));
    assert_eq!(decoded, Err(HeaderError::Damaged(Damage::Checksum)));
}
