//! The rule that keeps the stairs: a file imports from lower floors or from its own room only.
//!
//! The table is the one place that knows the floors of `docs/architecture.md`. Rooms on one step do
//! not know each other. A new room needs a line here before it can import anything.

use super::code::{code_only, line_of, word};
use super::{Finding, Tree};

/// Crate, room, floor, step within the floor. An import must go to a lower (floor, step).
const ROOMS: &[(&str, &str, u8, u8)] = &[
    ("vfs", "error", 0, 0),
    ("vfs", "bytes", 0, 1),
    ("vfs", "name", 0, 1),
    ("vfs", "lock", 0, 1),
    ("vfs", "tree", 0, 2),
    ("vfs", "memory", 0, 3),
    ("vfs", "native", 0, 3),
    ("vfs", "wasi", 0, 3),
    ("vfs", "fault", 0, 4),
    ("vfs", "trace", 0, 5),
    ("vfs", "counting", 0, 5),
    ("vfs", "crash", 0, 5),
    ("vfs", "contract", 0, 6),
    ("engine", "limits", 1, 0),
    ("engine", "lab", 1, 0),
    ("engine", "clock", 1, 0),
    ("engine", "batch", 1, 0),
    ("engine", "error", 1, 1),
    ("engine", "codec", 1, 2),
    ("engine", "event", 1, 2),
    ("engine", "order", 1, 2),
    ("engine", "stats", 1, 2),
    ("engine", "options", 1, 3),
    ("engine", "record", 2, 0),
    ("engine", "log", 3, 0),
    ("engine", "manifest", 3, 1),
    ("engine", "journal", 3, 2),
    ("engine", "hash", 4, 0),
    ("engine", "ordered", 4, 0),
    ("engine", "probe", 5, 0),
    ("engine", "dump", 5, 0),
    ("engine", "verify", 5, 0),
    ("engine", "repair", 5, 0),
    ("engine", "db", 5, 1),
    ("engine", "partition", 5, 2),
    ("engine", "threads", 5, 3),
    ("host", "escape", 6, 0),
    ("host", "engine", 6, 0),
    ("host", "wasi_fs", 6, 0),
    ("host", "sandbox", 6, 1),
    ("host", "crash", 6, 1),
    ("host", "cli", 7, 0),
    ("host", "main", 7, 1),
];

/// Every `crate::room` leads down the stairs.
pub fn floors(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust_before_tests() {
        let Some((krate, room)) = room_of(path) else { continue };
        if room == "lib" || !ROOMS.iter().any(|row| row.0 == krate) {
            continue;
        }
        let Some(own) = step(krate, room) else {
            let message =
                format!("room `{room}` has no floor: give it one in xtask/src/tidy/floors.rs");
            findings.push(Finding::new(path, 0, message));
            continue;
        };
        let exports = exports(tree.get(&format!("{krate}/src/lib.rs")).unwrap_or_default());
        let code = code_only(text);
        for (at, name) in imports(&code) {
            let line = line_of(&code, at);
            if name == "*" {
                let message = "`crate::*` hides where things come from: name them";
                findings.push(Finding::new(path, line, message));
                continue;
            }
            // Why: `crate::Error` is the front door's name for `error::Error`.
            let exported = exports.iter().find(|(_, item)| *item == name);
            let target = exported.map_or(name, |(room, _)| room.as_str());
            let Some(other) = step(krate, target) else { continue };
            if target != room && other >= own {
                let message = format!(
                    "`{room}` on {}.{} imports `{target}` on {}.{}: only downward, return a value",
                    own.0, own.1, other.0, other.1
                );
                findings.push(Finding::new(path, line, message));
            }
        }
    }
    findings
}

fn step(krate: &str, room: &str) -> Option<(u8, u8)> {
    ROOMS.iter().find(|row| row.0 == krate && row.1 == room).map(|row| (row.2, row.3))
}

/// The crate's folder and the room of a file: `engine/src/log/reader.rs` is in `engine`, room
/// `log`.
fn room_of(path: &str) -> Option<(&str, &str)> {
    let (krate, rest) = path.split_once("/src/")?;
    let room = rest.split('/').next()?;
    Some((krate, room.strip_suffix(".rs").unwrap_or(room)))
}

/// What follows each `crate::`, with its place: one name, or the first names of a braced list.
fn imports(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, mark) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + mark.len()..];
        if rest.starts_with('*') {
            found.push((at, "*"));
        } else if let Some(list) = rest.strip_prefix('{') {
            found.extend(list_heads(list).into_iter().map(|name| (at, name)));
        } else {
            found.push((at, word(rest)));
        }
    }
    found
}

/// The first name of each item of a braced list, without its inner lists.
fn list_heads(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut heads) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let item = list[start..at].trim();
                heads.push(if item.starts_with('*') { "*" } else { word(item) });
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    heads.retain(|name| !name.is_empty());
    heads
}

/// The names that `lib.rs` exports, each with its room.
fn exports(lib: &str) -> Vec<(String, String)> {
    let code = code_only(lib);
    let mut exports = Vec::new();
    for (at, mark) in code.match_indices("pub use ") {
        let statement = code[at + mark.len()..].split(';').next().unwrap_or_default();
        let Some((room, items)) = statement.split_once("::") else { continue };
        for item in items.trim_matches(['{', '}']).split(',').map(str::trim) {
            let name = item.rsplit(' ').next().unwrap_or(item);
            exports.push((room.trim().to_owned(), name.to_owned()));
        }
    }
    exports
}

/// The folder in which the modules of a file live, from the root.
pub fn folder_of(path: &str) -> String {
    let stem = path.trim_end_matches(".rs");
    let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
    let owns_folder = ["mod", "lib", "main"].contains(&name);
    if owns_folder { folder.to_owned() } else { stem.to_owned() }
}

/// Every file below a `src` is a module of another: a file that nobody names is not compiled at
/// all.
pub fn dead_files(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _) in tree.rust() {
        let Some((_, rest)) = path.split_once("/src/") else { continue };
        let is_root = rest == "lib.rs" || rest == "main.rs" || rest.starts_with("bin/");
        if is_root {
            continue;
        }
        let stem = path.trim_end_matches(".rs").trim_end_matches("/mod");
        let Some((folder, name)) = stem.rsplit_once('/') else { continue };
        let named = tree.rust().any(|(parent, text)| {
            folder_of(parent) == folder && declares(&code_only(text), name)
                || text.contains(&format!("{name}.rs\"]"))
        });
        if !named {
            let message = format!("no file says `mod {name};`: it is never compiled, remove it");
            findings.push(Finding::new(path, 0, message));
        }
    }
    findings
}

fn declares(code: &str, name: &str) -> bool {
    code.match_indices("mod ").any(|(at, mark)| word(&code[at + mark.len()..]) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIB: (&str, &str) =
        ("engine/src/lib.rs", "mod db;\npub use db::{Db, Scan};\npub use error::Error;\n");

    fn found(path: &str, text: &str) -> Vec<Finding> {
        floors(&Tree::of(&[LIB, (path, text)]))
    }

    #[test]
    fn an_import_that_goes_up_is_found() {
        let text = "//! A.\nuse crate::{error::Error, db::{Db, Scan}};\n";
        let findings = found("engine/src/log/reader.rs", text);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].line, 2);
        assert_eq!(found("engine/src/record.rs", "let e: crate::Db;\n").len(), 1);
    }

    #[test]
    fn siblings_do_not_know_each_other() {
        assert_eq!(found("engine/src/hash/mod.rs", "use crate::ordered::Key;\n").len(), 1);
    }

    #[test]
    fn everything_at_once_is_refused_and_so_is_a_room_without_a_floor() {
        assert_eq!(found("engine/src/db.rs", "use crate::*;\n").len(), 1);
        assert_eq!(found("engine/src/attic.rs", "\n").len(), 1);
    }

    #[test]
    fn imports_that_go_down_or_stay_in_the_room_are_fine() {
        let text = "use crate::error::Error;\nuse crate::{codec, log::reader::X, record::*};\n\
            type R = crate::Error; // crate::db::Db\n\
            #[cfg(test)]\nmod tests { use crate::db::Db; }\n";
        assert_eq!(found("engine/src/log/mod.rs", text), []);
    }

    #[test]
    fn a_file_that_nobody_names_is_found() {
        let tree = |lib| {
            Tree::of(&[("a/src/lib.rs", lib), ("a/src/b/mod.rs", "mod c;\n"), ("a/src/b/c.rs", "")])
        };
        assert_eq!(dead_files(&tree("mod d;\n")).len(), 1);
        assert_eq!(dead_files(&tree("pub mod b;\n")).len(), 0);
    }
}
