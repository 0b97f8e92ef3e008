//! Memory of the index while a store grows from nothing, for short keys and for long ones.
//!
//! Asks the engine for what its tables hold, and the allocator for what the whole store holds and
//! for the most that a single put needed in passing. Figure: between half of the keys and all, at
//! most 20 bytes a key in the mean and 30 at worst; no put moves more than 65,536 entries.
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "benchmarks have std")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use keelstone::{Db, Durability};
use keelstone_benches::keys::key;
use keelstone_benches::say;
use keelstone_benches::size::{Size, wanted};
use keelstone_benches::store;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, with a count of the bytes that it has given away.
struct Counting;

fn grown(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

#[expect(unsafe_code, reason = "an allocator cannot be written without; it only counts")]
// SAFETY: every call goes to the system's allocator with the arguments unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What growing one store showed.
#[derive(Default)]
struct Growth {
    /// Bytes a key by the engine's count, at each sample in the second half.
    index: Vec<f64>,
    /// Bytes a key by the allocator's count, at the same samples.
    store: Vec<f64>,
    /// The most that one put had allocated beyond what was there before it, in bytes.
    transient: usize,
    moves_max: u64,
    checksum: u64,
}

/// A key of `len` bytes.
fn long_key(number: u64, buf: &mut [u8]) {
    buf[..16].copy_from_slice(&key(number));
}

fn grow(db: &Db, keys: u64, key_bytes: usize, every: u64) -> Growth {
    let mut growth = Growth::default();
    let mut buf = vec![0x61; key_bytes];
    let start = LIVE.load(Ordering::Relaxed);
    for number in 0..keys {
        long_key(number, &mut buf);
        let before = LIVE.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        db.put(&buf, number.to_le_bytes()).expect("a put");
        let transient = PEAK.load(Ordering::Relaxed).saturating_sub(before);
        growth.transient = growth.transient.max(transient);
        let count = number + 1;
        if count.is_multiple_of(every) && count >= keys / 2 {
            let stats = db.stats().expect("stats");
            assert_eq!(stats.keys, count, "every key is there");
            let live = LIVE.load(Ordering::Relaxed).saturating_sub(start);
            growth.index.push(stats.index_bytes as f64 / count as f64);
            growth.store.push(live as f64 / count as f64);
            growth.moves_max = stats.index_moves_max;
            growth.checksum = growth.checksum.wrapping_mul(31).wrapping_add(stats.index_bytes);
        }
    }
    growth
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn worst(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

fn main() {
    let size = Size::of_this_run();
    let (keys, every) = size.pick((10_000_000, 100_000), (40_000, 1_000));
    for key_bytes in [16, 200].into_iter().filter(|bytes| wanted(&format!("{bytes}"))) {
        let dir = store::scratch();
        let mut options = store::options(Durability::Buffered);
        // Why: sealing a log needs memory of its own in passing, which is not the index's.
        options.inline_work = false;
        let db = store::open(dir.path(), options);
        let start = Instant::now();
        let growth = grow(&db, keys, key_bytes, every);
        let seconds = start.elapsed().as_secs_f64();
        let (mean_bytes, worst_bytes) = (mean(&growth.index), worst(&growth.index));
        say(format_args!(
            "index: keys={keys} key_bytes={key_bytes} value_bytes=8 samples={} checksum={} \
             seconds={seconds:.1}",
            growth.index.len(),
            growth.checksum
        ));
        say(format_args!(
            "  index, bytes a key: mean={mean_bytes:.2} ({}) worst={worst_bytes:.2} ({})",
            verdict(mean_bytes <= 20.0),
            verdict(worst_bytes <= 30.0)
        ));
        say(format_args!(
            "  whole store by the allocator, bytes a key: mean={:.2} worst={:.2}",
            mean(&growth.store),
            worst(&growth.store)
        ));
        say(format_args!(
            "  one put: moves_max={} ({}) transient_bytes_max={}",
            growth.moves_max,
            verdict(growth.moves_max <= 65_536),
            growth.transient
        ));
    }
}
