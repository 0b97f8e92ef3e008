//! Paths of components as names of a disk.
//!
//! Called by `descriptor.rs` for every path; calls `vfs::check_name`.
//! Promise: a name that comes out stands in the directory that the path starts at, or is that
//! directory, and is short enough to be kept. Never: asks the disk.

use keelstone::vfs::{Op, check_name};

use super::{OpenDir, PATH_BYTES_MAX};
use crate::wasi_fs::bindings::wasi::filesystem::types::ErrorCode;

/// The name on the disk of a path that starts at `dir`; "" for the root.
///
/// A path that leads out is not permitted, even where it would come back; what is no plain name is
/// invalid; nothing stands under the empty path, as in POSIX.
pub(super) fn resolve(dir: &OpenDir, path: &str) -> Result<String, ErrorCode> {
    if path.is_empty() {
        return Err(ErrorCode::NoEntry);
    }
    if dir.name.len().saturating_add(path.len()) >= PATH_BYTES_MAX {
        return Err(ErrorCode::NameTooLong);
    }
    if path.starts_with('/') {
        return Err(ErrorCode::NotPermitted);
    }
    let mut name = String::with_capacity(dir.name.len() + 1 + path.len());
    name.push_str(&dir.name);
    for part in path.split('/') {
        match part {
            // Why: `a//b` and `a/./b` are `a/b`, as everywhere.
            "" | "." => continue,
            ".." => return Err(ErrorCode::NotPermitted),
            _ => {}
        }
        if !name.is_empty() {
            name.push('/');
        }
        name.push_str(part);
    }
    if name.is_empty() || check_name(Op::Open, &name).is_ok() {
        Ok(name)
    } else {
        Err(ErrorCode::Invalid)
    }
}
