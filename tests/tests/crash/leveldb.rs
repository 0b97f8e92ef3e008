//! The cases of LevelDB's tests of its log, of corruption and of recovery, told of an ordered store. Where LevelDB goes on
//! without what was acknowledged, this store says so.

use std::sync::Arc;

use keelstone::vfs::{Image, MemoryDisk, Vfs};
use keelstone::{Db, Error, Layout, ManualClock, OpenMode, Options};
use keelstone_tests::mirror::{START_MS, collect};
use keelstone_tests::op::value;
use keelstone_tests::rng::Rng;
use keelstone_tests::shape::Shape;

/// Everything stays in one log.
const ONE_LOG: Shape = Shape {
    layout: Layout::Ordered,
    memtable_bytes: 16 << 20,
    segment_bytes: 16 << 20,
    block_bytes: 256,
    table_bytes: 2048,
    ..Shape::TINY
};
/// A memtable holds some fifty records.
const TABLES: Shape = Shape { memtable_bytes: 80 << 10, ..ONE_LOG };

fn options(shape: Shape) -> Options {
    shape.options(&ManualClock::new(START_MS))
}

/// What is left of a store after `write`: closed, or killed.
fn image(shape: Shape, close: bool, write: impl FnOnce(&Db)) -> Image {
    let disk = MemoryDisk::new();
    let db = Db::open(Arc::new(disk.clone()), options(shape)).unwrap();
    write(&db);
    if close {
        db.close().unwrap();
    }
    drop(db);
    disk.image()
}

fn open(image: &Image, shape: Shape) -> keelstone::Result<Db> {
    Db::open(Arc::new(MemoryDisk::from_image(image)), options(shape))
}

/// The names of an image that end so, in order.
fn named(image: &Image, end: &str) -> Vec<String> {
    image.keys().filter(|name| name.ends_with(end)).cloned().collect()
}

fn key(n: u64) -> String {
    format!("key{n:04}")
}

fn fill(db: &Db, count: u64) {
    (0..count).for_each(|n| db.put(key(n), value(n, 100)).unwrap());
}

/// The numbers of the keys that are there, each with its own value; the rest must be refused aloud.
fn read(db: &Db, count: u64) -> (Vec<u64>, u64) {
    let (mut there, mut loud) = (Vec::new(), 0);
    for n in 0..count {
        match db.get(key(n)) {
            Ok(Some(found)) => {
                assert_eq!(found, value(n, 100), "{}", key(n));
                there.push(n);
            }
            Ok(None) => panic!("{} is missing without a word", key(n)),
            Err(Error::Corrupt(_)) => loud += 1,
            Err(error) => panic!("{}: {error:?}", key(n)),
        }
    }
    (there, loud)
}

fn is_corrupt<T>(result: &keelstone::Result<T>) -> bool {
    matches!(result, Err(Error::Corrupt(_)))
}

/// Repairs, opens, and says how many keys are there; the report has losses if some are not.
fn repaired(image: &Image, shape: Shape, count: u64) -> u64 {
    let disk: Arc<dyn Vfs> = Arc::new(MemoryDisk::from_image(image));
    let mut options = options(shape);
    options.mode = OpenMode::Existing;
    let report = keelstone::repair(&disk, &options).unwrap();
    assert!(keelstone::verify(&disk).unwrap().is_sound());
    let db = Db::open(disk, options).unwrap();
    let kept = db.len().unwrap();
    for entry in db.scan().and_then(collect).unwrap() {
        assert!((0..count).any(|n| entry.key == key(n).as_bytes() && entry.value == value(n, 100)));
    }
    assert!(kept == count || !report.lost.is_empty(), "{kept} of {count} without a word");
    db.put(key(0), "new").unwrap();
    assert_eq!(db.get(key(0)).unwrap().as_deref(), Some(&b"new"[..]), "an old write wins");
    kept
}

// log_test: empty and long records, sizes on both sides of every power of two, random sizes; a reopen appends.
#[test]
fn log_holds_records_of_every_size() {
    let mut rng = Rng::new(301);
    let mut sizes: Vec<usize> =
        (0..16).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]).collect();
    sizes.extend((0..500).map(|_| rng.index(300)));
    let half = sizes.len() / 2;
    let put = |db: &Db, from: usize, to: usize| {
        for (n, size) in sizes.iter().enumerate().take(to).skip(from) {
            db.put(key(n as u64), value(n as u64, *size)).unwrap();
        }
    };
    let disk = MemoryDisk::new();
    let db = Db::open(Arc::new(disk.clone()), options(ONE_LOG)).unwrap();
    put(&db, 0, half);
    drop(db);
    let db = Db::open(Arc::new(disk.clone()), options(ONE_LOG)).unwrap();
    put(&db, half, sizes.len());
    drop(db);
    let db = open(&disk.image(), ONE_LOG).unwrap();
    assert_eq!(db.len().unwrap(), sizes.len() as u64);
    for (n, size) in sizes.iter().enumerate() {
        assert_eq!(db.get(key(n as u64)).unwrap(), Some(value(n as u64, *size)), "size {size}");
    }
}

// log_test, "ReadStart" and its kin: reading begins at any record, and past the end there is nothing.
#[test]
fn log_is_read_from_every_record() {
    let image = image(ONE_LOG, false, |db| fill(db, 40));
    let db = open(&image, ONE_LOG).unwrap();
    for from in 1..=45 {
        let entries: Vec<_> = db.log_from(from).unwrap().collect::<Result<_, _>>().unwrap();
        let found: Vec<u64> = entries.iter().map(|entry| entry.sequence).collect();
        assert_eq!(found, (from..=40).collect::<Vec<_>>());
    }
}

// log_test, "TruncatedTrailingRecordIsIgnored" and "BadLengthAtEndIsIgnored": nobody was told that it is durable.
#[test]
fn torn_last_record_is_dropped_at_every_byte() {
    let whole = image(ONE_LOG, false, |db| fill(db, 9));
    let torn = image(ONE_LOG, false, |db| fill(db, 10));
    let log = named(&torn, ".log").pop().unwrap();
    let (from, to) = (end_of(&whole[&log]), end_of(&torn[&log]));
    assert!(to > from + 100);
    for len in from..to {
        let mut image = torn.clone();
        image.get_mut(&log).unwrap().truncate(len);
        let db = open(&image, ONE_LOG).unwrap_or_else(|error| panic!("cut at {len}: {error:?}"));
        assert_eq!(read(&db, 9).0.len(), 9);
        assert_eq!(db.get(key(9)).unwrap(), None, "cut at {len}");
    }
}

/// Where the bytes end behind which a log has only room.
fn end_of(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1)
}

// log_test, "ChecksumMismatch", "BadRecordType", "BadLength": LevelDB drops the block and goes on behind it, and the
// records of the block are gone. Here a closed store whose log is damaged anywhere does not open.
#[test]
fn damage_within_a_log_is_never_skipped() {
    let image = image(ONE_LOG, true, |db| fill(db, 20));
    let log = named(&image, ".log").pop().unwrap();
    let end = end_of(&image[&log]);
    for at in 0..end {
        let mut image = image.clone();
        image.get_mut(&log).unwrap()[at] ^= 0x40;
        match open(&image, ONE_LOG) {
            Err(Error::Corrupt(_) | Error::Version { .. }) => {}
            Err(error) => panic!("byte {at}: {error:?}"),
            Ok(db) => assert_eq!(read(&db, 20), ((0..20).collect(), 0), "byte {at}"),
        }
    }
}

// log_test, "ErrorJoinsRecords": two halves of records that damage has brought together are not one record.
#[test]
fn records_that_have_moved_together_are_not_joined() {
    let image = image(ONE_LOG, true, |db| fill(db, 10));
    let log = named(&image, ".log").pop().unwrap();
    let bytes = &image[&log];
    let at = |n: u64| bytes.windows(7).position(|w| w == key(n).as_bytes()).unwrap();
    let record = at(4) - at(3);
    for cut in [record, 2 * record, 16, 32] {
        let mut image = image.clone();
        image.get_mut(&log).unwrap().drain(at(3)..at(3) + cut);
        assert!(is_corrupt(&open(&image, ONE_LOG)), "{cut} bytes are gone, and nobody notices");
    }
}

// corruption_test, "Recovery": LevelDB reads 36 of 100 records and is content. Repair saves what there is, and lists.
#[test]
fn damaged_log_is_refused_and_repair_keeps_the_rest() {
    let mut image = image(ONE_LOG, true, |db| fill(db, 100));
    let log = named(&image, ".log").pop().unwrap();
    for at in [19, 5000] {
        image.get_mut(&log).unwrap()[64 + at] ^= 0x80;
    }
    assert!(is_corrupt(&open(&image, ONE_LOG)));
    let kept = repaired(&image, ONE_LOG, 100);
    assert!((90..100).contains(&kept), "{kept} were kept");
}

/// A closed store of 400 keys in tables.
fn with_tables() -> Image {
    let image = image(TABLES, true, |db| {
        fill(db, 400);
        db.compact().unwrap();
    });
    assert!(named(&image, ".table").len() > 5);
    image
}

// corruption_test, "TableFile", "TableFileIndexData", "TableFileRepair", "UnrelatedKeys".
#[test]
fn damaged_table_is_loud_and_others_are_not_touched() {
    let image = with_tables();
    let table = &named(&image, ".table")[2];
    let len = image[table].len();
    let mut partly = 0;
    for at in (0..len).step_by(37).chain([len - 1]) {
        let mut image = image.clone();
        image.get_mut(table).unwrap()[at] ^= 0x80;
        match open(&image, TABLES) {
            Err(error) => assert!(matches!(error, Error::Corrupt(_)), "byte {at}: {error:?}"),
            Ok(db) => {
                let (there, loud) = read(&db, 400);
                assert!(there.len() >= 200, "byte {at}: only {} are there", there.len());
                partly += u32::from(loud > 0);
                db.put("unrelated", "1").unwrap();
                assert_eq!(db.get("unrelated").unwrap().as_deref(), Some(&b"1"[..]));
            }
        }
    }
    assert!(partly > 10, "only {partly} were found by reading");
    let mut image = image.clone();
    image.get_mut(table).unwrap()[100] ^= 0x80;
    let kept = repaired(&image, TABLES, 400);
    assert!((200..400).contains(&kept), "{kept} were kept");
}

// corruption_test, "CompactionInputError": a compaction that meets damage says so and publishes nothing.
#[test]
fn compaction_of_a_damaged_table_is_refused() {
    let mut image = with_tables();
    let table = named(&image, ".table")[2].clone();
    image.get_mut(&table).unwrap()[100] ^= 0x80;
    let db = open(&image, TABLES).unwrap();
    let (before, loud) = read(&db, 400);
    assert!(loud > 0);
    db.delete_range(key(0), key(0)).unwrap();
    db.put(key(400), value(400, 100)).unwrap();
    for _ in 0..3 {
        assert!(is_corrupt(&db.compact()), "a damaged table was merged");
        assert_eq!(read(&db, 400), (before.clone(), loud), "a failed compaction changed something");
    }
    assert_eq!(db.get(key(400)).unwrap(), Some(value(400, 100)));
}

// corruption_test, "MissingDescriptor" and "CorruptedDescriptor"; recovery_test, "ManifestMissing".
#[test]
fn manifest_that_is_gone_or_damaged_is_refused_and_repaired() {
    let sound = with_tables();
    let manifest = named(&sound, ".manifest").pop().unwrap();
    let mut gone = sound.clone();
    gone.remove(&manifest);
    let mut damaged = sound.clone();
    damaged.get_mut(&manifest).unwrap()[..1000].fill(0);
    for image in [gone, damaged] {
        assert!(is_corrupt(&open(&image, TABLES)));
        assert_eq!(repaired(&image, TABLES, 400), 400);
    }
}

// recovery_test, "NoLogFiles" and "MultipleLogFiles": LevelDB opens without logs that are gone, and with logs that nobody
// wrote. Here every log that the manifest names must be there.
#[test]
fn log_that_is_gone_is_missed() {
    let shape = Shape { segment_bytes: 1024, ..ONE_LOG };
    let image = image(shape, true, |db| fill(db, 40));
    let logs = named(&image, ".log");
    assert!(logs.len() > 3);
    for log in &logs {
        let mut image = image.clone();
        image.remove(log);
        assert!(is_corrupt(&open(&image, shape)), "{log} is gone, and nobody notices");
    }
    let mut none = image.clone();
    none.retain(|name, _| !name.ends_with(".log"));
    assert!(is_corrupt(&open(&none, shape)));
}

// recovery_test, "MultipleMemTables": a log that is longer than memtables of today fills several of them.
#[test]
fn long_log_fills_several_memtables() {
    let image = image(Shape { segment_bytes: 4096, ..ONE_LOG }, false, |db| fill(db, 1000));
    let db = open(&image, TABLES).unwrap();
    assert_eq!(read(&db, 1000).0.len(), 1000);
    while db.work().unwrap() {}
    let stats = db.stats().unwrap().ordered.unwrap();
    assert!(stats.flushes >= 3, "{stats:?}");
    assert_eq!(read(&db, 1000).0.len(), 1000);
}

// recovery_test, "LargeManifestCompacted" and "LogFileReuse": opening again and again piles nothing up.
#[test]
fn many_opens_pile_nothing_up() {
    let shape = Shape { manifest_bytes: 500, ..TABLES };
    let disk = MemoryDisk::new();
    for life in 0..40_u64 {
        let db = Db::open(Arc::new(disk.clone()), options(shape)).unwrap();
        assert_eq!(read(&db, life).0.len() as u64, life);
        db.put(key(life), value(life, 100)).unwrap();
        if life % 2 == 0 {
            db.close().unwrap();
        }
    }
    let image = disk.image();
    let files = (named(&image, ".manifest").len(), image.len());
    assert!(files.0 == 1 && files.1 < 12, "{:?}", image.keys());
    let manifest = &image[&named(&image, ".manifest")[0]];
    assert!(manifest.len() < 4096, "{} bytes", manifest.len());
}
