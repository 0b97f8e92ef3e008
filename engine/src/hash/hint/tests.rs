//! Hints over all small damage: they give the items that were written, or they are unusable.

#![expect(clippy::unwrap_used, reason = "a test that fails")]

use alloc::vec;

use keelstone_vfs::{Image, MemoryDisk};

use super::*;

const SEED: u128 = 99;
const NUMBER: u64 = 4;
const END: u64 = 1 << 20;
const NAME: &str = "000004.hint";

fn item(n: u32) -> Item {
    let (hash, len) = (u128::from(n).wrapping_mul(0x1234_5678_9abc) << 64, 40 + n % 9);
    let (tombstone, expires_ms) = (n % 3 == 1, u64::from(n % 2) * 5000);
    Item { hash, offset: 64 + n * 50, len, tombstone, expires_ms }
}

fn collected(count: u32) -> (Vec<Item>, Totals) {
    let mut collector = Collector::default();
    (0..count).rev().for_each(|n| collector.add_item(item(n)).unwrap());
    collector.finish(END, 777)
}

/// A hint file of what was collected.
fn written((items, totals): (Vec<Item>, Totals)) -> Vec<u8> {
    let disk = MemoryDisk::new();
    let mut writer = HintWriter::begin(&disk, SEED, NUMBER, (items, totals)).unwrap();
    while writer.step(1).unwrap() {}
    disk.image()[NAME].clone()
}

/// What a reader with these arguments makes of the bytes.
fn read_as(
    bytes: &[u8],
    seed: u128,
    number: u64,
    end: u64,
) -> core::result::Result<(Vec<Item>, Totals), Unusable> {
    let image: Image = [(format!("{}", FileName::Hint(number)), bytes.to_vec())].into();
    let mut reader = HintReader::open(&MemoryDisk::from_image(&image), seed, number, end)?;
    let mut items = Vec::new();
    while reader.next_block(&mut items)? {}
    Ok((items, reader.totals))
}

fn read(bytes: &[u8]) -> core::result::Result<(Vec<Item>, Totals), Unusable> {
    read_as(bytes, SEED, NUMBER, END)
}

#[test]
fn hints_of_every_number_of_blocks_come_back() {
    let block = u32::try_from(BLOCK_ITEMS).unwrap();
    for count in [0, 1, 2, 3, block - 1, block, block + 1, 2 * block, 5000] {
        let hint = collected(count);
        assert_eq!((hint.0.len(), hint.1.records), (count as usize, u64::from(count)));
        assert_eq!(read(&written(hint.clone())), Ok(hint), "count={count}");
    }
}

#[test]
fn a_collector_keeps_the_last_record_of_each_key_and_counts_all() {
    let mut collector = Collector::default();
    for (hash, offset, tombstone) in
        [(5, 64, false), (3, 100, true), (5, 200, true), (5, 150, false)]
    {
        let item = Item { hash, offset, len: 10, tombstone, expires_ms: 0 };
        collector.add_item(item).unwrap();
    }
    let (items, totals) = collector.finish(300, 8);
    let kept: Vec<_> = items.iter().map(|item| (item.hash, item.offset)).collect();
    assert_eq!(kept, [(3, 100), (5, 200)]);
    let (items, records) = (2, 4);
    let expected =
        Totals { items, records, entry_bytes: 40, tombstone_bytes: 20, end: 300, time_ms: 8 };
    assert_eq!(totals, expected);
}

#[test]
fn a_hint_that_is_cut_at_any_byte_is_unusable() {
    for count in [0, 1, 3] {
        let bytes = written(collected(count));
        for len in 0..bytes.len() {
            assert_eq!(read(&bytes[..len]), Err(Unusable), "count={count} len={len}");
        }
        for more in [1, 44, 103] {
            let mut longer = bytes.clone();
            longer.resize(bytes.len() + more, 0);
            assert_eq!(read(&longer), Err(Unusable), "count={count} more={more}");
        }
    }
}

#[test]
fn a_hint_with_any_turned_bit_is_unusable() {
    for count in [0, 1, 3] {
        let bytes = written(collected(count));
        for bit in 0..bytes.len() * 8 {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&wrong), Err(Unusable), "count={count} bit={bit}");
        }
    }
}

#[test]
fn a_hint_with_any_other_byte_is_unusable() {
    let bytes = written(collected(2));
    for at in 0..bytes.len() {
        for value in (0..=255).filter(|value| *value != bytes[at]) {
            let mut wrong = bytes.clone();
            wrong[at] = value;
            assert_eq!(read(&wrong), Err(Unusable), "at={at} value={value}");
        }
    }
}

#[test]
fn a_hint_is_good_for_its_own_file_only() {
    let bytes = written(collected(3));
    assert!(read(&bytes).is_ok());
    assert_eq!(read_as(&bytes, SEED + 1, NUMBER, END), Err(Unusable), "another store");
    assert_eq!(read_as(&bytes, SEED, NUMBER + 1, END), Err(Unusable), "another file");
    assert_eq!(read_as(&bytes, SEED, NUMBER, END - 1), Err(Unusable), "the file was shorter");
    assert_eq!(read_as(&bytes, SEED, NUMBER, END + 1), Err(Unusable), "the file has grown");
    let missing = HintReader::open(&MemoryDisk::new(), SEED, NUMBER, END);
    assert_eq!(missing.err(), Some(Unusable));
}

#[test]
fn a_frame_of_the_described_file_does_not_pass_for_a_hint() {
    let log = FileHeader { kind: FileKind::Log, number: NUMBER, seed: SEED, age: 4, first_seq: 1 };
    let bytes = written(collected(1));
    let mut mixed = log.encode().to_vec();
    mixed.extend_from_slice(&bytes[crate::record::FILE_HEADER_BYTES..]);
    assert_eq!(read(&mixed), Err(Unusable));
    assert_ne!(log.id(), header(hint_seed(SEED), NUMBER).id());
}

#[test]
fn items_out_of_order_twice_or_outside_of_the_file_are_unusable_under_right_checksums() {
    let totals =
        |items: &[Item]| Totals { items: items.len() as u64, end: END, ..Totals::default() };
    let sound = vec![item(1), item(2)];
    assert!(read(&written((sound.clone(), totals(&sound)))).is_ok());
    let outside = Item { offset: u32::try_from(END).unwrap() - 10, len: 11, ..item(2) };
    let far = Item { offset: u32::MAX, len: u32::MAX >> 1, ..item(2) };
    for wrong in
        [vec![item(2), item(1)], vec![item(1), item(1)], vec![item(1), outside], vec![item(1), far]]
    {
        let totals = totals(&wrong);
        assert_eq!(read(&written((wrong.clone(), totals))), Err(Unusable), "{wrong:?}");
    }
    let miscounted = Totals { items: 3, ..totals(&sound) };
    assert_eq!(read(&written((sound, miscounted))), Err(Unusable));
}

#[test]
fn a_new_hint_takes_the_place_of_an_old_one() {
    let disk = MemoryDisk::new();
    for count in [3, 1] {
        let hint = collected(count);
        let mut writer = HintWriter::begin(&disk, SEED, NUMBER, hint.clone()).unwrap();
        assert_eq!(writer.step(10), Ok(false));
        assert_eq!(read(&disk.image()[NAME]), Ok(hint));
    }
}
