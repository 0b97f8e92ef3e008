//! A batch: writes that happen together or not at all.

use alloc::vec::Vec;

/// One write of a [`Batch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets a key.
    Put {
        /// The key.
        key: Vec<u8>,
        /// The value.
        value: Vec<u8>,
        /// When it expires, in milliseconds since 1970; `None`: never.
        expires_ms: Option<u64>,
    },
    /// Takes a key away.
    Delete {
        /// The key.
        key: Vec<u8>,
    },
    /// Takes every key away from one up to, and without, another. Ordered layout only.
    DeleteRange {
        /// The first key that goes.
        from: Vec<u8>,
        /// The first key behind it that stays.
        to: Vec<u8>,
    },
}

/// One write whose bytes lie elsewhere: what [`Db::write_borrowed`](crate::Db::write_borrowed) takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteRef<'a> {
    /// Sets a key.
    Put {
        /// The key.
        key: &'a [u8],
        /// The value.
        value: &'a [u8],
        /// When the key expires, in milliseconds since 1970.
        expires_ms: Option<u64>,
    },
    /// Takes a key away.
    Delete {
        /// The key.
        key: &'a [u8],
    },
    /// Takes every key away from one up to, and without, another. Ordered layout only.
    DeleteRange {
        /// The first key that goes.
        from: &'a [u8],
        /// The first key behind it that stays.
        to: &'a [u8],
    },
}

impl Write {
    /// The same write, borrowed.
    #[must_use]
    pub fn borrowed(&self) -> WriteRef<'_> {
        match self {
            Self::Put { key, value, expires_ms } => {
                WriteRef::Put { key, value, expires_ms: *expires_ms }
            }
            Self::Delete { key } => WriteRef::Delete { key },
            Self::DeleteRange { from, to } => WriteRef::DeleteRange { from, to },
        }
    }
}

/// Writes in order; [`Db::write`](crate::Db::write) applies all of them or none. A later write of the same key wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    writes: Vec<Write>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub const fn new() -> Self {
        Self { writes: Vec::new() }
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.push(Write::Put { key: key.into(), value: value.into(), expires_ms: None })
    }

    /// Sets `key` to `value` until `expires_ms`, in milliseconds since 1970.
    pub fn put_until(
        &mut self,
        key: impl Into<Vec<u8>>,
        value: impl Into<Vec<u8>>,
        expires_ms: u64,
    ) -> &mut Self {
        let expires_ms = Some(expires_ms);
        self.push(Write::Put { key: key.into(), value: value.into(), expires_ms })
    }

    /// Takes `key` away.
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) -> &mut Self {
        self.push(Write::Delete { key: key.into() })
    }

    /// Takes every key away from `from` up to, and without, `to`; the ordered layout has it.
    pub fn delete_range(&mut self, from: impl Into<Vec<u8>>, to: impl Into<Vec<u8>>) -> &mut Self {
        self.push(Write::DeleteRange { from: from.into(), to: to.into() })
    }

    /// Adds one write.
    pub fn push(&mut self, write: Write) -> &mut Self {
        self.writes.push(write);
        self
    }

    /// The writes in order.
    #[must_use]
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// How many writes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Forgets the writes and keeps the memory.
    pub fn clear(&mut self) {
        self.writes.clear();
    }
}
