//! A disk that writes down what is done to another: one line of text for each operation.
//!
//! Called by tests that keep the exact order of operations as a golden text.
//!
//! ```text
//!   create 000001.log -> ok          list . -> 000001.log CURRENT
//!   write 000001.log 0+44 -> ok      open gone read -> NotFound
//!   read 000001.log 0+16 -> 16       lock LOCK write -> ok
//!   sync 000001.log all -> ok        unlock LOCK
//! ```
//!
//! Promise: the same operations give the same text; results pass unchanged.
//! Never: shows the bytes, or what the operating system says.

use crate::fault::{mode_name, shown};
use crate::lock::Mutex;
use crate::{Access, Capabilities, File, Lock, Op, Result, SyncMode, Vfs};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::mem;

/// Writes down every operation on the disk `V` and its files. A clone writes into the same log.
#[derive(Clone, Debug, Default)]
pub struct TraceDisk<V> {
    disk: V,
    log: Log,
}

impl<V> TraceDisk<V> {
    /// Traces `disk`, with an empty log.
    pub fn new(disk: V) -> Self {
        Self { disk, log: Log::default() }
    }

    /// The disk below.
    pub const fn disk(&self) -> &V {
        &self.disk
    }

    /// Everything since the last [`take`](Self::take), each line with its line feed.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.0.lock().clone()
    }

    /// As [`log`](Self::log), and empties the log.
    #[must_use]
    pub fn take(&self) -> String {
        mem::take(&mut *self.log.0.lock())
    }

    fn file(&self, name: &str, file: Box<dyn File>) -> Box<dyn File> {
        Box::new(TraceFile { file, name: name.to_string(), log: self.log.clone() })
    }
}

/// The log that a disk and its files share.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    /// Writes down an operation that only succeeds or fails, and passes its result on.
    fn done<T>(&self, op: Op, what: fmt::Arguments<'_>, result: Result<T>) -> Result<T> {
        self.gave(op, what, &result, |_| "ok".to_string());
        result
    }

    /// Writes down an operation that gives something to be shown.
    fn gave<T>(
        &self,
        op: Op,
        what: fmt::Arguments<'_>,
        result: &Result<T>,
        show: impl Fn(&T) -> String,
    ) {
        let result = match result {
            Ok(value) => show(value),
            Err(error) => alloc::format!("{:?}", error.kind),
        };
        self.line(format_args!("{} {what} -> {result}", op.name()));
    }

    fn line(&self, line: fmt::Arguments<'_>) {
        let mut log = self.0.lock();
        // Writing into a string does not fail.
        let _ = writeln!(log, "{line}");
    }
}

const fn access_name(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "write",
    }
}

impl<V: Vfs> Vfs for TraceDisk<V> {
    fn capabilities(&self) -> Capabilities {
        self.disk.capabilities()
    }

    fn open(&self, name: &str, access: Access) -> Result<Box<dyn File>> {
        let result = self.disk.open(name, access);
        let result =
            self.log.done(Op::Open, format_args!("{name} {}", access_name(access)), result);
        result.map(|file| self.file(name, file))
    }

    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        let result = self.disk.create(name);
        let result = self.log.done(Op::Create, format_args!("{name}"), result);
        result.map(|file| self.file(name, file))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        let result = self.disk.list(dir);
        self.log.gave(Op::List, format_args!("{}", shown(dir)), &result, |names| names.join(" "));
        result
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let result = self.disk.rename(from, to);
        self.log.done(Op::Rename, format_args!("{from} {to}"), result)
    }

    fn remove(&self, name: &str) -> Result<()> {
        let result = self.disk.remove(name);
        self.log.done(Op::Remove, format_args!("{name}"), result)
    }

    fn create_dir(&self, name: &str) -> Result<()> {
        let result = self.disk.create_dir(name);
        self.log.done(Op::CreateDir, format_args!("{name}"), result)
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        let result = self.disk.sync_dir(dir);
        self.log.done(Op::SyncDir, format_args!("{}", shown(dir)), result)
    }

    fn lock(&self, name: &str, access: Access) -> Result<Box<dyn Lock>> {
        let result = self.disk.lock(name, access);
        let what = format_args!("{name} {}", access_name(access));
        let result = self.log.done(Op::Lock, what, result);
        let (name, log) = (name.to_string(), self.log.clone());
        result.map(|lock| Box::new(TraceLock { _lock: lock, name, log }) as Box<dyn Lock>)
    }
}

/// A file that is open.
struct TraceFile {
    file: Box<dyn File>,
    name: String,
    log: Log,
}

impl File for TraceFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let result = self.file.read_at(buf, offset);
        let what = format_args!("{} {offset}+{}", self.name, buf.len());
        self.log.gave(Op::Read, what, &result, ToString::to_string);
        result
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> Result<()> {
        let result = self.file.write_at(buf, offset);
        self.log.done(Op::Write, format_args!("{} {offset}+{}", self.name, buf.len()), result)
    }

    fn len(&self) -> Result<u64> {
        let result = self.file.len();
        self.log.gave(Op::Len, format_args!("{}", self.name), &result, ToString::to_string);
        result
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let result = self.file.set_len(len);
        self.log.done(Op::SetLen, format_args!("{} {len}", self.name), result)
    }

    fn allocate(&self, offset: u64, len: u64) -> Result<()> {
        let result = self.file.allocate(offset, len);
        self.log.done(Op::Allocate, format_args!("{} {offset}+{len}", self.name), result)
    }

    fn sync(&self, mode: SyncMode) -> Result<()> {
        let result = self.file.sync(mode);
        self.log.done(Op::Sync, format_args!("{} {}", self.name, mode_name(mode)), result)
    }
}

/// A lock that is held.
struct TraceLock {
    _lock: Box<dyn Lock>,
    name: String,
    log: Log,
}

impl Lock for TraceLock {}

impl Drop for TraceLock {
    fn drop(&mut self) {
        self.log.line(format_args!("unlock {}", self.name));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that fails")]
    use super::*;
    use crate::MemoryDisk;

    #[test]
    fn every_operation_is_one_line() {
        let disk = TraceDisk::new(MemoryDisk::new());
        let lock = disk.lock("LOCK", Access::Write).unwrap();
        disk.create_dir("d").unwrap();
        let file = disk.create("d/a").unwrap();
        file.write_at(b"hello", 3).unwrap();
        file.read_at(&mut [0; 16], 0).unwrap();
        file.allocate(0, 100).unwrap();
        file.set_len(4).unwrap();
        file.len().unwrap();
        file.sync(SyncMode::Data).unwrap();
        file.sync(SyncMode::All).unwrap();
        disk.rename("d/a", "b").unwrap();
        disk.sync_dir("").unwrap();
        disk.list("").unwrap();
        disk.open("b", Access::Read).unwrap();
        disk.remove("b").unwrap();
        assert!(disk.remove("b").is_err());
        drop(lock);
        let expected = "\
            lock LOCK write -> ok\n\
            create_dir d -> ok\n\
            create d/a -> ok\n\
            write d/a 3+5 -> ok\n\
            read d/a 0+16 -> 8\n\
            allocate d/a 0+100 -> ok\n\
            set_len d/a 4 -> ok\n\
            len d/a -> 4\n\
            sync d/a data -> ok\n\
            sync d/a all -> ok\n\
            rename d/a b -> ok\n\
            sync_dir . -> ok\n\
            list . -> LOCK b d\n\
            open b read -> ok\n\
            remove b -> ok\n\
            remove b -> NotFound\n\
            unlock LOCK\n";
        assert_eq!(disk.log(), expected);
        assert_eq!(disk.take(), expected);
        assert_eq!(disk.log(), "");
    }
}
