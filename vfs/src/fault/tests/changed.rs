//! Tests of traces with a sync less, or moved.

use super::disk_with;
use crate::fault::Trace;
use crate::fault::dice::Dice;
use crate::{FaultDisk, SyncMode, Vfs};
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Creates `a`, writes it, syncs bytes and name, acknowledges that, and syncs both again for nothing.
fn run() -> Trace {
    let disk = FaultDisk::recording();
    let file = disk.create("a").unwrap();
    file.write_at(b"hello", 0).unwrap();
    file.sync(SyncMode::All).unwrap();
    disk.sync_dir("").unwrap();
    disk.mark(1);
    file.sync(SyncMode::All).unwrap();
    disk.sync_dir("").unwrap();
    disk.mark(2);
    disk.trace()
}

fn lines(trace: &Trace) -> Vec<String> {
    trace.to_string().lines().map(ToString::to_string).collect()
}

#[test]
fn a_sync_says_what_it_makes_durable() {
    let trace = run();
    let made: Vec<String> = (0..trace.len()).map(|op| trace.made_durable(op).join(", ")).collect();
    assert_eq!(made, ["", "", "a bytes 0+5, a length 5", "create a", "", ""]);
}

#[test]
fn a_sync_of_bytes_alone_leaves_the_length_open() {
    let disk = disk_with("a=....");
    disk.record();
    let file = super::open(&disk, "a");
    file.write_at(b"xyz", 2).unwrap();
    file.sync(SyncMode::Data).unwrap();
    file.set_len(9).unwrap();
    file.sync(SyncMode::Data).unwrap();
    file.sync(SyncMode::All).unwrap();
    let trace = disk.trace();
    assert_eq!(trace.made_durable(1), ["a bytes 2+3"]);
    assert_eq!(trace.made_durable(3), [""; 0]);
    assert_eq!(trace.made_durable(4), ["a bytes 4+1", "a length 5", "a zeros 5+4", "a length 9"]);
    assert!(trace.new_points(&trace.without(3)).is_empty());
}

#[test]
fn an_idle_sync_can_go_and_another_cannot() {
    let trace = run();
    // Until the end, for nothing else syncs the file before it acknowledges.
    assert_eq!(trace.new_points(&trace.without(2)), [3]);
    assert_eq!(trace.new_points(&trace.without(3)), [3, 4]);
    // In which order two syncs come that follow each other makes no difference, unless something is acknowledged.
    let exchanged = trace.exchanged(2, 3).unwrap();
    assert_eq!(lines(&exchanged)[2..4], ["sync_dir .", "sync a all"]);
    assert_eq!(trace.new_points(&exchanged), [0; 0]);
    assert_eq!(trace.new_points(&trace.exchanged(3, 4).unwrap()), [4]);
    assert!(trace.exchanged(1, 2).is_none(), "a write is no sync");
    assert_eq!(trace.new_points(&trace.without(4)), [0; 0]);
    assert_eq!(trace.new_points(&trace.without(5)), [0; 0]);
}

#[test]
fn a_sync_moves_alone() {
    let trace = run();
    let moved = trace.moved(2, 1).unwrap();
    let early =
        "create a, sync a all, write a 0+5, sync_dir ., mark 1, sync a all, sync_dir ., mark 2";
    assert_eq!(lines(&moved).join(", "), early);
    assert_eq!(trace.new_points(&moved), [4]);
    // Why behind the mark: what was acknowledged after it, is now acknowledged before it.
    let late =
        "create a, write a 0+5, sync a all, mark 1, sync a all, sync_dir ., sync_dir ., mark 2";
    let moved = trace.moved(3, 4).unwrap();
    assert_eq!(lines(&moved).join(", "), late);
    assert_eq!(trace.new_points(&moved), [3, 4]);
    assert_eq!(trace.new_points(&moved.moved(4, 3).unwrap()), [3]);
    assert!(trace.moved(2, 0).is_none(), "a file that is not there is not synced");
    assert!(trace.moved(1, 2).is_none(), "a write is no sync");
    assert!(trace.moved(5, 6).is_none(), "there is nothing behind the last one");
}

// What a crash can leave at a point that is not new, it can leave at a point of the unchanged trace too: with all states of
// small random runs.
#[test]
fn what_is_not_new_is_known() {
    let (mut changed, mut new) = (0, 0);
    for seed in 0..150 {
        let disk = FaultDisk::recording();
        let mut dice = Dice::new(seed);
        for n in 0..14 {
            super::random_step(&disk, &mut dice);
            if n % 5 == 0 {
                disk.mark(n);
            }
        }
        let trace = disk.trace();
        let states = |trace: &Trace, op: usize| trace.disk_at(op, 0).all_states();
        for op in 0..trace.len() {
            let beside = [op.checked_sub(1), Some(op + 1)].into_iter().flatten();
            let without = (trace.moved(op, op).is_some()).then(|| trace.without(op));
            let moved = beside.filter_map(|to| trace.moved(op, to));
            let exchanged = (op..trace.len()).find_map(|other| trace.exchanged(op, other + 1));
            for other in moved.chain(without).chain(exchanged) {
                let points: BTreeSet<usize> = trace.new_points(&other).into_iter().collect();
                for point in (0..=other.len()).filter(|point| !points.contains(point)) {
                    let (left, marks) = (states(&other, point), other.marks_before(point).count());
                    let near = point.saturating_sub(1)..=(point + 1).min(trace.len());
                    let mut near = near.filter(|near| trace.marks_before(*near).count() == marks);
                    let contains = |near| {
                        let (known, left) = (states(&trace, near).unwrap(), left.as_ref().unwrap());
                        known.killed == left.killed && left.power_cut.is_subset(&known.power_cut)
                    };
                    assert!(near.any(contains), "{seed} {op} {point}");
                }
                changed += 1;
                new += usize::from(!points.is_empty());
            }
        }
    }
    assert!(new > 100 && changed > 2 * new, "{new} of {changed}");
}
