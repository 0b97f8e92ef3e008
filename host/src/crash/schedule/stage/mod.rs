//! The stage: one run of several writers and background jobs, on one thread, in the order that a schedule says.
//!
//! Called by those who explore and repeat; drives a store through its public face. A durable write is two steps: the write,
//! and the sync that acknowledges it. Before and behind each sync of a log, while its writer waits, others may write, see
//! that they are durable by now, take a job and, in the ordered layout, step it: all that needs no sync of its own, for
//! which they would wait.
//!
//! ```text
//!   mod    the run and its recording        scene    what may happen next, and what happens then
//! ```
//!
//! Promise: the same schedule of the same programs gives the same recording. Never: threads, other than the caller's.

mod scene;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keelstone::vfs::{FaultDisk, Vfs};
use keelstone::{Db, Job};

use super::disk::{Call, StageDisk};
use super::guide::Guide;
use super::ran::{Chosen, Ran};
use super::tally::Tally;
use crate::crash::program::{Word, Writers};
use crate::crash::promise::{History, Mark};
use crate::crash::store::{Store, panic_text, told};

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// A step of this writer.
    Write(usize),
    /// A job is taken.
    Take,
    /// A step of this job.
    Step(usize),
    /// This job is given up.
    GiveUp(usize),
}

/// A durable write that waits for its sync.
#[derive(Clone, Copy)]
struct Ticket {
    /// Its number among all writes.
    number: u64,
    /// Its sequence in the store.
    sequence: u64,
}

struct Writer {
    words: Vec<Word>,
    at: usize,
    ticket: Option<Ticket>,
}

impl Writer {
    fn word(&self) -> Option<Word> {
        self.words.get(self.at).copied()
    }
}

/// What all steps share.
struct Shared {
    store: Store,
    fault: FaultDisk,
    disk: StageDisk,
    scene: Mutex<Scene>,
}

/// Where the run is.
struct Scene {
    db: Option<Db>,
    guide: Guide,
    writers: Vec<Writer>,
    hand: Vec<Job>,
    history: History,
    chosen: Vec<Chosen>,
    /// The number of the first operation of each choice.
    begins: Vec<u64>,
    /// The operations that are to fail.
    failing: Vec<u64>,
    story: Vec<String>,
    tally: Tally,
    wrong: Option<String>,
    ended: bool,
}

/// Runs programs once.
pub(super) fn run(store: &Store, writers: &Writers, guide: Guide) -> Ran {
    let fault = FaultDisk::recording();
    let disk = StageDisk::new(fault.clone());
    let writers = writers.programs.iter().map(|program| Writer {
        words: program.words.clone(),
        at: 0,
        ticket: None,
    });
    let scene = Scene {
        db: None,
        guide,
        writers: writers.collect(),
        hand: Vec::new(),
        history: History::default(),
        chosen: Vec::new(),
        begins: Vec::new(),
        failing: Vec::new(),
        story: Vec::new(),
        tally: Tally::default(),
        wrong: None,
        ended: false,
    };
    let shared = Arc::new(Shared { store: store.clone(), fault, disk, scene: Mutex::new(scene) });
    let played = catch_unwind(AssertUnwindSafe(|| shared.play()));
    let wrong = played.unwrap_or_else(|panic| Err(panic_text(&*panic))).err();
    let trace = shared.fault.trace();
    let ops = shared.disk.ops();
    shared.fault.clear_faults();
    let mut scene = shared.scene();
    let wrong = wrong.or_else(|| scene.look(&shared.store).err());
    scene.settle_tally(shared.fault.ops());
    scene.hand.clear();
    scene.db = None;
    let ends = scene.begins.iter().skip(1).copied().chain([ops.len() as u64]).collect::<Vec<_>>();
    let begins = scene.begins.clone();
    for ((chosen, begin), end) in scene.chosen.iter_mut().zip(begins).zip(ends) {
        let range = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        chosen.ops = ops.get(range(begin)..range(end)).unwrap_or_default().to_vec();
    }
    Ran {
        store: store.with_history(scene.history.clone()),
        trace,
        chosen: std::mem::take(&mut scene.chosen),
        story: std::mem::take(&mut scene.story),
        tally: scene.tally,
        wrong,
    }
}

impl Shared {
    fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> keelstone::Result<Db> {
        let disk: Arc<dyn Vfs> = Arc::new(self.disk.clone());
        Db::open(disk, self.store.options())
    }

    /// From the store's creation until nothing may happen any more.
    fn play(self: &Arc<Self>) -> Result<(), String> {
        let db = told("open", self.open())?;
        self.scene().db = Some(db);
        loop {
            let mut scene = self.scene();
            if let Some(wrong) = scene.wrong.take() {
                return Err(wrong);
            }
            let ways = scene.ways();
            if ways.is_empty() {
                return Ok(());
            }
            let pick = scene.pick(self, ways.len());
            match ways[pick] {
                Way::Write(writer) => {
                    drop(scene);
                    self.step_writer(writer)?;
                }
                way => scene.step_job(self, way)?,
            }
        }
    }

    /// One step of a writer, with others between where it syncs.
    fn step_writer(self: &Arc<Self>, writer: usize) -> Result<(), String> {
        let mut scene = self.scene();
        let Some(word) = scene.writers[writer].word() else { return Ok(()) };
        if let Some(ticket) = scene.writers[writer].ticket {
            if scene.is_durable(ticket)? {
                return scene.follow(self, writer, ticket);
            }
            scene.tell(writer, word, "syncs");
            drop(scene);
            let synced = self.sync(writer)?;
            return self.scene().complete(self, writer, ticket, synced);
        }
        match word {
            Word::Sync => {
                let through = scene.history.len();
                scene.tell(writer, word, "begins");
                drop(scene);
                let synced = self.sync(writer)?;
                self.scene().end_word(self, writer, synced, Some(Mark::Durable(through)))
            }
            Word::Work => {
                let worked = scene.db()?.work().map(drop);
                scene.tell(writer, word, "done");
                scene.end_word(self, writer, worked, None)
            }
            Word::Compact => {
                let compacted = scene.db()?.compact();
                scene.tell(writer, word, "done");
                scene.end_word(self, writer, compacted, None)
            }
            Word::Reopen | Word::Kill => scene.reopen(self, writer, word),
            _ => scene.write(self, writer, word),
        }
    }

    /// A sync of the store; others act while it runs.
    fn sync(self: &Arc<Self>, writer: usize) -> Result<keelstone::Result<()>, String> {
        let db = self.scene().db()?;
        let others = Arc::clone(self);
        let call: Call = Arc::new(move || others.meanwhile(writer));
        self.disk.set_call(Some(call));
        let synced = db.sync();
        self.disk.set_call(None);
        Ok(synced)
    }

    /// What others do while a writer syncs.
    fn meanwhile(&self, writer: usize) {
        let mut scene = self.scene();
        while scene.wrong.is_none() {
            let ways = scene.ways_beside(writer, self.store.layout());
            if ways.is_empty() {
                return;
            }
            let pick = scene.pick(self, ways.len() + 1);
            let Some(way) = pick.checked_sub(1) else { return };
            scene.tally.within += 1;
            let begun = scene.story.len();
            let done = scene.act_beside(self, ways[way]);
            scene.story[begun..].iter_mut().for_each(|line| line.insert_str(0, "meanwhile "));
            scene.wrong = done.err();
        }
    }
}
