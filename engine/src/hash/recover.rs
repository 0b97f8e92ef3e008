//! Recovery of the index: reads every file that the manifest names, as far as the journal says that it is good.
//!
//! Called by `open`. Pure reading: nothing is changed. Hints are used where they are whole; the others are scanned.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use keelstone_vfs::Access;

use super::Store;
use super::files::{DataFile, insert_ordered};
use super::frames::next_ours;
use super::hint::{Collector, HintReader, Item, Totals, Unusable};
use super::index::{Index, Loc};
use crate::error::{Damage, Error, FileName, Result};
use crate::event::Event;
use crate::journal::{Disk, Plan, check_orphans, open_files, read_tails};
use crate::lab::Bug;
use crate::log::{FrameReader, corrupt};
use crate::manifest::Loaded;
use crate::record::FrameKind;

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

/// Reads every file that the manifest names and fills the index.
pub(super) fn read_files(store: &Arc<Store>, loaded: &Loaded, access: Access) -> Result<Plan> {
    let (vfs, switches, seed) = (&*store.journal.vfs, store.journal.switches, store.journal.seed);
    let disk = Disk { vfs, seed, access, switches, ranges: false };
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
                store.journal.event(&Event::HintIgnored { file: FileName::Hint(number) });
                ignore.push(number);
                store.forget_everything();
            }
        }
    }
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
    for log in open_files(disk, loaded, plan)? {
        let (number, age) = (log.number, log.age);
        let hinted = log.is_closed() && !ignore.contains(&number);
        let data = store.files.add(|slot| DataFile::new(slot, log))?;
        let (records, totals) = read_records(store, &data, hinted)?;
        time_ms = time_ms.max(totals.time_ms);
        data.log.records.store(totals.records, Ordering::Relaxed);
        data.log.entry_bytes.store(totals.entry_bytes, Ordering::Relaxed);
        data.tombstone_bytes.store(totals.tombstone_bytes, Ordering::Relaxed);
        // Why: newest first, so that a record that is there already shadows what comes later.
        let source = Source { slot: data.slot, age, records };
        insert_ordered(&mut sources, source, |s| core::cmp::Reverse((s.age, s.slot)));
    }
    for shard in 0..store.index.shards() {
        if let Err(slot) = fill_shard(store, &mut sources, shard)? {
            let number = store.files.get(slot).map_or(0, |file| file.log.number);
            return Ok(Filled::BadHint(number));
        }
    }
    Ok(Filled::Done(time_ms))
}

/// The hint of the file, or its records one by one.
fn read_records(store: &Store, file: &DataFile, hinted: bool) -> Result<(Records, Totals)> {
    if hinted {
        if file.log.file.len()? < file.log.end() {
            let (len, end) = (file.log.file.len()?, file.log.end());
            return Err(corrupt(file.log.name, len, end - len, Damage::Short));
        }
        match HintReader::open(
            &*store.journal.vfs,
            store.journal.seed,
            file.log.number,
            file.log.end(),
        ) {
            Ok(reader) => {
                let reader = reader.check(!store.journal.switches.on(Bug::HintChecksumIgnored));
                store.counters.hints_used.fetch_add(1, Ordering::Relaxed);
                let totals = reader.totals;
                let (items, at, done) = (Vec::new(), 0, false);
                return Ok((Records::Hinted { reader, items, at, done }, totals));
            }
            Err(Unusable) => {
                store.journal.event(&Event::HintIgnored { file: FileName::Hint(file.log.number) });
            }
        }
    }
    store.counters.files_scanned.fetch_add(1, Ordering::Relaxed);
    let (items, totals) = scan_file(store, file)?;
    Ok((Records::Scanned { items, at: 0 }, totals))
}

fn scan_file(store: &Store, file: &DataFile) -> Result<(Vec<Item>, Totals)> {
    let check = !store.journal.switches.on(Bug::ChecksumIgnored);
    let end = file.log.end();
    let mut reader = FrameReader::new(&*file.log.file, file.log.id, end).check(check);
    let mut collector = Collector::default();
    let mut time_ms = 0;
    while let Some((header, entries)) = next_ours(&mut reader, file.log.name)? {
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
}
