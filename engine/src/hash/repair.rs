//! Repair: keeps everything that can be read and lists what was lost. An explicit act, never part of an open.
//!
//! Reads whatever is there, keeps the newest readable record of each key, writes them to new files, and then makes a new
//! manifest name those. Until CURRENT names it nothing old is touched; a repair that was interrupted is run again.

use alloc::collections::{BTreeMap, BinaryHeap};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use keelstone_vfs::{Access, File, Kind, Vfs};

use super::files::insert_ordered;
use super::frames::is_ours;
use super::hint::HintReader;
use super::rewrite::Rewriter;
use super::{LAYOUT, Store};
use crate::codec::{FileId, KeyHasher};
use crate::error::{Corruption, Damage, Error, FileName, Result};
use crate::journal::{self, Entrance, Loss, RepairReport, VerifyReport, take_lock};
use crate::lab::Switches;
use crate::limits::NUMBER_MAX;
use crate::log::{FrameReader, Step, corrupt, next_header, read_exact, read_file_header};
use crate::manifest::{Fault, LiveFile, Manifest, Slots, State, Status, load, sync_root};
use crate::options::{OpenMode, Options};
use crate::record::{
    Entry, EntryKind, FileHeader, FileKind, FrameKind, HEADER_BYTES, decode_entry, entry_len,
};

/// The newest record of a key that was met so far.
#[derive(Clone, Copy)]
struct Newest {
    /// Age, number of the file, offset: the greater one wins.
    order: (u64, u64, u64),
    len: u32,
    kind: Kept,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Record,
    Tombstone,
    /// A hint says that a record of this key was here, and it cannot be read: an older one must not come back.
    Lost,
}

/// Everything that can be read of a store.
struct Salvage<'a> {
    vfs: &'a dyn Vfs,
    seed: u128,
    hasher: KeyHasher,
    /// By number.
    files: Vec<(u64, Arc<dyn File>)>,
    newest: BTreeMap<u128, Newest>,
    last_seq: u64,
    time_ms: u64,
    report: RepairReport,
}

/// Repairs the store in the root of `vfs`; a sound one is left as it is.
/// `checked` says what is wrong with it.
pub(crate) fn repair(
    vfs: &Arc<dyn Vfs>,
    options: &Options,
    checked: VerifyReport,
) -> Result<RepairReport> {
    if checked.is_sound() {
        return count_keys(vfs, options, Vec::new());
    }
    let lock = take_lock(&**vfs, OpenMode::Existing)?;
    if checked.corrupt.iter().all(|corruption| matches!(corruption.file, FileName::Hint(_))) {
        remove_hints(&**vfs, &checked.corrupt)?;
        drop(lock);
        let lost = checked.corrupt.into_iter().map(|corruption| Loss { corruption });
        return count_keys(vfs, options, lost.collect());
    }
    let slots = Slots::read(&**vfs)?;
    let (seed, files) = choose_files(&**vfs, slots.as_ref())?;
    let hasher = KeyHasher::new(seed);
    let mut salvage = Salvage {
        vfs: &**vfs,
        seed,
        hasher,
        files: Vec::new(),
        newest: BTreeMap::new(),
        last_seq: 0,
        time_ms: 0,
        report: RepairReport::default(),
    };
    for file in &files {
        salvage.read_file(file)?;
    }
    salvage.report_rest(&checked);
    let report = salvage.write_store(vfs, options.segment_bytes)?;
    drop(lock);
    Ok(report)
}

/// Takes away hints that do not say what the records say: without them the records are read.
fn remove_hints(vfs: &dyn Vfs, hints: &[Corruption]) -> Result<()> {
    for hint in hints {
        // Crash: a hint that is back is wrong as before, and repair can be run again.
        vfs.remove(&format!("{}", hint.file))?;
    }
    sync_root(vfs, Switches::default()).map_err(Fault::error)
}

/// A store whose records are sound: everything is kept.
fn count_keys(vfs: &Arc<dyn Vfs>, options: &Options, lost: Vec<Loss>) -> Result<RepairReport> {
    let options = Options { mode: OpenMode::ReadOnly, ..options.clone() };
    let Entrance { journal, loaded: Some(loaded) } = journal::enter(Arc::clone(vfs), options)?
    else {
        return Err(Error::NoStore);
    };
    let store = Store::open(journal, loaded)?;
    let kept = store.index.len();
    store.close()?;
    Ok(RepairReport { kept, lost })
}

/// The seed of the store and the files to read: those that the manifest names, or, without it, all that are there.
fn choose_files(vfs: &dyn Vfs, slots: Option<&Slots>) -> Result<(u128, Vec<LiveFile>)> {
    if let Some(slots) = slots.filter(|slots| slots.newest().is_some()) {
        match load(vfs, Access::Read, slots) {
            Ok(loaded) => {
                let mut files = loaded.state.files;
                // Why: a log that a lost edit began holds acknowledged writes all the same.
                let unknown = headers(vfs)?.into_iter().filter(|(header, _)| {
                    header.kind == FileKind::Log && header.number >= loaded.state.next_file
                });
                files.extend(
                    unknown.filter(|(h, _)| h.seed == loaded.seed).map(|(h, _)| as_live(&h)),
                );
                return Ok((loaded.seed, files));
            }
            Err(Error::Corrupt(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let all = headers(vfs)?;
    let named = slots.and_then(Slots::newest).map(|(_, pointer)| pointer.seed);
    let seed = named.or_else(|| all.first().map(|(header, _)| header.seed));
    let seed = seed.ok_or_else(|| slots.map_or(Error::NoStore, Slots::error))?;
    let mut files = Vec::new();
    for text in vfs.list("")? {
        let (kind, number) = match FileName::parse(&text) {
            Some(FileName::Log(number)) => (FileKind::Log, number),
            Some(FileName::Segment(number)) => (FileKind::Segment, number),
            _ => continue,
        };
        let found =
            all.iter().find(|(header, name)| (header.kind, name.number()) == (kind, Some(number)));
        match found {
            Some((header, _)) if header.seed == seed => files.push(as_live(header)),
            Some(_) => {}
            // Why: a damaged header hides nothing, every frame proves by itself where it belongs.
            None => {
                files.push(as_live(&FileHeader { kind, number, seed, age: number, first_seq: 0 }))
            }
        }
    }
    Ok((seed, files))
}

fn as_live(header: &FileHeader) -> LiveFile {
    let FileHeader { kind, number, age, first_seq, .. } = *header;
    LiveFile { kind, number, age, status: Status::Begun, first_seq, last_seq: 0 }
}

/// The headers of all files of ours that have a readable one under the right name.
fn headers(vfs: &dyn Vfs) -> Result<Vec<(FileHeader, FileName)>> {
    let mut found = Vec::new();
    for text in vfs.list("")? {
        let Some(name) = FileName::parse(&text) else { continue };
        let Some(number) = name.number() else { continue };
        let file = vfs.open(&text, Access::Read)?;
        match read_file_header(&*file, name) {
            Ok(header) if header.number == number => found.push((header, name)),
            Ok(_) | Err(Error::Corrupt(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

impl Salvage<'_> {
    fn lose(&mut self, file: FileName, offset: u64, bytes: u64, what: Damage) {
        let corruption = Corruption { file, offset, bytes, what };
        self.report.lost.push(Loss { corruption });
    }

    /// Reads one file as far as it can be read.
    fn read_file(&mut self, live: &LiveFile) -> Result<()> {
        let name = live.name();
        let file = match self.vfs.open(&format!("{name}"), Access::Read) {
            Ok(file) => Arc::<dyn File>::from(file),
            Err(error) if error.kind == Kind::NotFound => {
                self.lose(name, 0, 0, Damage::Missing);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let len = file.len()?;
        let (end, closed) = match live.status {
            Status::Begun => (len, false),
            Status::Sealed { len: end } | Status::Ended { offset: end } => (end.min(len), true),
        };
        if let Status::Sealed { len: whole } | Status::Ended { offset: whole } = live.status
            && len < whole
        {
            self.lose(name, len, whole - len, Damage::Short);
        }
        let id = FileId::new(self.seed, live.number);
        self.walk(live, &*file, id, end, closed)?;
        insert_ordered(&mut self.files, (live.number, file), |(number, _)| *number);
        Ok(())
    }

    fn walk(
        &mut self,
        live: &LiveFile,
        file: &dyn File,
        id: FileId,
        end: u64,
        closed: bool,
    ) -> Result<()> {
        let name = live.name();
        let mut reader = FrameReader::new(file, id, end);
        loop {
            let (offset, what) = match reader.next()? {
                Step::Frame { header, offset, entries } => {
                    if !is_ours(&header, &entries) {
                        self.lose(name, offset, header.frame_len(), Damage::Kind);
                    }
                    self.time_ms = self.time_ms.max(header.stamp.time_ms);
                    if header.stamp.kind == FrameKind::Batch {
                        self.last_seq = self.last_seq.max(header.last_seq());
                    }
                    if header.stamp.kind != FrameKind::Footer {
                        for entry in entries {
                            self.keep(live, &entry);
                        }
                    }
                    continue;
                }
                Step::End { offset } if offset >= end => return Ok(()),
                Step::End { offset } => (offset, Damage::Gap),
                Step::Defect { offset, what, .. } => (offset, what),
            };
            let next = next_header(file, name, id, offset + 1, end)?;
            if next.is_none() && !closed {
                // Why: nothing of this log follows, so this is its torn tail, unless verify knows better.
                return Ok(());
            }
            let stop = next.unwrap_or(end);
            self.lose(name, offset, stop - offset, what);
            self.entries_within(live, file, id, offset, stop)?;
            self.hint_says(live, file, id, end, offset..stop)?;
            if next.is_none() {
                return Ok(());
            }
            reader = FrameReader::new(file, id, end).seek(stop);
        }
    }

    /// Keeps the entries of a damaged frame that are whole themselves.
    fn entries_within(
        &mut self,
        live: &LiveFile,
        file: &dyn File,
        id: FileId,
        offset: u64,
        stop: u64,
    ) -> Result<()> {
        let mut bytes = Vec::new();
        let len = usize::try_from(stop - offset).map_err(|_| Error::OutOfMemory)?;
        bytes.try_reserve(len)?;
        bytes.resize(len, 0);
        let count = file.read_at(&mut bytes, offset)?;
        let mut at = HEADER_BYTES;
        while let Some(rest) = bytes[..count].get(at..).filter(|rest| !rest.is_empty()) {
            let Ok(len) = entry_len(rest) else { return Ok(()) };
            if let Ok(entry) = decode_entry(rest, id, offset + at as u64) {
                self.keep(live, &entry);
            }
            at = at.saturating_add(len);
        }
        Ok(())
    }

    /// Looks where the file's hint places keys in a damaged range: keeps what is whole, notes what is not.
    fn hint_says(
        &mut self,
        live: &LiveFile,
        file: &dyn File,
        id: FileId,
        end: u64,
        range: Range<u64>,
    ) -> Result<()> {
        let Ok(mut reader) = HintReader::open(self.vfs, self.seed, live.number, end) else {
            return Ok(());
        };
        let mut items = Vec::new();
        while let Ok(true) = reader.next_block(&mut items) {}
        let mut bytes = Vec::new();
        for item in items.iter().filter(|item| range.contains(&u64::from(item.offset))) {
            let offset = u64::from(item.offset);
            bytes.clear();
            bytes.try_reserve(item.len as usize)?;
            bytes.resize(item.len as usize, 0);
            let count = file.read_at(&mut bytes, offset)?;
            if let Ok(entry) = decode_entry(&bytes[..count], id, offset) {
                self.keep(live, &entry);
                continue;
            }
            let order = (live.age, live.number, offset);
            self.offer(item.hash, Newest { order, len: item.len, kind: Kept::Lost });
        }
        Ok(())
    }

    fn keep(&mut self, live: &LiveFile, entry: &Entry<'_>) {
        // Why: valid frames of the same file number may be those of a manifest, or of another layout.
        if !entry.kind.is_record() {
            return;
        }
        let tombstone = entry.kind == EntryKind::Tombstone;
        let kind = if tombstone { Kept::Tombstone } else { Kept::Record };
        let order = (live.age, live.number, entry.offset);
        self.offer(self.hasher.hash(entry.key), Newest { order, len: entry.len, kind });
    }

    fn offer(&mut self, hash: u128, newest: Newest) {
        let entry = self.newest.entry(hash).or_insert(newest);
        // Why: the record itself says more than the hint that names its place.
        if newest.order > entry.order || (newest.order == entry.order && entry.kind == Kept::Lost) {
            *entry = newest;
        }
    }

    /// Damage that verify saw and that cost no record of a file: CURRENT, the manifest, a missing end.
    fn report_rest(&mut self, checked: &VerifyReport) {
        for corruption in &checked.corrupt {
            let listed = |loss: &Loss| {
                loss.corruption.file == corruption.file
                    && loss.corruption.offset == corruption.offset
            };
            if !self.report.lost.iter().any(listed) {
                self.report.lost.push(Loss { corruption: *corruption });
            }
        }
    }

    /// Writes what was kept as new files, names them in a new manifest, and removes everything else.
    fn write_store(mut self, vfs: &Arc<dyn Vfs>, segment_bytes: u64) -> Result<RepairReport> {
        let mut number = 1;
        for text in self.vfs.list("")? {
            number = FileName::parse(&text)
                .and_then(FileName::number)
                .map_or(number, |n| number.max(n + 1));
        }
        let kept = self.newest.values().filter(|newest| newest.kind == Kept::Record);
        let records: BinaryHeap<_> = kept.map(|newest| (newest.order, newest.len)).collect();
        let records = records.into_sorted_vec();
        self.report.kept = records.len() as u64;
        let mut state = State::new(LAYOUT);
        state.next_file = number;
        let mut rewriter = Rewriter::new(self.vfs, self.seed, self.time_ms, segment_bytes);
        let mut buf = Vec::new();
        for ((_, number, offset), len) in records {
            let found = self.files.binary_search_by_key(&number, |(number, _)| *number);
            let Some((_, file)) = found.ok().and_then(|at| self.files.get(at)) else { continue };
            let (name, id) = (FileName::Log(number), FileId::new(self.seed, number));
            read_exact(&**file, name, offset, len as usize, &mut buf)?;
            let entry = decode_entry(&buf, id, offset);
            let entry = entry.map_err(|what| corrupt(name, offset, u64::from(len), what))?;
            rewriter.push(&mut state, &entry)?;
        }
        rewriter.finish(&mut state)?;
        // Why: a sequence that no store has reached was made by hand; the store goes on from one that leaves room.
        state.mark_seq = self.last_seq.min(NUMBER_MAX / 2);
        state.mark_time_ms = self.time_ms;
        // Crash: until CURRENT names the new manifest the damaged store is as it was, and repair can be run again.
        let manifest =
            Manifest::rebuild(vfs, Switches::default(), self.seed, state).map_err(Fault::error)?;
        remove_others(self.vfs, &manifest)?;
        Ok(self.report)
    }
}

/// Removes every file of ours that the manifest does not name.
fn remove_others(vfs: &dyn Vfs, manifest: &Manifest) -> Result<()> {
    for text in vfs.list("")? {
        let keep = match FileName::parse(&text) {
            Some(FileName::Manifest(number)) => number == manifest.number(),
            Some(FileName::Log(n) | FileName::Segment(n)) => manifest.state().has(n),
            Some(FileName::Hint(_)) => false,
            _ => true,
        };
        if !keep {
            vfs.remove(&text)?;
        }
    }
    Ok(())
}
