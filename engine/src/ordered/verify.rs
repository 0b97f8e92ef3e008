//! Verify of this layout: the logs, and every block of every table, against what the manifest says of it.

use alloc::sync::Arc;

use keelstone_vfs::{Access, Vfs};

use super::open::order_of;
use super::table::{Table, TableMeta};
use super::{Store, unordered};
use crate::codec::KeyHasher;
use crate::error::{Corruption, Damage, Error, FileName, Invalid, Result};
use crate::journal::{Disk, VerifyReport};
use crate::lab::Switches;
use crate::manifest::Loaded;
use crate::options::Options;
use crate::order::KeyOrder;

/// Reads everything that the manifest names. Without `options` the tables of a store in an order of one's own are checked
/// but for that order, and the report says so.
pub(crate) fn verify(
    vfs: &Arc<dyn Vfs>,
    loaded: &Loaded,
    options: Option<&Options>,
    report: &mut VerifyReport,
) -> Result<()> {
    let order = known_order(&loaded.state.order, options)?;
    let (seed, access) = (loaded.seed, Access::Read);
    let disk = Disk { vfs: &**vfs, seed, access, switches: Switches::default(), ranges: true };
    report.orphans(disk, loaded)?;
    report.tails(disk, loaded)?;
    report.closed(disk, loaded, |report, live, file, end| {
        let end = end.min(file.len()?);
        report.walk(disk, file, live.name(), end, &mut |_, _| Ok(()))
    })?;
    let hasher = KeyHasher::new(seed);
    for live in &loaded.state.tables {
        let find =
            |order| Table::find(&**vfs, seed, (live.meta.number, live.meta.len), order, hasher);
        match &order {
            Some(order) => check_table(report, &live.meta, find(order.clone()))?,
            None => {
                let table = find(unordered::absent(&loaded.state.order)?);
                check_unordered(report, &live.meta, table, hasher)?;
            }
        }
    }
    Ok(())
}

/// The order of a store's keys, if it can be known.
fn known_order(stored: &[u8], options: Option<&Options>) -> Result<Option<KeyOrder>> {
    let order = options.map_or(KeyOrder::Bytewise, order_of);
    match (order.name().as_bytes() == stored, options) {
        (true, _) => Ok(Some(order)),
        (false, None) => Ok(None),
        (false, Some(_)) => Err(Error::Invalid(Invalid::Comparator)),
    }
}

/// Opens a table and compares it with what the manifest says of it; `None` if it is damaged.
fn opened(
    report: &mut VerifyReport,
    meta: &TableMeta,
    table: Result<Table>,
) -> Result<Option<Table>> {
    report.files += 1;
    let before = report.corrupt.len();
    let Some(table) = report.absorb(table)? else {
        report.hurt(before, Some(&meta.first), Some(&meta.last));
        return Ok(None);
    };
    if table.meta() != meta {
        let (file, what) = (FileName::Table(meta.number), Damage::Identity);
        report.corrupt.push(Corruption { file, offset: 0, bytes: meta.len, what });
        report.hurt(before, Some(&meta.first), Some(&meta.last));
        return Ok(None);
    }
    Ok(Some(table))
}

/// Checks everything but the order.
fn check_unordered(
    report: &mut VerifyReport,
    meta: &TableMeta,
    table: Result<Table>,
    hasher: KeyHasher,
) -> Result<()> {
    report.order_unchecked += 1;
    let Some(table) = opened(report, meta, table)? else { return Ok(()) };
    let before = report.corrupt.len();
    match report.absorb(unordered::check(table, hasher))? {
        Some(records) => {
            report.records += records;
            report.bytes += meta.len;
        }
        None => report.hurt(before, Some(&meta.first), Some(&meta.last)),
    }
    Ok(())
}

fn check_table(report: &mut VerifyReport, meta: &TableMeta, table: Result<Table>) -> Result<()> {
    let Some(table) = opened(report, meta, table)? else { return Ok(()) };
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
        let disk =
            Disk { vfs, seed, access: Access::Read, switches: Switches::default(), ranges: true };
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
