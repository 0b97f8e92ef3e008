//! Tables whose one sequence comes with their end: they answer as if every item had been written with it.

use super::super::format::{FOOTER_BYTES, Footer, Properties};
use super::*;
use crate::codec::FileId;
use crate::error::{Damage, FileName};

/// Items of one version each, all of them with the same sequence.
fn items(seed: u64, order: &KeyOrder, count: usize, seq: u64) -> Vec<Owned> {
    let mut items = sample(&mut Dice::new(seed), order, count);
    items.retain(|item| item.kind != EntryKind::Tombstone);
    items.dedup_by(|a, b| a.key == b.key);
    items.iter_mut().for_each(|item| item.seq = seq);
    items
}

/// The table of these items, placed first elsewhere and then at their sequence.
fn load(disk: &MemoryDisk, order: &KeyOrder, options: TableOptions, items: &[Owned]) -> TableMeta {
    let hasher = KeyHasher::new(SEED);
    let mut writer =
        TableWriter::create(disk, NUMBER, SEED, order.clone(), hasher, options).unwrap();
    for item in items {
        writer.add(&Item { seq: LOADED, ..item.item() }).unwrap();
    }
    let (mut table, file) = writer.finish_loaded().unwrap();
    assert!(open_on(disk, (NUMBER, file.len().unwrap()), order).is_err(), "it lacks its end");
    for seq in [3, items[0].seq] {
        let file = table.place(disk, seq).unwrap();
        assert_eq!(table.meta().len, file.len().unwrap());
    }
    table.meta().clone()
}

#[test]
fn loaded_table_answers_as_if_every_item_had_its_sequence() {
    let orders = [KeyOrder::Bytewise, KeyOrder::Custom(Arc::new(Shortlex))];
    for (n, order) in orders.iter().enumerate() {
        for seed in 0..12 {
            let seq = [1, 2, 300, 1 << 40][usize::try_from(seed).unwrap() % 4];
            let options = TableOptions {
                block_bytes: [64, 300, 4096][usize::try_from(seed).unwrap() % 3],
                lz4: seed % 2 == 0,
                ..TableOptions::default()
            };
            let items = items(seed * 2 + n as u64, order, 150, seq);
            let disk = MemoryDisk::new();
            let meta = load(&disk, order, options, &items);
            let plain = build(order, options, &items, &[]);
            assert_eq!(
                TableMeta { len: 0, ..meta.clone() },
                TableMeta { len: 0, ..plain.meta.clone() }
            );
            let table = Arc::new(open_on(&disk, (NUMBER, meta.len), order).unwrap());
            assert_eq!(*table.meta(), meta);
            let report = table.verify().unwrap();
            assert_eq!((report.hurts.len(), report.entries), (0, items.len() as u64));
            agree(&table, &Arc::new(plain.open().unwrap()), &items);
        }
    }
}

/// Gets and walks of both say the same, below, at and above the sequence.
fn agree(loaded: &Arc<Table>, plain: &Arc<Table>, items: &[Owned]) {
    let blocks = [BlockCache::new(1 << 20), BlockCache::new(1 << 20)];
    let mut cursors = [cursor(loaded, Reading::CACHED), cursor(plain, Reading::CACHED)];
    for forward in [true, false] {
        assert_eq!(walk(&mut cursors[0], forward).unwrap(), items_in(items, forward));
    }
    for item in items {
        for seq in [0, item.seq - 1, item.seq, item.seq + 1, u64::MAX] {
            let found = get(loaded, &blocks[0], &item.key, seq).unwrap();
            assert_eq!(found, get(plain, &blocks[1], &item.key, seq).unwrap());
            assert_eq!(found.is_some(), seq >= item.seq);
            let [one, other] = &mut cursors;
            for moved in [Cursor::seek, Cursor::seek_before] {
                moved(one, &item.key, seq).unwrap();
                moved(other, &item.key, seq).unwrap();
                assert_eq!(one.item(), other.item(), "{:?} at {seq}", item.key);
            }
        }
    }
}

fn items_in(items: &[Owned], forward: bool) -> Vec<Owned> {
    let mut items = items.to_vec();
    if !forward {
        items.reverse();
    }
    items
}

#[test]
fn cut_and_flipped_ends_are_damage() {
    let order = KeyOrder::Bytewise;
    let items = items(5, &order, 40, 77);
    let disk = MemoryDisk::new();
    let meta = load(&disk, &order, TableOptions::default(), &items);
    let name = alloc::format!("{}", FileName::Table(NUMBER));
    let image = disk.image();
    let whole = image.get(&name).unwrap();
    let from = whole.len() - FOOTER_BYTES - 200;
    for at in from..whole.len() {
        for bit in 0..8 {
            let mut image = image.clone();
            image.get_mut(&name).unwrap()[at] ^= 1 << bit;
            let disk = MemoryDisk::from_image(&image);
            let opened = open_on(&disk, (NUMBER, meta.len), &order);
            let sound = opened.is_ok_and(|table| table.verify().unwrap().hurts.is_empty());
            assert!(!sound, "bit {bit} of byte {at}");
        }
    }
}

// A block under right checksums, in a table that says it was loaded, with an item that was not.
#[test]
fn loaded_table_with_another_sequence_in_a_block_is_damage() {
    let order = KeyOrder::Bytewise;
    let disk = MemoryDisk::new();
    let hasher = KeyHasher::new(SEED);
    let options = TableOptions::default();
    let mut writer =
        TableWriter::create(&disk, NUMBER, SEED, order.clone(), hasher, options).unwrap();
    writer.add(&Owned::put(b"a", LOADED, b"1").item()).unwrap();
    writer.add(&Owned::put(b"b", LOADED + 1, b"2").item()).unwrap();
    let (mut table, _) = writer.finish_loaded().unwrap();
    drop(table.place(&disk, 9).unwrap());
    let table = open_on(&disk, (NUMBER, table.meta().len), &order).unwrap();
    let hurts = table.verify().unwrap().hurts;
    assert_eq!(hurts.iter().map(|hurt| hurt.damage.what).collect::<Vec<_>>(), [Damage::Key]);
}

#[test]
fn properties_of_a_loaded_table_have_one_sequence_and_no_ranges() {
    let meta = TableMeta {
        number: 7,
        len: 500,
        first: b"a".to_vec(),
        last: b"b".to_vec(),
        entries: 2,
        min_seq: 9,
        max_seq: 9,
        ..TableMeta::default()
    };
    let properties = Properties {
        meta,
        keys: 2,
        data_blocks: 1,
        index_blocks: 0,
        prefix_bytes: 0,
        loaded: true,
        order: b"bytewise".to_vec(),
    };
    let decode = |change: &dyn Fn(&mut Properties)| {
        let mut changed = properties.clone();
        change(&mut changed);
        let mut bytes = Vec::new();
        changed.encode(&mut bytes).unwrap();
        Properties::decode(&bytes, 7, 500)
    };
    assert_eq!(decode(&|_| {}), Some(properties.clone()));
    assert_eq!(decode(&|p| p.meta.min_seq = 8), None);
    assert_eq!(decode(&|p| p.meta.ranges = 1), None);
    assert_eq!(decode(&|p| (p.meta.min_seq, p.meta.max_seq) = (0, 0)), None);
    let (id, mut end) = (FileId::new(SEED, 7), Vec::new());
    super::super::format::end(&mut end, id, 500, &properties, Footer::default()).unwrap();
    let footer = Footer::decode(&end[end.len() - FOOTER_BYTES..], id, 500 + end.len() as u64);
    assert!(footer.is_err(), "a footer at another place, and without an index");
}
