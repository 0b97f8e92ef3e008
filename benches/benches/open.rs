//! The time to open a large store from its hints, on one thread, with a warm page cache.
//!
//! Builds the store once, closes it, and opens it several times. Figure: 10,000,000 keys in at most
//! 2 s. The floor reads the bytes of the hints and does nothing with them.
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "benchmarks have std")]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use keelstone::{Durability, OpenMode};
use keelstone_benches::keys::{key, number_in, shuffled};
use keelstone_benches::pairs::{median, thread_time};
use keelstone_benches::say;
use keelstone_benches::size::Size;
use keelstone_benches::store;

const LIMIT_SECONDS: f64 = 2.0;

fn build(dir: &Path, keys: u64, segment_bytes: u64) {
    let start = Instant::now();
    let mut options = store::options(Durability::Buffered);
    options.segment_bytes = segment_bytes;
    let db = store::open(dir, options);
    store::load(&db, 0..keys);
    db.close().expect("the store closes");
    let seconds = start.elapsed().as_secs_f64();
    say(format_args!("open: keys={keys} key_bytes=16 value_bytes=100 built_in={seconds:.1}s"));
}

/// Reads all hints; gives their bytes and the seconds.
fn floor(dir: &Path) -> (u64, f64) {
    let start = Instant::now();
    let mut bytes = 0;
    for entry in fs::read_dir(dir).expect("the directory can be listed") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ext| ext == "hint") {
            bytes += black_box(fs::read(path).expect("a hint can be read")).len() as u64;
        }
    }
    (bytes, start.elapsed().as_secs_f64())
}

/// Opens the store; gives the seconds on the wall and those on the processor.
fn open(dir: &Path, keys: u64) -> (f64, f64) {
    let mut options = store::options(Durability::Buffered);
    options.mode = OpenMode::Existing;
    let (start, cpu) = (Instant::now(), thread_time());
    let db = store::open(dir, options);
    let seconds = (start.elapsed().as_secs_f64(), (thread_time() - cpu).as_secs_f64());
    let stats = db.stats().expect("stats");
    let mut checksum = 0u64;
    for number in shuffled(1000).into_iter().map(|n| n * (keys / 1000)) {
        let value = db.get(key(number)).expect("a get").expect("the key is there");
        assert_eq!(number_in(&value), number);
        checksum = checksum.wrapping_add(number);
    }
    assert_eq!(stats.keys, keys, "every key is there");
    say(format_args!(
        "  open: wall={:.3}s processor={:.3}s hints_used={} files_scanned={} index_bytes={} \
         checksum={checksum}",
        seconds.0, seconds.1, stats.hints_used, stats.files_scanned, stats.index_bytes
    ));
    db.close().expect("the store closes");
    seconds
}

fn main() {
    let full = (10_000_000, 5, 64 << 20);
    // Why: a log that is read quickly gets no hint at close, so the small run makes several.
    let (keys, opens, segment_bytes) = Size::of_this_run().pick(full, (20_000, 2, 1 << 20));
    let dir = store::scratch();
    build(dir.path(), keys, segment_bytes);
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..opens {
        let (bytes, seconds) = floor(dir.path());
        say(format_args!("  floor: hint_bytes={bytes} read in {seconds:.3}s"));
        let (on_the_wall, on_the_processor) = open(dir.path(), keys);
        wall.push(on_the_wall);
        cpu.push(on_the_processor);
    }
    let (wall, cpu) = (median(&wall), median(&cpu));
    let verdict = if wall <= LIMIT_SECONDS { "met" } else { "missed" };
    say(format_args!("open: median wall={wall:.3}s processor={cpu:.3}s limit=2s: {verdict}"));
}
