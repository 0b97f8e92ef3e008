//! What a writer says of its table, what it refuses, and what is left when the disk fails.

use keelstone_vfs::fault::Fault;
use keelstone_vfs::{FaultDisk, Kind};

use super::*;
use crate::error::{Damage, Error, FileName, Invalid};

const FORMAT: &str = include_str!("../../../../../docs/format.md");

fn range(from: &str, to: &str, seq: u64) -> Range {
    Range { from: from.into(), to: to.into(), seq }
}

#[test]
fn bounds_and_counts_are_those_of_items_and_ranges() {
    let until = |key: &str, seq, expires_ms| Owned {
        kind: EntryKind::PutUntil,
        expires_ms,
        ..Owned::put(key.as_bytes(), seq, b"vv")
    };
    let items = [
        Owned::put(b"d", 50, b"1"),
        Owned { kind: EntryKind::Tombstone, ..Owned::put(b"d", 49, b"") },
        until("e", 20, 700),
        until("m", 21, 300),
    ];
    let options = TableOptions::default();
    let (first, last) = (b"d".to_vec(), b"m".to_vec());
    let plain = TableMeta {
        number: NUMBER,
        first,
        last,
        entries: 4,
        tombstones: 1,
        min_seq: 20,
        max_seq: 50,
        expires: Some((300, 700)),
        raw_bytes: 9,
        ..TableMeta::default()
    };
    for (ranges, first, last, exclusive, seqs) in [
        (vec![], "d", "m", false, (20, 50)),
        (vec![range("e", "m", 30)], "d", "m", false, (20, 50)),
        (vec![range("e", "ma", 30)], "d", "ma", true, (20, 50)),
        (vec![range("n", "z", 9), range("a", "b", 99)], "a", "z", true, (9, 99)),
        (vec![range("a", "zz", 30), range("n", "z", 30)], "a", "zz", true, (20, 50)),
    ] {
        let built = build(&KeyOrder::Bytewise, options, &items, &ranges);
        let (min_seq, max_seq) = seqs;
        let expected = TableMeta {
            len: built.meta.len,
            first: first.into(),
            last: last.into(),
            last_exclusive: exclusive,
            ranges: ranges.len() as u64,
            min_seq,
            max_seq,
            ..plain.clone()
        };
        assert_eq!(built.meta, expected);
        let table = built.open().unwrap();
        assert_eq!(*table.meta(), expected);
        let mut sorted = ranges.clone();
        sorted.sort_by(|a, b| a.from.cmp(&b.from));
        assert_eq!(table.ranges(), sorted);
        assert_eq!(table.verify().unwrap().hurts, vec![]);
    }
}

#[test]
fn a_table_of_ranges_only_and_an_empty_one_are_tables() {
    let order = KeyOrder::Bytewise;
    let ranges = [range("c", "x", 4), range("c", "d", 6), range("z", "z", 1), range("b", "a", 1)];
    for ranges in [&ranges[..], &[]] {
        let built = build(&order, TableOptions::default(), &[], ranges);
        let table = Arc::new(built.open().unwrap());
        let expected = [range("c", "d", 6), range("c", "x", 4)];
        assert_eq!(table.ranges(), &expected[..ranges.len().min(2)], "empty ranges are left out");
        let (first, last) = if ranges.is_empty() { ("", "") } else { ("c", "x") };
        assert_eq!(
            (&built.meta.first[..], &built.meta.last[..]),
            (first.as_bytes(), last.as_bytes())
        );
        assert_eq!(get(&table, &BlockCache::new(0), b"c", 9).unwrap(), None);
        assert!(!table.may_contain_prefix(b"c"));
        let mut cursor = cursor(&table, Reading::CACHED);
        assert_eq!(walk(&mut cursor, true).unwrap(), []);
        assert_eq!(walk(&mut cursor, false).unwrap(), []);
        cursor.seek(b"c", 1).unwrap();
        assert!(cursor.item().is_none());
        cursor.seek_before(b"c", 1).unwrap();
        assert!(cursor.item().is_none());
        assert_eq!(table.verify().unwrap().hurts, vec![]);
    }
}

#[test]
fn items_out_of_order_and_strange_ones_are_refused() {
    let refusal = |items: &[Owned]| {
        let (disk, hasher) = (MemoryDisk::new(), KeyHasher::new(SEED));
        let (order, options) = (KeyOrder::Bytewise, TableOptions::default());
        let mut writer = TableWriter::create(&disk, 1, SEED, order, hasher, options).unwrap();
        let (last, rest) = items.split_last().unwrap();
        for item in rest {
            writer.add(&item.item()).unwrap();
        }
        let error = writer.add(&last.item()).unwrap_err();
        writer.abandon(&disk).unwrap();
        assert!(disk.image().is_empty());
        error
    };
    let put = |key: &[u8], seq| Owned::put(key, seq, b"");
    let key = |error| matches!(error, Error::Corrupt(c) if c.what == Damage::Key);
    assert!(key(refusal(&[put(b"b", 1), put(b"a", 9)])));
    assert!(key(refusal(&[put(b"b", 1), put(b"b", 1)])));
    assert!(key(refusal(&[put(b"b", 1), put(b"b", 2)])));
    assert!(key(refusal(&[Owned { kind: EntryKind::Plain, ..put(b"b", 1) }])));
    assert!(key(refusal(&[Owned { kind: EntryKind::RangeTombstone, ..put(b"b", 1) }])));
    assert_eq!(refusal(&[put(b"", 1)]), Error::Invalid(Invalid::EmptyKey));
    let long = refusal(&[put(&[1; 65_536], 1)]);
    assert_eq!(long, Error::Invalid(Invalid::KeyTooLong { bytes: 65_536, max: 65_535 }));
}

#[test]
fn output_is_written_in_large_pieces_and_bytes_says_how_much() {
    let disk = keelstone_vfs::CountingDisk::new(MemoryDisk::new());
    let (order, options, hasher) = (KeyOrder::Bytewise, TableOptions::default(), KeyHasher::new(1));
    let mut writer = TableWriter::create(&disk, 1, 1, order, hasher, options).unwrap();
    let mut bytes = writer.bytes();
    for n in 0..20_000_u32 {
        writer.add(&Owned::put(&n.to_be_bytes(), 1, &[1; 100]).item()).unwrap();
        assert!(writer.bytes() > bytes);
        bytes = writer.bytes();
    }
    let meta = writer.finish().unwrap().meta;
    assert!(bytes < meta.len && meta.len < bytes + 100_000, "{bytes} {}", meta.len);
    let writes = disk.counts().of(keelstone_vfs::Op::Write);
    assert!(writes <= meta.len / (64 << 10) + 1, "writes={writes}");
    assert_eq!(disk.counts().syncs_all + disk.counts().syncs_data, 0, "the caller syncs");
}

#[test]
fn a_failure_of_the_disk_at_every_operation_is_returned_and_the_file_can_be_removed() {
    let items = sample(&mut Dice::new(5), &KeyOrder::Bytewise, 3000);
    let mut failures = 0;
    for at in 0.. {
        let disk = FaultDisk::new();
        disk.inject(Fault::once(at, Kind::NoSpace));
        let (order, options) = (KeyOrder::Bytewise, TableOptions::default());
        let hasher = KeyHasher::new(SEED);
        let Ok(mut writer) = TableWriter::create(&disk, 1, SEED, order, hasher, options) else {
            failures += 1;
            continue;
        };
        if let Err(error) = items.iter().try_for_each(|item| writer.add(&item.item())) {
            assert_eq!(error, Error::OutOfSpace);
            writer.abandon(&disk).unwrap();
            assert!(disk.list("").unwrap().is_empty());
            failures += 1;
            continue;
        }
        match writer.finish() {
            Ok(_) => break,
            Err(error) => assert_eq!(error, Error::OutOfSpace),
        }
        disk.remove("000001.table").unwrap();
        failures += 1;
    }
    assert!(failures > 4, "failures={failures}");
}

#[test]
fn a_read_that_fails_is_returned_and_the_next_one_works() {
    let items = sample(&mut Dice::new(6), &KeyOrder::Bytewise, 100);
    let disk = FaultDisk::new();
    let order = KeyOrder::Bytewise;
    let options = TableOptions { block_bytes: 100, ..TableOptions::default() };
    let hasher = KeyHasher::new(SEED);
    let mut writer =
        TableWriter::create(&disk, NUMBER, SEED, order.clone(), hasher, options).unwrap();
    items.iter().for_each(|item| writer.add(&item.item()).unwrap());
    let meta = writer.finish().unwrap().meta;
    let what = (NUMBER, meta.len);
    let mut opened = None;
    while opened.is_none() {
        disk.clear_faults();
        disk.inject(Fault::once(disk.ops() + opened_tries(), Kind::Io));
        match open_on(&disk, what, &order) {
            Ok(table) => opened = Some(Arc::new(table)),
            Err(error) => assert!(matches!(error, Error::Storage(_))),
        }
    }
    let table = opened.unwrap();
    for reading in [Reading::CACHED, Reading::ONCE] {
        let mut cursor = cursor(&table, reading);
        disk.clear_faults();
        disk.inject(Fault::once(disk.ops(), Kind::Io));
        assert!(matches!(cursor.seek_first(), Err(Error::Storage(_))));
        assert!(cursor.item().is_none());
        assert!(walk(&mut cursor, true).unwrap() == items);
    }
    // It stood on an item, and the block of the index for the next one cannot be read.
    let mut cursor = cursor(&table, Reading::ONCE);
    cursor.seek_first().unwrap();
    disk.inject(Fault::once(disk.ops(), Kind::Io));
    assert!(table.has_two_levels() && cursor.item().is_some());
    assert!(matches!(cursor.seek_last(), Err(Error::Storage(_))));
    assert!(cursor.item().is_none());
}

/// Each try fails one operation later than the one before.
fn opened_tries() -> u64 {
    use core::sync::atomic::{AtomicU64, Ordering};
    static TRIES: AtomicU64 = AtomicU64::new(0);
    TRIES.fetch_add(1, Ordering::Relaxed)
}

/// The items of the worked example.
fn example() -> (Vec<Owned>, Vec<Range>, TableOptions) {
    let mut items = vec![
        Owned::put(b"apple", 3, b"red"),
        Owned { kind: EntryKind::Tombstone, ..Owned::put(b"apple", 2, b"") },
        Owned::put(b"apricot", 1, b"orange"),
    ];
    items.push(Owned {
        kind: EntryKind::PutUntil,
        expires_ms: 1_700_000_060_000,
        ..Owned::put(b"banana", 300, b"")
    });
    let options = TableOptions { block_bytes: 80, filter_bits_per_key: 10, ..Default::default() };
    (items, vec![range("c", "d", 4)], options)
}

#[test]
fn the_example_of_the_format_is_what_is_written_and_read() {
    const SEED: u128 = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100;
    let name = alloc::format!("{}", FileName::Table(NUMBER));
    let text = FORMAT.split_once("```bytes 000007.table\n").unwrap().1;
    let text = text.split_once("```").unwrap().0.split_whitespace();
    let bytes: Vec<u8> = text.map(|word| u8::from_str_radix(word, 16).unwrap()).collect();
    let (items, ranges, options) = example();
    let (disk, order) = (MemoryDisk::new(), KeyOrder::Bytewise);
    let hasher = KeyHasher::new(SEED);
    let mut writer =
        TableWriter::create(&disk, NUMBER, SEED, order.clone(), hasher, options).unwrap();
    items.iter().for_each(|item| writer.add(&item.item()).unwrap());
    writer.add_range(&ranges[0]).unwrap();
    writer.finish().unwrap();
    let written = disk.image().remove(&name).unwrap();
    let lines: Vec<_> = written.chunks(16).map(|line| alloc::format!("{line:02x?}")).collect();
    assert!(written == bytes, "{}", lines.join("\n").replace([',', '[', ']'], ""));
    let disk = MemoryDisk::from_image(&[(name, bytes)].into());
    let what = (NUMBER, written.len() as u64);
    let table = Arc::new(Table::find(&disk, SEED, what, order, hasher).unwrap());
    assert_eq!(walk(&mut cursor(&table, Reading::CACHED), true).unwrap(), items);
    assert_eq!(table.ranges(), ranges);
}
