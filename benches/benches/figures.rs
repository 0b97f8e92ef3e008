//! The figures that are ratios, in one run: five interleaved pairs beside the floor against itself.
//!
//! Prints tables in Markdown for `docs/benchmarks.md`. Arguments choose parts: `get`, `put`,
//! `durable`. The figures of the index and of open have programs of their own.
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "benchmarks have std")]

use std::cell::RefCell;
use std::rc::Rc;

use keelstone::{Db, Durability};
use keelstone_benches::floor::WriteFloor;
use keelstone_benches::keys::{Key, key, value};
use keelstone_benches::pairs::{Pairs, Row};
use keelstone_benches::reads::Reads;
use keelstone_benches::say;
use keelstone_benches::size::{Size, wanted};
use keelstone_benches::store::{self, Traffic};

const PAIRS: usize = 5;

fn report(title: &str, pairs: &Pairs, limits: &[(&str, f64)]) {
    say(format_args!("\n{title}; {}", pairs.parameters()));
    say(format_args!("Floor against itself: at most {:.1} % apart.\n", pairs.spread() * 100.0));
    say(pairs.table(limits));
}

fn gets(size: Size) {
    let reads = Reads::new(size.pick(1_000_000, 2_000));
    let pairs = Pairs::measure(PAIRS, reads.len(), size.pick(10_000, 500), |_| {
        vec![
            Row::new("pread", |n| reads.floor(n)),
            Row::new("pread again", |n| reads.floor(n)),
            Row::new("get", |n| reads.get(n)),
            Row::new("miss", |n| reads.miss(n)),
        ]
    });
    let title = format!("get: {} keys of 16 B, values of 100 B", reads.len());
    report(&title, &pairs, &[("get", 1.5), ("miss", 0.3)]);
}

/// A row that puts key n, from `first` on.
fn put_row<'a>(name: &'static str, db: Db, keys: &'a [Key], first: usize) -> Row<'a> {
    Row::new(name, move |n| {
        let number = n as u64;
        db.put(keys[first + n], value(number)).expect("a put");
        number
    })
}

fn puts(size: Size) {
    let count: u64 = size.pick(1_000_000, 2_000);
    let bytes = Traffic::count().put_bytes;
    let keys: Vec<Key> = (0..count).map(key).collect();
    let dir = RefCell::new(Rc::new(store::scratch()));
    let pairs = Pairs::measure(PAIRS, keys.len(), size.pick(10_000, 500), |_| {
        // Why: new files for every pair, and the old ones go when the last row has let go of them.
        *dir.borrow_mut() = Rc::new(store::scratch());
        let dir = Rc::clone(&dir.borrow());
        let inside = |name: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir(&path).expect("a directory can be made");
            path
        };
        let mut first = WriteFloor::new(dir.path(), "first", bytes, count);
        let mut again = WriteFloor::new(dir.path(), "again", bytes, count);
        let db = store::open(&inside("store"), store::options(Durability::Buffered));
        let mut options = store::options(Durability::Buffered);
        options.inline_work = false;
        let idle = store::open(&inside("idle"), options);
        vec![
            Row::new("write", move |n| first.write(n as u64)),
            Row::new("write again", move |n| again.write(n as u64)),
            put_row("put", db, &keys, 0),
            put_row("put, without inline work", idle, &keys, 0),
        ]
    });
    let title = format!("put, buffered: {count} new keys of 16 B, values of 100 B, {bytes} B each");
    report(&title, &pairs, &[("put", 2.0)]);
}

fn durable(size: Size) {
    let syncs = store::count_syncs(size.pick(5_000, 300));
    say(format_args!("\ndurable put: {syncs:?}: exactly one sync each, of data in steady state"));
    let ops: usize = size.pick(2_000, 50);
    let warm: usize = size.pick(60_000, 100);
    let bytes = Traffic::count().put_bytes;
    let total = warm + PAIRS * ops;
    let keys: Vec<Key> = (0..total as u64).map(key).collect();
    let dir = store::scratch();
    // Why one more: the write that makes the others durable before the pairs begin.
    let room = total as u64 + 1;
    let floor = |name| RefCell::new(WriteFloor::new(dir.path(), name, bytes, room));
    let (first, again, filled) = (floor("first"), floor("again"), floor("filled"));
    filled.borrow_mut().fill(room);
    let inner = dir.path().join("store");
    std::fs::create_dir(&inner).expect("a directory can be made");
    let db = store::open(&inner, store::options(Durability::Buffered));
    store::load(&db, 0..warm as u64);
    db.close().expect("the store closes");
    let db = store::open(&inner, store::options(Durability::Durable));
    for n in 0..warm as u64 {
        for floor in [&first, &again] {
            floor.borrow_mut().write(n);
        }
    }
    for floor in [&first, &again] {
        floor.borrow_mut().write_durable(0);
    }
    db.put(keys[0], value(0)).expect("a put");
    let pairs = Pairs::measure(PAIRS, ops, size.pick(20, 10), |pair| {
        vec![
            Row::new("write + data sync", |n| first.borrow_mut().write_durable(n as u64)),
            Row::new("write + data sync again", |n| again.borrow_mut().write_durable(n as u64)),
            put_row("durable put", db.clone(), &keys, warm + pair * ops),
            Row::new("write + data sync, blocks written before", |n| {
                filled.borrow_mut().write_durable(n as u64)
            }),
        ]
    });
    let title = format!("durable put: new keys of 16 B, values of 100 B, {bytes} B each");
    report(&title, &pairs, &[("durable put", 1.1)]);
}

fn main() {
    let size = Size::of_this_run();
    say(format_args!("figures: {size:?}, {:?}", Traffic::count()));
    for (name, part) in [("get", gets as fn(Size)), ("put", puts), ("durable", durable)] {
        if wanted(name) {
            part(size);
        }
    }
}
