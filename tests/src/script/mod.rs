//! Golden scripts: a story in commands, and the output that was recorded for it.
//!
//! Called by the engine's tests; `session` runs the commands. A script is a list of blocks: commands, a line `---`, the
//! recorded output, an empty line. `KEELSTONE_BLESS=1` records anew. Every disk must give the same output.

mod session;

use std::path::{Path, PathBuf};

use keelstone::Layout;

pub use session::{Session, Twist};

use crate::disk::DiskKind;

/// What a line of a block begins with whose output is that of one layout: its files, its counts, its steps of work.
const OF_HASH: &str = "# Of the hash layout";

/// Some commands with what they printed.
struct Block {
    input: Vec<String>,
    output: Vec<String>,
}

impl Block {
    /// Whether another layout prints something else.
    fn is_of_hash(&self) -> bool {
        self.input.iter().any(|line| line.starts_with(OF_HASH))
    }
}

fn parse(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut input = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == "---" {
            let output = lines.by_ref().take_while(|l| !l.is_empty()).map(str::to_owned);
            let output = output.collect();
            blocks.push(Block { input: std::mem::take(&mut input), output });
        } else {
            input.push(line.to_owned());
        }
    }
    if input.iter().any(|line| !line.is_empty()) {
        blocks.push(Block { input, output: Vec::new() });
    }
    blocks
}

fn format(blocks: &[Block]) -> String {
    let mut text = String::new();
    for (n, block) in blocks.iter().enumerate() {
        if n > 0 {
            text.push('\n');
        }
        for line in block.input.iter().chain([&"---".to_owned()]).chain(&block.output) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// Runs a script's commands and returns the script with the output they gave.
fn replay(text: &str, kind: DiskKind, twist: Twist) -> Result<String, String> {
    let mut session = Session::new(kind, twist);
    let mut blocks = parse(text);
    for block in &mut blocks {
        let skipped = twist.layout != Layout::Hash && block.is_of_hash();
        let mut output = Vec::new();
        for line in &block.input {
            if !line.is_empty() && !line.starts_with('#') {
                let said = session.command(line);
                // Why run what is not compared: the blocks behind go on with the same store.
                if skipped {
                    let _differs = said;
                } else {
                    output.extend(said.map_err(|error| format!("{line}: {error}"))?);
                }
            }
        }
        if output.is_empty() {
            output.push("ok".to_owned());
        }
        if !skipped {
            block.output = output;
        }
    }
    Ok(format(&blocks))
}

/// The first line in which two texts differ.
fn difference(recorded: &str, got: &str) -> Option<String> {
    let mut got = got.lines();
    for (n, line) in recorded.lines().enumerate() {
        let other = got.next().unwrap_or("(end)");
        if line != other {
            return Some(format!("line {}: recorded `{line}`, got `{other}`", n + 1));
        }
    }
    got.next().map(|line| format!("more output: `{line}`"))
}

/// Runs one script on one kind of disk and compares, or records it if `bless`.
pub fn check(path: &Path, kind: DiskKind, twist: Twist, bless: bool) -> Result<(), String> {
    let name = path.file_name().unwrap_or_default().display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    if !text.starts_with("# ") {
        return Err(format!("{name}: begins without its story, a line that starts with `# `"));
    }
    let got = replay(&text, kind, twist).map_err(|error| format!("{name} on {kind:?}: {error}"))?;
    if bless {
        return std::fs::write(path, got).map_err(|error| format!("{name}: {error}"));
    }
    match difference(&text, &got) {
        Some(line) => {
            let layout = twist.layout;
            let place = format!("{name} on {kind:?}, {layout:?}");
            Err(format!("{place}: {line}; KEELSTONE_BLESS=1 records anew"))
        }
        None => Ok(()),
    }
}

/// The scripts of a folder below `tests/scripts`, in order.
///
/// # Panics
/// If the folder cannot be read.
#[must_use]
pub fn all(folder: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(folder);
    let entries = std::fs::read_dir(&dir).expect("the folder of the scripts");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "txt"));
    paths.sort();
    paths
}

/// Whether this run records.
#[must_use]
pub fn blessing() -> bool {
    std::env::var_os("KEELSTONE_BLESS").is_some_and(|value| value == "1")
}
