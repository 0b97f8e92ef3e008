//! The names of a fault disk as the medium and as the cache see them, and what lies between them.
//!
//! Called by `state` for every change of a name and by `cut` and `states` for what a power cut
//! leaves.
//!
//! Each pending operation on a name may be on the medium or not, whatever became of the others,
//! with one rule of file systems: operations on the same name reach the medium in order, so that
//! a rename is seen whole and a name stands for what stood there at some time. A chosen set of
//! operations therefore holds, for each operation, the earlier ones that touch a name of its own.
//!
//! Never: knows bytes.

use super::step::{Ino, Name};
use crate::name::parent;
use crate::tree::{Node, Tree};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// The names of a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) cached: Arc<Tree<Ino>>,
    pub(super) durable: Arc<Tree<Ino>>,
    pub(super) pending: Vec<NameOp>,
}

/// One operation on names that is not on the medium yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NameOp {
    /// The name that ends, and whether its directory was synced since.
    gone: Option<(Name, bool)>,
    /// The name that begins, what it stands for, and whether its directory was synced since.
    made: Option<(Name, Node<Ino>, bool)>,
}

impl NameOp {
    fn touched(&self) -> impl Iterator<Item = &Name> {
        let gone = self.gone.iter().map(|(name, _)| name);
        gone.chain(self.made.iter().map(|(name, _, _)| name))
    }

    /// The directories that are to be synced for this.
    pub(super) fn dirs(&self) -> impl Iterator<Item = &str> {
        self.touched().map(|name| parent(name))
    }

    /// What it gives a name.
    pub(super) fn node(&self) -> Option<Node<Ino>> {
        self.made.as_ref().map(|(_, node, _)| *node)
    }

    fn meets(&self, other: &Self) -> bool {
        self.touched().any(|name| other.touched().any(|other| name == other))
    }

    fn apply(&self, tree: &mut Tree<Ino>) {
        if let Some((name, _)) = &self.gone {
            tree.nodes.remove(name);
        }
        if let Some((name, node, _)) = &self.made {
            tree.nodes.insert(name.clone(), *node);
        }
    }

    /// Notes that `dir` was synced; says whether no other directory is to be synced for this.
    fn synced(&mut self, dir: &str) -> bool {
        if let Some((name, synced)) = &mut self.gone {
            *synced |= parent(name) == dir;
        }
        if let Some((name, _, synced)) = &mut self.made {
            *synced |= parent(name) == dir;
        }
        self.gone.as_ref().is_none_or(|gone| gone.1) && self.made.as_ref().is_none_or(|made| made.2)
    }
}

impl fmt::Display for NameOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.gone, &self.made) {
            (Some((from, _)), Some((to, _, _))) => write!(f, "rename {from} {to}"),
            (Some((name, _)), None) => write!(f, "remove {name}"),
            (None, Some((name, Node::Dir, _))) => write!(f, "create_dir {name}"),
            (None, Some((name, Node::File(_), _))) => write!(f, "create {name}"),
            (None, None) => Ok(()),
        }
    }
}

impl Names {
    /// Names that are all on the medium.
    pub(super) fn durable(tree: Arc<Tree<Ino>>) -> Self {
        Self { cached: tree.clone(), durable: tree, pending: Vec::new() }
    }

    /// Gives something new a name.
    pub(super) fn make(&mut self, name: &Name, node: Node<Ino>) {
        self.push(NameOp { gone: None, made: Some((name.clone(), node, false)) });
    }

    /// Takes a name away.
    pub(super) fn end(&mut self, name: &Name) {
        self.push(NameOp { gone: Some((name.clone(), false)), made: None });
    }

    /// Gives a file another name. Not atomic, it is two operations that know nothing of each other.
    pub(super) fn rename(&mut self, from: &Name, to: &Name, atomic: bool) {
        let Some(node) = self.cached.nodes.get(from).copied() else { return };
        if from == to {
            return;
        }
        if atomic {
            let made = Some((to.clone(), node, false));
            self.push(NameOp { gone: Some((from.clone(), false)), made });
        } else {
            self.make(to, node);
            self.end(from);
        }
    }

    fn push(&mut self, op: NameOp) {
        op.apply(Arc::make_mut(&mut self.cached));
        self.pending.push(op);
    }

    /// Makes the names directly in `dir` durable, and what they need.
    pub(super) fn sync(&mut self, dir: &str) {
        let mut chosen: Vec<bool> = self.pending.iter_mut().map(|op| op.synced(dir)).collect();
        self.add_needed(&mut chosen);
        if !chosen.contains(&true) {
            return;
        }
        let durable = Arc::make_mut(&mut self.durable);
        let mut at = 0;
        self.pending.retain(|op| {
            let persists = chosen[at];
            at += 1;
            if persists {
                op.apply(durable);
            }
            !persists
        });
    }

    /// Lays `name` for `node` onto the medium and into the cache, past what is pending.
    pub(super) fn plant(&mut self, name: &Name, node: Option<Node<Ino>>) {
        self.pending.retain(|op| !op.touched().any(|touched| touched == name));
        for tree in [&mut self.cached, &mut self.durable] {
            let nodes = &mut Arc::make_mut(tree).nodes;
            match node {
                Some(node) => nodes.insert(name.clone(), node),
                None => nodes.remove(name),
            };
        }
    }

    /// Adds the earlier operations without which the chosen ones make no sense.
    pub(super) fn add_needed(&self, chosen: &mut [bool]) {
        for later in (0..chosen.len()).rev() {
            if !chosen[later] {
                continue;
            }
            for (chosen, earlier) in chosen[..later].iter_mut().zip(&self.pending) {
                *chosen |= self.pending[later].meets(earlier);
            }
        }
    }

    /// Takes out the later operations that make no sense without those that are not chosen.
    pub(super) fn drop_orphaned(&self, chosen: &mut [bool]) {
        for later in 0..chosen.len() {
            chosen[later] &= self.stands(chosen, later);
        }
    }

    /// Whether the earlier operations that operation `at` needs are all chosen.
    pub(super) fn stands(&self, chosen: &[bool], at: usize) -> bool {
        (0..at).all(|earlier| chosen[earlier] || !self.pending[at].meets(&self.pending[earlier]))
    }

    /// The names on the medium if these pending operations reached it and no others.
    pub(super) fn after(&self, chosen: &[bool]) -> Arc<Tree<Ino>> {
        // Why: most cuts meet a disk whose names are all durable.
        if self.pending.is_empty() {
            return self.durable.clone();
        }
        let mut tree = Tree::clone(&self.durable);
        let chosen = self.pending.iter().zip(chosen).filter(|(_, chosen)| **chosen);
        chosen.for_each(|(op, _)| op.apply(&mut tree));
        tree.prune();
        Arc::new(tree)
    }

    /// The pending operations that `name` and the directories above it need to be there.
    pub(super) fn making(&self, name: &str) -> Vec<bool> {
        let is_above = |made: &Name| {
            name.strip_prefix(&**made).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut chosen: Vec<bool> =
            self.pending.iter().map(|op| op.touched().any(is_above)).collect();
        self.add_needed(&mut chosen);
        chosen
    }

    /// Whether any name, cached, durable or on its way, stands for this file.
    pub(super) fn refer_to(&self, ino: Ino) -> bool {
        let node = Node::File(ino);
        self.cached.nodes.values().chain(self.durable.nodes.values()).any(|found| *found == node)
            || self.pending.iter().any(|op| op.made.as_ref().is_some_and(|made| made.1 == node))
    }
}
