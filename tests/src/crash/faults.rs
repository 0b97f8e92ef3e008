//! Fails every operation of a run, once and from then on, and every sync in every way that syncs are known to fail.
//!
//! Called by the fault tests, and by the recoveries for one run of theirs; calls the driver and the oracle. Promise: a run
//! that passes lost nothing that was acknowledged, or that a power cut had left, never called a failing disk damaged, and its
//! store was usable again when the disk was.

use keelstone::vfs::fault::{Effect, Fault, SyncFault};
use keelstone::vfs::{FaultDisk, Kind, Op, PowerCut};
use keelstone::{Db, Error, Health};

use super::driver::Driver;
use super::history::{Crash, History};
use super::oracle::{Case, Depth, Oracle};
use crate::cores::on_all_cores;
use crate::differential::quietly;
use crate::model::put;
use crate::op as store;
use crate::shape::Shape;

/// After so many failed writes a run writes no more: each doubles the states that are allowed.
const FAILED_MAX: usize = 5;

/// What was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Operations, or syncs, that were failed: each in several runs.
    pub failed: u64,
    /// Runs.
    pub runs: u64,
    /// Runs in which some call returned an error.
    pub told: u64,
    /// Runs that lasted to the end as if nothing had happened.
    pub absorbed: u64,
    /// Runs that ended read-only.
    pub read_only: u64,
    /// Runs at whose end a store that had met an error took writes again without a restart.
    pub healed: u64,
}

impl FaultCounts {
    /// Adds other counts.
    pub const fn add(&mut self, other: &Self) {
        self.failed += other.failed;
        self.runs += other.runs;
        self.told += other.told;
        self.absorbed += other.absorbed;
        self.read_only += other.read_only;
        self.healed += other.healed;
    }
}

/// A store on a disk that fails, in the hands of whoever knows what it has acknowledged.
pub(super) trait Driven {
    fn disk(&self) -> &FaultDisk;
    fn db(&self) -> Option<&Db>;
    fn history(&self) -> &History;
    fn now_ms(&self) -> u64;
    /// How many writes failed.
    fn failed(&self) -> usize;
    /// How many calls failed.
    fn errors(&self) -> u64;
    /// Does one operation; an error is noted, and the next operation may go on.
    fn step(&mut self, op: &store::Op) -> Result<(), String>;
    /// Whether what the open store shows is what was written, failed writes in or out.
    fn check_now(&self) -> Result<(), String>;
    /// Lets go of the store as a killed process does.
    fn kill(&mut self);
}

impl Driven for Driver {
    fn disk(&self) -> &FaultDisk {
        self.disk()
    }

    fn db(&self) -> Option<&Db> {
        self.db()
    }

    fn history(&self) -> &History {
        self.history()
    }

    fn now_ms(&self) -> u64 {
        self.now_ms()
    }

    fn failed(&self) -> usize {
        self.failed
    }

    fn errors(&self) -> u64 {
        self.errors
    }

    fn step(&mut self, op: &store::Op) -> Result<(), String> {
        self.step(op)
    }

    fn check_now(&self) -> Result<(), String> {
        self.check_now()
    }

    fn kill(&mut self) {
        self.kill();
    }
}

/// Runs `job` for 0, 1, 2, ... on all cores until it says that there is nothing left at this number.
fn for_all<J>(job: J) -> Result<FaultCounts, String>
where
    J: Fn(u64) -> Result<Option<FaultCounts>, String> + Sync,
{
    let parts = on_all_cores(|me, of| {
        let mut counts = FaultCounts::default();
        let mut at = me;
        while let Some(part) = quietly(|| job(at as u64)).map_err(|error| (at, error))? {
            counts.add(&part);
            at += of;
        }
        Ok(counts)
    })?;
    let mut counts = FaultCounts::default();
    parts.iter().for_each(|part| counts.add(part));
    Ok(counts)
}

/// What of an operation may be done although it fails.
const fn effects(op: Op) -> &'static [Effect] {
    match op {
        Op::Open | Op::List | Op::Read | Op::Len => &[Effect::None],
        Op::Write => &[Effect::None, Effect::Partial(1), Effect::Partial(40), Effect::Full],
        _ => &[Effect::None, Effect::Full],
    }
}

/// Every way in which this operation fails, once and from then on. Left out is what comes to the same run: a part of what is
/// no write, an effect of what only reads, and, once, a lack of space where none is taken. From such an operation on others
/// fail without effect; those with an effect begin at the first that has one.
fn faults(at: u64, op: Op) -> impl Iterator<Item = Fault> {
    let reads = effects(op).len() == 1;
    let all = effects(op).iter().flat_map(|effect| [Kind::Io, Kind::NoSpace].map(|k| (*effect, k)));
    all.flat_map(move |(effect, kind)| {
        let once = (kind == Kind::Io || !reads).then(|| Fault::once(at, kind).with(effect));
        once.into_iter().chain([Fault::forever(at, kind).with(effect)])
    })
}

/// Fails operation `at` of a run in every way; `None` if the run ends before it.
pub(super) fn every_way(
    at: u64,
    mut one: impl FnMut(Fault) -> Result<Option<(FaultCounts, Op)>, String>,
) -> Result<Option<FaultCounts>, String> {
    let mut one = |fault| quietly(|| one(fault)).map_err(|error| format!("{fault:?}: {error}"));
    let first = Fault::once(at, Kind::Io);
    let Some((mut counts, op)) = one(first)? else { return Ok(None) };
    for fault in faults(at, op).filter(|fault| *fault != first) {
        let Some((part, _)) = one(fault)? else {
            return Err(format!("{fault:?}: the run ended before it"));
        };
        counts.add(&part);
    }
    counts.failed = 1;
    Ok(Some(counts))
}

/// Fails operation 0, 1, 2, ... of the run in every way until a run meets no fault.
pub fn fail_every_operation(shape: Shape, ops: &[store::Op]) -> Result<FaultCounts, String> {
    let one = |fault: Fault| {
        let disk = FaultDisk::new();
        disk.inject(fault);
        let mut driver = Driver::new(disk, shape);
        let Some((counts, op)) = one_fault(&mut driver, ops, fault)? else { return Ok(None) };
        afterwards(&driver, shape, &counts)?;
        Ok(Some((counts, op)))
    };
    for_all(|at| every_way(at, one))
}

/// One run with the fault that its disk has, and the operation that it struck; `None` if the run ended before it.
pub(super) fn one_fault(
    driver: &mut impl Driven,
    ops: &[store::Op],
    fault: Fault,
) -> Result<Option<(FaultCounts, Op)>, String> {
    let mut counts = go_through(driver, ops, fault.forever)?;
    let Some(op) = driver.disk().struck() else { return Ok(None) };
    counts.runs = 1;
    counts.told = u64::from(driver.errors() > 0);
    counts.absorbed = u64::from(driver.errors() == 0);
    driver.kill();
    driver.disk().clear_faults();
    Ok(Some((counts, op)))
}

/// Judges what a run with a fault has left: after a power cut, and after a kill.
pub(super) fn afterwards(
    driver: &impl Driven,
    shape: Shape,
    counts: &FaultCounts,
) -> Result<(), String> {
    let (disk, history) = (driver.disk(), driver.history());
    let oracle = Oracle::new(history, shape);
    let case = |crash| end(history, crash, driver.now_ms());
    let power = oracle.judge(&disk.power_cut(&PowerCut::Lost), case(Crash::Power), Depth::Once);
    power.map_err(|error| format!("then power cut: {error}"))?;
    // Why: after a failed sync what was buffered may be lost.
    let crash = if counts.read_only > 0 { Crash::Power } else { Crash::Kill };
    let kill = oracle.judge(&disk.kill(), case(crash), Depth::Once);
    kill.map_err(|error| format!("then killed: {error}")).map(drop)
}

/// What is allowed after the end of a run.
fn end(history: &History, crash: Crash, now_ms: u64) -> Case {
    let window = |crash| history.window(crash, usize::MAX);
    Case { window: window(crash), later: window(Crash::Power), now_ms }
}

/// All operations, whatever fails; what can be read must be right, and no failure may be called damage.
pub(super) fn go_through(
    driver: &mut impl Driven,
    ops: &[store::Op],
    forever: bool,
) -> Result<FaultCounts, String> {
    let mut counts = FaultCounts::default();
    for (n, op) in ops.iter().enumerate() {
        let writes = matches!(op, store::Op::Write { .. } | store::Op::Remove(_));
        if writes && driver.failed() >= FAILED_MAX {
            continue;
        }
        let at = |error| format!("operation {n} {op}: {error}");
        let done = driver.step(op);
        if let Err(error) = &done {
            not_damage(error).map_err(at)?;
            look(driver).map_err(at)?;
            if !forever {
                go_on(driver, &mut counts).map_err(at)?;
            }
        } else if matches!(op, store::Op::Reopen | store::Op::Kill | store::Op::Compact) {
            look(driver).map_err(at)?;
        }
    }
    look(driver)?;
    Ok(counts)
}

/// A failure is over: the store takes writes again at once, or is read-only until it is opened again.
fn go_on(driver: &mut impl Driven, counts: &mut FaultCounts) -> Result<(), String> {
    if driver.db().is_some_and(|db| db.health() == Health::ReadOnly) {
        counts.read_only = 1;
        return refuses(driver);
    }
    let late = store::Op::Write { writes: vec![put("late", "1")], durable: true };
    driver.step(&late).map_err(|error| format!("the fault is over, but: {error}"))?;
    counts.healed = 1;
    Ok(())
}

fn look(driver: &impl Driven) -> Result<(), String> {
    match driver.check_now() {
        Err(error) if error.starts_with("scan: ") => not_damage(&error),
        other => other,
    }
}

fn not_damage(error: &str) -> Result<(), String> {
    if error.contains("Corrupt") || error.contains("panic") {
        return Err(format!("a failing disk is not damage: {error}"));
    }
    Ok(())
}

/// Every way in which a sync fails.
const SYNC_FAULTS: [SyncFault; 4] =
    [SyncFault::Dropped, SyncFault::Late, SyncFault::Reverted, SyncFault::PerHandle];

/// Fails sync `at` of a run in every way; `None` if the run ends before it.
pub(super) fn every_way_of_a_sync(
    at: u64,
    mut one: impl FnMut(SyncFault) -> Result<Option<FaultCounts>, String>,
) -> Result<Option<FaultCounts>, String> {
    let mut counts = FaultCounts::default();
    for fault in SYNC_FAULTS {
        let part = quietly(|| one(fault));
        let part = part.map_err(|error| format!("sync {at} {fault:?}: {error}"))?;
        let Some(part) = part else { return Ok(None) };
        counts.add(&part);
    }
    counts.failed = 1;
    Ok(Some(counts))
}

/// Fails sync 0, 1, 2, ... of the run in every way until a run meets no fault.
pub fn fail_every_sync(shape: Shape, ops: &[store::Op]) -> Result<FaultCounts, String> {
    for_all(|at| {
        every_way_of_a_sync(at, |fault| {
            let disk = FaultDisk::recording();
            disk.fail_sync(at, fault);
            one_sync_fault(&mut Driver::new(disk, shape), shape, ops, (at, fault))
        })
    })
}

/// One run in which the sync of this number fails, as its disk knows; `None` if the run ended before it.
pub(super) fn one_sync_fault(
    driver: &mut impl Driven,
    shape: Shape,
    ops: &[store::Op],
    (at, fault): (u64, SyncFault),
) -> Result<Option<FaultCounts>, String> {
    let disk = driver.disk().clone();
    let mut closing = false;
    for op in ops {
        if driver.step(op).is_err() {
            closing = *op == store::Op::Reopen;
            break;
        }
    }
    if disk.syncs() <= at {
        return Ok(None);
    }
    let mut counts = FaultCounts { runs: 1, ..FaultCounts::default() };
    counts.told += u64::from(driver.errors() > 0);
    counts.absorbed += u64::from(driver.errors() == 0);
    if driver.errors() > 0 && !closing && driver.db().is_some() {
        // Why: nothing depends on the output of a merge or a flush that was not published; it is thrown away.
        let unpublished = [".seg", ".hint", ".table"];
        let is_unpublished = |name: &String| unpublished.iter().any(|end| name.ends_with(end));
        if failed_syncs(&disk).iter().all(is_unpublished) {
            go_on(driver, &mut counts)?;
        } else {
            refuses(driver)?;
            counts.read_only = 1;
        }
        let _fails_as_it_likes = driver.step(&store::Op::Reopen);
    }
    driver.kill();
    never_again(&disk)?;
    let history = driver.history();
    let oracle = Oracle::new(history, shape);
    let mut case = end(history, Crash::Power, driver.now_ms());
    if fault == SyncFault::Late {
        // Why: the disk said that it had synced, and had not. What was acknowledged may be lost; it must not be wrong.
        case.window.least = 0;
        oracle.right_or_refused(&disk.power_cut(&PowerCut::Lost), case)?;
    } else {
        let power = oracle.judge(&disk.power_cut(&PowerCut::Lost), case, Depth::Once);
        power.map_err(|error| format!("then power cut: {error}"))?;
    }
    let killed = disk.kill();
    let opened = oracle.right_or_refused(&killed, case);
    if fault == SyncFault::Late && opened.is_err() {
        // Why: the error that was due was told to this open; the next one finds the disk at peace.
        oracle.right_or_refused(&killed, case).map_err(|error| format!("killed twice: {error}"))?;
    } else {
        opened.map_err(|error| format!("then killed: {error}"))?;
    }
    // Why: the cache may show what the medium lacks; nothing that reads it can know. But it must not be wrong.
    let again = killed.power_cut(&PowerCut::Lost);
    oracle.right_or_refused(&again, case).map_err(|e| format!("killed, power cut: {e}"))?;
    Ok(Some(counts))
}

/// After a failed sync the store takes no write, says why, and goes on reading.
fn refuses(driver: &impl Driven) -> Result<(), String> {
    let Some(db) = driver.db().cloned() else { return Ok(()) };
    crate::mirror::same("health", &db.health(), &Health::ReadOnly)?;
    let refused = Some(Error::ReadOnly { after_failed_sync: true });
    crate::mirror::same("put", &db.put("x", "y").err(), &refused)?;
    crate::mirror::same("delete", &db.delete("x").err(), &refused)?;
    crate::mirror::same("sync", &db.sync().err(), &refused)?;
    crate::mirror::same("compact", &db.compact().err(), &refused)?;
    match driver.check_now() {
        // Why: a sync that reverted the cache has taken away what was not durable; the store may say so.
        Err(error) if error.contains("Corrupt") => {}
        other => other?,
    }
    Ok(())
}

/// The syncs of files in the trace, each with the file's name and whether it failed.
fn syncs(disk: &FaultDisk) -> Vec<(String, bool)> {
    let trace = disk.trace();
    let lines = (0..trace.len()).filter_map(|op| trace.line(op));
    let sync = |line: String| {
        let mut words = line.strip_prefix("sync ")?.split(' ');
        let name = words.next()?.to_owned();
        let fate = words.nth(1);
        Some((name, matches!(fate, Some("dropped" | "reverted" | "per-handle"))))
    };
    lines.filter_map(sync).collect()
}

/// The files whose sync failed.
fn failed_syncs(disk: &FaultDisk) -> Vec<String> {
    syncs(disk).into_iter().filter(|(_, failed)| *failed).map(|(name, _)| name).collect()
}

/// A file whose sync failed is never synced again by the same open store.
fn never_again(disk: &FaultDisk) -> Result<(), String> {
    let mut failed: Vec<String> = Vec::new();
    for (name, fails) in syncs(disk) {
        if failed.contains(&name) {
            return Err(format!("the failed sync of {name} was tried again"));
        }
        if fails {
            failed.push(name);
        }
    }
    Ok(())
}
