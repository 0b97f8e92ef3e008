//! The rule that keeps std out of vfs and engine, but for what the feature `std` guards.
//!
//! The check for a bare target in `ci` proves it; this says it earlier, and without a target.

use super::code::{code_only, numbered};
use super::{Finding, Tree};

/// Whether a line says that what follows is there with std only.
fn is_guard(line: &str) -> bool {
    let line = line.trim();
    let says = |text: &str| line.contains(text);
    line.starts_with("#[cfg(") && says("feature = \"std\"") && !says("not(f") && !says("any(f")
}

const CRATES: [&str; 2] = ["vfs/src/", "engine/src/"];

/// `std::` stands only below a guard: in a guarded item, or in a guarded module.
pub fn std_free(tree: &Tree) -> Vec<Finding> {
    let guarded = guarded_modules(tree);
    let mut findings = Vec::new();
    for (path, text) in tree.rust_before_tests() {
        let ours = CRATES.iter().any(|folder| path.starts_with(folder));
        let inside = |m: &String| path == format!("{m}.rs") || path.starts_with(&format!("{m}/"));
        if !ours || guarded.iter().any(inside) {
            continue;
        }
        for line in unguarded_lines(text) {
            let message = "std without a guard: use core or alloc, or `#[cfg(feature = \"std\")]`";
            findings.push(Finding::new(path, line, message));
        }
    }
    findings
}

/// Modules declared below a guard, as paths without `.rs`.
fn guarded_modules(tree: &Tree) -> Vec<String> {
    let mut modules = Vec::new();
    for (path, text) in tree.rust() {
        let folder = super::floors::folder_of(path);
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if !is_guard(line) {
                continue;
            }
            let item = lines.clone().find(|line| !line.starts_with("#[")).unwrap_or_default();
            if let Some((_, name)) = item.strip_suffix(';').and_then(|item| item.split_once("mod "))
            {
                modules.push(format!("{folder}/{name}"));
            }
        }
    }
    modules
}

/// Lines of code with `std::` that no guard covers. A guard covers the item, or the block, that
/// follows it.
fn unguarded_lines(text: &str) -> Vec<usize> {
    let code = code_only(text);
    let mut lines = Vec::new();
    let mut guard = Guard::None;
    for ((number, content), original) in numbered(&code).zip(text.lines()) {
        if let Guard::None = guard {
            if is_guard(original) {
                guard = Guard::Open(0, false);
            } else if names_std(content) {
                lines.push(number);
            }
        }
        guard = guard.after(content.trim_start().strip_prefix("#[").map_or(content, |_| ""));
    }
    lines
}

/// How far the guarded item goes: open braces, and whether there were any.
#[derive(Clone, Copy)]
enum Guard {
    None,
    Open(i32, bool),
}

impl Guard {
    fn after(self, content: &str) -> Self {
        let Self::Open(mut depth, mut seen) = self else { return self };
        for c in content.chars() {
            match c {
                '{' | '(' | '[' => (depth, seen) = (depth + 1, seen || c == '{'),
                '}' | ')' | ']' => depth -= 1,
                ';' | ',' if depth <= 0 => return Self::None,
                _ => {}
            }
            // A closing brace back at the level of the item, or of what holds it, ends it.
            if (seen && depth == 0 && c == '}') || depth < 0 {
                return Self::None;
            }
        }
        Self::Open(depth, seen)
    }
}

fn names_std(content: &str) -> bool {
    content.match_indices("std::").any(|(at, _)| {
        let before = content[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUARD: &str = "#[cfg(feature = \"std\")]";

    fn found(text: &str) -> Vec<usize> {
        std_free(&Tree::of(&[("vfs/src/lib.rs", text)])).iter().map(|f| f.line).collect()
    }

    #[test]
    fn std_without_a_guard_is_found() {
        assert_eq!(found("use std::fs;\nfn f() { std::mem::drop(1) }\n"), [1, 2]);
        assert_eq!(found("use core::fmt; // not std::fmt\nuse my_std::x;\n"), []);
    }

    #[test]
    fn a_guard_covers_one_item() {
        let text = format!("{GUARD}\nuse std::fs;\nuse std::io;\n");
        assert_eq!(found(&text), [3]);
        let text =
            format!("{GUARD}\nimpl A for B {{\n fn f(&self) {{\n std::x();\n }}\n}}\nstd::y();\n");
        assert_eq!(found(&text), [7]);
    }

    #[test]
    fn a_guard_may_ask_for_more_and_not_for_less() {
        let found = |guard: &str| found(&format!("{guard}\nuse std::fs;\n")).len();
        assert_eq!(found("#[cfg(all(feature = \"std\", any(unix, windows)))]"), 0);
        assert_eq!(found("#[cfg(not(feature = \"std\"))]"), 1);
        assert_eq!(found("#[cfg(any(feature = \"std\", unix))]"), 1);
        assert_eq!(found("#[cfg(feature = \"lab\")]"), 1);
    }

    #[test]
    fn a_guarded_module_is_free() {
        let lib = format!("{GUARD}\nmod native;\nmod memory;\n");
        let tree = Tree::of(&[
            ("vfs/src/lib.rs", &lib),
            ("vfs/src/native.rs", "use std::fs;\n"),
            ("vfs/src/native/unix.rs", "use std::os;\n"),
            ("vfs/src/memory.rs", "use std::fs;\n"),
            ("host/src/main.rs", "use std::fs;\n"),
        ]);
        let findings = std_free(&tree);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].path, "vfs/src/memory.rs");
    }
}
