//! Drives a store on a fault disk through a list of operations and notes what was acknowledged.
//!
//! Called by the recorder of crash loops, where nothing may fail, and by the fault loops, where things do.
//! Promise: the history holds every write that was issued and everything that was acknowledged, in order.

use std::sync::Arc;

use keelstone::vfs::{FaultDisk, Trace, Vfs};
use keelstone::{Batch, Db, Durability, Entry, ManualClock, Write};

use keelstone_host::engine::{self, Engine};
use keelstone_host::sandbox::{Sandbox, SandboxDb};

use super::history::History;
use crate::mirror::START_MS;
use crate::model::delete;
use crate::op::Op;
use crate::rules::RulesDisk;
use crate::shape::Shape;

/// What a mark in the trace stands for.
enum Note {
    Begin(Vec<Write>),
    BeginLoad(Vec<Write>),
    End { ok: bool, durable: bool },
    Synced,
    Time(u64),
}

impl Note {
    /// Goes into a history, at this position.
    fn tell(&self, history: &mut History, at: usize) {
        match self {
            Self::Begin(writes) => history.begin(writes, at),
            Self::BeginLoad(writes) => history.begin_load(writes, at),
            Self::End { ok, durable } => history.end(*ok, *durable, at),
            Self::Synced => history.synced(at),
            Self::Time(ms) => history.time(*ms, at),
        }
    }
}

/// A store on a fault disk, and what it acknowledged.
pub struct Driver {
    disk: FaultDisk,
    /// The disk as the store gets it: watched, unless a mistake is made on purpose.
    vfs: Arc<dyn Vfs>,
    clock: Arc<ManualClock>,
    shape: Shape,
    db: Option<Db>,
    /// Where the store runs instead, and the store.
    sandbox: Option<Sandbox>,
    inside: Option<SandboxDb>,
    notes: Vec<Note>,
    /// What happened so far, as if the disk counted notes instead of steps.
    history: History,
    /// How many writes failed.
    pub failed: usize,
    /// How many calls failed.
    pub errors: u64,
}

/// A run on the fault disk: its trace, and what was acknowledged when.
pub struct Recording {
    /// What happened to the disk.
    pub trace: Trace,
    /// What was issued and acknowledged.
    pub history: History,
    /// How the store was opened.
    pub shape: Shape,
}

impl Recording {
    /// Runs the operations once on a recording disk, from an empty directory to the end.
    pub fn new(shape: Shape, ops: &[Op]) -> Result<Self, String> {
        let disk = FaultDisk::recording();
        Self::of(Driver::new(disk, shape), ops)
    }

    /// As [`new`](Self::new), and the store runs inside the sandbox.
    pub fn inside(shape: Shape, ops: &[Op]) -> Result<Self, String> {
        let disk = FaultDisk::recording();
        Self::of(Driver::inside(disk, shape), ops)
    }

    fn of(mut driver: Driver, ops: &[Op]) -> Result<Self, String> {
        let (disk, shape) = (driver.disk.clone(), driver.shape);
        for (n, op) in ops.iter().enumerate() {
            driver.step(op).map_err(|error| format!("operation {n} {op:?}: {error}"))?;
        }
        driver.check_now()?;
        driver.kill();
        let trace = disk.trace();
        let history = driver.history_of(&trace);
        Ok(Self { trace, history, shape })
    }

    /// Whether some line of the trace begins with `verb` and ends with `end`.
    #[must_use]
    pub fn count(&self, verb: &str, part: &str) -> usize {
        let lines = (0..self.trace.len()).filter_map(|op| self.trace.line(op));
        lines.filter(|line| line.starts_with(verb) && line.contains(part)).count()
    }
}

impl Driver {
    /// A driver whose store is not open yet: the first operation opens it.
    #[must_use]
    pub fn new(disk: FaultDisk, shape: Shape) -> Self {
        let clock = ManualClock::new(START_MS);
        let (db, notes) = (None, Vec::new());
        let (sandbox, inside) = (None, None);
        let vfs: Arc<dyn Vfs> = match shape.bug {
            None => Arc::new(RulesDisk::new(disk.clone())),
            Some(_) => Arc::new(disk.clone()),
        };
        let (history, failed, errors) = (History::new(), 0, 0);
        let mut driver =
            Self { disk, vfs, clock, shape, db, sandbox, inside, notes, history, failed, errors };
        driver.note(Note::Time(START_MS));
        driver
    }

    /// A driver whose store runs inside the sandbox. It has no switches there.
    #[must_use]
    pub fn inside(disk: FaultDisk, shape: Shape) -> Self {
        let sandbox = Some(crate::disk::sandbox());
        Self { sandbox, ..Self::new(disk, shape) }
    }

    /// The disk.
    #[must_use]
    pub const fn disk(&self) -> &FaultDisk {
        &self.disk
    }

    /// The store, if it is open.
    #[must_use]
    pub const fn db(&self) -> Option<&Db> {
        self.db.as_ref()
    }

    /// What the clock shows.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        keelstone::Clock::now_ms(&*self.clock)
    }

    fn note(&mut self, note: Note) {
        let number = self.notes.len();
        self.disk.mark(number as u64);
        note.tell(&mut self.history, number);
        self.notes.push(note);
    }

    /// What happened so far, as if the disk counted notes instead of steps: for a crash at the end.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// What happened so far, at the positions of the driver's marks in the trace.
    #[must_use]
    pub fn history_of(&self, trace: &Trace) -> History {
        let mut history = History::new();
        for (at, mark) in trace.marks() {
            self.notes[crate::index(*mark)].tell(&mut history, *at);
        }
        history
    }

    /// Does one operation; an error is returned and noted, and the next operation may go on.
    pub fn step(&mut self, op: &Op) -> Result<(), String> {
        let done = self.open_if_needed().and_then(|db| self.act(&*db, op));
        done.map_err(|error| {
            self.errors += 1;
            format!("{error} ({error:?})")
        })
    }

    fn open_if_needed(&mut self) -> engine::Result<Box<dyn Engine>> {
        if let Some(db) = self.store() {
            return Ok(db);
        }
        let vfs = Arc::clone(&self.vfs);
        let options = self.shape.options(&self.clock);
        match &self.sandbox {
            Some(sandbox) => self.inside = Some(sandbox.open(vfs, &options)?),
            None => self.db = Some(Db::open(vfs, options)?),
        }
        Ok(self.store().expect("it was opened just now"))
    }

    /// The store, if it is open, wherever it runs.
    fn store(&self) -> Option<Box<dyn Engine>> {
        let inside = self.inside.clone().map(|db| Box::new(db) as Box<dyn Engine>);
        inside.or_else(|| self.db.clone().map(|db| Box::new(db) as Box<dyn Engine>))
    }

    fn act(&mut self, db: &dyn Engine, op: &Op) -> engine::Result<()> {
        match op {
            Op::Write { writes, durable } => self.write(db, writes, *durable),
            Op::Remove(key) => {
                let there = db.get(key)?.is_some();
                let durable = self.shape.durability == Durability::Durable;
                let note = Note::Begin(vec![delete(key.clone())]);
                self.issue(note, durable, there, |_| db.remove(key).map(drop))
            }
            Op::Load(writes) => {
                let note = Note::BeginLoad(writes.clone());
                self.issue(note, true, !writes.is_empty(), |_| load(db, writes))
            }
            Op::Sync => {
                db.sync()?;
                self.note(Note::Synced);
                Ok(())
            }
            Op::Compact => db.compact(),
            Op::Work => db.work().map(drop),
            Op::Advance(ms) => {
                self.clock.advance(*ms);
                self.note(Note::Time(self.now_ms()));
                Ok(())
            }
            Op::Reopen => {
                let closed = db.close();
                if closed.is_ok() {
                    self.note(Note::Synced);
                }
                self.kill();
                closed
            }
            Op::Kill => {
                self.kill();
                Ok(())
            }
            Op::Get(key) => db.get(key).map(drop),
            Op::Scan => entries(db).map(drop),
            _ => Ok(()),
        }
    }

    fn write(&mut self, db: &dyn Engine, writes: &[Write], durable: bool) -> engine::Result<()> {
        let mut batch = Batch::new();
        writes.iter().for_each(|write| {
            batch.push(write.clone());
        });
        let durability = if durable { Durability::Durable } else { Durability::Buffered };
        let note = Note::Begin(writes.to_vec());
        self.issue(note, durable, !writes.is_empty(), |_| db.write(&batch, durability).map(drop))
    }

    /// Notes a write before and after it; one that writes nothing is not noted.
    fn issue(
        &mut self,
        begin: Note,
        durable: bool,
        noted: bool,
        run: impl FnOnce(&Self) -> engine::Result<()>,
    ) -> engine::Result<()> {
        if noted {
            self.note(begin);
        }
        let done = run(self);
        if noted {
            self.failed += usize::from(done.is_err());
            self.note(Note::End { ok: done.is_ok(), durable });
        }
        done
    }

    /// What the open store shows.
    pub fn entries(&self) -> Option<engine::Result<Vec<Entry>>> {
        self.store().map(|db| entries(&*db))
    }

    /// Whether what the open store shows is what was written, failed writes in or out.
    pub fn check_now(&self) -> Result<(), String> {
        let Some(entries) = self.entries() else { return Ok(()) };
        let entries = entries.map_err(|error| format!("scan: {error} ({error:?})"))?;
        let history = &self.history;
        let all = super::Window { least: history.len(), most: history.len() };
        history.find(all, &entries, self.now_ms()).map(drop)
    }

    /// Lets go of the store as a killed process does.
    pub fn kill(&mut self) {
        (self.db, self.inside) = (None, None);
    }
}

/// A bulk load of puts.
fn load(db: &dyn Engine, writes: &[Write]) -> engine::Result<()> {
    let mut load = db.bulk_load()?;
    for write in writes {
        if let Write::Put { key, value, expires_ms } = write {
            load.put(key, value, *expires_ms)?;
        }
    }
    load.finish().map(drop)
}

/// Everything a store shows, in order.
fn entries(db: &dyn Engine) -> engine::Result<Vec<Entry>> {
    let mut entries = db.snapshot()?.scan()?.collect::<engine::Result<Vec<_>>>()?;
    entries.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(entries)
}
