//! What is durable for certain, and what has failed.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use keelstone::Error;
use keelstone::probe::named_files;
use keelstone::vfs::{Access, File, Image, MemoryDisk, Result, SyncMode, Vfs};

use crate::fingerprint::fingerprint;

/// Stops the test that breaks a rule. Why not twice: a store that is dropped on the way out may break the next one.
fn rule(kept: bool, words: impl Fn() -> String) {
    assert!(kept || std::thread::panicking(), "rule: {}", words());
}

/// Whose content says what else there must be.
fn is_control(name: &str) -> bool {
    name == "CURRENT" || name.ends_with(".manifest")
}

/// What is in a file. Why not read from it: a reading would be one operation more for whoever counts them or fails one.
#[derive(Clone, Default)]
pub(super) struct Content {
    len: u64,
    /// Of CURRENT and of manifests only.
    bytes: Vec<u8>,
}

/// A file, whatever its name is now.
#[derive(Clone, Default)]
struct Inode {
    now: Content,
    durable: Content,
    write_failed: bool,
    sync_failed: bool,
}

/// A change of a file.
#[derive(Clone, Copy)]
pub(super) enum Change<'a> {
    Write(&'a [u8], u64),
    /// Cut, or grown with zeros.
    SetLen(u64),
    /// At least so long.
    Grow(u64),
}

impl Content {
    fn change(&mut self, change: Change<'_>, control: bool) {
        self.len = match change {
            Change::Write(bytes, offset) => self.len.max(offset + bytes.len() as u64),
            Change::SetLen(len) => len,
            Change::Grow(len) => self.len.max(len),
        };
        if control {
            self.bytes.resize(crate::index(self.len), 0);
            if let Change::Write(bytes, offset) = change {
                self.bytes[crate::index(offset)..][..bytes.len()].copy_from_slice(bytes);
            }
        }
    }
}

/// A disk as its durable part is known.
#[derive(Default)]
pub(super) struct Shadow {
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    inodes: Vec<Inode>,
    /// What the durable manifest names, if there is a store.
    named: Arc<Named>,
}

impl Shadow {
    /// All that is on the disk now counts as durable.
    pub(super) fn of(disk: &dyn Vfs) -> Self {
        let mut shadow = Self::default();
        for name in disk.list("").unwrap_or_default() {
            let Ok(file) = disk.open(&name, Access::Read) else { continue };
            let inode = shadow.created(&name);
            let bytes = read(&*file).unwrap_or_default();
            shadow.changed(&name, inode, Change::Write(&bytes, 0));
            shadow.inodes[inode].durable = shadow.inodes[inode].now.clone();
        }
        shadow.dir_synced();
        shadow
    }

    /// A file that was created.
    pub(super) fn created(&mut self, name: &str) -> usize {
        self.inodes.push(Inode::default());
        self.names.insert(name.into(), self.inodes.len() - 1);
        self.inodes.len() - 1
    }

    /// A file that was opened.
    pub(super) fn opened(&mut self, name: &str) -> usize {
        self.names.get(name).copied().unwrap_or_else(|| self.created(name))
    }

    pub(super) fn renamed(&mut self, from: &str, to: &str) {
        if let Some(inode) = self.names.remove(from) {
            self.names.insert(to.into(), inode);
        }
    }

    /// Before a name is removed.
    ///
    /// # Panics
    /// If the durable manifest names it.
    pub(super) fn check_remove(&self, name: &str) {
        let named = self.named.iter().any(|(other, _)| other == name);
        rule(!named, || format!("{name} is removed while the durable manifest names it"));
    }

    pub(super) fn removed(&mut self, name: &str) {
        self.names.remove(name);
    }

    /// Before a write.
    ///
    /// # Panics
    /// If one failed in that file since the store was opened.
    pub(super) fn check_write(&self, name: &str, inode: usize) {
        let failed = self.inodes[inode].write_failed;
        rule(!failed, || format!("{name} is written behind a write that failed"));
    }

    pub(super) fn changed(&mut self, name: &str, inode: usize, change: Change<'_>) {
        self.inodes[inode].now.change(change, is_control(name));
    }

    pub(super) fn change_failed(&mut self, inode: usize) {
        self.inodes[inode].write_failed = true;
    }

    /// Before a sync; gives what it will make durable.
    ///
    /// # Panics
    /// If one failed of that file since the store was opened.
    pub(super) fn check_sync(&self, name: &str, inode: usize) -> Content {
        let failed = self.inodes[inode].sync_failed;
        rule(!failed, || format!("a failed sync of {name} is tried again"));
        self.inodes[inode].now.clone()
    }

    pub(super) fn sync_failed(&mut self, inode: usize) {
        self.inodes[inode].sync_failed = true;
    }

    /// A lock was taken: a store is opened, which looks anew at what has failed before, and finds whatever it has left.
    pub(super) fn locked(&mut self, disk: &dyn Vfs) {
        for (name, inode) in &self.names {
            let inode = &mut self.inodes[*inode];
            let left = || read(&*disk.open(name, Access::Read)?);
            if let (true, Ok(bytes)) = (inode.write_failed, left()) {
                inode.now = Content::default();
                inode.now.change(Change::Write(&bytes, 0), is_control(name));
            }
            (inode.write_failed, inode.sync_failed) = (false, false);
        }
    }

    /// A sync of a file returned.
    pub(super) fn synced(&mut self, name: &str, inode: usize, begun: Content, mode: SyncMode) {
        let durable = &mut self.inodes[inode].durable;
        let len = if mode == SyncMode::All { begun.len } else { durable.len.min(begun.len) };
        *durable = begun;
        durable.len = len;
        durable.bytes.truncate(crate::index(len));
        if is_control(name) {
            self.look();
        }
    }

    /// A sync of the root directory returned.
    pub(super) fn dir_synced(&mut self) {
        self.durable_names.clone_from(&self.names);
        self.look();
    }

    /// Reads the durable manifest and checks what it names.
    fn look(&mut self) {
        let control = || self.durable_names.iter().filter(|(name, _)| is_control(name));
        let image: Image = control()
            .map(|(name, inode)| (name.clone(), self.inodes[*inode].durable.bytes.clone()))
            .collect();
        self.named = named(&image);
        for (name, len) in &*self.named {
            let durable = self.durable_names.get(name).map(|inode| self.inodes[*inode].durable.len);
            rule(durable.is_some_and(|durable| durable >= *len), || {
                format!(
                    "the durable manifest names {name} with {len} bytes, of it are durable: {durable:?}"
                )
            });
        }
    }
}

/// The files that a manifest names, with their least lengths.
type Named = Vec<(String, u64)>;

/// So many images are remembered, then all are forgotten.
const REMEMBERED_MAX: usize = 10_000;

thread_local! {
    /// What was in manifests. Why it is remembered: most syncs of the directory change none, and the fault loops drive one
    /// run thousands of times, each time through the same manifests.
    static NAMED: RefCell<HashMap<u128, Arc<Named>>> = RefCell::default();
}

/// What the manifest names in an image of CURRENT and the manifests.
fn named(image: &Image) -> Arc<Named> {
    let key = fingerprint(image);
    if let Some(named) = NAMED.with_borrow(|known| known.get(&key).cloned()) {
        return named;
    }
    let disk: Arc<dyn Vfs> = Arc::new(MemoryDisk::from_image(image));
    let named = match named_files(&disk) {
        Ok(named) => Arc::new(named),
        Err(Error::NoStore) => Arc::default(),
        Err(error) => {
            rule(false, || format!("the durable manifest cannot be read: {error}"));
            return Arc::default();
        }
    };
    NAMED.with_borrow_mut(|known| {
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(key, Arc::clone(&named));
    });
    named
}

fn read(file: &dyn File) -> Result<Vec<u8>> {
    let mut bytes = vec![0; crate::index(file.len()?)];
    let count = file.read_at(&mut bytes, 0)?;
    bytes.truncate(count);
    Ok(bytes)
}
