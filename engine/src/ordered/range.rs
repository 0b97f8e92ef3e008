//! Range tombstones: everything from one key up to another is gone. Pure.

use alloc::vec::Vec;

/// Keys from `from` up to, and without, `to`: every version with a sequence below `seq` is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: Vec<u8>,
    pub(crate) to: Vec<u8>,
    pub(crate) seq: u64,
}
