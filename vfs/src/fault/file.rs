//! The operations of a fault disk on bytes.
//!
//! Each counts itself, asks the plan, decides as every backend does, takes a step, and gives the
//! result that the plan wants seen.

use super::Live;
use super::inode::Inode;
use super::plan::SyncFault;
use super::step::{Bytes, Fate, Ino, Name, Step};
use crate::lock::{Mutex, MutexGuard};
use crate::{Access, Error, File, Kind, Op, Result, SyncMode, bytes};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

/// A file that is open.
pub(super) struct FaultFile {
    live: Arc<Mutex<Live>>,
    /// The name it was opened by, for the trace.
    name: Name,
    ino: Ino,
    access: Access,
    /// How many of the file's errors this handle was told.
    told: AtomicU32,
}

impl FaultFile {
    pub(super) fn new(
        shared: Arc<Mutex<Live>>,
        live: &mut Live,
        name: Name,
        ino: Ino,
        access: Access,
    ) -> Self {
        *live.open.entry(ino).or_default() += 1;
        let told = AtomicU32::new(live.state.inode(ino).errors);
        Self { live: shared, name, ino, access, told }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock()
    }

    fn check(&self, op: Op) -> Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(Error::new(op, Kind::ReadOnly)),
        }
    }

    /// The end that this file may grow to when it is to grow to `end`.
    fn room(&self, live: &Live, end: u64) -> u64 {
        let len = cached_len(live.state.inode(self.ino));
        if end <= len {
            return end;
        }
        let free = live.plan.space().saturating_sub(live.state.space_used());
        end.min(len.saturating_add(free))
    }

    /// Whether the file may grow to `end`.
    fn check_room(&self, live: &Live, op: Op, end: u64) -> Result<()> {
        let fits = self.room(live, end) == end;
        if fits { Ok(()) } else { Err(Error::new(op, Kind::NoSpace)) }
    }

    /// Tells this handle of the file's errors; says whether it knew them all.
    fn tell(&self, inode: &Inode) -> bool {
        self.told.swap(inode.errors, Ordering::Relaxed) == inode.errors
    }

    /// What becomes of a sync, and whether it says that it failed.
    fn fate(&self, live: &mut Live) -> (Fate, bool) {
        let planned = live.plan.begin_sync();
        let inode = live.state.inode(self.ino);
        let told = self.tell(inode);
        match planned {
            _ if inode.late => (Fate::Dropped, false),
            Some(fault) => (fault.fate(), fault == SyncFault::Late),
            None if live.plan.lying || !live.capabilities.durable_sync => (Fate::Lied, told),
            None => (Fate::Kept, told),
        }
    }
}

impl Drop for FaultFile {
    fn drop(&mut self) {
        let mut live = self.live();
        if let Some(count) = live.open.get_mut(&self.ino) {
            *count -= 1;
            if *count == 0 {
                live.open.remove(&self.ino);
                if !live.state.names.refer_to(self.ino) {
                    live.state.inodes.remove(&self.ino);
                }
            }
        }
    }
}

impl File for FaultFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let mut live = self.live();
        let pass = live.plan.begin(Op::Read)?;
        pass.end(bytes::read_at(live.state.inode(self.ino).cached(), buf, offset))
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> Result<()> {
        let mut live = self.live();
        let pass = live.plan.begin(Op::Write)?;
        self.check(Op::Write)?;
        let n = pass.bytes(buf.len());
        let end = bytes::end(Op::Write, offset, n as u64)?;
        let room = if n == 0 { end } else { self.room(&live, end) };
        let fits = usize::try_from(room.saturating_sub(offset)).map_or(n, |fits| fits.min(n));
        if fits > 0 {
            let written = Bytes::new(&buf[..fits]);
            live.take(Step::Write(self.name.clone(), self.ino, offset, written));
        }
        if fits < n {
            return Err(Error::new(Op::Write, Kind::NoSpace));
        }
        pass.end(())
    }

    fn len(&self) -> Result<u64> {
        let mut live = self.live();
        let pass = live.plan.begin(Op::Len)?;
        pass.end(cached_len(live.state.inode(self.ino)))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let mut live = self.live();
        let pass = live.plan.begin(Op::SetLen)?;
        self.check(Op::SetLen)?;
        self.check_room(&live, Op::SetLen, len)?;
        live.take(Step::SetLen(self.name.clone(), self.ino, len));
        pass.end(())
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        let mut live = self.live();
        let pass = live.plan.begin(Op::Allocate)?;
        self.check(Op::Allocate)?;
        let end = bytes::end(Op::Allocate, offset, len)?;
        self.check_room(&live, Op::Allocate, end)?;
        live.take(Step::Allocate(self.name.clone(), self.ino, end));
        pass.end(())
    }

    fn sync(&self, mode: SyncMode) -> Result<()> {
        let mut live = self.live();
        let pass = live.plan.begin(Op::Sync)?;
        self.check(Op::Sync)?;
        let (fate, succeeds) = self.fate(&mut live);
        live.take(Step::Sync(self.name.clone(), self.ino, mode, fate));
        // Who makes an error for every handle is told by it.
        if fate == Fate::PerHandle {
            self.tell(live.state.inode(self.ino));
        }
        if succeeds { pass.end(()) } else { Err(Error::new(Op::Sync, Kind::Io)) }
    }
}

fn cached_len(inode: &Inode) -> u64 {
    bytes::count(inode.cached())
}
