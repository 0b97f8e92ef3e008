//! Tools for a store that nobody has open.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::{Lock, Vfs};

use super::Db;
use crate::error::{Error, Result};
use crate::journal::{self, RepairReport, VerifyReport};
use crate::options::{OpenMode, Options};
use crate::{hash, ordered};

/// Takes the lock of the store in the root of `vfs` as [`Db::open`] would, and opens nothing: for a host whose component
/// opens the store, because a component cannot lock. `None`: the disk has no locks, or there is nothing to be locked.
///
/// # Errors
/// `Locked`, `Storage`. A directory that is no store gets no lock's file.
pub fn lock(vfs: &dyn Vfs, mode: OpenMode) -> Result<Option<Box<dyn Lock>>> {
    journal::lock(vfs, mode)
}

/// Reads a store that nobody has open, every byte of it, and changes none. Of a store in an order of one's own it cannot
/// check that order: the report says so, and [`verify_with`] can.
///
/// # Errors
/// `Locked`, `NoStore`, `Version`, `Storage`. Damage is no error, it stands in the report.
pub fn verify(vfs: &Arc<dyn Vfs>) -> Result<VerifyReport> {
    verify_as(vfs, None)
}

/// As [`verify`], with the comparator of the options: the order of the keys is checked too.
///
/// # Errors
/// As [`verify`]; `Invalid` if the store was created with another comparator.
pub fn verify_with(vfs: &Arc<dyn Vfs>, options: &Options) -> Result<VerifyReport> {
    verify_as(vfs, Some(options))
}

fn verify_as(vfs: &Arc<dyn Vfs>, options: Option<&Options>) -> Result<VerifyReport> {
    let mut verifying = journal::begin_verify(vfs)?;
    if let Some(loaded) = &verifying.loaded {
        let report = &mut verifying.report;
        match loaded.state.layout {
            hash::LAYOUT => hash::verify(vfs, loaded, report)?,
            ordered::LAYOUT => ordered::verify(vfs, loaded, options, report)?,
            _ => return Err(Error::Unsupported("the layout of this store")),
        }
    }
    Ok(verifying.report)
}

/// Keeps everything readable of a damaged store that nobody has open, and lists what was lost; `verify` is content then.
///
/// # Errors
/// `Locked`, `NoStore` if not even the store's seed can be read, `Storage`, `OutOfSpace`: it writes what it keeps before it
/// removes anything, and can be run again.
pub fn repair(vfs: &Arc<dyn Vfs>, options: &Options) -> Result<RepairReport> {
    let checked = verify_with(vfs, options)?;
    match journal::layout_of(&**vfs, ordered::LAYOUT)? {
        Some(ordered::LAYOUT) if checked.is_sound() => {
            let options = Options { mode: OpenMode::ReadOnly, ..options.clone() };
            let db = Db::open(Arc::clone(vfs), options)?;
            let kept = db.len()?;
            db.close()?;
            Ok(RepairReport { kept, lost: Vec::new() })
        }
        Some(ordered::LAYOUT) => ordered::repair(vfs, options, checked),
        _ => hash::repair(vfs, options, checked),
    }
}
