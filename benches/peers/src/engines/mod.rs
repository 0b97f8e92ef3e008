//! The stores that are compared, each in a file of its own.

mod floors;
mod keelstone;

use std::path::Path;

use ::keelstone::Layout;

use crate::peer::{Engine, Peer};

/// What the names of Keelstone's layouts begin with.
pub const OURS: &str = "keelstone";

/// Every engine of this build, Keelstone first and the floors last.
#[must_use]
pub fn all() -> Vec<Engine> {
    let store = |name, open| Engine { name, open, floor: false };
    let floor = |name, open| Engine { name, open, floor: true };
    vec![
        store("keelstone-hash", |dir| Box::new(keelstone::Keelstone::open(dir, Layout::Hash))),
        floor("append", |dir| Box::new(floors::Append::open(dir))),
        floor("hashmap", |dir| boxed(floors::Hashed::default(), dir)),
        floor("btreemap", |dir| boxed(floors::Sorted::default(), dir)),
    ]
}

/// A map in memory leaves the directory alone.
fn boxed(map: impl Peer + 'static, _: &Path) -> Box<dyn Peer> {
    Box::new(map)
}
