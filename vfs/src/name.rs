//! Names: what one may look like, and the directory it stands in.
//!
//! Called by every backend before it touches anything, so that all of them refuse the same names.
//! Promise: V1. Never: looks at a disk.

use crate::{Error, Kind, Op, Result};

/// The most bytes that a part of a name may have.
const PART_BYTES_MAX: usize = 255;

/// Whether `name` may name a file or a directory below the root (V1); if not, `op` fails with
/// `BadName`.
pub fn check_name(op: Op, name: &str) -> Result<()> {
    if name.split('/').all(is_part) { Ok(()) } else { Err(Error::new(op, Kind::BadName)) }
}

/// As [`check_name`], and the root directory `""` is allowed too.
pub(crate) fn check_dir(op: Op, name: &str) -> Result<()> {
    if name.is_empty() { Ok(()) } else { check_name(op, name) }
}

fn is_part(part: &str) -> bool {
    (1..=PART_BYTES_MAX).contains(&part.len())
        && part != "."
        && part != ".."
        && !part.bytes().any(|byte| matches!(byte, b'\\' | 0))
}

/// The directory that `name` stands in; the root is `""`.
pub(crate) fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The last part of `name` if it stands directly in `dir`.
pub(crate) fn child<'a>(dir: &str, name: &'a str) -> Option<&'a str> {
    let rest = if dir.is_empty() { name } else { name.strip_prefix(dir)?.strip_prefix('/')? };
    (!rest.contains('/')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    #[test]
    fn plain_names_are_taken_and_others_are_refused() {
        let longest = "x".repeat(255);
        for good in ["a", "a/b/c", "...", ".hidden", "000001.log", "ä ö", &longest] {
            assert_eq!(check_name(Op::Open, good), Ok(()), "{good}");
        }
        let long = "x".repeat(256);
        let long_part: String = ["a/", &long].concat();
        let bad = ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\\b", "a\0b", &long];
        for bad in bad.iter().chain([&long_part.as_str()]) {
            assert_eq!(check_name(Op::Open, bad), Err(Error::new(Op::Open, Kind::BadName)));
        }
        assert_eq!(check_dir(Op::List, ""), Ok(()));
    }

    #[test]
    fn parents_and_children_match() {
        assert_eq!((parent("a"), parent("a/b"), parent("a/b/c")), ("", "a", "a/b"));
        assert_eq!(child("", "a"), Some("a"));
        assert_eq!(child("", "a/b"), None);
        assert_eq!(child("a", "a/b"), Some("b"));
        assert_eq!(child("a", "ab"), None);
        assert_eq!(child("a", "a"), None);
    }
}
