//! A number that stands for words and bytes.
//!
//! Called where lives and disks are compared. Two lanes of FxHash (rustc): one multiplication and a rotation for each word.
//! Among a million different things the chance that two of them have the same number is about one in 10^26.

use crate::bytes;
use crate::fault::{Ino, LeftFile};
use crate::tree::Tree;

/// A number that grows with what is put in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Print(u64, u64);

impl Default for Print {
    /// Digits of pi. Why not 0: there a word of zero would leave no trace.
    fn default() -> Self {
        Self(0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344)
    }
}

impl Print {
    /// Goes on with what was put in before.
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a number")]
    pub(super) const fn again(print: u128) -> Self {
        Self((print >> 64) as u64, print as u64)
    }

    pub(super) const fn number(self) -> u128 {
        (self.0 as u128) << 64 | self.1 as u128
    }

    pub(super) const fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        self.1 = (self.1.rotate_left(5) ^ word).wrapping_mul(0xc2b2_ae3d_27d4_eb4f).rotate_left(31);
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a number")]
    pub(super) const fn long(&mut self, word: u128) {
        self.word((word >> 64) as u64);
        self.word(word as u64);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes::count(bytes));
        let (words, rest) = bytes.as_chunks();
        words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.word(u64::from(*byte)));
    }

    fn words(&mut self, words: impl ExactSizeIterator<Item = u64>) {
        self.word(words.len() as u64);
        words.for_each(|word| self.word(word));
    }

    /// Names, and what they stand for.
    pub(super) fn names(&mut self, tree: &Tree<Ino>) {
        self.word(tree.nodes.len() as u64);
        for (name, node) in &tree.nodes {
            self.bytes(name.as_bytes());
            self.word(node.file().unwrap_or(Ino::MAX));
        }
    }

    /// What is open in a file.
    pub(super) fn open(&mut self, file: &LeftFile) {
        self.words(file.lengths.iter().copied());
        self.words(file.ends.iter().copied());
        self.word(file.parts.len() as u64);
        for part in &file.parts {
            self.word(part.start << 1 | u64::from(part.written));
            self.bytes(&part.bytes);
        }
    }
}
