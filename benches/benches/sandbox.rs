//! The sandbox beside the native engine, in one run: batches of 100, single calls, opening.
//!
//! Five interleaved pairs beside the native store against itself. Arguments choose parts: `get`,
//! `put`, `call`, `open`.
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "benchmarks have std")]

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use keelstone::vfs::{MemoryDisk, NativeDisk, Vfs};
use keelstone::{Batch, Db, Durability, Options};
use keelstone_benches::keys::{Key, key, number_in, shuffled};
use keelstone_benches::pairs::{Pairs, Row};
use keelstone_benches::say;
use keelstone_benches::size::{Size, wanted};
use keelstone_benches::store;
use keelstone_host::engine::Engine;
use keelstone_host::sandbox::Sandbox;

const PAIRS: usize = 5;
const BATCH: usize = 100;

fn report(title: &str, pairs: &Pairs, limits: &[(&str, f64)]) {
    say(format_args!("\n{title}; {}", pairs.parameters()));
    say(format_args!("Native against itself: at most {:.1} % apart.\n", pairs.spread() * 100.0));
    say(pairs.table(limits));
}

/// The built-in component, or the one that `KEELSTONE_COMPONENT` names: to compare two.
fn sandbox() -> Sandbox {
    match std::env::var_os("KEELSTONE_COMPONENT") {
        Some(path) => {
            let bytes = std::fs::read(path).expect("the component can be read");
            Sandbox::new(&bytes, None).expect("a component")
        }
        None => Sandbox::built_in().expect("built with the component"),
    }
}

fn disk(dir: &Path) -> Arc<dyn Vfs> {
    Arc::new(NativeDisk::create(dir).expect("the directory can be made"))
}

fn options() -> Options {
    store::options(Durability::Buffered)
}

/// A value of `bytes` bytes that begins with its number.
fn value(number: u64, bytes: usize) -> Vec<u8> {
    let mut value = vec![0x5a; bytes];
    value[..8].copy_from_slice(&number.to_le_bytes());
    value
}

fn batch(numbers: impl Iterator<Item = u64>, bytes: usize) -> Batch {
    let mut batch = Batch::new();
    for number in numbers {
        batch.put(key(number), value(number, bytes));
    }
    batch
}

/// The sum of the numbers in the values of a hundred keys.
fn get(db: &dyn Engine, keys: &[Key]) -> u64 {
    let keys: Vec<&[u8]> = keys.iter().map(Key::as_slice).collect();
    let values = db.get_many(&keys).expect("gets");
    values.iter().map(|value| number_in(&value.as_ref().expect("the key is there").value)).sum()
}

fn gets(size: Size, bytes: usize, limit: f64) {
    let count: u64 = size.pick(if bytes > 500 { 200_000 } else { 1_000_000 }, 2_000);
    let dir = store::scratch();
    let place = dir.path().join("store");
    let native = Db::open(disk(&place), options()).expect("a new store");
    for first in (0..count).step_by(1000) {
        native.write(&batch(first..first + 1000, bytes), Durability::Buffered).expect("a batch");
    }
    native.compact().expect("work is done");
    native.close().expect("the store closes");
    let copy = dir.path().join("copy");
    std::fs::create_dir(&copy).expect("a directory can be made");
    for entry in std::fs::read_dir(&place).expect("the store's files").flatten() {
        std::fs::copy(entry.path(), copy.join(entry.file_name())).expect("a file can be copied");
    }
    let native = Db::open(disk(&place), options()).expect("the store opens");
    let inside = sandbox().open(disk(&copy), &options()).expect("the store opens inside");
    let keys: Vec<Key> = shuffled(count).into_iter().map(key).collect();
    let batches: Vec<&[Key]> = keys.chunks_exact(BATCH).collect();
    let pairs = Pairs::measure(PAIRS, batches.len(), size.pick(100, 5), |_| {
        vec![
            Row::new("native", |n| get(&native, batches[n])),
            Row::new("native again", |n| get(&native, batches[n])),
            Row::new("sandbox", |n| get(&inside, batches[n])),
        ]
    });
    let title = format!("get: 100 of {count} keys of 16 B a call, values of {bytes} B");
    report(&title, &pairs, &[("sandbox", limit)]);
}

fn puts(size: Size, bytes: usize, limit: f64) {
    let count: u64 = size.pick(if bytes > 500 { 200_000 } else { 1_000_000 }, 2_000);
    let step = BATCH as u64;
    let batches: Vec<Batch> =
        (0..count).step_by(BATCH).map(|first| batch(first..first + step, bytes)).collect();
    let dirs = RefCell::new(Vec::new());
    let pairs = Pairs::measure(PAIRS, batches.len(), size.pick(100, 5), |_| {
        let dir = store::scratch();
        let one = Db::open(disk(&dir.path().join("one")), options()).expect("a new store");
        let two = Db::open(disk(&dir.path().join("two")), options()).expect("a new store");
        let inside = sandbox().open(disk(&dir.path().join("inside")), &options());
        let inside = inside.expect("a new store inside");
        *dirs.borrow_mut() = vec![dir];
        let row = |name, db: Box<dyn Engine>| {
            let batches = &batches;
            Row::new(name, move |n| {
                db.write(&batches[n], Durability::Buffered).expect("a batch");
                n as u64
            })
        };
        vec![
            row("native", Box::new(one)),
            row("native again", Box::new(two)),
            row("sandbox", Box::new(inside)),
        ]
    });
    let title =
        format!("put, buffered: 100 of {count} new keys of 16 B a call, values of {bytes} B");
    report(&title, &pairs, &[("sandbox", limit)]);
}

/// One call at a time, in memory: what the boundary costs.
fn calls(size: Size) {
    let ops = size.pick(100_000, 500);
    let native = Db::open(Arc::new(MemoryDisk::new()), options()).expect("a new store");
    let inside = sandbox().open(Arc::new(MemoryDisk::new()), &options()).expect("a new store");
    let stores: [(&str, &dyn Engine); 2] = [("native", &native), ("sandbox", &inside)];
    for (_, db) in stores {
        db.write(&batch(0..1000, 100), Durability::Buffered).expect("a batch");
    }
    let one = |db: &dyn Engine, n: usize| {
        let found = db.get(&key(n as u64 % 1000)).expect("a get").expect("the key is there");
        number_in(&found.value)
    };
    let put = |db: &dyn Engine, n: usize| {
        let number = n as u64 % 1000;
        db.write(&batch(number..number + 1, 100), Durability::Buffered).expect("a put");
        number
    };
    let pairs = Pairs::measure(PAIRS, ops, size.pick(1000, 50), |_| {
        vec![
            Row::new("native get", |n| one(&native, n)),
            Row::new("native get again", |n| one(&native, n)),
            Row::new("sandbox get", |n| one(&inside, n)),
        ]
    });
    report("single gets in memory, 100 B", &pairs, &[]);
    let pairs = Pairs::measure(PAIRS, ops, size.pick(1000, 50), |_| {
        vec![
            Row::new("native put", |n| put(&native, n)),
            Row::new("native put again", |n| put(&native, n)),
            Row::new("sandbox put", |n| put(&inside, n)),
        ]
    });
    report("single puts in memory, 100 B", &pairs, &[]);
    let pairs = Pairs::measure(PAIRS, ops, size.pick(1000, 50), |_| {
        vec![
            Row::new("native nothing", |_| u64::from(Engine::due(&native, 0).expect("an answer"))),
            Row::new("native nothing again", |_| {
                u64::from(Engine::due(&native, 0).expect("an answer"))
            }),
            Row::new("sandbox nothing", |_| u64::from(inside.due(0).expect("an answer"))),
        ]
    });
    report("a call that does nothing (`due`)", &pairs, &[]);
}

/// A component that is loaded, an instance, and a small store opened in it.
fn opens(size: Size) {
    let ops = size.pick(200, 5);
    let dir = store::scratch();
    let store = disk(dir.path());
    Db::open(Arc::clone(&store), options()).and_then(|db| db.close()).expect("a new store");
    let ready = sandbox();
    let pairs = Pairs::measure(PAIRS, ops, size.pick(10, 1), |_| {
        let native = |_| {
            let db = Db::open(Arc::clone(&store), options()).expect("the store opens");
            db.sequence()
        };
        vec![
            Row::new("native open", native),
            Row::new("native open again", native),
            Row::new("sandbox open", |_| {
                let db = ready.open(Arc::clone(&store), &options()).expect("the store opens");
                db.sequence().expect("an answer")
            }),
            Row::new("component from the cache, and open", |_| {
                let db = sandbox().open(Arc::clone(&store), &options()).expect("the store opens");
                db.sequence().expect("an answer")
            }),
        ]
    });
    report("open of an empty store", &pairs, &[]);
}

fn main() {
    let size = Size::of_this_run();
    say(format_args!("sandbox: {size:?}"));
    if wanted("get") {
        gets(size, 100, 1.5);
        gets(size, 1024, 2.0);
    }
    if wanted("put") {
        puts(size, 100, 1.5);
        puts(size, 1024, 2.0);
    }
    if wanted("call") {
        calls(size);
    }
    if wanted("open") {
        opens(size);
    }
}
