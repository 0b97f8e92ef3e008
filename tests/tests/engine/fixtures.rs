//! Stores that released versions wrote, kept as files in `tests/data/stores`: every later version reads them.
//!
//! `v1-NAME/` is a store, `v1-NAME.txt` what it holds. `KEELSTONE_BLESS=1` writes those that are missing and never
//! writes one anew: a store of an old version cannot be made again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use keelstone::vfs::{Image, MemoryDisk, Vfs};
use keelstone::{Db, ManualClock};
use keelstone_tests::disk::Disk;
use keelstone_tests::mirror::{START_MS, collect};
use keelstone_tests::op::Op;
use keelstone_tests::script::blessing;
use keelstone_tests::shape::Shape;
use keelstone_tests::tale::Tale;
use keelstone_tests::text::full;

const SHAPE: Shape = Shape { segment_bytes: 2048, reserve_bytes: 256, ..Shape::TINY };
/// The clock of whoever reads them.
const NOW_MS: u64 = START_MS + 500;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stores")
}

/// What the store holds, a line a key.
fn listing(db: &Db) -> String {
    let line = |e: &keelstone::Entry| {
        let until = e.expires_ms.map_or_else(|| "never".to_owned(), |ms| ms.to_string());
        format!("{}\t{}\t{until}\n", full(&e.key), full(&e.value))
    };
    db.scan().and_then(collect).unwrap().iter().map(line).collect()
}

fn read_image(dir: &Path) -> Image {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    entries.map(|path| (name(&path), std::fs::read(&path).unwrap())).collect()
}

/// The stores of this version: how each of them came to be.
fn make(name: &str) -> Image {
    let disk = MemoryDisk::new();
    let mut tale = Tale::on(Disk::of(Arc::new(disk.clone())), SHAPE);
    let mut cut = 0;
    match name {
        "v1-empty" => {}
        "v1-small" => drop(tale.fill("k", 5).delete("k1").put("empty", "").put("\u{0}\n\\", "odd")),
        "v1-merged" => {
            tale.fill("k", 30).fill("k", 20).clear("k", 5).rotate();
            tale.put_until("gone", "soon", START_MS + 10).put_until("stays", "long", 1 << 45);
            tale.step(&Op::Advance(100)).step(&Op::Compact).fill("m", 20).clear("m", 3);
        }
        "v1-killed" => {
            tale.fill("k", 30).clear("k", 5).step(&Op::Sync).fill("m", 3);
            cut = 7;
        }
        _ => panic!("nobody knows how to make {name}"),
    }
    if cut == 0 {
        tale.db().close().unwrap();
    }
    let mut image = disk.image();
    let last = image.keys().rfind(|name| name.ends_with(".log")).cloned();
    if let Some(bytes) = last.and_then(|name| image.get_mut(&name)).filter(|_| cut > 0) {
        // A torn tail: the last record that was not synced lacks its end.
        let end = bytes.iter().rposition(|b| *b != 0).unwrap() + 1;
        bytes.truncate(end - cut);
    }
    image
}

fn bless() {
    for name in ["v1-empty", "v1-small", "v1-merged", "v1-killed"] {
        let dir = folder().join(name);
        if dir.exists() {
            continue;
        }
        std::fs::create_dir_all(&dir).unwrap();
        let image = make(name);
        for (file, bytes) in &image {
            std::fs::write(dir.join(file), bytes).unwrap();
        }
        let disk = Arc::new(MemoryDisk::from_image(&image));
        let db = Db::open(disk, SHAPE.options(&ManualClock::new(NOW_MS))).unwrap();
        std::fs::write(folder().join(name).with_extension("txt"), listing(&db)).unwrap();
    }
}

#[test]
fn stores_of_every_version_are_read_verified_written_and_opened_again() {
    if blessing() {
        bless();
    }
    let entries = std::fs::read_dir(folder()).expect("tests/data/stores");
    let mut dirs: Vec<_> = entries.map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    dirs.sort();
    assert!(dirs.len() >= 4, "only {} stores are kept", dirs.len());
    for dir in dirs {
        let expected = std::fs::read_to_string(dir.with_extension("txt")).unwrap();
        use_a_copy(&dir, &expected);
    }
}

fn use_a_copy(dir: &Path, expected: &str) {
    let disk: Arc<dyn Vfs> = Arc::new(MemoryDisk::from_image(&read_image(dir)));
    let clock = ManualClock::new(NOW_MS);
    let report = keelstone::verify(&disk).unwrap();
    assert_eq!(report.corrupt, [], "{}", dir.display());
    let torn = dir.ends_with("v1-killed");
    assert_eq!(!report.torn.is_empty(), torn, "{}", dir.display());
    let db = Db::open(Arc::clone(&disk), SHAPE.read_only(&clock)).unwrap();
    assert_eq!(listing(&db), expected, "{} read-only", dir.display());
    drop(db);
    let db = Db::open(Arc::clone(&disk), SHAPE.options(&clock)).unwrap();
    assert_eq!(listing(&db), expected, "{}", dir.display());
    db.put("~added", "later").unwrap();
    db.compact().unwrap();
    db.close().unwrap();
    let db = Db::open(Arc::clone(&disk), SHAPE.options(&clock)).unwrap();
    let more = format!("{expected}~added\tlater\tnever\n");
    assert_eq!(listing(&db), more, "{} opened again", dir.display());
}
