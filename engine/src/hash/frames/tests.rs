//! Entries that this layout does not write, under right checksums; and hints that lie under theirs.

#![expect(clippy::unwrap_used, reason = "a test that fails")]

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::{Access, Image, MemoryDisk, Vfs};

use super::super::hint::{HintReader, HintWriter, Item, Totals};
use crate::error::{Corruption, Damage, Error, FileName};
use crate::log::{FrameReader, Step, read_file_header};
use crate::record::{EntryKind, FrameBuilder};
use crate::{Db, Layout, OpenMode, Options, RepairReport};

const KEYS: [&str; 3] = ["a", "b", "c"];

fn options() -> Options {
    let mut options = Options::with_seed(7);
    options.layout = Some(Layout::Hash);
    (options.index_shards, options.reserve_bytes, options.inline_work) = (8, 0, false);
    (options.segment_bytes, options.mode) = (1024, OpenMode::Create);
    options
}

/// A store with one put of each key and then a long value, which seals the log of the keys.
fn store(disk: &MemoryDisk, sealed: bool) -> Db {
    let db = Db::open(Arc::new(disk.clone()), options()).unwrap();
    for key in KEYS {
        db.put(key, "value").unwrap();
    }
    if sealed {
        db.put("long", [b'x'; 900]).unwrap();
        db.sync().unwrap();
    }
    db
}

fn vfs(image: &Image) -> Arc<dyn Vfs> {
    Arc::new(MemoryDisk::from_image(image))
}

/// Makes the entry of `key` in the file one of another kind, with right checksums; says where its frame stands.
fn forge(image: &mut Image, text: &str, key: &str, kind: EntryKind) -> Corruption {
    let name = FileName::parse(text).unwrap();
    let disk = MemoryDisk::from_image(image);
    let file = disk.open(text, Access::Read).unwrap();
    let (id, len) = (read_file_header(&*file, name).unwrap().id(), file.len().unwrap());
    let mut reader = FrameReader::new(&*file, id, len);
    while let Step::Frame { header, offset, mut entries } = reader.next().unwrap() {
        let entry = entries.next().unwrap();
        if entry.key != key.as_bytes() {
            continue;
        }
        let mut frame = FrameBuilder::default();
        frame.begin(id, offset);
        let key = if kind == EntryKind::Plain { &[] } else { entry.key };
        let fill = entry.key.len() - key.len();
        let value = [&entry.value[..fill], entry.value].concat();
        frame.push(kind, key, &value, 0).unwrap();
        let bytes = frame.finish(&header.stamp);
        let at = usize::try_from(offset).unwrap();
        image.get_mut(text).unwrap()[at..at + bytes.len()].copy_from_slice(bytes);
        let bytes = bytes.len() as u64;
        return Corruption { file: name, offset, bytes, what: Damage::Kind };
    }
    panic!("no entry of {key} in {text}");
}

/// The only log that holds the keys.
fn log_of_keys(image: &Image) -> String {
    image.keys().find(|name| name.ends_with(".log")).unwrap().clone()
}

/// Repairs, and reads what is there then.
fn repaired(image: &Image) -> (RepairReport, Vec<&'static str>) {
    let disk = vfs(image);
    let report = crate::repair(&disk, &options()).unwrap();
    assert!(crate::verify(&disk).unwrap().is_sound());
    let db = Db::open(disk, options()).unwrap();
    let there = KEYS.into_iter().filter(|key| db.get(key).unwrap().is_some()).collect();
    db.scan().unwrap().for_each(|entry| drop(entry.unwrap()));
    (report, there)
}

#[test]
fn foreign_kinds_in_an_open_log_are_damage_wherever_they_stand() {
    for kind in [EntryKind::RangeTombstone, EntryKind::Plain] {
        for (at, key) in KEYS.into_iter().enumerate() {
            let disk = MemoryDisk::new();
            drop(store(&disk, false));
            let mut image = disk.image();
            let log = log_of_keys(&image);
            let damage = forge(&mut image, &log, key, kind);
            for mode in [OpenMode::ReadOnly, OpenMode::Existing] {
                let opened = Db::open(vfs(&image), Options { mode, ..options() });
                assert_eq!(opened.err(), Some(Error::Corrupt(damage)), "{kind:?} {key}");
            }
            let report = crate::verify(&vfs(&image)).unwrap();
            assert_eq!((report.corrupt, report.records), ([damage].into(), at as u64));
            let (report, there) = repaired(&image);
            assert!(report.lost.iter().any(|loss| loss.corruption == damage), "{report:?}");
            assert_eq!((report.kept, there.contains(&key)), (2, false));
        }
    }
}

#[test]
fn foreign_kinds_in_a_sealed_log_are_damage_with_its_hint_and_without() {
    let disk = MemoryDisk::new();
    let db = store(&disk, true);
    while db.work().unwrap() {}
    db.close().unwrap();
    let (mut image, log) = (disk.image(), log_of_keys(&disk.image()));
    let damage = forge(&mut image, &log, "b", EntryKind::RangeTombstone);
    assert_eq!(crate::verify(&vfs(&image)).unwrap().corrupt, [damage]);
    let (report, there) = repaired(&image);
    assert!(report.lost.iter().any(|loss| loss.corruption == damage), "{report:?}");
    assert_eq!((report.kept, there), (3, ["a", "c"].into()));

    // The hint says where "b" is.
    let db = Db::open(vfs(&image), options()).unwrap();
    let is_kind = |error: &Error| matches!(error, Error::Corrupt(c) if c.what == Damage::Kind);
    assert!(db.get("b").is_err_and(|error| is_kind(&error)));
    assert!(db.scan().unwrap().any(|entry| entry.is_err_and(|error| is_kind(&error))));
    let mut walk = db.log_from(1).unwrap();
    assert!(walk.any(|entry| entry.is_err_and(|error| error == Error::Corrupt(damage))));
    assert_eq!(db.verify().unwrap().corrupt, [damage]);
    drop((walk, db));

    image.retain(|name, _| !name.ends_with(".hint"));
    let opened = Db::open(vfs(&image), options());
    assert_eq!(opened.err(), Some(Error::Corrupt(damage)));
}

#[test]
fn no_hint_is_built_of_a_log_with_a_foreign_kind() {
    let disk = MemoryDisk::new();
    let db = store(&disk, true);
    let (mut image, log) = (disk.image(), log_of_keys(&disk.image()));
    forge(&mut image, &log, "b", EntryKind::RangeTombstone);
    disk.open(&log, Access::Write).unwrap().write_at(&image[&log], 0).unwrap();
    while let Ok(true) = db.work() {}
    assert!(!disk.image().keys().any(|name| name.ends_with(".hint")));
}

#[test]
fn a_hint_that_lies_under_right_checksums_is_damage_and_repair_takes_it_away() {
    let disk = MemoryDisk::new();
    let db = store(&disk, true);
    while db.work().unwrap() {}
    db.close().unwrap();
    let text = disk.image().into_keys().find(|name| name.ends_with(".hint")).unwrap();
    let number = FileName::parse(&text).and_then(FileName::number).unwrap();
    let end = disk.image()[&log_of_keys(&disk.image())].len() as u64;
    let lies: [fn(&mut Vec<_>, &mut Totals); 4] = [
        |items: &mut Vec<Item>, _| items[0].offset += 2,
        |items, totals| {
            items.pop();
            totals.items -= 1;
        },
        |items, _| items[0].tombstone = true,
        |_, totals| totals.time_ms = u64::MAX,
    ];
    for (at, lie) in lies.into_iter().enumerate() {
        let disk = MemoryDisk::from_image(&disk.image());
        let mut reader = HintReader::open(&disk, 7, number, end).unwrap();
        let (mut items, mut totals) = (Vec::new(), reader.totals);
        while reader.next_block(&mut items).unwrap() {}
        lie(&mut items, &mut totals);
        let mut writer = HintWriter::begin(&disk, 7, number, (items, totals)).unwrap();
        while writer.step(1).unwrap() {}
        let image = disk.image();
        let (file, bytes) = (FileName::Hint(number), image[&text].len() as u64);
        let damage = Corruption { file, offset: 0, bytes, what: Damage::Key };
        assert_eq!(crate::verify(&vfs(&image)).unwrap().corrupt, [damage], "lie {at}");
        let (report, there) = repaired(&image);
        assert_eq!((report.kept, there), (4, KEYS.into()));
        assert_eq!(report.lost.len(), 1);
        assert_eq!(report.lost[0].corruption, damage);
    }
}
