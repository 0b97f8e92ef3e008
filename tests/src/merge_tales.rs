//! What merges must do without crashes, one tale each: what must not come back, what must stay, what goes on meanwhile.
//!
//! Called by the tests of the engine, and with every switchable bug on by the test of the crash loops. The names begin with
//! the bug of another engine where there is one. Promise: a tale panics where store and model disagree.
#![allow(clippy::missing_panics_doc, reason = "each of them is a test and stops with a panic")]

use keelstone::vfs::Access;
use keelstone::{FileName, Job, ManualClock};

use crate::mirror::START_MS;
use crate::op::Op;
use crate::shape::Shape;
use crate::tale::Tale;

/// Its name, and what plays it on a store of that shape.
pub type Named = (&'static str, fn(Shape));

/// All of them.
pub const ALL: &[Named] = &[
    ("bitcask_82_partial_merge_does_not_resurrect", bitcask_82_partial_merge_does_not_resurrect),
    (
        "overwritten_twice_and_deleted_stays_away_when_only_the_newest_file_is_merged",
        overwritten_twice_and_deleted_stays_away_when_only_the_newest_file_is_merged,
    ),
    (
        "expired_value_keeps_hiding_the_older_one_after_a_merge",
        expired_value_keeps_hiding_the_older_one_after_a_merge,
    ),
    (
        "candystore_tombstone_of_an_absent_key_is_kept_while_an_older_file_remains",
        candystore_tombstone_of_an_absent_key_is_kept_while_an_older_file_remains,
    ),
    ("bitcask_128_tombstones_go_away_in_the_end", bitcask_128_tombstones_go_away_in_the_end),
    ("bitcask_148_delete_during_a_merge_wins", bitcask_148_delete_during_a_merge_wins),
    (
        "put_and_get_between_every_two_steps_of_a_merge",
        put_and_get_between_every_two_steps_of_a_merge,
    ),
    ("snapshot_across_merges_shows_its_own_records", snapshot_across_merges_shows_its_own_records),
    (
        "record_overwritten_between_copy_and_move_stays_out_of_older_snapshots",
        record_overwritten_between_copy_and_move_stays_out_of_older_snapshots,
    ),
    ("bitcask_hints_know_tombstones", bitcask_hints_know_tombstones),
    ("bitcask_expiry_does_not_merge_without_end", bitcask_expiry_does_not_merge_without_end),
    ("badger_1995_space_comes_back_by_itself", badger_1995_space_comes_back_by_itself),
    (
        "badger_1756_two_jobs_at_a_time_do_not_spoil_the_manifest",
        badger_1756_two_jobs_at_a_time_do_not_spoil_the_manifest,
    ),
    (
        "bitcask_timeshift_newer_write_wins_with_the_clock_set_back",
        bitcask_timeshift_newer_write_wins_with_the_clock_set_back,
    ),
    (
        "job_that_is_dropped_half_way_leaves_nothing_behind",
        job_that_is_dropped_half_way_leaves_nothing_behind,
    ),
];

/// Puts `key` in the oldest file, and makes sure that this file has nothing else dead.
fn old_value(shape: Shape) -> Tale {
    let mut tale = Tale::new(shape);
    tale.put("k", "old").rotate();
    tale
}

/// Fills a log with what will be dead at once, together with what `write` does, and closes it.
fn mostly_dead(tale: &mut Tale, write: impl Fn(&mut Tale)) {
    tale.fill("dead", 8);
    write(tale);
    tale.rotate();
    tale.fill("dead", 8).rotate();
}

/// Bitcask #82: a merge of some files dropped a tombstone; an older file that was no input still had the value, and the
/// key came back at the next start.
pub fn bitcask_82_partial_merge_does_not_resurrect(shape: Shape) {
    let mut tale = old_value(shape);
    let oldest = tale.records()[0];
    mostly_dead(&mut tale, |tale| {
        tale.delete("k");
    });
    tale.merge_once();
    assert!(tale.records().contains(&oldest), "the merge was not partial");
    tale.reopen().scan().work().reopen().scan().kill().scan();
}

/// As its name says.
pub fn overwritten_twice_and_deleted_stays_away_when_only_the_newest_file_is_merged(shape: Shape) {
    let mut tale = old_value(shape);
    tale.put("k", "middle").rotate();
    let older: Vec<_> = tale.records()[..2].to_vec();
    mostly_dead(&mut tale, |tale| {
        tale.put("k", "new").delete("k");
    });
    tale.merge_once();
    assert!(older.iter().all(|f| tale.records().contains(f)), "the merge took an older file");
    tale.reopen().scan().work().reopen().scan();
}

/// As its name says.
pub fn expired_value_keeps_hiding_the_older_one_after_a_merge(shape: Shape) {
    let shape = Shape { grace_ms: 0, ..shape };
    let mut tale = old_value(shape);
    let oldest = tale.records()[0];
    mostly_dead(&mut tale, |tale| {
        tale.put_until("k", "short", START_MS + 10);
    });
    tale.step(&Op::Advance(20)).scan();
    tale.merge_once();
    assert!(tale.records().contains(&oldest), "the merge was not partial");
    tale.reopen().scan().work().reopen().scan();
}

/// CandyStore 1.2.2: "when an older file remains, deletion markers for absent keys are preserved". A second tombstone of
/// a key that is absent already must be kept as long as any older file may have the value.
pub fn candystore_tombstone_of_an_absent_key_is_kept_while_an_older_file_remains(shape: Shape) {
    let mut tale = old_value(shape);
    let oldest = tale.records()[0];
    tale.delete("k");
    mostly_dead(&mut tale, |tale| {
        tale.delete("k").delete("never-there");
    });
    tale.work();
    assert!(tale.records().contains(&oldest), "the oldest file was merged");
    tale.reopen().scan().kill().scan();
}

/// Bitcask #102, #128, #156: tombstones are dropped only when nothing older is left, and then they are.
pub fn bitcask_128_tombstones_go_away_in_the_end(shape: Shape) {
    let mut tale = Tale::new(shape);
    tale.fill("k", 40).clear("k", 40).rotate();
    tale.step(&Op::Compact).reopen().step(&Op::Compact);
    tale.scan();
    let stats = tale.stats();
    assert!(stats.dead_bytes * 4 <= stats.live_bytes + 1024, "tombstones pile up: {stats:?}");
}

/// How often a tale held a merge before it was published, and between that and its last move.
#[derive(Debug, Default)]
struct Moments {
    copying: u32,
    moving: u32,
}

impl Moments {
    /// Takes the merge that `Tale::begin_merge` began, runs so many steps of it, and notes where it stands.
    fn hold(&mut self, tale: &Tale, steps: usize) -> Job {
        let mut job = tale.db().take_job().expect("the merge that was begun");
        let ended = (0..steps).any(|_| !job.step().unwrap());
        self.copying += u32::from(tale.is_copying());
        self.moving += u32::from(tale.is_published() && !ended);
        job
    }

    /// Fails unless both moments were met.
    fn met(&self) {
        assert!(self.copying >= 2 && self.moving >= 1, "no merge was under way: {self:?}");
    }
}

/// Bitcask #148: a delete raced with a merge that wrote a file with a higher number, and lost to it at the next start.
pub fn bitcask_148_delete_during_a_merge_wins(shape: Shape) {
    let mut moments = Moments::default();
    for steps in 0..10 {
        let mut tale = Tale::new(shape);
        mostly_dead(&mut tale, |tale| {
            tale.put("deleted", "old").put("written", "old");
        });
        let job = moments.hold(tale.begin_merge(), steps);
        tale.delete("deleted").put("written", "newer").scan();
        tale.db().give_back(job);
        tale.work().scan().reopen().scan().work().reopen().scan();
    }
    moments.met();
}

/// As its name says.
pub fn put_and_get_between_every_two_steps_of_a_merge(shape: Shape) {
    let shape = Shape { segment_bytes: 1 << 20, ..shape };
    let mut tale = Tale::new(shape);
    for round in 0..2 {
        for n in 0..250 {
            let write = crate::model::put(format!("k{n}"), vec![round; 20_000]);
            tale.step(&Op::Write { writes: vec![write], durable: false });
        }
    }
    let mut turns = 0;
    while tale.stats().merges < 2 {
        tale.step(&Op::TakeJob).step(&Op::StepJob);
        tale.put(&format!("k{}", turns % 250), "between").delete(&format!("k{}", turns + 100));
        for n in 0..turns % 10 {
            tale.step(&Op::Get(format!("k{n}").into_bytes()));
        }
        tale.step(&Op::Get(format!("k{}", turns % 250).into_bytes()));
        tale.step(&Op::GiveJob);
        turns += 1;
        assert!(turns < 10_000, "no merge was published");
    }
    assert!(turns >= 10, "the merges had {turns} steps only");
    tale.scan().reopen().scan();
}

/// As its name says.
pub fn snapshot_across_merges_shows_its_own_records(shape: Shape) {
    let mut tale = Tale::new(shape);
    tale.fill("k", 40).step(&Op::Snapshot);
    tale.fill("k", 30).clear("k", 10).rotate().work();
    tale.step(&Op::Snapshot).step(&Op::ReadSnapshot(0)).step(&Op::ReadSnapshot(1));
    tale.fill("k", 40).rotate().step(&Op::Compact);
    assert!(tale.stats().merges >= 2, "the snapshots met no merges");
    tale.step(&Op::ReadSnapshot(0)).step(&Op::ReadSnapshot(1));
    tale.step(&Op::DropSnapshot(0)).step(&Op::Compact).step(&Op::ReadSnapshot(0));
    tale.step(&Op::DropSnapshot(0)).step(&Op::Compact).reopen().scan();
}

/// A merge copied a record that was overwritten before the merge moved the index: the undo list was corrected although
/// nothing had moved, and a snapshot from before the record showed it.
pub fn record_overwritten_between_copy_and_move_stays_out_of_older_snapshots(shape: Shape) {
    let mut moments = Moments::default();
    for steps in 0..10 {
        let mut tale = Tale::new(shape);
        tale.step(&Op::Snapshot).fill("k", 10).fill("k", 8).rotate().rotate();
        let job = moments.hold(tale.begin_merge(), steps);
        tale.fill("k", 10).step(&Op::ReadSnapshot(0));
        tale.db().give_back(job);
        tale.work().step(&Op::ReadSnapshot(0)).step(&Op::Compact).step(&Op::ReadSnapshot(0));
    }
    moments.met();
}

/// Bitcask's hint files once had no bit for tombstones: opened from hints, deleted keys were there again.
pub fn bitcask_hints_know_tombstones(shape: Shape) {
    let mut tale = old_value(shape);
    tale.fill("x", 5).delete("k").rotate().delete("x1").rotate().work();
    tale.reopen();
    assert!(tale.stats().hints_used >= 2, "opened without hints: {:?}", tale.stats());
    tale.scan();
}

/// Bitcask's expiry grace: without it, data that expires bit by bit is merged again and again without end.
pub fn bitcask_expiry_does_not_merge_without_end(shape: Shape) {
    let mut tale = Tale::new(Shape { grace_ms: 1_000_000, ..shape });
    for n in 0..60 {
        tale.put_until(&format!("t{n}"), &"x".repeat(100), START_MS + n);
    }
    tale.rotate().step(&Op::Advance(100)).work();
    let merges = tale.stats().merges;
    for _ in 0..20 {
        tale.step(&Op::Advance(1)).work();
    }
    assert_eq!(tale.stats().merges, merges, "merged again although nothing could be dropped");
}

/// Badger #1995, #767, #1112, #354, #173: the value log kept its dead data for ever, or somebody had to ask.
pub fn badger_1995_space_comes_back_by_itself(shape: Shape) {
    let mut tale = Tale::new(Shape { inline_work: true, ..shape });
    for _ in 0..40 {
        tale.fill("k", 40);
    }
    let stats = tale.stats();
    let len = |f: &FileName| tale.vfs().open(&f.to_string(), Access::Read).unwrap().len().unwrap();
    let bytes: u64 = tale.records().iter().map(len).sum();
    let bound = 4 * stats.live_bytes + 4 * shape.segment_bytes;
    assert!(bytes <= bound, "{bytes} bytes of records, more than {bound}: {stats:?}");
    tale.scan().reopen().scan();
}

/// Badger #1756 (14dc96ae): two compactions at a time raced for the manifest. Here a seal and a merge run at a time, and
/// no two of a kind.
pub fn badger_1756_two_jobs_at_a_time_do_not_spoil_the_manifest(shape: Shape) {
    for order in 0..8 {
        let mut tale = Tale::new(shape);
        tale.fill("a", 30).fill("a", 20).fill("b", 30).fill("b", 20).rotate().begin_merge();
        let (published, sealed) = (tale.stats().merges, sealed(&tale));
        tale.fill("c", 10).rotate().fill("c", 30).rotate();
        let mut jobs: Vec<_> = (0..2).filter_map(|_| tale.db().take_job()).collect();
        assert!(jobs.len() == 2 && tale.is_copying(), "no merge beside a seal");
        assert!(tale.db().take_job().is_none(), "two jobs of a kind at a time");
        if order & 1 == 1 {
            jobs.reverse();
        }
        for _ in 0..if order & 4 == 4 { 2 } else { 50 } {
            for job in &mut jobs {
                job.step().unwrap();
            }
            tale.step(&Op::Get(b"a7".to_vec())).put("a8", "newer");
        }
        if order & 4 == 0 {
            let both = tale.stats().merges > published && self::sealed(&tale) > sealed;
            assert!(both, "one of the two did nothing");
        }
        if order & 2 == 2 {
            jobs.pop();
        }
        jobs.into_iter().for_each(|job| tale.db().give_back(job));
        tale.scan().work().scan().reopen().scan();
    }
}

/// How many hints of logs there are: each seal writes one, and it stays as long as its log may be needed.
fn sealed(tale: &Tale) -> usize {
    let files = tale.files();
    let of_a_log = |file: &&FileName| match file {
        FileName::Hint(number) => !files.contains(&FileName::Segment(*number)),
        _ => false,
    };
    files.iter().filter(of_a_log).count()
}

/// Bitcask's `bitcask_timeshift`: with the clock set back, a newer write lost to an older one at the next start.
pub fn bitcask_timeshift_newer_write_wins_with_the_clock_set_back(shape: Shape) {
    let disk = crate::disk::Disk::with(shape.bug);
    let clock = ManualClock::new(5000);
    let open = || keelstone::Db::open(disk.vfs(), shape.options(&clock)).unwrap();
    let db = open();
    db.put("k", "first").unwrap();
    db.put_until("t", "gone", 4000).unwrap();
    clock.set(1000);
    db.put("k", "second").unwrap();
    assert_eq!(db.get("t").unwrap(), None, "what had expired is visible again");
    db.close().unwrap();
    let db = open();
    assert_eq!(db.get("k").unwrap().as_deref(), Some(&b"second"[..]));
    assert_eq!(db.get("t").unwrap(), None, "what had expired is visible after a reopen");
    clock.set(0);
    db.delete("k").unwrap();
    db.compact().unwrap();
    drop(db);
    assert_eq!(open().get("k").unwrap(), None);
}

/// A merge that is given up leaves nothing behind, at once and not only after the next open; one that was published is
/// carried through, so that its inputs go.
pub fn job_that_is_dropped_half_way_leaves_nothing_behind(shape: Shape) {
    let mut moments = Moments::default();
    for steps in 0..10 {
        let mut tale = Tale::new(shape);
        tale.fill("k", 30).fill("k", 20).fill("k", 10).rotate().begin_merge();
        let job = moments.hold(&tale, steps);
        let published = tale.is_published();
        drop(job);
        assert!(!tale.is_copying(), "the output of a merge that was given up is left");
        tale.scan();
        if published {
            tale.work();
        }
        assert_eq!(tale.stats().segments, tale.records().len() as u64, "left at once");
        tale.kill().scan();
        assert_eq!(tale.stats().segments, tale.records().len() as u64, "left after an open");
        tale.work().scan().reopen().scan();
    }
    moments.met();
}
