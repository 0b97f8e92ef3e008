//! Files of frames on small disks: how a walk ends, what is found behind its end, what a writer
//! leaves.

#![expect(clippy::unwrap_used, reason = "a test that fails")]

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use keelstone_vfs::fault::{Effect, Fault};
use keelstone_vfs::{Access, FaultDisk, File, Image, Kind, MemoryDisk, Vfs};

use super::*;
use crate::codec::{self, FileId};
use crate::record::{
    EntryKind, FILE_HEADER_BYTES, FileHeader, FileKind, FrameBuilder, FrameKind, HEADER_BYTES,
    MAGIC, Stamp,
};

const NAME: FileName = FileName::Log(1);
const HEADER: FileHeader =
    FileHeader { kind: FileKind::Log, number: 1, seed: 7, age: 1, first_seq: 1 };
const FIRST: u64 = FILE_HEADER_BYTES as u64;
/// As the reader has it: how much is read at once.
const CHUNK: u64 = 256 << 10;

fn id() -> FileId {
    HEADER.id()
}

/// The frame of one put, with `seq` and the mark before it.
fn frame(offset: u64, seq: u64, value: &[u8]) -> Vec<u8> {
    let mut builder = FrameBuilder::default();
    builder.begin(id(), offset);
    builder.push(EntryKind::Put, b"k", value, 0).unwrap();
    builder.finish(&Stamp { kind: FrameKind::Batch, seq, mark: seq - 1, time_ms: 0 }).to_vec()
}

/// A log with one frame for each value, and where each begins; the end is the last.
fn log(values: &[Vec<u8>]) -> (Vec<u8>, Vec<u64>) {
    let (mut bytes, mut offsets) = (HEADER.encode().to_vec(), Vec::new());
    for (seq, value) in (1..).zip(values) {
        offsets.push(bytes.len() as u64);
        let frame = frame(bytes.len() as u64, seq, value);
        bytes.extend_from_slice(&frame);
    }
    offsets.push(bytes.len() as u64);
    (bytes, offsets)
}

fn small_log() -> (Vec<u8>, Vec<u64>) {
    log(&[vec![1], vec![2, 2], vec![3; 3]])
}

fn open(bytes: &[u8]) -> Box<dyn File> {
    let image: Image = [(format!("{NAME}"), bytes.to_vec())].into();
    MemoryDisk::from_image(&image).open(&format!("{NAME}"), Access::Read).unwrap()
}

/// How a walk over a file goes: the offsets of its frames, and how it ends.
#[derive(Debug, PartialEq, Eq)]
enum Ends {
    Clean(u64),
    Defect(u64, Damage),
}

fn walk(bytes: &[u8]) -> (Vec<u64>, Ends) {
    let file = open(bytes);
    let mut reader = FrameReader::new(&*file, id(), bytes.len() as u64);
    let mut frames = Vec::new();
    loop {
        let ends = match reader.next().unwrap() {
            Step::Frame { offset, header, .. } => {
                frames.push(offset);
                assert_eq!(header.stamp.seq, frames.len() as u64);
                continue;
            }
            Step::End { offset } => Ends::Clean(offset),
            Step::Defect { offset, what, .. } => Ends::Defect(offset, what),
        };
        assert!(!matches!(reader.next().unwrap(), Step::Frame { .. }), "it stays at its end");
        assert!(matches!(ends, Ends::Clean(at) | Ends::Defect(at, _) if at == reader.offset()));
        return (frames, ends);
    }
}

fn rest(bytes: &[u8], offset: u64) -> Rest {
    search_rest(&*open(bytes), NAME, id(), offset, bytes.len() as u64).unwrap()
}

fn next(bytes: &[u8], offset: u64) -> Option<u64> {
    next_header(&*open(bytes), NAME, id(), offset, bytes.len() as u64).unwrap()
}

#[test]
fn frames_come_in_order_up_to_a_clean_end() {
    let (bytes, offsets) = small_log();
    assert_eq!(walk(&bytes), (offsets[..3].to_vec(), Ends::Clean(offsets[3])));
    assert_eq!(rest(&bytes, offsets[3]), Rest::default());
}

#[test]
fn zeros_of_any_length_are_a_clean_end() {
    let (bytes, offsets) = small_log();
    for zeros in (0..100).chain([CHUNK, CHUNK + 1, 2 * CHUNK]) {
        let mut bytes = bytes.clone();
        bytes.resize(bytes.len() + index(zeros), 0);
        assert_eq!(walk(&bytes), (offsets[..3].to_vec(), Ends::Clean(offsets[3])), "{zeros}");
        assert_eq!(rest(&bytes, offsets[3]), Rest::default(), "{zeros}");
        assert_eq!(next(&bytes, offsets[3]), None, "{zeros}");
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

#[test]
fn a_cut_at_every_byte_is_clean_between_frames_and_a_defect_within_one() {
    let (bytes, offsets) = small_log();
    for len in FILE_HEADER_BYTES..=bytes.len() {
        let (frames, ends) = walk(&bytes[..len]);
        let whole = offsets.iter().skip(1).filter(|end| **end <= len as u64).count();
        assert_eq!(frames, offsets[..whole], "len={len}");
        let clean = Ends::Clean(offsets[whole]);
        assert_eq!(ends == clean, len as u64 == offsets[whole], "len={len}: {ends:?}");
    }
}

#[test]
fn every_turned_bit_ends_the_walk_before_its_frame_and_the_next_header_is_found() {
    let (bytes, offsets) = small_log();
    for bit in FILE_HEADER_BYTES * 8..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let hit = offsets.iter().rposition(|offset| *offset <= (bit / 8) as u64).unwrap();
        let (frames, ends) = walk(&bytes);
        assert_eq!(frames, offsets[..hit], "bit={bit}");
        assert!(matches!(ends, Ends::Defect(at, _) if at == offsets[hit]), "bit={bit}: {ends:?}");
        let later = offsets[..3].get(hit + 1).copied();
        assert_eq!(next(&bytes, offsets[hit] + 1), later, "bit={bit}");
        let rest = rest(&bytes, offsets[hit] + 1);
        assert_eq!(rest.header, later.is_some(), "bit={bit}");
        assert_eq!(rest.mark, if later.is_some() { 2 } else { 0 }, "bit={bit}");
    }
}

#[test]
fn a_frame_beyond_the_limit_is_a_defect() {
    let (bytes, offsets) = small_log();
    let file = open(&bytes);
    for limit in offsets[2]..offsets[3] {
        let mut reader = FrameReader::new(&*file, id(), limit).seek(offsets[2]);
        let step = reader.next().unwrap();
        assert_eq!(matches!(step, Step::End { .. }), limit == offsets[2], "limit={limit}");
        assert!(!matches!(step, Step::Frame { .. }), "limit={limit}");
    }
}

#[test]
fn a_header_that_lies_across_two_chunks_is_read() {
    for back in 0..=HEADER_BYTES as u64 + 1 {
        // The second frame begins `back` bytes before the end of the first chunk.
        let first = CHUNK - back - (HEADER_BYTES + crate::record::ENTRY_BYTES + 1) as u64;
        let (bytes, offsets) = log(&[vec![9; index(first)], vec![1], vec![2]]);
        assert_eq!(offsets[1], FIRST + CHUNK - back);
        assert_eq!(walk(&bytes), (offsets[..3].to_vec(), Ends::Clean(offsets[3])), "{back}");
    }
}

#[test]
fn a_frame_of_several_chunks_is_read_whole_or_not_at_all() {
    let (mut bytes, offsets) = log(&[vec![9; index(3 * CHUNK)], vec![1]]);
    assert_eq!(walk(&bytes), (offsets[..2].to_vec(), Ends::Clean(offsets[2])));
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(walk(&bytes), (vec![FIRST], Ends::Defect(offsets[1], Damage::Checksum)));
    bytes[index(2 * CHUNK)] ^= 1;
    assert_eq!(walk(&bytes), (vec![], Ends::Defect(FIRST, Damage::Checksum)));
    assert_eq!(next(&bytes, FIRST + 1), Some(offsets[1]));
}

#[test]
fn a_search_finds_headers_across_chunks_in_zeros_and_in_what_looks_like_headers() {
    let noise: [&[u8]; 3] = [&[0], &MAGIC, b"KKf"];
    for noise in noise {
        for back in 0..=HEADER_BYTES as u64 + 1 {
            let at = FIRST + CHUNK - back;
            let mut bytes = HEADER.encode().to_vec();
            bytes.extend(noise.iter().cycle().take(index(at - FIRST)));
            bytes.extend_from_slice(&frame(at, 6, b"v"));
            assert_eq!(next(&bytes, FIRST), Some(at), "back={back}");
            let (mark, header) = (5, true);
            let expected = Rest { mark, header, bytes: bytes.len() as u64 - FIRST };
            assert_eq!(rest(&bytes, FIRST), expected, "back={back}");
            assert_eq!(next(&bytes, at + 1), None, "back={back}");
        }
    }
}

#[test]
fn a_search_gives_the_first_header_and_the_greatest_mark() {
    let (bytes, offsets) = small_log();
    for offset in FIRST..bytes.len() as u64 {
        let first = offsets[..3].iter().copied().find(|at| *at >= offset);
        assert_eq!(next(&bytes, offset), first, "offset={offset}");
        let rest = rest(&bytes, offset);
        assert_eq!((rest.header, rest.mark), (first.is_some(), first.map_or(0, |_| 2)));
        assert_eq!(rest.bytes, bytes.len() as u64 - offset);
    }
}

#[test]
fn headers_of_other_files_and_other_places_are_not_found() {
    let (bytes, offsets) = small_log();
    let other = FileHeader { number: 2, ..HEADER }.id();
    let file = open(&bytes);
    assert_eq!(next_header(&*file, NAME, other, 0, bytes.len() as u64), Ok(None));
    let mut moved = HEADER.encode().to_vec();
    moved.push(1);
    moved.extend_from_slice(&bytes[FILE_HEADER_BYTES..]);
    assert_eq!(next(&moved, FIRST), None);
    let behind = rest(&moved, FIRST);
    assert_eq!((behind.header, behind.mark, behind.bytes), (false, 0, offsets[3] - FIRST + 1));
}

#[test]
fn a_file_that_became_shorter_meanwhile_is_damage() {
    let (bytes, _) = small_log();
    let (file, len) = (open(&bytes), bytes.len() as u64);
    let short = corrupt(NAME, len, 1, Damage::Short);
    assert_eq!(search_rest(&*file, NAME, id(), FIRST, len + 1), Err(short));
    assert_eq!(next_header(&*file, NAME, id(), len, len + 1), Err(short));
}

#[test]
fn a_file_header_is_short_damaged_or_newer() {
    let bytes = HEADER.encode();
    assert_eq!(read_file_header(&*open(&bytes), NAME), Ok(HEADER));
    for len in 0..FILE_HEADER_BYTES {
        let missing = (FILE_HEADER_BYTES - len) as u64;
        let error = corrupt(NAME, len as u64, missing, Damage::Short);
        assert_eq!(read_file_header(&*open(&bytes[..len]), NAME), Err(error));
    }
    let damaged = corrupt(NAME, 0, FIRST, Damage::Checksum);
    for at in 0..FILE_HEADER_BYTES {
        let mut bytes = bytes;
        bytes[at] ^= 0x80;
        assert_eq!(read_file_header(&*open(&bytes), NAME), Err(damaged), "at={at}");
    }
    let mut newer = bytes;
    codec::put(&mut newer, 8, &[9, 0]);
    let crc = codec::crc(&newer[..60]);
    codec::put(&mut newer, 60, &crc.to_le_bytes());
    let supported = crate::record::FORMAT_VERSION;
    let error = Error::Version { format: 9, supported };
    assert_eq!(read_file_header(&*open(&newer), NAME), Err(error));
}

/// Appends one frame.
fn append(writer: &mut LogWriter, seq: u64) -> Result<u64> {
    let frame = frame(writer.end(), seq, b"value");
    writer.append(&frame)
}

#[test]
fn what_was_appended_and_synced_is_on_the_medium_with_reserved_space_and_without() {
    for ahead in [0, 100, 4 << 20] {
        let disk = FaultDisk::new();
        let mut writer = LogWriter::create(&disk, NAME, &HEADER, ahead).unwrap();
        disk.sync_dir("").unwrap();
        for seq in 1..20 {
            append(&mut writer, seq).unwrap();
            let ticket = writer.ticket();
            ticket.sync().unwrap();
            writer.synced(&ticket);
            let medium = disk.read_file(&format!("{NAME}")).unwrap();
            let (frames, ends) = walk(&medium);
            assert_eq!((frames.len() as u64, ends), (seq, Ends::Clean(writer.end())));
        }
        writer.trim().unwrap();
        assert_eq!(writer.file().len(), Ok(writer.end()), "ahead={ahead}");
        writer.ticket().sync().unwrap();
        let medium = disk.read_file(&format!("{NAME}")).unwrap();
        assert_eq!(medium.len() as u64, writer.end(), "ahead={ahead}");
    }
}

#[test]
fn a_writer_that_goes_on_appends_behind_the_end() {
    let (bytes, offsets) = small_log();
    let image: Image = [(format!("{NAME}"), bytes)].into();
    let disk = MemoryDisk::from_image(&image);
    let file: Arc<dyn File> = Arc::from(disk.open(&format!("{NAME}"), Access::Write).unwrap());
    let mut writer = LogWriter::resume(file, NAME, id(), offsets[3], offsets[3], 0);
    assert_eq!((writer.name(), writer.id(), writer.end()), (NAME, id(), offsets[3]));
    assert_eq!(append(&mut writer, 4), Ok(offsets[3]));
    let (frames, ends) = walk(&disk.image()[&format!("{NAME}")]);
    assert_eq!((frames.len(), ends), (4, Ends::Clean(writer.end())));
}

#[test]
fn an_append_that_fails_does_not_move_the_end() {
    for effect in [Effect::None, Effect::Partial(10), Effect::Full] {
        let disk = FaultDisk::new();
        let mut writer = LogWriter::create(&disk, NAME, &HEADER, 0).unwrap();
        append(&mut writer, 1).unwrap();
        let end = writer.end();
        disk.inject(Fault::once(disk.ops(), Kind::Io).with(effect));
        assert!(matches!(append(&mut writer, 2), Err(Error::Storage(_))), "{effect:?}");
        assert_eq!(writer.end(), end, "{effect:?}");
    }
}

#[test]
fn a_full_disk_stops_reserving_and_not_writing() {
    let disk = FaultDisk::new();
    disk.limit_space(Some(1000));
    let mut writer = LogWriter::create(&disk, NAME, &HEADER, 4 << 20).unwrap();
    let mut appended = 0;
    let full = loop {
        match append(&mut writer, appended + 1) {
            Ok(_) => appended += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(full, Error::OutOfSpace);
    assert_eq!(appended, (1000 - FIRST) / (HEADER_BYTES as u64 + 11 + 6));
}

#[test]
fn a_log_is_not_created_over_another() {
    let disk = MemoryDisk::new();
    LogWriter::create(&disk, NAME, &HEADER, 0).unwrap();
    let again = LogWriter::create(&disk, NAME, &HEADER, 0);
    assert!(matches!(again, Err(Error::Storage(error)) if error.kind == Kind::Exists));
}

#[test]
fn an_exact_read_says_where_bytes_are_missing() {
    let (file, mut buf) = (open(&[1, 2, 3, 4]), Vec::new());
    assert_eq!(read_exact(&*file, NAME, 1, 3, &mut buf), Ok(()));
    assert_eq!(buf, [2, 3, 4]);
    let short = corrupt(NAME, 4, 2, Damage::Short);
    assert_eq!(read_exact(&*file, NAME, 2, 4, &mut buf), Err(short));
}
