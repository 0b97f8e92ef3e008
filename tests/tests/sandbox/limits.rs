//! What a component may have: memory and fuel. Beyond them it ends, and the store is as after the
//! end of a process.

use std::sync::Arc;

use keelstone::vfs::{MemoryDisk, Vfs};
use keelstone::{Batch, Db, Durability, ManualClock};
use keelstone_host::engine::{Engine, Error};
use keelstone_host::sandbox::Limits;
use keelstone_tests::disk::sandbox;
use keelstone_tests::shape::Shape;

fn put(key: &str, len: usize) -> Batch {
    let mut batch = Batch::new();
    batch.put(key, vec![0x5a; len]);
    batch
}

fn said(error: Error) -> String {
    match error {
        Error::Sandbox(text) => text,
        Error::Store(error) => panic!("the store said {error}"),
    }
}

#[test]
fn a_call_that_needs_too_much_memory_ends_and_loses_nothing() {
    let disk: Arc<dyn Vfs> = Arc::new(MemoryDisk::new());
    let mut options = Shape::TINY.options(&ManualClock::new(0));
    (options.segment_bytes, options.value_bytes_max) = (1 << 30, 64 << 20);
    let small = Limits { memory_bytes: 8 << 20, ..Limits::default() };
    let db = sandbox().with_limits(small).open(Arc::clone(&disk), &options).unwrap();
    db.write(&put("kept", 100), Durability::Durable).unwrap();
    let text = said(db.write(&put("huge", 32 << 20), Durability::Durable).unwrap_err());
    assert!(text.contains("more memory than its limit"), "{text}");
    let again = said(db.get(b"kept").unwrap_err());
    assert_eq!(again, text, "an instance that ended stays so");
    drop(db);
    let db = sandbox().open(Arc::clone(&disk), &options).unwrap();
    assert_eq!((db.get(b"kept").unwrap().unwrap().value.len(), db.len()), (100, Ok(1)));
    db.write(&put("huge", 32 << 20), Durability::Durable).unwrap();
    db.close().unwrap();
    assert_eq!(Db::open(disk, options).unwrap().len(), Ok(2));
}

#[test]
fn a_call_that_would_run_for_ever_ends_and_loses_nothing() {
    let disk: Arc<dyn Vfs> = Arc::new(MemoryDisk::new());
    let options = Shape::TINY.options(&ManualClock::new(0));
    let db = sandbox().open(Arc::clone(&disk), &options).unwrap();
    for n in 0..200 {
        db.write(&put(&format!("key-{n}"), 200), Durability::Buffered).unwrap();
    }
    drop(db);
    let mut ended = 0;
    let mut opened = 0;
    // Every amount of fuel ends somewhere else: within open, within compact, or nowhere.
    for fuel in (1..).map(|n| n * n * 5_000) {
        let little = Limits { fuel, ..Limits::default() };
        match sandbox().with_limits(little).open(Arc::clone(&disk), &options) {
            Err(error) => {
                let text = said(error);
                assert!(text.contains("more fuel than its limit"), "{text}");
                ended += 1;
            }
            Ok(db) => {
                opened += 1;
                match db.compact() {
                    Ok(()) => break,
                    Err(error) => {
                        assert!(said(error).contains("more fuel"));
                        ended += 1;
                    }
                }
            }
        }
        let native = Db::open(Arc::clone(&disk), options.clone()).unwrap();
        assert_eq!(native.len(), Ok(200));
    }
    assert!(ended > 10 && opened > 0, "ended {ended} times, opened {opened} times");
    let db = Db::open(disk, options).unwrap();
    for n in 0..200 {
        assert_eq!(db.get(format!("key-{n}")).unwrap().unwrap().len(), 200);
    }
}
