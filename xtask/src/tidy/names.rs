//! Rules about names: files and types are called after what they are.

use super::code::{code_only, numbered, word};
use super::{Finding, Tree};

const FILE_STEMS: [&str; 8] =
    ["utils", "util", "helpers", "helper", "common", "types", "misc", "stuff"];

/// No file, and no folder of Rust files, is a drawer for odds and ends.
pub fn file_names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _) in tree.rust() {
        let parts = path.trim_end_matches(".rs").split('/');
        for part in parts.filter(|part| FILE_STEMS.contains(part)) {
            let message = format!("`{part}` says nothing: name the file after the main noun in it");
            findings.push(Finding::new(path, 0, message));
        }
    }
    findings
}

const TYPE_ENDINGS: [&str; 6] = ["Manager", "Helper", "Helpers", "Util", "Utils", "Impl"];

/// No type is named after doing something to something.
pub fn type_names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        for (line, content) in numbered(&code_only(text)) {
            let name = declared_type(content);
            for ending in TYPE_ENDINGS.iter().filter(|ending| name.ends_with(**ending)) {
                let message = format!("`{name}`: leave out `{ending}`, look for the noun instead");
                findings.push(Finding::new(path, line, message));
            }
        }
    }
    findings
}

/// The type that a line declares, empty if it declares none.
fn declared_type(content: &str) -> &str {
    let words = content.split_whitespace().collect::<Vec<_>>();
    let keyword =
        words.iter().position(|w| ["struct", "enum", "trait", "type", "union"].contains(w));
    keyword.and_then(|at| words.get(at + 1)).map_or("", |name| word(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawer_is_found() {
        let tree = Tree::of(&[("a/utils.rs", ""), ("a/common/b.rs", ""), ("a/utilities.md", "")]);
        assert_eq!(file_names(&tree).len(), 2);
        assert_eq!(file_names(&Tree::of(&[("a/segment.rs", "")])).len(), 0);
    }

    #[test]
    fn a_type_without_a_noun_is_found() {
        let found = |text| type_names(&Tree::of(&[("a.rs", text)])).len();
        assert_eq!(found("pub struct FileManager {}\n"), 1);
        assert_eq!(found("trait KeyHelper<T>: Send {}\n"), 1);
        assert_eq!(found("struct Manifest; // not a FileManager\n"), 0);
        assert_eq!(found("let x = FileManager::new();\n"), 0);
    }
}
