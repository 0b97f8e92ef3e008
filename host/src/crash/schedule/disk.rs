//! The disk under a schedule: it knows which operations there were, and says when a sync of a file begins and ends.
//!
//! Called by the stage, which puts it between the store and the fault disk. Promise: the operations have the numbers that
//! the fault disk gives them. Never: fails by itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keelstone::vfs::fault::SyncFault;
use keelstone::vfs::{Access, Capabilities, FaultDisk, File, Lock, Op, Result, SyncMode, Vfs};

/// What is called before and behind each sync of a file.
pub(super) type Call = Arc<dyn Fn() + Send + Sync>;

/// What all files of the disk share.
#[derive(Default)]
struct Watch {
    /// The operations, in order.
    ops: Mutex<Vec<Op>>,
    call: Mutex<Option<Call>>,
    /// Operations that, if they are syncs, fail and forget what they were to sync.
    dropped: Mutex<Vec<u64>>,
}

/// The disk; a clone is the same disk.
#[derive(Clone)]
pub(super) struct StageDisk {
    disk: FaultDisk,
    watch: Arc<Watch>,
}

struct StageFile {
    file: Box<dyn File>,
    disk: StageDisk,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StageDisk {
    pub(super) fn new(disk: FaultDisk) -> Self {
        Self { disk, watch: Arc::default() }
    }

    /// What is to be called from now on.
    pub(super) fn set_call(&self, call: Option<Call>) {
        *held(&self.watch.call) = call;
    }

    /// Operation `at`, if it is a sync, fails and forgets what it was to sync.
    pub(super) fn drop_sync(&self, at: u64) {
        held(&self.watch.dropped).push(at);
    }

    /// The operations so far.
    pub(super) fn ops(&self) -> Vec<Op> {
        held(&self.watch.ops).clone()
    }

    fn note(&self, op: Op) {
        held(&self.watch.ops).push(op);
    }

    /// Lets others act; what they sync calls nobody.
    fn call(&self) {
        let call = held(&self.watch.call).take();
        if let Some(call) = call {
            call();
            *held(&self.watch.call) = Some(call);
        }
    }

    fn file(&self, file: Result<Box<dyn File>>) -> Result<Box<dyn File>> {
        file.map(|file| Box::new(StageFile { file, disk: self.clone() }) as Box<dyn File>)
    }
}

impl Vfs for StageDisk {
    fn capabilities(&self) -> Capabilities {
        self.disk.capabilities()
    }

    fn open(&self, name: &str, access: Access) -> Result<Box<dyn File>> {
        self.note(Op::Open);
        self.file(self.disk.open(name, access))
    }

    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        self.note(Op::Create);
        self.file(self.disk.create(name))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        self.note(Op::List);
        self.disk.list(dir)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.note(Op::Rename);
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.note(Op::Remove);
        self.disk.remove(name)
    }

    fn create_dir(&self, name: &str) -> Result<()> {
        self.note(Op::CreateDir);
        self.disk.create_dir(name)
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        self.note(Op::SyncDir);
        self.disk.sync_dir(dir)
    }

    fn lock(&self, name: &str, access: Access) -> Result<Box<dyn Lock>> {
        self.note(Op::Lock);
        self.disk.lock(name, access)
    }
}

impl File for StageFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.disk.note(Op::Read);
        self.file.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> Result<()> {
        self.disk.note(Op::Write);
        self.file.write_at(buf, offset)
    }

    fn len(&self) -> Result<u64> {
        self.disk.note(Op::Len);
        self.file.len()
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.disk.note(Op::SetLen);
        self.file.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        self.disk.note(Op::Allocate);
        self.file.allocate(offset, len)
    }

    fn sync(&self, mode: SyncMode) -> Result<()> {
        self.disk.call();
        self.disk.note(Op::Sync);
        let fault = &self.disk.disk;
        if held(&self.disk.watch.dropped).contains(&fault.ops()) {
            fault.fail_sync(fault.syncs(), SyncFault::Dropped);
        }
        let synced = self.file.sync(mode);
        self.disk.call();
        synced
    }
}
