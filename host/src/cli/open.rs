//! From a directory to an open store, and back: how each command opens, creates and closes.
//!
//! Called by the commands; calls the engine, or the sandbox, over the native disk.
//! Promise: a directory that is missing, or is no store and not empty, is left as it was; only the
//! create functions make a directory, and never its parents.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use keelstone::vfs::{Kind, NativeDisk, Vfs};
use keelstone::{Clock, Db, Durability, Error, Layout, ManualClock, OpenMode, Options, SyncEvery};
use keelstone::{Invalid, SystemClock};

use super::args::{Globals, LayoutName, Policy};
use super::exit::{Failure, Outcome};
use crate::engine::{self, Engine};
use crate::sandbox::Sandbox;

/// Bytes after which `--durability batch` syncs.
pub(super) const BATCH_BYTES: u64 = 1 << 20;
/// Milliseconds after which `--durability batch` syncs.
pub(super) const BATCH_MS: u64 = 10;

/// A store that is open, in this process or in the sandbox.
pub(super) type Store = Box<dyn Engine>;

/// Where a command does its work.
pub(super) enum Place {
    Native,
    Sandbox(Box<Sandbox>),
}

/// Names a file that takes the place of the component that was built with this program.
const COMPONENT: &str = "KEELSTONE_COMPONENT";

impl Place {
    /// The place that the command line asks for. Called before anything is touched.
    pub(super) fn of(globals: &Globals) -> Outcome<Self> {
        if !globals.sandbox {
            return Ok(Self::Native);
        }
        let Some(path) = std::env::var_os(COMPONENT) else {
            return Ok(Self::Sandbox(Box::new(Sandbox::built_in()?)));
        };
        let bytes =
            std::fs::read(&path).map_err(Failure::io(Path::new(&path).display().to_string()))?;
        Ok(Self::Sandbox(Box::new(Sandbox::new(&bytes, None)?)))
    }

    fn open(&self, disk: Arc<dyn Vfs>, options: Options) -> Result<Store, engine::Error> {
        match self {
            Self::Native => Ok(Box::new(Db::open(disk, options)?)),
            Self::Sandbox(sandbox) => Ok(Box::new(sandbox.open(disk, &options)?)),
        }
    }
}

/// Opens a store for reading: no byte of it changes.
pub(super) fn to_read(dir: &Path, globals: &Globals) -> Outcome<Store> {
    open(dir, globals, OpenMode::ReadOnly)
}

/// Opens a store that exists, for writing.
pub(super) fn to_write(dir: &Path, globals: &Globals) -> Outcome<Store> {
    open(dir, globals, OpenMode::Existing)
}

/// Opens a store for writing; creates it if `dir` is missing or empty.
pub(super) fn or_create(dir: &Path, globals: &Globals) -> Outcome<Store> {
    let place = Place::of(globals)?;
    let new = NewDir::make(dir)?;
    let listed = new.disk.list("").map_err(Error::from)?;
    // Why: a disk does not list names that it cannot open, such as those that are not UTF-8.
    let db = if listed.is_empty() && !is_vacant(dir) {
        Err(Error::Invalid(Invalid::NotEmpty).into())
    } else {
        place.open(new.disk.clone(), options(globals, OpenMode::Create))
    };
    if db.is_err() {
        new.give_up();
    }
    db.map_err(in_dir(dir))
}

/// Ends the work on a store. All that was written is durable afterwards, except under `--durability
/// none`.
pub(super) fn finish(db: &dyn Engine, globals: &Globals) -> Outcome {
    match globals.durability {
        Policy::Immediate | Policy::Batch => Ok(db.close()?),
        // Why: a close syncs. The lock goes with the process.
        Policy::None => Ok(()),
    }
}

/// The disk of a directory that must exist.
pub(super) fn disk(dir: &Path) -> Outcome<Arc<dyn Vfs>> {
    let disk = NativeDisk::open(dir).map_err(bad_dir(dir))?;
    Ok(Arc::new(disk))
}

/// A directory that is made if it is missing, but not its parents.
pub(super) struct NewDir<'a> {
    dir: &'a Path,
    made: bool,
    pub(super) disk: Arc<dyn Vfs>,
}

impl<'a> NewDir<'a> {
    pub(super) fn make(dir: &'a Path) -> Outcome<Self> {
        let made = !dir.exists();
        let disk = Arc::new(NativeDisk::create(dir).map_err(bad_dir(dir))?);
        Ok(Self { dir, made, disk })
    }

    /// As [`make`](Self::make), and refuses a directory that is not empty.
    pub(super) fn make_empty(dir: &'a Path) -> Outcome<Self> {
        let new = Self::make(dir)?;
        if is_vacant(dir) {
            return Ok(new);
        }
        Err(Failure::Usage(format!("{}: {}", dir.display(), Invalid::NotEmpty)))
    }

    /// Takes the directory away again if it was made here and holds at most the file of the lock,
    /// which is taken before anything else is made.
    pub(super) fn give_up(&self) {
        if !self.made {
            return;
        }
        if self.disk.list("").is_ok_and(|names| names == ["LOCK"]) {
            let _ = self.disk.remove("LOCK");
        }
        let _ = std::fs::remove_dir(self.dir);
    }
}

/// Whether `dir` is missing or empty, so that a store would be created there.
pub(super) fn is_vacant(dir: &Path) -> bool {
    match std::fs::read_dir(dir) {
        Ok(mut names) => names.next().is_none(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

/// The options that the command line asks for.
pub(super) fn options(globals: &Globals, mode: OpenMode) -> Options {
    let mut options = Options::default();
    options.mode = mode;
    options.layout = globals.layout.map(|name| match name {
        LayoutName::Hash => Layout::Hash,
        LayoutName::Ordered => Layout::Ordered,
    });
    options.clock = clock(globals);
    options.durability = durability(globals);
    if globals.durability == Policy::Batch {
        options.sync_every = SyncEvery { writes: 0, bytes: BATCH_BYTES, millis: BATCH_MS };
    }
    options
}

/// What each write of this command promises.
pub(super) fn durability(globals: &Globals) -> Durability {
    match globals.durability {
        Policy::Immediate => Durability::Durable,
        Policy::Batch | Policy::None => Durability::Buffered,
    }
}

/// The clock of this command.
pub(super) fn clock(globals: &Globals) -> Arc<dyn Clock> {
    match globals.now {
        Some(ms) => ManualClock::new(ms),
        None => Arc::new(SystemClock),
    }
}

/// Says which directory an error of the store is about, where the error itself cannot.
pub(super) fn in_dir<E: Into<Failure>>(dir: &Path) -> impl FnOnce(E) -> Failure {
    move |error| match error.into() {
        Failure::Store(Error::NoStore) => Failure::Usage(format!("{}: not a store", dir.display())),
        Failure::Store(Error::Invalid(Invalid::NotEmpty)) => {
            Failure::Usage(format!("{}: not empty, and not a store", dir.display()))
        }
        other => other,
    }
}

fn open(dir: &Path, globals: &Globals, mode: OpenMode) -> Outcome<Store> {
    let place = Place::of(globals)?;
    place.open(disk(dir)?, options(globals, mode)).map_err(in_dir(dir))
}

/// Says which directory an error of the disk is about, where the caller gave a wrong one.
fn bad_dir(dir: &Path) -> impl FnOnce(keelstone::vfs::Error) -> Failure {
    move |error| match error.kind {
        Kind::NotFound => Failure::Usage(format!("{}: no such directory", dir.display())),
        Kind::BadName => Failure::Usage(format!("{}: not a directory", dir.display())),
        _ => Failure::Store(error.into()),
    }
}
