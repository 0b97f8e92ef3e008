//! The files that `crash` writes when it is asked to: the page of a run, and both disks of a violation.
//!
//! Called by `crash`, before its run and at the end of it. Promise: what can be known to fail is refused before the run and
//! leaves nothing behind; afterwards a file is there as a whole or not at all, and nothing that is there is replaced.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use keelstone::vfs::crash::Scene;
use tempfile::NamedTempFile;

use super::args::Crash;
use super::exit::{Failure, Outcome};
use crate::crash::write_images;

/// Where the files go.
pub(super) struct Places<'a> {
    page: Option<&'a Path>,
    images: Option<&'a Path>,
}

impl<'a> Places<'a> {
    /// Those that the arguments name, if files can be made there.
    pub(super) fn new(args: &'a Crash) -> Outcome<Self> {
        let (page, images) = (args.report.as_deref(), args.found.as_deref());
        let page_at = page.map(|path| free("--report", path)).transpose()?;
        if let Some(path) = page.filter(|path| is_dir_name(path)) {
            return Err(Failure::Usage(format!("--report: {} names no file", path.display())));
        }
        let images_at = images.map(|path| free("--found", path)).transpose()?;
        if page_at.is_some() && page_at == images_at {
            return Err(Failure::Usage("--report and --found name the same path".into()));
        }
        Ok(Self { page, images })
    }

    /// Whether a page is wanted.
    pub(super) const fn has_page(&self) -> bool {
        self.page.is_some()
    }

    /// Writes the page, if it is wanted.
    pub(super) fn write_page(&self, page: impl FnOnce() -> String) -> Outcome {
        let Some(path) = self.page else { return Ok(()) };
        let written = new_file(path).and_then(|mut file| {
            file.write_all(page().as_bytes())?;
            file.persist_noclobber(path).map(drop).map_err(|error| error.error)
        });
        written.map_err(Failure::io(path.display().to_string()))
    }

    /// Writes both disks of a violation, if they are wanted; without a crash there are none.
    pub(super) fn write_images(&self, scene: Option<&Scene>) -> Outcome {
        let Some(dir) = self.images else { return Ok(()) };
        let failed = Failure::io(dir.display().to_string());
        let Some(scene) = scene else {
            return Err(failed(std::io::Error::other(
                "it is wrong without a crash, so no disk was left",
            )));
        };
        write_images(dir, scene).map_err(failed)
    }
}

/// Whether a path ends as that of a directory does.
fn is_dir_name(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    path.file_name().is_none_or(|name| !text.ends_with(name.as_encoded_bytes()))
}

/// Sees to it that nothing is there and that something can be made; the same for all names of one place.
fn free(option: &str, path: &Path) -> Outcome<PathBuf> {
    let usage = |what| Failure::Usage(format!("{option}: {} {what}", path.display()));
    if path.symlink_metadata().is_ok() {
        return Err(usage("is there already"));
    }
    let name = path.file_name().ok_or_else(|| usage("names no file"))?;
    let dir = parent(path);
    let at = fs::metadata(dir).and_then(|found| match found.is_dir() {
        true => fs::canonicalize(dir),
        false => Err(ErrorKind::NotADirectory.into()),
    });
    // Why a file: only this shows that the directory takes one. It is gone at once.
    let at = at.and_then(|at| new_file(path).map(|_| at.join(name)));
    at.map_err(Failure::io(path.display().to_string()))
}

/// The directory in which a path lies.
fn parent(path: &Path) -> &Path {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    dir.unwrap_or_else(|| Path::new("."))
}

/// A file beside a path, which can become what it names.
fn new_file(path: &Path) -> std::io::Result<NamedTempFile> {
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix);
    // Why: others may read it, as any file that a command makes; the system takes off what the user does not want.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(parent(path))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Places, free, is_dir_name};

    #[test]
    fn path_that_ends_in_a_separator_names_a_directory() {
        for (path, is) in
            [("a", false), ("a/b.html", false), ("a/", true), ("a/.", true), ("..", true)]
        {
            assert_eq!(is_dir_name(Path::new(path)), is, "{path}");
        }
    }

    #[test]
    fn place_that_was_found_free_is_left_so() {
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let at = |name: &str| free("--report", &dir.path().join(name));
        let [one, other] = ["a.html", "x/../a.html"].map(at);
        assert!(one.is_ok() && other.is_err(), "x is missing");
        assert_eq!(at("./a.html").ok(), one.ok());
        assert!(at("..").is_err() && at("missing/a.html").is_err());
        assert_eq!(std::fs::read_dir(dir.path()).map(Iterator::count).ok(), Some(0));
    }

    #[test]
    fn what_is_wrong_without_a_crash_has_no_disks_and_that_is_said() {
        let places = |images| Places { page: None, images };
        let told = places(Some(Path::new("out"))).write_images(None).map_err(|f| f.to_string());
        assert_eq!(told, Err("out: it is wrong without a crash, so no disk was left".into()));
        assert!(places(None).write_images(None).is_ok());
    }
}
