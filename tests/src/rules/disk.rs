//! The disk and its files, as they are handed to the engine.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keelstone::vfs::{Access, Capabilities, File, Lock, Result, SyncMode, Vfs};

use super::shadow::{Change, Shadow};

/// Watches the disk `V`. A clone watches the same.
#[derive(Clone)]
pub struct RulesDisk<V> {
    disk: V,
    shadow: Arc<Mutex<Shadow>>,
}

/// The shadow; after a broken rule too, whose panic is what counts.
fn of(shadow: &Mutex<Shadow>) -> MutexGuard<'_, Shadow> {
    shadow.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<V: Vfs> RulesDisk<V> {
    /// Watches a disk; what is on it counts as durable.
    pub fn new(disk: V) -> Self {
        let shadow = Arc::new(Mutex::new(Shadow::of(&disk)));
        Self { disk, shadow }
    }

    /// The disk below.
    pub const fn disk(&self) -> &V {
        &self.disk
    }

    fn file(&self, name: &str, file: Box<dyn File>, inode: usize) -> Box<dyn File> {
        Box::new(RulesFile { file, name: name.into(), inode, shadow: Arc::clone(&self.shadow) })
    }
}

impl<V: Vfs> Vfs for RulesDisk<V> {
    fn capabilities(&self) -> Capabilities {
        self.disk.capabilities()
    }

    fn open(&self, name: &str, access: Access) -> Result<Box<dyn File>> {
        let file = self.disk.open(name, access)?;
        let inode = of(&self.shadow).opened(name);
        Ok(self.file(name, file, inode))
    }

    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        let file = self.disk.create(name)?;
        let inode = of(&self.shadow).created(name);
        Ok(self.file(name, file, inode))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        self.disk.list(dir)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.disk.rename(from, to)?;
        of(&self.shadow).renamed(from, to);
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        of(&self.shadow).check_remove(name);
        self.disk.remove(name)?;
        of(&self.shadow).removed(name);
        Ok(())
    }

    fn create_dir(&self, name: &str) -> Result<()> {
        self.disk.create_dir(name)
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        self.disk.sync_dir(dir)?;
        if dir.is_empty() {
            of(&self.shadow).dir_synced();
        }
        Ok(())
    }

    fn lock(&self, name: &str, access: Access) -> Result<Box<dyn Lock>> {
        let lock = self.disk.lock(name, access)?;
        if access == Access::Write {
            of(&self.shadow).locked(&self.disk);
        }
        Ok(lock)
    }
}

/// A file that is open.
struct RulesFile {
    file: Box<dyn File>,
    name: String,
    inode: usize,
    shadow: Arc<Mutex<Shadow>>,
}

impl RulesFile {
    /// A change of bytes or length: after a failure the rule forbids the next one.
    fn change(&self, change: Change<'_>) -> Result<()> {
        // Why no lock is held meanwhile: what threads do at once, they are to do at once here too.
        of(&self.shadow).check_write(&self.name, self.inode);
        let result = match change {
            Change::Write(bytes, offset) => self.file.write_at(bytes, offset),
            Change::SetLen(len) => self.file.set_len(len),
            Change::Grow(len) => self.file.allocate(0, len),
        };
        let mut shadow = of(&self.shadow);
        match result {
            Ok(()) => shadow.changed(&self.name, self.inode, change),
            Err(_) => shadow.change_failed(self.inode),
        }
        result
    }
}

impl File for RulesFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.file.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> Result<()> {
        self.change(Change::Write(buf, offset))
    }

    fn len(&self) -> Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.change(Change::SetLen(len))
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        // Why it fails without more: space that could not be had in advance is no failed write.
        self.file.allocate(offset, len)?;
        of(&self.shadow).changed(&self.name, self.inode, Change::Grow(offset + len));
        Ok(())
    }

    fn sync(&self, mode: SyncMode) -> Result<()> {
        // What was changed before the sync began is what it makes durable for certain.
        let begun = of(&self.shadow).check_sync(&self.name, self.inode);
        let result = self.file.sync(mode);
        let mut shadow = of(&self.shadow);
        match result {
            Ok(()) => shadow.synced(&self.name, self.inode, begun, mode),
            Err(_) => shadow.sync_failed(self.inode),
        }
        result
    }
}
