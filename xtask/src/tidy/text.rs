//! Rules about any text: file headers, sizes, leftovers, paths of one machine.

use super::code::{before_tests, code_only, numbered};
use super::{Finding, Tree, tree};

/// Every Rust file begins with a `//!` line that says what lives there.
pub fn headers(tree: &Tree) -> Vec<Finding> {
    let bare = tree.rust().filter(|(_, text)| {
        let first = text.lines().next().unwrap_or_default();
        first.strip_prefix("//!").is_none_or(|rest| rest.trim().len() < 10)
    });
    let message =
        "no header: begin with `//!` and say what lives here, who calls it, what it never does";
    bare.map(|(path, _)| Finding::new(path, 1, message)).collect()
}

const CODE_LINES_MAX: usize = 600;

/// No file has more than 600 lines of code before its tests.
pub fn sizes(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        let code = code_only(before_tests(text));
        let count = code.lines().filter(|line| !line.trim().is_empty()).count();
        if count > CODE_LINES_MAX {
            let message = format!(
                "{count} lines of code, more than {CODE_LINES_MAX}: find the two nouns in it"
            );
            findings.push(Finding::new(path, 0, message));
        }
    }
    findings
}

/// Words that mean unfinished work. Spelled in two parts so that this file is clean itself.
const LEFTOVERS: [&str; 7] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("db", "g!("),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("#[", "ignore"),
];

/// Nothing unfinished stays, and no test is switched off.
pub fn leftovers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| !path.ends_with(".md")) {
        for (line, content) in numbered(text) {
            for word in LEFTOVERS.iter().filter(|word| content.contains(**word)) {
                let message =
                    format!("leftover `{word}`: finish it, or open an issue and remove it");
                findings.push(Finding::new(path, line, message));
            }
        }
    }
    findings
}

/// Beginnings of paths that exist on one person's machine only.
const MACHINE_PATHS: [&str; 6] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/tm", "p/"),
    concat!("/wo", "rk/"),
    concat!("C:", "\\"),
];

/// No file names a path of somebody's machine.
pub fn machine_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| !tree::is_test(path)) {
        for (line, content) in numbered(before_tests(text)) {
            for start in MACHINE_PATHS.iter().filter(|start| names_path(content, start)) {
                let message = format!(
                    "`{start}` is a path of one machine: take it from an argument or the root"
                );
                findings.push(Finding::new(path, line, message));
            }
        }
    }
    findings
}

/// Whether the path begins here, and is not the middle of a longer, relative one.
fn names_path(content: &str, start: &str) -> bool {
    content.match_indices(start).any(|(at, _)| {
        let before = content[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"._-/}".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(rule: fn(&Tree) -> Vec<Finding>, path: &str, text: &str) -> usize {
        rule(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn a_file_without_a_header_is_found() {
        assert_eq!(count(headers, "a.rs", "fn f() {}\n"), 1);
        assert_eq!(count(headers, "a.rs", "//! x\n"), 1);
        assert_eq!(count(headers, "a.rs", "//! What lives here.\n"), 0);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_and_comments_do_not_count() {
        let lines = |n: usize| "let a = 1;\n".repeat(n);
        assert_eq!(count(sizes, "a.rs", &lines(601)), 1);
        assert_eq!(count(sizes, "a.rs", &format!("{}{}", lines(600), "// why\n\n".repeat(9))), 0);
        let tested = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", lines(10), lines(700));
        assert_eq!(count(sizes, "a.rs", &tested), 0);
    }

    #[test]
    fn leftovers_are_found_in_code_and_comments() {
        for word in LEFTOVERS {
            assert_eq!(count(leftovers, "a.rs", &format!("x {word} y\n")), 1, "{word}");
        }
        assert_eq!(count(leftovers, "a.rs", "// done: method and ignored\n"), 0);
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        for start in MACHINE_PATHS {
            assert_eq!(
                count(machine_paths, "a.rs", &format!("let p = \"{start}x\";\n")),
                1,
                "{start}"
            );
            assert_eq!(count(machine_paths, "tests/a.rs", &format!("\"{start}x\"")), 0, "{start}");
        }
        assert_eq!(count(machine_paths, "a.rs", concat!("\"target/tm", "p/x\"\n")), 0);
    }
}
