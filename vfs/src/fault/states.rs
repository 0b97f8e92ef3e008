//! All states that a crash can leave on a tiny disk, bytes, lengths and names in every combination.
//!
//! Called by the disk, for tests that compare sets. Promise: complete, or nothing.

use super::inode::Inode;
use super::state::{State, image};
use super::step::Ino;
use crate::memory::Image;
use crate::tree::{Node, Tree};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

/// More images than this are not made.
const IMAGES_MAX: usize = 1_000_000;

/// Every image that a crash can leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndStates {
    /// What a kill leaves.
    pub killed: Image,
    /// What a power cut can leave.
    pub power_cut: BTreeSet<Image>,
}

impl State {
    /// All end states, unless there are too many.
    pub(super) fn end_states(&self) -> Option<EndStates> {
        let killed = self.image(&self.names.cached, |inode| inode.cached().to_vec());
        let mut contents: BTreeMap<Ino, BTreeSet<Vec<u8>>> = BTreeMap::new();
        let mut power_cut = BTreeSet::new();
        for tree in self.name_states()? {
            for node in tree.nodes.values() {
                if let Node::File(ino) = node
                    && !contents.contains_key(ino)
                {
                    contents.insert(*ino, self.inode(*ino).end_contents()?);
                }
            }
            Self::add_images(&tree, &contents, &mut power_cut)?;
        }
        Some(EndStates { killed, power_cut })
    }

    /// Every map of names that a power cut can leave.
    fn name_states(&self) -> Option<BTreeSet<Arc<Tree<Ino>>>> {
        let mut choices: Vec<Vec<bool>> = vec![Vec::new()];
        for at in 0..self.names.pending.len() {
            let without = choices.iter().map(|chosen| [chosen.as_slice(), &[false]].concat());
            let standing = choices.iter().filter(|chosen| self.names.stands(chosen, at));
            let with = standing.map(|chosen| [chosen.as_slice(), &[true]].concat());
            choices = without.chain(with).collect();
            if choices.len() > IMAGES_MAX {
                return None;
            }
        }
        Some(choices.iter().map(|chosen| self.names.after(chosen)).collect())
    }

    /// Adds every image of these names with every content of every file.
    fn add_images(
        tree: &Tree<Ino>,
        contents: &BTreeMap<Ino, BTreeSet<Vec<u8>>>,
        images: &mut BTreeSet<Image>,
    ) -> Option<()> {
        // Why by file and not by name: without atomic renames one file may have two names.
        let files: BTreeSet<Ino> = tree.nodes.values().filter_map(Node::file).collect();
        let mut choices: Vec<BTreeMap<Ino, &Vec<u8>>> = vec![BTreeMap::new()];
        for ino in files {
            let contents = contents.get(&ino)?;
            if choices.len().saturating_mul(contents.len()) + images.len() > IMAGES_MAX {
                return None;
            }
            let with = |choice: &BTreeMap<Ino, _>, content| {
                let mut choice = choice.clone();
                choice.insert(ino, content);
                choice
            };
            let each = choices.iter();
            choices =
                each.flat_map(|choice| contents.iter().map(move |c| with(choice, c))).collect();
        }
        for choice in choices {
            let content = |ino: Ino| choice.get(&ino).map(|bytes| bytes.to_vec());
            images.insert(image(tree, |ino| content(ino).unwrap_or_default()));
        }
        Some(())
    }
}

impl Inode {
    /// Every content that a power cut can leave.
    fn end_contents(&self) -> Option<BTreeSet<Vec<u8>>> {
        let mut lengths = BTreeSet::from([self.medium().len() as u64]);
        self.pending().iter().for_each(|change| lengths.extend(change.lengths()));
        let mut contents = BTreeSet::new();
        let mut rows: Vec<Vec<u8>> = vec![Vec::new()];
        for at in 0..=*lengths.last()? {
            if lengths.contains(&at) {
                contents.extend(rows.iter().cloned());
            }
            let versions = self.versions(at);
            if rows.len().saturating_mul(versions.len()) + contents.len() > IMAGES_MAX {
                return None;
            }
            let with = |row: &Vec<u8>, byte: u8| [row.as_slice(), &[byte]].concat();
            let each = rows.iter();
            rows = each.flat_map(|row| versions.iter().map(move |byte| with(row, *byte))).collect();
        }
        Some(contents)
    }

    /// Every version that the byte at `at` can have on the medium.
    pub(super) fn versions(&self, at: u64) -> BTreeSet<u8> {
        let medium = super::inode::index(at);
        let old = self.medium().get(medium).copied().unwrap_or(0);
        let laid = self.pending().iter().flat_map(|change| change.versions(at));
        laid.chain([old]).collect()
    }
}
