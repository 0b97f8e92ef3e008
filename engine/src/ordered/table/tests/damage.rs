//! Bytes that are not what was written: cut, flipped, exchanged, made up.

use keelstone_vfs::Image;

use super::super::block::{Block, BlockCursor};
use super::super::builder::BlockBuilder;
use super::super::format::{Footer, Properties, Unsealed, seal, unseal};
use super::*;
use crate::codec::FileId;
use crate::error::{Damage, Error, FileName};
use crate::record::{FileHeader, FileKind};

/// A small table that has every kind of block: lz4, filters, range tombstones, two levels of index.
pub(super) fn small() -> (Built, Vec<Owned>) {
    let mut items = Vec::new();
    for n in 0..60_u8 {
        items.push(Owned::put(&[b'k', n / 7, n], 100 + u64::from(n), &[n; 40]));
    }
    items.push(Owned { kind: EntryKind::Tombstone, ..Owned::put(b"dead", 9, b"") });
    items.push(Owned { kind: EntryKind::PutUntil, expires_ms: 77, ..Owned::put(b"dead", 8, b"x") });
    let items = in_order(&KeyOrder::Bytewise, items);
    let options = TableOptions {
        block_bytes: 64,
        restart_interval: 4,
        filter_bits_per_key: 10,
        prefix_bytes: Some(2),
        lz4: true,
    };
    let ranges = [
        Range { from: b"a".to_vec(), to: b"b".to_vec(), seq: 3 },
        Range { from: b"k".to_vec(), to: b"zzz".to_vec(), seq: 50 },
    ];
    (build(&KeyOrder::Bytewise, options, &items, &ranges), items)
}

fn image_of(built: &Built) -> (Image, alloc::string::String) {
    let name = alloc::format!("{}", FileName::Table(NUMBER));
    (built.disk.image(), name)
}

fn is_corrupt<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Corrupt(c)) if c.file == FileName::Table(NUMBER))
}

/// What the table says, if it opens, is what was written, or an error.
fn never_wrong(table: Table, items: &[Owned]) {
    let table = Arc::new(table);
    let blocks = BlockCache::new(0);
    for item in items {
        match get(&table, &blocks, &item.key, item.seq) {
            Ok(found) => assert_eq!(found.as_ref(), Some(item)),
            result => assert!(is_corrupt(&result)),
        }
    }
    for reading in [Reading::CACHED, Reading::ONCE] {
        let mut cursor = cursor(&table, reading);
        match walk(&mut cursor, true) {
            Ok(found) => assert_eq!(found, items),
            result => assert!(is_corrupt(&result) && cursor.item().is_none()),
        }
        match walk(&mut cursor, false) {
            Ok(found) => assert!(found.iter().eq(items.iter().rev())),
            result => assert!(is_corrupt(&result) && cursor.item().is_none()),
        }
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let (built, items) = small();
    let table = built.open().unwrap();
    assert!(table.has_two_levels() && table.filter.is_some() && table.prefixes.is_some());
    assert_eq!((table.verify().unwrap().hurts, table.ranges().len()), (vec![], 2));
    let (mut image, name) = image_of(&built);
    let len = image[&name].len();
    for at in 0..len {
        for bit in [0, 3, 7] {
            image.get_mut(&name).unwrap()[at] ^= 1 << bit;
            let disk = MemoryDisk::from_image(&image);
            match open_on(&disk, (NUMBER, built.meta.len), &built.order) {
                Ok(table) => {
                    let hurts = table.verify().unwrap().hurts;
                    assert!(!hurts.is_empty(), "at={at} bit={bit}");
                    if bit == 0 {
                        never_wrong(table, &items);
                    }
                }
                Err(Error::Version { .. }) => assert!((8..10).contains(&at)),
                result => assert!(is_corrupt(&result), "at={at} bit={bit}"),
            }
            image.get_mut(&name).unwrap()[at] ^= 1 << bit;
        }
    }
}

#[test]
fn damage_in_an_open_table_names_the_keys_that_it_hurts() {
    let (built, items) = small();
    let table = built.open().unwrap();
    let file = built.disk.open(&image_of(&built).1, keelstone_vfs::Access::Write).unwrap();
    for at in 64..built.meta.len {
        let mut byte = [0];
        file.read_at(&mut byte, at).unwrap();
        file.write_at(&[byte[0] ^ 4], at).unwrap();
        let report = table.verify().unwrap();
        assert!(!report.hurts.is_empty(), "at={at}");
        // What is outside the ranges of keys is still read.
        let hurt = |key: &Vec<u8>| {
            report.hurts.iter().any(|hurt| {
                let from = hurt.from.as_ref().is_none_or(|from| from <= key);
                from && hurt.to.as_ref().is_none_or(|to| key <= to)
            })
        };
        if report.hurts.iter().all(|hurt| hurt.from.is_some()) {
            assert!(report.entries > 0, "at={at}");
            let blocks = BlockCache::new(0);
            for item in items.iter().filter(|item| !hurt(&item.key)) {
                let found = get(&table, &blocks, &item.key, item.seq).unwrap();
                assert_eq!(found.as_ref(), Some(item), "at={at}");
            }
        }
        file.write_at(&byte, at).unwrap();
    }
    assert_eq!(table.verify().unwrap().hurts, vec![]);
}

#[test]
fn every_cut_is_noticed_and_so_are_bytes_too_many() {
    let (built, _) = small();
    let (image, name) = image_of(&built);
    let bytes = &image[&name];
    for len in 0..=bytes.len() + 9 {
        let mut other = bytes.clone();
        other.resize(len, 0);
        let disk = MemoryDisk::from_image(&[(name.clone(), other)].into());
        let opened = open_on(&disk, (NUMBER, built.meta.len), &built.order);
        assert_eq!(is_corrupt(&opened), len != bytes.len(), "len={len}");
        // Nor does it pass if whoever opens it believes the length.
        let opened = open_on(&disk, (NUMBER, len as u64), &built.order);
        assert_eq!(is_corrupt(&opened), len != bytes.len(), "len={len}");
    }
    let missing = open_on(&MemoryDisk::new(), (NUMBER, 1000), &built.order);
    assert!(matches!(missing, Err(Error::Corrupt(c)) if c.what == Damage::Missing));
}

#[test]
fn a_table_of_another_name_store_or_order_is_refused() {
    let disk = MemoryDisk::new();
    let order = KeyOrder::Bytewise;
    let one = [Owned::put(b"a", 1, b"one")];
    let other = [Owned::put(b"a", 1, b"two")];
    let options = TableOptions::default();
    let meta = write(&disk, 1, &order, options, (&one, &[]));
    assert_eq!(write(&disk, 2, &order, options, (&other, &[])).len, meta.len);
    let what = |result: Result<Table>| match result {
        Err(Error::Corrupt(corruption)) => Some(corruption.what),
        _ => None,
    };
    let custom = KeyOrder::Custom(Arc::new(Shortlex));
    assert_eq!(what(open_on(&disk, (1, meta.len), &custom)), Some(Damage::Identity));
    let hasher = KeyHasher::new(SEED);
    let stranger = Table::find(&disk, SEED + 1, (1, meta.len), order.clone(), hasher);
    assert_eq!(what(stranger), Some(Damage::Identity));
    for (from, to) in
        [("000001.table", "x"), ("000002.table", "000001.table"), ("x", "000002.table")]
    {
        disk.rename(from, to).unwrap();
    }
    assert_eq!(what(open_on(&disk, (1, meta.len), &order)), Some(Damage::Identity));
    assert_eq!(what(open_on(&disk, (2, meta.len), &order)), Some(Damage::Identity));
    // Only a block of the other table: its checksum is for another file.
    let mut image = disk.image();
    let (a, b) = (image["000001.table"].clone(), image["000002.table"].clone());
    image.insert("000001.table".into(), [&b[..64], &a[64..110], &b[110..]].concat());
    let disk = MemoryDisk::from_image(&image);
    let report = open_on(&disk, (1, meta.len), &order).unwrap().verify().unwrap();
    assert_eq!(report.hurts[0].damage.what, Damage::Checksum);
}

#[test]
fn a_cursor_that_enters_a_smaller_block_stands_on_none_of_it() {
    let mut builder = BlockBuilder::new(3);
    builder.add(&Owned::put(b"key", 1, &[7; 100]).item()).unwrap();
    let large = builder.finish().unwrap().to_vec();
    let (empty, broken) = (vec![0; 4], vec![9, 0, 0, 0, 0, 1, 0, 0, 0]);
    for payload in [empty, broken] {
        let [large, small] = [&large, &payload]
            .map(|bytes| Block::parse(bytes.clone(), FileName::Table(NUMBER), 64).unwrap());
        let mut cursor = BlockCursor::new(&large);
        cursor.seek_first().unwrap();
        assert!(cursor.item().is_some());
        cursor.enter(&small);
        assert!(cursor.item().is_none());
        let _ends_or_fails = cursor.seek_first();
        assert!(cursor.item().is_none());
    }
}

#[test]
fn a_block_that_no_builder_makes_is_noticed() {
    let mut items = sample(&mut Dice::new(3), &KeyOrder::Bytewise, 40);
    items.retain(|item| item.key.len() < 99);
    for interval in [1, 2, 16] {
        let mut builder = BlockBuilder::new(interval);
        items.iter().for_each(|item| builder.add(&item.item()).unwrap());
        let payload = builder.finish().unwrap().to_vec();
        assert_eq!(Block::parse(payload, FileName::Table(NUMBER), 64).unwrap().check(), Ok(()));
    }
    let check = |entries: &[&[u8]], restarts: &[u32]| {
        let mut payload = entries.concat();
        restarts.iter().for_each(|at| payload.extend_from_slice(&at.to_le_bytes()));
        payload.extend_from_slice(&u32::try_from(restarts.len()).unwrap().to_le_bytes());
        Block::parse(payload, FileName::Table(NUMBER), 64).and_then(|block| block.check())
    };
    // Put of an empty value at sequence 1: shared, key_len, value_len, kind, sequence, key.
    let (first, second): (&[u8], &[u8]) = (&[0, 2, 0, 1, 2, b'a', b'a'], &[1, 1, 0, 1, 2, b'b']);
    assert_eq!(check(&[first, second], &[0]), Ok(()));
    let what = |result: Result<()>| match result {
        Err(Error::Corrupt(corruption)) => Some(corruption.what),
        _ => None,
    };
    let whole: &[u8] = &[0, 2, 0, 1, 2, b'a', b'b'];
    assert_eq!(check(&[first, whole], &[0, 7]), Ok(()));
    assert_eq!(what(check(&[first, whole], &[0])), Some(Damage::Key), "it shares too little");
    assert_eq!(what(check(&[first, second], &[0, 7])), Some(Damage::Key), "no whole key");
    assert_eq!(what(check(&[first, second], &[0, 8])), Some(Damage::Length), "no entry there");
}

/// A table without data that has this block of range tombstones, all its checksums right.
fn with_ranges(payload: &[u8], count: u64, lz4: bool) -> Result<Table> {
    let number = NUMBER;
    let header = FileHeader { kind: FileKind::Table, number, seed: SEED, age: 7, first_seq: 0 };
    let (mut bytes, id) = (header.encode().to_vec(), header.id());
    let mut add = |payload: &[u8], lz4| {
        let offset = bytes.len() as u64;
        seal(&mut bytes, id, offset, payload, lz4).unwrap()
    };
    let (ranges, index) = (add(payload, lz4), add(&[0; 4], false));
    let meta = TableMeta { ranges: count, ..TableMeta::default() };
    let order = KeyOrder::Bytewise.name().as_bytes().to_vec();
    let properties = Properties {
        meta,
        keys: 0,
        data_blocks: 0,
        index_blocks: 0,
        prefix_bytes: 0,
        loaded: false,
        order,
    };
    let mut encoded = Vec::new();
    properties.encode(&mut encoded).unwrap();
    let properties = add(&encoded, false);
    let footer = Footer { ranges, index, properties, ..Footer::default() };
    let offset = bytes.len() as u64;
    footer.encode(&mut bytes, id, offset).unwrap();
    let (len, name) = (bytes.len() as u64, alloc::format!("{}", FileName::Table(NUMBER)));
    open_on(&MemoryDisk::from_image(&[(name, bytes)].into()), (NUMBER, len), &KeyOrder::Bytewise)
}

#[test]
fn range_tombstones_take_memory_in_proportion_to_their_block() {
    let block = |count: u64, interval| {
        let (key, mut builder) = ([b'a'; 5000], BlockBuilder::new(interval));
        for n in 0..count {
            let (seq, kind) = (1_000_000 - n, EntryKind::RangeTombstone);
            let item = Item { key: &key, seq, kind, value: b"b", expires_ms: 0 };
            builder.add(&item).unwrap();
        }
        builder.finish().unwrap().to_vec()
    };
    assert_eq!(with_ranges(&block(3, 16), 3, false).unwrap().ranges().len(), 3);
    let what = |result: Result<Table>| match result {
        Err(Error::Corrupt(corruption)) => Some(corruption.what),
        _ => None,
    };
    // What a writer makes of many is no more than it can be.
    assert_eq!(with_ranges(&block(2000, 16), 2000, false).unwrap().ranges().len(), 2000);
    let hostile = block(20_000, usize::MAX);
    assert_eq!(what(with_ranges(&hostile, 20_000, false)), Some(Damage::Length));
    // Only data is compressed: what is kept in memory is as long as it is in the file.
    assert_eq!(what(with_ranges(&block(3, 16), 3, true)), Some(Damage::Kind));
}

/// Every way to read a block, on bytes that may be anything.
fn read_all_ways(payload: &[u8], keys: &[&[u8]]) {
    let parse = || Block::parse(payload.to_vec(), FileName::Table(NUMBER), 64);
    let (Ok(plain), Ok(sampled)) = (parse(), parse().map(Block::sampled)) else { return };
    for block in [plain, sampled] {
        read_block(&block, payload.len(), keys);
    }
}

fn read_block(block: &Block, len: usize, keys: &[&[u8]]) {
    let mut cursor = BlockCursor::new(block);
    let mut steps = 0;
    let mut result = cursor.seek_first();
    while result.is_ok() && cursor.is_on() {
        result = cursor.next();
        steps += 1;
    }
    result = cursor.seek_last();
    while result.is_ok() && cursor.is_on() {
        result = cursor.prev();
        steps += 1;
    }
    assert!(steps <= 2 * len);
    for key in keys {
        for seq in [0, 5, u64::MAX] {
            let _any = block.find((key, seq)).is_ok();
            let _any = block.floor(&KeyOrder::Bytewise, (key, seq)).is_ok();
            let _any = cursor.seek(&KeyOrder::Bytewise, (key, seq)).is_ok();
            let _any = cursor.seek_before(&KeyOrder::Bytewise, (key, seq)).is_ok();
        }
    }
}

#[test]
fn made_up_blocks_never_panic() {
    let mut builder = BlockBuilder::new(3);
    let items = sample(&mut Dice::new(1), &KeyOrder::Bytewise, 12);
    let items: Vec<_> = items.iter().filter(|i| i.key.len() < 99 && i.value.len() < 99).collect();
    for item in &items {
        builder.add(&item.item()).unwrap();
    }
    let payload = builder.finish().unwrap().to_vec();
    let keys: Vec<&[u8]> = items.iter().map(|item| &item.key[..]).collect();
    for at in 0..payload.len() {
        for byte in
            [0, 1, 2, 3, 4, 5, 0x7f, 0x80, 0xff, payload[at] ^ 1, payload[at].wrapping_add(1)]
        {
            let mut other = payload.clone();
            other[at] = byte;
            read_all_ways(&other, &keys);
        }
        read_all_ways(&payload[..at], &keys);
    }
    let dice = &mut Dice::new(2);
    for _ in 0..20_000 {
        let (len, letters) = (dice.below(60), [3, 256][dice.below(2)]);
        let mut bytes = random_bytes(dice, len, letters);
        bytes.extend_from_slice(&[0, 0, 0, 0, 1, 0, 0, 0]);
        read_all_ways(&bytes, &keys);
    }
}

#[test]
fn made_up_compressed_blocks_never_panic_and_take_no_memory_on_trust() {
    let id = FileId::new(SEED, NUMBER);
    let mut sealed = Vec::new();
    seal(&mut sealed, id, 64, &[7; 500], true).unwrap();
    assert!(sealed.len() < 100);
    let body = sealed.len() - 4;
    for at in 0..body {
        for byte in 0..=255 {
            let mut other = sealed.clone();
            other[at] = byte;
            let crc = id.crc(64, &other[..body]);
            other[body..].copy_from_slice(&crc.to_le_bytes());
            match unseal(id, 64, other) {
                Ok(payload) => assert!(payload.len() <= 255 * sealed.len()),
                Err(Unsealed::Damaged(_)) => {}
                Err(Unsealed::OutOfMemory) => panic!("at={at} byte={byte}"),
            }
        }
    }
}
