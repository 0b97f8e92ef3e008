//! Failures on command: when they strike, what they leave, and what is seen of them.

use super::{disk_with, image, open, text};
use crate::fault::{Effect, Fault, FaultDisk, PowerCut, SyncFault};
use crate::{Access, Capabilities, Error, File, Kind, Op, Result, SyncMode, Vfs};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// An operation, how to do it to a `T`, and what it leaves.
type Each<T> = (Op, fn(&T) -> Result<()>, &'static str);

/// Every operation on a disk with `a=pq` and `b=r`, each with what it leaves.
const EVERY: &[Each<FaultDisk>] = &[
    (Op::Open, |disk| disk.open("a", Access::Read).map(|_| ()), "a=pq b=r"),
    (Op::Create, |disk| disk.create("c").map(|_| ()), "a=pq b=r c="),
    (Op::List, |disk| disk.list("").map(|_| ()), "a=pq b=r"),
    (Op::Rename, |disk| disk.rename("a", "b"), "b=pq"),
    (Op::Remove, |disk| disk.remove("a"), "b=r"),
    (Op::CreateDir, |disk| disk.create_dir("d"), "a=pq b=r d/"),
    (Op::SyncDir, |disk| disk.sync_dir(""), "a=pq b=r"),
    (Op::Lock, |disk| disk.lock("l", Access::Write).map(|_| ()), "a=pq b=r l="),
];

/// Every operation on the file `a`, as above.
const EVERY_OF_FILE: &[Each<dyn File>] = &[
    (Op::Read, |file| file.read_at(&mut [0; 2], 0).map(|_| ()), "a=pq b=r"),
    (Op::Write, |file| file.write_at(b"xyz", 0), "a=xyz b=r"),
    (Op::Len, |file| file.len().map(|_| ()), "a=pq b=r"),
    (Op::SetLen, |file| file.set_len(1), "a=p b=r"),
    (Op::Allocate, |file| file.allocate(0, 4), "a=pq.. b=r"),
    (Op::Sync, |file| file.sync(SyncMode::All), "a=pq b=r"),
];

/// Runs one operation of each kind under a failure with this effect.
fn each(effect: Effect, check: impl Fn(Op, &FaultDisk, &str)) {
    let fault = |disk: &FaultDisk| disk.inject(Fault::once(disk.ops(), Kind::Io).with(effect));
    for (op, run, after) in EVERY {
        let disk = disk_with("a=pq b=r");
        fault(&disk);
        assert_eq!(run(&disk), Err(Error::new(*op, Kind::Io)));
        check(*op, &disk, after);
    }
    for (op, run, after) in EVERY_OF_FILE {
        let disk = disk_with("a=pq b=r");
        let file = open(&disk, "a");
        fault(&disk);
        assert_eq!(run(&*file), Err(Error::new(*op, Kind::Io)));
        check(*op, &disk, after);
        // Once is once.
        assert_eq!(run(&*file), Ok(()));
        assert_eq!(text(&disk.cached()), *after, "{op:?}");
    }
}

#[test]
fn a_failure_without_effect_leaves_everything() {
    each(Effect::None, |op, disk, _| assert_eq!(text(&disk.cached()), "a=pq b=r", "{op:?}"));
}

#[test]
fn a_failure_with_effect_leaves_it_done() {
    each(Effect::Full, |op, disk, after| assert_eq!(text(&disk.cached()), after, "{op:?}"));
}

#[test]
fn a_partial_failure_leaves_the_first_bytes() {
    for (n, written) in
        ["a=pq b=r", "a=xq b=r", "a=xy b=r", "a=xyz b=r", "a=xyz b=r"].into_iter().enumerate()
    {
        each(Effect::Partial(n), |op, disk, _| {
            let expected = if op == Op::Write { written } else { "a=pq b=r" };
            assert_eq!(text(&disk.cached()), expected, "{op:?} {n}");
        });
    }
}

#[test]
fn a_failure_with_effect_makes_bytes_and_names_durable_too() {
    let disk = disk_with("a=p");
    let file = open(&disk, "a");
    file.write_at(b"x", 0).unwrap();
    disk.create("b").unwrap();
    disk.inject(Fault::forever(disk.ops(), Kind::NoSpace).with(Effect::Full));
    assert_eq!(file.sync(SyncMode::Data), Err(Error::new(Op::Sync, Kind::NoSpace)));
    assert_eq!(disk.sync_dir(""), Err(Error::new(Op::SyncDir, Kind::NoSpace)));
    assert_eq!(text(&disk.durable()), "a=x b=");
}

#[test]
fn forever_lasts_until_it_is_cleared() {
    let disk = disk_with("a=p");
    disk.set_ops(100);
    disk.inject(Fault::forever(102, Kind::Denied));
    let file = open(&disk, "a");
    file.write_at(b"x", 0).unwrap();
    for _ in 0..3 {
        assert_eq!(file.write_at(b"y", 0), Err(Error::new(Op::Write, Kind::Denied)));
        assert_eq!(disk.list(""), Err(Error::new(Op::List, Kind::Denied)));
    }
    assert_eq!(disk.ops(), 108);
    disk.clear_faults();
    file.write_at(b"z", 0).unwrap();
    assert_eq!((text(&disk.cached()), disk.ops()), (String::from("a=z"), 109));
}

#[test]
fn every_operation_counts_once() {
    let disk = disk_with("a=pq b=r");
    for (_, run, _) in EVERY {
        let before = disk.ops();
        run(&disk).unwrap_or(());
        assert_eq!(disk.ops(), before + 1);
        disk.write_file("a", b"pq").unwrap();
    }
    let file = open(&disk, "a");
    for (_, run, _) in EVERY_OF_FILE {
        let before = disk.ops();
        run(&*file).unwrap();
        assert_eq!(disk.ops(), before + 1);
    }
}

#[test]
fn a_full_disk_takes_what_fits() {
    let disk = disk_with("a=pq b=r");
    disk.limit_space(Some(5));
    let file = open(&disk, "a");
    file.write_at(b"xy", 0).unwrap();
    let full = |op| Err(Error::new(op, Kind::NoSpace));
    assert_eq!(file.write_at(b"1234", 1), full(Op::Write));
    assert_eq!(text(&disk.cached()), "a=x123 b=r");
    assert_eq!(file.write_at(b"zz", 4), full(Op::Write));
    assert_eq!(file.write_at(b"zz", 9), full(Op::Write));
    assert_eq!(file.set_len(5), full(Op::SetLen));
    assert_eq!(file.allocate(3, 2), full(Op::Allocate));
    assert_eq!(text(&disk.cached()), "a=x123 b=r");
    file.write_at(b"abcd", 0).unwrap();
    file.allocate(0, 4).unwrap();
    disk.create("c").unwrap();
    disk.remove("b").unwrap();
    file.write_at(b"5", 4).unwrap();
    file.set_len(1).unwrap();
    assert_eq!(disk.space_used(), 1);
    open(&disk, "c").write_at(b"1234", 0).unwrap();
    assert_eq!(file.write_at(b"z", 1), full(Op::Write));
    disk.limit_space(None);
    file.write_at(b"z", 1).unwrap();
    assert_eq!(text(&disk.cached()), "a=az c=1234");
}

#[test]
fn a_full_disk_writes_up_to_a_gap_and_no_gap() {
    let disk = disk_with("a=p");
    disk.limit_space(Some(4));
    let file = open(&disk, "a");
    assert_eq!(file.write_at(b"xyz", 3), Err(Error::new(Op::Write, Kind::NoSpace)));
    assert_eq!(text(&disk.cached()), "a=p..x");
}

/// A disk with `a=old` on which `new` was written over it, and the n-th sync fails in a way.
fn failing(at: u64, fault: SyncFault) -> FaultDisk {
    let disk = disk_with("a=old");
    open(&disk, "a").write_at(b"new", 0).unwrap();
    disk.fail_sync(at, fault);
    disk
}

fn failed() -> Result<()> {
    Err(Error::new(Op::Sync, Kind::Io))
}

/// What is cached, and what is left if everything is kept and if everything is lost.
fn seen(disk: &FaultDisk) -> [String; 3] {
    let cut = |choice| text(&disk.power_cut(&choice).cached());
    [text(&disk.cached()), cut(PowerCut::Kept), cut(PowerCut::Lost)]
}

#[test]
fn a_dropped_sync_is_never_made_good() {
    let disk = failing(0, SyncFault::Dropped);
    let file = open(&disk, "a");
    assert_eq!(file.sync(SyncMode::All), failed());
    assert_eq!(seen(&disk), ["a=new", "a=old", "a=old"]);
    assert_eq!(file.sync(SyncMode::All), Ok(()));
    assert_eq!(seen(&disk), ["a=new", "a=old", "a=old"]);
    // What is written again is durable again, and nothing beside it.
    file.write_at(b"E", 1).unwrap();
    file.sync(SyncMode::All).unwrap();
    assert_eq!(seen(&disk), ["a=nEw", "a=oEd", "a=oEd"]);
}

#[test]
fn a_dropped_length_is_never_made_good() {
    let disk = disk_with("a=old");
    let file = open(&disk, "a");
    file.write_at(b"er", 3).unwrap();
    disk.fail_sync(0, SyncFault::Dropped);
    assert_eq!(file.sync(SyncMode::All), failed());
    assert_eq!(file.sync(SyncMode::All), Ok(()));
    assert_eq!(seen(&disk), ["a=older", "a=old", "a=old"]);
    file.write_at(b"R", 4).unwrap();
    assert_eq!(seen(&disk), ["a=oldeR", "a=old.R", "a=old"]);
    file.sync(SyncMode::All).unwrap();
    assert_eq!(seen(&disk), ["a=oldeR", "a=old.R", "a=old.R"]);
}

#[test]
fn a_late_sync_fails_the_next_time() {
    let disk = failing(0, SyncFault::Late);
    let file = open(&disk, "a");
    assert_eq!(file.sync(SyncMode::Data), Ok(()));
    assert_eq!(seen(&disk), ["a=new", "a=old", "a=old"]);
    assert_eq!(open(&disk, "a").sync(SyncMode::Data), failed());
    assert_eq!(file.sync(SyncMode::Data), Ok(()));
    assert_eq!(seen(&disk), ["a=new", "a=old", "a=old"]);
}

#[test]
fn a_reverted_sync_shows_the_old_bytes() {
    let disk = failing(1, SyncFault::Reverted);
    let file = open(&disk, "a");
    file.sync(SyncMode::All).unwrap();
    file.write_at(b"longer", 0).unwrap();
    assert_eq!(file.sync(SyncMode::All), failed());
    assert_eq!(seen(&disk), ["a=new", "a=new", "a=new"]);
    file.write_at(b"x", 0).unwrap();
    assert_eq!(file.sync(SyncMode::All), Ok(()));
    assert_eq!(seen(&disk), ["a=xew", "a=xew", "a=xew"]);
}

#[test]
fn every_handle_is_told_once() {
    let disk = failing(0, SyncFault::PerHandle);
    let (one, two) = (open(&disk, "a"), open(&disk, "a"));
    assert_eq!(one.sync(SyncMode::All), failed());
    let three = open(&disk, "a");
    assert_eq!(three.sync(SyncMode::All), Ok(()));
    assert_eq!(two.sync(SyncMode::All), failed());
    for file in [&one, &two, &three] {
        assert_eq!(file.sync(SyncMode::All), Ok(()));
    }
    assert_eq!(seen(&disk), ["a=new", "a=old", "a=old"]);
}

#[test]
fn a_lying_sync_keeps_nothing_until_an_honest_one() {
    let disk = disk_with("a=old");
    let file = open(&disk, "a");
    file.write_at(b"new", 0).unwrap();
    disk.create("b").unwrap();
    disk.lie(true);
    assert_eq!((file.sync(SyncMode::All), disk.sync_dir("")), (Ok(()), Ok(())));
    assert_eq!(seen(&disk), ["a=new b=", "a=new b=", "a=old"]);
    disk.lie(false);
    assert_eq!((file.sync(SyncMode::All), disk.sync_dir("")), (Ok(()), Ok(())));
    assert_eq!(seen(&disk), ["a=new b=", "a=new b=", "a=new b="]);
}

#[test]
fn syncs_have_a_count_of_their_own() {
    let disk = disk_with("a=old");
    disk.set_syncs(7);
    disk.fail_sync(8, SyncFault::Dropped);
    let file = open(&disk, "a");
    let results: Vec<bool> = (0..3).map(|_| file.sync(SyncMode::All).is_ok()).collect();
    assert_eq!((results, disk.syncs()), (vec![true, false, true], 10));
}

#[test]
fn a_halt_stops_in_the_middle_of_an_operation() {
    for (bytes, left) in ["a=pq", "a=xq", "a=xy", "a=xyz", "a=xyz"].into_iter().enumerate() {
        let disk = disk_with("a=pq");
        let file = open(&disk, "a");
        disk.halt(disk.ops() + 1, bytes);
        file.len().unwrap();
        assert!(!disk.halted());
        assert_eq!(file.write_at(b"xyz", 0), Err(Error::new(Op::Write, Kind::Io)));
        assert!(disk.halted());
        assert_eq!(file.sync(SyncMode::All), failed());
        assert_eq!(disk.remove("a"), Err(Error::new(Op::Remove, Kind::Io)));
        assert_eq!(disk.kill().cached(), image(left));
        assert_eq!(disk.kill().list("").unwrap(), ["a"]);
    }
    for (bytes, left) in [(0, "a=pq"), (1, "b=pq")] {
        let disk = disk_with("a=pq");
        disk.halt(disk.ops(), bytes);
        assert!(disk.rename("a", "b").is_err());
        assert_eq!(disk.kill().cached(), image(left));
    }
}

#[test]
fn a_flipped_bit_is_on_the_medium_and_in_the_cache() {
    let disk = disk_with("a=pq");
    disk.flip("a", 1, 0).unwrap();
    assert_eq!((disk.cached(), disk.durable()), (image("a=pp"), image("a=pp")));
    disk.flip("a", 1, 0).unwrap();
    assert_eq!(seen(&disk), ["a=pq", "a=pq", "a=pq"]);
    let kind = |result: Result<()>| result.map_err(|error| error.kind);
    assert_eq!(kind(disk.flip("a", 2, 0)), Err(Kind::NotFound));
    assert_eq!(kind(disk.flip("b", 0, 0)), Err(Kind::NotFound));
    open(&disk, "a").write_at(b"xyz", 0).unwrap();
    disk.flip("a", 2, 1).unwrap();
    assert_eq!(seen(&disk), ["a=xyx", "a=xyx", "a=pq"]);
}

#[test]
fn files_are_laid_onto_the_medium_and_taken_off() {
    let disk = disk_with("a=pq");
    let old = open(&disk, "a");
    old.write_at(b"xx", 0).unwrap();
    disk.write_file("a", b"new").unwrap();
    disk.write_file("b", b"more").unwrap();
    assert_eq!(seen(&disk), ["a=new b=more"; 3]);
    assert_eq!(disk.read_file("a").unwrap(), b"new");
    disk.remove_file("b").unwrap();
    assert_eq!(seen(&disk), ["a=new"; 3]);
    assert_eq!(disk.read_file("b").err().map(|error| error.kind), Some(Kind::NotFound));
    open(&disk, "a").write_at(b"XXX", 0).unwrap();
    assert_eq!(disk.read_file("a").unwrap(), b"new");
    assert_eq!(old.len(), Ok(2));
}

#[test]
fn without_atomic_renames_both_names_or_neither_may_be_left() {
    let disk = disk_with("a=p b=q");
    disk.set_capabilities(Capabilities { atomic_rename: false, ..Capabilities::ALL });
    disk.rename("a", "b").unwrap();
    assert_eq!(disk.cached(), image("b=p"));
    let left: Vec<String> = disk.all_states().unwrap().power_cut.iter().map(text).collect();
    assert_eq!(left, ["a=p b=p", "a=p b=q", "b=p", "b=q"]);
}

#[test]
fn without_directory_syncs_they_say_no() {
    let disk = disk_with("");
    disk.set_capabilities(Capabilities { dir_sync: false, ..Capabilities::ALL });
    disk.create("a").unwrap();
    assert_eq!(disk.sync_dir(""), Err(Error::new(Op::SyncDir, Kind::Unsupported)));
    assert_eq!(disk.durable(), image(""));
}
