//! The order of keys: byte by byte, or as a comparator of the user's says.
//!
//! Used by the ordered layout; a store keeps the name of its order and refuses to open with another.

use alloc::sync::Arc;
use core::cmp::Ordering;
use core::fmt;

/// An order of keys of one's own.
///
/// It must be total and must not change while a store that has it exists. Keys that it calls equal must have the same
/// bytes: filters and hashes work on bytes.
pub trait Comparator: Send + Sync {
    /// Names the order, version included; a store opens only under the name that it was created with. 1 to 255 bytes.
    fn name(&self) -> &str;

    /// Whether `a` comes before, with or after `b`.
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering;
}

/// The name that the order byte by byte has in a store.
pub(crate) const BYTEWISE: &str = "bytewise";

/// The order of a store.
#[derive(Clone, Default)]
pub(crate) enum KeyOrder {
    /// Byte by byte, a prefix first.
    #[default]
    Bytewise,
    Custom(Arc<dyn Comparator>),
}

impl KeyOrder {
    #[inline]
    pub(crate) fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::Bytewise => a.cmp(b),
            Self::Custom(comparator) => comparator.compare(a, b),
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Bytewise => BYTEWISE,
            Self::Custom(comparator) => comparator.name(),
        }
    }

    /// Whether keys that begin with the same bytes stand together, in the order of their bytes.
    pub(crate) const fn is_bytewise(&self) -> bool {
        matches!(self, Self::Bytewise)
    }
}

impl fmt::Debug for KeyOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
