//! Looking into a fault disk, and damaging it, past everything that is counted or can fail.

use super::inode::index;
use super::step::{Bytes, Name, Step};
use super::{FaultDisk, Live};
use crate::memory::Image;
use crate::name::check_name;
use crate::tree::Node;
use crate::{Error, Kind, Op, Result};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

impl FaultDisk {
    /// What everybody reads now, and what a kill leaves.
    #[must_use]
    pub fn cached(&self) -> Image {
        let live = self.live();
        live.state.image(&live.state.names.cached, |inode| inode.cached().to_vec())
    }

    /// What is on the medium for certain: bytes, lengths and names that were synced.
    #[must_use]
    pub fn durable(&self) -> Image {
        let live = self.live();
        let names = live.state.names.after(&[]);
        live.state.image(&names, |inode| inode.medium().to_vec())
    }

    /// How many bytes of the file were written that are not durable yet.
    #[must_use]
    pub fn pending_bytes(&self, name: &str) -> usize {
        let live = self.live();
        live.state.file(name).map_or(0, |ino| live.state.inode(ino).pending_bytes())
    }

    /// How many operations on names are not durable yet.
    #[must_use]
    pub fn pending_names(&self) -> usize {
        self.live().state.names.pending.len()
    }

    /// The durable bytes of the file with this durable name.
    pub fn read_file(&self, name: &str) -> Result<Vec<u8>> {
        let live = self.live();
        let ino = *live.state.names.after(&[]).file(Op::Read, name)?;
        Ok(live.state.inode(ino).medium().to_vec())
    }

    /// Lays a file with these bytes onto the medium and into the cache, all of it durable, in
    /// place of what has the name. Its directory must be there. Handles keep the old file.
    pub fn write_file(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut live = self.live();
        let cached = &live.state.names.cached;
        check_name(Op::Write, name)?;
        cached.dir(Op::Write, crate::name::parent(name))?;
        if matches!(cached.nodes.get(name), Some(Node::Dir)) {
            return Err(Error::new(Op::Write, Kind::BadName));
        }
        let ino = live.state.next;
        live.take(Step::Plant(Name::from(name), ino, Bytes::new(bytes)));
        Ok(())
    }

    /// Takes a file off the medium and out of the cache.
    pub fn remove_file(&self, name: &str) -> Result<()> {
        let mut live = self.live();
        live.state.names.cached.file(Op::Remove, name)?;
        live.take(Step::Uproot(Name::from(name)));
        Ok(())
    }

    /// Turns bit `bit` (0 to 7) of the byte at `at`, on the medium and in the cache. `NotFound` if
    /// there is no such byte.
    pub fn flip(&self, name: &str, at: u64, bit: u8) -> Result<()> {
        let mut live = self.live();
        let ino = *live.state.names.cached.file(Op::Write, name)?;
        if index(at) >= live.state.inode(ino).cached().len() {
            return Err(Error::new(Op::Write, Kind::NotFound));
        }
        live.take(Step::Flip(Arc::from(name), at, bit % 8));
        Ok(())
    }
}

impl fmt::Debug for FaultDisk {
    /// One line for every name, then one for every pending operation on names; always the same for
    /// the same disk.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = self.live();
        let Live { state, .. } = &*live;
        for (name, node) in &state.names.cached.nodes {
            match node {
                Node::Dir => writeln!(f, "{name}/")?,
                Node::File(ino) => {
                    let inode = state.inode(*ino);
                    let (cached, medium) = (inode.cached().len(), inode.medium().len());
                    let pending = inode.pending_bytes();
                    writeln!(f, "{name} len={cached} durable={medium} pending={pending}")?;
                }
            }
        }
        state.names.pending.iter().try_for_each(|op| writeln!(f, "pending {op}"))
    }
}
