//! Many threads on one store: durable writes that wait share a sync, and compactions run beside
//! them.
//!
//! A sync takes its time, so this runs on real files: in a temporary folder, removed at the end.
//! Run it with `cargo run --release --package keelstone --example many_writers`.
#![allow(clippy::std_instead_of_alloc, clippy::std_instead_of_core, reason = "a program with std")]
#![allow(clippy::print_stdout, reason = "it is a program")]

use keelstone::{Clock, Db, Options, SystemClock, Workers, vfs::NativeDisk};
use std::time::{Duration, Instant};
use std::{error::Error, path::Path, sync::Arc, thread};

const WRITERS: u64 = 8;
const WRITES_EACH: u64 = 200;
const KEYS_EACH: u64 = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("keelstone-writers-{}", std::process::id()));
    let outcome = run(&folder);
    std::fs::remove_dir_all(&folder)?;
    outcome
}

fn run(folder: &Path) -> Result<(), Box<dyn Error>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut options = Options::default();
    options.inline_work = false; // background work is left to the workers
    options.memtable_bytes = 128 << 10; // small, so that there are tables to compact
    let db = Db::open(Arc::new(NativeDisk::create(folder)?), options)?;
    let workers = Workers::start(&db, 1, Duration::from_millis(1), &clock)?;

    thread::scope(|scope| {
        let db = &db;
        let threads: Vec<_> = (0..WRITERS).map(|n| scope.spawn(move || write(db, n))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a writer that panicked"))
    })?;

    let start = Instant::now();
    while compactions(&db)? == 0 || db.due(clock.now_ms()) {
        assert!(start.elapsed() < Duration::from_secs(600), "the workers do not work");
        thread::yield_now();
    }
    drop(workers); // waits for the step that it is in

    let stats = db.stats()?;
    println!("writes={} syncs={} sync_us={}", stats.sequence, stats.syncs, stats.sync_us);
    println!("compactions={} disk_bytes={}", compactions(&db)?, stats.disk_bytes);
    assert_eq!(stats.sequence, WRITERS * WRITES_EACH);
    assert_eq!(stats.durable_sequence, stats.sequence);
    assert!(stats.syncs <= stats.sequence + stats.rotations, "more syncs than reasons for one");
    for writer in 0..WRITERS {
        for key in 0..KEYS_EACH {
            let round = WRITES_EACH - KEYS_EACH + key;
            assert_eq!(db.get(format!("{writer}-{key}"))?, Some(value(round)));
        }
    }
    Ok(db.close()?)
}

/// How often tables were merged so far.
fn compactions(db: &Db) -> keelstone::Result<u64> {
    Ok(db.stats()?.ordered.map_or(0, |ordered| ordered.compactions))
}

/// Writes the same few keys again and again; each value is durable when its put returns.
fn write(db: &Db, writer: u64) -> keelstone::Result<()> {
    for round in 0..WRITES_EACH {
        db.put(format!("{writer}-{}", round % KEYS_EACH), value(round))?;
    }
    Ok(())
}

fn value(round: u64) -> Vec<u8> {
    format!("{round:500}").into_bytes()
}
