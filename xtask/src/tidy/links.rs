//! Rules about what texts point to: sections of the format page, files that the README names.

use super::code::{line_of, numbered};
use super::{Finding, Tree};

const FORMAT: &str = "docs/format.md";

/// A pointer such as `format.md, section 6` or `format.md §6.1` leads to a heading that exists.
pub fn format_sections(tree: &Tree) -> Vec<Finding> {
    let page = tree.get(FORMAT).unwrap_or_default();
    let headings: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim())
        .map(|heading| heading.split_whitespace().next().unwrap_or_default().trim_end_matches('.'))
        .collect();
    let mut findings = Vec::new();
    for (path, text) in tree.rust_before_tests().filter(|(path, _)| !path.starts_with("xtask/")) {
        for (at, found) in text.match_indices("format.md") {
            for section in sections(&text[at + found.len()..]) {
                if !headings.contains(&section.as_str()) {
                    let message =
                        format!("{FORMAT} has no section {section}: point to the right heading");
                    findings.push(Finding::new(path, line_of(text, at), message));
                }
            }
        }
    }
    findings
}

/// The numbers after a pointer's `section`, `sections` or `§`; both ends of `3 to 5`.
fn sections(rest: &str) -> Vec<String> {
    let line = rest.lines().next().unwrap_or_default();
    let line = line.trim_start_matches([',', '`', ' ']);
    let marked =
        ["sections ", "section ", "§§", "§"].iter().find_map(|mark| line.strip_prefix(mark));
    let mut numbers = Vec::new();
    for part in marked.unwrap_or_default().split_whitespace() {
        let number = part.trim_start_matches('§').trim_end_matches([',', '.', ';', ':', ')', '`']);
        if number.starts_with(|c: char| c.is_ascii_digit()) {
            numbers.push(number.to_owned());
        } else if part != "to" && part != "and" {
            break;
        }
        if part.ends_with(['.', ';', ':', ')']) {
            break;
        }
    }
    numbers
}

const README: &str = "README.md";

/// Every path that the README names exists.
pub fn readme_paths(tree: &Tree) -> Vec<Finding> {
    let text = tree.get(README).unwrap_or_default();
    let mut findings = Vec::new();
    let mut fenced = false;
    for (line, content) in numbered(text) {
        if content.starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let built = |path: &&str| path.starts_with("target/");
        let missing = |path: &&str| !built(path) && !tree.has(path);
        for path in named_paths(content).into_iter().filter(missing) {
            let message =
                format!("`{path}` does not exist: write it, or take it out of the README");
            findings.push(Finding::new(README, line, message));
        }
    }
    findings
}

/// Targets of links, and code that looks like a path: it has a slash, or ends in `.md` or `.rs`.
fn named_paths(content: &str) -> Vec<&str> {
    let links = content.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let quoted = content.split('`').skip(1).step_by(2).filter(|code| {
        let plain = code.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
        plain && (code.contains('/') || code.ends_with(".md") || code.ends_with(".rs"))
    });
    links.chain(quoted).filter(|path| !path.contains("://") && !path.starts_with('#')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_without_a_heading_is_found() {
        let found = |text: &str| {
            let page = "# Format\n## 3. Frame\n### 3.1 Header\n## 5 Manifest\n";
            format_sections(&Tree::of(&[(FORMAT, page), ("engine/src/a.rs", text)])).len()
        };
        assert_eq!(found("//! The bytes: docs/format.md, section 7.\n"), 1);
        assert_eq!(found("//! docs/format.md, sections 3 to 6.\n"), 1);
        assert_eq!(found("// On disk: format.md §4\n"), 1);
        assert_eq!(found("//! docs/format.md, sections 3 to 5.\n// format.md §3.1\n"), 0);
        assert_eq!(found("//! See docs/format.md for 9 reasons.\n"), 0);
    }

    #[test]
    fn a_path_that_does_not_exist_is_found() {
        let found = |text: &str| {
            readme_paths(&Tree::of(&[
                (README, text),
                ("docs/format.md", ""),
                ("vfs/src/lib.rs", ""),
            ]))
            .len()
        };
        assert_eq!(found("open `docs/crash.md` or [this](docs/none.md)\n"), 2);
        assert_eq!(found("open `docs/format.md`, [this](vfs/src/lib.rs) or `vfs/`\n"), 0);
        assert_eq!(found("cargo makes `target/release/keel`\n"), 0);
        assert_eq!(found("```console\n$ cat `a/b.md`\n```\n`keel get DIR`\n"), 0);
    }
}
