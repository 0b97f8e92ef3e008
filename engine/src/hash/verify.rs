//! Verify: reads every byte that matters, changes none, and says what is damaged and what is merely torn.

use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::{Access, File, Vfs};

use super::frames::is_ours;
use super::hint::{Collector, HintReader, Item, Totals, Unusable};
use super::open::{Found, look, take_lock};
use super::recover::{Disk, check_orphans, open_live, read_tails};
use super::{LAYOUT, Store};
use crate::codec::{FileId, KeyHasher};
use crate::error::{Corruption, Damage, Error, FileName, Result};
use crate::log::{FrameReader, Step, next_header};
use crate::manifest::{self, CURRENT_BYTES, Loaded, Slot, Status};
use crate::options::OpenMode;
use crate::record::FrameKind;

/// Bytes at the end of a file that were never acknowledged as durable, or a hint that is not whole: no damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub file: FileName,
    /// Where its good bytes end.
    pub offset: u64,
    /// How many bytes follow.
    pub bytes: u64,
}

/// What `verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Files read.
    pub files: u64,
    /// Records whose every byte was checked.
    pub records: u64,
    /// Bytes checked.
    pub bytes: u64,
    /// Torn tails.
    pub torn: Vec<Torn>,
    /// Damage, in the order of the files.
    pub corrupt: Vec<Corruption>,
}

impl VerifyReport {
    /// Whether nothing is damaged; torn tails are no damage.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.corrupt.is_empty()
    }

    /// Takes damage into the report and passes every other error on.
    fn absorb<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::Corrupt(corruption)) => {
                if !self.corrupt.contains(&corruption) {
                    self.corrupt.push(corruption);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Reads a store that nobody has open. Damage is in the report; an error means that it could not be read at all.
pub(crate) fn verify(vfs: &Arc<dyn Vfs>) -> Result<VerifyReport> {
    let mut report = VerifyReport::default();
    let found = look(&**vfs, OpenMode::ReadOnly);
    let _lock = take_lock(&**vfs, OpenMode::ReadOnly)?;
    let Some(Found::Store(slots)) = report.absorb(found)? else { return Ok(report) };
    report.files += 1;
    report.bytes += slots.bytes as u64;
    for (index, slot) in slots.slots.iter().enumerate() {
        if let Slot::Damaged(_) = slot {
            let (offset, bytes) = ((index * CURRENT_BYTES / 2) as u64, (CURRENT_BYTES / 2) as u64);
            report.torn.push(Torn { file: FileName::Current, offset, bytes });
        }
    }
    let loaded = manifest::load(&**vfs, Access::Read, &slots);
    let Some(loaded) = report.absorb(loaded)? else { return Ok(report) };
    if loaded.state.layout != LAYOUT {
        return Err(Error::Unsupported("the layout of this store"));
    }
    report.manifest(&loaded);
    let disk = Disk { vfs: &**vfs, seed: loaded.seed, access: Access::Read, check: true };
    report.absorb(check_orphans(disk, &loaded))?;
    report.tails(disk, &loaded)?;
    report.closed(disk, &loaded)?;
    Ok(report)
}

impl VerifyReport {
    fn manifest(&mut self, loaded: &Loaded) {
        self.files += 1;
        self.bytes += loaded.end;
        if loaded.torn {
            let (file, offset) = (FileName::Manifest(loaded.number), loaded.end);
            self.torn.push(Torn { file, offset, bytes: loaded.len - offset });
        }
    }

    /// The logs that are not closed: whether a bad end is a torn tail is what recovery would say.
    fn tails(&mut self, disk: Disk<'_>, loaded: &Loaded) -> Result<()> {
        let plan = self.absorb(read_tails(disk, &loaded.state))?;
        let Some(plan) = plan else {
            // Why: recovery stops at the first damage; everything that can be read is still to be counted.
            for live in loaded.state.files.iter().filter(|f| f.status == Status::Begun) {
                if let Some(file) = self.absorb(open_live(disk, live))? {
                    let (id, len) = (FileId::new(disk.seed, live.number), file.len()?);
                    self.count(&*file, id, len)?;
                }
            }
            return Ok(());
        };
        for tail in &plan.tails {
            let (name, id) = (tail.live.name(), FileId::new(disk.seed, tail.live.number));
            self.files += 1;
            self.walk(&*tail.file, name, id, tail.end, None)?;
            if tail.is_torn() {
                self.torn.push(Torn { file: name, offset: tail.end, bytes: tail.rest });
            }
        }
        Ok(())
    }

    fn closed(&mut self, disk: Disk<'_>, loaded: &Loaded) -> Result<()> {
        for live in &loaded.state.files {
            let (Status::Sealed { len: end } | Status::Ended { offset: end }) = live.status else {
                continue;
            };
            self.files += 1;
            let Some(file) = self.absorb(open_live(disk, live))? else { continue };
            let len = file.len()?;
            if len < end {
                let (file, bytes, what) = (live.name(), end - len, Damage::Short);
                self.corrupt.push(Corruption { file, offset: len, bytes, what });
            }
            let id = FileId::new(disk.seed, live.number);
            let mut collector = Collector::default();
            let before = self.corrupt.len();
            self.walk(&*file, live.name(), id, end.min(len), Some((disk.seed, &mut collector)))?;
            if self.corrupt.len() == before {
                self.hint(disk, live.number, end, collector);
            }
        }
        Ok(())
    }

    /// A hint that is not whole is not used, so it counts as torn. One that is must say what the records say: it is
    /// believed.
    fn hint(&mut self, disk: Disk<'_>, number: u64, end: u64, collector: Collector) {
        let name = FileName::Hint(number);
        let Ok(file) = disk.vfs.open(&alloc::format!("{name}"), Access::Read) else { return };
        self.files += 1;
        let read = || -> core::result::Result<(Vec<Item>, Totals), Unusable> {
            let mut reader = HintReader::open(disk.vfs, disk.seed, number, end)?;
            let mut items = Vec::new();
            while reader.next_block(&mut items)? {}
            Ok((items, reader.totals))
        };
        let (offset, bytes) = (0, file.len().unwrap_or(0));
        let time_ms = collector.totals.time_ms;
        match read() {
            Ok(read) if read == collector.finish(end, time_ms) => self.bytes += bytes,
            Ok(_) => self.corrupt.push(Corruption { file: name, offset, bytes, what: Damage::Key }),
            Err(Unusable) => self.torn.push(Torn { file: name, offset, bytes }),
        }
    }

    /// Checks every frame up to `end`; behind damage it goes on at the next header of this file.
    fn walk(
        &mut self,
        file: &dyn File,
        name: FileName,
        id: FileId,
        end: u64,
        mut collect: Option<(u128, &mut Collector)>,
    ) -> Result<()> {
        let mut reader = FrameReader::new(file, id, end);
        loop {
            let (offset, what) = match reader.next()? {
                Step::Frame { header, offset, entries } if !is_ours(&header, &entries) => {
                    let (bytes, what) = (header.frame_len(), Damage::Kind);
                    self.corrupt.push(Corruption { file: name, offset, bytes, what });
                    continue;
                }
                Step::Frame { header, entries, .. } => {
                    self.bytes += header.frame_len();
                    if let Some((_, collector)) = &mut collect {
                        collector.saw(header.stamp.time_ms);
                    }
                    if header.stamp.kind == FrameKind::Footer {
                        continue;
                    }
                    self.records += u64::from(header.count);
                    if let Some((seed, collector)) = &mut collect {
                        let hasher = KeyHasher::new(*seed);
                        for entry in entries {
                            collector.add(hasher.hash(entry.key), &entry)?;
                        }
                    }
                    continue;
                }
                Step::End { offset } if offset >= end => return Ok(()),
                Step::End { offset } => (offset, Damage::Gap),
                Step::Defect { offset, what, .. } => (offset, what),
            };
            let next = next_header(file, name, id, offset + 1, end)?.unwrap_or(end);
            let bytes = next - offset;
            self.corrupt.push(Corruption { file: name, offset, bytes, what });
            if next == end {
                return Ok(());
            }
            reader = FrameReader::new(file, id, end).seek(next);
        }
    }

    /// Counts the frames at the front of a file that is known to be damaged further behind.
    fn count(&mut self, file: &dyn File, id: FileId, len: u64) -> Result<()> {
        self.files += 1;
        let mut reader = FrameReader::new(file, id, len);
        while let Step::Frame { header, entries, .. } = reader.next()? {
            if !is_ours(&header, &entries) {
                break;
            }
            self.bytes += header.frame_len();
            self.records += u64::from(header.count);
        }
        Ok(())
    }
}

impl Store {
    /// Reads every file as far as it was written when this began, while everybody goes on.
    pub(crate) fn verify(&self) -> Result<VerifyReport> {
        self.check_open()?;
        let mut report = VerifyReport::default();
        let files = {
            let writer = self.writer.lock();
            if let Some(manifest) = &writer.manifest {
                report.files += 2;
                report.bytes += CURRENT_BYTES as u64 + manifest.bytes();
            }
            self.files.live()
        };
        for file in files {
            report.files += 1;
            report.walk(&*file.file, file.name, file.id, file.end(), None)?;
        }
        Ok(report)
    }
}
