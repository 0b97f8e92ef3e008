//! Floors: what an operation cannot do without, through the standard library alone.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use keelstone::vfs::{NativeDisk, SyncMode, Vfs};

use crate::keys::{KEY_BYTES, Key, VALUE_BYTES, number_in};

/// Bytes of an entry before its key: docs/format.md.
const ENTRY_BYTES: usize = 11;
/// The longest record that a floor reads.
const RECORD_BYTES_MAX: usize = 512;

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    file: u32,
    offset: u64,
}

/// Bare positional reads of records at places that are known.
pub struct ReadFloor {
    files: Vec<File>,
    /// Bytes of one read.
    bytes: usize,
}

impl ReadFloor {
    /// Opens the files of the store in `dir` and finds the record of each key, which were put in
    /// this order.
    ///
    /// # Panics
    /// If a record is not there: the store was built in another way.
    #[must_use]
    pub fn find(dir: &Path, keys: impl Iterator<Item = Key>, bytes: usize) -> (Self, Vec<Place>) {
        let least = ENTRY_BYTES + KEY_BYTES + VALUE_BYTES;
        assert!((least..=RECORD_BYTES_MAX).contains(&bytes));
        let (mut files, mut places) = (Vec::new(), Vec::new());
        let mut keys = keys.peekable();
        for path in logs(dir) {
            let content = fs::read(&path).expect("a log can be read");
            let file = u32::try_from(files.len()).expect("few files");
            files.push(File::open(&path).expect("a log can be opened"));
            let mut from = 0;
            while let Some(key) = keys.peek() {
                let found = content[from..].windows(KEY_BYTES).position(|window| window == key);
                let Some(at) = found.map(|at| from + at) else { break };
                places.push(Place { file, offset: (at - ENTRY_BYTES) as u64 });
                from = at + KEY_BYTES + VALUE_BYTES;
                keys.next();
            }
        }
        assert!(keys.peek().is_none(), "every record is in a log, in the order of the puts");
        (Self { files, bytes }, places)
    }

    /// Reads the record at `place` and gives the number that its value begins with.
    ///
    /// # Panics
    /// If it cannot be read.
    #[inline]
    #[must_use]
    pub fn read(&self, place: Place) -> u64 {
        let mut buf = [0; RECORD_BYTES_MAX];
        let buf = &mut buf[..self.bytes];
        read_at(&self.files[place.file as usize], buf, place.offset).expect("a record is there");
        number_in(&buf[ENTRY_BYTES + KEY_BYTES..])
    }
}

/// The logs of a store, oldest first.
fn logs(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("the store's directory can be listed");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "log"));
    paths.sort();
    paths
}

/// Bare writes, one behind the other, into space that was allocated before.
pub struct WriteFloor {
    file: File,
    frame: Vec<u8>,
    end: u64,
}

impl WriteFloor {
    /// A file named `name` in `dir` with room for `count` writes of `bytes` bytes; its length is
    /// durable.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn new(dir: &Path, name: &str, bytes: usize, count: u64) -> Self {
        let disk = NativeDisk::open(dir).expect("the directory is there");
        // Why: the engine reserves space in this way too, and std has no door to it.
        let made = disk.create(name).expect("a file can be made");
        made.allocate(0, bytes as u64 * count).expect("there is room");
        made.sync(SyncMode::All).expect("a file can be synced");
        let file = OpenOptions::new().write(true).open(dir.join(name)).expect("the file is there");
        Self { file, frame: vec![0x5a; bytes], end: 0 }
    }

    /// Fills the space with zeros and makes them durable: later writes go to blocks that were
    /// written before.
    ///
    /// # Panics
    /// If that fails.
    pub fn fill(&mut self, count: u64) {
        let zeros = vec![0; self.frame.len()];
        for at in 0..count {
            write_at(&self.file, &zeros, at * zeros.len() as u64).expect("there is room");
        }
        self.file.sync_all().expect("a file can be synced");
    }

    /// Writes one frame that begins with `number`, and gives `number` back.
    ///
    /// # Panics
    /// If the write fails.
    #[inline]
    pub fn write(&mut self, number: u64) -> u64 {
        self.frame[..8].copy_from_slice(&number.to_le_bytes());
        write_at(&self.file, &self.frame, self.end).expect("there is room");
        self.end += self.frame.len() as u64;
        number
    }

    /// Writes one frame and syncs the data.
    ///
    /// # Panics
    /// If that fails.
    #[inline]
    pub fn write_durable(&mut self, number: u64) -> u64 {
        self.write(number);
        self.file.sync_data().expect("a file can be synced");
        number
    }
}

#[cfg(unix)]
fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buf, offset)
}

#[cfg(unix)]
fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, buf, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buf, offset)
}

#[cfg(windows)]
fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<()> {
    match std::os::windows::fs::FileExt::seek_write(file, buf, offset)? {
        written if written == buf.len() => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}
