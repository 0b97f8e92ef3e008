//! Cuts the power of a fault disk at every byte of a short run and recovers each time.
//!
//! The run is made once and recorded; every point of it is rebuilt from the trace. At each point
//! the cut leaves nothing that was not synced, then all of it, then a part of it by dice. What is
//! recovered must be what the writes made up to some point, which holds everything acknowledged;
//! then the store must take a write.

use std::sync::Arc;
use std::time::Instant;

use keelstone::vfs::{FaultDisk, PowerCut};
use keelstone::{Batch, Db, Durability, Layout, Options};

use crate::Outcome;
use crate::account::{count, line, since};
use crate::source::{Content, Source};

/// Lines that the run imports; fewer where every write makes a table, whose bytes are cut at too.
const LINES: usize = 24;
const LINES_ORDERED: usize = 6;

/// Runs once in each layout, then cuts everywhere.
pub fn cut_everywhere(source: &Source) -> Outcome {
    cut(source, Layout::Ordered, "ordered")?;
    cut(source, Layout::Hash, "hash")
}

fn cut(source: &Source, layout: Layout, name: &str) -> Outcome {
    let start = Instant::now();
    let disk = FaultDisk::recording();
    let states = run(&disk, source, layout)?;
    let trace = disk.trace();
    let (mut points, mut recoveries) = (0_usize, 0_usize);
    for (seed, moment) in (0..).zip(trace.walk()) {
        points += 1;
        let acked = trace.marks_before(moment.op).last().unwrap_or(0);
        let acked = usize::try_from(acked).map_err(|error| error.to_string())?;
        for cut in [PowerCut::Lost, PowerCut::Kept, PowerCut::Seeded(seed)] {
            recoveries += 1;
            recover(&moment.disk.power_cut(&cut), &states, acked, layout).map_err(|error| {
                let doing = trace.line(moment.op).unwrap_or_else(|| "the end".into());
                format!("power cut at byte {} of `{doing}`, {cut}: {error}", moment.bytes)
            })?;
        }
    }
    let bytes: usize = (0..trace.len()).map(|op| trace.bytes(op)).sum();
    let run = format!("{} writes, {} disk operations", states.len() - 1, count(trace.len()));
    line("short run", &format!("{name}: {run}, {} bytes written", count(bytes)));
    let (points, recoveries) = (count(points), count(recoveries));
    line("power cuts", &format!("{points} points, {recoveries} recoveries, {}", since(start)));
    Ok(())
}

fn options(layout: Layout) -> Options {
    let mut options = Options::with_seed(0x6b65_656c);
    // Why: small files, so that the run has several and a merge; no reserve, whose bytes all say
    // the same.
    options.segment_bytes = 1024;
    options.reserve_bytes = 0;
    options.index_shards = 8;
    options.layout = Some(layout);
    // Why: every write fills it, so that the run has flushes and compactions too.
    options.memtable_bytes = 1024;
    options
}

/// Puts, overwrites, deletes, a batch, a merge. After each durable write the trace gets its number
/// as a mark; returns what the store holds after none, one, two ... writes.
fn run(disk: &FaultDisk, source: &Source, layout: Layout) -> Outcome<Vec<Content>> {
    let failed = |error| format!("short run: {error}");
    let count = if layout == Layout::Ordered { LINES_ORDERED } else { LINES };
    let lines: Vec<_> = source.lines.iter().take(count).collect();
    let db = Db::open(Arc::new(disk.clone()), options(layout)).map_err(failed)?;
    let mut states = vec![Content::new()];
    let mut write = |batch: &Batch| {
        db.write(batch, Durability::Durable).map_err(failed)?;
        states.push(after(states.last(), batch));
        disk.mark(states.len() as u64 - 1);
        Ok::<_, String>(())
    };
    for (key, value) in &lines {
        write(Batch::new().put(key.as_slice(), value.as_slice()))?;
    }
    for (key, value) in lines.iter().step_by(2) {
        write(Batch::new().put(key.as_slice(), [value, b"!".as_slice()].concat()))?;
    }
    for (key, _) in lines.iter().step_by(3) {
        write(Batch::new().delete(key.as_slice()))?;
    }
    let mut batch = Batch::new();
    for (key, value) in lines.iter().take(4) {
        batch.put(key.as_slice(), value.as_slice());
    }
    write(&batch)?;
    db.compact().map_err(failed)?;
    db.close().map_err(failed)?;
    Ok(states)
}

/// What a store holds after one more batch.
fn after(before: Option<&Content>, batch: &Batch) -> Content {
    let mut content = before.cloned().unwrap_or_default();
    for write in batch.writes() {
        match write {
            keelstone::Write::Put { key, value, .. } => {
                content.insert(key.clone(), value.clone());
            }
            keelstone::Write::Delete { key } => {
                content.remove(key);
            }
            keelstone::Write::DeleteRange { from, to } => {
                content.retain(|key, _| key < from || key >= to);
            }
        }
    }
    content
}

/// Opens what the cut left, compares, and writes on.
fn recover(disk: &FaultDisk, states: &[Content], acked: usize, layout: Layout) -> Outcome {
    let db = Db::open(Arc::new(disk.clone()), options(layout));
    let db = db.map_err(|error| format!("open: {error}"))?;
    let mut found = Content::new();
    for entry in db.scan().map_err(|error| format!("scan: {error}"))? {
        let entry = entry.map_err(|error| format!("scan: {error}"))?;
        found.insert(entry.key, entry.value);
    }
    if !states.iter().skip(acked).any(|state| *state == found) {
        let keys = found.len();
        return Err(format!(
            "{keys} keys are no prefix of the writes with the {acked} acknowledged"
        ));
    }
    db.put("again", "usable").map_err(|error| format!("put after recovery: {error}"))?;
    let read = db.get("again").map_err(|error| format!("get after recovery: {error}"))?;
    if read.as_deref() != Some(b"usable") {
        return Err("the first write after recovery is not there".into());
    }
    db.close().map_err(|error| format!("close: {error}"))
}
