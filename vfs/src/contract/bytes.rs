//! The promises about bytes, V10 to V14, and what can be seen of V15 to V18 without a crash.

use super::{Case, all_of, fails, file_with};
use crate::{Access, Kind, Op, SyncMode, Vfs};
use alloc::sync::Arc;
use alloc::vec;

type Disk = Arc<dyn Vfs>;

pub(super) const CASES: &[Case<Disk>] = &[
    Case { name: "a read fills the buffer or meets the end", promises: &[10], run: read },
    Case { name: "a write lands where it should", promises: &[11], run: write },
    Case { name: "a gap is filled with zeros", promises: &[11], run: gap },
    Case { name: "nothing written is nothing changed", promises: &[11], run: write_nothing },
    Case { name: "a length cuts and grows with zeros", promises: &[12], run: set_len },
    Case { name: "allocate grows and never changes", promises: &[13], run: allocate },
    Case { name: "what no file can hold is refused", promises: &[11, 12, 13], run: too_far },
    Case { name: "handles see each other's writes", promises: &[14], run: shared },
    Case { name: "a large file is what was written", promises: &[10, 11], run: large },
    Case { name: "a sync changes nothing that is read", promises: &[15, 17, 18], run: sync },
];

fn read(disk: Disk) {
    let file = file_with(&*disk, "a", b"hello");
    let read = |len: usize, offset: u64| {
        let mut buf = vec![b'-'; len];
        let n = file.read_at(&mut buf, offset).expect("a read");
        assert!(buf[n..].iter().all(|byte| *byte == b'-'), "bytes beyond the count");
        buf.truncate(n);
        buf
    };
    assert_eq!(read(5, 0), b"hello");
    assert_eq!(read(3, 1), b"ell");
    assert_eq!(read(9, 3), b"lo");
    assert_eq!(read(0, 2), b"");
    for beyond in [5, 6, 1 << 40, i64::MAX.unsigned_abs(), u64::MAX] {
        assert_eq!(read(4, beyond), b"");
    }
}

fn write(disk: Disk) {
    let file = file_with(&*disk, "a", b"0123456789");
    file.write_at(b"ab", 0).expect("a write at the start");
    file.write_at(b"cd", 4).expect("a write in the middle");
    file.write_at(b"efgh", 8).expect("a write across the end");
    assert_eq!(all_of(&*file), b"ab23cd67efgh");
    file.write_at(b"ij", 12).expect("a write at the end");
    assert_eq!(all_of(&*file), b"ab23cd67efghij");
}

fn gap(disk: Disk) {
    let file = file_with(&*disk, "a", b"ab");
    file.write_at(b"c", 5).expect("a write beyond the end");
    assert_eq!(all_of(&*file), b"ab\0\0\0c");
    let file = file_with(&*disk, "b", b"secret");
    file.set_len(1).expect("a cut");
    file.write_at(b"x", 4).expect("a write beyond the end");
    assert_eq!(all_of(&*file), b"s\0\0\0x");
}

fn write_nothing(disk: Disk) {
    let file = file_with(&*disk, "a", b"ab");
    file.write_at(b"", 0).expect("nothing inside");
    file.write_at(b"", 100).expect("nothing beyond the end");
    assert_eq!(all_of(&*file), b"ab");
}

fn set_len(disk: Disk) {
    let file = file_with(&*disk, "a", b"hello");
    assert_eq!(file.len(), Ok(5));
    file.set_len(2).expect("a cut");
    assert_eq!(all_of(&*file), b"he");
    file.set_len(6).expect("growth");
    assert_eq!(all_of(&*file), b"he\0\0\0\0");
    file.set_len(6).expect("the same length");
    file.set_len(0).expect("a cut to nothing");
    assert_eq!(file.len(), Ok(0));
}

fn allocate(disk: Disk) {
    let file = file_with(&*disk, "a", b"hello");
    file.allocate(0, 3).expect("inside");
    file.allocate(2, 3).expect("to the end");
    assert_eq!(all_of(&*file), b"hello");
    file.allocate(3, 5).expect("across the end");
    assert_eq!(all_of(&*file), b"hello\0\0\0");
    file.allocate(10, 2).expect("beyond the end");
    assert_eq!(all_of(&*file), b"hello\0\0\0\0\0\0\0");
    file.allocate(14, 0).expect("nothing beyond the end");
    assert_eq!(file.len(), Ok(14));
    file.allocate(0, 0).expect("nothing inside");
    assert_eq!(file.len(), Ok(14));
}

fn too_far(disk: Disk) {
    let file = file_with(&*disk, "a", b"ab");
    for far in [i64::MAX.unsigned_abs(), u64::MAX] {
        fails(file.write_at(b"x", far), Op::Write, Kind::NoSpace);
        fails(file.allocate(far, 1), Op::Allocate, Kind::NoSpace);
        fails(file.allocate(1, far), Op::Allocate, Kind::NoSpace);
    }
    fails(file.set_len(u64::MAX), Op::SetLen, Kind::NoSpace);
    assert_eq!(all_of(&*file), b"ab");
}

fn shared(disk: Disk) {
    let one = file_with(&*disk, "a", b"one");
    let two = disk.open("a", Access::Write).expect("a second handle");
    let three = disk.open("a", Access::Read).expect("a third handle");
    two.write_at(b"TWO!", 1).expect("a write");
    assert_eq!((all_of(&*one), all_of(&*three)), (b"oTWO!".to_vec(), b"oTWO!".to_vec()));
    one.set_len(2).expect("a cut");
    assert_eq!((all_of(&*two), all_of(&*three)), (b"oT".to_vec(), b"oT".to_vec()));
    drop((one, two));
    assert_eq!(all_of(&*disk.open("a", Access::Read).expect("the file")), b"oT");
}

fn large(disk: Disk) {
    let byte = |at: usize| u8::try_from(at * 31 % 251).unwrap_or(0);
    let bytes: vec::Vec<u8> = (0..300_000).map(byte).collect();
    let file = disk.create("a").expect("a new file");
    // From the back, in pieces that end nowhere in particular.
    let pieces: vec::Vec<&[u8]> = bytes.chunks(7_001).collect();
    for (at, piece) in pieces.iter().enumerate().rev() {
        file.write_at(piece, at as u64 * 7_001).expect("a write");
    }
    assert!(all_of(&*file) == bytes);
}

fn sync(disk: Disk) {
    let file = file_with(&*disk, "a", b"one");
    file.sync(SyncMode::All).expect("a sync of everything");
    file.write_at(b"two", 2).expect("a write");
    file.sync(SyncMode::Data).expect("a sync of the bytes");
    assert_eq!(all_of(&*file), b"ontwo");
    disk.remove("a").expect("a remove");
    file.sync(SyncMode::All).expect("a sync of a removed file");
    assert_eq!(all_of(&*file), b"ontwo");
}
