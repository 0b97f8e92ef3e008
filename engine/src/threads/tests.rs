//! Several threads on one store: nothing is lost, syncs are shared, work happens by itself.

use alloc::format;
use alloc::sync::Arc;
use core::time::Duration;
use std::time::Instant;

use keelstone_vfs::{MemoryDisk, Op};

use super::Workers;
use super::gate::GateDisk;
use crate::clock::SystemClock;
use crate::{Clock, Db, Durability, Layout, Options};

fn options() -> Options {
    let mut options = Options::with_seed(1);
    options.layout = Some(Layout::Hash);
    (options.segment_bytes, options.index_shards, options.reserve_bytes) = (16 << 10, 8, 0);
    options.clock = Arc::new(SystemClock);
    options
}

/// Waits for what another thread must bring about; a test that waits for ten minutes has failed.
fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(600), "{what} did not happen");
        std::thread::yield_now();
    }
}

#[test]
fn workers_merge_while_writers_and_readers_go_on() {
    let mut options = options();
    (options.inline_work, options.durability) = (false, Durability::Buffered);
    let db = Db::open(Arc::new(MemoryDisk::default()), options).expect("a new store");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let workers = Workers::start(&db, 2, Duration::from_millis(1), &clock).expect("threads");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let db = &db;
            scope.spawn(move || {
                for round in 0..2000 {
                    let key = format!("{writer}-{}", round % 50);
                    db.put(&key, format!("{round}")).expect("a put");
                    let value = db.get(&key).expect("a get").expect("what was put");
                    assert_eq!(value, format!("{round}").into_bytes());
                }
            });
        }
    });
    wait_for("a merge", || db.stats().expect("stats").merges > 0);
    wait_for("an end of the work", || !db.due(0));
    drop(workers);
    assert_eq!(db.len().expect("len"), 200);
    for writer in 0..4 {
        let value = db.get(format!("{writer}-49")).expect("a get");
        assert_eq!(value, Some(b"1999".to_vec()));
    }
    assert!(db.verify().expect("verify").is_sound());
}

#[test]
fn a_timer_syncs_buffered_writes() {
    let mut options = options();
    (options.inline_work, options.durability) = (false, Durability::Buffered);
    options.sync_every.millis = 1;
    let db = Db::open(Arc::new(MemoryDisk::default()), options).expect("a new store");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let workers = Workers::start(&db, 1, Duration::from_millis(1), &clock).expect("a thread");
    db.put("a", "1").expect("a put");
    wait_for("a sync", || db.stats().expect("stats").durable_sequence == 1);
    drop(workers);
}

// The first sync is held until every writer has appended: the next one must cover all the others.
#[test]
fn writers_that_wait_share_a_sync() {
    const WRITERS: u64 = 8;
    let mut options = options();
    options.inline_work = false;
    let disk = GateDisk::default();
    let db = Db::open(Arc::new(disk.clone()), options).expect("a new store");
    db.put("first", "begins the log").expect("a durable put");
    for round in 1..=20 {
        let before = disk.counts();
        disk.hold_syncs_for(WRITERS);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let db = &db;
                scope.spawn(move || db.put(format!("{writer}-{round}"), "x").expect("a put"));
            }
        });
        let done = disk.counts() - before;
        assert_eq!(done.of(Op::Write), WRITERS, "round {round}: one write each");
        let syncs = done.of(Op::Sync);
        assert!((1..=2).contains(&syncs), "round {round}: {syncs} syncs for {WRITERS} writers");
        let stats = db.stats().expect("stats");
        assert_eq!(stats.durable_sequence, 1 + round * WRITERS);
    }
}
