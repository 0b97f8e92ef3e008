//! Paths of components as names of a disk.

use keelstone::vfs::{Op, check_name};

use super::OpenDir;
use crate::bindings::wasi::filesystem::types::ErrorCode;

/// The name on the disk of a path that starts at `dir`; "" for the root.
///
/// A path that leads out is not permitted, even where it would come back; what is no plain name is
/// invalid.
pub(super) fn resolve(dir: &OpenDir, path: &str) -> Result<String, ErrorCode> {
    if path.starts_with('/') {
        return Err(ErrorCode::NotPermitted);
    }
    let mut name = dir.name.clone();
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
    if path.is_empty() {
        return Err(ErrorCode::NoEntry);
    }
    if name.is_empty() || check_name(Op::Open, &name).is_ok() {
        Ok(name)
    } else {
        Err(ErrorCode::Invalid)
    }
}
