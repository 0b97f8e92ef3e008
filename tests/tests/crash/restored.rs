//! Files that somebody put there: of an older time, of another store, of no store at all.

use std::sync::Arc;

use keelstone::lab::Bug;
use keelstone::vfs::{FaultDisk, Image, MemoryDisk, Vfs};
use keelstone::{Db, Error, ManualClock, OpenMode};
use keelstone_tests::damage::{Sample, Verdict};
use keelstone_tests::differential::quietly;
use keelstone_tests::disk::Disk;
use keelstone_tests::mirror::{START_MS, collect, fine, same_entries};
use keelstone_tests::shape::Shape;
use keelstone_tests::tale::Tale;

const SHAPE: Shape = Shape { segment_bytes: 1024, grace_ms: 0, manifest_bytes: 900, ..Shape::TINY };

/// The images of one store after each of its closes, and what it holds at the end.
fn lives() -> (Vec<Image>, Sample) {
    let disk = MemoryDisk::new();
    let mut tale = Tale::on(Disk::of(Arc::new(disk.clone())), SHAPE);
    let mut images = Vec::new();
    for life in 0..6 {
        tale.fill("k", 4 + life).delete("k1").work_some();
        if life == 3 {
            tale.step(&keelstone_tests::op::Op::Compact);
        }
        tale.reopen();
        images.push(disk.image());
    }
    tale.fill("last", 2);
    let (model, written) = (tale.model().clone(), tale.written().to_vec());
    tale.db().close().unwrap();
    (images, Sample { image: disk.image(), model, written, shape: SHAPE })
}

// A backup that was restored in part: one file is as it was at an earlier time.
#[test]
fn older_version_of_one_file_is_right_or_refused() {
    let (images, sample) = lives();
    let (mut tried, mut refused) = (0, 0);
    for (n, old) in images.iter().enumerate() {
        for (file, bytes) in old {
            let mut image = sample.image.clone();
            if image.insert(file.clone(), bytes.clone()).as_ref() == Some(bytes) {
                continue;
            }
            let read = sample.read(&image);
            let read = read.unwrap_or_else(|error| panic!("{file} of life {n}: {error}"));
            let sound = sample.verify(&image, read);
            sound.unwrap_or_else(|error| panic!("{file} of life {n}: {error}"));
            tried += 1;
            refused += u32::from(read == Verdict::Refused);
        }
    }
    println!("older files: tried={tried} refused={refused}");
    assert!(tried >= 20 && refused > 5, "tried {tried}, refused {refused}");
}

// All files of an earlier time together are the store of that time.
#[test]
fn older_version_of_all_files_is_the_older_store() {
    let (images, _) = lives();
    for image in &images {
        let disk: Arc<dyn Vfs> = Arc::new(MemoryDisk::from_image(image));
        assert!(keelstone::verify(&disk).unwrap().is_sound());
        assert!(Db::open(disk, SHAPE.options(&ManualClock::new(START_MS))).is_ok());
    }
}

// The same operations with another seed give files of the same names and lengths; none of them fits.
#[test]
fn file_of_another_store_is_right_or_refused() {
    let ours = Sample::new();
    let disk = MemoryDisk::new();
    let copy = Arc::new(disk.clone()) as Arc<dyn Vfs>;
    let clock = ManualClock::new(START_MS);
    let source = Arc::new(MemoryDisk::from_image(&ours.image));
    let db = Db::open(source, ours.shape.options(&clock)).unwrap();
    db.backup(&copy, 77).unwrap();
    drop(db);
    let mut refused = 0;
    for (file, bytes) in disk.image() {
        for name in ours.image.keys() {
            let same_kind = name.rsplit('.').next() == file.rsplit('.').next();
            if !same_kind || name.as_str() == "LOCK" {
                continue;
            }
            let mut image = ours.image.clone();
            image.insert(name.clone(), bytes.clone());
            let read = ours.read(&image);
            let read = read.unwrap_or_else(|error| panic!("{file} as {name}: {error}"));
            ours.verify(&image, read).unwrap_or_else(|error| panic!("{file} as {name}: {error}"));
            refused += u32::from(read == Verdict::Refused);
        }
    }
    assert!(refused >= 3, "only {refused} were refused");
}

// What is not ours stays, whatever it is called, and a directory that holds it is not taken for a new store.
#[test]
fn foreign_files_are_left_alone() {
    let foreign = [".DS_Store", "._0", "000001.log.bak", "notes.txt", "1.log", "CURRENT.tmp"];
    let disk = MemoryDisk::new();
    let mut tale = Tale::on(Disk::of(Arc::new(disk.clone())), SHAPE);
    for name in foreign {
        disk.create(name).unwrap().write_at(name.as_bytes(), 0).unwrap();
    }
    tale.fill("k", 30).fill("k", 30).step(&keelstone_tests::op::Op::Compact);
    tale.reopen().kill().scan().step(&keelstone_tests::op::Op::Verify);
    let image = disk.image();
    for name in foreign {
        assert_eq!(image.get(name).map(Vec::as_slice), Some(name.as_bytes()), "{name}");
    }
    let strange = MemoryDisk::new();
    drop(strange.create("notes.txt").unwrap());
    let options = || SHAPE.options(&ManualClock::new(START_MS));
    let refused = Db::open(Arc::new(strange.clone()), options()).err();
    assert_eq!(refused, Some(Error::Invalid(keelstone::Invalid::NotEmpty)));
    assert_eq!(strange.list("").unwrap(), ["notes.txt"], "a refused open changed the directory");
}

// CURRENT is gone, and with it the way to everything else: an open must not begin anew over the old files.
#[test]
fn store_without_current_is_not_begun_anew() {
    let sample = Sample::new();
    for keep in [true, false] {
        let mut image = sample.image.clone();
        if keep {
            image.insert("CURRENT".to_owned(), Vec::new());
        } else {
            image.remove("CURRENT");
        }
        for mode in [OpenMode::Create, OpenMode::Existing, OpenMode::ReadOnly] {
            let disk = MemoryDisk::from_image(&image);
            let mut options = sample.shape.options(&ManualClock::new(START_MS));
            options.mode = mode;
            let opened = Db::open(Arc::new(disk.clone()), options);
            assert!(matches!(opened, Err(Error::Corrupt(_))), "{mode:?}: {:?}", opened.err());
            assert_eq!(disk.image(), image, "{mode:?} changed the directory");
        }
    }
}

/// Cuts the power at every operation of a backup of the sample, in every way; says how often the copy was there, whole.
fn back_up(sample: &Sample) -> Result<u64, String> {
    let options = || sample.shape.options(&ManualClock::new(sample.model.time_ms()));
    let db = Db::open(Arc::new(MemoryDisk::from_image(&sample.image)), options()).unwrap();
    let copy = FaultDisk::recording();
    db.backup(&(Arc::new(copy.clone()) as Arc<dyn Vfs>), 77).unwrap();
    let (trace, mut whole) = (copy.trace(), 0);
    for op in 0..=trace.len() {
        for (cut, disk) in trace.disk_at(op, 0).power_cuts() {
            let at = |error: String| format!("{cut} after operation {op}: {error}");
            let mut options = options();
            options.mode = OpenMode::Existing;
            match Db::open(Arc::new(disk), options) {
                Ok(db) => {
                    let entries = fine("scan", db.scan().and_then(collect)).map_err(at)?;
                    same_entries("scan", &entries, &sample.model.scan()).map_err(at)?;
                    whole += 1;
                }
                Err(error) if op == trace.len() => return Err(at(format!("{error:?}"))),
                Err(Error::NoStore | Error::Corrupt(_)) => {}
                Err(error) => return Err(at(format!("{error:?}"))),
            }
        }
    }
    Ok(whole)
}

// RocksDB #8500, Pebble 15b500fbd: power was lost during a backup, and what was left opened as a store.
#[test]
fn power_cut_in_a_backup_leaves_all_of_it_or_no_store() {
    for mut sample in [Sample::new(), Sample::ordered()] {
        let whole = back_up(&sample).unwrap_or_else(|error| panic!("{error}"));
        println!("{:?}: whole={whole}", sample.shape.layout);
        assert!(whole > 1, "the copy was never there");
        sample.shape.bug = Some(Bug::BackupNotSynced);
        assert!(quietly(|| back_up(&sample)).is_err(), "files that are not synced are not seen");
    }
}
