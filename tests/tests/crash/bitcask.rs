//! The bugs of Bitcask's hint files and merges that need a crash or damage. The original stands above each test.

use std::sync::Arc;

use keelstone::lab::Bug;
use keelstone::vfs::{FaultDisk, Image, MemoryDisk, PowerCut};
use keelstone::{Db, Error, FileName, ManualClock};
use keelstone_tests::crash::CRASH_SHAPE;
use keelstone_tests::damage::{Damage, Sample, Verdict};
use keelstone_tests::story::Story;

use crate::merges::{Part, crashed_and_sees, crashed_everywhere, holds, inputs, recorded};

fn names(sample: &Sample, kind: fn(&FileName) -> bool) -> Vec<String> {
    let is = |name: &&String| FileName::parse(name).is_some_and(|name| kind(&name));
    sample.image.keys().filter(is).cloned().collect()
}

fn hints(sample: &Sample) -> Vec<String> {
    names(sample, |name| matches!(name, FileName::Hint(_)))
}

fn harmless(sample: &Sample, image: &Image, what: &str) {
    let read = sample.read(image).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(read, Verdict::Harmless, "{what}");
}

// Bitcask's `truncated_hintfile_test`: a hint that is shorter or longer than its data file was believed. A hint is
// advisory: whatever becomes of it, the store shows the same.
#[test]
fn bitcask_truncated_hint_changes_nothing() {
    let sample = Sample::new();
    for hint in hints(&sample) {
        for len in 0..sample.image[&hint].len() {
            harmless(
                &sample,
                &sample.damaged(&hint, &Damage::Cut(len)),
                &format!("{hint} cut at {len}"),
            );
        }
        let mut longer = sample.image.clone();
        let bytes = longer.get_mut(&hint).unwrap();
        let copy = bytes.clone();
        bytes.extend_from_slice(&copy);
        harmless(&sample, &longer, &format!("{hint} twice as long"));
        harmless(&sample, &sample.damaged(&hint, &Damage::Remove), &format!("no {hint}"));
    }
}

// A hint of another file, or of an older file under the same name, is not believed.
#[test]
fn bitcask_stale_hint_changes_nothing() {
    let sample = Sample::new();
    let hints = hints(&sample);
    assert!(hints.len() >= 2, "{hints:?}");
    for hint in &hints {
        for other in hints.iter().filter(|other| *other != hint) {
            let image = sample.damaged(hint, &Damage::Swap(other.clone()));
            harmless(&sample, &image, &format!("{other} in place of {hint}"));
        }
        for at in 0..sample.image[hint].len() {
            harmless(
                &sample,
                &sample.damaged(hint, &Damage::Flip(at, 2)),
                &format!("{hint} byte {at}"),
            );
        }
    }
}

// Bitcask #212: without a hint a key was loaded from a damaged record whose checksum nobody looked at.
#[test]
fn bitcask_212_record_is_checked_when_the_hint_is_missing() {
    let sample = Sample::new();
    let mut bare = sample.image.clone();
    bare.retain(|name, _| !name.ends_with(".hint"));
    let records = names(&sample, |n| matches!(n, FileName::Log(_) | FileName::Segment(_)));
    let bare = Sample { image: bare, model: sample.model.clone(), written: Vec::new(), ..sample };
    harmless(&bare, &bare.image, "no hints at all");
    let mut noticed = 0;
    for file in &records {
        for at in 0..bare.image[file].len() {
            let read = bare.read(&bare.damaged(file, &Damage::Flip(at, 6)));
            let read = read.unwrap_or_else(|error| panic!("{file} byte {at}: {error}"));
            noticed += usize::from(read != Verdict::Harmless);
        }
    }
    assert!(noticed > 500, "only {noticed} flipped bits were noticed");
}

// Bitcask #148 with a power cut: a delete between the steps of a merge, and the merge's file has the higher number.
#[test]
fn bitcask_148_delete_between_the_steps_of_a_merge_and_power_cut() {
    let mut under_way = 0;
    for steps in 8..14 {
        let mut story = Story::new();
        story.put("k", "old").put("l", "old").fill("x", 6).fill("x", 6).sync().work(steps);
        let before = recorded(&story);
        under_way += u32::from(before.count("create", ".seg") > 0 && inputs(&before).is_empty());
        story.delete("k").put("l", "new").work(20);
        holds(&story, Part::Merge(1));
        crashed_everywhere(&story);
    }
    assert!(under_way >= 3, "a delete met a merge {under_way} times");
}

// Bitcask #82 with a power cut after the partial merge: the tombstone must be carried, and the carrier be durable.
#[test]
fn bitcask_82_tombstone_carried_by_a_partial_merge_survives() {
    let mut story = Story::new();
    story
        .put("k", "old")
        .fill("live", 6)
        .delete("k")
        .fill("dead", 5)
        .fill("dead", 5)
        .sync()
        .work(30);
    story.kill().work(4);
    holds(&story, Part::PartialMerge);
    crashed_and_sees(&story, Bug::OutputNamesNotSynced);
}

// Bitcask's `bitcask_timeshift` with a power cut: the clock of the next start is behind. What had expired at a time that
// a durable frame carries stays expired, and a newer write wins over an older one.
#[test]
fn bitcask_timeshift_clock_behind_after_a_power_cut() {
    let disk = FaultDisk::new();
    let open = |disk: &FaultDisk, now_ms| {
        Db::open(Arc::new(disk.clone()), CRASH_SHAPE.options(&ManualClock::new(now_ms))).unwrap()
    };
    let clock = ManualClock::new(1000);
    let db = Db::open(Arc::new(disk.clone()), CRASH_SHAPE.options(&clock)).unwrap();
    db.put("t", "old").unwrap();
    db.put_until("t", "short", 1500).unwrap();
    clock.set(2000);
    db.put("k", "first").unwrap();
    db.sync().unwrap();
    clock.set(500);
    db.put("k", "second").unwrap();
    db.sync().unwrap();
    drop(db);
    let mut disk = disk.power_cut(&PowerCut::Lost);
    for life in 0..4 {
        let db = open(&disk, 10 * life);
        assert_eq!(db.get("t").unwrap(), None, "life {life}: what had expired is visible again");
        assert_eq!(db.get("k").unwrap().as_deref(), Some(&b"second"[..]), "life {life}");
        db.put(format!("life{life}"), "1").unwrap();
        db.compact().unwrap();
        drop(db);
        disk = disk.power_cut(&[PowerCut::Kept, PowerCut::Lost][usize::from(life % 2 == 0)]);
    }
}

// Two users at a time spoilt Bitcask's directory; a lock file left by a killed process must not stop the next start.
#[test]
fn bitcask_lock_excludes_and_a_stale_one_does_not() {
    let sample = Sample::new();
    let disk = Arc::new(MemoryDisk::from_image(&sample.image));
    let options = || sample.shape.options(&ManualClock::new(sample.model.time_ms()));
    let db = Db::open(disk.clone(), options()).unwrap();
    assert_eq!(Db::open(disk.clone(), options()).err(), Some(Error::Locked));
    assert_eq!(keelstone::verify(&(disk.clone() as _)).err(), Some(Error::Locked));
    drop(db);
    assert!(Db::open(disk, options()).is_ok());
}
