//! Opens what a crash left, compares it with what is allowed, uses the store, and crashes it again.
//!
//! Called at every state of the crash loops; calls the engine and `history`. Promise: a state passes if it opens, is one
//! of the allowed ones in every way of reading, has no file too many, takes a durable write that survives the next power
//! cut, and if a crash at any step of all this leaves an allowed state again, which takes a durable write in turn.

use std::collections::HashSet;
use std::sync::Arc;

use keelstone::vfs::{FaultDisk, PowerCut, Vfs};
use keelstone::{Batch, Db, Durability, Entry, FileName, ManualClock, OpenMode};

use super::cuts;
use super::history::{History, Window};
use crate::fingerprint::fingerprint;
use crate::mirror::{collect, same_entries};
use crate::shape::Shape;

/// The key that the oracle writes to see whether the store can be used.
const PROBE: &[u8] = b"~probe";
/// The key that it writes after a second crash.
const AGAIN: &[u8] = b"~probe again";

/// How far the oracle goes at one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    /// Recover, compare, write, lose everything that is not synced, compare.
    Once,
    /// And crash at every step of the recovery and of the write: everything lost, everything kept. What that leaves takes
    /// a durable write too.
    Twice,
    /// The same with every kind of power cut, files torn at every eleventh unsynced byte, and with a merge after the write.
    Through,
}

/// What is allowed after one crash.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The prefixes.
    pub window: Window,
    /// The prefixes after a power cut that comes before recovery has ended: after a kill, less may be left.
    pub later: Window,
    /// What the clock shows.
    pub now_ms: u64,
}

/// The judge of one run.
pub struct Oracle<'a> {
    history: &'a History,
    shape: Shape,
    keys: Vec<Vec<u8>>,
}

/// A text with what went wrong where.
fn told<T>(what: &str, result: keelstone::Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{what}: {error} ({error:?})"))
}

impl<'a> Oracle<'a> {
    /// An oracle for what this history allows.
    #[must_use]
    pub fn new(history: &'a History, shape: Shape) -> Self {
        let mut keys = history.keys();
        keys.extend([PROBE.to_vec(), AGAIN.to_vec()]);
        Self { history, shape, keys }
    }

    fn open(&self, disk: &FaultDisk, now_ms: u64) -> Result<Db, String> {
        let options = self.shape.options(&ManualClock::new(now_ms));
        told("open", Db::open(Arc::new(disk.clone()), options))
    }

    /// Everything that the store shows, read in every way there is.
    fn read(&self, db: &Db) -> Result<Vec<Entry>, String> {
        let entries = told("scan", db.scan().and_then(collect))?;
        let len = told("len", db.len())?;
        crate::mirror::same("len and scan", &len, &(entries.len() as u64))?;
        for key in &self.keys {
            let found = entries.binary_search_by(|e| e.key.as_slice().cmp(key)).ok();
            let found = found.map(|at| &entries[at].value);
            let value = told("get", db.get(key))?;
            crate::mirror::same("get and scan", &value.as_ref(), &found)?;
        }
        Ok(entries)
    }

    /// The log can be read from its oldest sequence on, and has no hole.
    fn read_log(&self, db: &Db) -> Result<(), String> {
        let last = db.sequence();
        let oldest = match db.log_from(1) {
            Ok(_) => 1,
            Err(keelstone::Error::MergedAway { oldest }) => oldest,
            Err(error) => return Err(format!("log_from: {error} ({error:?})")),
        };
        let entries = db.log_from(oldest).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let found: Vec<u64> = told("log_from", entries)?.iter().map(|e| e.sequence).collect();
        crate::mirror::same("log_from", &found, &(oldest..=last).collect())
    }

    /// Judges one state of the disk, which nobody else uses; returns how many second crashes that were.
    pub fn judge(&self, disk: &FaultDisk, case: Case, depth: Depth) -> Result<u64, String> {
        disk.record();
        let db = self.open(disk, case.now_ms)?;
        let entries = self.read(&db)?;
        self.history.find_at(case.window, &entries, case.now_ms, db.sequence())?;
        self.read_log(&db)?;
        let opened = disk.trace().len();
        let mut batch = Batch::new();
        batch.put(PROBE, "used");
        told("put after recovery", db.write(&batch, Durability::Durable))?;
        let acked = disk.trace().len();
        let with = with_key(&entries, PROBE);
        let lost = disk.power_cut(&PowerCut::Lost);
        self.expect(&lost, case.now_ms, &with).map_err(|e| format!("used, then power cut: {e}"))?;
        if depth == Depth::Through {
            self.go_on(&db, &with)?;
        }
        self.tidy(disk, &db, &with)?;
        drop(db);
        let mut states = 1;
        if depth > Depth::Once {
            let second = Second { case, entries, with, opened, acked, depth };
            states += self.crash_again(disk, &second)?;
        }
        Ok(states)
    }

    /// The store on this disk opens and shows exactly this.
    fn expect(&self, disk: &FaultDisk, now_ms: u64, entries: &[Entry]) -> Result<(), String> {
        let db = self.open(disk, now_ms)?;
        same_entries("entries", &self.read(&db)?, entries)
    }

    /// More use: everything is merged.
    fn go_on(&self, db: &Db, with: &[Entry]) -> Result<(), String> {
        told("compact after recovery", db.compact())?;
        same_entries("after a compact", &self.read(db)?, with)
    }

    /// No file is left over; nothing is damaged.
    fn tidy(&self, disk: &FaultDisk, db: &Db, with: &[Entry]) -> Result<(), String> {
        for _ in 0..1000 {
            if !told("work after recovery", db.work())? {
                break;
            }
        }
        let names = disk.list("").map_err(|error| format!("list: {error}"))?;
        let files: Option<Vec<FileName>> = names.iter().map(|name| FileName::parse(name)).collect();
        let files = files.ok_or_else(|| format!("a strange file: {names:?}"))?;
        check_files(&files, told("stats", db.stats())?.segments)?;
        same_entries("after the work", &self.read(db)?, with)
    }

    /// Crashes at every step of what `judge` did.
    fn crash_again(&self, disk: &FaultDisk, second: &Second) -> Result<u64, String> {
        let trace = disk.trace();
        // Why: the work that follows is crashed at its steps in the run itself, and here only where all is.
        let end = if second.depth == Depth::Through { trace.len() } else { second.acked };
        let mut walk = trace.walk();
        let mut judged = HashSet::new();
        for op in 0..=end {
            walk.seek(op, 0);
            let here = walk.disk();
            let line = trace.line(op).unwrap_or_default();
            let stage = (op >= second.opened, op >= second.acked);
            let mut judge = |what: &str, disk: &FaultDisk| {
                if !judged.insert((fingerprint(&disk.cached()), stage)) {
                    return Ok(());
                }
                self.third_life(disk, second, op).map_err(|error| {
                    format!("second crash before step {op} `{line}`, {what}: {error}")
                })
            };
            let through = second.depth == Depth::Through;
            let cuts = if through { cuts::all(&here, None, 11) } else { cuts::EXTREMES.into() };
            cuts.iter().try_for_each(|cut| judge(&cut.to_string(), &here.power_cut(cut)))?;
        }
        Ok(judged.len() as u64)
    }

    /// Opens what a second crash left, compares, writes, and opens again after one more power cut.
    fn third_life(&self, disk: &FaultDisk, second: &Second, op: usize) -> Result<(), String> {
        let now_ms = second.case.now_ms;
        let db = self.open(disk, now_ms)?;
        let seen = self.read(&db)?;
        self.allowed(second, op, &seen)?;
        let mut batch = Batch::new();
        batch.put(AGAIN, "used");
        told("put after a second crash", db.write(&batch, Durability::Durable))?;
        drop(db);
        let lost = disk.power_cut(&PowerCut::Lost);
        let used = self.expect(&lost, now_ms, &with_key(&seen, AGAIN));
        used.map_err(|error| format!("used, then a third power cut: {error}"))
    }

    /// What a crash after `op` steps of the second life may leave.
    fn allowed(&self, second: &Second, op: usize, seen: &[Entry]) -> Result<(), String> {
        if seen == second.with {
            return Ok(());
        }
        if op >= second.acked {
            return same_entries("acknowledged", seen, &second.with);
        }
        if seen == second.entries {
            return Ok(());
        }
        if op >= second.opened {
            // Why: what one recovery has shown is decided; a second crash must not show another prefix.
            return same_entries("decided", seen, &second.entries);
        }
        self.history.find(second.case.later, seen, second.case.now_ms).map(drop)
    }

    /// A disk after a failure that no sync survived: the store opens to an allowed state or says what is damaged.
    pub fn right_or_refused(&self, disk: &FaultDisk, case: Case) -> Result<bool, String> {
        let options = self.shape.options(&ManualClock::new(case.now_ms));
        match Db::open(Arc::new(disk.clone()), options) {
            Err(keelstone::Error::Corrupt(_)) => Ok(false),
            Err(error) => Err(format!("open: {error} ({error:?})")),
            Ok(db) => match db.scan().and_then(collect) {
                Err(keelstone::Error::Corrupt(_)) => Ok(false),
                Err(error) => Err(format!("scan: {error} ({error:?})")),
                Ok(seen) => self.history.find(case.window, &seen, case.now_ms).map(|_| true),
            },
        }
    }

    /// Opens for reading only, compares, and makes sure that no byte has changed.
    pub fn look(&self, disk: &FaultDisk, case: Case) -> Result<(), String> {
        let before = disk.cached();
        let mut options = self.shape.options(&ManualClock::new(case.now_ms));
        options.mode = OpenMode::ReadOnly;
        match Db::open(Arc::new(disk.clone()), options) {
            // Why: while the store is being created there is none to look at, or less than one.
            Err(keelstone::Error::NoStore | keelstone::Error::Corrupt(_))
                if case.window.most == 0 => {}
            Err(error) => return Err(format!("open read-only: {error} ({error:?})")),
            Ok(db) => {
                let entries = self.read(&db)?;
                self.history.find(case.window, &entries, case.now_ms)?;
            }
        }
        crate::mirror::same("bytes", &disk.cached(), &before)
    }
}

/// The first recovery and use of a state, whose steps are cut in turn.
struct Second {
    case: Case,
    entries: Vec<Entry>,
    with: Vec<Entry>,
    opened: usize,
    acked: usize,
    depth: Depth,
}

fn with_key(entries: &[Entry], key: &[u8]) -> Vec<Entry> {
    let mut with = entries.to_vec();
    with.push(Entry { key: key.to_vec(), value: b"used".to_vec(), expires_ms: None });
    with.sort_by(|a, b| a.key.cmp(&b.key));
    with
}

/// One CURRENT, one manifest, the logs and segments that the store knows, and hints of these only.
fn check_files(files: &[FileName], segments: u64) -> Result<(), String> {
    let count = |is: fn(&FileName) -> bool| files.iter().filter(|f| is(f)).count() as u64;
    let records =
        |f: &FileName| matches!(f, FileName::Log(_) | FileName::Segment(_) | FileName::Table(_));
    let known: Vec<_> = files.iter().filter(|f| records(f)).filter_map(|f| f.number()).collect();
    let stray = |f: &&FileName| {
        matches!(f, FileName::Hint(_)) && !known.contains(&f.number().unwrap_or_default())
    };
    let current = count(|f| *f == FileName::Current);
    let manifests = count(|f| matches!(f, FileName::Manifest(_)));
    let strays: Vec<_> = files.iter().filter(stray).collect();
    if current != 1 || manifests != 1 || known.len() as u64 != segments || !strays.is_empty() {
        return Err(format!("files left over, the store knows {segments} segments: {files:?}"));
    }
    Ok(())
}
