//! A Keelstone store as a system of the crash lab: a program recorded once, a recovery that reads everything in every
//! way and then uses the store.
//!
//! Called by the lab and by schedules; the promise is the judge. Promise: the same disk is recovered in the same way.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use keelstone::vfs::crash::{Crash, Life, System};
use keelstone::vfs::{FaultDisk, Trace, Vfs};
use keelstone::{Batch, Db, Durability, FileName, Layout, ManualClock, Options};

use super::program::{BIG_BYTES, FILL_BYTES, KEYS, Program, Word};
use super::promise::{History, Mark, PROBES, Seen, USED, show};

/// What the clock shows.
pub(super) const NOW_MS: u64 = 1_000_000;

/// Changes the options of the stores that are tried: how tests switch mistakes on.
pub type Adjust = Arc<dyn Fn(&mut Options) + Send + Sync>;

/// So long a log of the hash layout is, and a table; and so much a memtable holds.
const FILE_BYTES: u64 = 1024;
const MEMTABLE_BYTES: usize = 1024;
/// So long a block of a table is.
const BLOCK_BYTES: usize = 128;

/// The sizes of what programs write and of the files, as names and numbers.
pub(super) fn sizes() -> String {
    format!(
        "key=1 value=1 big={BIG_BYTES} fill={FILL_BYTES} log={FILE_BYTES} memtable={MEMTABLE_BYTES} table={FILE_BYTES} \
         block={BLOCK_BYTES}"
    )
}

/// A store that runs a program.
#[derive(Clone)]
pub struct Store {
    layout: Layout,
    program: Program,
    adjust: Adjust,
    history: History,
}

/// An error with what was being done.
pub(super) fn told<T>(what: &str, result: keelstone::Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{what}: {error} ({error:?})"))
}

/// An error where two things that should be the same are not.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    one: &T,
    other: &T,
) -> Result<(), String> {
    if one == other { Ok(()) } else { Err(format!("{what}: {one:?} is not {other:?}")) }
}

impl Store {
    /// A store of this layout and a program.
    #[must_use]
    pub fn new(layout: Layout, program: Program, adjust: Adjust) -> Self {
        let mut history = History::default();
        for (n, word) in program.words.iter().enumerate() {
            if let Some((batch, _)) = word.batch(n) {
                history.push_batch(batch.writes(), false);
            } else if let Some(entries) = word.load(n) {
                history.push_load(entries, false);
            }
        }
        Self { layout, program, adjust, history }
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

    /// The same store with another history to be judged by.
    #[must_use]
    pub(super) fn with_history(&self, history: History) -> Self {
        Self { history, ..self.clone() }
    }

    /// Small files, so that little is needed to fill them.
    pub(super) fn options(&self) -> Options {
        let mut options = Options::with_seed(0x5eed);
        options.layout = Some(self.layout);
        options.clock = ManualClock::new(NOW_MS);
        options.segment_bytes = FILE_BYTES;
        options.memtable_bytes = MEMTABLE_BYTES;
        options.flush_memtables = 1;
        options.table_bytes = FILE_BYTES;
        options.level_bytes = 2048;
        options.block_bytes = BLOCK_BYTES;
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
        same("at the end of the program", &shown, self.history.last())?;
        Ok((disk.trace(), last))
    }

    /// Everything that the store shows, read in every way there is.
    pub(super) fn read(&self, db: &Db) -> Result<Seen, String> {
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
        with.apply(&batch.writes()[0]);
        same("after a put", &self.read(&db)?, &with)?;
        for _ in 0..100 {
            if !told("work after recovery", db.work())? {
                break;
            }
        }
        Self::check_files(&db, &**disk)?;
        Ok(seen)
    }
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panic: {}", text.unwrap_or("without a word"))
}

/// Loads keys in bulk.
pub(super) fn load(
    db: &Db,
    entries: impl Iterator<Item = (&'static str, String)>,
) -> keelstone::Result<()> {
    let mut load = db.bulk_load()?;
    for (key, value) in entries {
        load.put(key, value, None)?;
    }
    load.finish().map(drop)
}

impl System for Store {
    type Seen = Seen;

    fn recover(&self, disk: Arc<dyn Vfs>, life: &Life) -> Result<Seen, String> {
        let recovered = catch_unwind(AssertUnwindSafe(|| self.recovered(&disk, life)));
        recovered.unwrap_or_else(|panic| Err(panic_text(&*panic)))
    }

    fn judge(&self, seen: &Seen, crash: &Crash<'_, Seen>) -> Result<(), String> {
        self.history.judge(seen, crash)
    }

    fn text(&self, seen: &Seen) -> String {
        show(seen)
    }
}
