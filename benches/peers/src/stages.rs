//! The workloads, in stages: each stage runs in a process and a directory of its own.
//!
//! Called by a child; calls one engine. Promise: the same plan gives every engine the same
//! operations in the same order, and every value that is read is checked.

use core::time::Duration;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::keys::{ABSENT, key, shuffled, value};
use crate::peer::{BATCH_PAIRS, Engine, Pair, Peer, Reads};
use crate::process::{anonymous_kib, disk_bytes, written};
use crate::random::{Random, Zipf};
use crate::report::{self, Line, Time, say};

/// How much a run does.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Keys of a full store.
    pub keys: u64,
    /// A workload ends after this long; the rest of a load goes on in batches, not measured.
    pub cap: Duration,
}

/// Operations between two looks at the clock.
const SLICE: u64 = 256;
/// Slices between two looks at the memory.
const SLICES_A_SAMPLE: u64 = 64;
/// Pairs that are put one by one, after all others, before a store is closed or killed.
const LAST_PUTS: u64 = 1_000;
/// The longest scan of YCSB E.
const SCAN_PAIRS_MAX: u64 = 100;

/// An engine at work.
struct Session {
    peer: Box<dyn Peer>,
    dir: PathBuf,
    plan: Plan,
    /// Anonymous memory in KiB before the store was opened, and the most since then.
    anonymous: (u64, u64),
}

fn pair(number: u64) -> Pair {
    (key(number), value(number))
}

/// The numbers below `count` in the order of their keys.
fn sorted(count: u64) -> Vec<u64> {
    let mut order: Vec<u64> = (0..count).collect();
    order.sort_unstable_by_key(|number| key(*number));
    order
}

impl Session {
    fn open(engine: &Engine, dir: &Path, plan: Plan) -> Self {
        let before = anonymous_kib();
        let peer = (engine.open)(dir);
        Self { peer, dir: dir.to_owned(), plan, anonymous: (before, before) }
    }

    fn reads(&self, what: Reads) -> bool {
        self.peer.reads() >= what
    }

    fn sample(&mut self) {
        self.anonymous.1 = self.anonymous.1.max(anonymous_kib());
    }

    /// Runs `op` for 0, 1, 2, ..., reports how long it took, and gives how many there were.
    fn time(&mut self, name: &str, ops: u64, mut op: impl FnMut(&mut dyn Peer, u64) -> u64) -> u64 {
        let (mut done, mut took, mut checksum) = (0, Duration::ZERO, 0_u64);
        while done < ops && took < self.plan.cap {
            let start = Instant::now();
            let end = ops.min(done + SLICE);
            for n in done..end {
                checksum = checksum.wrapping_add(op(&mut *self.peer, n));
            }
            took += start.elapsed();
            if (done / SLICE).is_multiple_of(SLICES_A_SAMPLE) {
                self.sample();
            }
            done = end;
        }
        self.sample();
        let name = name.to_owned();
        say(Line::Time(Time { name, ops: done, took, checksum, whole: done == ops }));
        done
    }

    /// Puts the pairs of `numbers` in batches, not measured.
    fn load(&mut self, numbers: &[u64]) {
        for numbers in numbers.chunks(BATCH_PAIRS) {
            let pairs: Vec<Pair> = numbers.iter().map(|number| pair(*number)).collect();
            self.peer.put_batch(&pairs);
        }
        self.sample();
    }

    /// Fills the store with single puts in this order; then everything is durable.
    fn fill(&mut self, name: &str, order: &[u64]) {
        let done = self.time(name, order.len() as u64, |peer, n| {
            let number = order[index(n)];
            peer.put(&key(number), &value(number));
            number
        });
        self.load(&order[index(done)..]);
        self.peer.sync();
    }

    /// Reads random keys that are there.
    fn get(&mut self, name: &str) {
        if !self.reads(Reads::Keys) {
            return;
        }
        let (keys, mut random) = (self.plan.keys, Random::new(1));
        self.time(name, keys / 2, |peer, _| {
            let number = random.below(keys);
            let got = peer.get(&key(number)).expect("the key is there");
            assert_eq!(got, number, "the value of another key");
            got
        });
    }

    /// Scans of 100 pairs from random keys on.
    fn scan_100(&mut self, name: &str) {
        if !self.reads(Reads::Ordered) {
            return;
        }
        let (keys, mut starts) = (self.plan.keys, Random::new(3));
        self.time(name, keys / 50, |peer, _| {
            peer.scan_from(&key(starts.below(keys)), 100).checksum
        });
    }

    fn compact(&mut self, name: &str) {
        self.time(name, 1, |peer, _| {
            peer.compact();
            0
        });
    }

    fn disk(&self, name: &str) {
        report::count(name, disk_bytes(&self.dir));
    }

    /// Closes the store, reports how long that took, and the memory that was used.
    fn close(mut self, stage: &str) {
        self.sample();
        let (before, most) = self.anonymous;
        let start = Instant::now();
        self.peer.close();
        let (name, took) = (format!("close-{stage}"), start.elapsed());
        say(Line::Time(Time { name, ops: 1, took, checksum: 0, whole: true }));
        report::count(format!("memory-{stage}"), (most - before) << 10);
    }
}

fn index(n: u64) -> usize {
    usize::try_from(n).expect("it is in memory")
}

fn tell_written(stage: &str) {
    let written = written();
    report::count(format!("written-{stage}"), written.calls);
    report::count(format!("pages-{stage}"), written.pages);
}

/// Keys in their order, then every second one goes.
fn seq(engine: &Engine, dir: &Path, plan: Plan) {
    let order = sorted(plan.keys);
    let mut session = Session::open(engine, dir, plan);
    session.fill("fillseq", &order);
    session.time("delete-half", plan.keys / 2, |peer, n| {
        peer.delete(&key(2 * n));
        n
    });
    session.close("seq");
}

/// Sorted pairs through the way that the store has for them, durable at the end: what is made for
/// loading many syncs anyway.
fn bulk(engine: &Engine, dir: &Path, plan: Plan) {
    let order = sorted(plan.keys);
    let mut session = Session::open(engine, dir, plan);
    let start = Instant::now();
    session.peer.bulk(&mut order.iter().map(|number| pair(*number)));
    session.peer.sync();
    let (name, took) = ("bulk".to_owned(), start.elapsed());
    let checksum = order.iter().sum();
    say(Line::Time(Time { name, ops: plan.keys, took, checksum, whole: true }));
    if session.reads(Reads::Keys) {
        for number in (0..plan.keys).step_by(97) {
            assert_eq!(session.peer.get(&key(number)), Some(number), "it was loaded");
        }
    }
    session.close("bulk");
}

/// Keys in a random order; reads of them as they were left, then after a compaction.
fn random(engine: &Engine, dir: &Path, plan: Plan) {
    let order: Vec<u64> = (0..plan.keys).collect();
    let mut session = Session::open(engine, dir, plan);
    session.fill("fillrandom", &order);
    if session.reads(Reads::Keys) {
        session.get("get-as-left");
        let mut absent = Random::new(2);
        session.time("miss", plan.keys / 2, |peer, _| {
            let got = peer.get(&key(ABSENT + absent.below(plan.keys)));
            assert_eq!(got, None, "no such key was put");
            1
        });
        session.time("scan-all", 1, |peer, _| {
            let scanned = peer.scan_all();
            assert_eq!(scanned.pairs, plan.keys, "all of them");
            scanned.checksum
        });
    }
    session.scan_100("scan-100");
    tell_written("fill");
    session.disk("disk-fill");
    if session.reads(Reads::Keys) {
        session.compact("compact-fill");
    }
    session.get("get-compacted");
    session.close("random");
}

/// Every key once more, in another order; reads of them as they were left, and what all that takes on disk, before and after
/// a compaction.
fn overwrite(engine: &Engine, dir: &Path, plan: Plan) {
    let (first, second) = ((0..plan.keys).collect::<Vec<_>>(), shuffled(plan.keys));
    let mut session = Session::open(engine, dir, plan);
    session.load(&first);
    session.peer.sync();
    session.fill("overwrite", &second);
    session.disk("disk-overwritten");
    session.get("get-overwritten");
    session.scan_100("scan-100-overwritten");
    session.compact("compact-overwritten");
    session.disk("disk-compacted");
    session.close("overwrite");
    tell_written("overwrite");
}

/// YCSB A, F and then E, all over Zipf's distribution.
fn ycsb(engine: &Engine, dir: &Path, plan: Plan) {
    let (order, zipf) = ((0..plan.keys).collect::<Vec<_>>(), Zipf::new(plan.keys));
    let mut session = Session::open(engine, dir, plan);
    session.load(&order);
    session.peer.sync();
    if !session.reads(Reads::Keys) {
        return session.close("ycsb");
    }
    let ops = plan.keys / 2;
    // Why a seed for each: an engine whose time was up in one has drawn less.
    let mut dice = Random::new(4);
    session.time("ycsb-a", ops, |peer, _| {
        let number = zipf.next(&mut dice);
        if dice.below(2) == 0 {
            return peer.get(&key(number)).expect("the key is there");
        }
        peer.put(&key(number), &value(number));
        number
    });
    dice = Random::new(5);
    session.time("ycsb-f", ops, |peer, _| {
        let number = zipf.next(&mut dice);
        let got = peer.get(&key(number)).expect("the key is there");
        if dice.below(2) == 0 {
            peer.put(&key(number), &value(got));
        }
        got
    });
    if session.reads(Reads::Ordered) {
        dice = Random::new(6);
        let mut added = plan.keys;
        session.time("ycsb-e", plan.keys / 20, |peer, _| {
            if dice.below(20) == 0 {
                peer.put(&key(added), &value(added));
                added += 1;
                return added;
            }
            let from = key(zipf.next(&mut dice));
            let count = index(1 + dice.below(SCAN_PAIRS_MAX));
            peer.scan_from(&from, count).checksum
        });
    }
    session.close("ycsb");
}

/// A store that is full, its last pairs put one by one and none of them synced.
fn filled(engine: &Engine, dir: &Path, plan: Plan) -> Session {
    let order: Vec<u64> = (0..plan.keys).collect();
    let mut session = Session::open(engine, dir, plan);
    session.load(&order);
    for number in plan.keys..plan.keys + LAST_PUTS {
        session.peer.put(&key(number), &value(number));
    }
    session
}

/// Opens the store that another process filled; says how long that and one get took, and how many
/// of the last puts are there.
fn reopen(name: &str, engine: &Engine, dir: &Path, plan: Plan) {
    let start = Instant::now();
    let session = Session::open(engine, dir, plan);
    let first = session.peer.get(&key(0));
    let took = start.elapsed();
    let last = plan.keys..plan.keys + LAST_PUTS;
    let found = last.filter(|n| session.peer.get(&key(*n)) == Some(*n)).count();
    let (ops, checksum, name) = (1, first.map_or(0, |number| number + 1), name.to_owned());
    report::count(format!("found-{name}"), found as u64);
    say(Line::Time(Time { name, ops, took, checksum, whole: true }));
    // Why: what is measured is done, and closing could write much.
    drop(session);
}

/// Runs one stage.
///
/// # Panics
/// If there is no such stage, or the engine refuses or errs.
pub fn run(stage: &str, engine: &Engine, dir: &Path, plan: Plan) {
    match stage {
        "seq" => seq(engine, dir, plan),
        "bulk" => bulk(engine, dir, plan),
        "random" => random(engine, dir, plan),
        "overwrite" => overwrite(engine, dir, plan),
        "ycsb" => ycsb(engine, dir, plan),
        "load-close" => filled(engine, dir, plan).close("loaded"),
        "load-wait" => {
            let session = filled(engine, dir, plan);
            say(Line::Ready);
            // The parent kills this process here; the end of its input ends it too.
            let _ = io::stdin().read_line(&mut String::new());
            drop(session);
        }
        "reopen-clean" | "reopen-killed" => reopen(stage, engine, dir, plan),
        _ => panic!("no such stage: {stage}"),
    }
}
