//! The bugs of Badger's value log, each with what set it off there. The original stands above each test.

use std::sync::Arc;

use keelstone::lab::Bug;
use keelstone::vfs::fault::{PowerCut, Rest};
use keelstone::vfs::{FaultDisk, Vfs};
use keelstone::{Batch, Db, Durability, Error, ManualClock};
use keelstone_tests::crash::{Budget, CRASH_SHAPE, Recording, explore};
use keelstone_tests::mirror::START_MS;
use keelstone_tests::model::put;
use keelstone_tests::op::{Op, value};
use keelstone_tests::shape::Shape;
use keelstone_tests::story::Story;

use crate::merges::{Part, crashed_and_sees, crashed_everywhere, holds};

fn open(disk: &FaultDisk, shape: Shape) -> keelstone::Result<Db> {
    Db::open(Arc::new(disk.clone()), shape.options(&ManualClock::new(START_MS)))
}

// Badger #153: value log n was not synced when n + 1 was filled; after a power cut n was short and the store did not
// start. LevelDB #193 and fjall #282 are the same.
#[test]
fn badger_153_older_log_is_synced_before_a_newer_one() {
    let mut story = Story::new();
    story.put("first", "1").fill("x", 9).durable("last", "2").fill("y", 9).sync();
    crashed_and_sees(&story, Bug::OlderLogNotSynced);
}

// Badger #155: a crash while the manifest was written, and the store did not start again. Every byte of it.
#[test]
fn badger_155_crash_at_every_byte_of_the_manifest() {
    let mut story = Story::new();
    story.fill("x", 6).sync().fill("x", 6).compact().reopen().put("k", "1").sync();
    let recording = Recording::new(CRASH_SHAPE, story.ops()).unwrap();
    assert!(recording.count("write", ".manifest") >= 5 && recording.count("write", "CURRENT") >= 1);
    let counts = explore(&recording, &Budget { seeded: 0, ..Budget::FULL });
    let counts = counts.unwrap_or_else(|error| panic!("{error}"));
    assert!(counts.points > 2000, "{counts:?}");
}

// Badger #434: the index pointed beyond the end of a value log that the power cut had made shorter.
#[test]
fn badger_434_hint_of_a_log_that_became_shorter() {
    let mut story = Story::new();
    story.fill("x", 20).work(12).put("k", "1").work(6);
    holds(&story, Part::Hint(3));
    crashed_everywhere(&story);
}

// Badger #613 and #616: a torn log that was not the last one had to be cut, which failed at every start for ever.
#[test]
fn badger_613_torn_log_that_is_not_the_last_opens_again_and_again() {
    let mut story = Story::new();
    story.durable("a", "1").fill("x", 20);
    let recording = Recording::new(CRASH_SHAPE, story.ops()).unwrap();
    let disk = recording.trace.disk_at(recording.trace.len(), 0);
    let logs: Vec<_> = disk.list("").unwrap().into_iter().filter(|n| n.ends_with(".log")).collect();
    assert!(logs.len() >= 3, "{logs:?}");
    let mut torn = 0;
    for file in &logs[..logs.len() - 1] {
        for bytes in (0..disk.pending_bytes(file)).step_by(50) {
            let cut = PowerCut::Torn { file: file.clone(), bytes, rest: Rest::Kept };
            let mut disk = disk.power_cut(&cut);
            for life in 0..4 {
                let db =
                    open(&disk, CRASH_SHAPE).unwrap_or_else(|e| panic!("{cut}, life {life}: {e}"));
                assert_eq!(db.get("a").unwrap().as_deref(), Some(&b"1"[..]));
                assert_eq!(db.contains(format!("life{}", life - 1)).unwrap(), life > 0);
                db.write(Batch::new().put(format!("life{life}"), "1"), Durability::Durable)
                    .unwrap();
                drop(db);
                disk = disk.power_cut(&PowerCut::Lost);
            }
            torn += 1;
        }
    }
    assert!(torn > 10, "only {torn} logs were torn");
}

// Badger #1076 and #740: all data, or that of weeks, was gone after a power cut although every write was synced.
#[test]
fn badger_1076_durable_writes_survive_a_power_cut_after_each() {
    let mut disk = FaultDisk::new();
    for life in 0..60 {
        let db = open(&disk, CRASH_SHAPE).unwrap_or_else(|error| panic!("life {life}: {error}"));
        assert_eq!(db.len().unwrap(), life * 2, "life {life}");
        db.write(Batch::new().put(format!("a{life}"), value(life, 100)), Durability::Durable)
            .unwrap();
        db.write(Batch::new().put(format!("b{life}"), "1"), Durability::Durable).unwrap();
        let _more = db.work().unwrap();
        let cuts = [PowerCut::Lost, PowerCut::Kept, PowerCut::Names, PowerCut::Seeded(life)];
        disk = disk.power_cut(&cuts[keelstone_tests::index(life % 4)]);
    }
}

// Badger #2000: of one transaction the value that was long enough for the value log was lost, and the rest was kept.
#[test]
fn badger_2000_batch_with_a_long_value_is_whole_or_absent() {
    let mut story = Story::new();
    let writes =
        vec![put("a", "1"), put("long", value(1, 500)), put("b", "2"), put("c", value(2, 90))];
    story.put("before", "1").op(Op::Write { writes, durable: false }).durable("after", "1");
    let recording = Recording::new(CRASH_SHAPE, story.ops()).unwrap();
    explore(&recording, &Budget::FULL).unwrap_or_else(|error| panic!("{error}"));
}

// Badger #541 (and fjall #311, LevelDB #251): damage in the middle of the log passed for a torn tail, and everything
// behind it was dropped without a word. The store was killed, so its last log has no footer and no mark in the manifest.
#[test]
fn badger_541_damage_in_the_middle_is_not_a_torn_tail() {
    let shape = Shape { segment_bytes: 4096, ..CRASH_SHAPE };
    let disk = FaultDisk::new();
    let db = open(&disk, shape).unwrap();
    for n in 0..10 {
        db.write(Batch::new().put(format!("k{n}"), value(n, 40)), Durability::Durable).unwrap();
    }
    drop(db);
    let log = disk.list("").unwrap().into_iter().find(|name| name.ends_with(".log")).unwrap();
    let bytes = disk.read_file(&log).unwrap();
    let last = bytes.windows(2).rposition(|w| w == b"k9").unwrap();
    let mut refused = 0;
    // Why not to the end: the last sync group before a crash stays ambiguous and is cut, which is reported.
    for at in 0..last - 120 {
        let damaged = disk.kill();
        damaged.flip(&log, at as u64, 5).unwrap();
        match open(&damaged, shape) {
            Err(Error::Corrupt(_) | Error::Version { .. }) => refused += 1,
            Err(error) => panic!("byte {at}: {error:?}"),
            Ok(db) => {
                let full =
                    (0..10).all(|n| db.get(format!("k{n}")).is_ok_and(|v| v == Some(value(n, 40))));
                assert!(full, "byte {at}: keys are missing without a word");
            }
        }
    }
    assert!(refused > last / 2, "only {refused} of {last} were refused");
}

// Badger #1353 ("value log truncate required"), #1023, #476, #1130: after an unclean end somebody had to pass an option.
#[test]
fn badger_1353_unclean_end_needs_no_option() {
    let mut story = Story::new();
    story.fill("x", 8).kill().fill("x", 8).work(20).kill().delete("x1").kill().kill().fill("y", 3);
    holds(&story, Part::Merge(1));
    crashed_everywhere(&story);
}
