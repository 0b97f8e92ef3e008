//! A disk in memory whose syncs can be made to wait until so many records were appended: what writers do while another
//! of them syncs becomes the same every time.
//!
//! Called by the tests of threads. Promise: a sync that waits is let go by the append that it waits for, or fails the test
//! after ten minutes. Never: changes what is written.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use keelstone_vfs::{Access, Capabilities, CountingDisk, Counts, File, Lock, MemoryDisk};
use keelstone_vfs::{Result, SyncMode, Vfs};

/// The disk; a clone is the same disk.
#[derive(Clone, Default)]
pub(super) struct GateDisk {
    disk: CountingDisk<MemoryDisk>,
    gate: Arc<Gate>,
}

/// How many writes are still missing before a sync may return.
#[derive(Default)]
struct Gate {
    missing: Mutex<u64>,
    written: Condvar,
}

impl Gate {
    fn missing(&self) -> MutexGuard<'_, u64> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_write(&self) {
        let mut missing = self.missing();
        *missing = missing.saturating_sub(1);
        self.written.notify_all();
    }

    fn wait(&self) {
        let minutes = Duration::from_secs(600);
        let waited = self.written.wait_timeout_while(self.missing(), minutes, |n| *n > 0);
        let (missing, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*missing, 0, "writers do not append while another one syncs");
    }
}

impl GateDisk {
    /// From now on no sync returns before so many writes were made.
    pub(super) fn hold_syncs_for(&self, writes: u64) {
        *self.gate.missing() = writes;
    }

    pub(super) fn counts(&self) -> Counts {
        self.disk.counts()
    }

    fn gated(&self, file: Box<dyn File>) -> Box<dyn File> {
        Box::new(GateFile { file, gate: Arc::clone(&self.gate) })
    }
}

impl Vfs for GateDisk {
    fn capabilities(&self) -> Capabilities {
        self.disk.capabilities()
    }
    fn open(&self, name: &str, access: Access) -> Result<Box<dyn File>> {
        self.disk.open(name, access).map(|file| self.gated(file))
    }
    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        self.disk.create(name).map(|file| self.gated(file))
    }
    fn list(&self, dir: &str) -> Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> Result<()> {
        self.disk.remove(name)
    }
    fn create_dir(&self, name: &str) -> Result<()> {
        self.disk.create_dir(name)
    }
    fn sync_dir(&self, dir: &str) -> Result<()> {
        self.disk.sync_dir(dir)
    }
    fn lock(&self, name: &str, access: Access) -> Result<Box<dyn Lock>> {
        self.disk.lock(name, access)
    }
}

struct GateFile {
    file: Box<dyn File>,
    gate: Arc<Gate>,
}

impl File for GateFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.file.read_at(buf, offset)
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> Result<()> {
        self.file.write_at(buf, offset)?;
        self.gate.count_write();
        Ok(())
    }
    fn len(&self) -> Result<u64> {
        self.file.len()
    }
    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len)
    }
    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        self.file.allocate(offset, len)
    }
    fn sync(&self, mode: SyncMode) -> Result<()> {
        self.gate.wait();
        self.file.sync(mode)
    }
}
