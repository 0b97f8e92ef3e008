//! A Keelstone store as a system of the crash lab: a program recorded once, a recovery that reads everything in every
//! way and then uses the store, and the promise.
//!
//! Called by the lab. Source of the rules: docs/architecture.md, the crash promise. The state after a crash is the result
//! of a prefix of the writes; it holds everything whose durability was acknowledged, after a kill everything that was
//! acknowledged; what one recovery has shown is decided; a durable write after it stays.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use keelstone::vfs::crash::{Crash, Life, System};
use keelstone::vfs::{FaultDisk, Trace, Vfs};
use keelstone::{Batch, Db, Durability, FileName, Layout, ManualClock, Options, Write};

use super::program::{KEYS, Program, Word};

/// What the clock shows.
const NOW_MS: u64 = 1_000_000;
/// The key that recovery writes after the first crash and after the second.
///
/// Why so short: where a torn log is written again, the frame of such a write ends where that of a lost put ended, and what
/// stood behind it comes back.
const PROBES: [&str; 2] = ["y", "z"];
/// What it writes there.
const USED: &str = "u";

/// A mark: a number and what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// Write so many is issued.
    Begun(u64),
    /// So many writes have returned.
    Returned(u64),
    /// So many writes are acknowledged as durable.
    Durable(u64),
    /// Recovery has shown what there is.
    Shown,
    /// The durable write after it is issued.
    ProbeBegun,
    /// And acknowledged.
    ProbeDone,
}

impl Mark {
    const fn number(self) -> u64 {
        match self {
            Self::Begun(n) => n << 3,
            Self::Returned(n) => n << 3 | 1,
            Self::Durable(n) => n << 3 | 2,
            Self::Shown => 3,
            Self::ProbeBegun => 4,
            Self::ProbeDone => 5,
        }
    }

    const fn of(number: u64) -> Self {
        match number & 7 {
            0 => Self::Begun(number >> 3),
            1 => Self::Returned(number >> 3),
            2 => Self::Durable(number >> 3),
            3 => Self::Shown,
            4 => Self::ProbeBegun,
            _ => Self::ProbeDone,
        }
    }

    /// What the marks say of it, the greatest number.
    fn most(marks: &[u64], of: impl Fn(Self) -> Option<u64>) -> u64 {
        marks.iter().filter_map(|mark| of(Self::of(*mark))).max().unwrap_or(0)
    }

    fn is_in(self, marks: &[u64]) -> bool {
        marks.contains(&self.number())
    }
}

/// The line of a mark for people.
#[must_use]
pub fn mark_name(number: u64) -> String {
    match Mark::of(number) {
        Mark::Begun(n) => format!("write {n} issued"),
        Mark::Returned(n) => format!("write {n} acknowledged"),
        Mark::Durable(n) => format!("writes to {n} durable"),
        Mark::Shown => "shown".into(),
        Mark::ProbeBegun => "probe issued".into(),
        Mark::ProbeDone => "probe acknowledged".into(),
    }
}

/// Everything a store shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Keys and values, the probes among them.
    pub entries: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The sequence of the last write.
    pub sequence: u64,
}

/// Changes the options of the stores that are tried: how tests switch mistakes on.
pub type Adjust = Arc<dyn Fn(&mut Options) + Send + Sync>;

/// A store that runs a program.
#[derive(Clone)]
pub struct Store {
    layout: Layout,
    program: Program,
    adjust: Adjust,
    /// What the store shows after each write.
    states: Vec<Seen>,
}

/// An error with what was being done.
fn told<T>(what: &str, result: keelstone::Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{what}: {error} ({error:?})"))
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, one: &T, other: &T) -> Result<(), String> {
    if one == other { Ok(()) } else { Err(format!("{what}: {one:?} is not {other:?}")) }
}

impl Store {
    /// A store of this layout and a program.
    #[must_use]
    pub fn new(layout: Layout, program: Program, adjust: Adjust) -> Self {
        let mut states = vec![Seen { entries: BTreeMap::new(), sequence: 0 }];
        for (n, word) in program.words.iter().enumerate() {
            let mut state = states[states.len() - 1].clone();
            if let Some((batch, _)) = word.batch(n) {
                batch.writes().iter().for_each(|write| apply(&mut state, write));
                states.push(state);
            } else if let Some(entries) = word.load(n) {
                let entries = entries.map(|(key, value)| (key.into(), value.into_bytes()));
                state.entries.extend(entries);
                // Why one: a load is one write.
                state.sequence += 1;
                states.push(state);
            }
        }
        Self { layout, program, adjust, states }
    }

    /// The layout.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// The program.
    #[must_use]
    pub const fn program(&self) -> &Program {
        &self.program
    }

    fn options(&self) -> Options {
        let mut options = Options::with_seed(0x5eed);
        options.layout = Some(self.layout);
        options.clock = ManualClock::new(NOW_MS);
        options.segment_bytes = 1024;
        options.memtable_bytes = 1024;
        options.flush_memtables = 1;
        options.table_bytes = 1024;
        options.level_bytes = 2048;
        options.block_bytes = 128;
        options.memory_budget = 1 << 20;
        options.index_shards = 8;
        options.reserve_bytes = 0;
        options.merge_dead_percent = 1;
        options.inline_work = false;
        options.paranoid = true;
        (self.adjust)(&mut options);
        options
    }

    fn open(&self, disk: Arc<dyn Vfs>) -> Result<Db, String> {
        told("open", Db::open(disk, self.options()))
    }

    /// Runs the program once, and says after how many steps of the disk its last word begins.
    ///
    /// # Errors
    /// If anything fails: the disk has no fault here.
    pub fn record(&self) -> Result<(Trace, usize), String> {
        let disk = FaultDisk::recording();
        let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
        let mut db = self.open(vfs.clone())?;
        let (mut writes, mut last) = (0, 0);
        for (n, word) in self.program.words.iter().enumerate() {
            last = disk.trace().len();
            let note = |mark: Mark| disk.mark(mark.number());
            match word {
                Word::Sync => told("sync", db.sync()).map(|()| note(Mark::Durable(writes)))?,
                Word::Work => told("work", db.work()).map(drop)?,
                Word::Compact => told("compact", db.compact())?,
                Word::Reopen => {
                    told("close", db.close())?;
                    note(Mark::Durable(writes));
                    drop(db);
                    db = self.open(vfs.clone())?;
                }
                Word::Kill => {
                    drop(db);
                    db = self.open(vfs.clone())?;
                    // Why: an open syncs what it relied on, and what it shows is decided.
                    note(Mark::Durable(writes));
                }
                Word::Load => {
                    writes += 1;
                    note(Mark::Begun(writes));
                    told("load", load(&db, word.load(n).into_iter().flatten()))?;
                    note(Mark::Durable(writes));
                }
                _ => {
                    let Some((batch, durable)) = word.batch(n) else { continue };
                    writes += 1;
                    note(Mark::Begun(writes));
                    let durability =
                        if durable { Durability::Durable } else { Durability::Buffered };
                    told("write", db.write(&batch, durability))?;
                    note(Mark::Returned(writes));
                    if durable {
                        note(Mark::Durable(writes));
                    }
                }
            }
        }
        let shown = self.read(&db)?;
        same("at the end of the program", &Some(&shown), &self.states.last())?;
        Ok((disk.trace(), last))
    }

    /// Everything that the store shows, read in every way there is.
    fn read(&self, db: &Db) -> Result<Seen, String> {
        let snapshot = told("snapshot", db.snapshot())?;
        let mut entries = BTreeMap::new();
        let mut count = 0;
        for entry in told("scan", snapshot.scan())? {
            let entry = told("scan", entry)?;
            count += 1;
            entries.insert(entry.key, entry.value);
        }
        same("keys that come twice", &count, &(entries.len() as u64))?;
        same("len", &told("len", db.len())?, &count)?;
        for key in KEYS.into_iter().chain(PROBES) {
            let found = entries.get(key.as_bytes()).cloned();
            same("get", &told("get", db.get(key))?, &found)?;
            same("snapshot get", &told("snapshot get", snapshot.get(key))?, &found)?;
        }
        if self.layout == Layout::Ordered {
            let backward =
                told("scan", snapshot.scan_within(&keelstone::Bounds::default().reversed()))?;
            let backward: Vec<_> =
                told("scan backward", backward.map(|e| e.map(|e| e.key)).collect())?;
            same("scan backward", &backward, &entries.keys().rev().cloned().collect())?;
        }
        Ok(Seen { entries, sequence: db.sequence() })
    }

    /// The log can be read from its oldest sequence on, and has no hole.
    fn read_log(db: &Db) -> Result<(), String> {
        let oldest = match db.log_from(1) {
            Ok(_) => 1,
            Err(keelstone::Error::MergedAway { oldest }) => oldest,
            Err(error) => return Err(format!("log_from: {error} ({error:?})")),
        };
        let entries = db.log_from(oldest).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let found: Vec<u64> = told("log_from", entries)?.iter().map(|e| e.sequence).collect();
        same("log_from", &found, &(oldest..=db.sequence()).collect())
    }

    /// Every file is one that the store knows.
    fn check_files(db: &Db, disk: &dyn Vfs) -> Result<(), String> {
        let names = disk.list("").map_err(|error| format!("list: {error}"))?;
        let files: Option<Vec<FileName>> = names.iter().map(|name| FileName::parse(name)).collect();
        let files = files.ok_or_else(|| format!("a strange file: {names:?}"))?;
        let is_kept = |f: &&FileName| {
            matches!(f, FileName::Log(_) | FileName::Segment(_) | FileName::Table(_))
        };
        let kept = files.iter().filter(is_kept).count() as u64;
        let manifests = files.iter().filter(|f| matches!(f, FileName::Manifest(_))).count();
        let known = told("stats", db.stats())?.segments;
        same(&format!("files of {names:?}"), &(kept, manifests), &(known, 1))
    }

    fn recovered(&self, disk: &Arc<dyn Vfs>, life: &Life) -> Result<Seen, String> {
        let db = self.open(disk.clone())?;
        let seen = self.read(&db)?;
        Self::read_log(&db)?;
        life.mark(Mark::Shown.number());
        let probe = PROBES[usize::from(life.crashes > 1)];
        let mut batch = Batch::new();
        batch.put(probe, USED);
        life.mark(Mark::ProbeBegun.number());
        told("a durable put after recovery", db.write(&batch, Durability::Durable))?;
        life.mark(Mark::ProbeDone.number());
        let mut with = seen.clone();
        apply(&mut with, &batch.writes()[0]);
        same("after a put", &self.read(&db)?, &with)?;
        for _ in 0..100 {
            if !told("work after recovery", db.work())? {
                break;
            }
        }
        Self::check_files(&db, &**disk)?;
        Ok(seen)
    }

    /// Whether this is what the store shows after so many writes.
    fn is_state(&self, seen: &Seen, writes: u64) -> bool {
        usize::try_from(writes).is_ok_and(|n| self.states.get(n) == Some(seen))
    }
}

/// Loads keys in bulk.
fn load(db: &Db, entries: impl Iterator<Item = (&'static str, String)>) -> keelstone::Result<()> {
    let mut load = db.bulk_load()?;
    for (key, value) in entries {
        load.put(key, value, None)?;
    }
    load.finish().map(drop)
}

fn apply(state: &mut Seen, write: &Write) {
    state.sequence += 1;
    match write {
        Write::Put { key, value, .. } => drop(state.entries.insert(key.clone(), value.clone())),
        Write::Delete { key } => drop(state.entries.remove(key)),
        Write::DeleteRange { from, to } => state.entries.retain(|key, _| key < from || key >= to),
    }
}

impl System for Store {
    type Seen = Seen;

    fn recover(&self, disk: Arc<dyn Vfs>, life: &Life) -> Result<Seen, String> {
        let recovered = catch_unwind(AssertUnwindSafe(|| self.recovered(&disk, life)));
        recovered.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("panic: {}", text.unwrap_or("without a word")))
        })
    }

    fn judge(&self, seen: &Seen, crash: &Crash<'_, Seen>) -> Result<(), String> {
        let second_marks = crash.second.map_or(&[][..], |second| second.marks);
        if let Some(second) = crash.second
            && Mark::Shown.is_in(second_marks)
        {
            // Why: what one recovery has shown is decided, and what it acknowledged after that stays.
            let mut with = second.seen.clone();
            let probe = Write::Put { key: PROBES[0].into(), value: USED.into(), expires_ms: None };
            apply(&mut with, &probe);
            let (begun, done) =
                (Mark::ProbeBegun.is_in(second_marks), Mark::ProbeDone.is_in(second_marks));
            let allowed = (seen == second.seen && !done) || (*seen == with && begun);
            let what =
                if done { "acknowledged after recovery" } else { "shown by the first recovery" };
            return if allowed {
                Ok(())
            } else {
                Err(format!(
                    "{} was {what}, now {}",
                    show(if done { &with } else { second.seen }),
                    show(seen)
                ))
            };
        }
        let begun =
            Mark::most(crash.marks, |mark| if let Mark::Begun(n) = mark { Some(n) } else { None });
        let returned =
            Mark::most(
                crash.marks,
                |mark| if let Mark::Returned(n) = mark { Some(n) } else { None },
            );
        let durable =
            Mark::most(
                crash.marks,
                |mark| if let Mark::Durable(n) = mark { Some(n) } else { None },
            );
        // Why: a power cut during the recovery from a kill is a power cut.
        let least = if crash.power { durable } else { returned.max(durable) };
        let least =
            if crash.second.is_some_and(|second| second.first_power) { durable } else { least };
        if (least..=begun).any(|writes| self.is_state(seen, writes)) {
            return Ok(());
        }
        let writes = self.states.iter().position(|state| state == seen);
        let after = writes.map_or_else(
            || "no prefix of the writes gives this".into(),
            |n| format!("that is the state after {n} writes"),
        );
        Err(format!("{} is shown: {after}; {least} to {begun} were to be kept", show(seen)))
    }

    fn text(&self, seen: &Seen) -> String {
        show(seen)
    }
}

/// What a store shows, on a line.
fn show(seen: &Seen) -> String {
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if text.len() > 12 { format!("{}...", &text[..12]) } else { text }
    };
    let entry = |(key, value): (&Vec<u8>, &Vec<u8>)| format!("{}={}", text(key), text(value));
    let entries: Vec<String> = seen.entries.iter().map(entry).collect();
    format!("{{{}}} at sequence {}", entries.join(" "), seen.sequence)
}
