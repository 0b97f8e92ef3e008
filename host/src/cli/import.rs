//! `import`: lines into the store, in atomic batches, each acknowledged when it reached the chosen
//! durability.
//!
//! Called by the hall; calls the engine. A second thread reads and decodes, so that a batch becomes
//! durable, and is acknowledged, also while the input waits. In memory: three batches of at most 32
//! MiB, and one line.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use keelstone::{Batch, Durability, Write, limits};
use serde_json::json;

use super::args::{Globals, Import, Policy};
use super::exit::{Failure, Outcome};
use super::lines::{LineError, Lines};
use super::open;
use super::output::Output;
use super::progress::Progress;
use super::sorted;
use crate::engine::Engine;

/// A batch is applied before it has more bytes of keys and values, unless it is one line.
const BATCH_BYTES_MAX: usize = 32 << 20;
/// A batch is applied when it has this many lines, whatever is asked for.
const BATCH_LINES_MAX: u64 = 1 << 20;

/// Reads lines into the store.
pub(super) fn import(args: &Import, globals: &Globals, out: &mut Output<'_>) -> Outcome {
    if args.sorted {
        return sorted::import(args, globals, out);
    }
    let (pieces, bytes) = reader(&args.file, args.batch)?;
    await_first(args, &pieces)?;
    let db = open::or_create(&args.dir, globals)?;
    let progress = Progress::bytes(bytes, out.is_quiet());
    let mut import = Importer::new(&*db, globals, out, progress);
    let ended = import.run(&pieces)?;
    let lines = import.lines;
    open::finish(&*db, globals)?;
    match ended {
        None => out.counts("", &[("imported", lines)]),
        Some(error) => Err(stopped(error, &args.file)),
    }
}

/// Before a store is created, waits for the first line.
pub(super) fn await_first(args: &Import, pieces: &Receiver<Piece>) -> Outcome {
    // Why: input whose first line is malformed leaves nothing behind, not even an empty store.
    if open::is_vacant(&args.dir)
        && let Ok(Piece::Stopped(error)) = pieces.recv()
    {
        return Err(stopped(error, &args.file));
    }
    Ok(())
}

pub(super) fn stopped(error: LineError, file: &Path) -> Failure {
    match error {
        LineError::Malformed { number, what } => Failure::Usage(format!("line {number}: {what}")),
        LineError::Io(error) => Failure::io(file.display().to_string())(error),
    }
}

/// What the reading thread hands over. When it hangs up, the input has ended.
pub(super) enum Piece {
    /// The first line is good, or there is none.
    Begun,
    /// Lines to be applied together, and how many bytes of keys and values they have.
    Lines(Batch, u64),
    /// The input cannot be read further.
    Stopped(LineError),
}

/// Begins to read; also gives the length of the input, if it has one.
pub(super) fn reader(file: &Path, batch: u64) -> Outcome<(Receiver<Piece>, Option<u64>)> {
    let failed = || Failure::io(file.display().to_string());
    let (sender, receiver) = sync_channel(1);
    let lines_max = usize::try_from(batch.min(BATCH_LINES_MAX)).unwrap_or(usize::MAX);
    let mut bytes = None;
    let read = if file == Path::new("-") {
        thread::Builder::new().spawn(move || send(io::stdin().lock(), lines_max, &sender))
    } else {
        let input = std::fs::File::open(file).map_err(failed())?;
        let metadata = input.metadata().map_err(failed())?;
        if metadata.is_dir() {
            return Err(failed()(io::ErrorKind::IsADirectory.into()));
        }
        bytes = metadata.is_file().then_some(metadata.len());
        let input = BufReader::with_capacity(1 << 16, input);
        thread::Builder::new().spawn(move || send(input, lines_max, &sender))
    };
    read.map_err(failed())?;
    Ok((receiver, bytes))
}

/// Reads all lines and hands them over. Whoever stops listening ends it.
fn send(input: impl BufRead, lines_max: usize, pieces: &SyncSender<Piece>) {
    // Why: an error to send means that nobody listens any more, and there is nobody to tell.
    let _ = send_all(&mut Lines::new(input, limits::VALUE_BYTES_DEFAULT), lines_max, pieces);
}

fn send_all(
    lines: &mut Lines<impl BufRead>,
    lines_max: usize,
    pieces: &SyncSender<Piece>,
) -> Result<(), SendError<Piece>> {
    let mut next = lines.read();
    if next.is_ok() {
        pieces.send(Piece::Begun)?;
    }
    let mut batch = Batch::new();
    let mut bytes = 0;
    let stopped = loop {
        let line = match next {
            Ok(Some(line)) => line,
            Ok(None) => break None,
            Err(error) => break Some(error),
        };
        let line_bytes = line.key.len() + line.value.len();
        if !batch.is_empty() && bytes + line_bytes > BATCH_BYTES_MAX {
            pieces.send(Piece::Lines(std::mem::take(&mut batch), bytes as u64))?;
            bytes = 0;
        }
        bytes += line_bytes;
        let (key, value, expires_ms) = (line.key, line.value, line.expires_ms);
        batch.push(Write::Put { key, value, expires_ms });
        // Why before the next line is read: the input may wait, and the batch must not.
        if batch.len() >= lines_max {
            pieces.send(Piece::Lines(std::mem::take(&mut batch), bytes as u64))?;
            bytes = 0;
        }
        next = lines.read();
    };
    if !batch.is_empty() {
        pieces.send(Piece::Lines(batch, bytes as u64))?;
    }
    stopped.map_or(Ok(()), |error| pieces.send(Piece::Stopped(error)))
}

/// Applies batches and acknowledges them.
struct Importer<'a, 'o> {
    db: &'a dyn Engine,
    policy: Policy,
    durability: Durability,
    out: &'a mut Output<'o>,
    progress: Progress,
    /// Lines that were applied.
    lines: u64,
    /// Bytes that were applied and not yet acknowledged, and when the first of them was.
    waiting: Option<(u64, Instant)>,
}

impl<'a, 'o> Importer<'a, 'o> {
    fn new(
        db: &'a dyn Engine,
        globals: &Globals,
        out: &'a mut Output<'o>,
        progress: Progress,
    ) -> Self {
        let (policy, durability) = (globals.durability, open::durability(globals));
        Self { db, policy, durability, out, progress, lines: 0, waiting: None }
    }

    /// Applies all pieces; afterwards all of them are acknowledged. Gives what ended the input
    /// early.
    fn run(&mut self, pieces: &Receiver<Piece>) -> Outcome<Option<LineError>> {
        let stopped = loop {
            match self.next(pieces) {
                Ok(Piece::Begun) => {}
                Ok(Piece::Lines(batch, bytes)) => self.apply(&batch, bytes)?,
                Ok(Piece::Stopped(error)) => break Some(error),
                Err(RecvTimeoutError::Timeout) => self.sync()?,
                Err(RecvTimeoutError::Disconnected) => break None,
            }
        };
        if self.waiting.is_some() {
            self.sync()?;
        }
        Ok(stopped)
    }

    /// The next piece; does not wait longer for it than the oldest batch may wait for its sync.
    fn next(&self, pieces: &Receiver<Piece>) -> Result<Piece, RecvTimeoutError> {
        let Some((_, since)) = self.waiting else {
            return pieces.recv().map_err(|_| RecvTimeoutError::Disconnected);
        };
        let patience = Duration::from_millis(open::BATCH_MS).saturating_sub(since.elapsed());
        pieces.recv_timeout(patience)
    }

    fn apply(&mut self, batch: &Batch, bytes: u64) -> Outcome {
        self.db.write(batch, self.durability)?;
        self.lines += batch.len() as u64;
        self.progress.advance(bytes);
        if self.policy != Policy::Batch {
            return self.acknowledge();
        }
        let (waiting, since) = self.waiting.unwrap_or_else(|| (0, Instant::now()));
        self.waiting = Some((waiting + bytes, since));
        let due = waiting + bytes >= open::BATCH_BYTES
            || since.elapsed() >= Duration::from_millis(open::BATCH_MS);
        if due { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> Outcome {
        self.db.sync()?;
        self.waiting = None;
        self.acknowledge()
    }

    /// Says that everything so far has reached the chosen durability; flushed, so that it is known
    /// at once.
    fn acknowledge(&mut self) -> Outcome {
        let lines = self.lines;
        if self.out.is_quiet() {
            return Ok(());
        }
        self.out.either(|| format!("acked={lines}"), || json!({ "acked": lines }))?;
        self.out.flush()
    }
}
