//! A component that runs out of fuel, at every point of a short call, and then the power is cut. What is left is recovered
//! natively and inside the sandbox, the same both ways.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelstone::vfs::FaultDisk;
use keelstone::{Batch, Durability, Layout, ManualClock, Options};
use keelstone_host::engine::{Engine, Error};
use keelstone_host::sandbox::{Limits, SandboxDb};
use keelstone_tests::disk::sandbox;
use keelstone_tests::shape::Shape;

use crate::aftermath::{Aftermath, State};

/// What is called with little fuel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Open,
    Put,
    Compact,
    Close,
}

fn options(layout: Layout) -> Options {
    Shape { layout, memtable_bytes: 1024, ..Shape::TINY }.options(&ManualClock::new(0))
}

/// A small batch, whose keys all end so.
fn batch(end: &str, value: &str) -> Batch {
    let mut batch = Batch::new();
    batch.put(format!("a{end}"), value).put(format!("b{end}"), value);
    batch
}

fn open(disk: &FaultDisk, layout: Layout, fuel: Option<u64>) -> Result<SandboxDb, Error> {
    let fuel = fuel.unwrap_or(Limits::default().fuel);
    let limits = Limits { fuel, ..Limits::default() };
    let db = sandbox().with_limits(limits).open(Arc::new(disk.clone()), &options(layout))?;
    db.set_fuel(Limits::default().fuel);
    Ok(db)
}

/// Something durable, an overwritten value of it, and then the call with so much fuel: what came of it, and the fuel that it
/// took.
fn run(call: Call, layout: Layout, fuel: u64) -> (FaultDisk, Result<u64, Error>) {
    let disk = FaultDisk::recording();
    let first = open(&disk, layout, None).unwrap();
    first.write(&batch("1", "old"), Durability::Durable).unwrap();
    first.write(&batch("1", "new"), Durability::Durable).unwrap();
    let used = |db: &SandboxDb| fuel - db.fuel_left();
    let result = match call {
        Call::Open => {
            drop(first);
            open(&disk, layout, Some(fuel)).map(|db| used(&db))
        }
        Call::Put => {
            first.set_fuel(fuel);
            first.write(&batch("2", "new"), Durability::Durable).map(|_| used(&first))
        }
        Call::Compact => {
            first.set_fuel(fuel);
            first.compact().map(|()| used(&first))
        }
        Call::Close => {
            first.set_fuel(fuel);
            first.close().map(|()| used(&first))
        }
    };
    (disk, result)
}

/// What the store may show after a crash: the state before a put, and the one after it.
fn states() -> [State; 2] {
    [&["1"][..], &["1", "2"]].map(|ends| {
        let keys = ends.iter().flat_map(|end| [format!("a{end}"), format!("b{end}")]);
        keys.map(|key| (key.into_bytes(), b"new".to_vec())).collect()
    })
}

/// What a run with so much fuel came to: the steps of the disk, and whether the call ended before its end.
type Place = (usize, bool);

/// Runs, and the different places that they came to, each of which was looked at once.
struct Starved {
    call: Call,
    layout: Layout,
    /// The fuel that the call takes.
    needed: u64,
    runs: usize,
    cuts: BTreeMap<Place, usize>,
    aftermath: Aftermath,
}

impl Starved {
    fn new(call: Call, layout: Layout) -> Self {
        let needed = run(call, layout, 1 << 30).1.unwrap();
        let aftermath = Aftermath::new(options(layout));
        Self { call, layout, needed, runs: 0, cuts: BTreeMap::new(), aftermath }
    }

    fn with(&mut self, fuel: u64) -> Place {
        let (call, layout) = (self.call, self.layout);
        let (disk, result) = run(call, layout, fuel);
        self.runs += 1;
        let place = (disk.trace().len(), result.is_err());
        // Why not sooner: the last instructions of a call are not counted before it returns.
        assert!(!place.1 || fuel < self.needed, "{call:?} with {fuel} of {}", self.needed);
        if let Err(error) = result {
            assert!(format!("{error}").contains("more fuel than its limit"), "{call:?}: {error}");
        }
        if !self.cuts.contains_key(&place) {
            let cuts = self.check(&disk, !place.1);
            self.cuts.insert(place, cuts);
        }
        place
    }

    /// Every state that a power cut leaves: before the put or after it; after it if it was acknowledged.
    fn check(&mut self, disk: &FaultDisk, acknowledged: bool) -> usize {
        let states = states();
        let allowed = match (self.call, acknowledged) {
            (Call::Put, true) => &states[1..],
            (Call::Put, false) => &states[..],
            _ => &states[..1],
        };
        self.aftermath.check(disk, allowed, 0, &format!("{:?}", self.call)).iter().sum()
    }

    /// All places between two amounts of fuel.
    ///
    /// Why the halves: with more fuel a call only comes further.
    fn between(&mut self, low: (u64, Place), high: (u64, Place)) {
        assert!(low.1.0 <= high.1.0, "{:?}: less fuel came further", self.call);
        let middle = low.0.midpoint(high.0);
        if low.1 != high.1 && middle != low.0 {
            let place = self.with(middle);
            self.between(low, (middle, place));
            self.between((middle, place), high);
        }
    }

    fn tell(&self) {
        let Self { call, layout, needed, runs, cuts, aftermath } = self;
        let (places, cuts) = (cuts.len(), cuts.values().sum::<usize>());
        let images = aftermath.images();
        println!(
            "{call:?} {layout:?}: fuel={needed} runs={runs} places={places} cuts={cuts} images={images}"
        );
        assert!(places > 3, "{call:?} was stopped at {places} places only");
    }
}

// Every third unit of fuel, in the ordered layout every seventh: fuel is looked at where functions and loops begin, and most
// of those are longer.
#[test]
fn put_that_runs_out_of_fuel_is_whole_or_not_there() {
    for (layout, step) in [(Layout::Hash, 3), (Layout::Ordered, 7)] {
        let mut starved = Starved::new(Call::Put, layout);
        for fuel in (0..starved.needed + 7).step_by(step) {
            starved.with(fuel);
        }
        starved.tell();
    }
}

// Every place on the disk that a lack of fuel can lead to.
#[test]
fn long_calls_that_run_out_of_fuel_lose_nothing() {
    for layout in [Layout::Hash, Layout::Ordered] {
        for call in [Call::Open, Call::Compact, Call::Close] {
            let mut starved = Starved::new(call, layout);
            let enough = starved.needed;
            let (none, all) = (starved.with(0), starved.with(enough));
            starved.between((0, none), (enough, all));
            starved.tell();
        }
    }
}
