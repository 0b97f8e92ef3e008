//! Damage on purpose: a small closed store, every way to spoil one of its files, and what may follow.
//!
//! Called by the damage tests. Promise: a verdict is an error unless every value that comes back is right and everything
//! that is missing is missing loudly.

use std::sync::Arc;

use keelstone::vfs::{Image, MemoryDisk, Vfs};
use keelstone::{Db, Error, FileName, Layout, ManualClock, OpenMode, VerifyReport, Write};

use crate::disk::Disk;
use crate::mirror::{START_MS, collect, same_entries};
use crate::model::Model;
use crate::op::Op;
use crate::shape::Shape;
use crate::tale::Tale;

/// A closed store and what is in it.
pub struct Sample {
    /// Its files.
    pub image: Image,
    /// Its keys and values.
    pub model: Model,
    /// Everything that was ever written.
    pub written: Vec<Write>,
    /// How it is opened.
    pub shape: Shape,
}

/// One way to spoil one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Only so many bytes are left.
    Cut(usize),
    /// One bit of one byte is turned.
    Flip(usize, u8),
    /// The file is gone.
    Remove,
    /// The file has the bytes of another.
    Swap(String),
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every value is right: the damage was harmless.
    Harmless,
    /// The store does not open and says which file is damaged.
    Refused,
    /// The store opens; some reads are refused, all others are right.
    Partly,
}

impl Sample {
    /// A store that has a log with a clean end, sealed logs, merged segments, hints, a manifest and a reserve.
    ///
    /// # Panics
    /// If it lacks one of them.
    #[must_use]
    pub fn new() -> Self {
        let shape = Shape { segment_bytes: 1024, reserve_bytes: 64, grace_ms: 0, ..Shape::TINY };
        let disk = MemoryDisk::new();
        let mut tale = Tale::on(Disk::of(Arc::new(disk.clone())), shape);
        tale.fill("k", 8).fill("k", 8).put_until("gone", "soon", START_MS + 5);
        tale.put_until("stays", "long", START_MS + 1_000_000).delete("k1").rotate();
        tale.step(&Op::Advance(10)).merge_once().work();
        tale.fill("m", 6).delete("m1").rotate().work().fill("n", 3).delete("k2").delete("absent");
        let (model, written) = (tale.model().clone(), tale.written().to_vec());
        tale.db().close().unwrap();
        let sample = Self { image: disk.image(), model, written, shape };
        for kind in ["CURRENT", "LOCK", "RESERVE", ".manifest", ".log", ".seg", ".hint"] {
            assert!(sample.image.keys().any(|name| name.ends_with(kind)), "no file {kind}");
        }
        sample
    }

    /// A store in the ordered layout that has tables in two levels, range tombstones, a log, a manifest and a reserve.
    ///
    /// # Panics
    /// If it lacks one of them.
    #[must_use]
    pub fn ordered() -> Self {
        let shape = Shape {
            layout: Layout::Ordered,
            memtable_bytes: 1024,
            block_bytes: 128,
            table_bytes: 1024,
            reserve_bytes: 64,
            grace_ms: 0,
            ..Shape::TINY
        };
        let disk = MemoryDisk::new();
        let mut tale = Tale::on(Disk::of(Arc::new(disk.clone())), shape);
        let range = |from: &str, to: &str| Op::Write {
            writes: vec![Write::DeleteRange { from: from.into(), to: to.into() }],
            durable: false,
        };
        tale.fill("k", 8).fill("k", 8).put_until("gone", "soon", START_MS + 5);
        tale.put_until("stays", "long", START_MS + 1_000_000).delete("k1");
        tale.fill("m", 6).step(&Op::Advance(10)).step(&Op::Compact);
        tale.step(&range("m2", "m4")).delete("k2").fill("n", 1);
        while tale.db().work().unwrap() {}
        let (model, written) = (tale.model().clone(), tale.written().to_vec());
        tale.db().close().unwrap();
        let sample = Self { image: disk.image(), model, written, shape };
        for kind in ["CURRENT", "LOCK", "RESERVE", ".manifest", ".log", ".table"] {
            assert!(sample.image.keys().any(|name| name.ends_with(kind)), "no file {kind}");
        }
        sample
    }

    /// The store with one file spoilt.
    ///
    /// # Panics
    /// If there is no such file or byte.
    #[must_use]
    pub fn damaged(&self, file: &str, damage: &Damage) -> Image {
        let mut image = self.image.clone();
        match damage {
            Damage::Cut(len) => image.get_mut(file).unwrap().truncate(*len),
            Damage::Flip(at, bit) => image.get_mut(file).unwrap()[*at] ^= 1 << bit,
            Damage::Remove => drop(image.remove(file)),
            Damage::Swap(other) => {
                let bytes = self.image[other].clone();
                image.insert(file.to_owned(), bytes);
            }
        }
        image
    }

    fn options(&self) -> keelstone::Options {
        let clock = ManualClock::new(self.model.time_ms());
        let mut options = self.shape.options(&clock);
        options.mode = OpenMode::Existing;
        options
    }

    /// Opens, reads everything in every way, and judges.
    pub fn read(&self, image: &Image) -> Result<Verdict, String> {
        let disk: Arc<dyn Vfs> = Arc::new(MemoryDisk::from_image(image));
        let db = match Db::open(disk, self.options()) {
            Ok(db) => db,
            Err(error) => return precise(&error).map(|()| Verdict::Refused),
        };
        let mut verdict = Verdict::Harmless;
        let mut loud = |error: &Error| {
            verdict = Verdict::Partly;
            precise(error)
        };
        for key in self.model.keys().chain([&b"k1"[..], b"k2", b"m1", b"gone", b"absent"]) {
            let expected = self.model.get(key).map(|record| &record.value);
            match db.get(key) {
                Ok(value) => crate::mirror::same("get", &value.as_ref(), &expected)?,
                Err(error) => loud(&error)?,
            }
        }
        match db.scan().and_then(collect) {
            Ok(entries) => same_entries("scan", &entries, &self.model.scan())?,
            Err(error) => loud(&error)?,
        }
        match db.len() {
            Ok(len) => crate::mirror::same("len", &len, &self.model.len())?,
            Err(error) => loud(&error)?,
        }
        Ok(verdict)
    }

    /// Verifies, and compares with what reading said: a report without damage must be true. Says whether it is sound.
    pub fn verify(&self, image: &Image, read: Verdict) -> Result<bool, String> {
        let disk = MemoryDisk::from_image(image);
        let sound = match keelstone::verify(&(Arc::new(disk.clone()) as Arc<dyn Vfs>)) {
            // Why: the store was closed, so nothing in it may pass for a torn tail.
            Ok(report) => is_sound(&report) && report.torn.is_empty(),
            Err(error) => precise(&error).map(|()| false)?,
        };
        if sound && read != Verdict::Harmless {
            return Err(format!("verify finds nothing, but reading: {read:?}"));
        }
        if disk.image() != *image {
            return Err("verify changed the store".to_owned());
        }
        Ok(sound)
    }

    /// Repairs; afterwards verify finds nothing, the store opens, and what is there is right.
    pub fn repair(&self, image: &Image, read: Verdict) -> Result<(), String> {
        let disk: Arc<dyn Vfs> = Arc::new(MemoryDisk::from_image(image));
        let report = match keelstone::repair(&disk, &self.options()) {
            Ok(report) => report,
            Err(error) => return Err(format!("repair: {error} ({error:?})")),
        };
        let after = keelstone::verify(&disk).map_err(|e| format!("verify after repair: {e}"))?;
        if !is_sound(&after) {
            return Err(format!("verify after repair: {after:?}"));
        }
        let db = Db::open(disk, self.options()).map_err(|e| format!("open after repair: {e}"))?;
        let entries = db.scan().and_then(collect).map_err(|e| format!("scan: {e}"))?;
        if read == Verdict::Harmless || report.lost.is_empty() {
            return same_entries("scan after repair", &entries, &self.model.scan());
        }
        for entry in &entries {
            let expected = self.model.get(&entry.key).map(|record| &record.value);
            if expected != Some(&entry.value) && !self.was_written(&entry.key, &entry.value) {
                return Err(format!("a value that was never written: {entry:?}"));
            }
        }
        db.put("after", "repair").map_err(|e| format!("put after repair: {e}"))
    }

    fn was_written(&self, key: &[u8], value: &[u8]) -> bool {
        let puts = |write: &Write| matches!(write, Write::Put { key: k, value: v, .. } if k == key && v == value);
        self.written.iter().any(puts)
    }

    /// Shows every file as text; whatever it says, it does not panic.
    pub fn dump(&self, image: &Image, file: &str) {
        let disk = MemoryDisk::from_image(image);
        let mut text = String::new();
        let _says_what_it_likes = keelstone::dump(&disk, file, &mut text);
    }
}

impl Default for Sample {
    fn default() -> Self {
        Self::new()
    }
}

fn is_sound(report: &VerifyReport) -> bool {
    report.corrupt.is_empty()
}

/// Whether an error says what is wrong: which file and where, or which version.
fn precise(error: &Error) -> Result<(), String> {
    match error {
        Error::Corrupt(corruption) if !matches!(corruption.file, FileName::Lock) => Ok(()),
        Error::Version { .. } => Ok(()),
        _ => Err(format!("not a precise error: {error} ({error:?})")),
    }
}
