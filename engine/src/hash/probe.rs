//! The part of the doors for fuzzing that reads hints: they are private to this room.
//!
//! Called by `crate::probe`. Promise and limits are those of that file.

use alloc::format;
use alloc::vec::Vec;

use keelstone_vfs::{Image, MemoryDisk};

use super::hint::{HintReader, HintWriter, Item, Totals};
use crate::error::FileName;
use crate::lab::{Counts, NUMBER, SEED};

/// Where the file that the hints describe ends.
const END: u64 = 100_000;

/// Reads bytes as the hint of a closed file; what is read is sorted and lies in that file.
#[must_use]
pub fn hint(bytes: &[u8]) -> Counts {
    let mut image = Image::new();
    image.insert(format!("{}", FileName::Hint(NUMBER)), bytes.to_vec());
    let disk = MemoryDisk::from_image(&image);
    let unusable = Counts { defects: 1, ..Counts::default() };
    let Ok(mut reader) = HintReader::open(&disk, SEED, NUMBER, END) else { return unusable };
    let (mut items, mut frames) = (Vec::new(), 0);
    loop {
        match reader.next_block(&mut items) {
            Ok(true) => frames += 1,
            Ok(false) => break,
            Err(super::hint::Unusable) => return unusable,
        }
    }
    assert_eq!(items.len() as u64, reader.totals.items, "as many items as the totals say");
    assert!(items.is_sorted_by(|a, b| a.hash < b.hash), "each hash once, in order");
    assert!(items.iter().all(|i| u64::from(i.offset) + u64::from(i.len) <= END), "in the file");
    Counts { frames, entries: items.len() as u64, defects: 0 }
}

/// A hint with `count` items.
#[must_use]
pub fn encode_hint(count: u32) -> Vec<u8> {
    let item = |n: u32| Item {
        hash: u128::from(n) << 96,
        offset: 64 + n * 7,
        len: 30 + n % 5,
        tombstone: n.is_multiple_of(3),
        expires_ms: u64::from(n % 2) * 9000,
    };
    let items: Vec<Item> = (0..count).map(item).collect();
    let items_count = u64::from(count);
    let totals = Totals { items: items_count, records: items_count, end: END, ..Totals::default() };
    let disk = MemoryDisk::new();
    let writer = HintWriter::begin(&disk, SEED, NUMBER, (items, totals));
    let mut writer = writer.unwrap_or_else(|error| panic!("a disk in memory: {error}"));
    while writer.step(1).unwrap_or_else(|error| panic!("a disk in memory: {error}")) {}
    disk.image().remove(&format!("{}", FileName::Hint(NUMBER))).unwrap_or_default()
}
