//! Verify, as far as both layouts share it: CURRENT, the manifest, and the frames of logs.
//!
//! Reads every byte that matters, changes none, and says what is damaged and what is merely torn. The layouts add what
//! only they have.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::{Access, File, Lock, Vfs};

use super::{Disk, Found, check_orphans, look, open_live, read_tails, take_lock};
use crate::codec::FileId;
use crate::error::{Corruption, Damage, Error, FileName, Result};
use crate::lab::Switches;
use crate::log::{FrameReader, Step, next_header};
use crate::manifest::{self, CURRENT_BYTES, LiveFile, Loaded, Slot, Slots, Status};
use crate::options::OpenMode;
use crate::record::{Entries, FrameKind, Header};

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

/// Damage, and the keys that it may have taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hurt {
    /// Where and what.
    pub damage: Corruption,
    /// No key before this one is hurt; `None`: it is not known.
    pub from: Option<Vec<u8>>,
    /// No key behind this one is hurt; `None`: it is not known.
    pub to: Option<Vec<u8>>,
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
    /// Of damage in sorted tables, which keys it hurts.
    pub hurt: Vec<Hurt>,
    /// Sorted tables that were read and checked but for the order of their keys: it is one's own, and nobody gave the
    /// comparator.
    pub order_unchecked: u64,
}

impl VerifyReport {
    /// Whether nothing is damaged; torn tails are no damage.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.corrupt.is_empty()
    }

    /// Says which keys the damage hurts that was found since there were `before` of it.
    pub(crate) fn hurt(&mut self, before: usize, from: Option<&[u8]>, to: Option<&[u8]>) {
        let (from, to) = (from.map(Vec::from), to.map(Vec::from));
        for damage in self.corrupt.iter().skip(before) {
            self.hurt.push(Hurt { damage: *damage, from: from.clone(), to: to.clone() });
        }
    }

    /// Takes damage into the report and passes every other error on.
    pub(crate) fn absorb<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
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

/// Something that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Where and what.
    pub corruption: Corruption,
}

/// What `repair` did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairReport {
    /// Keys that are there now, expired ones included.
    pub kept: u64,
    /// What could not be read.
    pub lost: Vec<Loss>,
}

/// What `begin_verify` found, locked.
pub(crate) struct Verifying {
    pub(crate) report: VerifyReport,
    /// `None`: nothing more can be read.
    pub(crate) loaded: Option<Loaded>,
    _lock: Option<Box<dyn Lock>>,
}

/// Reads CURRENT and the manifest of a store that nobody has open. Damage is in the report; an error means that it could
/// not be read at all.
pub(crate) fn begin_verify(vfs: &Arc<dyn Vfs>) -> Result<Verifying> {
    let mut report = VerifyReport::default();
    let found = look(&**vfs, OpenMode::ReadOnly, Switches::default());
    let lock = take_lock(&**vfs, OpenMode::ReadOnly)?;
    let Some(Found::Store(slots)) = report.absorb(found)? else {
        return Ok(Verifying { report, loaded: None, _lock: lock });
    };
    report.files += 1;
    report.bytes += slots.bytes as u64;
    for (index, slot) in slots.slots.iter().enumerate() {
        if let Slot::Damaged(_) = slot {
            let (offset, bytes) = ((index * CURRENT_BYTES / 2) as u64, (CURRENT_BYTES / 2) as u64);
            report.torn.push(Torn { file: FileName::Current, offset, bytes });
        }
    }
    let loaded = report.absorb(manifest::load(&**vfs, Access::Read, &slots))?;
    if let Some(loaded) = &loaded {
        report.manifest(loaded);
    }
    Ok(Verifying { report, loaded, _lock: lock })
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

    /// Logs that the manifest does not know and should.
    pub(crate) fn orphans(&mut self, disk: Disk<'_>, loaded: &Loaded) -> Result<()> {
        self.absorb(check_orphans(disk, loaded)).map(|_| ())
    }

    /// The logs that are not closed: whether a bad end is a torn tail is what recovery would say.
    pub(crate) fn tails(&mut self, disk: Disk<'_>, loaded: &Loaded) -> Result<()> {
        let plan = self.absorb(read_tails(disk, &loaded.state))?;
        let Some(plan) = plan else {
            // Why: recovery stops at the first damage; everything that can be read is still to be counted.
            for live in loaded.state.files.iter().filter(|f| f.status == Status::Begun) {
                if let Some(file) = self.absorb(open_live(disk, live))? {
                    let (id, len) = (FileId::new(disk.seed, live.number), file.len()?);
                    self.count(disk, &*file, id, len)?;
                }
            }
            return Ok(());
        };
        for tail in &plan.tails {
            let name = tail.live.name();
            self.files += 1;
            self.walk(disk, &*tail.file, name, tail.end, &mut |_, _| Ok(()))?;
            if tail.is_torn() {
                self.torn.push(Torn { file: name, offset: tail.end, bytes: tail.rest });
            }
        }
        Ok(())
    }

    /// The files that are closed; `sink` makes what it likes of each frame, `done` of a file without damage.
    pub(crate) fn closed(
        &mut self,
        disk: Disk<'_>,
        loaded: &Loaded,
        mut each: impl FnMut(&mut Self, &LiveFile, &dyn File, u64) -> Result<()>,
    ) -> Result<()> {
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
            each(self, live, &*file, end)?;
        }
        Ok(())
    }

    /// Checks every frame up to `end` and shows it to `sink`; behind damage it goes on at the next header of this file.
    pub(crate) fn walk(
        &mut self,
        disk: Disk<'_>,
        file: &dyn File,
        name: FileName,
        end: u64,
        sink: &mut dyn FnMut(&Header, Entries<'_>) -> Result<()>,
    ) -> Result<()> {
        let id = FileId::new(disk.seed, name.number().unwrap_or(0));
        let mut reader = FrameReader::new(file, id, end);
        loop {
            let (offset, what) = match reader.next()? {
                Step::Frame { header, offset, entries } if !disk.is_ours(&header, &entries) => {
                    let (bytes, what) = (header.frame_len(), Damage::Kind);
                    self.corrupt.push(Corruption { file: name, offset, bytes, what });
                    continue;
                }
                Step::Frame { header, entries, .. } => {
                    self.bytes += header.frame_len();
                    if header.stamp.kind != FrameKind::Footer {
                        self.records += u64::from(header.count);
                    }
                    sink(&header, entries)?;
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
    fn count(&mut self, disk: Disk<'_>, file: &dyn File, id: FileId, len: u64) -> Result<()> {
        self.files += 1;
        let mut reader = FrameReader::new(file, id, len);
        while let Step::Frame { header, entries, .. } = reader.next()? {
            if !disk.is_ours(&header, &entries) {
                break;
            }
            self.bytes += header.frame_len();
            self.records += u64::from(header.count);
        }
        Ok(())
    }
}

/// The layout of a store that may be damaged: what CURRENT says, else what its files look like.
pub(crate) fn layout_of(vfs: &dyn Vfs, ordered: u8) -> Result<Option<u8>> {
    if let Some((_, pointer)) = Slots::read(vfs)?.as_ref().and_then(Slots::newest) {
        return Ok(Some(pointer.layout));
    }
    let is_table = |name: &String| matches!(FileName::parse(name), Some(FileName::Table(_)));
    Ok(vfs.list("")?.iter().any(is_table).then_some(ordered))
}
