//! Recovery: reads what the manifest names, finds the last write of the longest prefix, and fills the index.
//!
//! Called by `open`. Pure reading: nothing is changed before everything was read and judged; `settle_files` then makes it
//! durable. A defect is a torn tail only if no mark says that more was durable; else it is damage, and open fails.

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use keelstone_vfs::{Access, File, Kind, SyncMode, Vfs};

use super::Store;
use super::files::{DataFile, insert_ordered};
use super::frames::{is_ours, next_ours};
use super::hint::{Collector, HintReader, Item, Totals, Unusable};
use super::index::{Index, Loc};
use super::write::{Active, Writer};
use crate::codec::FileId;
use crate::error::{Damage, Error, FileName, Result};
use crate::event::Event;
use crate::lab::Bug;
use crate::log::{FrameReader, LogWriter, Rest, Step, corrupt, read_file_header, search_rest};
use crate::manifest::{Edit, LiveFile, Loaded, State, Status};
use crate::record::FrameKind;

/// What recovery found out, for `settle_files`.
pub(super) struct Plan {
    pub(super) next_seq: u64,
    pub(super) time_ms: u64,
    pub(super) tails: Vec<Tail>,
}

/// A log that the manifest does not call closed.
pub(super) struct Tail {
    pub(super) live: LiveFile,
    pub(super) file: Arc<dyn File>,
    fate: Fate,
    pub(super) end: u64,
    last_seq: u64,
    /// Bytes behind the end that are given up.
    pub(super) rest: u64,
    /// What is wrong at the end, if more had to follow.
    what: Damage,
}

impl Tail {
    /// Whether bytes at the end are given up.
    pub(super) fn is_torn(&self) -> bool {
        self.fate == Fate::Remove || (self.fate == Fate::End && self.rest > 0)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It ends clean: writes go on in it.
    Continue,
    /// It has its footer.
    Seal,
    /// Its tail is torn, or it lacks its footer.
    End,
    /// It lies behind a cut: nothing of it was ever acknowledged.
    Remove,
}

/// One file whose records go into the index.
struct Source {
    slot: u16,
    age: u64,
    records: Records,
}

enum Records {
    Scanned { items: Vec<Item>, at: usize },
    Hinted { reader: HintReader, items: Vec<Item>, at: usize, done: bool },
}

/// What reading needs to know of a store that is not open.
#[derive(Clone, Copy)]
pub(super) struct Disk<'a> {
    pub(super) vfs: &'a dyn Vfs,
    pub(super) seed: u128,
    pub(super) access: Access,
    /// Off only where a test leaves checksums out on purpose.
    pub(super) check: bool,
}

/// Reads every file that the manifest names and fills the index.
pub(super) fn read_files(store: &Arc<Store>, loaded: &Loaded, access: Access) -> Result<Plan> {
    let check = !store.switches.on(Bug::ChecksumIgnored);
    let disk = Disk { vfs: &*store.vfs, seed: store.seed, access, check };
    let mut plan = read_tails(disk, &loaded.state)?;
    check_orphans(disk, loaded)?;
    let mut ignore = Vec::new();
    loop {
        match fill(store, disk, loaded, &plan, &ignore)? {
            Filled::Done(time_ms) => {
                plan.time_ms = plan.time_ms.max(time_ms);
                return Ok(plan);
            }
            // Why: a hint that turns out damaged half way is left out, and the fill starts over.
            Filled::BadHint(number) => {
                store.event(&Event::HintIgnored { file: FileName::Hint(number) });
                ignore.push(number);
                store.forget_everything();
            }
        }
    }
}

/// Opens a file that the manifest names and checks that it is that file.
pub(super) fn open_live(disk: Disk<'_>, live: &LiveFile) -> Result<Arc<dyn File>> {
    let name = live.name();
    let opened = disk.vfs.open(&name.to_string(), disk.access);
    let file = opened.map_err(|error| match error.kind {
        Kind::NotFound => corrupt(name, 0, 0, Damage::Missing),
        _ => Error::from(error),
    })?;
    let header = read_file_header(&*file, name)?;
    let found = (header.kind, header.number, header.seed, header.age);
    if found != (live.kind, live.number, disk.seed, live.age) {
        return Err(corrupt(name, 0, 64, Damage::Identity));
    }
    Ok(Arc::from(file))
}

/// Walks the logs that are not closed, in order, and finds where the prefix ends.
pub(super) fn read_tails(disk: Disk<'_>, state: &State) -> Result<Plan> {
    let begun = |file: &&LiveFile| file.status == Status::Begun;
    let logs: Vec<LiveFile> = state.files.iter().filter(begun).copied().collect();
    let closed = state.files.iter().map(|file| file.last_seq).max().unwrap_or(0);
    let mut plan = Plan { next_seq: state.mark_seq.max(closed) + 1, time_ms: 0, tails: Vec::new() };
    let mut cut: Option<(Error, u64)> = None;
    let mut mark = state.mark_seq;
    for (at, live) in logs.iter().enumerate() {
        let next_first = logs.get(at + 1).map(|next| next.first_seq);
        let file = open_live(disk, live)?;
        if cut.is_some() {
            mark = mark.max(marks_in(disk, live, &*file)?);
            let (fate, end, last_seq, live) = (Fate::Remove, 64, live.first_seq - 1, *live);
            let (rest, what) = (0, Damage::Gap);
            plan.tails.push(Tail { live, file, fate, end, last_seq, rest, what });
            continue;
        }
        let tail = walk_tail(disk, live, &file, next_first, &mut mark, &mut plan.time_ms)?;
        let (end, last_seq) = (tail.end, tail.last_seq);
        let error = corrupt(live.name(), end, tail.rest, tail.what);
        let gap = next_first.is_some_and(|first| first != last_seq + 1);
        plan.next_seq = last_seq + 1;
        plan.tails.push(tail);
        if gap || (next_first.is_none()) {
            cut = Some((error, last_seq));
        }
    }
    if let Some((error, last_seq)) = cut
        && mark > last_seq
    {
        // Why: some frame, or the manifest, knew that more than this was durable.
        return Err(error);
    }
    Ok(plan)
}

/// The marks in a log that lies behind a cut.
fn marks_in(disk: Disk<'_>, live: &LiveFile, file: &dyn File) -> Result<u64> {
    let id = FileId::new(disk.seed, live.number);
    Ok(search_rest(file, live.name(), id, 64, file.len()?)?.mark)
}

/// Reads one log to its last good frame and decides what becomes of it.
fn walk_tail(
    disk: Disk<'_>,
    live: &LiveFile,
    file: &Arc<dyn File>,
    next_first: Option<u64>,
    mark: &mut u64,
    time_ms: &mut u64,
) -> Result<Tail> {
    let (name, id, len) = (live.name(), FileId::new(disk.seed, live.number), file.len()?);
    let mut reader = FrameReader::new(&**file, id, len).check(disk.check);
    let (mut last_seq, mut sealed) = (live.first_seq - 1, false);
    let (end, what) = loop {
        match reader.next()? {
            Step::Frame { header, offset, entries } => {
                // Why: under right checksums this is no torn tail, whatever was durable.
                if header.stamp.kind == FrameKind::Batch && !is_ours(&header, &entries) {
                    return Err(corrupt(name, offset, header.frame_len(), Damage::Kind));
                }
                let follows = header.stamp.seq == last_seq + 1 && !sealed;
                let right = matches!(header.stamp.kind, FrameKind::Batch | FrameKind::Footer);
                if !follows || !right {
                    return Err(corrupt(name, offset, header.frame_len(), Damage::Gap));
                }
                *mark = (*mark).max(header.stamp.mark);
                *time_ms = (*time_ms).max(header.stamp.time_ms);
                if header.stamp.kind == FrameKind::Footer {
                    sealed = true;
                } else {
                    last_seq = header.last_seq();
                }
            }
            Step::End { offset } => break (offset, Damage::Gap),
            Step::Defect { offset, what, .. } => break (offset, what),
        }
    };
    let Rest { mark: later, bytes: rest, .. } = search_rest(&**file, name, id, end, len)?;
    *mark = (*mark).max(later);
    let fate = match (sealed, next_first, rest) {
        (true, _, _) => Fate::Seal,
        (false, None, 0) => Fate::Continue,
        _ => Fate::End,
    };
    Ok(Tail { live: *live, file: Arc::clone(file), fate, end, last_seq, rest, what })
}

/// A log that the manifest does not know, with frames in it and a number that was never given: the edit that began it was
/// durable before the first frame, so the manifest has lost it.
pub(super) fn check_orphans(disk: Disk<'_>, loaded: &Loaded) -> Result<()> {
    for name in disk.vfs.list("")? {
        let Some(FileName::Log(number)) = FileName::parse(&name) else { continue };
        if number < loaded.state.next_file {
            continue;
        }
        let file = disk.vfs.open(&name, Access::Read)?;
        let id = FileId::new(disk.seed, number);
        let rest = search_rest(&*file, FileName::Log(number), id, 0, file.len()?)?;
        if rest.header {
            let (name, len) = (FileName::Manifest(loaded.number), loaded.len - loaded.end);
            return Err(corrupt(name, loaded.end, len, Damage::Gap));
        }
    }
    Ok(())
}

enum Filled {
    Done(u64),
    BadHint(u64),
}

/// Adds every file to the table and its records to the index.
fn fill(
    store: &Store,
    disk: Disk<'_>,
    loaded: &Loaded,
    plan: &Plan,
    ignore: &[u64],
) -> Result<Filled> {
    let mut sources = Vec::new();
    let mut time_ms = 0;
    for live in &loaded.state.files {
        let tail = plan.tails.iter().find(|tail| tail.live.number == live.number);
        let (file, end) = match (tail, live.status) {
            (Some(tail), _) if tail.fate == Fate::Remove => continue,
            (Some(tail), _) => (Arc::clone(&tail.file), tail.end),
            (None, Status::Sealed { len: end } | Status::Ended { offset: end }) => {
                (open_live(disk, live)?, end)
            }
            (None, Status::Begun) => continue,
        };
        let id = FileId::new(store.seed, live.number);
        let data = store.files.add(|slot| DataFile::new(slot, live, id, file))?;
        data.end.store(end, Ordering::Release);
        data.last_seq.store(tail.map_or(live.last_seq, |tail| tail.last_seq), Ordering::Release);
        data.closed.store(tail.is_none(), Ordering::Release);
        let hinted = tail.is_none() && !ignore.contains(&live.number);
        let (records, totals) = read_records(store, &data, hinted)?;
        time_ms = time_ms.max(totals.time_ms);
        data.records.store(totals.records, Ordering::Relaxed);
        data.entry_bytes.store(totals.entry_bytes, Ordering::Relaxed);
        data.tombstone_bytes.store(totals.tombstone_bytes, Ordering::Relaxed);
        // Why: newest first, so that a record that is there already shadows what comes later.
        let source = Source { slot: data.slot, age: live.age, records };
        insert_ordered(&mut sources, source, |s| core::cmp::Reverse((s.age, s.slot)));
    }
    for shard in 0..store.index.shards() {
        if let Err(slot) = fill_shard(store, &mut sources, shard)? {
            let number = store.files.get(slot).map_or(0, |file| file.number);
            return Ok(Filled::BadHint(number));
        }
    }
    Ok(Filled::Done(time_ms))
}

/// The hint of the file, or its records one by one.
fn read_records(store: &Store, file: &DataFile, hinted: bool) -> Result<(Records, Totals)> {
    if hinted {
        if file.file.len()? < file.end() {
            let (len, end) = (file.file.len()?, file.end());
            return Err(corrupt(file.name, len, end - len, Damage::Short));
        }
        match HintReader::open(&*store.vfs, store.seed, file.number, file.end()) {
            Ok(reader) => {
                store.counters.hints_used.fetch_add(1, Ordering::Relaxed);
                let totals = reader.totals;
                let (items, at, done) = (Vec::new(), 0, false);
                return Ok((Records::Hinted { reader, items, at, done }, totals));
            }
            Err(Unusable) => {
                store.event(&Event::HintIgnored { file: FileName::Hint(file.number) });
            }
        }
    }
    store.counters.files_scanned.fetch_add(1, Ordering::Relaxed);
    let (items, totals) = scan_file(store, file)?;
    Ok((Records::Scanned { items, at: 0 }, totals))
}

fn scan_file(store: &Store, file: &DataFile) -> Result<(Vec<Item>, Totals)> {
    let check = !store.switches.on(Bug::ChecksumIgnored);
    let end = file.end();
    let mut reader = FrameReader::new(&*file.file, file.id, end).check(check);
    let mut collector = Collector::default();
    let mut time_ms = 0;
    while let Some((header, entries)) = next_ours(&mut reader, file.name)? {
        time_ms = header.stamp.time_ms.max(time_ms);
        if header.stamp.kind != FrameKind::Footer {
            for entry in entries {
                collector.add(store.hasher.hash(entry.key), &entry)?;
            }
        }
    }
    Ok(collector.finish(end, time_ms))
}

impl Records {
    /// Makes everything below `end` available and gives it; `None` for `end` is everything.
    fn run(&mut self, end: Option<u128>) -> core::result::Result<&[Item], Unusable> {
        let (items, at) = match self {
            Self::Scanned { items, at } => (items, at),
            Self::Hinted { reader, items, at, done } => {
                items.drain(..*at);
                *at = 0;
                let enough = |items: &[Item]| match (end, items.last()) {
                    (Some(end), Some(last)) => last.hash >= end,
                    _ => false,
                };
                while !*done && !enough(items) {
                    *done = !reader.next_block(items)?;
                }
                (items, at)
            }
        };
        let start = *at;
        let count = items[start..].partition_point(|item| end.is_none_or(|end| item.hash < end));
        *at = start + count;
        Ok(&items[start..start + count])
    }
}

/// Fills one shard from all files, newest first; `Err` names the slot whose hint is damaged.
fn fill_shard(
    store: &Store,
    sources: &mut [Source],
    shard: usize,
) -> Result<core::result::Result<(), u16>> {
    let end = store.index.shard_end(shard);
    let mut runs: Vec<(u16, &[Item])> = Vec::with_capacity(sources.len());
    for Source { slot, records, .. } in sources {
        match records.run(end) {
            Ok([]) => {}
            Ok(run) => runs.push((*slot, run)),
            Err(Unusable) => return Ok(Err(*slot)),
        }
    }
    let count = runs.iter().map(|(_, run)| run.len()).sum();
    let Some((_, first)) = runs.first() else { return Ok(Ok(())) };
    let place_shard = first.first().map_or(0, |item| store.index.place(item.hash).shard);
    fill_table(store, &store.index, place_shard, count, &runs)?;
    Ok(Ok(()))
}

fn fill_table(
    store: &Store,
    index: &Index,
    place_shard: u32,
    count: usize,
    runs: &[(u16, &[Item])],
) -> Result<()> {
    let mut filling = index.begin_shard(place_shard, count)?;
    let (before, mut tombstones) = (filling.len(), false);
    for (newer, (slot, run)) in runs.iter().enumerate() {
        let Some(file) = store.files.get(*slot) else { return Err(Error::Closed) };
        let mut live_bytes = 0;
        for item in *run {
            let tag = index.place(item.hash).tag;
            // Why: an equal tag is the same key only if that file has the same hash at that place.
            let shadowed = filling.find(tag, |loc| {
                runs[..newer]
                    .iter()
                    .any(|(slot, run)| *slot == loc.slot && has(run, item.hash, loc))
            });
            if shadowed {
                continue;
            }
            if item.tombstone {
                filling.add_tombstone(tag, *slot, item.offset);
                tombstones = true;
                continue;
            }
            filling.add(tag, Loc::new(*slot, item.offset, item.len));
            live_bytes += u64::from(item.len);
            store.expiries.add(item.expires_ms, *slot, item.len);
        }
        file.add_live(live_bytes);
    }
    filling.finish(tombstones, before);
    Ok(())
}

fn has(run: &[Item], hash: u128, loc: Loc) -> bool {
    let found = run.binary_search_by_key(&hash, |item| item.hash);
    found.is_ok_and(|at| run[at].offset == loc.offset)
}

impl Store {
    /// Empties what a fill that failed half way has filled.
    fn forget_everything(&self) {
        for file in self.files.all() {
            self.files.remove(file.slot);
        }
        self.index.clear();
        self.expiries.clear();
        self.counters.hints_used.store(0, Ordering::Relaxed);
        self.counters.files_scanned.store(0, Ordering::Relaxed);
    }

    /// Makes the logs durable as they were read, closes those that were cut, and goes on in the last one.
    pub(super) fn settle_files(&self, writer: &mut Writer, plan: &Plan) -> Result<()> {
        if !self.switches.on(Bug::RecoveryNotSynced) {
            let synced = crate::manifest::sync_root(&*self.vfs, self.switches);
            synced.map_err(|fault| self.settle(fault))?;
            for tail in plan.tails.iter().filter(|tail| tail.fate != Fate::Remove) {
                // Crash: nothing was acknowledged since the open; the next recovery reads the same or less.
                let synced = tail.file.sync(SyncMode::All);
                synced.map_err(|error| self.settle(crate::manifest::Fault::Sync(error.into())))?;
            }
        }
        let edits: Vec<Edit> = plan.tails.iter().filter_map(|tail| self.edit_for(tail)).collect();
        if !edits.is_empty() {
            let manifest = writer.manifest.as_mut().ok_or(Error::Closed)?;
            // Crash: before the edit the next recovery cuts the same bytes; after it nobody looks at them.
            if let Err(fault) = manifest.commit(&edits) {
                let error = self.settle(fault);
                if error != Error::OutOfSpace {
                    return Err(error);
                }
                // Why: the reserve is gone now, and a full disk is a state to open in.
                manifest.commit(&edits).map_err(|fault| self.settle(fault))?;
            }
        }
        let files = self.files.all();
        for tail in &plan.tails {
            if let Some(file) = files.iter().find(|file| file.number == tail.live.number) {
                self.settle_tail(writer, tail, file)?;
            }
        }
        Ok(())
    }

    fn edit_for(&self, tail: &Tail) -> Option<Edit> {
        let (number, offset, last_seq) = (tail.live.number, tail.end, tail.last_seq);
        match tail.fate {
            Fate::Continue => None,
            // Why: no closed file may stand behind one that is not; the hint follows later.
            Fate::Seal => Some(Edit::Sealed { number, len: offset, last_seq }),
            Fate::End if self.switches.on(Bug::AppendAfterTorn) => None,
            Fate::End => {
                let (file, bytes, sequence) = (tail.live.name(), tail.rest, last_seq);
                self.event(&Event::Cut { file, offset, bytes, sequence });
                Some(Edit::Ended { number, offset, last_seq })
            }
            Fate::Remove => {
                let (file, bytes, sequence) = (tail.live.name(), tail.rest, last_seq);
                self.event(&Event::Cut { file, offset, bytes, sequence });
                Some(Edit::Removed { number })
            }
        }
    }

    fn settle_tail(&self, writer: &mut Writer, tail: &Tail, file: &Arc<DataFile>) -> Result<()> {
        let (name, id) = (file.name, file.id);
        match tail.fate {
            Fate::Seal => writer.to_seal.push(Arc::clone(file)),
            Fate::End if !self.switches.on(Bug::AppendAfterTorn) => {
                file.closed.store(true, Ordering::Release);
            }
            Fate::Continue | Fate::End => {
                let ahead = self.options.segment_bytes;
                let (len, handle) = (tail.file.len()?, Arc::clone(&tail.file));
                let log = LogWriter::resume(handle, name, id, tail.end, len, ahead);
                writer.active = Some(Active { log, file: Arc::clone(file) });
            }
            Fate::Remove => {}
        }
        Ok(())
    }
}
