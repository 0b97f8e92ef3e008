//! Bulk loads: there at once or not at all, newer than what was written before, older than what comes after.

use std::sync::Arc;

use keelstone::vfs::{FaultDisk, Kind, MemoryDisk, Vfs, fault::Fault};
use keelstone::{
    Batch, BulkLoad, Comparator, Db, Durability, Entry, Error, Invalid, Layout, ManualClock,
};
use keelstone_tests::differential::play;
use keelstone_tests::disk::DiskKind;
use keelstone_tests::mirror::START_MS;
use keelstone_tests::op::Generator;
use keelstone_tests::rng::{Rng, seeds};
use keelstone_tests::shape::Shape;
use keelstone_tests::tally::Tally;

const SHAPE: Shape = Shape { layout: Layout::Ordered, table_bytes: 1024, ..Shape::TINY };

fn open(vfs: &Arc<dyn Vfs>) -> Db {
    Db::open(Arc::clone(vfs), SHAPE.options(&ManualClock::new(START_MS))).unwrap()
}

fn memory() -> (Arc<dyn Vfs>, Db) {
    let vfs: Arc<dyn Vfs> = Arc::new(MemoryDisk::new());
    let db = open(&vfs);
    (vfs, db)
}

/// A load of keys with this value, not finished.
fn begin<K: AsRef<[u8]>>(db: &Db, keys: impl IntoIterator<Item = K>, value: &str) -> BulkLoad {
    let mut load = db.bulk_load().unwrap();
    keys.into_iter().for_each(|key| load.put(key, value, None).unwrap());
    load
}

fn load<K: AsRef<[u8]>>(db: &Db, keys: impl IntoIterator<Item = K>, value: &str) -> u64 {
    begin(db, keys, value).finish().unwrap()
}

fn key(n: u64) -> String {
    format!("k{n:04}")
}

fn text(db: &Db, key: &str) -> Option<String> {
    db.get(key).unwrap().map(|value| String::from_utf8(value).unwrap())
}

fn tables(vfs: &Arc<dyn Vfs>) -> usize {
    vfs.list("").unwrap().iter().filter(|name| name.ends_with(".table")).count()
}

fn level_tables(db: &Db) -> [u64; 7] {
    db.stats().unwrap().ordered.unwrap().levels.map(|level| level.tables)
}

// Seeded runs of everything, and loads in between.
#[test]
fn store_and_model_agree_with_loads_in_between() {
    let mut tally = Tally::default();
    let seeds = seeds(4000, 150);
    for seed in &seeds {
        let mut rng = Rng::new(*seed);
        let random = Shape::random(&mut rng);
        let shape = random.ordered(&mut rng);
        let keys = *rng.pick(&[3, 10, 40]);
        let mut generator = Generator::new(Rng::new(rng.bits()), keys, START_MS).ordered();
        let mut op = || if rng.percent(8) { generator.load() } else { generator.any_op() };
        let ops: Vec<_> = (0..300).map(|_| op()).collect();
        let played = play(DiskKind::Memory, shape, &ops);
        tally.merge(&played.unwrap_or_else(|error| panic!("seed {seed}: {error}")));
    }
    if seeds.len() > 1 {
        let wanted = [
            ("loads", 2000),
            ("range_deletes", 300),
            ("snapshot_reads", 100),
            ("kills", 200),
            ("merged_away", 200),
            ("backups", 50),
        ];
        tally.at_least(&wanted);
    }
}

#[test]
fn nobody_sees_a_load_before_it_is_published_and_everybody_afterwards() {
    let (_, db) = memory();
    db.put("a", "old").unwrap();
    let before = db.snapshot().unwrap();
    let load = begin(&db, ["a", "b"], "new");
    assert_eq!((load.len(), load.is_empty()), (2, false));
    let between = db.snapshot().unwrap();
    assert_eq!((text(&db, "a").as_deref(), text(&db, "b")), (Some("old"), None));
    assert_eq!(load.finish().unwrap(), 2);
    assert_eq!((text(&db, "a").as_deref(), text(&db, "b").as_deref()), (Some("new"), Some("new")));
    for old in [&before, &between] {
        assert_eq!(old.get("a").unwrap().as_deref(), Some(&b"old"[..]));
        assert_eq!((old.get("b").unwrap(), old.scan().unwrap().count()), (None, 1));
    }
    db.compact().unwrap();
    assert_eq!(before.get("a").unwrap().as_deref(), Some(&b"old"[..]));
    assert_eq!(db.snapshot().unwrap().sequence(), 2);
    assert_eq!(db.len().unwrap(), 2);
}

#[test]
fn writes_until_the_publication_are_older_and_those_behind_it_newer() {
    let (vfs, db) = memory();
    db.put("a", "before").unwrap();
    let load = begin(&db, ["a", "b", "c", "d"], "load");
    db.put("b", "between").unwrap();
    db.delete("c").unwrap();
    db.delete_range("d", "e").unwrap();
    assert_eq!(load.finish().unwrap(), 5);
    for key in ["a", "b", "c", "d"] {
        assert_eq!(text(&db, key).as_deref(), Some("load"), "{key}");
    }
    db.put("a", "after").unwrap();
    db.delete("b").unwrap();
    db.delete_range("c", "d").unwrap();
    let seen = |db: &Db| ["a", "b", "c", "d"].map(|key| text(db, key));
    let right = [Some("after".to_owned()), None, None, Some("load".to_owned())];
    assert_eq!(seen(&db), right);
    db.compact().unwrap();
    assert_eq!(seen(&db), right);
    db.close().unwrap();
    let db = open(&vfs);
    assert_eq!((seen(&db), db.sequence()), (right, 8));
}

#[test]
fn keys_that_do_not_ascend_end_the_load_and_leave_nothing() {
    for last in ["k0499", "k0001", "a"] {
        let (vfs, db) = memory();
        let mut load = begin(&db, (0..500).map(key), "some value");
        assert!(tables(&vfs) > 3);
        let unsorted = Err(Error::Invalid(Invalid::Unsorted));
        assert_eq!(load.put(last, "x", None), unsorted);
        assert_eq!(tables(&vfs), 0, "its files are gone");
        assert_eq!(load.put("z", "x", None), unsorted, "it has ended");
        assert_eq!(load.finish().map(drop), unsorted);
        assert_eq!((db.len().unwrap(), db.sequence()), (0, 0));
    }
}

#[test]
fn limits_hold_for_loads() {
    let (_, db) = memory();
    let put = |key: &[u8], value: &[u8]| db.bulk_load().unwrap().put(key, value, None);
    assert_eq!(put(b"", b"v"), Err(Error::Invalid(Invalid::EmptyKey)));
    let refused = put(&[b'k'; 65_536], b"v");
    assert!(matches!(refused, Err(Error::Invalid(Invalid::KeyTooLong { .. }))), "{refused:?}");
    let refused = put(b"k", &vec![0; (1 << 20) + 1]);
    assert!(matches!(refused, Err(Error::Invalid(Invalid::ValueTooLong { .. }))), "{refused:?}");
    assert_eq!(put(&[b'k'; 65_535], &vec![0; 1 << 20]), Ok(()));
}

#[test]
fn load_without_keys_changes_nothing() {
    let (vfs, db) = memory();
    db.put("a", "1").unwrap();
    let before = vfs.list("").unwrap();
    assert_eq!(db.bulk_load().unwrap().finish(), Ok(1));
    assert_eq!((vfs.list("").unwrap(), db.sequence()), (before, 1));
}

#[test]
fn dropped_load_leaves_no_file() {
    let (vfs, db) = memory();
    let load = begin(&db, (0..500).map(key), "some value");
    assert!(tables(&vfs) > 3);
    drop(load);
    assert_eq!((tables(&vfs), db.len().unwrap()), (0, 0));
}

#[test]
fn log_says_that_it_lacks_the_load() {
    let (vfs, db) = memory();
    db.put("a", "1").unwrap();
    db.put("b", "2").unwrap();
    let before = db.log_from(1).unwrap();
    assert_eq!(load(&db, ["b", "c"], "load"), 3);
    assert_eq!(before.count(), 2, "who was reading goes on");
    let read = |db: &Db, from| {
        let log = db.log_from(from)?;
        log.map(|entry| entry.map(|entry| entry.sequence)).collect::<Result<Vec<u64>, Error>>()
    };
    for from in 1..=3 {
        assert_eq!(read(&db, from), Err(Error::MergedAway { oldest: 4 }));
    }
    assert_eq!(read(&db, 4), Ok(vec![]));
    db.put("d", "4").unwrap();
    assert_eq!(read(&db, 4), Ok(vec![4]));
    drop(db);
    let db = open(&vfs);
    assert_eq!(read(&db, 3), Err(Error::MergedAway { oldest: 4 }));
    assert_eq!(read(&db, 4), Ok(vec![4]));
}

#[test]
fn load_is_durable_with_everything_before_it() {
    let disk = FaultDisk::new();
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let db = open(&vfs);
    let mut batch = Batch::new();
    batch.put("a", "buffered");
    db.write(&batch, Durability::Buffered).unwrap();
    assert_eq!(load(&db, ["b", "c"], "load"), 2);
    assert_eq!(db.durable_sequence(), 2);
    let lost: Arc<dyn Vfs> = Arc::new(disk.power_cut(&keelstone::vfs::PowerCut::Lost));
    let db = open(&lost);
    assert_eq!((db.len().unwrap(), db.sequence()), (3, 2));
    db.put("d", "next").unwrap();
    assert_eq!(db.sequence(), 3);
}

#[test]
fn tables_go_as_deep_as_nothing_overlaps() {
    let (_, db) = memory();
    load(&db, (0..200).map(key), &"first ".repeat(5));
    let deep = level_tables(&db)[6];
    assert!(deep > 3);
    load(&db, (300..400).map(key), &"beside it ".repeat(5));
    let more = level_tables(&db)[6];
    assert!(more > deep);
    // One that begins among the others and ends behind all of them: each of its tables has a level of its own.
    let over = "over and behind ".repeat(5);
    load(&db, (390..600).map(key), &over);
    let [.., five, six] = level_tables(&db);
    assert!(five >= 1 && six > more, "{five} {six}");
    load(&db, (0..1).map(key), "again");
    load(&db, (0..1).map(key), "and again");
    db.put(key(0), "newest of all").unwrap();
    db.put("zzz", "in the same table").unwrap();
    load(&db, ["k0000", "zz"], "over the memtable");
    let newest = level_tables(&db)[0];
    assert_eq!(newest, 2, "the memtable's table, and above it that of the load");
    assert_eq!(text(&db, &key(0)).as_deref(), Some("over the memtable"));
    assert_eq!(text(&db, "zzz").as_deref(), Some("in the same table"));
    assert_eq!(text(&db, &key(395)), Some(over));
    assert!(db.verify().unwrap().is_sound());
    assert_eq!(db.len().unwrap(), 502);
}

// A compaction of tables on both sides of a gap may write one table over the gap; a load into the gap meanwhile must
// stand above it.
#[test]
fn load_between_the_inputs_of_a_running_compaction_stands_above_its_outputs() {
    let (_, db) = memory();
    for n in 0..6 {
        db.put("a", format!("{n}")).unwrap();
        db.put("z", format!("{n}")).unwrap();
        // Why: each load over what the memtable holds makes it a table of level 0.
        load(&db, ["a", "z"], &format!("load {n}"));
    }
    let mut steps = 0;
    while let Some(mut job) = db.take_job() {
        load(&db, [format!("m{steps:02}")], "in the gap");
        let more = job.step().unwrap();
        load(&db, [format!("n{steps:02}")], "in the gap");
        db.give_back(job);
        steps += u64::from(more);
        assert!(db.verify().unwrap().is_sound());
        if steps > 6 {
            break;
        }
    }
    assert!(steps > 2, "a compaction of several steps ran, not {steps}");
    assert_eq!(text(&db, "m00").as_deref(), Some("in the gap"));
    assert_eq!(text(&db, "a").as_deref(), Some("load 5"));
    db.compact().unwrap();
    assert_eq!(text(&db, "n01").as_deref(), Some("in the gap"));
}

#[test]
fn range_tombstones_of_every_age_are_obeyed() {
    let (_, db) = memory();
    db.put("b", "1").unwrap();
    db.delete_range("a", "y").unwrap();
    db.compact().unwrap();
    let held = db.snapshot().unwrap();
    db.delete_range("a", "m").unwrap();
    load(&db, ["b", "n"], "over both");
    assert_eq!(text(&db, "b").as_deref(), Some("over both"));
    db.delete_range("c", "z").unwrap();
    assert_eq!((text(&db, "b").as_deref(), text(&db, "n")), (Some("over both"), None));
    load(&db, ["n"], "again");
    db.compact().unwrap();
    assert_eq!(text(&db, "n").as_deref(), Some("again"));
    assert_eq!(held.scan().unwrap().count(), 0);
}

#[test]
fn keys_of_a_load_expire() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemoryDisk::new());
    let clock = ManualClock::new(START_MS);
    let db = Db::open(Arc::clone(&vfs), SHAPE.options(&clock)).unwrap();
    let mut load = db.bulk_load().unwrap();
    load.put("a", "1", Some(START_MS + 10)).unwrap();
    load.put("b", "2", Some(START_MS)).unwrap();
    load.put("c", "3", None).unwrap();
    load.finish().unwrap();
    let keys = |db: &Db| db.scan().unwrap().map(|e| e.unwrap().key).collect::<Vec<_>>();
    assert_eq!(keys(&db), [b"a", b"c"]);
    clock.advance(10);
    assert_eq!(keys(&db), [b"c"]);
}

struct Backward;

impl Comparator for Backward {
    fn name(&self) -> &str {
        "backward"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> std::cmp::Ordering {
        b.cmp(a)
    }
}

#[test]
fn order_of_ones_own_is_the_order_of_a_load() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemoryDisk::new());
    let mut options = SHAPE.options(&ManualClock::new(START_MS));
    options.comparator = Some(Arc::new(Backward));
    let db = Db::open(Arc::clone(&vfs), options).unwrap();
    load(&db, ["c", "b", "a"], "x");
    let refused = begin(&db, ["b"], "x").put("c", "x", None);
    assert_eq!(refused, Err(Error::Invalid(Invalid::Unsorted)));
    let keys: Vec<_> = db.scan().unwrap().map(|e| e.unwrap().key).collect();
    assert_eq!(keys, [b"c", b"b", b"a"]);
}

#[test]
fn hash_layout_and_closed_or_read_only_stores_refuse_loads() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemoryDisk::new());
    let clock = ManualClock::new(START_MS);
    let db = Db::open(Arc::clone(&vfs), Shape::TINY.options(&clock)).unwrap();
    assert!(matches!(db.bulk_load(), Err(Error::Unsupported(_))));
    let (vfs, db) = memory();
    let mut begun = begin(&db, ["a"], "1");
    db.close().unwrap();
    assert_eq!(begun.put("b", "2", None), Err(Error::Closed));
    assert_eq!(begun.finish(), Err(Error::Closed));
    assert_eq!(db.bulk_load().err(), Some(Error::Closed));
    assert_eq!(tables(&vfs), 1, "a directory that may be another's is not touched");
    let db = Db::open(Arc::clone(&vfs), SHAPE.read_only(&clock)).unwrap();
    assert_eq!(db.bulk_load().err(), Some(Error::ReadOnly { after_failed_sync: false }));
    drop(db);
    assert_eq!((open(&vfs).len().unwrap(), tables(&vfs)), (0, 0), "the next open removes it");
}

#[test]
fn full_disk_ends_a_load_and_leaves_the_store_as_it_was() {
    let disk = FaultDisk::new();
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let db = open(&vfs);
    db.put("a", "1").unwrap();
    let mut load = begin(&db, (0..300).map(key), "some value");
    disk.inject(Fault::once(disk.ops(), Kind::NoSpace));
    let ended = (300..2000).find_map(|n| load.put(key(n), "some value", None).err());
    assert_eq!(ended, Some(Error::OutOfSpace));
    assert_eq!(load.finish(), Err(Error::OutOfSpace));
    assert_eq!((tables(&vfs), db.len().unwrap()), (0, 1));
    db.put("b", "2").unwrap();
    assert_eq!(self::load(&db, (0..300).map(key), "some value"), 3);
}

#[test]
fn writers_and_loads_at_once_end_and_agree() {
    let (vfs, db) = memory();
    std::thread::scope(|scope| {
        for writer in 0..3_u64 {
            let db = db.clone();
            scope.spawn(move || {
                for n in 0..400 {
                    db.put(key(n * 7 % 50), format!("writer {writer}")).unwrap();
                    db.put(format!("own {writer} {n:03}"), "kept").unwrap();
                }
            });
        }
        for loader in 0..2 {
            let db = db.clone();
            scope.spawn(move || {
                for n in 0..15 {
                    load(&db, (0..50).map(key), &format!("loader {loader} {n}"));
                    load(&db, [format!("load {loader} {n:02}")], "kept");
                }
            });
        }
    });
    let entries: Vec<Entry> = db.scan().unwrap().collect::<Result<_, _>>().unwrap();
    let kept = entries.iter().filter(|entry| entry.value == b"kept").count();
    assert_eq!((kept, entries.len()), (3 * 400 + 2 * 15, 50 + 3 * 400 + 2 * 15));
    assert_eq!(db.sequence(), 3 * 800 + 2 * 30);
    assert_eq!(db.stats().unwrap().ordered.unwrap().loads, 60);
    drop(db);
    let db = open(&vfs);
    let again: Vec<Entry> = db.scan().unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(again, entries);
}

#[test]
fn loads_are_counted_and_survive_backup_and_repair() {
    let (vfs, db) = memory();
    load(&db, (0..100).map(key), "older");
    load(&db, (50..150).map(key), "newer");
    let stats = db.stats().unwrap().ordered.unwrap();
    assert_eq!((stats.loads, stats.load_bytes), (2, stats.levels.iter().map(|l| l.bytes).sum()));
    assert_eq!(stats.write_amplification_percent(), 100);
    let copy: Arc<dyn Vfs> = Arc::new(MemoryDisk::new());
    db.backup(&copy, 9).unwrap();
    let all = |db: &Db| db.scan().unwrap().collect::<Result<Vec<Entry>, Error>>().unwrap();
    let right = all(&db);
    assert_eq!(all(&open(&copy)), right);
    db.close().unwrap();
    drop(db);
    assert!(keelstone::verify(&vfs).unwrap().is_sound());
    // Without CURRENT and manifest the tables themselves must know which of them is newer.
    for name in vfs.list("").unwrap() {
        if name == "CURRENT" || name.ends_with(".manifest") {
            vfs.remove(&name).unwrap();
        }
    }
    let options = SHAPE.options(&ManualClock::new(START_MS));
    keelstone::repair(&vfs, &options).unwrap();
    assert_eq!(all(&open(&vfs)), right);
}
