//! What was tried at points of second lives, by what was open on the disk there.
//!
//! Called by the explorer. Many lives come to disks that differ only where no recovery looks: a torn tail behind the end
//! that the manifest knows, a log that is no longer named. What recovery shows there does not depend on the life, so it
//! runs once; what is allowed does, so that is asked each time.

use super::found::{Bound, index};
use super::model::Model;
use super::print::Print;
use super::wreck::{stale_of, used};
use crate::bytes;
use crate::fault::{Content, Ino, Left};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Where recoveries looked.
pub(super) type Looked = BTreeMap<Ino, Look>;

/// How far recoveries looked into a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// They have read no byte behind this one.
    pub(super) end: u64,
    /// They have learned how long it is.
    pub(super) len: bool,
}

/// Looks of so many kinds are told apart for the same names; points of more are tried each time.
const KINDS_MAX: usize = 64;

/// What was shown at a point: outcomes by their numbers, and whether power was cut.
type Shown = BTreeSet<(usize, bool)>;

/// Points at which everything was tried and nothing was wrong.
pub(super) struct Known<Seen> {
    /// By the names that can be left.
    points: BTreeMap<u128, Vec<Alike>>,
    numbers: BTreeMap<Seen, usize>,
    seen: Vec<Seen>,
    contents: Contents,
}

/// Points at which all recoveries together have looked at the same places.
struct Alike {
    looked: Looked,
    /// By what stands there.
    shown: BTreeMap<u128, Shown>,
}

/// What is open at a point, without the bytes.
pub(super) struct Open<'a> {
    left: &'a Left,
    garbage: bool,
    names: u128,
}

impl<'a> Open<'a> {
    pub(super) fn new(left: &'a Left, model: &Model) -> Self {
        let mut print = Print::default();
        print.word(left.trees.len() as u64);
        left.trees.iter().for_each(|tree| print.names(tree));
        print.names(left.cached_names());
        let bound = Bound::of(left.files.values().map(|file| &**file), model);
        if !bound.whole {
            print.word(bound.torn as u64);
            print.word(bound.free.into());
        }
        Self { left, garbage: model.garbage, names: print.number() }
    }
}

/// Contents of this many files are remembered.
const CONTENTS_MAX: usize = 256;

/// Numbers of contents that most lives have in common, by where they lie in memory; each is held, so that nothing else
/// comes to lie there.
#[derive(Default)]
struct Contents {
    prints: BTreeMap<usize, (Content, u128, usize)>,
}

impl Contents {
    /// The number of a content, and how many of its bytes are used.
    fn of(&mut self, content: &Content) -> (u128, usize) {
        let at = Arc::as_ptr(content).addr();
        if let Some((_, print, used)) = self.prints.get(&at) {
            return (*print, *used);
        }
        if self.prints.len() >= CONTENTS_MAX {
            self.prints.clear();
        }
        let mut print = Print::default();
        print.bytes(content);
        let (number, used) = (print.number(), used(content));
        self.prints.insert(at, (content.clone(), number, used));
        (number, used)
    }

    /// What stands where somebody looked: the bytes in front if nothing is open in a file, else all that can be there.
    fn print(&mut self, open: &Open<'_>, looked: &Looked) -> u128 {
        let mut print = Print::default();
        for (ino, look) in looked {
            print.word(*ino);
            let medium = open.left.medium(*ino);
            let file = open.left.files.get(ino);
            print.word(file.is_some().into());
            let front = index(look.end).min(medium.len());
            if look.len && front < medium.len() {
                print.word(bytes::count(&medium));
            }
            if file.is_none() && !(look.len && front == medium.len()) {
                print.bytes(&medium[..front]);
                continue;
            }
            print.long(self.of(&medium).0);
            if let Some(file) = file {
                print.long(self.of(&open.left.cached(*ino)).0);
                print.open(file);
                if open.garbage {
                    // Why not all: no byte of it comes to stand behind the end of the file.
                    let longest = file.lengths.last().map_or(0, |longest| index(*longest));
                    let stale = stale_of(open.left, *ino, |content| self.of(content).1);
                    print.bytes(&stale[..longest.min(stale.len())]);
                }
            }
        }
        print.number()
    }
}

impl<Seen> Default for Known<Seen> {
    fn default() -> Self {
        let (points, numbers) = (BTreeMap::new(), BTreeMap::new());
        Self { points, numbers, seen: Vec::new(), contents: Contents::default() }
    }
}

impl<Seen: Clone + Ord> Known<Seen> {
    /// Where recoveries have looked at a point like this, what they have shown, and whether power was cut.
    pub(super) fn get(
        &mut self,
        open: &Open<'_>,
    ) -> Option<(&Looked, impl Iterator<Item = (&Seen, bool)>)> {
        let Self { points, seen, contents, .. } = self;
        let mut alike = points.get(&open.names)?.iter();
        let (looked, shown) = alike.find_map(|Alike { looked, shown }| {
            Some((looked, shown.get(&contents.print(open, looked))?))
        })?;
        Some((looked, shown.iter().map(|(number, power)| (&seen[*number], *power))))
    }

    pub(super) fn put<'a>(
        &mut self,
        open: &Open<'_>,
        looked: &Looked,
        shown: impl Iterator<Item = (&'a Seen, bool)>,
    ) where
        Seen: 'a,
    {
        let shown = shown.map(|(seen, power)| (self.number(seen), power)).collect();
        let points = self.points.entry(open.names).or_default();
        let print = self.contents.print(open, looked);
        if let Some(alike) = points.iter_mut().find(|alike| alike.looked == *looked) {
            alike.shown.insert(print, shown);
        } else if points.len() < KINDS_MAX {
            let (looked, shown) = (looked.clone(), BTreeMap::from([(print, shown)]));
            points.push(Alike { looked, shown });
        }
    }

    fn number(&mut self, seen: &Seen) -> usize {
        if let Some(number) = self.numbers.get(seen) {
            return *number;
        }
        let next = self.seen.len();
        self.seen.push(seen.clone());
        self.numbers.insert(seen.clone(), next);
        next
    }
}

/// Takes in where somebody else looked.
pub(super) fn look_too(looked: &mut Looked, other: &Looked) {
    for (ino, other) in other {
        look(looked, *ino, *other);
    }
}

/// Takes in one look into a file.
pub(super) fn look(looked: &mut Looked, ino: Ino, other: Look) {
    let look = looked.entry(ino).or_default();
    *look = Look { end: look.end.max(other.end), len: look.len || other.len };
}
