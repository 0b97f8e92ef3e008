//! The models themselves: what is current and synced is what the fault disk says, and each model leaves what its
//! description says.

use std::collections::BTreeSet;
use std::sync::Arc;

use keelstone::vfs::{FaultDisk, Image, SyncMode, Trace, Vfs};
use keelstone::{Layout, Options};
use keelstone_host::crash::Store;

use super::{Cache, CrashModel, all};
use crate::rng::Rng;

/// Everything of a run, one operation after the other.
fn follow(trace: &Trace, mut at: impl FnMut(usize, &Cache, &[Box<dyn CrashModel>])) {
    let (mut cache, mut models) = (Cache::default(), all());
    for op in 0..=trace.len() {
        at(op, &cache, &models);
        if let Some(happened) = trace.happened(op) {
            models.iter_mut().for_each(|model| model.take(&happened, &cache));
            cache.take(&happened);
        }
    }
}

#[test]
fn what_is_current_and_synced_is_what_the_fault_disk_says() {
    for layout in [Layout::Hash, Layout::Ordered] {
        let program = "durable:a,big:a,big:a,compact,delete:a,compact,reopen".parse().unwrap();
        let adjust = Arc::new(|_: &mut Options| {});
        let (trace, _) = Store::new(layout, program, adjust).record().unwrap();
        let mut walk = trace.walk();
        follow(&trace, |op, cache, _| {
            walk.seek(op, 0);
            let current = cache.image(&cache.names, |file| file.current.clone());
            let synced = cache.image(&cache.synced_names, |file| file.synced.clone());
            assert_eq!(current, walk.disk().cached(), "{layout:?} {op}");
            assert_eq!(synced, walk.disk().durable(), "{layout:?} {op}");
        });
    }
}

/// What each model can leave at the end of a run, by its name.
fn left(trace: &Trace, name: &str) -> BTreeSet<Image> {
    let mut images = BTreeSet::new();
    follow(trace, |op, cache, models| {
        let model = models.iter().find(|model| model.name() == name).unwrap();
        if op == trace.len() {
            images = (0..3000).map(|seed| model.state(cache, &mut Rng::new(seed))).collect();
        }
    });
    images
}

fn image(files: &[(&str, &[u8])]) -> Image {
    files.iter().map(|(name, bytes)| ((*name).into(), bytes.to_vec())).collect()
}

/// A file with two synced bytes, one of them written again, two behind them; a file that nobody synced; one removed.
fn run() -> Trace {
    let disk = FaultDisk::recording();
    let file = disk.create("a").unwrap();
    disk.create("gone").unwrap();
    file.write_at(b"12", 0).unwrap();
    file.sync(SyncMode::All).unwrap();
    disk.sync_dir("").unwrap();
    disk.remove("gone").unwrap();
    disk.create("b").unwrap().write_at(b"x", 0).unwrap();
    file.write_at(b"A", 1).unwrap();
    file.write_at(b"BC", 2).unwrap();
    disk.trace()
}

#[test]
fn leveldb_leaves_what_was_synced_or_no_new_file() {
    let expected = [image(&[("a", b"12"), ("b", b"")]), image(&[("a", b"1ABC")])];
    assert_eq!(left(&run(), "LevelDB"), expected.into());
}

#[test]
fn rocksdb_leaves_prefixes_and_takes_new_files_back() {
    let left = left(&run(), "RocksDB");
    let a: BTreeSet<&[u8]> = left.iter().map(|image| image["a"].as_slice()).collect();
    assert_eq!(a, [b"12".as_slice(), b"1A", b"1AB", b"1ABC"].into());
    assert!(left.iter().any(|image| !image.contains_key("b")));
    assert!(left.iter().all(|image| !image.contains_key("gone")));
}

#[test]
fn pebble_leaves_blocks_and_undoes_removals() {
    let old = [("gone", b"".as_slice())];
    let lost = image(&[("a", b"12"), old[0]]);
    assert_eq!(left(&run(), "Pebble, 0 %"), [lost.clone()].into());
    let kept = image(&[("a", b"1ABC"), old[0]]);
    let mut expected = BTreeSet::from([lost, kept]);
    for image in expected.clone() {
        for b in [b"".as_slice(), b"x"] {
            let mut with = image.clone();
            with.insert("b".into(), b.to_vec());
            expected.insert(with);
        }
    }
    assert_eq!(left(&run(), "Pebble, 50 %"), expected);
}

#[test]
fn sqlite_leaves_writes_in_any_subset_and_garbage_within_their_range() {
    let left = left(&run(), "SQLite");
    for a in [b"12".as_slice(), b"1A", b"12BC", b"1ABC"] {
        assert!(left.iter().any(|image| image["a"] == a), "{a:?}");
    }
    assert!(left.iter().any(|image| !b"2A".contains(&image["a"][1])), "no garbage");
    assert!(left.iter().all(|image| image["a"][0] == b'1' && image.len() == 2));
}

#[test]
fn foundation_db_leaves_parts_of_sectors_and_no_file_that_nobody_synced() {
    let left = left(&run(), "FoundationDB");
    for a in [b"12".as_slice(), b"1ABC", b"1AB", b"12\0C"] {
        assert!(left.iter().any(|image| image["a"] == a), "{a:?}");
    }
    assert!(left.iter().all(|image| image["a"][0] == b'1' && image.len() == 1));
}

#[test]
fn a_write_is_cut_into_pages_where_they_lie_in_the_file() {
    let disk = FaultDisk::recording();
    let file = disk.create("a").unwrap();
    file.set_len(9000).unwrap();
    file.sync(SyncMode::All).unwrap();
    file.write_at(&[7; 5000], 4000).unwrap();
    let left = left(&disk.trace(), "FoundationDB");
    let whole =
        |image: &Image, range: std::ops::Range<usize>| image["a"][range].iter().all(|b| *b == 7);
    let none =
        |image: &Image, range: std::ops::Range<usize>| image["a"][range].iter().all(|b| *b == 0);
    assert!(left.iter().any(|image| whole(image, 4000..4096) && none(image, 4096..9000)));
    assert!(left.iter().any(|image| none(image, 0..4096) && whole(image, 4096..8192)));
    assert!(left.iter().all(|image| none(image, 0..4000)));
    let blocks = left_blocks(&disk.trace());
    assert_eq!(blocks, 8, "three blocks of Pebble, each old or new");
}

/// How many different files Pebble leaves.
fn left_blocks(trace: &Trace) -> usize {
    let left = left(trace, "Pebble, 50 %");
    left.iter().filter_map(|image| image.get("a")).collect::<BTreeSet<_>>().len()
}
