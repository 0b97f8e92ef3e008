//! The program that is run with one failing allocation.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use keelstone::vfs::NativeDisk;
use keelstone::{Db, Durability, Error, Layout, Options};

use super::failing::{arm, disarm};

/// In which step an allocation fails, the how many-th of it, in which layout, where the store is, and where acknowledgements go.
pub(crate) const STEP: &str = "KEELSTONE_FAIL_STEP";
pub(crate) const AT: &str = "KEELSTONE_FAIL_AT";
pub(crate) const LAYOUT: &str = "KEELSTONE_FAIL_LAYOUT";
pub(crate) const DIR: &str = "KEELSTONE_FAIL_DIR";
pub(crate) const ACKNOWLEDGED: &str = "KEELSTONE_FAIL_ACKNOWLEDGED";

/// One step of the program.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// A key, and how long its value is.
    Put(&'static str, usize),
    Delete(&'static str),
    Sync,
    Compact,
    Reopen,
    Scan,
}

/// The longest value.
const VALUE_BYTES_MAX: usize = 70_000;

/// Logs that are full, memtables that are flushed, a merge, a store that is opened again.
pub(crate) const STEPS: [Step; 14] = [
    Step::Put("a", 700),
    Step::Put("b", 700),
    Step::Sync,
    Step::Put("a", 700),
    // Why so long: a memtable makes room for it alone, and has to before the write is in the log.
    Step::Put("c", VALUE_BYTES_MAX),
    Step::Delete("b"),
    Step::Compact,
    Step::Scan,
    // The next open sees whether it is in the log though it was refused.
    Step::Put("d", VALUE_BYTES_MAX),
    Step::Reopen,
    Step::Put("e", 700),
    Step::Put("a", 20),
    Step::Compact,
    Step::Scan,
];

/// What came of a run that did not end its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The step has fewer allocations.
    NotReached,
    /// A call said that memory is short.
    Told,
    /// Every call went well.
    Absorbed,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::NotReached, Self::Told, Self::Absorbed];

    /// Of an exit code; that of a panic is none of them.
    pub(crate) fn of(code: i32) -> Option<Self> {
        Self::ALL.get(usize::try_from(code.checked_sub(10)?).ok()?).copied()
    }

    fn code(self) -> i32 {
        match self {
            Self::NotReached => 10,
            Self::Told => 11,
            Self::Absorbed => 12,
        }
    }
}

fn open(disk: &NativeDisk, layout: Layout) -> Result<Db, Error> {
    let mut options = Options::with_seed(1);
    options.layout = Some(layout);
    options.durability = Durability::Buffered;
    options.segment_bytes = 2048;
    options.memtable_bytes = 1024;
    options.table_bytes = 1024;
    options.block_bytes = 256;
    options.memory_budget = 1 << 20;
    options.index_shards = 8;
    options.reserve_bytes = 0;
    options.merge_dead_percent = 1;
    options.inline_work = true;
    Db::open(Arc::new(disk.clone()), options)
}

fn act(db: &mut Option<Db>, disk: &NativeDisk, layout: Layout, step: Step) -> Result<(), Error> {
    if db.is_none() {
        *db = Some(open(disk, layout)?);
    }
    let Some(store) = db else { return Ok(()) };
    match step {
        Step::Put(key, len) => store.put(key, &[b'v'; VALUE_BYTES_MAX][..len]),
        Step::Delete(key) => store.delete(key),
        Step::Sync => store.sync(),
        Step::Compact => store.compact(),
        Step::Scan => store.scan()?.try_for_each(|entry| entry.map(drop)),
        Step::Reopen => {
            let closed = store.close();
            *db = None;
            closed
        }
    }
}

/// Runs the program; one allocation fails. Ends the process with what came of it.
///
/// Why counted from the beginning of a step: how many there are differs a little from run to run, and what differs before a
/// step must not decide which of its allocations fails.
pub(crate) fn run() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let (chosen, at): (usize, u64) =
        (variable(STEP).parse().unwrap(), variable(AT).parse().unwrap());
    let layout = if variable(LAYOUT) == "Hash" { Layout::Hash } else { Layout::Ordered };
    let disk = NativeDisk::open(Path::new(&variable(DIR))).unwrap();
    let mut acknowledged = std::fs::File::create(variable(ACKNOWLEDGED)).unwrap();
    let (mut db, mut told) = (None, false);
    for (n, step) in STEPS.into_iter().enumerate() {
        if n == chosen {
            arm(at);
        }
        let done = act(&mut db, &disk, layout, step);
        if n == chosen {
            // Why at once: what follows would only show what other runs show.
            if !disarm() {
                std::process::exit(Outcome::NotReached.code());
            }
        }
        // Why a file: to write to it takes no memory.
        acknowledged.write_all(if done.is_ok() { b"+" } else { b"-" }).unwrap();
        match done {
            Ok(()) => {}
            Err(Error::OutOfMemory) => told = true,
            Err(error) => {
                panic!("{error} ({error:?})");
            }
        }
    }
    let db = db.unwrap_or_else(|| open(&disk, layout).unwrap());
    db.put("after", "1").unwrap();
    drop(db);
    let outcome = if told { Outcome::Told } else { Outcome::Absorbed };
    std::process::exit(outcome.code());
}
