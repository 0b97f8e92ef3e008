//! Verify of this layout: the records of every file, and that hints say the same.

use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::{Access, Vfs};

use super::Store;
use super::hint::{Collector, HintReader, Item, Totals, Unusable};
use crate::codec::KeyHasher;
use crate::error::{Corruption, Damage, FileName, Result};
use crate::journal::{Disk, Torn, VerifyReport};
use crate::lab::Switches;
use crate::manifest::{CURRENT_BYTES, Loaded};
use crate::record::FrameKind;

/// Reads everything that the manifest names.
pub(crate) fn verify(vfs: &Arc<dyn Vfs>, loaded: &Loaded, report: &mut VerifyReport) -> Result<()> {
    let (seed, access) = (loaded.seed, Access::Read);
    let disk = Disk { vfs: &**vfs, seed, access, switches: Switches::default(), ranges: false };
    report.orphans(disk, loaded)?;
    report.tails(disk, loaded)?;
    report.closed(disk, loaded, |report, live, file, end| {
        let (hasher, mut collector) = (KeyHasher::new(seed), Collector::default());
        let before = report.corrupt.len();
        let len = file.len()?;
        report.walk(disk, file, live.name(), end.min(len), &mut |header, entries| {
            collector.saw(header.stamp.time_ms);
            if header.stamp.kind != FrameKind::Footer {
                for entry in entries {
                    collector.add(hasher.hash(entry.key), &entry)?;
                }
            }
            Ok(())
        })?;
        if report.corrupt.len() == before {
            check_hint(report, disk, live.number, end, collector);
        }
        Ok(())
    })
}

/// A hint that is not whole is not used, so it counts as torn. One that is must say what the records say: it is
/// believed.
fn check_hint(
    report: &mut VerifyReport,
    disk: Disk<'_>,
    number: u64,
    end: u64,
    collector: Collector,
) {
    let name = FileName::Hint(number);
    let Ok(file) = disk.vfs.open(&alloc::format!("{name}"), Access::Read) else { return };
    report.files += 1;
    let read = || -> core::result::Result<(Vec<Item>, Totals), Unusable> {
        let mut reader = HintReader::open(disk.vfs, disk.seed, number, end)?;
        let mut items = Vec::new();
        while reader.next_block(&mut items)? {}
        Ok((items, reader.totals))
    };
    let (offset, bytes) = (0, file.len().unwrap_or(0));
    let time_ms = collector.totals.time_ms;
    match read() {
        Ok(read) if read == collector.finish(end, time_ms) => report.bytes += bytes,
        Ok(_) => report.corrupt.push(Corruption { file: name, offset, bytes, what: Damage::Key }),
        Err(Unusable) => report.torn.push(Torn { file: name, offset, bytes }),
    }
}

impl Store {
    /// Reads every file as far as it was written when this began, while everybody goes on.
    pub(crate) fn verify(&self) -> Result<VerifyReport> {
        self.journal.check_open()?;
        let mut report = VerifyReport::default();
        let files = {
            let writer = self.journal.writer.lock();
            if let Some(manifest) = &writer.manifest {
                report.files += 2;
                report.bytes += CURRENT_BYTES as u64 + manifest.bytes();
            }
            self.files.live()
        };
        let (vfs, seed) = (&*self.journal.vfs, self.journal.seed);
        let disk =
            Disk { vfs, seed, access: Access::Read, switches: Switches::default(), ranges: false };
        for file in files {
            report.files += 1;
            let log = &file.log;
            report.walk(disk, &*log.file, log.name, log.end(), &mut |_, _| Ok(()))?;
        }
        Ok(report)
    }
}
