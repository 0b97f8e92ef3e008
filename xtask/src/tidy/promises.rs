//! Rules that tie a promise to its test: the disk's numbered promises, and the corpora of the fuzz
//! targets.

use super::code::numbered;
use super::{Finding, Tree};

const DISK: &str = "vfs/src/lib.rs";
const CONTRACT: &str = "vfs/src/contract/";

/// Every `**V<n>**` in the disk's docs is in the `promises: &[n]` of a case of the contract suite.
pub fn promises(tree: &Tree) -> Vec<Finding> {
    let suite = tree.rust().filter(|(path, _)| path.starts_with(CONTRACT));
    let cases: Vec<&str> = suite.flat_map(|(_, text)| numbers(text)).collect();
    let docs = tree.get(DISK).unwrap_or_default();
    let mut findings = Vec::new();
    for (line, content) in numbered(docs) {
        let number = content.split_once("**V").and_then(|(_, rest)| rest.split_once("**"));
        let Some((number, _)) = number else { continue };
        if !cases.contains(&number) {
            let message =
                format!("promise V{number} has no case in {CONTRACT}: add one to `CASES`");
            findings.push(Finding::new(DISK, line, message));
        }
    }
    findings
}

/// The numbers in every `promises: &[...]` of a text.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let lists = text.split("promises: &[").skip(1);
    lists.flat_map(|rest| rest.split(']').next().unwrap_or_default().split(',').map(str::trim))
}

/// Every fuzz target has a test that replays its corpus.
pub fn fuzz_replays(tree: &Tree) -> Vec<Finding> {
    let targets = tree.rust().filter_map(|(path, _)| {
        let name = path.strip_prefix("fuzz/fuzz_targets/")?.strip_suffix(".rs")?;
        Some((path, name))
    });
    let mut findings = Vec::new();
    for (path, name) in targets {
        let replayed = tree.rust().any(|(test, text)| {
            test.starts_with("tests/") && text.contains("corpus") && quotes(text, name)
        });
        if !replayed {
            let message = format!(
                "no test in tests/ replays the corpus of `{name}`: add it to the replay list"
            );
            findings.push(Finding::new(path, 0, message));
        }
    }
    findings
}

/// Whether a text holds `name` as a string or as the last part of one.
fn quotes(text: &str, name: &str) -> bool {
    text.contains(&format!("\"{name}\"")) || text.contains(&format!("corpus/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS: &str = "//! - **V1** A name.\n//! - **V12** A length.\n";

    #[test]
    fn a_promise_without_a_case_is_found() {
        let cases = "//! V1 to V12.\nCase { promises: &[12], run: a }\n";
        let tree = Tree::of(&[(DISK, DOCS), ("vfs/src/contract/names.rs", cases)]);
        let findings = promises(&tree);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].message.contains("V1 "));
    }

    #[test]
    fn a_promise_is_kept_by_any_case_that_lists_it() {
        let cases = "Case { promises: &[3], run: a },\nCase { promises: &[1, 12], run: b }";
        let tree = Tree::of(&[(DISK, DOCS), ("vfs/src/contract/mod.rs", cases)]);
        assert_eq!(promises(&tree), []);
    }

    #[test]
    fn a_fuzz_target_without_a_replay_is_found() {
        let target = ("fuzz/fuzz_targets/frame.rs", "");
        assert_eq!(fuzz_replays(&Tree::of(&[target])).len(), 1);
        let replay = ("tests/tests/fuzz.rs", "for name in [\"frame\"] { corpus(name) }");
        assert_eq!(fuzz_replays(&Tree::of(&[target, replay])).len(), 0);
    }
}
