//! `stats`, `verify`, `repair`, `compact`, `backup`: looking after a store.
//!
//! Called by the hall; calls the engine.

use std::path::Path;

use keelstone::{Corruption, Layout, OpenMode, RepairReport, Torn, VerifyReport};
use serde_json::{Map, Value, json};

use super::args::{Backup, Globals, Store};
use super::exit::{Failure, Outcome};
use super::open::{self, NewDir, Place};
use super::output::Output;
use super::progress::Progress;
use crate::engine;

/// Prints counts and sizes, sorted by name.
pub(super) fn stats(args: &Store, globals: &Globals, out: &mut Output<'_>) -> Outcome {
    let db = open::to_read(&args.dir, globals)?;
    let mut fields: Vec<(String, Value)> = Vec::new();
    fields.push(("layout".to_owned(), layout_name(db.layout()?).into()));
    fields.extend(db.stats()?.into_iter().map(|(name, count)| (name, count.into())));
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    if out.is_json() {
        let object: Map<_, _> = fields.into_iter().collect();
        return out.object(&Value::Object(object));
    }
    for (name, value) in fields {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        out.text(&format!("{name}={value}"))?;
    }
    Ok(())
}

fn layout_name(layout: Layout) -> &'static str {
    match layout {
        Layout::Hash => "hash",
        Layout::Ordered => "ordered",
        // Why: the engine may get new layouts; the words for them come with the command line that
        // knows them.
        _ => "unknown",
    }
}

/// Reads everything and prints what is torn and what is damaged.
pub(super) fn verify(args: &Store, globals: &Globals, out: &mut Output<'_>) -> Outcome {
    let place = Place::of(globals)?;
    let disk = open::disk(&args.dir)?;
    let report = match place {
        Place::Native => keelstone::verify(&disk).map_err(engine::Error::from),
        Place::Sandbox(sandbox) => sandbox.verify(disk, &open::clock(globals)),
    };
    let report = report.map_err(open::in_dir(&args.dir))?;
    if out.is_json() {
        out.object(&verify_object(&report))?;
    } else {
        for torn in &report.torn {
            let Torn { file, offset, bytes } = torn;
            out.text(&format!("torn file={file} offset={offset} bytes={bytes}"))?;
        }
        for corruption in &report.corrupt {
            out.text(&format!("corrupt {}", place_text(corruption)))?;
        }
        // Why: the comparator is code of the application, which this program does not have.
        if report.order_unchecked > 0 {
            out.text(&format!("unchecked tables={} what=order", report.order_unchecked))?;
        }
        if report.corrupt.is_empty() {
            let VerifyReport { files, records, bytes, .. } = report;
            out.text(&format!("ok files={files} records={records} bytes={bytes}"))?;
        }
    }
    match report.corrupt.len() {
        0 => Ok(()),
        places => Err(Failure::Damaged { places }),
    }
}

fn verify_object(report: &VerifyReport) -> Value {
    let torn = |place: &Torn| {
        let Torn { file, offset, bytes } = place;
        json!({ "file": file.to_string(), "offset": offset, "bytes": bytes })
    };
    json!({
        "ok": report.corrupt.is_empty(),
        "files": report.files,
        "records": report.records,
        "bytes": report.bytes,
        "order_unchecked": report.order_unchecked,
        "torn": report.torn.iter().map(torn).collect::<Vec<_>>(),
        "corrupt": report.corrupt.iter().map(place_object).collect::<Vec<_>>(),
    })
}

fn place_text(place: &Corruption) -> String {
    let Corruption { file, offset, bytes, what } = place;
    format!("file={file} offset={offset} bytes={bytes} what={what}")
}

fn place_object(place: &Corruption) -> Value {
    json!({
        "file": place.file.to_string(),
        "offset": place.offset,
        "bytes": place.bytes,
        "what": place.what.word(),
    })
}

/// Keeps everything readable and prints what is lost.
pub(super) fn repair(args: &Store, globals: &Globals, out: &mut Output<'_>) -> Outcome {
    let options = open::options(globals, OpenMode::Existing);
    let place = Place::of(globals)?;
    let disk = open::disk(&args.dir)?;
    let report = match place {
        Place::Native => keelstone::repair(&disk, &options).map_err(engine::Error::from),
        Place::Sandbox(sandbox) => sandbox.repair(disk, &options),
    };
    let report = report.map_err(open::in_dir(&args.dir))?;
    let RepairReport { kept, lost, .. } = report;
    let count = lost.len() as u64;
    if out.is_json() {
        // Why: what was lost is an answer; `--quiet` leaves out only that nothing was.
        if out.is_quiet() && lost.is_empty() {
            return Ok(());
        }
        let losses: Vec<_> = lost.iter().map(|loss| place_object(&loss.corruption)).collect();
        return out.object(&json!({ "kept": kept, "lost": count, "losses": losses }));
    }
    for loss in &lost {
        out.text(&format!("lost {}", place_text(&loss.corruption)))?;
    }
    out.counts("repaired", &[("kept", kept), ("lost", count)])
}

/// Merges until nothing is left to do.
pub(super) fn compact(args: &Store, globals: &Globals, out: &mut Output<'_>) -> Outcome {
    let db = open::to_write(&args.dir, globals)?;
    let before = bytes_on_disk(&args.dir)?;
    let progress = Progress::spinner("compacting", out.is_quiet());
    db.compact()?;
    drop(progress);
    open::finish(&*db, globals)?;
    let after = bytes_on_disk(&args.dir)?;
    out.counts("", &[("before", before), ("after", after)])
}

fn bytes_on_disk(dir: &Path) -> Outcome<u64> {
    let sum = || -> std::io::Result<u64> {
        let mut bytes = 0;
        for entry in std::fs::read_dir(dir)? {
            bytes += entry?.metadata()?.len();
        }
        Ok(bytes)
    };
    sum().map_err(Failure::io(dir.display().to_string()))
}

/// Makes a store of its own with the same content.
pub(super) fn backup(args: &Backup, globals: &Globals) -> Outcome {
    let options = open::options(globals, OpenMode::ReadOnly);
    let seed = options.seed;
    let db = open::to_read(&args.dir, globals)?;
    if lies_in(&args.dest, &args.dir) {
        let (dest, dir) = (args.dest.display(), args.dir.display());
        return Err(Failure::Usage(format!("{dest}: lies in {dir}")));
    }
    let dest = NewDir::make_empty(&args.dest)?;
    let copied = db.backup(&dest.disk, seed).map_err(Failure::from);
    if copied.is_err() {
        dest.give_up();
    }
    copied
}

/// Whether `dest`, which may not exist yet, is `dir` or in it.
fn lies_in(dest: &Path, dir: &Path) -> bool {
    let parent = dest.parent().filter(|parent| !parent.as_os_str().is_empty());
    let real = dest.canonicalize().or_else(|_| parent.unwrap_or(Path::new(".")).canonicalize());
    matches!((real, dir.canonicalize()), (Ok(real), Ok(dir)) if real.starts_with(&dir))
}
