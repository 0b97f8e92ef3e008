//! A store to read from, with a floor that reads the same bytes in the same order.

use keelstone::{Db, Durability};
use tempfile::TempDir;

use crate::floor::{Place, ReadFloor};
use crate::keys::{ABSENT, Key, key, number_in, shuffled};
use crate::store::{self, Traffic};

/// A store that was loaded, closed and opened again, and one random order of its keys.
pub struct Reads {
    db: Db,
    floor: ReadFloor,
    /// Operation n reads the n-th of each.
    keys: Vec<Key>,
    absent: Vec<Key>,
    places: Vec<Place>,
    _dir: TempDir,
}

impl Reads {
    /// Builds the store of `count` keys.
    ///
    /// # Panics
    /// If the disk refuses.
    #[must_use]
    pub fn new(count: u64) -> Self {
        let dir = store::scratch();
        let db = store::open(dir.path(), store::options(Durability::Buffered));
        store::load(&db, 0..count);
        db.close().expect("the store closes");
        let bytes = Traffic::count().get_bytes;
        let (floor, found) = ReadFloor::find(dir.path(), (0..count).map(key), bytes);
        let order = shuffled(count);
        let index = |number: &u64| usize::try_from(*number).expect("it is in memory");
        let db = store::open(dir.path(), store::options(Durability::Buffered));
        Self {
            db,
            floor,
            keys: order.iter().map(|number| key(*number)).collect(),
            absent: order.iter().map(|number| key(ABSENT + number)).collect(),
            places: order.iter().map(|number| found[index(number)]).collect(),
            _dir: dir,
        }
    }

    /// Operations until the order is through.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is nothing to read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The bare read of operation `n`; gives the number in the value.
    #[inline]
    #[must_use]
    pub fn floor(&self, n: usize) -> u64 {
        self.floor.read(self.places[n])
    }

    /// The get of operation `n`; gives the number in the value.
    ///
    /// # Panics
    /// If the key is not there.
    #[inline]
    #[must_use]
    pub fn get(&self, n: usize) -> u64 {
        let value = self.db.get(self.keys[n]).expect("a get").expect("the key is there");
        number_in(&value)
    }

    /// The get of a key that is not there; gives 1.
    ///
    /// # Panics
    /// If it is there.
    #[inline]
    #[must_use]
    pub fn miss(&self, n: usize) -> u64 {
        let value = self.db.get(self.absent[n]).expect("a get");
        u64::from(value.is_none())
    }
}
