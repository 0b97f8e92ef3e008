//! A named test's hands: a mirror whose steps have names, and that panics where the two sides disagree.
//!
//! Called by tests that tell one story each; calls `mirror`. Promise: after every step store and model agree.

use std::sync::Arc;

use keelstone::vfs::Vfs;
use keelstone::{Db, FileName, Stats};

use crate::disk::Disk;
use crate::mirror::Mirror;
use crate::model::{Model, delete, put, put_until};
use crate::op::{Op, value};
use crate::shape::Shape;

/// A store and the model in one story.
pub struct Tale {
    mirror: Mirror,
    disk: Disk,
    filler: u64,
    /// The newest segment and the count of merges before the merge that was begun.
    begun: (u64, u64),
}

impl Tale {
    /// A new store in memory.
    ///
    /// # Panics
    /// As every step does, if something goes wrong or the two sides disagree.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self::on(Disk::with(shape.bug), shape)
    }

    /// A store on a disk that the test knows.
    ///
    /// # Panics
    /// If it does not open.
    #[must_use]
    pub fn on(disk: Disk, shape: Shape) -> Self {
        let mirror = Mirror::new(disk.clone(), shape).unwrap_or_else(|error| panic!("{error}"));
        Self { mirror, disk, filler: 0, begun: (0, 0) }
    }

    /// Any operation.
    ///
    /// # Panics
    /// If the two sides disagree.
    pub fn step(&mut self, op: &Op) -> &mut Self {
        self.mirror.step(op).unwrap_or_else(|error| panic!("{op:?}: {error}"));
        self
    }

    /// Several writes, each on its own and buffered.
    fn write(&mut self, write: keelstone::Write) -> &mut Self {
        self.step(&Op::Write { writes: vec![write], durable: false })
    }

    /// Sets a key.
    pub fn put(&mut self, key: &str, value: &str) -> &mut Self {
        self.write(put(key, value))
    }

    /// Sets a key until a time.
    pub fn put_until(&mut self, key: &str, value: &str, expires_ms: u64) -> &mut Self {
        self.write(put_until(key, value, expires_ms))
    }

    /// Takes a key away.
    pub fn delete(&mut self, key: &str) -> &mut Self {
        self.write(delete(key))
    }

    /// Sets keys `prefix0..` to values of 100 bytes.
    pub fn fill(&mut self, prefix: &str, count: u64) -> &mut Self {
        for n in 0..count {
            self.filler += 1;
            self.write(put(format!("{prefix}{n}"), value(self.filler, 100)));
        }
        self
    }

    /// Deletes keys `prefix0..`.
    pub fn clear(&mut self, prefix: &str, count: u64) -> &mut Self {
        for n in 0..count {
            self.delete(&format!("{prefix}{n}"));
        }
        self
    }

    /// Writes new keys until a new log has begun.
    ///
    /// # Panics
    /// If none begins.
    pub fn rotate(&mut self) -> &mut Self {
        let before = self.stats().rotations;
        for _ in 0..1000 {
            self.filler += 1;
            let key = format!("filler-{}", self.filler);
            self.write(put(key, value(self.filler, 100)));
            if self.stats().rotations > before {
                return self;
            }
        }
        panic!("no log was sealed");
    }

    /// Does work until one more merge is published, but no more than needed.
    ///
    /// # Panics
    /// If the work ends without a merge.
    pub fn merge_once(&mut self) -> &mut Self {
        let before = self.stats().merges;
        while self.stats().merges == before {
            let more = self.db().work().unwrap_or_else(|error| panic!("work: {error}"));
            assert!(more || self.stats().merges > before, "there is nothing to merge");
        }
        self
    }

    /// Does work until a merge has made its first output: seals come before it. The next job that is taken goes on with
    /// this merge.
    ///
    /// # Panics
    /// If the work ends without one, or the merge has nothing to carry.
    pub fn begin_merge(&mut self) -> &mut Self {
        self.begun = (self.newest_segment(), self.stats().merges);
        while !self.is_copying() {
            let more = self.db().work().unwrap_or_else(|error| panic!("work: {error}"));
            assert!(more && !self.is_published(), "no merge has begun that carries something");
        }
        self
    }

    /// Whether the merge that was begun has an output that is not published.
    #[must_use]
    pub fn is_copying(&self) -> bool {
        self.newest_segment() > self.begun.0 && !self.is_published()
    }

    /// Whether the merge that was begun is published.
    #[must_use]
    pub fn is_published(&self) -> bool {
        self.stats().merges > self.begun.1
    }

    /// The number of the newest segment on the disk, 0 if there is none.
    fn newest_segment(&self) -> u64 {
        let files = self.files();
        let segments = files.iter().filter(|f| matches!(f, FileName::Segment(_)));
        segments.filter_map(|f| f.number()).max().unwrap_or(0)
    }

    /// Does a few steps of the work that is due.
    ///
    /// # Panics
    /// If a step fails.
    pub fn work_some(&mut self) -> &mut Self {
        for _ in 0..4 {
            self.db().work().unwrap_or_else(|error| panic!("work: {error}"));
        }
        self
    }

    /// Does all the work there is, but not more than is due.
    ///
    /// # Panics
    /// If it does not end.
    pub fn work(&mut self) -> &mut Self {
        for _ in 0..10_000 {
            if !self.db().work().unwrap_or_else(|error| panic!("work: {error}")) {
                return self;
            }
        }
        panic!("work does not end");
    }

    /// Closes and opens.
    pub fn reopen(&mut self) -> &mut Self {
        self.step(&Op::Reopen)
    }

    /// Drops as a killed process does, and opens.
    pub fn kill(&mut self) -> &mut Self {
        self.step(&Op::Kill)
    }

    /// Compares everything.
    pub fn scan(&mut self) -> &mut Self {
        self.step(&Op::Scan)
    }

    /// The open store.
    #[must_use]
    pub fn db(&self) -> &Db {
        self.mirror.db()
    }

    /// What it counts.
    ///
    /// # Panics
    /// If it cannot.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.db().stats().unwrap()
    }

    /// The files of its directory.
    ///
    /// # Panics
    /// If there is one that is not the store's.
    #[must_use]
    pub fn files(&self) -> Vec<FileName> {
        let names = self.disk.vfs().list("").unwrap();
        names.iter().map(|n| FileName::parse(n).expect("a file of the store")).collect()
    }

    /// The logs and segments, oldest first.
    #[must_use]
    pub fn records(&self) -> Vec<FileName> {
        let mut files = self.files();
        files.retain(|f| matches!(f, FileName::Log(_) | FileName::Segment(_)));
        files.sort_by_key(|f| f.number());
        files
    }

    /// What the store must show.
    #[must_use]
    pub const fn model(&self) -> &Model {
        self.mirror.model()
    }

    /// Every write in order.
    #[must_use]
    pub fn written(&self) -> &[keelstone::Write] {
        self.mirror.written()
    }

    /// The disk.
    #[must_use]
    pub fn vfs(&self) -> Arc<dyn Vfs> {
        self.disk.vfs()
    }
}
