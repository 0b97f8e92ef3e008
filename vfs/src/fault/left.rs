//! What a power cut leaves open: every map of names, every length, every write that may be torn.
//!
//! Called by the crash lab, which decides only what somebody looks at; asks names and inodes.
//! Promise: whatever a power cut can leave is among these. Never: decides.

use super::inode::{Content, Inode};
use super::state::State;
use super::step::Ino;
use super::{FaultDisk, Live};
use crate::lock::Mutex;
use crate::tree::{Node, Tree};
use crate::{Capabilities, bytes};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

/// More maps of names than this are not told apart.
const TREES_MAX: usize = 4096;

/// How many bytes a disk writes at once.
const SECTOR: u64 = 512;

/// What is open on a disk.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    state: State,
    capabilities: Capabilities,
    /// Every map of names that can be left, the one without any pending operation first.
    pub(crate) trees: Vec<Arc<Tree<Ino>>>,
    /// Whether these are all.
    pub(crate) all_trees: bool,
    /// What is open in each file in which something is.
    pub(crate) files: BTreeMap<Ino, Arc<LeftFile>>,
}

/// What is open in one file.
#[derive(Clone, Debug)]
pub(crate) struct LeftFile {
    /// The bytes on the medium.
    pub(crate) old: Content,
    /// Every length that can be left, in order.
    pub(crate) lengths: Vec<u64>,
    /// Those of them at which no write is cut: the old one, and each after a change.
    pub(crate) ends: BTreeSet<u64>,
    /// The ends, and those lengths that cut a write beside a byte that is not zero, or at the edge of
    /// a sector: others show a run of zeros a little longer or shorter.
    pub(crate) cuts: Vec<u64>,
    /// What was laid over the old bytes, in order.
    pub(crate) parts: Vec<Part>,
    inode: Arc<Inode>,
}

/// Bytes that were laid down in one go.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Where they begin.
    pub(crate) start: u64,
    /// The bytes.
    pub(crate) bytes: Arc<[u8]>,
    /// Whether somebody wrote them; if not, growth laid zeros.
    pub(crate) written: bool,
}

impl Part {
    /// Where they end.
    pub(crate) fn end(&self) -> u64 {
        self.start + bytes::count(&self.bytes)
    }
}

impl LeftFile {
    fn new(inode: &Arc<Inode>) -> Self {
        let old = inode.medium().clone();
        let mut ends = BTreeSet::from([bytes::count(&old)]);
        let mut lengths = ends.clone();
        let mut parts = Vec::new();
        for change in inode.pending() {
            lengths.extend(change.lengths());
            ends.extend(change.lengths().next_back());
            let (zeros, (start, laid)) = (change.zeros(), change.laid());
            // Why: zeros over nothing, and under the bytes of the same write, are not seen.
            let end = zeros.end.min(bytes::count(&old));
            if zeros.start < end {
                let laid = vec![0; super::inode::index(end - zeros.start)];
                parts.push(Part { start: zeros.start, bytes: laid.into(), written: false });
            }
            if !laid.is_empty() {
                parts.push(Part { start, bytes: laid.into(), written: true });
            }
        }
        let beside = |at: u64| {
            let byte = |part: &Part| {
                part.bytes.get(super::inode::index(at.checked_sub(part.start)?)).copied()
            };
            parts.iter().filter_map(byte).any(|byte| byte != 0)
        };
        let cut = |len: &u64| {
            ends.contains(len)
                || len.is_multiple_of(SECTOR)
                || beside(*len)
                || beside(len.saturating_sub(1))
        };
        let cuts = lengths.iter().copied().filter(cut).collect();
        let lengths = lengths.into_iter().collect();
        Self { old, lengths, ends, cuts, parts, inode: inode.clone() }
    }

    /// Every version that the byte at `at` can have.
    pub(crate) fn versions(&self, at: u64) -> BTreeSet<u8> {
        self.inode.versions(at)
    }
}

impl State {
    /// Every map of names that a power cut can leave, and whether that is all of them.
    fn left_trees(&self) -> (Vec<Arc<Tree<Ino>>>, bool) {
        let mut choices: Vec<Vec<bool>> = vec![Vec::new()];
        let mut all = true;
        for at in 0..self.names.pending.len() {
            let with = choices.iter().filter(|chosen| self.names.stands(chosen, at));
            let with: Vec<_> = with.map(|chosen| [chosen.as_slice(), &[true]].concat()).collect();
            choices.iter_mut().for_each(|chosen| chosen.push(false));
            choices.extend(with);
            if choices.len() > TREES_MAX {
                // Why the ends: the fewest and the most operations are where order matters.
                choices.drain(TREES_MAX / 2..choices.len() - TREES_MAX / 2);
                all = false;
            }
        }
        let mut seen = BTreeSet::new();
        let trees = choices.iter().map(|chosen| self.names.after(chosen));
        (trees.filter(|tree| seen.insert(tree.clone())).collect(), all)
    }
}

impl Left {
    pub(super) fn new(state: &State, capabilities: Capabilities) -> Self {
        let (trees, all_trees) = state.left_trees();
        let files = trees.iter().flat_map(|tree| tree.nodes.values().filter_map(Node::file));
        let open = |ino: &Ino| !state.inode(*ino).pending().is_empty();
        let inos: BTreeSet<Ino> = files.filter(open).collect();
        let file = |ino: Ino| (ino, Arc::new(LeftFile::new(&state.inodes[&ino])));
        let files = inos.into_iter().map(file).collect();
        Self { state: state.clone(), capabilities, trees, all_trees, files }
    }

    /// What the disk can keep.
    pub(crate) const fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// The number of the next file.
    pub(crate) const fn next(&self) -> Ino {
        self.state.next
    }

    /// The bytes of a file that are on the medium for certain.
    pub(crate) fn medium(&self, ino: Ino) -> Content {
        self.state.inodes.get(&ino).map(|inode| inode.medium().clone()).unwrap_or_default()
    }

    /// The bytes of a file that everybody reads.
    pub(crate) fn cached(&self, ino: Ino) -> Content {
        self.state.inodes.get(&ino).map(|inode| inode.cached().clone()).unwrap_or_default()
    }

    /// The names that everybody sees.
    pub(crate) fn cached_names(&self) -> &Arc<Tree<Ino>> {
        &self.state.names.cached
    }

    /// The names that are on the medium for certain.
    pub(crate) fn synced_names(&self) -> Arc<Tree<Ino>> {
        self.state.names.after(&[])
    }

    /// What is open in a file, if anything is, whether or not a name of it can be left.
    pub(crate) fn open_file(&self, ino: Ino) -> Option<LeftFile> {
        let inode = self.state.inodes.get(&ino)?;
        (!inode.pending().is_empty()).then(|| LeftFile::new(inode))
    }

    /// A disk with these names and, for each file in which something was open, these bytes.
    pub(crate) fn disk(&self, tree: &Arc<Tree<Ino>>, found: &BTreeMap<Ino, Content>) -> FaultDisk {
        let content = |ino, inode: &Inode| found.get(&ino).unwrap_or(inode.medium()).clone();
        let state = self.state.durable(tree.clone(), content);
        let live = Live { state, capabilities: self.capabilities, ..Live::default() };
        FaultDisk { live: Arc::new(Mutex::new(live)) }
    }

    /// Whether everybody reads the same, where the same is open.
    pub(crate) fn reads_as(&self, other: &Self) -> bool {
        let same = |ino: &Ino| self.cached(*ino) == other.cached(*ino);
        self.cached_names() == other.cached_names() && self.files.keys().all(same)
    }

    /// What a kill leaves, with nothing open: what everybody reads is all there is. `None` if somebody is to be told of a
    /// failed sync yet.
    pub(crate) fn killed(&self) -> Option<Self> {
        let inos = self.cached_names().nodes.values().filter_map(Node::file);
        let found = inos.map(|ino| (ino, self.cached(ino))).collect();
        let told = |inode: &Arc<Inode>| inode.late || inode.errors > 0;
        (!self.state.inodes.values().any(told))
            .then(|| self.disk(self.cached_names(), &found).left())
    }

    /// The name that a file has or had, for people.
    pub(crate) fn name(&self, ino: Ino) -> String {
        let is = |node: &Node<Ino>| *node == Node::File(ino);
        let names = [&self.state.names.cached, &self.state.names.durable];
        let mut nodes = names.iter().flat_map(|tree| &tree.nodes);
        nodes.find(|(_, node)| is(node)).map_or_else(String::new, |(name, _)| String::from(&**name))
    }
}

impl FaultDisk {
    /// What a power cut here leaves open.
    pub(crate) fn left(&self) -> Left {
        let live = self.live();
        Left::new(&live.state, live.capabilities)
    }
}
