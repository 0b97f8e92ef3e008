//! A whole fault disk as a value: names and files, cached and durable. Cheap to clone.
//!
//! Called by the disk for every step and by traces to replay them.
//! Promise: the same steps give the same state. Never: fails, counts or refuses; the disk did.

use super::inode::{Content, Inode};
use super::names::Names;
use super::step::{Bytes, Fate, Ino, Step};
use crate::memory::Image;
use crate::tree::{Node, Tree};
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A disk.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) names: Names,
    pub(super) inodes: BTreeMap<Ino, Arc<Inode>>,
    /// The number of the next file.
    pub(super) next: Ino,
}

impl State {
    /// A disk on which everything is durable: these names, and the files as `content` has them.
    pub(super) fn durable(
        &self,
        tree: Arc<Tree<Ino>>,
        content: impl Fn(Ino, &Inode) -> Content,
    ) -> Self {
        let durable = |ino: Ino| {
            let inode = self.inodes.get(&ino).expect("a file stays as long as a name");
            if inode.is_durable() {
                return (ino, inode.clone());
            }
            (ino, Arc::new(Inode::durable(content(ino, inode))))
        };
        let inodes = tree.nodes.values().filter_map(Node::file).map(durable).collect();
        Self { inodes, next: self.next, names: Names::durable(tree) }
    }

    /// The file with this number, which a name or a handle stands for.
    pub(super) fn inode(&self, ino: Ino) -> &Inode {
        self.inodes.get(&ino).expect("a file stays as long as a name or a handle")
    }

    fn inode_mut(&mut self, ino: Ino) -> &mut Inode {
        Arc::make_mut(self.inodes.get_mut(&ino).expect("a file stays as long as a handle"))
    }

    /// Takes a step.
    pub(super) fn take(&mut self, step: &Step) {
        match step {
            Step::Create(name, ino) => {
                self.inodes.insert(*ino, Arc::default());
                self.next = self.next.max(*ino + 1);
                self.names.make(name, Node::File(*ino));
            }
            Step::CreateDir(name) => self.names.make(name, Node::Dir),
            Step::Rename(from, to, atomic) => self.names.rename(from, to, *atomic),
            Step::Remove(name) => self.names.end(name),
            Step::SyncDir(_, Fate::Kept) if self.names.pending.is_empty() => {}
            Step::SyncDir(dir, Fate::Kept) => self.names.sync(dir),
            Step::SyncDir(..) => {}
            Step::Write(_, ino, offset, bytes) => {
                self.inode_mut(*ino).write(*offset, bytes.clone())
            }
            Step::SetLen(_, ino, len) => self.inode_mut(*ino).set_len(*len),
            Step::Allocate(_, ino, len) => {
                if *len > self.inode(*ino).cached().len() as u64 {
                    self.inode_mut(*ino).set_len(*len);
                }
            }
            Step::Sync(_, ino, mode, fate) => self.inode_mut(*ino).sync(*mode, *fate),
            Step::Flip(name, at, bit) => self.flip(name, *at, *bit),
            Step::Plant(name, ino, bytes) => {
                self.next = self.next.max(*ino + 1);
                let content = Arc::new(bytes.get().to_vec());
                self.inodes.insert(*ino, Arc::new(Inode::durable(content)));
                self.names.plant(name, Some(Node::File(*ino)));
            }
            Step::Uproot(name) => self.names.plant(name, None),
        }
    }

    /// Takes the bytes from `start` to `end` of a step that writes, the ones before being taken.
    pub(super) fn take_bytes(&mut self, step: &Step, start: usize, end: usize) {
        if let Step::Write(_, ino, offset, bytes) = step {
            let part: Bytes = bytes.part(start, end);
            self.inode_mut(*ino).write(offset + start as u64, part);
        }
    }

    fn flip(&mut self, name: &str, at: u64, bit: u8) {
        for tree in [self.names.cached.clone(), self.names.durable.clone()] {
            if let Some(Node::File(ino)) = tree.nodes.get(name) {
                self.inode_mut(*ino).flip(at, bit);
                return;
            }
        }
    }

    /// The bytes that all files with a name have, as everybody reads them.
    pub(super) fn space_used(&self) -> u64 {
        let files = self.names.cached.nodes.values().filter_map(|node| match node {
            Node::File(ino) => Some(self.inode(*ino).cached().len() as u64),
            Node::Dir => None,
        });
        files.sum()
    }

    /// Forgets the files that no name stands for, but for those that `is_open`.
    pub(super) fn sweep(&mut self, is_open: impl Fn(Ino) -> bool) {
        // Why: nearly always there is nothing to forget, and looking is not free.
        let names = &self.names;
        if self.inodes.len() <= names.cached.nodes.len() {
            return;
        }
        self.inodes.retain(|ino, _| is_open(*ino) || names.refer_to(*ino));
    }

    /// These names with the files as `content` has them.
    pub(super) fn image(&self, tree: &Tree<Ino>, content: impl Fn(&Inode) -> Vec<u8>) -> Image {
        image(tree, |ino| content(self.inode(ino)))
    }
}

/// These names with the files as `content` has them.
pub(super) fn image(tree: &Tree<Ino>, content: impl Fn(Ino) -> Vec<u8>) -> Image {
    let entry = |(name, node): (&Arc<str>, &Node<Ino>)| match node {
        Node::Dir => ([name, "/"].concat(), Vec::new()),
        Node::File(ino) => (name.to_string(), content(*ino)),
    };
    tree.nodes.iter().map(entry).collect()
}
