//! What a sync is there for whose absence no crash shows by itself: damage that comes later, or how much an open reads.

use std::collections::BTreeSet;
use std::sync::Arc;

use keelstone::lab::Bug;
use keelstone::vfs::crash::{Crash, Life, System};
use keelstone::vfs::{CountingDisk, Image, MemoryDisk, PowerCut, Trace};
use keelstone::{Db, Layout, Options};
use keelstone_host::crash::Store;
use keelstone_tests::fingerprint::fingerprint;

use crate::mistakes::CAUGHT;
use crate::syncs::role;

/// What shows that a sync is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Damage after a power cut, the first that is found, and what comes of it with the sync and without. It is told, and
    /// passes for something else without; or it does no harm, and stops the store without.
    Damage(&'static str),
    /// An open after a power cut reads less.
    OpensSooner,
    /// The line of the engine is left out by this mistake, which a program of the table catches.
    Mistake(Bug),
    /// The line is that of another sync of the run, whose purpose is shown: the same stands before and behind it.
    LineOf(usize),
}

/// A run, and the same without one of its syncs.
#[derive(Clone, Copy)]
pub(super) struct Missing<'a> {
    pub(super) store: &'a Store,
    pub(super) trace: &'a Trace,
    pub(super) op: usize,
    pub(super) without: &'a Trace,
}

/// What a power cut leaves.
struct Cut {
    with: Image,
    without: Image,
    marks: Vec<u64>,
}

/// What a store does with what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Opened {
    Right,
    Refused,
    /// It shows something else, without a word.
    Wrong,
}

impl Missing<'_> {
    /// What power cuts leave that take everything, or leave some kinds of things, where the sync makes a difference.
    fn cuts(self) -> impl Iterator<Item = Cut> {
        let kinds = [PowerCut::Lost, PowerCut::Names, PowerCut::Bytes, PowerCut::Lengths];
        let points = self.trace.new_points(self.without).into_iter();
        let all = points.flat_map(move |point| kinds.clone().map(|kind| (point, kind)));
        let mut known = BTreeSet::new();
        all.filter_map(move |(point, kind)| {
            let cut = |trace: &Trace, point| trace.disk_at(point, 0).power_cut(&kind).cached();
            let with = cut(self.trace, point + usize::from(point > self.op));
            let without = cut(self.without, point);
            let marks: Vec<u64> = self.without.marks_before(point).collect();
            let key = (fingerprint(&with), fingerprint(&without), marks.len());
            (with != without && known.insert(key)).then_some(Cut { with, without, marks })
        })
    }

    /// What shows this purpose, if it is one; `mistaken` gives the run with a mistake.
    pub(super) fn shows(
        self,
        purpose: Purpose,
        mistaken: impl FnOnce(Bug) -> Trace,
    ) -> Option<String> {
        match purpose {
            Purpose::Damage(expected) => self.damage().filter(|found| found == expected),
            Purpose::OpensSooner => self.opens_sooner(),
            Purpose::Mistake(bug) => {
                let (layout, here) = (self.store.layout(), (self.trace, self.op));
                is_left_out(layout, here, bug, &mistaken(bug))
                    .then(|| String::from("leaves it out"))
            }
            Purpose::LineOf(op) => {
                let around = |op: usize| [op - 1, op, op + 1].map(|op| role(self.trace, op));
                (around(op) == around(self.op)).then(|| String::from("stands where that stands"))
            }
        }
    }

    /// Damage that is worse without the sync: which, and what came of it with and without.
    fn damage(self) -> Option<String> {
        self.cuts().find_map(|cut| self.damage_after(&cut))
    }

    fn damage_after(self, cut: &Cut) -> Option<String> {
        for image in [&cut.with, &cut.without] {
            assert_eq!(self.opened(image, &cut.marks), Opened::Right, "a crash alone shows it");
        }
        // Why that first: damage to the smallest file of all decides about the most.
        let current = cut.without.get_key_value("CURRENT").into_iter();
        let others = cut.without.iter().filter(|(name, _)| *name != "CURRENT");
        for (name, bytes) in current.chain(others) {
            let Some(other) = cut.with.get(name) else { continue };
            let opened = |image: &Image, bytes: Vec<u8>| {
                let mut image = image.clone();
                image.insert(name.clone(), bytes);
                self.opened(&image, &cut.marks)
            };
            let both = |damage: &dyn Fn(&[u8]) -> Vec<u8>| {
                (opened(&cut.with, damage(other)), opened(&cut.without, damage(bytes)))
            };
            for at in (0..bytes.len().min(other.len())).step_by(16) {
                let flipped = |bytes: &[u8]| {
                    let mut bytes = bytes.to_vec();
                    bytes[at] ^= 1;
                    bytes
                };
                for (what, (with, without)) in [
                    ("flipped at", both(&flipped)),
                    ("cut to", both(&|bytes: &[u8]| bytes[..at].to_vec())),
                ] {
                    if with < without {
                        return Some(format!("{name} {what} {at}: {with:?}, without {without:?}"));
                    }
                }
            }
        }
        None
    }

    fn opened(self, image: &Image, marks: &[u64]) -> Opened {
        let disk = Arc::new(MemoryDisk::from_image(image));
        match self.store.recover(disk, &Life::new(1, None)) {
            Ok(seen) => {
                let judged = self.store.judge(&seen, &Crash { power: true, marks, second: None });
                if judged.is_ok() { Opened::Right } else { Opened::Wrong }
            }
            Err(error) if error.contains("(Corrupt(") => Opened::Refused,
            Err(_) => Opened::Wrong,
        }
    }

    /// How many bytes an open reads with the sync and without, if it reads more without.
    fn opens_sooner(self) -> Option<String> {
        let read = |image: &Image| {
            let disk = CountingDisk::new(MemoryDisk::from_image(image));
            let opened = Db::open(Arc::new(disk.clone()), Options::with_seed(1));
            opened.is_ok().then(|| disk.counts().bytes_read)
        };
        let both = self.cuts().filter_map(|cut| read(&cut.with).zip(read(&cut.without)));
        let (with, without) = both.into_iter().find(|(with, without)| with < without)?;
        Some(format!("{with} bytes are read, without {without}"))
    }
}

/// Whether this mistake leaves out this operation, a sync, and nothing but syncs, and is caught. `mistaken` is the run with it.
pub(super) fn is_left_out(
    layout: Layout,
    (trace, op): (&Trace, usize),
    by: Bug,
    mistaken: &Trace,
) -> bool {
    let caught = CAUGHT.iter().any(|(bug, at, _)| (*bug, *at) == (by, layout));
    let mut lines = (0..mistaken.len()).map(|op| mistaken.line(op)).peekable();
    let left_out: Vec<usize> =
        (0..trace.len()).filter(|op| lines.next_if_eq(&trace.line(*op)).is_none()).collect();
    let is_sync = |op: &usize| trace.line(*op).is_some_and(|line| line.starts_with("sync"));
    caught && lines.next().is_none() && left_out.iter().all(is_sync) && left_out.contains(&op)
}
