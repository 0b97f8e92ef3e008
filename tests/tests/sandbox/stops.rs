//! A component that is stopped: at every operation of its host, before, within and after it, and by
//! power cuts. What is left is recovered natively and inside the sandbox, the same both ways.

use std::collections::BTreeSet;
use std::sync::Arc;

use keelstone::vfs::{FaultDisk, MemoryDisk};
use keelstone::{Batch, Db, Durability, Layout, ManualClock, Options, Write};
use keelstone_host::engine::{Engine, Error};
use keelstone_host::sandbox::Sandbox;
use keelstone_host::wasi_fs::{Stop, When};
use keelstone_tests::crash::{Budget, CRASH_SHAPE, Recording, explore, seeded_run, the_run};
use keelstone_tests::disk::sandbox;
use keelstone_tests::rng::{repeat, seeds};
use keelstone_tests::shape::Shape;

use crate::aftermath::{Aftermath, State, state_of};

/// Small logs and memtables, and work within writes.
fn options(layout: Layout) -> Options {
    let shape = Shape { layout, memtable_bytes: 1024, inline_work: true, ..Shape::TINY };
    shape.options(&ManualClock::new(0))
}

/// The writes of the program, each a batch; some overwrite, some delete, and together they are large
/// enough for several logs.
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

/// Every third batch waits for a later one's sync.
const fn durability(index: usize) -> Durability {
    if index % 3 == 1 { Durability::Buffered } else { Durability::Durable }
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

/// How far a run of the program came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reached {
    /// Batches that were acknowledged: the end of the process leaves them.
    acknowledged: usize,
    /// Those of them that were acknowledged as durable, or came before such a one: a power cut leaves
    /// them too.
    durable: usize,
    /// The operations of the host, if the program came to its end.
    operations: Option<u64>,
}

/// Runs the program in an instance until its end, or until it is stopped.
fn run(sandbox: &Sandbox, disk: &FaultDisk, layout: Layout, batches: &[Batch]) -> Reached {
    let mut reached = Reached::default();
    let mut go = || -> Result<u64, Error> {
        let db = sandbox.open(Arc::new(disk.clone()), &options(layout))?;
        for (index, batch) in batches.iter().enumerate() {
            db.write(batch, durability(index))?;
            reached.acknowledged += 1;
            if durability(index) == Durability::Durable {
                reached.durable = reached.acknowledged;
            }
        }
        db.compact()?;
        db.close()?;
        reached.durable = reached.acknowledged;
        Ok(db.operations())
    };
    match go() {
        Ok(operations) => Reached { operations: Some(operations), ..reached },
        Err(Error::Sandbox(text)) => {
            assert!(text.contains("stopped at operation"), "{text}");
            reached
        }
        Err(Error::Store(error)) => panic!("the store said {error}"),
    }
}

/// The program, stopped at every operation of the host in three ways, and the different places that
/// it came to, each of which was looked at once.
struct Stops {
    layout: Layout,
    seed: u64,
    batches: Vec<Batch>,
    /// What the store holds after each number of batches.
    states: Vec<State>,
    aftermath: Aftermath,
    /// Runs that were stopped.
    runs: usize,
    /// What happened to the disk, and how many batches were acknowledged.
    places: BTreeSet<(String, usize)>,
    cuts: usize,
    /// Recoveries that found a batch that was not acknowledged.
    ahead: usize,
    /// Recoveries without a buffered batch that was acknowledged.
    behind: usize,
}

impl Stops {
    /// Stops everywhere; of the power cuts that tear a file one in so many is tried.
    fn everywhere(layout: Layout, tears_one_in: u64, seed: u64) -> Self {
        let batches = program();
        let states = states(&batches);
        let aftermath = Aftermath::new(options(layout)).sampled(tears_one_in, seed);
        let (runs, places, cuts, ahead, behind) = (0, BTreeSet::new(), 0, 0, 0);
        let mut stops =
            Self { layout, seed, batches, states, aftermath, runs, places, cuts, ahead, behind };
        for at in 1..=stops.whole_run() {
            for when in [When::Before, When::Middle, When::After] {
                stops.stop(Stop { at, when });
            }
        }
        stops.tell();
        stops
    }

    /// The run that nothing stops: it merges or makes tables, and what it leaves holds everything.
    /// Gives the operations of the host.
    fn whole_run(&mut self) -> u64 {
        let disk = FaultDisk::recording();
        let reached = run(&sandbox(), &disk, self.layout, &self.batches);
        assert_eq!(reached.durable, self.batches.len());
        let trace = disk.trace().to_string();
        let output = if self.layout == Layout::Hash { ".seg" } else { ".table" };
        let made = |line: &&str| line.starts_with("create ") && line.contains(output);
        assert!(trace.lines().filter(made).count() > 1, "too little work:\n{trace}");
        self.look(&disk, reached, "closed");
        reached.operations.unwrap()
    }

    fn stop(&mut self, stop: Stop) {
        let disk = FaultDisk::recording();
        let reached = run(&sandbox().stopping_at(stop), &disk, self.layout, &self.batches);
        assert_eq!(reached.operations, None, "{stop:?} was never reached");
        self.runs += 1;
        if self.places.insert((disk.trace().to_string(), reached.acknowledged)) {
            self.look(&disk, reached, &format!("{stop:?}"));
        }
    }

    /// What the end of the process and power cuts leave: everything that was promised, and of the rest
    /// a prefix.
    fn look(&mut self, disk: &FaultDisk, reached: Reached, what: &str) {
        let Reached { acknowledged, durable, .. } = reached;
        let most = self.batches.len().min(acknowledged + 1);
        let (states, ended) = (&self.states[durable..=most], acknowledged - durable);
        let test = format!("stops::stopped_at_every_operation_{:?}", self.layout).to_lowercase();
        let what = format!("{}\n{what}", repeat("sandbox", &test, self.seed));
        let times = self.aftermath.check(disk, states, ended, &what);
        self.cuts += times.iter().sum::<usize>();
        self.behind += times.iter().take(ended).sum::<usize>();
        self.ahead += times.iter().skip(ended + 1).sum::<usize>();
    }

    fn tell(&self) {
        let Self { layout, seed, runs, cuts, ahead, behind, .. } = self;
        let (places, images) = (self.places.len(), self.aftermath.images());
        println!(
            "{layout:?} seed={seed}: runs={runs} places={places} cuts={cuts} images={images} \
             ahead={ahead} behind={behind}"
        );
        assert!(*ahead > 0, "no stop fell between a write and its acknowledgement");
        assert!(*behind > 0, "no power cut took a buffered batch");
    }
}

// Exhaustive: every operation of the run, in three ways. Sampled: the bytes at which power cuts tear
// files, one in eight; all other power cuts are tried.
#[test]
fn stopped_at_every_operation_hash_loses_nothing_acknowledged() {
    for seed in seeds(1, 1) {
        let stops = Stops::everywhere(Layout::Hash, 8, seed);
        assert!(stops.runs > 600 && stops.places.len() > 140, "too few stops");
        assert!(stops.cuts > 8000 && stops.aftermath.images() > 5000, "too few power cuts");
    }
}

// The same with tables; they are longer, so one byte in fifty.
#[test]
fn stopped_at_every_operation_ordered_loses_nothing_acknowledged() {
    for seed in seeds(1, 1) {
        let stops = Stops::everywhere(Layout::Ordered, 50, seed);
        assert!(stops.runs > 1500 && stops.places.len() > 300, "too few stops");
        assert!(stops.cuts > 6000 && stops.aftermath.images() > 4000, "too few power cuts");
    }
}

// The same run twice asks the host for the same operations: a stop is repeatable.
#[test]
fn a_run_is_the_same_every_time() {
    let batches = program();
    for layout in [Layout::Hash, Layout::Ordered] {
        let (one, two) = (FaultDisk::recording(), FaultDisk::recording());
        let reached = run(&sandbox(), &one, layout, &batches);
        assert_eq!(reached, run(&sandbox(), &two, layout, &batches));
        assert_eq!(one.trace().to_string(), two.trace().to_string());
        assert_eq!(one.cached(), two.cached());
    }
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
