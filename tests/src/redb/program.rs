//! What the guinea pig does: a list of commits, each with what it puts and removes, and the content after each of them.
//!
//! Called by the exploration; pure. Promise: the same program gives the same bytes, always.

use std::collections::BTreeMap;

use crate::index;
use crate::rng::Rng;

/// The tables of a program.
pub const TABLES: [&str; 2] = ["first", "second"];

/// What all tables hold: by table and key.
pub type Content = BTreeMap<(usize, u64), Vec<u8>>;

/// One change of one key.
#[derive(Clone, Debug)]
pub enum Change {
    /// The key of this table gets this value.
    Put(usize, u64, Vec<u8>),
    /// The key of this table goes.
    Remove(usize, u64),
}

/// Some commits, one after the other, each durable when it returns.
#[derive(Clone, Debug)]
pub struct Program {
    /// What a report calls it.
    pub name: &'static str,
    /// What each commit changes.
    pub commits: Vec<Vec<Change>>,
}

impl Program {
    /// Few keys, changed again and again: a commit writes some pages and the header.
    #[must_use]
    pub fn small() -> Self {
        let mut rng = Rng::new(1290);
        let commit = |n: u64| {
            let put = |at: u64| put(&mut rng, index(at % 2), (n * 3 + at) % 11, 60);
            let mut changes: Vec<Change> = (0..5).map(put).collect();
            changes.push(Change::Remove(index(n % 2), n % 11));
            changes
        };
        Self { name: "small", commits: (0..5).map(commit).collect() }
    }

    /// Values so large that the file grows, and that go again.
    #[must_use]
    pub fn growing() -> Self {
        let mut rng = Rng::new(1276);
        let small = |rng: &mut Rng, n: u64| vec![put(rng, 0, n, 60), put(rng, 1, n, 60)];
        let mut large = small(&mut rng, 1);
        large.extend((10..15).map(|key| put(&mut rng, 0, key, 140 << 10)));
        let mut gone = small(&mut rng, 2);
        gone.extend((10..15).map(|key| Change::Remove(0, key)));
        let commits = vec![small(&mut rng, 0), large, gone, small(&mut rng, 3), small(&mut rng, 4)];
        Self { name: "growing", commits }
    }

    /// What the tables hold before the first commit and after each.
    #[must_use]
    pub fn contents(&self) -> Vec<Content> {
        let mut contents = vec![Content::new()];
        for commit in &self.commits {
            let mut content = contents.last().expect("the empty one is there").clone();
            for change in commit {
                match change {
                    Change::Put(table, key, value) => {
                        content.insert((*table, *key), value.clone());
                    }
                    Change::Remove(table, key) => {
                        content.remove(&(*table, *key));
                    }
                }
            }
            contents.push(content);
        }
        contents
    }
}

/// A put of so many bytes that follow from the stream.
fn put(rng: &mut Rng, table: usize, key: u64, len: usize) -> Change {
    let mut value = Vec::with_capacity(len + 8);
    while value.len() < len {
        value.extend(rng.bits().to_le_bytes());
    }
    value.truncate(len);
    Change::Put(table, key, value)
}
