//! The project as a map from path to text, so that rules are pure and their tests need no disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::code;

/// Every text file below the root, without what tools made.
pub struct Tree(BTreeMap<String, String>);

/// Folders that are not ours to judge.
const SKIPPED: [&str; 6] = [".git", "target", "corpus", "artifacts", "coverage", "node_modules"];

/// Endings of files whose text is read; of others only the path is known.
const TEXTS: [&str; 6] = ["rs", "toml", "md", "sh", "yml", "wit"];

/// Larger files are data.
const TEXT_BYTES_MAX: u64 = 1 << 20;

impl Tree {
    /// Reads everything below `root`.
    pub fn read(root: &Path) -> Result<Self, String> {
        let mut tree = Self(BTreeMap::new());
        tree.read_folder(root, "").map_err(|error| format!("{}: {error}", root.display()))?;
        Ok(tree)
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> std::io::Result<()> {
        for file in fs::read_dir(folder)? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            if file.file_type()?.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    self.read_folder(&file.path(), &format!("{path}/"))?;
                }
                continue;
            }
            let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
            let is_text = TEXTS.contains(&ending) || path == ".ci/run";
            let text = if is_text && file.metadata()?.len() <= TEXT_BYTES_MAX {
                String::from_utf8_lossy(&fs::read(file.path())?).into_owned()
            } else {
                String::new()
            };
            self.0.insert(path, text);
        }
        Ok(())
    }

    /// A tree for a test.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The text of a file.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// Whether there is such a file or folder.
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        self.0.contains_key(path) || self.0.keys().any(|known| known.starts_with(&folder))
    }

    /// All files in order.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The Rust files in order.
    pub fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(|(path, _)| path.ends_with(".rs"))
    }

    /// The Rust files of the product and its tools, cut off where their tests begin.
    pub fn rust_before_tests(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rust()
            .filter(|(path, _)| !is_test(path))
            .map(|(path, text)| (path, code::before_tests(text)))
    }
}

/// Whether a file holds only tests.
pub fn is_test(path: &str) -> bool {
    path.starts_with("tests/")
        || path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || path.ends_with("_tests.rs")
}
