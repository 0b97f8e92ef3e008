//! A disk in memory: for tests that need no crash, for temporary stores, and as the fast reference.
//!
//! Promise: V1 to V14; "durable" means as long as a clone or a file of the disk lives.
//! A read takes one lock and copies once. Never: fails but for want of memory.

use crate::bytes;
use crate::lock::{Mutex, RwLock};
use crate::tree::{Node, Tree};
use crate::{Access, Capabilities, Error, File, Kind, Lock, Op, Result, SyncMode, Vfs};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

type Content = Arc<RwLock<Vec<u8>>>;

/// What a disk holds: every file's bytes under its full name, and every directory under its name
/// with a `/` at the end and no bytes.
pub type Image = BTreeMap<String, Vec<u8>>;

/// A disk in memory. A clone is the same disk; [`deep_clone`](Self::deep_clone) makes another.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    tree: Arc<RwLock<Tree<Content>>>,
    locks: Locks,
}

/// The locks that are held.
type Locks = Arc<Mutex<BTreeSet<String>>>;

impl MemoryDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk that holds `image`; directories that it does not name are made as needed.
    #[must_use]
    pub fn from_image(image: &Image) -> Self {
        let mut tree = Tree::default();
        for (name, bytes) in image {
            let (dirs, file) = match name.strip_suffix('/') {
                Some(dir) => (dir, None),
                None => (crate::name::parent(name), Some(name)),
            };
            for (end, _) in dirs.match_indices('/').chain([(dirs.len(), "")]) {
                if end > 0 {
                    tree.nodes.insert(Arc::from(&dirs[..end]), Node::Dir);
                }
            }
            if let Some(file) = file {
                let content = Arc::new(RwLock::new(bytes.clone()));
                tree.nodes.insert(Arc::from(file.as_str()), Node::File(content));
            }
        }
        Self { tree: Arc::new(RwLock::new(tree)), locks: Locks::default() }
    }

    /// What the disk holds now.
    #[must_use]
    pub fn image(&self) -> Image {
        let tree = self.tree.read();
        let entry = |(name, node): (&Arc<str>, &Node<Content>)| match node {
            Node::Dir => ([name, "/"].concat(), Vec::new()),
            Node::File(content) => (name.to_string(), content.read().clone()),
        };
        tree.nodes.iter().map(entry).collect()
    }

    /// Another disk with the same content and no locks.
    #[must_use]
    pub fn deep_clone(&self) -> Self {
        Self::from_image(&self.image())
    }

    fn handle(content: &Content, access: Access) -> Box<dyn File> {
        Box::new(MemoryFile { content: content.clone(), access })
    }
}

impl Vfs for MemoryDisk {
    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }

    fn open(&self, name: &str, access: Access) -> Result<Box<dyn File>> {
        self.tree.read().file(Op::Open, name).map(|content| Self::handle(content, access))
    }

    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        let mut tree = self.tree.write();
        tree.vacant(Op::Create, name)?;
        let content = Content::default();
        tree.nodes.insert(Arc::from(name), Node::File(content.clone()));
        Ok(Self::handle(&content, Access::Write))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        self.tree.read().list(dir)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut tree = self.tree.write();
        tree.movable(from, to)?;
        if let Some(node) = tree.nodes.remove(from) {
            tree.nodes.insert(Arc::from(to), node);
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        let mut tree = self.tree.write();
        tree.file(Op::Remove, name)?;
        tree.nodes.remove(name);
        Ok(())
    }

    fn create_dir(&self, name: &str) -> Result<()> {
        let mut tree = self.tree.write();
        tree.vacant(Op::CreateDir, name)?;
        tree.nodes.insert(Arc::from(name), Node::Dir);
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        self.tree.read().dir(Op::SyncDir, dir)
    }

    fn lock(&self, name: &str, access: Access) -> Result<Box<dyn Lock>> {
        let mut tree = self.tree.write();
        match tree.file(Op::Lock, name) {
            Err(Error { kind: Kind::NotFound, .. }) if access == Access::Write => {
                tree.vacant(Op::Lock, name)?;
                tree.nodes.insert(Arc::from(name), Node::File(Content::default()));
            }
            other => other.map(|_| ())?,
        }
        if !self.locks.lock().insert(name.to_string()) {
            return Err(Error::new(Op::Lock, Kind::Locked));
        }
        Ok(Box::new(MemoryLock { locks: self.locks.clone(), name: name.to_string() }))
    }
}

/// A file that is open.
struct MemoryFile {
    content: Content,
    access: Access,
}

impl MemoryFile {
    fn check(&self, op: Op) -> Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(Error::new(op, Kind::ReadOnly)),
        }
    }
}

impl File for MemoryFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        Ok(bytes::read_at(&self.content.read(), buf, offset))
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> Result<()> {
        self.check(Op::Write)?;
        bytes::write_at(&mut self.content.write(), buf, offset)
    }

    fn len(&self) -> Result<u64> {
        Ok(bytes::count(&self.content.read()))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.check(Op::SetLen)?;
        bytes::set_len(Op::SetLen, &mut self.content.write(), len)
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        self.check(Op::Allocate)?;
        bytes::allocate(&mut self.content.write(), offset, len)
    }

    fn sync(&self, _mode: SyncMode) -> Result<()> {
        self.check(Op::Sync)
    }
}

/// A lock that is held.
struct MemoryLock {
    locks: Locks,
    name: String,
}

impl Lock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.locks.lock().remove(&self.name);
    }
}
