//! `tidy`: the house rules, as functions over the tree of texts.
//!
//! Called by people and by `ci`. Every rule is `fn(&Tree) -> Vec<Finding>`, stands in the file
//! named after its subject, has a test that shows it firing and not firing, and says in its message
//! what to do. Exceptions are in `exceptions`.

mod code;
mod exceptions;
mod floors;
mod links;
mod names;
mod promises;
mod std_free;
mod text;
mod tree;

pub use tree::Tree;

use crate::shell::{self, Outcome};

/// One broken rule at one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, from the root of the project.
    pub path: String,
    /// The line, from 1; 0 stands for the whole file.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

/// All rules, by the name that an exception uses.
const RULES: &[(&str, Rule)] = &[
    ("floors", floors::floors),
    ("dead_files", floors::dead_files),
    ("headers", text::headers),
    ("sizes", text::sizes),
    ("leftovers", text::leftovers),
    ("machine_paths", text::machine_paths),
    ("file_names", names::file_names),
    ("type_names", names::type_names),
    ("promises", promises::promises),
    ("fuzz_replays", promises::fuzz_replays),
    ("format_sections", links::format_sections),
    ("readme_paths", links::readme_paths),
    ("std_free", std_free::std_free),
];

/// Checks the whole project and prints what is wrong.
pub fn run() -> Outcome {
    let tree = Tree::read(&shell::root())?;
    let findings = check(&tree, exceptions::EXCEPTIONS);
    for Finding { path, line, message } in &findings {
        println!("{path}:{line}: {message}");
    }
    if findings.is_empty() {
        println!("tidy: {} rules, {} files", RULES.len(), tree.len());
        return Ok(());
    }
    Err(format!("tidy: {} findings", findings.len()))
}

/// Every finding but the excepted ones, and every exception that excepts nothing.
fn check(tree: &Tree, exceptions: &[exceptions::Exception]) -> Vec<Finding> {
    let mut used = vec![false; exceptions.len()];
    let mut findings = Vec::new();
    for (name, rule) in RULES {
        for finding in rule(tree) {
            let hit = exceptions.iter().position(|e| e.rule == *name && e.path == finding.path);
            match hit {
                Some(index) => used[index] = true,
                None => findings.push(finding),
            }
        }
    }
    for (exception, _) in exceptions.iter().zip(used).filter(|(_, used)| !used) {
        let message = format!("nothing breaks `{}` here: remove the exception", exception.rule);
        findings.push(Finding::new(exception.path, 0, message));
    }
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use exceptions::Exception;

    #[test]
    fn an_exception_covers_its_rule_in_its_file_only() {
        let tree = Tree::of(&[("engine/src/db.rs", "fn f() {}\n"), ("host/src/cli.rs", "\n")]);
        let one = Exception { rule: "headers", path: "engine/src/db.rs", reason: "a test" };
        let findings = check(&tree, &[one]);
        assert!(findings.iter().all(|f| f.path != "engine/src/db.rs" || f.line != 1));
        assert!(findings.iter().any(|f| f.path == "host/src/cli.rs" && f.line == 1));
    }

    #[test]
    fn an_exception_that_is_not_needed_is_a_finding() {
        let one = Exception { rule: "sizes", path: "a.rs", reason: "a test" };
        let findings = check(&Tree::of(&[("a.rs", "//! A house and its rooms.\n")]), &[one]);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("remove the exception"));
    }
}
