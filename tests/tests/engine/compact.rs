//! What holds when `compact` returns, whatever others have in hand.

use std::sync::Arc;

use keelstone::vfs::{MemoryDisk, Vfs};
use keelstone::{Db, Layout, ManualClock};
use keelstone_tests::mirror::START_MS;
use keelstone_tests::op::value;
use keelstone_tests::shape::Shape;

fn files(vfs: &Arc<dyn Vfs>) -> usize {
    vfs.list("").unwrap().iter().filter(|name| *name != "LOCK").count()
}

/// The files that `compact` leaves behind a store whose old files wait for nobody any more; with `taken`, somebody has their
/// removal in hand, and is between two steps of it.
fn left(layout: Layout, taken: bool) -> usize {
    let vfs: Arc<dyn Vfs> = Arc::new(MemoryDisk::new());
    let shape = Shape { layout, memtable_bytes: 80 << 10, table_bytes: 8 << 10, ..Shape::TINY };
    let db = Db::open(Arc::clone(&vfs), shape.options(&ManualClock::new(START_MS))).unwrap();
    let fill = |round: u64| {
        (0..2_000).for_each(|n| db.put(format!("k{n:04}"), value(round, 60)).unwrap());
    };
    fill(1);
    while db.work().unwrap() {}
    let snapshot = db.snapshot().unwrap();
    let mut reader = snapshot.scan().unwrap();
    reader.next().unwrap().unwrap();
    fill(2);
    db.compact().unwrap();
    assert!(db.take_job().is_none(), "something is due, and should wait for the reader");
    let kept = files(&vfs);
    drop((reader, snapshot));
    let job = taken.then(|| {
        let mut job = db.take_job().expect("old files to remove");
        assert!(job.step().unwrap(), "there is more than one of them");
        assert!(files(&vfs) < kept, "it removes nothing");
        job
    });
    db.compact().unwrap();
    let left = files(&vfs);
    assert!(left + 2 < kept, "{left} of {kept} files are left");
    if let Some(mut job) = job {
        assert!(!job.step().unwrap(), "nothing is left to remove");
    }
    left
}

// Found by a benchmark: with a worker, the disk had twice the live data right behind a `compact`, now and then.
#[test]
fn old_files_are_gone_whoever_has_their_removal_in_hand() {
    for layout in [Layout::Ordered, Layout::Hash] {
        assert_eq!(left(layout, true), left(layout, false), "{layout:?}");
    }
}
