//! A small store whose files are changed in any way, then opened, read, verified, repaired and
//! shown.

use std::sync::{Arc, OnceLock};

use keelstone::vfs::{Image, MemoryDisk, Vfs};
use keelstone::{Db, ManualClock, OpenMode, Options, Write, probe};

use super::Bytes;
use crate::damage::Sample;
use crate::mirror::collect;

/// More changes than this teach nothing new.
const CHANGES_MAX: usize = 64;

/// Made once: it takes longer than everything that is done to it.
fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(Sample::new)
}

/// The bytes are a list of changes.
///
/// # Panics
/// If a value comes back that was never written for its key, or a repaired store is not sound.
pub fn crash_image(data: &[u8]) {
    let sample = sample();
    let mut image = sample.image.clone();
    let mut bytes = Bytes::new(data);
    let mut genuine = true;
    for _ in 0..CHANGES_MAX {
        if bytes.is_empty() {
            break;
        }
        genuine &= change(&mut bytes, &mut image) == Checksums::Kept;
    }
    // Why: where checksums were made right for other bytes, those bytes are what was written.
    let written = genuine.then_some(&sample.written[..]);
    for name in image.keys() {
        sample.dump(&image, name);
    }
    for mode in [OpenMode::ReadOnly, OpenMode::Existing, OpenMode::Create] {
        let disk = disk_of(&image);
        if let Ok(db) = Db::open(Arc::clone(&disk), options(mode)) {
            use_store(&db, written, mode);
        }
    }
    repair(&image, written);
}

#[derive(PartialEq, Eq)]
enum Checksums {
    Kept,
    Forged,
}

/// Makes one change to the image.
fn change(bytes: &mut Bytes<'_>, image: &mut Image) -> Checksums {
    let names: Vec<String> = image.keys().cloned().collect();
    let what = bytes.byte();
    let Some(name) = names.get(bytes.index(names.len().max(1))) else { return Checksums::Kept };
    let file = image.get_mut(name).expect("it was listed");
    let at = bytes.number() % (file.len() + 1);
    match what % 12 {
        0 => file.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1),
        1 => {
            let bit = bytes.byte() % 8;
            file.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
        }
        2 => {
            let count = bytes.index(16) + 1;
            let with = bytes.take(count);
            file.iter_mut().skip(at).zip(with).for_each(|(byte, new)| *byte = *new);
        }
        3 => file.truncate(at),
        4 => file.resize(file.len() + at, 0),
        5 => {
            let count = bytes.index(64);
            file.extend_from_slice(bytes.take(count));
        }
        6 => {
            let (from, count) = (bytes.number() % (file.len() + 1), bytes.number());
            let part: Vec<u8> = file[from..].iter().copied().take(count).collect();
            file.iter_mut().skip(at).zip(part).for_each(|(byte, new)| *byte = new);
        }
        7 => drop(image.remove(name)),
        8 => {
            let other = names[bytes.index(names.len())].clone();
            let bytes = image[&other].clone();
            image.insert(name.clone(), bytes);
        }
        9 => {
            let count = bytes.number();
            file.iter_mut().skip(at).take(count).for_each(|byte| *byte = 0);
        }
        10 => {
            let ending = ["log", "seg", "hint", "manifest"][bytes.index(4)];
            let copy = file.clone();
            image.insert(format!("{:06}.{ending}", bytes.byte() % 16), copy);
        }
        _ => {
            seal(name, file);
            return Checksums::Forged;
        }
    }
    Checksums::Kept
}

fn seal(name: &str, file: &mut [u8]) {
    if name == "CURRENT" { probe::seal_current(file) } else { probe::seal_file(file) }
}

fn disk_of(image: &Image) -> Arc<dyn Vfs> {
    Arc::new(MemoryDisk::from_image(image))
}

fn options(mode: OpenMode) -> Options {
    let sample = sample();
    let mut options = sample.shape.options(&ManualClock::new(sample.model.time_ms()));
    options.mode = mode;
    options
}

/// Fails if a value was never written for its key.
fn check(written: Option<&[Write]>, key: &[u8], value: &[u8]) {
    let Some(written) = written else { return };
    let puts = |write: &Write| {
        let Write::Put { key: k, value: v, .. } = write else { return false };
        k == key && v == value
    };
    assert!(written.iter().any(puts), "never written: {key:?} = {value:?}");
}

/// Reads and writes; damage is an error, never a wrong value.
fn use_store(db: &Db, written: Option<&[Write]>, mode: OpenMode) {
    for write in &sample().written {
        let key = crate::model::key_of(write);
        if let Ok(Some(value)) = db.get(key) {
            check(written, key, &value);
        }
    }
    for entry in db.scan().into_iter().flatten().map_while(Result::ok) {
        check(written, &entry.key, &entry.value);
    }
    for entry in db.log_from(1).into_iter().flatten().map_while(Result::ok) {
        if let Write::Put { key, value, .. } = &entry.write {
            check(written, key, value);
        }
    }
    let _damage_is_in_the_report = db.verify();
    let _may_be_refused = (db.len(), db.stats());
    if mode == OpenMode::ReadOnly {
        return;
    }
    if db.put("new", "value").is_ok() {
        assert_eq!(db.get("new").as_ref().map(Option::as_deref), Ok(Some(&b"value"[..])));
    }
    let _may_meet_damage = (db.remove("k3"), db.compact(), db.close());
}

/// Verifies and repairs; then the store is sound, opens, and holds nothing that was never written.
fn repair(image: &Image, written: Option<&[Write]>) {
    let disk = disk_of(image);
    let _damage_is_in_the_report = keelstone::verify(&disk);
    if keelstone::repair(&disk, &options(OpenMode::Existing)).is_err() {
        return;
    }
    let report = keelstone::verify(&disk).expect("a repaired store can be verified");
    assert!(report.is_sound(), "after repair: {report:?}");
    let db = Db::open(disk, options(OpenMode::Existing)).expect("a repaired store opens");
    let entries = db.scan().and_then(collect).expect("a repaired store can be read");
    for entry in entries {
        check(written, &entry.key, &entry.value);
    }
    db.put("new", "value").expect("a repaired store can be written");
}
