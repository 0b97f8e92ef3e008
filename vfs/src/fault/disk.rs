//! The operations of a fault disk on names.
//!
//! Each counts itself, asks the plan, decides as every backend does, takes a step, and gives the
//! result that the plan wants seen. Never: touches bytes.

use super::file::FaultFile;
use super::plan::Pass;
use super::step::{Fate, Ino, Name, Step};
use super::{FaultDisk, Live};
use crate::lock::Mutex;
use crate::{Access, Capabilities, Error, File, Kind, Lock, Op, Result, Vfs};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl FaultDisk {
    fn handle(&self, live: &mut Live, name: Name, ino: Ino, access: Access) -> Box<dyn File> {
        Box::new(FaultFile::new(self.live.clone(), live, name, ino, access))
    }
}

impl Live {
    fn create(&mut self, name: &Name) -> Ino {
        let ino = self.state.next;
        self.take(Step::Create(name.clone(), ino));
        ino
    }

    /// The file of a lock, which is made if it is missing and may be.
    fn lock_file(&mut self, name: &Name, access: Access) -> Result<()> {
        match self.state.names.cached.file(Op::Lock, name) {
            Err(Error { kind: Kind::NotFound, .. }) if access == Access::Write => {
                self.state.names.cached.vacant(Op::Lock, name)?;
                self.create(name);
                Ok(())
            }
            other => other.map(|_| ()),
        }
    }
}

impl Vfs for FaultDisk {
    fn capabilities(&self) -> Capabilities {
        self.live().capabilities
    }

    fn open(&self, name: &str, access: Access) -> Result<Box<dyn File>> {
        let mut live = self.live();
        let pass = live.plan.begin(Op::Open)?;
        let ino = *live.state.names.cached.file(Op::Open, name)?;
        pass.end(())?;
        Ok(self.handle(&mut live, Arc::from(name), ino, access))
    }

    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        let mut live = self.live();
        let pass = live.plan.begin(Op::Create)?;
        live.state.names.cached.vacant(Op::Create, name)?;
        let name = Name::from(name);
        let ino = live.create(&name);
        pass.end(())?;
        Ok(self.handle(&mut live, name, ino, Access::Write))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        let mut live = self.live();
        let pass = live.plan.begin(Op::List)?;
        let names = live.state.names.cached.list(dir)?;
        pass.end(names)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut live = self.live();
        let pass = live.plan.begin(Op::Rename)?;
        live.state.names.cached.movable(from, to)?;
        let atomic = live.capabilities.atomic_rename;
        live.take(Step::Rename(Arc::from(from), Arc::from(to), atomic));
        pass.end(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        let mut live = self.live();
        let pass = live.plan.begin(Op::Remove)?;
        live.state.names.cached.file(Op::Remove, name)?;
        live.take(Step::Remove(Arc::from(name)));
        pass.end(())
    }

    fn create_dir(&self, name: &str) -> Result<()> {
        let mut live = self.live();
        let pass = live.plan.begin(Op::CreateDir)?;
        live.state.names.cached.vacant(Op::CreateDir, name)?;
        live.take(Step::CreateDir(Arc::from(name)));
        pass.end(())
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        let mut live = self.live();
        let pass: Pass = live.plan.begin(Op::SyncDir)?;
        live.state.names.cached.dir(Op::SyncDir, dir)?;
        if !live.capabilities.dir_sync {
            return Err(Error::new(Op::SyncDir, Kind::Unsupported));
        }
        let fate = if live.plan.lying { Fate::Lied } else { Fate::Kept };
        live.take(Step::SyncDir(Arc::from(dir), fate));
        let Live { state, open, .. } = &mut *live;
        state.sweep(|ino| open.contains_key(&ino));
        pass.end(())
    }

    fn lock(&self, name: &str, access: Access) -> Result<Box<dyn Lock>> {
        let mut live = self.live();
        let pass = live.plan.begin(Op::Lock)?;
        let name = Name::from(name);
        live.lock_file(&name, access)?;
        pass.end(())?;
        if live.capabilities.lock && !live.locks.insert(name.clone()) {
            return Err(Error::new(Op::Lock, Kind::Locked));
        }
        Ok(Box::new(FaultLock { live: self.live.clone(), name }))
    }
}

/// A lock that is held.
struct FaultLock {
    live: Arc<Mutex<Live>>,
    name: Name,
}

impl Lock for FaultLock {}

impl Drop for FaultLock {
    fn drop(&mut self) {
        self.live.lock().locks.remove(&self.name);
    }
}
