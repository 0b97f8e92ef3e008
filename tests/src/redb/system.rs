//! redb as a system of the crash lab: a program recorded once, a recovery that opens, reads and commits once more.
//!
//! Called by the tests of redb and by the lab; calls `release`. The promise: what is left opens without an error and
//! without a panic, every table reads, and holds what it held after one commit between the last acknowledged and the last
//! begun; once an open has shown it, no later crash shows another; a commit after it works and stays.

use std::marker::PhantomData;
use std::sync::Arc;

use keelstone::vfs::crash::{Crash, Life, System};
use keelstone::vfs::{FaultDisk, Trace, Vfs};

use super::FILE;
use super::program::{Change, Content, Program};
use super::release::Release;
use super::storage::Storage;
use crate::differential::quietly;

/// The database of one program in one release.
pub struct Redb<R> {
    program: Program,
    contents: Vec<Content>,
    release: PhantomData<fn() -> R>,
}

/// What an open shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// It is refused, without a panic.
    Refused(String),
    /// The state after this commit, and whether the commit of an earlier recovery is there.
    After(usize, bool),
}

/// Marks: commit `n` has begun, or returned; commit 0 is the creation.
const fn begun(n: usize) -> u64 {
    2 * n as u64
}

const fn returned(n: usize) -> u64 {
    2 * n as u64 + 1
}

/// Marks of recovery: it has shown what there is; its own commit has returned.
const SHOWN: u64 = 0;
const MORE_RETURNED: u64 = 1;

/// What the commit of recovery puts.
const MORE: (usize, u64) = (0, u64::MAX);
const MORE_VALUE: &[u8] = b"one more";

impl<R: Release> Redb<R> {
    /// The database of this program.
    #[must_use]
    pub fn new(program: Program) -> Self {
        Self { contents: program.contents(), program, release: PhantomData }
    }

    /// Runs the program once, from an empty file whose name is durable: what directories lose is nothing that redb could
    /// help.
    ///
    /// # Errors
    /// If anything fails: the disk has no fault here.
    ///
    /// # Panics
    /// If an empty disk takes no file.
    pub fn record(&self) -> Result<Trace, String> {
        let disk = FaultDisk::new();
        disk.write_file(FILE, &[]).expect("an empty disk takes a file");
        disk.record();
        disk.mark(begun(0));
        let db = R::open(storage(&disk)?)?;
        disk.mark(returned(0));
        for (n, commit) in self.program.commits.iter().enumerate() {
            disk.mark(begun(n + 1));
            R::commit(&db, commit)?;
            disk.mark(returned(n + 1));
        }
        drop(db);
        Ok(disk.trace())
    }

    fn recovered(&self, disk: &dyn Vfs, life: &Life) -> Result<Seen, String> {
        let db = match R::open(storage(disk)?) {
            Err(error) => return Ok(Seen::Refused(error)),
            Ok(db) => db,
        };
        let mut content = R::read(&db)?;
        let more = match content.remove(&MORE) {
            Some(value) if value != MORE_VALUE => return Err("a value that nobody put".into()),
            more => more.is_some(),
        };
        let Some(at) = self.contents.iter().position(|known| *known == content) else {
            return Err("the tables hold what they never held after a commit".into());
        };
        life.mark(SHOWN);
        let put = Change::Put(MORE.0, MORE.1, MORE_VALUE.to_vec());
        R::commit(&db, &[put]).map_err(|error| format!("one more: {error}"))?;
        life.mark(MORE_RETURNED);
        content.insert(MORE, MORE_VALUE.to_vec());
        if R::read(&db).map_err(|error| format!("one more: {error}"))? != content {
            return Err("one more commit gave something else".into());
        }
        Ok(Seen::After(at, more))
    }
}

fn storage(disk: &dyn Vfs) -> Result<Storage, String> {
    Storage::open(disk, FILE).map_err(|error| error.to_string())
}

impl<R: Release> System for Redb<R> {
    type Seen = Seen;

    fn recover(&self, disk: Arc<dyn Vfs>, life: &Life) -> Result<Seen, String> {
        quietly(|| self.recovered(&*disk, life))
    }

    fn judge(&self, seen: &Seen, crash: &Crash<'_, Seen>) -> Result<(), String> {
        let commit = |mark: &u64| crate::index(mark / 2);
        let acknowledged = crash.marks.iter().rev().find(|mark| **mark % 2 == 1).map(commit);
        let second = crash.second.map_or(&[][..], |second| second.marks);
        let is_shown = second.contains(&SHOWN);
        let (at, more) = match seen {
            // Why: a file has a length before it has its magic number; until its creation is acknowledged, or an open has
            // shown it, it may be nothing.
            Seen::Refused(_) if acknowledged.is_none() && !is_shown => return Ok(()),
            Seen::Refused(error) => return Err(error.clone()),
            Seen::After(at, more) => (*at, *more),
        };
        let mut allowed = acknowledged.unwrap_or(0)..=crash.marks.last().map_or(0, commit);
        if let Some(Seen::After(shown, _)) = crash.second.map(|second| second.seen)
            && is_shown
        {
            allowed = *shown..=*shown;
        }
        if more && !is_shown {
            return Err("the commit after recovery is there before it was begun".into());
        }
        if second.contains(&MORE_RETURNED) && !more {
            return Err("the commit after recovery is gone".into());
        }
        if allowed.contains(&at) {
            return Ok(());
        }
        Err(format!("the state after commit {at}, allowed were {allowed:?}"))
    }
}
