//! What a power cut left, still open: a disk that decides what it holds when somebody looks.
//!
//! Called by whatever recovers from the crash, as any disk, and by the explorer, which gives it the choices and takes
//! them back. The idea is that of Jaaru (ASPLOS 2021), for files: whatever recovery does not look at cannot change what
//! it does, so it is not decided; two crashes that agree on everything that was looked at are one.
//!
//! Promise: V1 to V14; the same choices decide the same things. A sync does nothing: the second crash is made on a disk
//! of its own, see the explorer. Never: more than one thread at a time, or it would not be deterministic.

use super::choices::Choices;
use super::found::{Bound, Deciding, Found, Fresh, lengths};
use super::known::{Look, Looked, look};
use super::model::Model;
use super::print::Print;
use super::remains::{Remains, remains};
use super::words::Words;
use crate::fault::{Content, FaultDisk, Ino, Left, LeftFile};
use crate::lock::{Mutex, MutexGuard};
use crate::tree::{Node, Tree};
use crate::{Access, Capabilities, Error, File, Kind, Lock, Op, Result, SyncMode, Vfs, bytes};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What is the same for all wrecks of one crash point.
#[derive(Debug)]
pub(super) struct Site {
    left: Left,
    model: Model,
    bound: Bound,
    /// For stale bytes: what else lies on the disk.
    stale: BTreeMap<Ino, Arc<Vec<u8>>>,
    fresh: Option<(Ino, Fresh)>,
}

impl Site {
    /// What a crash leaves open on `left`. With `before`, what was open one step earlier: what shows nothing of the step
    /// is left out, because it was tried there.
    pub(super) fn new(mut left: Left, model: &Model, before: Option<&Left>) -> Self {
        let bound = Bound::of(left.files.values().map(|file| &**file), model);
        let stale = |ino: &Ino| (*ino, stale(&left, *ino));
        let stale = left.files.keys().map(stale).collect();
        let fresh = before.and_then(|before| newest(&mut left, before, model));
        Self { left, model: model.clone(), bound, stale, fresh }
    }

    /// In words, what is not tried.
    pub(super) fn bounded(&self) -> impl Iterator<Item = String> {
        let k = self.bound.torn;
        let writes = match (self.bound.whole, self.bound.free) {
            (true, _) => None,
            (false, true) => Some(format!("at most {k} writes torn at once")),
            (false, false) => Some(format!("a prefix of the writes of each file, {k} deviates")),
        };
        let names = (!self.left.all_trees).then(|| String::from("not all maps of names"));
        writes.into_iter().chain(names)
    }

    /// How many states there would be if everything were decided at once, as a power of ten.
    pub(super) fn states_log10(&self) -> f64 {
        let files = self.left.files.values();
        let logs = files.map(|file| {
            let parts = file.parts.iter().map(|part| log10(4 * part.bytes.len() as u64));
            parts.sum::<f64>() + log10(lengths(file, &self.model).len() as u64)
        });
        logs.sum::<f64>() + log10(self.left.trees.len() as u64)
    }
}

/// The logarithm without the standard library: digits, and a straight line between them.
fn log10(n: u64) -> f64 {
    let n = n.max(1);
    let digits = n.ilog10();
    f64::from(digits) + (n as f64 / 10f64.powi_of(digits) - 1.0) / 9.0
}

/// Whole powers without the standard library.
trait Power {
    fn powi_of(self, n: u32) -> f64;
}

impl Power for f64 {
    fn powi_of(self, n: u32) -> f64 {
        (0..n).fold(1.0, |product, _| product * self)
    }
}

/// What a reused block of a file may hold: the bytes of the other file that uses most.
fn stale(left: &Left, ino: Ino) -> Content {
    stale_of(left, ino, |content| used(content))
}

/// The same, where somebody knows how many bytes are used.
pub(super) fn stale_of(left: &Left, ino: Ino, used: impl FnMut(&Content) -> usize) -> Content {
    let nodes = left.trees.iter().flat_map(|tree| tree.nodes.values().filter_map(Node::file));
    let others = nodes.filter(|other| *other != ino).map(|other| left.medium(other));
    others.max_by_key(used).unwrap_or_default()
}

/// How many bytes of a content are not zero.
pub(super) fn used(content: &[u8]) -> usize {
    content.iter().filter(|byte| **byte != 0).count()
}

/// What one step has added, if that can be told; names that were possible before go out of `left`.
fn newest(left: &mut Left, before: &Left, model: &Model) -> Option<(Ino, Fresh)> {
    if left.trees.len() > before.trees.len() {
        left.trees.retain(|tree| !before.trees.contains(tree));
        return None;
    }
    let grown = |(ino, file): (&Ino, &Arc<LeftFile>)| {
        let Some(old) = before.files.get(ino) else {
            let lengths = Vec::from([bytes::count(&file.old)]);
            return Some((*ino, Fresh { parts: 0, lengths }));
        };
        // Why: a length at which a write was cut, and now none is, leaves more open than before.
        let same = |len: &&u64| old.ends.contains(len) || !file.ends.contains(len);
        let known: Vec<u64> = lengths(old, model).iter().filter(same).copied().collect();
        let parts = old.parts.len();
        let more = file.parts.len() > parts || lengths(file, model).len() > known.len();
        more.then_some((*ino, Fresh { parts, lengths: known }))
    };
    left.files.iter().find_map(grown)
}

/// A disk after a power cut, as far as it is decided.
struct Wreck {
    site: Arc<Site>,
    choices: Choices,
    words: Words,
    /// The maps of names that are still possible, with all changes since.
    trees: Vec<Arc<Tree<Ino>>>,
    /// The one among the site's that the first of them was.
    chosen: Vec<usize>,
    files: BTreeMap<Ino, Found>,
    next: Ino,
    locks: BTreeSet<Arc<str>>,
    /// Where somebody looked at what the crash left.
    looked: Looked,
    /// How many writes were found torn.
    torn: usize,
    /// A number that stands for all changes.
    changes: u128,
}

/// A wreck as a disk. A clone is the same disk.
#[derive(Clone)]
pub(super) struct WreckDisk {
    wreck: Arc<Mutex<Wreck>>,
}

impl WreckDisk {
    /// A wreck that decides by `choices`, and keeps words if they are wanted.
    pub(super) fn new(site: &Arc<Site>, choices: Choices, words: bool) -> Self {
        let trees = site.left.trees.clone();
        let chosen = (0..trees.len()).collect();
        let (files, locks, next) = (BTreeMap::new(), BTreeSet::new(), site.left.next());
        let words = Words::new(words);
        let site = site.clone();
        let (looked, torn, changes) = Default::default();
        let wreck = Wreck {
            site,
            choices,
            words,
            trees,
            chosen,
            files,
            next,
            locks,
            looked,
            torn,
            changes,
        };
        Self { wreck: Arc::new(Mutex::new(wreck)) }
    }

    fn wreck(&self) -> MutexGuard<'_, Wreck> {
        self.wreck.lock()
    }

    /// The choices, so far.
    pub(super) fn choices(&self) -> Choices {
        self.wreck().choices.clone()
    }

    /// What was decided, in words.
    pub(super) fn words(&self) -> Vec<String> {
        self.wreck().words.lines.clone()
    }

    /// A number that stands for everything that was changed since the crash.
    pub(super) fn changes(&self) -> u128 {
        self.wreck().changes
    }

    /// A number that stands for everything that the crash left and somebody looked at.
    pub(super) fn decided(&self) -> u128 {
        let wreck = self.wreck();
        let left = &wreck.site.left;
        let mut print = Print::default();
        for (name, node) in &left.trees[wreck.chosen[0]].nodes {
            print.bytes(name.as_bytes());
            print.word(node.file().unwrap_or(Ino::MAX));
        }
        for (ino, found) in wreck.files.iter().filter(|(ino, _)| **ino < left.next()) {
            print.word(*ino);
            print.bytes(found.bytes());
        }
        print.number()
    }

    /// Where somebody looked at what the crash left.
    pub(super) fn looked(&self) -> Looked {
        self.wreck().looked.clone()
    }

    /// The disk that the crash left, all of it durable: what nobody looked at is as it was on the medium.
    pub(super) fn disk(&self) -> FaultDisk {
        let wreck = self.wreck();
        let found = wreck.files.iter().filter(|(ino, _)| wreck.site.left.files.contains_key(*ino));
        let found = found.map(|(ino, found)| (*ino, found.bytes().clone())).collect();
        wreck.site.left.disk(&wreck.site.left.trees[wreck.chosen[0]], &found)
    }

    /// What was decided of each file that somebody looked at.
    pub(super) fn remains(&self) -> Vec<Remains> {
        let wreck = self.wreck();
        let left = &wreck.site.left;
        let found = wreck.files.iter().filter(|(ino, _)| left.files.contains_key(*ino));
        let decided = found.map(|(ino, found)| found.decided(*ino)).collect();
        remains(left, &left.trees[wreck.chosen[0]], decided)
    }

    fn handle(&self, ino: Ino, access: Access) -> Box<dyn File> {
        Box::new(WreckFile { wreck: self.wreck.clone(), ino, access })
    }
}

impl Wreck {
    /// Decides what `look` sees in the map of names; all that remain possible look the same.
    fn settle<T>(&mut self, look: impl Fn(&Tree<Ino>) -> T, what: impl Fn() -> String)
    where
        T: PartialEq,
    {
        if self.trees.len() == 1 {
            return;
        }
        let seen: Vec<T> = self.trees.iter().map(|tree| look(tree)).collect();
        let mut ways: Vec<&T> = Vec::new();
        for view in &seen {
            if !ways.contains(&view) {
                ways.push(view);
            }
        }
        if ways.len() < 2 {
            return;
        }
        let way = ways[self.choices.pick(ways.len())];
        let mut at = 0;
        self.trees.retain(|_| {
            at += 1;
            seen[at - 1] == *way
        });
        at = 0;
        self.chosen.retain(|_| {
            at += 1;
            seen[at - 1] == *way
        });
        self.words.names(|| {
            let names: Vec<&str> = self.trees[0].nodes.keys().map(|name| &**name).collect();
            format!("names when looking for {}: {}", what(), names.join(" "))
        });
    }

    /// Decides what stands under a name.
    fn settle_name(&mut self, name: &str) {
        self.settle(|tree| tree.nodes.get(name).copied(), || String::from(name));
        // Why: whether its directory is there matters too.
        let parent = crate::name::parent(name);
        if !parent.is_empty() {
            self.settle(|tree| tree.nodes.get(parent).copied(), || String::from(parent));
        }
    }

    fn tree(&self) -> &Tree<Ino> {
        &self.trees[0]
    }

    /// Changes the names, whichever map it is.
    fn change(&mut self, what: &str, name: &str, node: Option<Node<Ino>>) {
        for tree in &mut self.trees {
            let nodes = &mut Arc::make_mut(tree).nodes;
            match node {
                Some(node) => nodes.insert(Arc::from(name), node),
                None => nodes.remove(name),
            };
        }
        self.note(what, name.as_bytes(), 0);
    }

    /// Takes a change into the number that stands for all of them.
    fn note(&mut self, what: &str, more: &[u8], at: u64) {
        let mut print = Print::again(self.changes);
        print.word(at);
        print.bytes(what.as_bytes());
        print.bytes(more);
        self.changes = print.number();
    }

    fn create(&mut self, name: &str) -> Ino {
        let ino = self.next;
        self.next += 1;
        self.files.insert(ino, Found::whole(Arc::default()));
        self.change("create", name, Some(Node::File(ino)));
        ino
    }

    /// Notes that somebody has read bytes of a file up to `end`, or has learned its length.
    fn look(&mut self, ino: Ino, end: u64, len: bool) {
        if ino < self.site.left.next() {
            look(&mut self.looked, ino, Look { end, len });
        }
    }

    /// A file and what decides about it.
    fn found<T>(&mut self, ino: Ino, act: impl FnOnce(&mut Found, &mut Deciding<'_>) -> T) -> T {
        let Self { site, choices, words, files, torn, .. } = self;
        let found = files.entry(ino).or_insert_with(|| match site.left.files.get(&ino) {
            Some(left) => Found::open(left),
            None => Found::whole(site.left.medium(ino)),
        });
        let name = if words.wanted() { site.left.name(ino) } else { String::new() };
        let stale = site.stale.get(&ino).map_or::<&[u8], _>(&[], |stale| stale);
        let fresh = site.fresh.as_ref().filter(|(fresh, _)| *fresh == ino).map(|(_, fresh)| fresh);
        let (model, bound) = (&site.model, site.bound);
        let mut with = Deciding { model, choices, bound, torn, words, name: &name, stale, fresh };
        act(found, &mut with)
    }
}

impl Vfs for WreckDisk {
    fn capabilities(&self) -> Capabilities {
        self.wreck().site.left.capabilities()
    }

    fn open(&self, name: &str, access: Access) -> Result<Box<dyn File>> {
        let mut wreck = self.wreck();
        wreck.settle_name(name);
        let ino = *wreck.tree().file(Op::Open, name)?;
        Ok(self.handle(ino, access))
    }

    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        let mut wreck = self.wreck();
        wreck.settle_name(name);
        wreck.tree().vacant(Op::Create, name)?;
        let ino = wreck.create(name);
        Ok(self.handle(ino, Access::Write))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        let mut wreck = self.wreck();
        wreck.settle(|tree| tree.list(dir), || String::from(crate::fault::shown(dir)));
        wreck.tree().list(dir)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut wreck = self.wreck();
        wreck.settle_name(from);
        wreck.settle_name(to);
        wreck.tree().movable(from, to)?;
        let node = wreck.tree().nodes.get(from).copied();
        wreck.change("from", from, None);
        wreck.change("to", to, node);
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        let mut wreck = self.wreck();
        wreck.settle_name(name);
        wreck.tree().file(Op::Remove, name)?;
        wreck.change("remove", name, None);
        Ok(())
    }

    fn create_dir(&self, name: &str) -> Result<()> {
        let mut wreck = self.wreck();
        wreck.settle_name(name);
        wreck.tree().vacant(Op::CreateDir, name)?;
        wreck.change("create_dir", name, Some(Node::Dir));
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        let mut wreck = self.wreck();
        if !dir.is_empty() {
            wreck.settle_name(dir);
        }
        wreck.tree().dir(Op::SyncDir, dir)?;
        if !wreck.site.left.capabilities().dir_sync {
            return Err(Error::new(Op::SyncDir, Kind::Unsupported));
        }
        wreck.note("sync_dir", dir.as_bytes(), 0);
        Ok(())
    }

    fn lock(&self, name: &str, access: Access) -> Result<Box<dyn Lock>> {
        let mut wreck = self.wreck();
        wreck.settle_name(name);
        match wreck.tree().file(Op::Lock, name) {
            Err(Error { kind: Kind::NotFound, .. }) if access == Access::Write => {
                wreck.tree().vacant(Op::Lock, name)?;
                wreck.create(name);
            }
            other => other.map(|_| ())?,
        }
        let name: Arc<str> = Arc::from(name);
        if !wreck.locks.insert(name.clone()) {
            return Err(Error::new(Op::Lock, Kind::Locked));
        }
        Ok(Box::new(WreckLock { wreck: self.wreck.clone(), name }))
    }
}

/// A lock that is held.
struct WreckLock {
    wreck: Arc<Mutex<Wreck>>,
    name: Arc<str>,
}

impl Lock for WreckLock {}

impl Drop for WreckLock {
    fn drop(&mut self) {
        self.wreck.lock().locks.remove(&self.name);
    }
}

/// A file that is open.
struct WreckFile {
    wreck: Arc<Mutex<Wreck>>,
    ino: Ino,
    access: Access,
}

impl WreckFile {
    fn check(&self, op: Op) -> Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(Error::new(op, Kind::ReadOnly)),
        }
    }

    fn set_len(&self, wreck: &mut Wreck, op: Op, len: u64) -> Result<()> {
        wreck.look(self.ino, 0, true);
        wreck.found(self.ino, |found, with| {
            found.settle_len(with);
            let old = bytes::count(found.row());
            if len == old {
                return Ok(());
            }
            found.overwritten(len.min(old)..u64::MAX);
            bytes::set_len(op, found.row_mut(), len)
        })?;
        wreck.note("set_len", &self.ino.to_le_bytes(), len);
        Ok(())
    }
}

impl File for WreckFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let mut wreck = self.wreck.lock();
        let end = offset.saturating_add(bytes::count(buf));
        let (read, len) = wreck.found(self.ino, |found, with| {
            found.settle(offset..end, with);
            (bytes::read_at(found.row(), buf, offset), bytes::count(found.row()))
        });
        // Why: whoever meets the end has learned the length.
        wreck.look(self.ino, end, end > len);
        Ok(read)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> Result<()> {
        self.check(Op::Write)?;
        let end = bytes::end(Op::Write, offset, bytes::count(buf))?;
        if buf.is_empty() {
            return Ok(());
        }
        let mut wreck = self.wreck.lock();
        wreck.look(self.ino, 0, true);
        let behind = wreck.found(self.ino, |found, with| {
            found.settle_len(with);
            let old = bytes::count(found.row());
            // Why from the end: what lies between is zeros from here on.
            found.overwritten(old.min(offset)..end);
            if offset > old || end > old {
                found.overwritten(old..u64::MAX);
            }
            bytes::write_at(found.row_mut(), buf, offset)?;
            Ok(found.behind(end))
        })?;
        wreck.note("write", buf, offset ^ self.ino << 32);
        if !behind.is_empty() {
            // Why: over a torn tail a write may end where a lost one ended, and what stood behind that is valid again. What
            // was noted behind an earlier write is known, with the writes since then.
            wreck.note("behind", &behind, end);
        }
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        let mut wreck = self.wreck.lock();
        wreck.look(self.ino, 0, true);
        wreck.found(self.ino, |found, with| {
            found.settle_len(with);
            Ok(bytes::count(found.row()))
        })
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.check(Op::SetLen)?;
        self.set_len(&mut self.wreck.lock(), Op::SetLen, len)
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        self.check(Op::Allocate)?;
        let end = bytes::end(Op::Allocate, offset, len)?;
        let now = self.len()?;
        if end > now { self.set_len(&mut self.wreck.lock(), Op::Allocate, end) } else { Ok(()) }
    }

    fn sync(&self, mode: SyncMode) -> Result<()> {
        self.check(Op::Sync)?;
        self.wreck.lock().note("sync", &self.ino.to_le_bytes(), mode as u64);
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails")]
mod tests {
    use super::{Site, WreckDisk};
    use crate::crash::{Choices, Model};
    use crate::{Access, FaultDisk, SyncMode, Vfs};
    use alloc::collections::BTreeSet;
    use alloc::sync::Arc;

    /// A file in which such bytes may be there from 200 on; one is changed in front, what `read` says is looked at, then the
    /// one at `last` is changed.
    fn changes(bytes: [u8; 10], read: Option<u64>, last: u64) -> BTreeSet<(u128, [u8; 10])> {
        let disk = FaultDisk::recording();
        let file = disk.create("f").unwrap();
        file.write_at(&[1; 300], 0).unwrap();
        file.sync(SyncMode::All).unwrap();
        disk.sync_dir("").unwrap();
        file.write_at(&bytes, 200).unwrap();
        let site = Arc::new(Site::new(disk.left(), &Model::HALF, None));
        let (mut choices, mut found) = (Choices::new(), BTreeSet::new());
        loop {
            let wreck = WreckDisk::new(&site, choices, false);
            let file = wreck.open("f", Access::Write).unwrap();
            file.write_at(b"a", 0).unwrap();
            let mut bytes = [1; 10];
            if let Some(at) = read {
                file.read_at(&mut bytes, at).unwrap();
            }
            file.write_at(b"b", last).unwrap();
            found.insert((wreck.changes(), bytes));
            choices = wreck.choices();
            if !choices.advance() {
                return found;
            }
        }
    }

    // The second write may end where a lost one ended: what stands behind it by then makes a difference, though the first
    // write has noted what stood there before it was decided.
    #[test]
    fn bytes_decided_between_two_writes_make_a_difference() {
        for (bytes, last) in [([2; 10], 1), ([2; 10], 199), ([0; 10], 1), ([0; 10], 199)] {
            let found = changes(bytes, Some(200), last);
            assert!(found.len() > 2, "there, missing and torn: {found:?}");
            let different: BTreeSet<u128> = found.iter().map(|(changes, _)| *changes).collect();
            assert_eq!(different.len(), found.len(), "{bytes:?} {last} {found:?}");
        }
    }

    // What was looked at and is as it was before makes none, or lives that are alike would be crashed twice.
    #[test]
    fn bytes_decided_as_they_were_make_no_difference() {
        let of = |read| changes([2; 10], read, 1);
        let nothing = of(None);
        assert_eq!(nothing.len(), 1);
        assert_eq!(of(Some(100)), nothing);
        assert!(of(Some(200)).is_superset(&nothing), "nothing of the write is there");
    }
}
