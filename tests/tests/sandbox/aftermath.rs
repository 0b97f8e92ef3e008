//! What a component leaves when it is stopped: the states of the disk after the end of its process
//! and after power cuts, recovered natively and inside the sandbox, the same both ways.
//!
//! Called by the tests that stop a component, at the operations of its host and for want of fuel;
//! calls the engine on both sides. Promise: every image is recovered both ways, once. Never: stops a
//! component.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keelstone::vfs::{FaultDisk, Image, MemoryDisk, Vfs};
use keelstone::{Batch, Db, Durability, Options};
use keelstone_host::engine::{Engine, Error};
use keelstone_tests::disk::sandbox;
use keelstone_tests::fingerprint::fingerprint;
use keelstone_tests::rng::Rng;

/// What a store shows: its keys with their values.
pub(crate) type State = BTreeMap<Vec<u8>, Vec<u8>>;

pub(crate) fn state_of(db: &dyn Engine) -> State {
    let entries = db.snapshot().unwrap().scan().unwrap();
    entries.map(|entry| entry.unwrap()).map(|entry| (entry.key, entry.value)).collect()
}

/// The recoveries of everything that the stops of one program left.
pub(crate) struct Aftermath {
    options: Options,
    /// What recovery finds in each image, natively and inside, by the image's fingerprint.
    found: BTreeMap<u128, State>,
    /// Of the power cuts that tear a file one in so many is tried, drawn from `rng`.
    tears_one_in: u64,
    rng: Rng,
}

impl Aftermath {
    /// Every power cut.
    pub(crate) fn new(options: Options) -> Self {
        Self { options: alike(options), found: BTreeMap::new(), tears_one_in: 1, rng: Rng::new(0) }
    }

    /// Not every byte at which a file can be torn, but one in so many.
    pub(crate) fn sampled(self, tears_one_in: u64, seed: u64) -> Self {
        Self { tears_one_in, rng: Rng::new(seed), ..self }
    }

    /// How many different images there were.
    pub(crate) fn images(&self) -> usize {
        self.found.len()
    }

    /// Recovers what the end of the process leaves, which must be one of `states` from index `ended`
    /// on, and what power cuts leave, which must be any of `states`. Gives how often each was found.
    pub(crate) fn check(
        &mut self,
        disk: &FaultDisk,
        states: &[State],
        ended: usize,
        what: &str,
    ) -> Vec<usize> {
        let killed = core::iter::once(("killed".to_owned(), disk.kill(), ended));
        let cuts = disk.power_cuts().map(|(cut, left)| (cut, left, 0));
        let mut times = vec![0; states.len()];
        for (cut, left, first) in killed.chain(cuts) {
            if cut.contains(" torn after ") && self.rng.below(self.tears_one_in) > 0 {
                continue;
            }
            let what = format!("{what}, {cut}");
            let found = self.recovered(&left.cached(), &what);
            let allowed = (first..states.len()).find(|index| states[*index] == *found);
            let index = allowed.unwrap_or_else(|| {
                let allowed: Vec<_> = states[first..].iter().map(shown).collect();
                panic!("{what}: found {}, allowed {allowed:?}", shown(found))
            });
            times[index] += 1;
        }
        times
    }

    /// What recovery finds in an image; the same both ways, and the same bytes after some use.
    fn recovered(&mut self, image: &Image, what: &str) -> &State {
        let options = &self.options;
        self.found.entry(fingerprint(image)).or_insert_with(|| {
            let both = (used(image, options, false), used(image, options, true));
            let (Ok((native, left)), Ok((inside, left_inside))) = &both else {
                panic!("{what}: natively {:?}, inside {:?}", both.0.err(), both.1.err());
            };
            let (native_text, inside_text) = (shown(native), shown(inside));
            assert!(native == inside, "{what}: natively {native_text}, inside {inside_text}");
            let names: BTreeSet<&String> = left.keys().chain(left_inside.keys()).collect();
            let differ: Vec<_> =
                names.iter().filter(|name| left.get(**name) != left_inside.get(**name)).collect();
            assert!(differ.is_empty(), "{what}: not the same bytes after use in {differ:?}");
            native.clone()
        })
    }
}

/// The options that a component has when it is given these.
///
/// Why: the component's contract does not carry the sizes of tables, levels and blocks, so that it
/// has the library's, and with others the bytes differ.
fn alike(mut options: Options) -> Options {
    let default = Options::with_seed(options.seed);
    options.table_bytes = default.table_bytes;
    options.level_bytes = default.level_bytes;
    options.block_bytes = default.block_bytes;
    options
}

/// Opens the store, natively or inside, uses it and closes it: what it showed first, and the bytes
/// at the end.
fn used(image: &Image, options: &Options, inside: bool) -> Result<(State, Image), Error> {
    let disk = MemoryDisk::from_image(image);
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let db: Box<dyn Engine> = if inside {
        Box::new(sandbox().open(vfs, options)?)
    } else {
        Box::new(Db::open(vfs, options.clone())?)
    };
    let state = state_of(&*db);
    let mut after = Batch::new();
    after.put("after", "the end");
    db.write(&after, Durability::Durable)?;
    assert_eq!(db.get(b"after")?.unwrap().value, b"the end");
    db.close()?;
    Ok((state, disk.image()))
}

fn shown(state: &State) -> String {
    let entry = |(key, value): (&Vec<u8>, &Vec<u8>)| {
        format!("{}={}", key.escape_ascii(), value.escape_ascii())
    };
    state.iter().map(entry).collect::<Vec<_>>().join(" ")
}
