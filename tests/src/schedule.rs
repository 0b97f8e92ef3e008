//! Orders of background jobs: the jobs of a store are taken, stepped and given up in every order, or in seeded ones.
//!
//! Called by the engine's tests; drives the engine through its public face. A choice decides what happens next: the next
//! operation, another job in hand, or a step of one of those in hand.
//!
//! Promise: after each choice the store, and each open snapshot, shows what the model shows; at the end of each order the
//! store is sound and shows the same after a kill.

use std::sync::Arc;

use keelstone::vfs::{MemoryDisk, Vfs};
use keelstone::{Batch, Db, Durability, Job, ManualClock, Snapshot};

use crate::mirror::{START_MS, collect, fine, same, same_entries};
use crate::model::Model;
use crate::op::Op;
use crate::rng::Rng;
use crate::rules::RulesDisk;
use crate::shape::Shape;

/// More choices than a terminating run of a test needs.
const CHOICES_MAX: usize = 100_000;

/// What was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// Orders that were run to their end.
    pub orders: u64,
    /// Choices in all of them.
    pub choices: u64,
    /// The most jobs that were in hand at once.
    pub in_hand_max: usize,
    /// Jobs that were given up before they were done.
    pub given_up: u64,
}

/// Decides what happens next.
trait Choose {
    /// One of `of` ways.
    fn pick(&mut self, of: usize) -> usize;
    /// Whether jobs may be given up, which has no end if it is tried in every order.
    fn gives_up(&mut self) -> bool;
}

/// Goes through all lists of picks, one after the other.
#[derive(Default)]
struct Odometer {
    picks: Vec<(usize, usize)>,
    at: usize,
}

impl Odometer {
    /// Turns to the next list; `false` after the last one.
    fn turn(&mut self) -> bool {
        self.at = 0;
        while let Some((pick, of)) = self.picks.pop() {
            if pick + 1 < of {
                self.picks.push((pick + 1, of));
                return true;
            }
        }
        false
    }

    fn told(&self) -> Vec<usize> {
        self.picks.iter().map(|(pick, _)| *pick).collect()
    }
}

impl Choose for Odometer {
    fn pick(&mut self, of: usize) -> usize {
        if self.at == self.picks.len() {
            self.picks.push((0, of));
        }
        let (pick, same) = self.picks[self.at];
        assert_eq!(same, of, "the same choices lead to the same place");
        self.at += 1;
        pick
    }

    fn gives_up(&mut self) -> bool {
        false
    }
}

impl Choose for Rng {
    fn pick(&mut self, of: usize) -> usize {
        self.index(of)
    }

    fn gives_up(&mut self) -> bool {
        self.percent(2)
    }
}

/// A store, its model, and the jobs in hand.
struct World<'a> {
    disk: MemoryDisk,
    clock: Arc<ManualClock>,
    shape: Shape,
    db: Db,
    model: Model,
    snapshots: Vec<(Snapshot, Model)>,
    hand: Vec<Job>,
    ops: &'a [Op],
}

impl<'a> World<'a> {
    fn new(shape: Shape, ops: &'a [Op]) -> Result<Self, String> {
        let disk = MemoryDisk::new();
        let clock = ManualClock::new(START_MS);
        let watched: Arc<dyn Vfs> = Arc::new(RulesDisk::new(disk.clone()));
        let db = Db::open(watched, shape.options(&clock));
        let (db, mut model) = (fine("open", db)?, Model::default());
        model.see_time(START_MS);
        let (snapshots, hand) = (Vec::new(), Vec::new());
        Ok(Self { disk, clock, shape, db, model, snapshots, hand, ops })
    }

    /// Does one operation to the store and to the model.
    fn act(&mut self, op: &Op) -> Result<(), String> {
        match op {
            Op::Write { writes, durable } => {
                let mut batch = Batch::new();
                writes.iter().for_each(|write| {
                    batch.push(write.clone());
                });
                let durability = if *durable { Durability::Durable } else { Durability::Buffered };
                fine("write", self.db.write(&batch, durability))?;
                self.model.apply_all(writes);
                Ok(())
            }
            Op::Snapshot => {
                let snapshot = fine("snapshot", self.db.snapshot())?;
                self.snapshots.push((snapshot, self.model.clone()));
                Ok(())
            }
            Op::DropSnapshot(n) => {
                if *n < self.snapshots.len() {
                    drop(self.snapshots.remove(*n));
                }
                Ok(())
            }
            Op::Work => fine("work", self.db.work()).map(drop),
            Op::Sync => fine("sync", self.db.sync()),
            other => Err(format!("no operation for schedules: {other}")),
        }
    }

    /// One choice; `false` when nothing is left to choose.
    fn go(&mut self, choose: &mut impl Choose, orders: &mut Orders) -> Result<bool, String> {
        let writes = usize::from(!self.ops.is_empty());
        let takes = usize::from(self.db.due(START_MS));
        let ways = writes + takes + self.hand.len();
        if ways == 0 {
            return Ok(false);
        }
        orders.choices += 1;
        let pick = choose.pick(ways);
        if pick < writes {
            let (op, rest) = self.ops.split_first().ok_or("there is an operation")?;
            self.ops = rest;
            self.act(op)?;
        } else if pick < writes + takes {
            self.hand.push(self.db.take_job().ok_or("a job was due, and there is none")?);
            orders.in_hand_max = orders.in_hand_max.max(self.hand.len());
        } else {
            self.step(pick - writes - takes, choose, orders)?;
        }
        Ok(true)
    }

    /// One step of a job in hand, or its end.
    fn step(
        &mut self,
        at: usize,
        choose: &mut impl Choose,
        orders: &mut Orders,
    ) -> Result<(), String> {
        if choose.gives_up() {
            orders.given_up += 1;
            drop(self.hand.swap_remove(at));
        } else if !fine("step", self.hand[at].step())? {
            drop(self.hand.remove(at));
        }
        Ok(())
    }

    /// What the store and its snapshots show now.
    fn look(&self) -> Result<(), String> {
        same_entries("scan", &fine("scan", self.db.scan().and_then(collect))?, &self.model.scan())?;
        for (snapshot, model) in &self.snapshots {
            let entries = fine("snapshot", snapshot.scan().and_then(collect))?;
            same_entries("snapshot", &entries, &model.scan())?;
        }
        Ok(())
    }

    /// Nothing is wrong with the files, and a process that comes after a kill sees the same.
    fn end(&self) -> Result<(), String> {
        let report = fine("verify", self.db.verify())?;
        same("damage", &report.corrupt, &Vec::new())?;
        let disk = Arc::new(self.disk.deep_clone()) as Arc<dyn Vfs>;
        let db = fine("open again", Db::open(disk, self.shape.options(&self.clock)))?;
        let entries = fine("scan after a kill", db.scan().and_then(collect))?;
        same_entries("after a kill", &entries, &self.model.scan())
    }
}

/// One order from the setup to its end.
fn one(
    shape: Shape,
    setup: &[Op],
    ops: &[Op],
    choose: &mut impl Choose,
    orders: &mut Orders,
) -> Result<(), String> {
    let mut world = World::new(shape, ops)?;
    setup.iter().try_for_each(|op| world.act(op))?;
    world.look()?;
    let begun = orders.choices;
    while world.go(choose, orders)? {
        world.look()?;
        if orders.choices - begun > CHOICES_MAX as u64 {
            return Err("the jobs do not end".to_owned());
        }
    }
    orders.orders += 1;
    world.end()
}

/// Runs `ops` after `setup`, whose work is its own, in every order with all jobs; at most `most` orders.
pub fn every_order(shape: Shape, setup: &[Op], ops: &[Op], most: u64) -> Result<Orders, String> {
    let (mut orders, mut odometer) = (Orders::default(), Odometer::default());
    loop {
        let done = one(shape, setup, ops, &mut odometer, &mut orders);
        done.map_err(|error| format!("choices {:?}: {error}", odometer.told()))?;
        if !odometer.turn() {
            return Ok(orders);
        }
        if orders.orders >= most {
            return Err(format!("more than {most} orders: {orders:?}"));
        }
    }
}

/// Runs `ops` in one order that follows from a seed; jobs are given up now and then.
pub fn seeded_order(shape: Shape, ops: &[Op], seed: u64) -> Result<Orders, String> {
    let mut orders = Orders::default();
    one(shape, &[], ops, &mut Rng::new(seed), &mut orders)?;
    Ok(orders)
}
