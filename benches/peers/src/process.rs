//! What the system knows of this process and of a directory.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes that this process wrote.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// By its calls.
    pub calls: u64,
    /// To pages of files that were clean before.
    pub pages: u64,
}

/// The number behind `name` in a file of `/proc/self`.
fn field(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/self/{file}")).expect("Linux tells it");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a known field");
    let number = line.trim_start_matches(':').split_whitespace().next();
    number.and_then(|number| number.parse().ok()).expect("a number")
}

/// Bytes written since the process began.
#[must_use]
pub fn written() -> Written {
    Written { calls: field("io", "wchar"), pages: field("io", "write_bytes") }
}

/// Anonymous memory that is resident now, in KiB.
#[must_use]
pub fn anonymous_kib() -> u64 {
    field("status", "RssAnon")
}

/// Bytes that the blocks of the files in `dir` take.
#[must_use]
pub fn disk_bytes(dir: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(dir).expect("the directory can be listed") {
        let entry = entry.expect("an entry");
        // Why: a store's own threads may remove a file at any moment.
        let Ok(metadata) = entry.metadata() else { continue };
        bytes +=
            if metadata.is_dir() { disk_bytes(&entry.path()) } else { metadata.blocks() * 512 };
    }
    bytes
}
