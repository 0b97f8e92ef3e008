//! A tree of names in memory: what stands under which name, and which operations a name allows.
//!
//! Called by the memory and the fault disk, each with its own idea of a file (`F`).
//! Promise: the name rules of V2, V3 and V5 to V8 are decided here once, for both.
//! Never: holds bytes or locks.

use crate::name::{check_dir, check_name, child, parent};
use crate::{Error, Kind, Op, Result};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node<F> {
    Dir,
    File(F),
}

impl<F: Copy> Node<F> {
    /// The file, if it is one.
    pub(crate) const fn file(&self) -> Option<F> {
        match self {
            Self::Dir => None,
            Self::File(file) => Some(*file),
        }
    }
}

/// All names below the root, in full and in order: a directory stands before what it holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tree<F> {
    pub(crate) nodes: BTreeMap<Arc<str>, Node<F>>,
}

impl<F> Default for Tree<F> {
    fn default() -> Self {
        Self { nodes: BTreeMap::new() }
    }
}

impl<F> Tree<F> {
    /// The file `name`.
    pub(crate) fn file(&self, op: Op, name: &str) -> Result<&F> {
        check_name(op, name)?;
        match self.nodes.get(name) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Dir) => Err(Error::new(op, Kind::BadName)),
            None => Err(Error::new(op, Kind::NotFound)),
        }
    }

    /// Whether `dir` is a directory.
    pub(crate) fn dir(&self, op: Op, dir: &str) -> Result<()> {
        check_dir(op, dir)?;
        match self.nodes.get(dir) {
            _ if dir.is_empty() => Ok(()),
            Some(Node::Dir) => Ok(()),
            Some(Node::File(_)) => Err(Error::new(op, Kind::BadName)),
            None => Err(Error::new(op, Kind::NotFound)),
        }
    }

    /// Whether something new can be called `name`.
    pub(crate) fn vacant(&self, op: Op, name: &str) -> Result<()> {
        check_name(op, name)?;
        if self.nodes.contains_key(name) {
            return Err(Error::new(op, Kind::Exists));
        }
        self.has_parent(op, name)
    }

    /// Whether the file `from` can be called `to`.
    pub(crate) fn movable(&self, from: &str, to: &str) -> Result<()> {
        self.file(Op::Rename, from)?;
        match self.file(Op::Rename, to) {
            Err(Error { kind: Kind::NotFound, .. }) => self.has_parent(Op::Rename, to),
            other => other.map(|_| ()),
        }
    }

    fn has_parent(&self, op: Op, name: &str) -> Result<()> {
        // What stands below a file is as missing as what stands below nothing.
        self.dir(op, parent(name)).map_err(|_| Error::new(op, Kind::NotFound))
    }

    /// The names directly below `dir`, in order.
    pub(crate) fn list(&self, dir: &str) -> Result<Vec<String>> {
        self.dir(Op::List, dir)?;
        if dir.is_empty() {
            let names = self.nodes.keys().filter(|name| !name.as_bytes().contains(&b'/'));
            return Ok(names.map(ToString::to_string).collect());
        }
        let below = self.nodes.range::<str, _>((Bound::Included(dir), Bound::Unbounded));
        let below = below.take_while(|(name, _)| name.starts_with(dir));
        Ok(below.filter_map(|(name, _)| child(dir, name)).map(ToString::to_string).collect())
    }

    /// Removes what stands below a directory that does not exist.
    pub(crate) fn prune(&mut self) {
        let mut dirs: Vec<Arc<str>> = Vec::new();
        self.nodes.retain(|name, node| {
            let parent = parent(name);
            let reached = parent.is_empty() || dirs.iter().any(|dir| **dir == *parent);
            if reached && matches!(node, Node::Dir) {
                dirs.push(name.clone());
            }
            reached
        });
    }
}
