//! Import, read back, overwrite and delete, merge: each step compared with what the data says.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use keelstone::vfs::NativeDisk;
use keelstone::{Batch, Db, Durability, Options, Stats};

use crate::Outcome;
use crate::account::{bytes, count, line, since};
use crate::keel::Keel;
use crate::source::{Content, Source, Step};

/// Lines that become durable together.
const BATCH: usize = 1000;

/// Small files, so that there is something to merge: the data fills several.
const SEGMENT_BYTES: u64 = 256 << 10;
const MEMTABLE_BYTES: usize = 512 << 10;

/// Opens, or creates, the store in `folder`.
pub fn open(folder: &Path) -> Outcome<Db> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
    let disk = NativeDisk::create(folder).map_err(|error| failed(&error))?;
    let mut options = Options::default();
    options.segment_bytes = SEGMENT_BYTES;
    (options.memtable_bytes, options.table_bytes) = (MEMTABLE_BYTES, SEGMENT_BYTES);
    Db::open(Arc::new(disk), options).map_err(|error| failed(&error))
}

/// `keel import STORE FILE`.
pub fn import_with_keel(keel: &Keel, source: &Source, folder: &Path, store: &Path) -> Outcome {
    let file = folder.join("lines.tsv");
    fs::write(&file, source.escaped()).map_err(|error| format!("lines.tsv: {error}"))?;
    let start = Instant::now();
    let said = keel.run(&[OsStr::new("import"), store.as_ref(), file.as_ref()])?;
    let time = since(start);
    let expected = format!("imported={}", source.lines.len());
    if said.lines().last() != Some(expected.as_str()) {
        return Err(format!("keel import: expected {expected}, found {:?}", said.lines().last()));
    }
    let acks = said.lines().filter(|line| line.starts_with("acked=")).count();
    let done =
        format!("{} keys, {} durable batches, {time}", count(source.lines.len()), count(acks));
    line("import, keel", &done);
    Ok(())
}

/// The same through the library.
pub fn import_with_library(source: &Source, store: &Path) -> Outcome {
    let start = Instant::now();
    let db = open(store)?;
    let mut batches = 0;
    for lines in source.lines.chunks(BATCH) {
        let mut batch = Batch::new();
        for (key, value) in lines {
            batch.put(key.as_slice(), value.as_slice());
        }
        db.write(&batch, Durability::Durable).map_err(|error| format!("import: {error}"))?;
        batches += 1;
    }
    let size = stats(&db)?.disk_bytes;
    close(&db)?;
    let keys = count(source.lines.len());
    let text = format!("{keys} keys, {batches} durable batches, {}, {}", bytes(size), since(start));
    line("import, library", &text);
    Ok(())
}

/// Opens a store, reads every key by itself and all of them in one scan.
pub fn read_back(source: &Source, store: &Path) -> Outcome {
    let start = Instant::now();
    let db = open(store)?;
    let opened = since(start);
    let start = Instant::now();
    source.damage_after(Step::Import, &db)?;
    compare(&db, &source.content(), source)?;
    let keys = count(source.lines.len());
    let size = bytes(stats(&db)?.disk_bytes);
    line(
        "read and compare",
        &format!("{keys} keys, {size}, open {opened}, reads {}", since(start)),
    );
    close(&db)
}

/// Overwrites every second key, deletes the others, merges, reopens; compares after each.
pub fn change_and_merge(keel: &Keel, source: &Source, store: &Path) -> Outcome {
    let db = open(store)?;
    let start = Instant::now();
    let mut expected = Content::new();
    for (index, (key, value)) in source.lines.iter().enumerate() {
        let mut batch = Batch::new();
        if index.is_multiple_of(2) {
            let value = [value, b" (overwritten)".as_slice()].concat();
            batch.put(key.as_slice(), value.as_slice());
            expected.insert(key.clone(), value);
        } else {
            batch.delete(key.as_slice());
        }
        db.write(&batch, Durability::Buffered).map_err(|error| format!("change: {error}"))?;
    }
    db.sync().map_err(|error| format!("sync: {error}"))?;
    let time = since(start);
    source.damage_after(Step::Change, &db)?;
    compare(&db, &expected, source)?;
    let deleted = source.lines.len() - expected.len();
    let counts = format!("{} overwritten, {} deleted", count(expected.len()), count(deleted));
    line("change, compare", &format!("{counts}, {time}"));

    let start = Instant::now();
    let before = stats(&db)?;
    db.compact().map_err(|error| format!("compact: {error}"))?;
    let (time, after) = (since(start), stats(&db)?);
    source.damage_after(Step::Merge, &db)?;
    compare(&db, &expected, source)?;
    if after.disk_bytes >= before.disk_bytes && before.dead_bytes > 0 {
        return Err(format!("merging freed nothing: {} bytes", after.disk_bytes));
    }
    let sizes = format!("{} before, {} after", bytes(before.disk_bytes), bytes(after.disk_bytes));
    let merges = after.ordered.as_ref().map_or(after.merges, |ordered| ordered.compactions);
    line("merge, compare", &format!("{sizes}, {merges} merges so far, {time}"));
    close(&db)?;

    let start = Instant::now();
    let db = open(store)?;
    let time = since(start);
    compare(&db, &expected, source)?;
    close(&db)?;
    let said = keel.run(&[OsStr::new("verify"), store.as_ref()])?;
    let verified = said.lines().last().unwrap_or_default();
    line("reopen, compare", &format!("open {time}; keel verify: {verified}"));
    Ok(())
}

/// Every key by itself, absent ones too; then all that a scan yields.
pub fn compare(db: &Db, expected: &Content, source: &Source) -> Outcome {
    let name = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
    for (key, _) in &source.lines {
        let found = db.get(key).map_err(|error| format!("get {}: {error}", name(key)))?;
        let wanted = expected.get(key);
        if found.as_ref() != wanted {
            let text =
                |value: Option<&Vec<u8>>| value.map_or("nothing".into(), |value| name(value));
            let (wanted, found) = (text(wanted), text(found.as_ref()));
            return Err(format!("key {}: expected {wanted}, found {found}", name(key)));
        }
    }
    let mut scanned = Content::new();
    for entry in db.scan().map_err(|error| format!("scan: {error}"))? {
        let entry = entry.map_err(|error| format!("scan: {error}"))?;
        if let Some(twice) = scanned.insert(entry.key, entry.value) {
            return Err(format!("scan: a key came twice, once with {}", name(&twice)));
        }
    }
    let len = db.len().map_err(|error| format!("len: {error}"))?;
    if scanned != *expected || len != expected.len() as u64 {
        let (wanted, found) = (expected.len(), scanned.len());
        return Err(format!("scan: {found} keys, len: {len}, expected: {wanted} or other values"));
    }
    Ok(())
}

fn stats(db: &Db) -> Outcome<Stats> {
    db.stats().map_err(|error| format!("stats: {error}"))
}

/// Closes a store; what it says counts.
pub fn close(db: &Db) -> Outcome {
    db.close().map_err(|error| format!("close: {error}"))
}
