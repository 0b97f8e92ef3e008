//! A table taken apart for people: every part by itself, however damaged the others are.
//!
//! Called by `dump`; calls `format`, `block`, `filter` and the disk.
//! Promise: what is shown was sealed for this file and this place; damage is shown and not returned; at most one block of
//! each level is in memory.
//! Never: compares one part with another, that is for `verify`.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::File;

use super::block::{Block, BlockCursor};
use super::filter::Filter;
use super::format::{FOOTER_BYTES, is_compressed};
pub(crate) use super::format::{Footer, Handle, Properties};
use super::reader::Source;
use crate::codec::FileId;
use crate::error::{Damage, Error, FileName, Result};
use crate::log::read_exact;
use crate::ordered::key::Item;
use crate::record::FILE_HEADER_BYTES;

/// What a part of a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Footer,
    Properties,
    Filter,
    Prefixes,
    Ranges,
    /// The index where a search begins.
    Index,
    /// An index below it, where there are two levels.
    LowerIndex,
    Data,
}

impl Part {
    /// The word for it in a line.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Footer => "footer",
            Self::Properties => "properties",
            Self::Filter => "filter",
            Self::Prefixes => "prefixes",
            Self::Ranges => "ranges",
            Self::Index => "index",
            Self::LowerIndex => "lower-index",
            Self::Data => "data",
        }
    }

    /// Whether other parts are found through it alone.
    pub(crate) const fn leads_on(self) -> bool {
        matches!(self, Self::Footer | Self::Index | Self::LowerIndex)
    }
}

/// A part whose checksum was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) handle: Handle,
    /// Bytes of its payload in memory.
    pub(crate) unpacked: usize,
    /// Whether it is compressed on disk.
    pub(crate) lz4: bool,
}

/// What a step of the walk found.
pub(crate) enum Shown<'a> {
    Footer {
        handle: Handle,
        footer: Footer,
    },
    Properties {
        sealed: Sealed,
        properties: Box<Properties>,
    },
    /// A filter, with how many bits of it are set.
    Filter {
        part: Part,
        sealed: Sealed,
        lines: usize,
        probes: u8,
        ones: u64,
    },
    /// A block of entries, which follow.
    Block {
        part: Part,
        sealed: Sealed,
        restarts: usize,
    },
    /// An entry of data or of the range tombstones, `at` bytes from the beginning of the payload.
    Entry {
        at: usize,
        item: Item<'a>,
    },
    /// An entry of an index: the block with everything from this place on.
    Below {
        at: usize,
        key: &'a [u8],
        seq: u64,
        handle: Handle,
    },
    /// A part that cannot be read.
    Damaged {
        part: Part,
        handle: Handle,
        what: Damage,
    },
    /// An entry that cannot be read although the checksum of its block is right; what follows it in the block is lost.
    Broken {
        at: usize,
        what: Damage,
    },
}

type Entries = BlockCursor<Arc<Block>>;

/// What is still to be done.
enum Task {
    Show(Part, Handle),
    /// The blocks behind the entry on which the cursor stands; behind all of them if it stands on none yet.
    Descend {
        below: Part,
        entries: Entries,
        begun: bool,
    },
}

/// A block whose entries are being shown.
struct Listing {
    part: Part,
    entries: Entries,
    begun: bool,
}

/// A walk over the parts of one table.
pub(crate) struct PartWalk {
    source: Source,
    /// The next one is the last.
    tasks: Vec<Task>,
    listing: Option<Listing>,
}

/// A step before anything of it is borrowed.
enum Found {
    Entry,
    Other(Shown<'static>),
    Nothing,
}

impl PartWalk {
    /// A walk over the table with this identity in a file of `len` bytes.
    pub(crate) fn new(file: Arc<dyn File>, name: FileName, id: FileId, len: u64) -> Result<Self> {
        let header = FILE_HEADER_BYTES as u64;
        let end = len.saturating_sub(FOOTER_BYTES as u64).max(header);
        let footer_len = u32::try_from(len.saturating_sub(end)).unwrap_or(u32::MAX);
        let mut walk =
            Self { source: Source { file, name, id, end }, tasks: Vec::new(), listing: None };
        walk.push(Task::Show(Part::Footer, Handle { offset: end, len: footer_len }))?;
        Ok(walk)
    }

    /// The next part or entry; `None` behind the last.
    ///
    /// # Errors
    /// `Storage`, `OutOfMemory`. Damage is part of what is shown.
    pub(crate) fn next(&mut self) -> Result<Option<Shown<'_>>> {
        loop {
            let found = match &mut self.listing {
                Some(listing) => listing.next()?,
                None => match self.tasks.pop() {
                    Some(Task::Show(part, handle)) => Found::Other(self.open(part, handle)?),
                    Some(Task::Descend { below, entries, begun }) => {
                        self.descend(below, entries, begun)?;
                        continue;
                    }
                    None => return Ok(None),
                },
            };
            match found {
                Found::Entry => break,
                Found::Other(shown) => return Ok(Some(shown)),
                Found::Nothing => self.end_listing()?,
            }
        }
        Ok(self.listing.as_ref().and_then(Listing::shown))
    }

    fn push(&mut self, task: Task) -> Result<()> {
        self.tasks.try_reserve(1)?;
        self.tasks.push(task);
        Ok(())
    }

    /// Reads a part; its entries, or the parts it names, come next.
    fn open(&mut self, part: Part, handle: Handle) -> Result<Shown<'static>> {
        let opened = match part {
            Part::Footer => self.open_footer(handle),
            Part::Properties => self.open_properties(handle),
            Part::Filter | Part::Prefixes => self.open_filter(part, handle),
            Part::Ranges | Part::Index | Part::LowerIndex | Part::Data => {
                self.open_block(part, handle)
            }
        };
        match opened {
            Err(Error::Corrupt(corruption)) => {
                Ok(Shown::Damaged { part, handle, what: corruption.what })
            }
            other => other,
        }
    }

    fn open_footer(&mut self, handle: Handle) -> Result<Shown<'static>> {
        let (source, mut bytes) = (&self.source, Vec::new());
        read_exact(&*source.file, source.name, handle.offset, FOOTER_BYTES, &mut bytes)?;
        let footer = Footer::decode(&bytes, source.id, source.end)
            .map_err(|what| source.corrupt(handle, what))?;
        for (part, handle) in [
            (Part::Ranges, footer.ranges),
            (Part::Index, footer.index),
            (Part::Prefixes, footer.prefixes),
            (Part::Filter, footer.filter),
            (Part::Properties, footer.properties),
        ] {
            if !handle.is_none() {
                self.push(Task::Show(part, handle))?;
            }
        }
        Ok(Shown::Footer { handle, footer })
    }

    fn open_properties(&self, handle: Handle) -> Result<Shown<'static>> {
        let (source, (sealed, payload)) = (&self.source, self.read(handle)?);
        let (number, len) = (source.name.number().unwrap_or_default(), source.end);
        let properties = Properties::decode(&payload, number, len)
            .ok_or(source.corrupt(handle, Damage::Length))?;
        Ok(Shown::Properties { sealed, properties: Box::new(properties) })
    }

    fn open_filter(&self, part: Part, handle: Handle) -> Result<Shown<'static>> {
        let (sealed, payload) = self.read(handle)?;
        let filter = Filter::parse(payload).ok_or(self.source.corrupt(handle, Damage::Length))?;
        let (lines, probes, ones) = filter.shape();
        Ok(Shown::Filter { part, sealed, lines, probes, ones })
    }

    fn open_block(&mut self, part: Part, handle: Handle) -> Result<Shown<'static>> {
        let (sealed, payload) = self.read(handle)?;
        let block = Block::parse(payload, self.source.name, handle.offset)?;
        let restarts = block.restarts();
        let entries = BlockCursor::new(Arc::new(block));
        self.listing = Some(Listing { part, entries, begun: false });
        Ok(Shown::Block { part, sealed, restarts })
    }

    fn read(&self, handle: Handle) -> Result<(Sealed, Vec<u8>)> {
        let source = &self.source;
        let bytes = source.sealed(handle)?;
        let lz4 = is_compressed(&bytes);
        let payload = source.unseal(handle, bytes)?;
        Ok((Sealed { handle, unpacked: payload.len(), lz4 }, payload))
    }

    /// The entries of a block were shown; behind those of an index come the blocks that they name.
    fn end_listing(&mut self) -> Result<()> {
        let Some(listing) = self.listing.take() else { return Ok(()) };
        let below = match listing.part {
            Part::Index => listing.below()?,
            Part::LowerIndex => Part::Data,
            _ => return Ok(()),
        };
        self.push(Task::Descend { below, entries: listing.entries, begun: false })
    }

    /// Puts the next block below an index before the rest of them.
    fn descend(&mut self, below: Part, mut entries: Entries, begun: bool) -> Result<()> {
        let moved = if begun { entries.next() } else { entries.seek_first() };
        let handle = match moved {
            Ok(()) => entries.item().map(|item| Handle::decode(item.value)),
            // Why: the damage was shown where the entries were.
            Err(Error::Corrupt(_)) => None,
            Err(error) => return Err(error),
        };
        let Some(handle) = handle else { return Ok(()) };
        self.push(Task::Descend { below, entries, begun: true })?;
        handle.map_or(Ok(()), |handle| self.push(Task::Show(below, handle)))
    }
}

impl Listing {
    /// Goes to the next entry.
    fn next(&mut self) -> Result<Found> {
        let at = self.entries.end();
        let moved = if self.begun { self.entries.next() } else { self.entries.seek_first() };
        let at = if self.begun { at } else { 0 };
        self.begun = true;
        match moved {
            Ok(()) if self.entries.is_on() => Ok(self.found()),
            Ok(()) => Ok(Found::Nothing),
            Err(Error::Corrupt(corruption)) => {
                self.entries.finish();
                Ok(Found::Other(Shown::Broken { at, what: corruption.what }))
            }
            Err(error) => Err(error),
        }
    }

    /// The entry it stands on; an entry of an index that names no place is broken, and others may follow.
    fn found(&self) -> Found {
        let broken = || Found::Other(Shown::Broken { at: self.entries.at(), what: Damage::Length });
        if self.shown().is_some() { Found::Entry } else { broken() }
    }

    fn shown(&self) -> Option<Shown<'_>> {
        let (at, item) = (self.entries.at(), self.entries.item()?);
        if !matches!(self.part, Part::Index | Part::LowerIndex) {
            return Some(Shown::Entry { at, item });
        }
        let handle = Handle::decode(item.value)?;
        Some(Shown::Below { at, key: item.key, seq: item.seq, handle })
    }

    /// What the entries of the first index lead to.
    ///
    /// Why by the place of the first block: data begins right behind the header, and the properties, which also know,
    /// may be damaged.
    fn below(&self) -> Result<Part> {
        let mut entries = self.entries.again();
        match entries.seek_first() {
            Err(error) if !matches!(error, Error::Corrupt(_)) => return Err(error),
            _ => {}
        }
        let first = entries.item().and_then(|item| Handle::decode(item.value));
        let is_data = first.is_none_or(|first| first.offset == FILE_HEADER_BYTES as u64);
        Ok(if is_data { Part::Data } else { Part::LowerIndex })
    }
}
