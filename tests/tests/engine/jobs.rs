//! Jobs in hand: what `compact` waits for, and whose they are.

use std::sync::Arc;

use keelstone::vfs::{MemoryDisk, Vfs};
use keelstone::{Db, Layout, ManualClock};
use keelstone_tests::mirror::START_MS;
use keelstone_tests::op::value;
use keelstone_tests::shape::Shape;

fn files(vfs: &Arc<dyn Vfs>) -> usize {
    vfs.list("").unwrap().iter().filter(|name| *name != "LOCK").count()
}

fn open(vfs: &Arc<dyn Vfs>, layout: Layout) -> Db {
    let shape = Shape { layout, memtable_bytes: 80 << 10, table_bytes: 8 << 10, ..Shape::TINY };
    Db::open(Arc::clone(vfs), shape.options(&ManualClock::new(START_MS))).unwrap()
}

fn fill(db: &Db, round: u64) {
    (0..2_000).for_each(|n| db.put(format!("k{n:04}"), value(round, 60)).unwrap());
}

/// The files that `compact` leaves behind a store whose old files wait for nobody any more; with `taken`, somebody has their
/// removal in hand, and is between two steps of it.
fn left(layout: Layout, taken: bool) -> usize {
    let vfs: Arc<dyn Vfs> = Arc::new(MemoryDisk::new());
    let db = open(&vfs, layout);
    fill(&db, 1);
    while db.work().unwrap() {}
    let snapshot = db.snapshot().unwrap();
    let mut reader = snapshot.scan().unwrap();
    reader.next().unwrap().unwrap();
    fill(&db, 2);
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

// Found by reading: a job that was given to another store of the same layout went on there.
#[test]
fn job_goes_back_to_the_store_that_it_is_of() {
    for layout in [Layout::Hash, Layout::Ordered] {
        let [one, other] = [1, 2].map(|round| {
            let db = open(&(Arc::new(MemoryDisk::new()) as Arc<dyn Vfs>), layout);
            fill(&db, round);
            db
        });
        let mut job = one.take_job().expect("something to do");
        assert!(job.step().unwrap(), "{layout:?}: it has more than one step");
        other.give_back(job);
        let mut job = one.take_job().expect("it goes on where it stopped");
        while job.step().unwrap() {}
        for (round, db) in [(1, &one), (2, &other)] {
            db.compact().unwrap();
            assert!(db.take_job().is_none());
            assert_eq!(db.get("k0007").unwrap(), Some(value(round, 60)), "{layout:?}");
        }
    }
}
