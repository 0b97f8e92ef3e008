//! The disk below Keelstone: one small trait pair and its backends.
//!
//! Called by the engine and by anything else that wants its writes to be crash-tested; calls
//! nothing but the operating system, and that only in the native backend. A [`Vfs`] is one
//! directory tree with plain names, a [`File`] is a range of bytes. There are no threads, clocks or
//! random numbers here, and no append: the caller knows where the end is.
//!
//! # The promises
//!
//! Every backend keeps these. [`contract`] holds at least one test for each number, and every
//! backend runs them all.
//!
//! Names
//! - **V1** A name is one or more parts joined by `/`; a part has 1 to 255 bytes and is neither `.`
//!   nor `..` and holds neither `/`, `\`, nor NUL. Anything else is refused with `BadName`. The
//!   root directory is `""`.
//! - **V2** `create` makes an empty file that can be read and written; a name that is taken is
//!   `Exists`, a missing parent `NotFound`.
//! - **V3** `open` gives a file that exists; a missing one is `NotFound`, a directory `BadName`.
//! - **V4** A file opened with [`Access::Read`] refuses every change with `ReadOnly`, and a sync
//!   too: some systems would leave it out without a word.
//! - **V5** `list` gives the names directly below a directory, files and directories, each once, in
//!   ascending order of bytes, without those of the backend itself; a missing directory is
//!   `NotFound`.
//! - **V6** `rename` moves a file onto a new name and replaces a file that has it, at once: whoever
//!   looks sees the old file or the new one. A missing source is `NotFound`; a directory on either
//!   side is `BadName`. A file that is open stays the same file under its new name.
//! - **V7** `remove` takes the name away; a file that is still open keeps its bytes for that
//!   handle. A missing name is `NotFound`; a directory is `BadName`.
//! - **V8** `create_dir` makes an empty directory; a taken name is `Exists`.
//! - **V9** A lock excludes every other lock of that name, in this process and in others, until it
//!   is dropped or the process ends; the second caller gets `Locked` at once. The file of the lock
//!   is created if it is missing and stays. With [`Access::Read`] nothing is created: a missing
//!   file is `NotFound`.
//!
//! Bytes
//! - **V10** `read_at` fills the buffer, and returns less only at the end of the file; beyond the
//!   end it returns 0.
//! - **V11** `write_at` writes all bytes or fails; after a failure any part of them may have been
//!   written, and nothing outside their range. Writing beyond the end fills the gap with zeros.
//! - **V12** `len` is the number of bytes; `set_len` cuts, or grows with zeros.
//! - **V13** `allocate` makes the file at least `offset + len` bytes long, filled with zeros, and
//!   reserves space for them if it can; it never changes bytes that are there, and never shortens.
//! - **V14** What was written through one handle is read through every other at once, before any
//!   sync, and after the process was killed.
//!
//! Durability: what a power cut leaves
//! - **V15** After `sync(Data)` returned, every byte written before is on the medium, as far as the
//!   length that was synced with `All` before; a change of length needs `sync(All)`.
//! - **V16** After `sync_dir` returned, every create, rename and remove of names directly in that
//!   directory is on the medium. Without it a name may be missing, or be there early or late.
//! - **V17** Nothing else is promised: bytes, lengths and names that were not synced may be on the
//!   medium in part, in any subset, in any order, cut at any byte; bytes that were synced and are
//!   not written again stay as they are.
//! - **V18** A failed sync leaves it open what is on the medium, and says nothing about a later
//!   one: never retry it.
//! - **V19** [`Capabilities`] tells what the backend cannot keep of the above; it never changes
//!   while the disk is open.
#![cfg_attr(not(feature = "std"), no_std)]
extern crate alloc;

mod bytes;
pub mod contract;
#[cfg(test)]
mod contract_tests;
mod counting;
pub mod crash;
mod error;
pub mod fault;
pub mod lock;
mod memory;
mod name;
#[cfg(all(feature = "std", any(unix, windows)))]
mod native;
mod trace;
mod tree;
#[cfg(all(feature = "wasi", target_arch = "wasm32"))]
mod wasi;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

pub use counting::{CountingDisk, Counts};
pub use error::{Error, Kind, Op, Result};
pub use fault::{FaultDisk, Happened, PowerCut, Trace};
pub use memory::{Image, MemoryDisk};
pub use name::check_name;
#[cfg(all(feature = "std", any(unix, windows)))]
pub use native::NativeDisk;
pub use trace::TraceDisk;
#[cfg(all(feature = "wasi", target_arch = "wasm32"))]
pub use wasi::WasiDisk;

/// How a file, or a lock, is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reading only: every change is refused.
    Read,
    /// Reading and writing.
    Write,
}

/// How much a sync makes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SyncMode {
    /// The bytes within the length that was synced before.
    Data,
    /// The bytes and the length.
    All,
}

/// What a backend can keep; the engine refuses to promise more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// A file's sync reaches the medium (V15).
    pub durable_sync: bool,
    /// A directory can be synced (V16).
    pub dir_sync: bool,
    /// A rename is atomic (V6).
    pub atomic_rename: bool,
    /// `allocate` reserves space: nothing but speed depends on it.
    pub allocate: bool,
    /// `lock` excludes others (V9).
    pub lock: bool,
}

impl Capabilities {
    /// Everything is kept.
    pub const ALL: Self = Self {
        durable_sync: true,
        dir_sync: true,
        atomic_rename: true,
        allocate: true,
        lock: true,
    };
}

/// One directory tree with plain names. The numbers are the promises of the [crate]
/// documentation.
pub trait Vfs: Send + Sync {
    /// What this backend can keep (V19).
    fn capabilities(&self) -> Capabilities;
    /// Opens a file that exists (V1, V3, V4).
    fn open(&self, name: &str, access: Access) -> Result<Box<dyn File>>;
    /// Creates an empty file and opens it for reading and writing (V2). Its name needs a `sync_dir`
    /// (V16).
    fn create(&self, name: &str) -> Result<Box<dyn File>>;
    /// The names directly below `dir`, in order (V5).
    fn list(&self, dir: &str) -> Result<Vec<String>>;
    /// Gives a file another name, replacing what has it (V6). Durable after `sync_dir` of both
    /// parents.
    fn rename(&self, from: &str, to: &str) -> Result<()>;
    /// Takes the name of a file away (V7). Durable after `sync_dir`.
    fn remove(&self, name: &str) -> Result<()>;
    /// Makes an empty directory (V8). Durable after `sync_dir` of its parent.
    fn create_dir(&self, name: &str) -> Result<()>;
    /// Makes creates, renames and removes directly in `dir` durable (V16).
    fn sync_dir(&self, dir: &str) -> Result<()>;
    /// Takes the exclusive lock `name` without waiting (V9); dropping the value releases it.
    fn lock(&self, name: &str, access: Access) -> Result<Box<dyn Lock>>;
}

/// A shared disk is a disk.
impl<V: Vfs + ?Sized> Vfs for Arc<V> {
    fn capabilities(&self) -> Capabilities {
        V::capabilities(self)
    }
    fn open(&self, name: &str, access: Access) -> Result<Box<dyn File>> {
        V::open(self, name, access)
    }
    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        V::create(self, name)
    }
    fn list(&self, dir: &str) -> Result<Vec<String>> {
        V::list(self, dir)
    }
    fn rename(&self, from: &str, to: &str) -> Result<()> {
        V::rename(self, from, to)
    }
    fn remove(&self, name: &str) -> Result<()> {
        V::remove(self, name)
    }
    fn create_dir(&self, name: &str) -> Result<()> {
        V::create_dir(self, name)
    }
    fn sync_dir(&self, dir: &str) -> Result<()> {
        V::sync_dir(self, dir)
    }
    fn lock(&self, name: &str, access: Access) -> Result<Box<dyn Lock>> {
        V::lock(self, name, access)
    }
}

/// A file of a [`Vfs`]: a range of bytes that any number of threads may use at once.
pub trait File: Send + Sync {
    /// Reads from `offset` on until `buf` is full or the file ends; returns the count (V10).
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize>;
    /// Writes all of `buf` at `offset` (V11).
    fn write_at(&self, buf: &[u8], offset: u64) -> Result<()>;
    /// The length in bytes (V12).
    fn len(&self) -> Result<u64>;
    /// Cuts the file, or grows it with zeros (V12).
    fn set_len(&self, len: u64) -> Result<()>;
    /// Grows the file with zeros to at least `offset + len` and reserves the space if it can (V13).
    fn allocate(&self, offset: u64, len: u64) -> Result<()>;
    /// Makes what was written before durable (V15); after a failure see V18.
    fn sync(&self, mode: SyncMode) -> Result<()>;
    /// Whether the file has no bytes.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// A held lock; dropping it releases it (V9).
pub trait Lock: Send + Sync {}
