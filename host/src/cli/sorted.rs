//! `import --sorted`: all lines into the store at once, or none of them.
//!
//! Called by the import; calls the engine's bulk load. In memory: three pieces of the input, as any
//! import has, and one table.

use std::sync::mpsc::Receiver;

use keelstone::{Batch, Error, Invalid, Write};
use serde_json::json;

use super::args::{Globals, Import, LayoutName};
use super::exit::{Failure, Outcome};
use super::import::{Piece, await_first, reader, stopped};
use super::open::{self, Store};
use super::output::Output;
use super::progress::Progress;
use crate::engine::{self, Load};

/// Loads all lines, whose keys must ascend.
pub(super) fn import(args: &Import, globals: &Globals, out: &mut Output<'_>) -> Outcome {
    let globals = ordered(globals)?;
    let (pieces, bytes) = reader(&args.file, args.batch)?;
    await_first(args, &pieces)?;
    let db = open(args, &globals)?;
    let progress = Progress::bytes(bytes, out.is_quiet());
    let lines = load(db.bulk_load()?, args, &pieces, &progress)?;
    if lines > 0 && !out.is_quiet() {
        out.either(|| format!("acked={lines}"), || json!({ "acked": lines }))?;
        out.flush()?;
    }
    open::finish(&*db, &globals)?;
    out.counts("", &[("imported", lines)])
}

/// The layout that can do it, unless another place or layout is asked for.
fn ordered(globals: &Globals) -> Outcome<Globals> {
    if globals.sandbox {
        let text = "--sorted runs natively only, leave out --sandbox or --sorted";
        return Err(Failure::Usage(text.to_owned()));
    }
    if globals.layout == Some(LayoutName::Hash) {
        return Err(other_layout());
    }
    Ok(Globals { layout: Some(LayoutName::Ordered), ..globals.clone() })
}

fn other_layout() -> Failure {
    Failure::Usage("--sorted needs a store in the ordered layout".to_owned())
}

fn open(args: &Import, globals: &Globals) -> Outcome<Store> {
    open::or_create(&args.dir, globals).map_err(|failure| match failure {
        Failure::Store(Error::Invalid(Invalid::Layout)) => other_layout(),
        other => other,
    })
}

/// Loads all pieces and gives how many lines they had. After an error nothing of them is there.
fn load(
    mut load: Box<dyn Load>,
    args: &Import,
    pieces: &Receiver<Piece>,
    progress: &Progress,
) -> Outcome<u64> {
    let mut lines = 0;
    // Why: when the reader hangs up, the input has ended.
    while let Ok(piece) = pieces.recv() {
        match piece {
            Piece::Begun => {}
            Piece::Lines(batch, bytes) => {
                put(&mut *load, &batch, &mut lines)?;
                progress.advance(bytes);
            }
            Piece::Stopped(error) => return Err(stopped(error, &args.file)),
        }
    }
    load.finish()?;
    Ok(lines)
}

fn put(load: &mut dyn Load, batch: &Batch, lines: &mut u64) -> Outcome {
    for write in batch.writes() {
        let Write::Put { key, value, expires_ms } = write else { continue };
        *lines += 1;
        load.put(key, value, *expires_ms).map_err(|error| match error {
            engine::Error::Store(Error::Invalid(wrong)) => {
                Failure::Usage(format!("line {lines}: {wrong}"))
            }
            other => other.into(),
        })?;
    }
    Ok(())
}
