//! Threads on one ordered store: writers, readers, walkers and snapshots beside workers that flush and compact.
//!
//! Each writer replaces all its keys in one batch per round, so that what one instant may show is known: all keys of a
//! writer are of one round. The verdict does not depend on who ran when; every thread has so much to do and ends.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keelstone::{
    Batch, Bounds, Clock, Db, Durability, Entry, Layout, ManualClock, Snapshot, Walk, Workers,
};
use keelstone_tests::disk::Disk;
use keelstone_tests::mirror::{START_MS, collect};
use keelstone_tests::shape::Shape;

const WRITERS: u64 = 3;
const ROUNDS: Range<u64> = 1..2400;
/// No compaction takes more tables of level 0: writers wait while there are 20, and go on all the same only if whoever
/// has the work in hand does nothing with it for hundreds of turns. The most that was seen is 15.
const TABLES_AT_ONCE: u64 = 40;
/// Written in every batch: whose batch it was.
const LAST: &str = "~last";

/// A memtable holds some ten batches; tables and levels are small.
const SHAPE: Shape = Shape {
    layout: Layout::Ordered,
    memtable_bytes: 80 << 10,
    segment_bytes: 1 << 20,
    table_bytes: 4096,
    lz4: true,
    ..Shape::TINY
};

/// How many keys a writer has after a round.
const fn count(round: u64) -> u64 {
    1 + round % 8
}

fn prefix(writer: u64) -> String {
    format!("w{writer}-")
}

/// The value of a key of a round: long enough to fill memtables.
fn value(writer: u64, round: u64) -> Vec<u8> {
    let text = format!("{writer}:{round:08}.");
    text.bytes().cycle().take(200).collect()
}

/// Who wrote a value, and in which round.
fn written(value: &[u8]) -> (u64, u64) {
    let text = core::str::from_utf8(value).expect("values are text");
    let (head, _) = text.split_once('.').expect("a value has an end of its head");
    let (writer, round) = head.split_once(':').expect("a value has two numbers");
    (writer.parse().expect("a writer"), round.parse().expect("a round"))
}

/// The writer's keys of the last round go in a range, and those of this round come, at once.
fn write(db: &Db, writer: u64, round: u64) {
    let mut batch = Batch::new();
    batch.delete_range(prefix(writer), format!("w{writer}~"));
    for n in 0..count(round) {
        batch.put(format!("{}{n}", prefix(writer)), value(writer, round));
    }
    batch.put(LAST, value(writer, round));
    let durable = round.is_multiple_of(50);
    let durability = if durable { Durability::Durable } else { Durability::Buffered };
    db.write(&batch, durability).expect("a write");
}

/// The round of each writer, 0 for one that has not written yet; fails unless the entries are those of one instant.
fn rounds(entries: &[Entry]) -> Vec<u64> {
    let mut rounds = Vec::new();
    for writer in 0..WRITERS {
        let of = |entry: &&Entry| entry.key.starts_with(prefix(writer).as_bytes());
        let own: Vec<_> = entries.iter().filter(of).map(|e| written(&e.value)).collect();
        let round = own.first().map_or(0, |(_, round)| *round);
        assert!(own.iter().all(|w| *w == (writer, round)), "two rounds at once: {own:?}");
        let due = if round == 0 { 0 } else { count(round) };
        assert_eq!(own.len() as u64, due, "writer {writer} in round {round}");
        rounds.push(round);
    }
    if let Some(last) = entries.iter().find(|entry| entry.key == LAST.as_bytes()) {
        let (writer, round) = written(&last.value);
        assert_eq!(
            rounds[keelstone_tests::index(writer)],
            round,
            "the last batch is there in part"
        );
    }
    rounds
}

/// Rounds never go back for one reader.
fn no_older(seen: &mut Vec<u64>, now: Vec<u64>) {
    let back = seen.iter().zip(&now).any(|(before, now)| now < before);
    assert!(!back, "an older instant after a newer one: {seen:?} {now:?}");
    *seen = now;
}

/// Reads again and again until the writers are done, and once more after that.
fn until_done(done: &AtomicBool, mut read: impl FnMut()) {
    loop {
        let last = done.load(Ordering::Acquire);
        read();
        if last {
            return;
        }
    }
}

/// Everything in order, and everything backward, by walking.
fn walked(snapshot: &Snapshot) -> Vec<Entry> {
    let entry = |walk: &Walk| {
        let (key, value) = (walk.key()?.to_vec(), walk.value()?.to_vec());
        Some(Entry { key, value, expires_ms: None })
    };
    let mut walk = snapshot.walk(&Bounds::default()).expect("a walk");
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    walk.seek_first().expect("the first");
    while let Some(entry) = entry(&walk) {
        forward.push(entry);
        walk.next().expect("the next");
    }
    walk.seek_last().expect("the last");
    while let Some(entry) = entry(&walk) {
        backward.push(entry);
        walk.prev().expect("the one before");
    }
    backward.reverse();
    assert_eq!(forward, backward, "to and fro");
    assert!(forward.is_sorted_by(|a, b| a.key < b.key), "out of order");
    forward
}

fn scanner(db: &Db, done: &AtomicBool) {
    let mut seen = Vec::new();
    until_done(done, || {
        let entries = db.scan().and_then(collect).expect("a scan");
        no_older(&mut seen, rounds(&entries));
    });
}

fn walker(db: &Db, done: &AtomicBool) {
    let mut seen = Vec::new();
    until_done(done, || {
        let snapshot = db.snapshot().expect("a snapshot");
        no_older(&mut seen, rounds(&walked(&snapshot)));
    });
}

/// A snapshot is held while much is written, and shows the same whenever it is asked.
fn holder(db: &Db, done: &AtomicBool) {
    until_done(done, || {
        let snapshot = db.snapshot().expect("a snapshot");
        let first = snapshot.scan().and_then(collect).expect("a scan");
        rounds(&first);
        for _ in 0..20 {
            let again = snapshot.scan().and_then(collect).expect("a scan again");
            assert_eq!(first, again, "a snapshot has changed");
            for entry in &first {
                let value = snapshot.get(&entry.key).expect("a get");
                assert_eq!(value.as_ref(), Some(&entry.value), "get and scan of a snapshot");
            }
        }
    });
}

/// The first key of each writer is always there once it was, and never older than it was.
fn getter(db: &Db, done: &AtomicBool) {
    let mut seen = vec![0; keelstone_tests::index(WRITERS)];
    until_done(done, || {
        let now = (0..WRITERS).map(|writer| {
            let value = db.get(format!("{}0", prefix(writer))).expect("a get");
            value.map_or(0, |value| written(&value).1)
        });
        no_older(&mut seen, now.collect());
    });
}

/// Takes jobs, steps them, and gives some back half way.
fn stepper(db: &Db, done: &AtomicBool) {
    let mut turn = 0_u64;
    until_done(done, || {
        turn += 1;
        let Some(mut job) = db.take_job() else { return std::thread::yield_now() };
        for _ in 0..turn % 4 {
            if !job.step().expect("a step") {
                break;
            }
        }
        match turn % 7 {
            0 => drop(job),
            _ => db.give_back(job),
        }
    });
}

/// All threads on one store; `work` says whether workers do the work, or threads that take jobs.
fn together(disk: &Disk, shape: Shape, with_workers: bool) {
    let clock = ManualClock::new(START_MS);
    let db = Db::open(disk.vfs(), shape.options(&clock)).expect("a new store");
    let done = AtomicBool::new(false);
    let shared = Arc::clone(&clock) as Arc<dyn Clock>;
    let workers = with_workers
        .then(|| Workers::start(&db, 2, Duration::from_millis(1), &shared).expect("threads"));
    std::thread::scope(|scope| {
        let (db, done) = (&db, &done);
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| scope.spawn(move || ROUNDS.for_each(|round| write(db, writer, round))))
            .collect();
        for reader in [scanner, walker, holder, getter] {
            scope.spawn(move || reader(db, done));
        }
        if !with_workers {
            scope.spawn(move || stepper(db, done));
            scope.spawn(move || stepper(db, done));
        }
        let ended: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        done.store(true, Ordering::Release);
        assert!(ended.iter().all(Result::is_ok), "a writer has failed");
    });
    db.compact().expect("compact");
    drop(workers);
    end(&db);
    let stats = db.stats().expect("stats");
    let ordered = stats.ordered.expect("an ordered store");
    assert!(ordered.flushes >= 100, "{ordered:?}");
    assert!(ordered.compactions * TABLES_AT_ONCE >= ordered.flushes, "{ordered:?}");
    db.close().expect("close");
    drop(db);
    let again = Db::open(disk.vfs(), shape.options(&clock)).expect("the same store");
    end(&again);
}

/// What is there when all writers are done.
fn end(db: &Db) {
    let last = ROUNDS.end - 1;
    let entries = db.scan().and_then(collect).expect("a scan");
    assert_eq!(rounds(&entries), [last; 3]);
    let writes: u64 = ROUNDS.map(|round| 2 + count(round)).sum();
    assert_eq!(db.sequence(), WRITERS * writes);
    assert!(db.verify().expect("verify").is_sound());
}

#[test]
fn threads_with_workers_in_memory_see_one_instant() {
    together(&Disk::memory(), SHAPE, true);
}

#[test]
fn threads_with_workers_on_the_native_disk_see_one_instant() {
    together(&Disk::native(), SHAPE, true);
}

#[test]
fn threads_that_take_and_drop_jobs_see_one_instant() {
    together(&Disk::memory(), SHAPE, false);
}

#[test]
fn threads_with_work_inside_writes_see_one_instant() {
    together(&Disk::memory(), Shape { inline_work: true, ..SHAPE }, true);
}
