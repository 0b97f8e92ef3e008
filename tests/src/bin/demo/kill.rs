//! Kills a writer with SIGKILL after it acknowledged lines, and recovers: what was acknowledged is
//! there, the rest is a prefix of what was sent.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::Instant;

use crate::Outcome;
use crate::account::{count, line, since};
use crate::keel::Keel;
use crate::source::{Source, Step};
use crate::store::{close, compare, open};

/// Lines in each of the writer's batches: small, so that a kill falls among many of them.
const BATCH: usize = 100;

/// Kills early, in the middle and late, each time in a store of its own; the writer is never done.
pub fn kill_and_recover(keel: &Keel, source: &Source, folder: &Path) -> Outcome {
    let text = source.escaped();
    let lines = source.lines.len();
    for (round, after) in [1, lines / 8, lines / 2].into_iter().enumerate() {
        let store = folder.join(format!("killed-{round}"));
        let acked = import_until(keel, &text, &store, after)?;
        let start = Instant::now();
        let db = open(&store)?;
        let time = since(start);
        let len = db.len().map_err(|error| format!("len: {error}"))?;
        let kept = usize::try_from(len).map_err(|error| format!("len: {error}"))?;
        if kept < acked {
            return Err(format!("killed after acked={acked}, recovered only {kept} lines"));
        }
        if !kept.is_multiple_of(BATCH) && kept != lines {
            return Err(format!("recovered {kept} lines: a batch of {BATCH} is there in part"));
        }
        source.damage_after(Step::Kill, &db)?;
        compare(&db, &source.prefix(kept), source)?;
        close(&db)?;
        let counts = format!("acked {}, recovered {}", count(acked), count(kept));
        line("SIGKILL, compare", &format!("{counts}, a prefix of {}, open {time}", count(lines)));
    }
    finish(keel, source, folder)
}

/// Feeds the writer through a pipe and kills it once it has acknowledged `after` lines. Returns
/// what it acknowledged.
fn import_until(keel: &Keel, text: &[u8], store: &Path, after: usize) -> Outcome<usize> {
    let batch = BATCH.to_string();
    let (import, dash, option) = (OsStr::new("import"), OsStr::new("-"), OsStr::new("--batch"));
    let args = [import, store.as_ref(), dash, option, OsStr::new(&batch)];
    let mut writer = keel.start(&args)?;
    let (Some(mut input), Some(output)) = (writer.stdin.take(), writer.stdout.take()) else {
        return Err("the writer has no pipes".into());
    };
    std::thread::scope(|scope| {
        // Why: the input stays open until the writer is dead, so it can never be done and close its
        // store.
        let feeder = scope.spawn(move || {
            let _ = input.write_all(text);
            input
        });
        let mut acked = 0;
        // Why: the reader lives until the writer is dead, which must not see its output closed.
        let mut said = BufReader::new(output).lines();
        for said in said.by_ref().map_while(Result::ok) {
            acked = said.strip_prefix("acked=").and_then(|n| n.parse().ok()).unwrap_or(acked);
            if acked >= after {
                break;
            }
        }
        let killed = writer.kill().and_then(|()| writer.wait());
        drop(feeder.join());
        let status = killed.map_err(|error| format!("kill: {error}"))?;
        if acked < after || status.code().is_some() {
            return Err(format!("the writer ended by itself after acked={acked}"));
        }
        Ok(acked)
    })
}

/// A store that was killed is used on: the whole import, once more, and everything is there.
fn finish(keel: &Keel, source: &Source, folder: &Path) -> Outcome {
    let store = folder.join("killed-0");
    let start = Instant::now();
    keel.run(&[OsStr::new("import"), store.as_ref(), folder.join("lines.tsv").as_ref()])?;
    let time = since(start);
    let db = open(&store)?;
    compare(&db, &source.content(), source)?;
    close(&db)?;
    line("go on, compare", &format!("{} keys, {time}", count(source.lines.len())));
    Ok(())
}
