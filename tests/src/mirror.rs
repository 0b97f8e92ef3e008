//! A store and the model side by side: every operation is done to both, and every answer is compared.
//!
//! Called by the differential runs and by named tests; drives the engine through its public face only.
//! Promise: the first disagreement is returned as text, with what each side said.

use std::sync::Arc;

use keelstone::{
    Batch, Bounds, Db, Durability, Entry, Error, FileName, Job, ManualClock, Scan, Snapshot, Write,
};

use crate::disk::Disk;
use crate::model::{Model, Record};
use crate::op::{Op, brief};
use crate::shape::{STORE_SEED, Shape};
use crate::tally::Tally;
use crate::text::show;

/// What a step says: nothing, or the disagreement.
pub type Said = Result<(), String>;

/// Where the clock of a run stands at its beginning.
pub const START_MS: u64 = 1_000_000;

/// A store, the model, and what both have open.
pub struct Mirror {
    disk: Disk,
    clock: Arc<ManualClock>,
    shape: Shape,
    db: Option<Db>,
    model: Model,
    log: Vec<Write>,
    snapshots: Vec<(Snapshot, Model)>,
    scans: Vec<(Scan, Vec<Entry>, Model)>,
    job: Option<Job>,
    /// The count of keys is compared after so many operations. Where it is a scan, a long run compares it now and then.
    pub len_every: u64,
    /// How often each thing happened.
    pub tally: Tally,
}

/// Fails with both answers unless they are equal.
pub fn same<T: PartialEq + core::fmt::Debug>(what: &str, store: &T, model: &T) -> Said {
    if store == model {
        return Ok(());
    }
    Err(format!("{what}: the store says {store:?}, the model {model:?}"))
}

/// Fails with what is missing and what is surplus unless both are equal.
pub fn same_entries(what: &str, store: &[Entry], model: &[Entry]) -> Said {
    if store == model {
        return Ok(());
    }
    let mut text = format!("{what}: {} entries, not {}", store.len(), model.len());
    let mut list = |word: &str, from: &[Entry], other: &[Entry]| {
        for e in from.iter().filter(|e| !other.contains(e)) {
            text.push_str(&format!("; {word} {} = {}", show(&e.key), brief(&e.value)));
        }
    };
    list("missing", model, store);
    list("surplus", store, model);
    Err(text)
}

/// An error of the engine where none is due.
pub fn fine<T>(what: &str, result: keelstone::Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{what}: {error} ({error:?})"))
}

/// Everything that a scan yields, sorted by key.
pub fn collect(scan: Scan) -> keelstone::Result<Vec<Entry>> {
    let mut entries = scan.collect::<keelstone::Result<Vec<Entry>>>()?;
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(entries)
}

impl Mirror {
    /// A new store on `disk`, and an empty model.
    pub fn new(disk: Disk, shape: Shape) -> Result<Self, String> {
        let clock = ManualClock::new(START_MS);
        let mut mirror = Self {
            disk,
            clock,
            shape,
            db: None,
            model: Model::default(),
            log: Vec::new(),
            snapshots: Vec::new(),
            scans: Vec::new(),
            job: None,
            len_every: 1,
            tally: Tally::default(),
        };
        mirror.open()?;
        Ok(mirror)
    }

    /// The open store.
    ///
    /// # Panics
    /// If it is closed, which no caller sees.
    #[must_use]
    pub fn db(&self) -> &Db {
        self.db.as_ref().expect("the store is open between steps")
    }

    /// What the store must show.
    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// Every write in order.
    #[must_use]
    pub fn written(&self) -> &[Write] {
        &self.log
    }

    fn open(&mut self) -> Said {
        let options = self.shape.options(&self.clock);
        self.db = Some(fine("open", Db::open(self.disk.vfs(), options))?);
        Ok(())
    }

    /// Does one operation to both sides.
    pub fn step(&mut self, op: &Op) -> Said {
        self.model.see_time(keelstone::Clock::now_ms(&*self.clock));
        self.tally.ops += 1;
        match op {
            Op::Write { writes, durable } => self.write(writes, *durable)?,
            Op::Load(writes) => self.load(writes)?,
            Op::Remove(key) => self.remove(key)?,
            Op::Get(key) => self.get(key)?,
            Op::Scan => self.scan()?,
            Op::Range { from, to, reverse, turns } => self.range(from, to, *reverse, *turns)?,
            Op::Snapshot => {
                if self.snapshots.len() < 4 {
                    let snapshot = fine("snapshot", self.db().snapshot())?;
                    same("snapshot.sequence", &snapshot.sequence(), &self.model.sequence())?;
                    self.snapshots.push((snapshot, self.model.clone()));
                }
            }
            Op::ReadSnapshot(n) => self.read_snapshot(*n)?,
            Op::DropSnapshot(n) => {
                if *n < self.snapshots.len() {
                    self.snapshots.remove(*n);
                }
            }
            Op::BeginScan => self.begin_scan()?,
            Op::EndScan(n) => self.end_scan(*n)?,
            Op::Sync => {
                fine("sync", self.db().sync())?;
                let durable = fine("stats", self.db().stats())?.durable_sequence;
                same("durable_sequence", &durable, &self.model.sequence())?;
            }
            Op::Compact => {
                // Why: compact waits for a merge that somebody else runs; here that would be us.
                self.job(&Op::GiveJob)?;
                fine("compact", self.db().compact())?;
            }
            Op::Work => {
                fine("work", self.db().work())?;
            }
            Op::TakeJob | Op::StepJob | Op::GiveJob => self.job(op)?,
            Op::Advance(ms) => self.clock.advance(*ms),
            Op::Reopen => self.reopen(true)?,
            Op::Kill => self.reopen(false)?,
            Op::LogFrom(back) => self.log_from(*back)?,
            Op::Verify => self.verify()?,
            Op::Backup => self.backup()?,
            Op::ReadOnly => self.read_only()?,
        }
        self.model.see_time(keelstone::Clock::now_ms(&*self.clock));
        same("sequence", &self.db().sequence(), &self.model.sequence())?;
        if !self.tally.ops.is_multiple_of(self.len_every) {
            return Ok(());
        }
        same("len", &fine("len", self.db().len())?, &self.model.len())
    }

    /// Closes the store and opens it with other options.
    pub fn reshape(&mut self, shape: Shape) -> Said {
        self.shape = shape;
        self.reopen(true)
    }

    fn write(&mut self, writes: &[Write], durable: bool) -> Said {
        let mut batch = Batch::new();
        writes.iter().for_each(|write| {
            batch.push(write.clone());
        });
        let durability = if durable { Durability::Durable } else { Durability::Buffered };
        let sequence = fine("write", self.db().write(&batch, durability))?;
        self.model.apply_all(writes);
        self.log.extend_from_slice(writes);
        self.tally.writes += writes.len() as u64;
        self.tally.batches += u64::from(writes.len() > 1);
        let is_range = |write: &&Write| matches!(write, Write::DeleteRange { .. });
        self.tally.range_deletes += writes.iter().filter(is_range).count() as u64;
        same("sequence of the batch", &sequence, &self.model.sequence())
    }

    fn load(&mut self, writes: &[Write]) -> Said {
        // Why: a load waits for a flush that somebody else runs; here that would be us.
        self.job(&Op::GiveJob)?;
        let mut load = fine("bulk_load", self.db().bulk_load())?;
        for write in writes {
            let Write::Put { key, value, expires_ms } = write else {
                return Err(format!("{write:?} cannot be loaded"));
            };
            fine("load", load.put(key, value, *expires_ms))?;
        }
        let sequence = fine("finish", load.finish())?;
        self.model.load(writes);
        // Why one: the log has no entry for it, and gives none from before it.
        self.log.extend(writes.first().cloned());
        self.tally.loads += u64::from(!writes.is_empty());
        same("sequence of the load", &sequence, &self.model.sequence())
    }

    fn remove(&mut self, key: &[u8]) -> Said {
        let there = self.model.get(key).is_some();
        let removed = fine("remove", self.db().remove(key))?;
        if there {
            let write = crate::model::delete(key);
            self.model.apply(&write);
            self.log.push(write);
            self.tally.removes += 1;
        }
        same("remove", &removed, &there)
    }

    fn get(&mut self, key: &[u8]) -> Said {
        self.tally.expiries += u64::from(self.model.is_expired(key));
        self.tally.gets_between_steps += u64::from(self.job.is_some());
        let db = self.db();
        let expected = self.model.get(key);
        let value = fine("get", db.get(key))?;
        same("get", &value.as_ref(), &expected.map(|r| &r.value))?;
        same("contains", &fine("contains", db.contains(key))?, &expected.is_some())?;
        let both = fine("get_with_expiry", db.get_with_expiry(key))?;
        let both = both.map(|v| Record { value: v.value, expires_ms: v.expires_ms });
        same("get_with_expiry", &both.as_ref(), &expected)
    }

    /// Compares everything that is there.
    pub fn scan(&mut self) -> Said {
        let entries = fine("scan", self.db().scan().and_then(collect))?;
        same_entries("scan", &entries, &self.model.scan())?;
        let empty = fine("is_empty", self.db().is_empty())?;
        same("is_empty", &empty, &self.model.is_empty())
    }

    /// Compares a range in order, and then a walk that turns as the bits of `turns` say.
    fn range(&mut self, from: &[u8], to: &[u8], reverse: bool, turns: u64) -> Said {
        let mut bounds = Bounds::default().from(from).to(to);
        if reverse {
            bounds = bounds.reversed();
        }
        let inside = |entry: &Entry| &entry.key[..] >= from && &entry.key[..] < to;
        let mut expected: Vec<Entry> = self.model.scan().into_iter().filter(inside).collect();
        let snapshot = fine("snapshot", self.db().snapshot())?;
        let mut walk = fine("walk", snapshot.walk(&bounds))?;
        fine("seek_first", walk.seek_first())?;
        let mut at = 0_usize;
        for turn in 0..24 {
            let place = expected.get(at);
            same("walk", &walk.key(), &place.map(|entry| &entry.key[..]))?;
            same("value of the walk", &walk.value(), &place.map(|entry| &entry.value[..]))?;
            if turns >> turn & 1 == 1 || at == 0 {
                fine("next", walk.next())?;
                at += 1;
            } else {
                fine("prev", walk.prev())?;
                at -= 1;
            }
            if at >= expected.len() {
                // Why: from none a walk goes nowhere; it is sought again.
                fine("seek_last", walk.seek_last())?;
                at = expected.len().saturating_sub(1);
            }
        }
        if reverse {
            expected.reverse();
        }
        let scan = fine("scan_within", self.db().scan_within(&bounds))?;
        let entries = fine("scan_within", scan.collect::<keelstone::Result<Vec<Entry>>>())?;
        self.tally.range_scans += 1;
        same_entries("range", &entries, &expected)
    }

    fn read_snapshot(&mut self, n: usize) -> Said {
        let Some((snapshot, model)) = self.snapshots.get(n) else { return Ok(()) };
        let entries = fine("snapshot.scan", snapshot.scan().and_then(collect))?;
        same_entries("snapshot.scan", &entries, &model.scan())?;
        for key in model.keys().chain(self.model.keys()) {
            let value = fine("snapshot.get", snapshot.get(key))?;
            same("snapshot.get", &value.as_ref(), &model.get(key).map(|r| &r.value))?;
        }
        self.tally.snapshot_reads += 1;
        Ok(())
    }

    fn begin_scan(&mut self) -> Said {
        if self.scans.len() < 4 {
            let mut scan = fine("scan", self.db().scan())?;
            let first = scan.next().transpose();
            let first = fine("first of a scan", first)?.into_iter().collect();
            self.scans.push((scan, first, self.model.clone()));
        }
        Ok(())
    }

    fn end_scan(&mut self, n: usize) -> Said {
        if n >= self.scans.len() {
            return Ok(());
        }
        let (scan, mut entries, model) = self.scans.remove(n);
        entries.extend(fine("rest of a scan", collect(scan))?);
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        self.tally.slow_scans += 1;
        same_entries("slow scan", &entries, &model.scan())
    }

    fn job(&mut self, op: &Op) -> Said {
        match op {
            Op::TakeJob if self.job.is_none() => self.job = self.db().take_job(),
            Op::StepJob => {
                let before = self.merged()?;
                if let Some(job) = &mut self.job {
                    fine("step of a job", job.step())?;
                    self.tally.job_steps += 1;
                    self.tally.merge_steps += u64::from(self.merged()? > before);
                }
            }
            Op::GiveJob => {
                if let Some(job) = self.job.take() {
                    self.db().give_back(job);
                    self.tally.jobs += 1;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// How far merges have come: how many were published, and the newest segment there is. Nothing else makes it more.
    fn merged(&self) -> Result<(u64, Option<u64>), String> {
        let names = self.disk.vfs().list("").map_err(|error| format!("list: {error}"))?;
        let segment = |name: &String| match FileName::parse(name) {
            Some(FileName::Segment(number)) => Some(number),
            _ => None,
        };
        let newest = names.iter().filter_map(segment).max();
        Ok((fine("stats", self.db().stats())?.merges, newest))
    }

    /// Lets go of the store, tidily or as a killed process does.
    fn shut(&mut self, clean: bool) -> Said {
        self.snapshots.clear();
        self.scans.clear();
        self.job = None;
        let Some(db) = self.db.take() else { return Ok(()) };
        self.tally.add(&fine("stats", db.stats())?);
        if clean {
            fine("close", db.close())?;
            same("get after close", &db.get("k").err(), &Some(Error::Closed))?;
            self.tally.reopens += 1;
        } else {
            self.tally.kills += 1;
        }
        Ok(())
    }

    fn reopen(&mut self, clean: bool) -> Said {
        self.shut(clean)?;
        self.open()?;
        self.scan()
    }

    fn log_from(&mut self, back: u64) -> Said {
        let last = self.model.sequence();
        let from = last.saturating_sub(back) + 1;
        let entries = self.db().log_from(from).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        match entries {
            Ok(entries) => {
                let expected = (from..).zip(&self.log[crate::index(from - 1)..]);
                let expected: Vec<_> = expected.map(|(n, write)| (n, write.clone())).collect();
                let got: Vec<_> = entries.into_iter().map(|e| (e.sequence, e.write)).collect();
                self.tally.log_reads += 1;
                same("log_from", &got, &expected)
            }
            Err(Error::MergedAway { oldest }) if oldest > from => {
                self.tally.merged_away += 1;
                fine("log_from the oldest", self.db().log_from(oldest)).map(drop)
            }
            Err(error) => Err(format!("log_from {from}: {error:?}")),
        }
    }

    fn verify(&mut self) -> Said {
        let report = fine("verify", self.db().verify())?;
        same("damage", &report.corrupt, &Vec::new())?;
        same("torn", &report.torn, &Vec::new())
    }

    fn backup(&mut self) -> Said {
        let copy = Disk::with(self.shape.bug);
        fine("backup", self.db().backup(&copy.vfs(), STORE_SEED + 1))?;
        let report = fine("verify the copy", keelstone::verify(&copy.vfs()))?;
        same("damage of the copy", &report.corrupt, &Vec::new())?;
        self.tally.backups += 1;
        self.look(&copy)
    }

    fn read_only(&mut self) -> Said {
        self.shut(false)?;
        let copy = self.disk.clone();
        self.look(&copy)?;
        self.open()
    }

    /// Opens a store for reading only and compares everything.
    fn look(&self, disk: &Disk) -> Said {
        let db = fine("open read-only", Db::open(disk.vfs(), self.shape.read_only(&self.clock)))?;
        let entries = fine("scan read-only", db.scan().and_then(collect))?;
        same_entries("scan read-only", &entries, &self.model.scan())?;
        let refused = db.put("k", "v").err();
        same("put read-only", &refused, &Some(Error::ReadOnly { after_failed_sync: false }))
    }

    /// Closes the store at the end of a run.
    pub fn end(&mut self) -> Said {
        self.scan()?;
        self.verify()?;
        self.reopen(true)?;
        self.shut(true)
    }
}
