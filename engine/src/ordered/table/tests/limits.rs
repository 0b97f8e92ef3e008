//! Memory and open files stay within their limits, and filters keep what they promise.

use keelstone_vfs::{CountingDisk, Op};

use super::super::filter::{Filter, FilterBuilder};
use super::*;
use crate::error::Error;

fn key_of(n: usize) -> Vec<u8> {
    alloc::format!("key{n:08}").into_bytes()
}

#[test]
fn a_thousand_tables_and_a_gibibyte_go_through_16_handles_and_8_mebibytes() {
    const TABLES: u64 = 1000;
    const BYTES_MAX: usize = 8 << 20;
    let disk = MemoryDisk::new();
    let order = KeyOrder::Bytewise;
    let options = TableOptions { block_bytes: 32 << 10, ..TableOptions::default() };
    let value = vec![7; 32 << 10];
    let items: Vec<_> = (0..4).map(|n| Owned::put(&key_of(n), 1, &value)).collect();
    let metas: Vec<_> =
        (0..TABLES).map(|n| write(&disk, n, &order, options, (&items, &[]))).collect();
    let tables = TableCache::new(16, 1 << 20);
    let blocks = BlockCache::new(BYTES_MAX);
    let (mut bytes, mut round) = (0, 0);
    while bytes < 1 << 30 {
        for meta in &metas {
            let what = (meta.number, meta.len);
            let table = tables.get(meta.number, || open_on(&disk, what, &order)).unwrap();
            for item in &items {
                let hash = table.hasher.hash(&item.key);
                let found = table.get(&blocks, &item.key, hash, 1, |item| item.value.len());
                bytes += found.unwrap().unwrap();
            }
            assert!(tables.open_now() <= 16 && blocks.stats().bytes <= BYTES_MAX);
        }
        round += 1;
    }
    let stats = blocks.stats();
    assert!(round > 8 && stats.misses > 30_000, "{stats:?}");
    assert!(stats.max_bytes_seen <= BYTES_MAX && stats.max_bytes_seen > BYTES_MAX / 2, "{stats:?}");
    assert_eq!((tables.open_max(), tables.open_now()), (16, 16));
}

#[test]
fn the_table_cache_counts_what_readers_hold_and_opens_again_what_it_gave_up() {
    let disk = MemoryDisk::new();
    let order = KeyOrder::Bytewise;
    let items = [Owned::put(b"k", 1, b"v")];
    let options = TableOptions::default();
    let metas: Vec<_> = (0..9).map(|n| write(&disk, n, &order, options, (&items, &[]))).collect();
    let tables = TableCache::new(2, usize::MAX);
    let opens = core::cell::Cell::new(0);
    let open = |n: usize| {
        tables.get(n as u64, || {
            opens.set(opens.get() + 1);
            open_on(&disk, (n as u64, metas[n].len), &order)
        })
    };
    let pinned = open(0).unwrap();
    for n in [1, 2, 3, 1, 0, 0] {
        drop(open(n).unwrap());
    }
    // The pinned one stayed, as letting go of it would have closed nothing.
    assert_eq!((opens.get(), tables.open_now(), tables.open_max()), (5, 2, 2));
    let others: Vec<_> = (4..8).map(|n| open(n).unwrap()).collect();
    assert_eq!((tables.open_now(), tables.open_max()), (5, 5));
    drop((others, pinned));
    assert_eq!(tables.open_now(), 2);
    tables.remove(7);
    tables.remove(7);
    assert_eq!(tables.open_now(), 1);
    assert!(matches!(tables.get(8, || Err(Error::Closed)).map(|_| ()), Err(Error::Closed)));
    assert_eq!(tables.open_now(), 1, "a failed open leaves no place reserved");
    for n in [1, 2] {
        drop(open(n).unwrap());
    }
    assert_eq!((tables.open_now(), tables.open_max()), (2, 5));
}

#[test]
fn the_table_cache_keeps_within_its_bytes() {
    let disk = MemoryDisk::new();
    let order = KeyOrder::Bytewise;
    let items: Vec<_> = (0..500).map(|n| Owned::put(&key_of(n), 1, b"")).collect();
    let options = TableOptions::default();
    let metas: Vec<_> = (0..9).map(|n| write(&disk, n, &order, options, (&items, &[]))).collect();
    let one = open_on(&disk, (0, metas[0].len), &order).unwrap().memory_bytes();
    assert!(one > 600, "the filter is counted");
    for (limit, kept) in [(one - 1, 0), (one, 1), (3 * one + one / 2, 3)] {
        let tables = TableCache::new(100, limit);
        for meta in &metas {
            let open = || open_on(&disk, (meta.number, meta.len), &order);
            drop(tables.get(meta.number, open).unwrap());
            assert!(tables.bytes() <= limit);
        }
        assert_eq!((tables.bytes(), tables.open_now()), (kept * one, kept));
    }
    let none = TableCache::new(0, usize::MAX);
    drop(none.get(0, || open_on(&disk, (0, metas[0].len), &order)).unwrap());
    assert_eq!((none.open_now(), none.open_max()), (0, 1));
}

#[test]
fn the_block_cache_forgets_tables_and_keeps_nothing_too_large() {
    let order = KeyOrder::Bytewise;
    let value = vec![1; 3000];
    let mut items: Vec<_> = (0..40).map(|n| Owned::put(&key_of(n), 1, &value)).collect();
    items.push(Owned::put(b"z", 1, &vec![1; 300_000]));
    let table = build(&order, TableOptions::default(), &items, &[]).open().unwrap();
    let blocks = BlockCache::new(100_000);
    for _ in 0..2 {
        for item in &items {
            get(&table, &blocks, &item.key, 1).unwrap().unwrap();
        }
    }
    let stats = blocks.stats();
    assert!(stats.blocks > 20 && stats.max_bytes_seen <= 100_000, "{stats:?}");
    assert!(stats.bytes > stats.blocks * 3000, "{stats:?}");
    blocks.forget(NUMBER + 1);
    assert_eq!(blocks.stats().blocks, stats.blocks);
    blocks.forget(NUMBER);
    assert_eq!((blocks.stats().blocks, blocks.stats().bytes), (0, 0));
    let nothing = BlockCache::new(0);
    get(&table, &nothing, b"z", 1).unwrap().unwrap();
    assert_eq!(nothing.stats().max_bytes_seen, 0);
}

#[test]
fn what_is_wanted_again_stays() {
    let order = KeyOrder::Bytewise;
    let value = vec![1; 3000];
    let items: Vec<_> = (0..400).map(|n| Owned::put(&key_of(n), 1, &value)).collect();
    let table = build(&order, TableOptions::default(), &items, &[]).open().unwrap();
    let blocks = BlockCache::new(100_000);
    get(&table, &blocks, &items[0].key, 1).unwrap();
    for item in &items {
        get(&table, &blocks, &item.key, 1).unwrap();
        let misses = blocks.stats().misses;
        get(&table, &blocks, &items[0].key, 1).unwrap();
        assert_eq!(blocks.stats().misses, misses);
    }
}

#[test]
fn a_get_reads_one_block_and_none_where_the_filter_says_no() {
    let order = KeyOrder::Bytewise;
    let items: Vec<_> =
        (0..3000).map(|n| Owned::put(&key_of(n / 9), 9 - n as u64 % 9, b"v")).collect();
    let built = build(&order, TableOptions { block_bytes: 300, ..Default::default() }, &items, &[]);
    let disk = CountingDisk::new(built.disk.clone());
    let table = open_on(&disk, (NUMBER, built.meta.len), &order).unwrap();
    assert!(table.has_two_levels());
    let reads = || disk.counts().of(Op::Read);
    for item in &items {
        let before = reads();
        get(&table, &BlockCache::new(0), &item.key, item.seq).unwrap().unwrap();
        assert_eq!(reads() - before, 2, "one of the index, one of data");
    }
    let mut passed = 0;
    for n in 0..2000 {
        let (key, before) = (alloc::format!("key{n:08}x").into_bytes(), reads());
        assert_eq!(get(&table, &BlockCache::new(0), &key, 9).unwrap(), None);
        passed += usize::from(reads() > before);
    }
    assert!(passed < 60, "passed={passed}");
    let blocks = BlockCache::new(1 << 20);
    for expected in [2, 0] {
        let before = reads();
        get(&table, &blocks, &items[0].key, 9).unwrap().unwrap();
        assert_eq!(reads() - before, expected);
    }
}

#[test]
fn reading_ahead_reads_seldom_and_leaves_the_cache_alone() {
    let order = KeyOrder::Bytewise;
    let items: Vec<_> = (0..20_000).map(|n| Owned::put(&key_of(n), 1, &[7; 50])).collect();
    let built = build(&order, TableOptions::default(), &items, &[]);
    let disk = CountingDisk::new(built.disk.clone());
    let table = Arc::new(open_on(&disk, (NUMBER, built.meta.len), &order).unwrap());
    let blocks = Arc::new(BlockCache::new(8 << 20));
    let before = disk.counts().of(Op::Read);
    let mut cursor = TableCursor::new(Arc::clone(&table), Arc::clone(&blocks), Reading::ONCE);
    assert!(walk(&mut cursor, true).unwrap() == items);
    let reads = disk.counts().of(Op::Read) - before;
    assert!(reads < 12, "reads={reads} len={}", built.meta.len);
    assert_eq!(blocks.stats().blocks, 0);
}

/// How many of 100,000 keys that are not there pass a filter over 20,000 others, in hundredths of a percent.
fn false_positives(bits: usize) -> usize {
    let hasher = KeyHasher::new(SEED);
    let mut builder = FilterBuilder::default();
    for n in 0..20_000 {
        builder.add(hasher.hash(&key_of(n))).unwrap();
    }
    let filter = Filter::parse(builder.finish(bits).unwrap().unwrap()).unwrap();
    assert!(filter.memory_bytes() <= 20_000 * bits / 8 + 128);
    assert!((0..20_000).all(|n| filter.may_contain(hasher.hash(&key_of(n)))));
    (20_000..120_000).filter(|n| filter.may_contain(hasher.hash(&key_of(*n)))).count() / 10
}

#[test]
fn ten_bits_per_key_let_one_percent_pass() {
    let rates: Vec<_> = [1, 4, 8, 10, 14, 20].into_iter().map(false_positives).collect();
    assert!(rates.is_sorted_by(|a, b| a > b), "{rates:?}");
    assert!((70..130).contains(&rates[3]), "{rates:?}");
    assert!(rates[0] < 7000 && rates[1] < 1800 && rates[5] < 10, "{rates:?}");
    assert!(FilterBuilder::default().finish(10).unwrap().is_none());
}

#[cfg(feature = "std")]
#[test]
fn many_threads_share_tables_and_blocks_within_the_limits() {
    let disk = MemoryDisk::new();
    let order = KeyOrder::Bytewise;
    let items: Vec<_> = (0..200).map(|n| Owned::put(&key_of(n), 1, &key_of(n + 1))).collect();
    let options = TableOptions::default();
    let metas: Vec<_> = (0..20).map(|n| write(&disk, n, &order, options, (&items, &[]))).collect();
    let (tables, blocks) = (TableCache::new(5, 1 << 20), BlockCache::new(50_000));
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (metas, items, tables, blocks) = (&metas, &items, &tables, &blocks);
            let (disk, order) = (&disk, &order);
            scope.spawn(move || {
                let dice = &mut Dice::new(seed);
                for _ in 0..3000 {
                    let (meta, item) = (&metas[dice.below(20)], &items[dice.below(200)]);
                    let open = || open_on(disk, (meta.number, meta.len), order);
                    let table = tables.get(meta.number, open).unwrap();
                    assert_eq!(get(&table, blocks, &item.key, 1).unwrap().as_ref(), Some(item));
                }
            });
        }
    });
    assert!(tables.open_now() <= 5 && tables.open_max() <= 5 + 4, "{}", tables.open_max());
    assert!(blocks.stats().max_bytes_seen <= 50_000);
}
