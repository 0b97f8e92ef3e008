//! Verify of this layout: the logs, and every block of every table, against what the manifest says of it.

use alloc::sync::Arc;

use keelstone_vfs::{Access, Vfs};

use super::Store;
use super::table::{Table, TableMeta};
use crate::codec::KeyHasher;
use crate::error::{Corruption, Damage, FileName, Result};
use crate::journal::{Disk, VerifyReport};
use crate::manifest::Loaded;
use crate::order::KeyOrder;

/// Reads everything that the manifest names. A store with an order of its own is read as far as that is possible without
/// the comparator: its tables are not.
pub(crate) fn verify(vfs: &Arc<dyn Vfs>, loaded: &Loaded, report: &mut VerifyReport) -> Result<()> {
    let (seed, access) = (loaded.seed, Access::Read);
    let disk = Disk { vfs: &**vfs, seed, access, check: true, ranges: true };
    report.orphans(disk, loaded)?;
    report.tails(disk, loaded)?;
    report.closed(disk, loaded, |report, live, file, end| {
        let end = end.min(file.len()?);
        report.walk(disk, file, live.name(), end, &mut |_, _| Ok(()))
    })?;
    let order = KeyOrder::Bytewise;
    if loaded.state.order != order.name().as_bytes() {
        return Ok(());
    }
    for live in &loaded.state.tables {
        let place = (live.meta.number, live.meta.len);
        let table = Table::find(&**vfs, seed, place, order.clone(), KeyHasher::new(seed));
        check_table(report, &live.meta, table)?;
    }
    Ok(())
}

fn check_table(report: &mut VerifyReport, meta: &TableMeta, table: Result<Table>) -> Result<()> {
    report.files += 1;
    let before = report.corrupt.len();
    let Some(table) = report.absorb(table)? else {
        report.hurt(before, Some(&meta.first), Some(&meta.last));
        return Ok(());
    };
    if table.meta() != meta {
        let (file, what) = (FileName::Table(meta.number), Damage::Identity);
        report.corrupt.push(Corruption { file, offset: 0, bytes: meta.len, what });
        report.hurt(before, Some(&meta.first), Some(&meta.last));
        return Ok(());
    }
    let found = table.verify()?;
    report.records += found.entries + found.ranges;
    if found.hurts.is_empty() {
        report.bytes += meta.len;
    }
    report.corrupt.extend(found.hurts.iter().map(|hurt| hurt.damage));
    report.hurt.extend(found.hurts);
    Ok(())
}

impl Store {
    /// Reads every file as far as it was written when this began, while everybody goes on.
    pub(crate) fn verify(&self) -> Result<VerifyReport> {
        self.journal.check_open()?;
        let mut report = VerifyReport::default();
        let (logs, view) = {
            let writer = self.journal.writer.lock();
            if let Some(manifest) = &writer.manifest {
                report.files += 2;
                report.bytes += crate::manifest::CURRENT_BYTES as u64 + manifest.bytes();
            }
            let ends = |log: &Arc<crate::journal::LogFile>| (Arc::clone(log), log.end());
            let logs: alloc::vec::Vec<_> = self.hand.lock().logs.iter().map(ends).collect();
            (logs, self.view())
        };
        let (vfs, seed) = (&*self.journal.vfs, self.journal.seed);
        let disk = Disk { vfs, seed, access: Access::Read, check: true, ranges: true };
        for (log, end) in logs {
            report.files += 1;
            report.walk(disk, &*log.file, log.name, end, &mut |_, _| Ok(()))?;
        }
        for file in view.version.tables() {
            let place = (file.meta.number, file.meta.len);
            let table = Table::find(vfs, seed, place, self.order.clone(), self.hasher);
            check_table(&mut report, &file.meta, table)?;
        }
        Ok(report)
    }
}
