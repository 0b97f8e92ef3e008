//! Fails every operation and every sync of the recovery of what a power cut has left, and of the first use behind it.
//!
//! Called by the tests of recoveries; calls the loop over faults for each run. Promise: a run that passes lost nothing that
//! was there after the power cut, whatever failed.

use std::collections::HashSet;
use std::sync::Arc;

use keelstone::vfs::fault::{Fault, SyncFault};
use keelstone::vfs::{FaultDisk, Op, Vfs};
use keelstone::{Batch, Db, Durability, Entry, Error, ManualClock};

use super::driver::Recording;
use super::faults::{
    Driven, FaultCounts, afterwards, every_way, every_way_of_a_sync, go_through, one_fault,
    one_sync_fault,
};
use super::history::{Crash, History, Window};
use crate::differential::quietly;
use crate::fingerprint::fingerprint;
use crate::mirror::collect;
use crate::model::{Model, put};
use crate::op as store;
use crate::rules::RulesDisk;
use crate::shape::Shape;

impl Recording {
    /// Fails each operation and each sync of the recovery of `image`, which a power cut after `at` steps has left, and of the
    /// first use behind it, in every way. The use is a write, a durable one, all due work if the store `works`, and a close.
    /// Returns what came of it: of operations of the recovery, of operations of the use, of syncs.
    pub fn fail_recovery(
        &self,
        image: &FaultDisk,
        at: usize,
        works: bool,
    ) -> Result<[FaultCounts; 3], String> {
        let mut recovery = Recovery::new(self, image, at, works)?;
        let (operations, syncs) = recovery.without_faults()?;
        let mut counts = [FaultCounts::default(); 3];
        for at in 0..operations {
            let part = every_way(at, |fault| recovery.fault(fault))?;
            let part = part.ok_or_else(|| format!("the run ended before operation {at}"))?;
            counts[usize::from(at >= recovery.operations)].add(&part);
        }
        for at in 0..syncs {
            let part = every_way_of_a_sync(at, |fault| recovery.sync_fault(at, fault))?;
            counts[2].add(&part.ok_or_else(|| format!("the run ended before sync {at}"))?);
        }
        Ok(counts)
    }
}

/// What a power cut has left, to be recovered again and again.
struct Recovery<'a> {
    image: &'a FaultDisk,
    shape: Shape,
    /// Whether somebody watches the rules of durability.
    watched: bool,
    /// What the store shows that recovers without a fault.
    model: Model,
    now_ms: u64,
    /// The first use.
    ops: Vec<store::Op>,
    /// How many operations the recovery has.
    operations: u64,
    /// The ends of runs that were judged.
    judged: HashSet<Left>,
}

/// What makes two ends of runs one: the bytes that are read and those that are durable, what must be there, whether the store
/// was read-only, and what was written, each with whether it returned.
type Left = ([u128; 2], Window, bool, Vec<(String, bool)>);

impl<'a> Recovery<'a> {
    fn new(
        recording: &Recording,
        image: &'a FaultDisk,
        at: usize,
        works: bool,
    ) -> Result<Self, String> {
        let Recording { history, shape, .. } = recording;
        let (window, now_ms) = (history.window(Crash::Power, at), history.time_at(at));
        let disk = image.kill();
        let told = |error: Error| format!("recovery without a fault: {error} ({error:?})");
        let options = shape.options(&ManualClock::new(now_ms));
        let db = Db::open(Arc::new(disk.clone()), options).map_err(told)?;
        let operations = disk.ops();
        let entries = db.scan().and_then(collect).map_err(told)?;
        let exactly = |n: usize| {
            let window = Window { least: n, most: n };
            history.find_at(window, &entries, now_ms, db.sequence())
        };
        let model = (window.least..=window.most).find_map(|n| exactly(n).ok());
        let model = model.ok_or("recovery without a fault shows what was never written")?;
        let write = |key, durable| store::Op::Write { writes: vec![put(key, "1")], durable };
        let mut ops = vec![write("first", false), write("second", true), store::Op::Scan];
        if works {
            ops.extend([store::Op::Work, store::Op::Scan]);
        }
        ops.push(store::Op::Reopen);
        // Why: a creation that was stopped may have left less than a store, and then the watcher finds its rules broken.
        let watched = shape.bug.is_none() && window.most > 0;
        let judged = HashSet::new();
        Ok(Self { image, shape: *shape, watched, model, now_ms, ops, operations, judged })
    }

    fn survivor(&self) -> Survivor {
        let disk = self.image.kill();
        let vfs: Arc<dyn Vfs> = match self.watched {
            true => Arc::new(RulesDisk::new(disk.clone())),
            false => Arc::new(disk.clone()),
        };
        // Why: the watcher has read the disk, and what is counted begins with the recovery.
        disk.set_ops(0);
        let (db, history) = (None, History::from_model(self.model.clone()));
        let (written, errors) = (Vec::new(), 0);
        let clock = ManualClock::new(self.now_ms);
        Survivor { disk, vfs, shape: self.shape, clock, db, history, written, errors }
    }

    /// Nothing fails: how many operations and syncs there are.
    fn without_faults(&self) -> Result<(u64, u64), String> {
        let mut survivor = self.survivor();
        let run = || {
            go_through(&mut survivor, &self.ops, false)?;
            crate::mirror::same("errors", &survivor.errors, &0)?;
            afterwards(&survivor, self.shape, &FaultCounts::default())
        };
        quietly(run).map_err(|error| format!("without a fault: {error}"))?;
        Ok((survivor.disk.ops(), survivor.disk.syncs()))
    }

    /// One run with one fault.
    fn fault(&mut self, fault: Fault) -> Result<Option<(FaultCounts, Op)>, String> {
        let mut survivor = self.survivor();
        survivor.disk.inject(fault);
        let run = one_fault(&mut survivor, &self.ops, fault)?;
        if let Some((counts, _)) = &run {
            let Survivor { disk, history, written, .. } = &survivor;
            let bytes = [disk.cached(), disk.durable()].map(|image| fingerprint(&image));
            let window = history.window(Crash::Power, usize::MAX);
            let left = (bytes, window, counts.read_only > 0, written.clone());
            if self.judged.insert(left) {
                afterwards(&survivor, self.shape, counts)?;
            }
        }
        Ok(run)
    }

    /// One run in which one sync fails.
    fn sync_fault(&self, at: u64, fault: SyncFault) -> Result<Option<FaultCounts>, String> {
        let mut survivor = self.survivor();
        survivor.disk.record();
        survivor.disk.fail_sync(at, fault);
        one_sync_fault(&mut survivor, self.shape, &self.ops, (at, fault))
    }
}

/// A driver of what a power cut has left: its history begins with what was durable then, and its clock shows the time of then.
struct Survivor {
    disk: FaultDisk,
    vfs: Arc<dyn Vfs>,
    shape: Shape,
    clock: Arc<ManualClock>,
    db: Option<Db>,
    history: History,
    /// Each write that was issued, and whether it returned.
    written: Vec<(String, bool)>,
    errors: u64,
}

impl Survivor {
    fn open_if_needed(&mut self) -> keelstone::Result<Db> {
        if self.db.is_none() {
            let options = self.shape.options(&self.clock);
            self.db = Some(Db::open(Arc::clone(&self.vfs), options)?);
        }
        self.db.clone().ok_or(Error::Closed)
    }

    fn act(&mut self, op: &store::Op) -> keelstone::Result<()> {
        let db = self.open_if_needed()?;
        match op {
            store::Op::Write { writes, durable } => self.write(&db, writes, *durable),
            store::Op::Scan => {
                let shown = self.compare(&db.scan().and_then(collect)?);
                shown.unwrap_or_else(|error| panic!("shown at once: {error}"));
                Ok(())
            }
            store::Op::Work => all_due_work(&db),
            store::Op::Reopen => {
                let closed = db.close();
                if closed.is_ok() {
                    self.history.synced(0);
                }
                self.db = None;
                closed
            }
            other => panic!("no operation of a first use: {other}"),
        }
    }

    /// Whether this is what was written, failed writes in or out.
    fn compare(&self, entries: &[Entry]) -> Result<(), String> {
        let all = Window { least: self.history.len(), most: self.history.len() };
        self.history.find(all, entries, self.now_ms()).map(drop)
    }

    fn write(
        &mut self,
        db: &Db,
        writes: &[keelstone::Write],
        durable: bool,
    ) -> keelstone::Result<()> {
        let mut batch = Batch::new();
        writes.iter().for_each(|write| {
            batch.push(write.clone());
        });
        let durability = if durable { Durability::Durable } else { Durability::Buffered };
        self.history.begin(writes, 0);
        let done = db.write(&batch, durability).map(drop);
        self.history.end(done.is_ok(), durable, 0);
        self.written.push((format!("{writes:?}"), done.is_ok()));
        done
    }
}

/// Works until nothing is due.
fn all_due_work(db: &Db) -> keelstone::Result<()> {
    for _ in 0..1000 {
        if !db.work()? {
            break;
        }
    }
    Ok(())
}

impl Driven for Survivor {
    fn disk(&self) -> &FaultDisk {
        &self.disk
    }

    fn db(&self) -> Option<&Db> {
        self.db.as_ref()
    }

    fn history(&self) -> &History {
        &self.history
    }

    fn now_ms(&self) -> u64 {
        keelstone::Clock::now_ms(&*self.clock)
    }

    fn failed(&self) -> usize {
        self.written.iter().filter(|(_, returned)| !returned).count()
    }

    fn errors(&self) -> u64 {
        self.errors
    }

    fn step(&mut self, op: &store::Op) -> Result<(), String> {
        let done = self.act(op);
        done.map_err(|error| {
            self.errors += 1;
            format!("{error} ({error:?})")
        })
    }

    fn check_now(&self) -> Result<(), String> {
        let Some(db) = &self.db else { return Ok(()) };
        let entries = db.scan().and_then(collect);
        let entries = entries.map_err(|error| format!("scan: {error} ({error:?})"))?;
        self.compare(&entries)
    }

    fn kill(&mut self) {
        self.db = None;
    }
}
