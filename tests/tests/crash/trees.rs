//! The bugs of log-structured trees, each with what set it off there. The original stands above each test;
//! `docs/known-bugs.md` has the whole list.

use std::sync::Arc;

use keelstone::lab::Bug;
use keelstone::vfs::{FaultDisk, PowerCut};
use keelstone::{Db, ManualClock, Write};
use keelstone_tests::crash::{
    Budget, Depth, ORDERED_CRASH_SHAPE, Recording, explore, fail_every_operation, fail_every_sync,
};
use keelstone_tests::differential::quietly;
use keelstone_tests::op::Op;
use keelstone_tests::shape::Shape;
use keelstone_tests::story::Story;
use keelstone_tests::tale::Tale;

/// Every operation of the story with every kind of cut, files torn at every 37th byte; recovery is crashed too.
fn crash(story: &Story, bug: Option<Bug>) -> Result<(), String> {
    let recording = Recording::new(Shape { bug, ..ORDERED_CRASH_SHAPE }, story.ops())?;
    let budget = Budget { depth: Depth::Twice, tear_every: 37, seeded: 2, ..Budget::OPERATIONS };
    explore(&recording, &budget).map(drop)
}

/// Crashes the story everywhere; with the mistake switched on it must fail.
fn crashed_and_sees(story: &Story, bug: Bug) {
    crash(story, None).unwrap_or_else(|error| panic!("{error}"));
    assert!(crash(story, Some(bug)).is_err(), "the story does not see {bug:?}");
}

fn delete_range(from: &str, to: &str) -> Op {
    let range = Write::DeleteRange { from: from.into(), to: to.into() };
    Op::Write { writes: vec![range], durable: false }
}

/// Flushes and a compaction, some of it synced.
fn compacted() -> Story {
    let mut story = Story::new();
    story.put("a", "1").put("z", "1").work(3).put("a", "2").put("z", "2").sync().work(12);
    story.put("a", "3").durable("b", "1").work(9);
    story
}

// LevelDB #189, goleveldb #335 and #351, Pebble #5825: the pointer to a manifest was durable before the manifest.
#[test]
fn leveldb_189_pointer_never_names_an_unsynced_manifest() {
    let mut story = compacted();
    story.put("c", "1").work(6).put("d", "1").work(6).sync();
    let recording = Recording::new(ORDERED_CRASH_SHAPE, story.ops()).unwrap();
    assert!(recording.count("create", ".manifest") >= 2, "the manifest was never replaced");
    crashed_and_sees(&story, Bug::CurrentBeforeManifest);
}

// LevelDB #193, fjall #282, RocksDB #12489: a newer log was synced before an older one, and recovery went over the hole.
#[test]
fn leveldb_193_older_logs_are_synced_first() {
    let mut story = Story::new();
    story.put("a", "1").put("b", "1").durable("c", "1").put("a", "2").durable("d", "1");
    crashed_and_sees(&story, Bug::OlderLogNotSynced);
}

// LevelDB #333, RocksDB #5287: the manifest named a table that was empty after a power cut.
#[test]
fn leveldb_333_table_is_durable_before_it_is_named() {
    crashed_and_sees(&compacted(), Bug::MergeOutputNotSynced);
}

// RocksDB #10573, sled #1229: a directory was not synced after a file in it was created.
#[test]
fn rocksdb_10573_directory_is_synced_after_creation() {
    crashed_and_sees(&compacted(), Bug::DirNotSynced);
}

// LevelDB #195: logs and an old manifest were removed before what made them superfluous was durable. Names that go early
// alone are among the cuts.
#[test]
fn leveldb_195_nothing_is_removed_too_early() {
    let mut story = compacted();
    story.op(delete_range("a", "c")).durable("e", "1").work(9).compact().reopen();
    story.put("a", "4").sync();
    crashed_and_sees(&story, Bug::LogsRemovedEarly);
    crashed_and_sees(&story, Bug::ManifestRemovedEarly);
}

// RocksDB #9634 and 14780, sled #851: a crash in the flush that follows a recovery, and another one after it.
#[test]
fn rocksdb_9634_second_crash_after_recovery_and_flush() {
    let mut story = Story::new();
    story.put("a", "1").durable("b", "1").put("c", "1").kill().work(4).put("a", "2").kill();
    story.work(9).durable("d", "1");
    crashed_and_sees(&story, Bug::RecoveryNotSynced);
}

// RocksDB #7621, Pebble #984, sled d64c36a9: what one recovery had cut off was there again at the next one.
#[test]
fn rocksdb_7621_what_was_cut_off_stays_away() {
    let mut story = Story::new();
    story.durable("a", "1").fill("x", 2).kill().put("b", "1").kill().durable("c", "1");
    crashed_and_sees(&story, Bug::AppendAfterTorn);
}

// RocksDB #4990 and #5379: the sync of a manifest failed, its tables were removed, and its edit was there after a restart.
#[test]
fn rocksdb_4990_failed_sync_of_the_manifest_keeps_its_tables() {
    let story = compacted();
    let fails = |bug| {
        let shape = Shape { bug, ..ORDERED_CRASH_SHAPE };
        fail_every_sync(shape, story.ops())
    };
    fails(None).unwrap_or_else(|error| panic!("{error}"));
    assert!(fails(Some(Bug::SyncRetried)).is_err(), "a retried sync is not seen");
}

// RocksDB #6316: after a failed append the manifest was written on, and was corrupt in its middle. RocksDB #6288: a read
// error in recovery passed for the end of a log.
#[test]
fn rocksdb_6316_nothing_is_appended_behind_a_failed_append() {
    let mut story = compacted();
    story.kill().put("c", "1").work(3);
    let fails = |bug| {
        let shape = Shape { bug, ..ORDERED_CRASH_SHAPE };
        fail_every_operation(shape, story.ops())
    };
    fails(None).unwrap_or_else(|error| panic!("{error}"));
    assert!(
        fails(Some(Bug::AppendAfterFailure)).is_err(),
        "an append behind a torn one is not seen"
    );
}

/// Tables and memtables are tiny, and nothing crashes.
const TALE: Shape = Shape { manifest_bytes: 0, ..ORDERED_CRASH_SHAPE };

/// Tells a tale; with each of the mistakes switched on it must fail.
fn told_and_sees(tell: fn(&mut Tale), bugs: &[Bug]) {
    tell(&mut Tale::new(TALE));
    for bug in bugs {
        let broken = quietly(|| {
            tell(&mut Tale::new(Shape { bug: Some(*bug), ..TALE }));
            Ok(())
        });
        println!("{bug:?}: {}", broken.as_ref().err().map_or("not seen", |error| error));
        assert!(broken.is_err(), "the tale does not see {bug:?}");
    }
}

// LevelDB issue 178: versions of one key stood in two tables of a level, a compaction took one of them, and what was
// deleted came back. A snapshot makes each key have many versions, and tables are small.
#[test]
fn leveldb_178_versions_of_a_key_are_not_parted() {
    let tell = |tale: &mut Tale| {
        for _ in 0..12 {
            tale.step(&Op::Snapshot).fill("k", 4).work();
        }
        tale.clear("k", 4).work().scan();
        for _ in 0..12 {
            tale.step(&Op::DropSnapshot(0)).step(&Op::Compact).scan();
        }
        tale.reopen().scan();
        assert_eq!(tale.model().len(), 0);
    };
    told_and_sees(tell, &[Bug::VersionsParted]);
}

// LevelDB issue 320: what a snapshot saw was gone after a manual compaction.
#[test]
fn leveldb_320_snapshot_survives_compactions() {
    let tell = |tale: &mut Tale| {
        tale.fill("k", 10).step(&Op::Snapshot).clear("k", 5).step(&delete_range("k5", "k9"));
        tale.step(&Op::ReadSnapshot(0)).work();
        tale.step(&Op::ReadSnapshot(0)).step(&Op::Compact).step(&Op::ReadSnapshot(0)).fill("k", 10);
        tale.step(&Op::Compact).step(&Op::ReadSnapshot(0)).step(&Op::DropSnapshot(0));
        tale.step(&Op::Compact).scan();
    };
    told_and_sees(tell, &[Bug::SnapshotIgnored, Bug::NewerRangeSeen]);
}

// LevelDB issue 200: an iterator that turned round over keys of several sources gave one of them twice or not at all.
#[test]
fn leveldb_200_walk_turns_round_anywhere() {
    let tell = |tale: &mut Tale| {
        tale.fill("k", 6).work().delete("k2").put("k3", "new");
        for turns in 0..4096 {
            let (from, to) = (b"k0".to_vec(), b"l".to_vec());
            tale.step(&Op::Range { from, to, reverse: turns % 2 == 1, turns });
        }
    };
    told_and_sees(tell, &[Bug::TurnForgotten]);
}

// A tombstone, or a range delete, that a partial compaction drops lets older keys below come back: a hazard of every tree.
#[test]
fn range_delete_hides_older_levels_until_they_are_merged() {
    let tell = |tale: &mut Tale| {
        tale.fill("k", 9).step(&Op::Compact).step(&delete_range("k2", "k8")).put("k5", "new");
        tale.delete("k0");
        for n in 0..12 {
            tale.put(&format!("m{n}"), "1").work().scan();
        }
        tale.kill().scan().step(&Op::Compact).scan().reopen().scan();
    };
    told_and_sees(tell, &[Bug::RangeDropped, Bug::TombstoneDropped]);
}

// Pebble and RocksDB cut range tombstones where a table ends: what lies between its last key and the first key of the
// next table is deleted too. Every second key is new, so that an old one lies in every gap.
#[test]
fn range_delete_reaches_over_the_gaps_between_tables() {
    let tell = |tale: &mut Tale| {
        let value = "v".repeat(100);
        for n in 10..40 {
            tale.put(&format!("k{n}"), &value);
        }
        tale.step(&Op::Compact).work();
        tale.put("l", &value).step(&Op::Snapshot).step(&delete_range("k10", "k40"));
        for n in (10..40).step_by(2) {
            tale.put(&format!("k{n}"), &value);
        }
        tale.work().scan();
    };
    told_and_sees(tell, &[Bug::RangeCutShort]);
}

// Found here: an expired key was there again. A flush lets the log go that knew the time, and the clock is set back.
#[test]
fn time_is_kept_when_a_flush_lets_its_log_go() {
    let tell = |bug| {
        // Why the grace: what has expired stays in its table.
        let shape = Shape { bug, grace_ms: 1_000_000, ..ORDERED_CRASH_SHAPE };
        let (disk, clock) = (FaultDisk::new(), ManualClock::new(1000));
        let db = Db::open(Arc::new(disk.clone()), shape.options(&clock)).unwrap();
        db.put_until("t", "short", 1500).unwrap();
        clock.set(2000);
        db.put("k", "1").unwrap();
        db.compact().unwrap();
        drop(db);
        let after = disk.power_cut(&PowerCut::Lost);
        let db = Db::open(Arc::new(after), shape.options(&ManualClock::new(10))).unwrap();
        let seen = (db.get("t").unwrap(), db.get("k").unwrap().is_some());
        if seen == (None, true) { Ok(()) } else { Err(format!("{seen:?}")) }
    };
    tell(None).unwrap();
    assert!(tell(Some(Bug::TimeForgotten)).is_err(), "a time that is forgotten is not seen");
}
