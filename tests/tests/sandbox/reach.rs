//! What a component reaches: the directory that was opened for it and nothing else; and what a store
//! that was made hostile by hand does to the host: nothing.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use keelstone::vfs::{Kind, MemoryDisk, NativeDisk, Vfs};
use keelstone::{Clock, ManualClock, OpenMode};
use keelstone_host::engine::{Engine, Error};
use keelstone_tests::damage::Sample;
use keelstone_tests::disk::sandbox;
use keelstone_tests::rng::Rng;
use keelstone_tests::shape::Shape;

fn clock() -> Arc<dyn Clock> {
    ManualClock::new(0)
}

/// What `dump` says of a path: the component opens it as it is.
fn dump(disk: Arc<dyn Vfs>, path: &str) -> Result<String, Error> {
    let mut text = String::new();
    sandbox().dump(disk, path, &mut |page| {
        text.push_str(page);
        true
    })?;
    Ok(text)
}

#[test]
fn no_path_leads_out_of_the_directory() {
    let root = tempfile::tempdir().unwrap();
    let (inside, outside) = (root.path().join("inside"), root.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("000001.log"), "secret").unwrap();
    let disk: Arc<dyn Vfs> = Arc::new(NativeDisk::create(&inside).unwrap());
    fs::write(inside.join("000001.log"), "ours").unwrap();
    let absolute = outside.join("000001.log").display().to_string();
    let paths = [
        "../outside/000001.log",
        "/000001.log",
        "./../outside/000001.log",
        "x/../../outside/000001.log",
        &absolute,
    ];
    for path in paths {
        assert!(dump(Arc::clone(&disk), path).is_err(), "{path}");
    }
    let ours = dump(Arc::clone(&disk), "000001.log").unwrap();
    assert!(ours.contains("bytes=4"), "{ours}");
}

#[cfg(unix)]
#[test]
fn no_link_leads_out_of_the_directory() {
    use std::os::unix::fs::symlink;

    let root = tempfile::tempdir().unwrap();
    let (inside, outside) = (root.path().join("inside"), root.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("000001.log"), "secret").unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    let native = NativeDisk::create(&inside).unwrap();
    symlink(outside.join("000001.log"), inside.join("000001.log")).unwrap();
    symlink("../outside/000001.log", inside.join("000002.log")).unwrap();
    symlink(&outside, inside.join("dir")).unwrap();
    let disk: Arc<dyn Vfs> = Arc::new(native.clone());
    for path in ["000001.log", "000002.log", "dir/000001.log"] {
        assert!(dump(Arc::clone(&disk), path).is_err(), "{path}");
    }
    // The disk itself refuses, whoever asks.
    use keelstone::vfs::Access;
    assert_eq!(native.open("000001.log", Access::Read).err().unwrap().kind, Kind::BadName);
    assert_eq!(native.open("dir/secret", Access::Write).err().unwrap().kind, Kind::BadName);
    assert_eq!(native.create("dir/new").err().unwrap().kind, Kind::BadName);
    assert_eq!(native.list("dir").err().unwrap().kind, Kind::BadName);
    assert_eq!(native.create_dir("dir/new").err().unwrap().kind, Kind::BadName);
    assert_eq!(native.remove("dir/secret").err().unwrap().kind, Kind::BadName);
    assert_eq!(native.rename("dir/secret", "got").err().unwrap().kind, Kind::BadName);
    assert_eq!(native.lock("000001.log", Access::Write).err().unwrap().kind, Kind::BadName);
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
    // What it made itself it can take away, links too.
    native.remove("000001.log").unwrap();
    assert!(outside.join("000001.log").exists());
}

#[test]
fn a_component_sees_no_directory_but_its_own() {
    let one: Arc<dyn Vfs> = Arc::new(MemoryDisk::new());
    let two: Arc<dyn Vfs> = Arc::new(MemoryDisk::new());
    let options = Shape::TINY.options(&ManualClock::new(0));
    let db = sandbox().open(Arc::clone(&one), &options).unwrap();
    let mut batch = keelstone::Batch::new();
    batch.put("a", "1");
    db.write(&batch, keelstone::Durability::Durable).unwrap();
    db.backup(&two, 1).unwrap();
    let names = two.list("").unwrap();
    batch.put("b", "2");
    db.write(&batch, keelstone::Durability::Durable).unwrap();
    db.compact().unwrap();
    assert_eq!(two.list("").unwrap(), names, "the place of a backup is closed again");
}

#[test]
fn what_is_opened_for_reading_cannot_be_written() {
    let disk = MemoryDisk::new();
    let options = Shape::TINY.options(&ManualClock::new(0));
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    sandbox().open(Arc::clone(&vfs), &options).unwrap().close().unwrap();
    let before = disk.image();
    let mut reading = options.clone();
    reading.mode = OpenMode::ReadOnly;
    let db = sandbox().open(vfs, &reading).unwrap();
    let mut batch = keelstone::Batch::new();
    batch.put("a", "1");
    let refused = db.write(&batch, keelstone::Durability::Durable);
    assert_eq!(refused, Err(Error::Store(keelstone::Error::ReadOnly { after_failed_sync: false })));
    drop(db);
    assert_eq!(disk.image(), before);
}

/// Uses a store in every way; whatever it says, it comes back and the host goes on.
fn use_hostile(image: &keelstone::vfs::Image, options: &keelstone::Options) -> u64 {
    let disk: Arc<dyn Vfs> = Arc::new(MemoryDisk::from_image(image));
    let mut answers = 0;
    answers += u64::from(sandbox().verify(Arc::clone(&disk), &clock()).is_ok());
    if let Ok(db) = sandbox().open(Arc::clone(&disk), options) {
        let _any = (db.len(), db.get(b"k1"), db.compact(), db.stats().is_ok(), db.close());
        answers += 1;
    }
    answers += u64::from(sandbox().repair(disk, options).is_ok());
    answers
}

/// Every file damaged, lengths that are huge, sealed as genuine: errors, or traps within the limits.
#[test]
fn a_hostile_store_harms_the_host_in_no_way() {
    let sample = Sample::new();
    let options = sample.shape.options(&ManualClock::new(sample.model.time_ms()));
    let mut rng = Rng::new(7);
    let (mut runs, mut answers) = (0_u64, 0);
    for name in sample.image.keys() {
        for round in 0..12 {
            let mut image = sample.image.clone();
            let file = image.get_mut(name).unwrap();
            let at = rng.index(file.len().max(1));
            match round % 4 {
                0 => file.truncate(at),
                1 => file.iter_mut().skip(at).take(8).for_each(|byte| *byte = 0xff),
                2 => file.iter_mut().for_each(|byte| *byte ^= 0x55),
                _ => {
                    file.iter_mut().skip(at).take(4).for_each(|byte| *byte = 0x7f);
                    if name == "CURRENT" {
                        keelstone::probe::seal_current(file);
                    } else {
                        keelstone::probe::seal_file(file);
                    }
                }
            }
            answers += use_hostile(&image, &options);
            runs += 1;
        }
    }
    assert!(runs >= 60 && answers > runs, "{answers} answers in {runs} runs");
}

#[test]
fn thousands_of_names_harm_the_host_in_no_way() {
    let sample = Sample::new();
    let options = sample.shape.options(&ManualClock::new(sample.model.time_ms()));
    let mut image = sample.image.clone();
    for n in 0..5000 {
        image.insert(format!("{:06}.log", 100 + n), b"junk".to_vec());
        image.insert(format!("{}-{n}", "x".repeat(200)), Vec::new());
    }
    assert!(use_hostile(&image, &options) > 0);
}

/// The tests above would pass with a component that reads nothing: it does read.
#[test]
fn the_sample_is_read_inside() {
    let sample = Sample::new();
    let options = sample.shape.options(&ManualClock::new(sample.model.time_ms()));
    assert_eq!(use_hostile(&sample.image, &options), 3);
    let root = tempfile::tempdir().unwrap();
    assert!(Path::new(root.path()).is_dir());
}
