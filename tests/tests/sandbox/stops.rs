//! A component that is stopped: at every operation of its host, before, within and after it, and by
//! power cuts. What is left is recovered natively and inside the sandbox, the same both ways.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelstone::vfs::{Image, MemoryDisk, Vfs};
use keelstone::{Batch, Db, Durability, ManualClock, Write};
use keelstone_host::engine::{Engine, Error};
use keelstone_host::sandbox::Sandbox;
use keelstone_host::wasi_fs::{Stop, When};
use keelstone_tests::crash::{Budget, CRASH_SHAPE, Recording, explore, seeded_run, the_run};
use keelstone_tests::disk::sandbox;
use keelstone_tests::rng::seeds;
use keelstone_tests::shape::Shape;

pub(crate) type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// The writes of the program, each a batch; some overwrite, some delete, some are large enough for
/// several logs.
fn program() -> Vec<Batch> {
    let mut batches = Vec::new();
    for n in 0..14_u32 {
        let mut batch = Batch::new();
        batch.put(format!("k{}", n % 5), format!("value-{n}.").repeat(20));
        match n % 4 {
            1 => drop(batch.put("all", n.to_string())),
            2 => drop(batch.delete(format!("k{}", (n + 1) % 5))),
            _ => {}
        }
        batches.push(batch);
    }
    batches
}

/// What the store holds after each number of batches.
fn states(batches: &[Batch]) -> Vec<State> {
    let mut state = State::new();
    let mut states = vec![state.clone()];
    for batch in batches {
        for write in batch.writes() {
            match write {
                Write::Put { key, value, .. } => drop(state.insert(key.clone(), value.clone())),
                Write::Delete { key } => drop(state.remove(key)),
                Write::DeleteRange { from, to } => {
                    state.retain(|key, _| key < from || key >= to);
                }
            }
        }
        states.push(state.clone());
    }
    states
}

/// Runs the program in an instance until it ends; gives how many batches were acknowledged, and the
/// operations of the host if it came to its end.
fn run(sandbox: &Sandbox, disk: &MemoryDisk, batches: &[Batch]) -> (usize, Option<u64>) {
    let options = Shape::TINY.options(&ManualClock::new(0));
    let mut acknowledged = 0;
    let mut go = || -> Result<u64, Error> {
        let db = sandbox.open(Arc::new(disk.clone()), &options)?;
        for batch in batches {
            db.write(batch, Durability::Durable)?;
            acknowledged += 1;
        }
        db.compact()?;
        db.close()?;
        Ok(db.operations())
    };
    match go() {
        Ok(operations) => (acknowledged, Some(operations)),
        Err(Error::Sandbox(text)) => {
            assert!(text.contains("stopped at operation"), "{text}");
            (acknowledged, None)
        }
        Err(Error::Store(error)) => panic!("the store said {error}"),
    }
}

pub(crate) fn state_of(db: &dyn Engine) -> State {
    let entries = db.snapshot().unwrap().scan().unwrap();
    entries.map(|entry| entry.unwrap()).map(|entry| (entry.key, entry.value)).collect()
}

/// What a recovery finds, natively or inside; and the store can be used.
fn recover(image: &Image, inside: bool) -> State {
    let disk: Arc<dyn Vfs> = Arc::new(MemoryDisk::from_image(image));
    let options = Shape::TINY.options(&ManualClock::new(0));
    let db: Box<dyn Engine> = if inside {
        Box::new(sandbox().open(disk, &options).unwrap())
    } else {
        Box::new(Db::open(disk, options).unwrap())
    };
    let state = state_of(&*db);
    let mut after = Batch::new();
    after.put("after", "the end");
    db.write(&after, Durability::Durable).unwrap();
    assert_eq!(db.get(b"after").unwrap().unwrap().value, b"the end");
    db.close().unwrap();
    state
}

// Exhaustive: every operation of the run, in three ways.
#[test]
fn stopped_at_every_operation_of_the_host_nothing_acknowledged_is_lost() {
    let batches = program();
    let states = states(&batches);
    let (all, operations) = run(&sandbox(), &MemoryDisk::new(), &batches);
    let operations = operations.expect("nothing stops it");
    assert!(all == batches.len() && operations > 100, "{all} batches, {operations} operations");
    let mut ahead = 0;
    for at in 1..=operations {
        for when in [When::Before, When::Middle, When::After] {
            let disk = MemoryDisk::new();
            let stop = Stop { at, when };
            let (acknowledged, ended) = run(&sandbox().stopping_at(stop), &disk, &batches);
            assert_eq!(ended, None, "{stop:?} was never reached");
            let image = disk.image();
            let (native, inside) = (recover(&image, false), recover(&image, true));
            assert_eq!(native, inside, "{stop:?}");
            let found = states.iter().position(|state| *state == native);
            let found = found.unwrap_or_else(|| panic!("{stop:?}: no prefix: {native:?}"));
            let window = acknowledged..=acknowledged + 1;
            assert!(window.contains(&found), "{stop:?}: {found} of {acknowledged} acknowledged");
            ahead += usize::from(found > acknowledged);
        }
    }
    assert!(ahead > 0, "no stop fell between a write and its acknowledgement");
}

// The same run twice asks the host for the same operations: a stop is repeatable.
#[test]
fn a_run_is_the_same_every_time() {
    let batches = program();
    let (one, two) = (MemoryDisk::new(), MemoryDisk::new());
    let count = run(&sandbox(), &one, &batches).1;
    assert_eq!(count, run(&sandbox(), &two, &batches).1);
    assert_eq!(one.image(), two.image());
}

// The run that holds everything, written by the component to the fault disk: crashed at every
// operation, every kind of cut, recovered natively.
#[test]
fn what_the_component_writes_survives_every_crash_at_every_operation() {
    let recording = Recording::inside(CRASH_SHAPE, &the_run()).unwrap_or_else(|e| panic!("{e}"));
    assert!(recording.count("create", ".seg") > 0, "no merge");
    let counts = explore(&recording, &Budget::OPERATIONS).unwrap_or_else(|e| panic!("{e}"));
    assert!(counts.distinct > 1000, "{counts:?}");
}

#[test]
fn seeded_runs_of_the_component_survive_crashes() {
    for seed in seeds(1, 6) {
        let (shape, ops) = seeded_run(seed, 60);
        let recording = Recording::inside(shape, &ops);
        recording
            .and_then(|recording| explore(&recording, &Budget { seed, ..Budget::OPERATIONS }))
            .unwrap_or_else(|error| panic!("seed {seed}: {error}\n  {shape:?}"));
    }
}

// Sampled: the states that power cuts leave at every operation, everything lost and everything kept,
// recovered natively and inside: the same state both ways.
#[test]
fn recovery_inside_finds_what_native_recovery_finds() {
    let recording = Recording::inside(CRASH_SHAPE, &the_run()).unwrap_or_else(|e| panic!("{e}"));
    let clock = recording.history.time_at(recording.trace.len());
    let options = CRASH_SHAPE.options(&ManualClock::new(clock));
    let mut compared = 0;
    for op in (0..=recording.trace.len()).step_by(3) {
        for (cut, left) in recording.trace.disk_at(op, 0).power_cuts().take(2) {
            let image = left.cached();
            let native = Db::open(Arc::new(MemoryDisk::from_image(&image)), options.clone());
            let disk = Arc::new(MemoryDisk::from_image(&image));
            let inside = sandbox().open(disk, &options);
            match (native, inside) {
                (Ok(native), Ok(inside)) => {
                    assert_eq!(state_of(&native), state_of(&inside), "operation {op}, {cut}");
                }
                (Err(native), Err(inside)) => assert_eq!(inside, Error::Store(native)),
                (native, inside) => {
                    panic!("operation {op}, {cut}: {:?} {:?}", native.err(), inside.err())
                }
            }
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared}");
}
