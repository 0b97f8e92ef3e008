//! Repair of this layout: keeps everything that can be read, in order, and lists what was lost. An explicit act.
//!
//! Reads the tables and logs that are there, merges what can be read of them into new tables, and then makes a new manifest
//! name those. Until CURRENT names it nothing old is touched; a repair that was interrupted is run again.
//! What a damaged block held is not known: of the keys that `verify` names as hurt an older value may come to light.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::{Access, File, SyncMode, Vfs};

use super::cursor::{Collapse, MergeCursor, Older, Pull, Readers, Source};
use super::memtable::{Memtable, MemtableWriter};
use super::open::{order_of, table_options};
use super::range::{Range, Ranges};
use super::table::{BlockCache, Reading, Table, TableCursor, TableWriter};
use super::{Cursor, Item, LAYOUT};
use crate::codec::{FileId, KeyHasher};
use crate::error::{Corruption, Error, FileName, Invalid, Result};
use crate::journal::{Hurt, Loss, RepairReport, VerifyReport, take_lock};
use crate::lab::Switches;
use crate::limits::NUMBER_MAX;
use crate::log::{FrameReader, Step, corrupt, next_header, read_file_header};
use crate::manifest::{Edit, Fault, LiveTable, Manifest, Slots, State, load};
use crate::options::{OpenMode, Options};
use crate::order::KeyOrder;
use crate::record::{EntryKind, FrameKind};

/// The level of what is kept: nothing in it overlaps.
const LEVEL: u8 = 1;

/// What is read, and what came of it.
struct Salvage<'a> {
    vfs: &'a dyn Vfs,
    seed: u128,
    order: KeyOrder,
    hasher: KeyHasher,
    /// The files that the manifest names, or `None` if nobody knows.
    named: Option<Vec<u64>>,
    next_file: u64,
    last_seq: u64,
    time_ms: u64,
    report: RepairReport,
}

/// Nothing lies below the outputs of a repair.
struct Nothing;

impl Older for Nothing {
    fn holds(&mut self, _: &[u8]) -> bool {
        false
    }

    fn holds_any(&mut self, _: &[u8], _: &[u8]) -> bool {
        false
    }
}

/// Repairs the store in the root of `vfs`; `checked` says what is wrong with it.
pub(crate) fn repair(
    vfs: &Arc<dyn Vfs>,
    options: &Options,
    checked: VerifyReport,
) -> Result<RepairReport> {
    let _lock = take_lock(&**vfs, OpenMode::Existing)?;
    let mut salvage = Salvage::new(vfs, options)?;
    for corruption in checked.corrupt {
        salvage.lose(corruption);
    }
    let (memtable, mut writer) = Memtable::new(salvage.order.clone(), options.memtable_bytes, 0)?;
    let blocks = Arc::new(BlockCache::new(0));
    let (mut sources, mut ranges) = (Vec::<Source>::new(), Vec::<Range>::new());
    for name in salvage.files()? {
        match name {
            FileName::Log(number) => salvage.read_log(number, &mut writer)?,
            FileName::Table(number) => {
                if let Some(table) = salvage.open_table(number)? {
                    ranges.extend(table.ranges().iter().cloned());
                    sources.push(salvage.source(table, &blocks)?);
                }
            }
            _ => {}
        }
    }
    ranges.extend(memtable.ranges()?.iter().cloned());
    let logged: Box<dyn Cursor> = Box::new(memtable.cursor());
    sources.push(logged.into());
    let state = salvage.write(options, sources, &ranges)?;
    // Crash: until CURRENT names the new manifest the damaged store is as it was, and repair can be run again.
    let manifest = Manifest::rebuild(vfs, Switches::default(), salvage.seed, state);
    remove_others(&**vfs, &manifest.map_err(Fault::error)?)?;
    Ok(salvage.report)
}

impl<'a> Salvage<'a> {
    fn new(vfs: &'a Arc<dyn Vfs>, options: &Options) -> Result<Self> {
        let order = order_of(options);
        let slots = Slots::read(&**vfs)?;
        let pointed = slots.as_ref().and_then(Slots::newest).map(|(_, pointer)| pointer.seed);
        let mut named = None;
        if let Some(slots) = slots.as_ref().filter(|_| pointed.is_some()) {
            match load(&**vfs, Access::Read, slots) {
                Ok(loaded) if loaded.state.order != order.name().as_bytes() => {
                    return Err(Error::Invalid(Invalid::Comparator));
                }
                Ok(loaded) => named = Some((loaded.state.numbers(), loaded.state.next_file)),
                Err(Error::Corrupt(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let seed = match pointed {
            Some(seed) => seed,
            None => first_seed(&**vfs)?.ok_or(Error::NoStore)?,
        };
        let next_file = named.as_ref().map_or(0, |(_, next)| *next);
        let named = named.map(|(numbers, _)| numbers);
        let (hasher, report) = (KeyHasher::new(seed), RepairReport::default());
        let (last_seq, time_ms) = (0, 0);
        let vfs = &**vfs;
        Ok(Self { vfs, seed, order, hasher, named, next_file, last_seq, time_ms, report })
    }

    fn lose(&mut self, corruption: Corruption) {
        let loss = Loss { corruption };
        if !self.report.lost.contains(&loss) {
            self.report.lost.push(loss);
        }
    }

    /// Passes damage to the report and every other error on.
    fn absorb<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::Corrupt(corruption)) => {
                self.lose(corruption);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The files to read: those that the manifest names and logs that it should know, or, without it, all.
    fn files(&self) -> Result<Vec<FileName>> {
        let mut files = Vec::new();
        for text in self.vfs.list("")? {
            let Some(name) = FileName::parse(&text) else { continue };
            let (FileName::Log(number) | FileName::Table(number)) = name else { continue };
            let lost = matches!(name, FileName::Log(_)) && number >= self.next_file;
            let named = self.named.as_ref();
            if named.is_none_or(|named| named.binary_search(&number).is_ok() || lost) {
                files.push(name);
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    /// Everything that can be read of a log; behind damage it goes on at the next header of this file.
    fn read_log(&mut self, number: u64, writer: &mut MemtableWriter) -> Result<()> {
        let (name, id) = (FileName::Log(number), FileId::new(self.seed, number));
        let file = self.vfs.open(&format!("{name}"), Access::Read)?;
        let end = file.len()?;
        let mut reader = FrameReader::new(&*file, id, end);
        loop {
            let from = match reader.next()? {
                Step::Frame { header, entries, .. } => {
                    if header.stamp.kind == FrameKind::Batch && entries.are_writes() {
                        self.time_ms = self.time_ms.max(header.stamp.time_ms);
                        for (seq, entry) in (header.stamp.seq..).zip(entries) {
                            self.last_seq = self.last_seq.max(seq);
                            self.keep(writer, seq, &entry)?;
                        }
                    }
                    continue;
                }
                Step::End { offset } | Step::Defect { offset, .. } => offset + 1,
            };
            let Some(next) = next_header(&*file, name, id, from, end)? else { return Ok(()) };
            reader = FrameReader::new(&*file, id, end).seek(next);
        }
    }

    fn keep(
        &self,
        writer: &mut MemtableWriter,
        seq: u64,
        entry: &crate::record::Entry<'_>,
    ) -> Result<()> {
        let (key, value, kind) = (entry.key, entry.value, entry.kind);
        if kind == EntryKind::RangeTombstone {
            return writer.insert_range(key, value, seq);
        }
        let item = Item { key, seq, kind, value, expires_ms: entry.expires_ms.unwrap_or(0) };
        writer.insert(&item, self.hasher.hash(key))
    }

    fn open_table(&mut self, number: u64) -> Result<Option<Arc<Table>>> {
        let (name, id) = (FileName::Table(number), FileId::new(self.seed, number));
        let file: Arc<dyn File> = Arc::from(self.vfs.open(&format!("{name}"), Access::Read)?);
        let len = file.len()?;
        let opened = Table::open(file, name, id, len, self.order.clone(), self.hasher);
        let Some(table) = self.absorb(opened)? else { return Ok(None) };
        self.last_seq = self.last_seq.max(table.meta().max_seq);
        Ok(Some(Arc::new(table)))
    }

    /// The items of a table that can be read.
    fn source(&mut self, table: Arc<Table>, blocks: &Arc<BlockCache>) -> Result<Source> {
        let hurts = table.verify()?.hurts;
        for hurt in &hurts {
            self.lose(hurt.damage);
        }
        let newest = table.meta().max_seq;
        let inner = TableCursor::new(table, Arc::clone(blocks), Reading::ONCE);
        Ok(Source { cursor: Box::new(Readable { inner, hurts }), newest })
    }

    /// Merges the sources into new tables, and gives the state that names them.
    fn write(
        &mut self,
        options: &Options,
        sources: Vec<Source>,
        ranges: &[Range],
    ) -> Result<State> {
        let mut state = State::new(LAYOUT);
        state.order = self.order.name().as_bytes().to_vec();
        for text in self.vfs.list("")? {
            let number = FileName::parse(&text).and_then(FileName::number).unwrap_or(0);
            state.next_file = state.next_file.max(number + 1);
        }
        let merged = MergeCursor::new(self.order.clone(), sources)?;
        let ranges = Ranges::new(&self.order, ranges)?;
        let readers = Readers::default();
        let mut kept = Collapse::new(self.order.clone(), merged, ranges, readers, Nothing);
        let mut writer = None;
        loop {
            let item = match kept.next()? {
                Pull::Item(item) => item,
                Pull::More => continue,
                Pull::End => break,
            };
            let full = |writer: &TableWriter| writer.bytes() >= options.table_bytes;
            if writer.as_ref().is_some_and(full) {
                finish(&mut writer, &mut state)?;
            }
            if writer.is_none() {
                let (number, table) = (state.take_number()?, table_options(options));
                let (order, hasher) = (self.order.clone(), self.hasher);
                // Crash: a file that nothing names; the next open removes it.
                writer =
                    Some(TableWriter::create(self.vfs, number, self.seed, order, hasher, table)?);
            }
            if let Some(writer) = &mut writer {
                writer.add(&item)?;
            }
            self.report.kept += 1;
        }
        finish(&mut writer, &mut state)?;
        // Why: a sequence that no store has reached was made by hand; the store goes on from one that leaves room.
        let seq = self.last_seq.min(NUMBER_MAX / 2);
        (state.mark_seq, state.flushed_seq, state.mark_time_ms) = (seq, seq, self.time_ms);
        Ok(state)
    }
}

fn finish(writer: &mut Option<TableWriter>, state: &mut State) -> Result<()> {
    let Some(writer) = writer.take() else { return Ok(()) };
    let finished = writer.finish()?;
    finished.file.sync(SyncMode::All)?;
    let name = FileName::Table(finished.meta.number);
    let table = Arc::new(LiveTable { level: LEVEL, meta: finished.meta });
    state.apply(&Edit::Table(table)).map_err(|what| corrupt(name, 0, 0, what))
}

/// The seed in the first header of a log or table that can be read.
fn first_seed(vfs: &dyn Vfs) -> Result<Option<u128>> {
    for text in vfs.list("")? {
        let Some(name) = FileName::parse(&text) else { continue };
        let (FileName::Log(number) | FileName::Table(number)) = name else { continue };
        match read_file_header(&*vfs.open(&text, Access::Read)?, name) {
            Ok(header) if header.number == number => return Ok(Some(header.seed)),
            Ok(_) | Err(Error::Corrupt(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Removes every file of ours that the manifest does not name.
fn remove_others(vfs: &dyn Vfs, manifest: &Manifest) -> Result<()> {
    let live = manifest.state().numbers();
    for text in vfs.list("")? {
        let keep = match FileName::parse(&text) {
            Some(FileName::Manifest(number)) => number == manifest.number(),
            Some(FileName::Log(number) | FileName::Table(number)) => {
                live.binary_search(&number).is_ok()
            }
            _ => true,
        };
        if !keep {
            vfs.remove(&text)?;
        }
    }
    Ok(())
}

/// A walk forward over what can be read of a table: where it meets damage it goes on behind the keys that are hurt.
struct Readable {
    inner: TableCursor,
    /// What is left of the damage, by where it begins.
    hurts: Vec<Hurt>,
}

impl Readable {
    /// Goes on behind damage until an item can be read, or nothing is left.
    fn behind(&mut self, mut moved: Result<()>) -> Result<()> {
        while let Err(Error::Corrupt(_)) = moved {
            let behind = loop {
                if self.hurts.is_empty() {
                    return Ok(());
                }
                if let Some(to) = self.hurts.remove(0).to {
                    break to;
                }
            };
            moved = self.inner.seek(&behind, u64::MAX);
            if let Err(Error::Corrupt(_)) = moved {
                // Why: the bound is a key of which the damaged block has versions too.
                moved = self.inner.seek(&behind, 0);
            }
        }
        moved
    }
}

impl Cursor for Readable {
    fn seek_first(&mut self) -> Result<()> {
        let moved = self.inner.seek_first();
        self.behind(moved)
    }

    fn next(&mut self) -> Result<()> {
        let moved = self.inner.next();
        self.behind(moved)
    }

    fn seek_last(&mut self) -> Result<()> {
        Err(Error::Unsupported("a walk backward over a damaged table"))
    }

    fn seek(&mut self, key: &[u8], seq: u64) -> Result<()> {
        let moved = self.inner.seek(key, seq);
        self.behind(moved)
    }

    fn seek_before(&mut self, _: &[u8], _: u64) -> Result<()> {
        self.seek_last()
    }

    fn prev(&mut self) -> Result<()> {
        self.seek_last()
    }

    fn item(&self) -> Option<Item<'_>> {
        self.inner.item()
    }
}
