//! The data: lines of `UnicodeData.txt` in their order, split into key and value.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use keelstone::Db;

use crate::Outcome;

/// What a store should hold.
pub type Content = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a comparison stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Import,
    Change,
    Merge,
    Kill,
}

impl Step {
    /// The word of the option.
    pub fn parse(word: &str) -> Outcome<Self> {
        match word {
            "import" => Ok(Self::Import),
            "change" => Ok(Self::Change),
            "merge" => Ok(Self::Merge),
            "kill" => Ok(Self::Kill),
            _ => Err(format!("--damage {word}: not one of import, change, merge, kill")),
        }
    }
}

/// The whole file, in memory.
pub struct Source {
    /// Key and value in the order of the file; no key comes twice.
    pub lines: Vec<(Vec<u8>, Vec<u8>)>,
    /// Length of the file that was read.
    pub bytes: u64,
    /// Whose comparison is to meet a wrong value.
    damage: Option<Step>,
}

impl Source {
    /// Reads the file, or its first `limit` lines.
    pub fn read(path: &Path, limit: Option<usize>, damage: Option<Step>) -> Outcome<Self> {
        let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut lines = Vec::new();
        for (index, line) in text.split(|b| *b == b'\n').enumerate() {
            if line.is_empty() || limit.is_some_and(|limit| index >= limit) {
                break;
            }
            let split = line.iter().position(|b| *b == b';');
            let at = split.ok_or_else(|| format!("{}: line {}", path.display(), index + 1))?;
            lines.push((line[..at].to_vec(), line[at + 1..].to_vec()));
        }
        let source = Self { lines, bytes: text.len() as u64, damage };
        if source.lines.is_empty() || source.content().len() != source.lines.len() {
            return Err(format!("{}: empty, or a key comes twice", path.display()));
        }
        Ok(source)
    }

    /// What a store holds after all lines.
    pub fn content(&self) -> Content {
        self.prefix(self.lines.len())
    }

    /// What a store holds after the first `count` lines.
    pub fn prefix(&self, count: usize) -> Content {
        self.lines.iter().take(count).cloned().collect()
    }

    /// The lines as `keel import` reads them.
    pub fn escaped(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (key, value) in &self.lines {
            escape_into(key, &mut text);
            text.push(b'\t');
            escape_into(value, &mut text);
            text.push(b'\n');
        }
        text
    }

    /// Changes one byte of one value in the store, if this is the step whose comparison must fail.
    pub fn damage_after(&self, step: Step, db: &Db) -> Outcome {
        if self.damage != Some(step) {
            return Ok(());
        }
        let failed = |error| format!("damage: {error}");
        // Why the first key: it is there after every step.
        let key = self.lines.first().map(|(key, _)| key.as_slice()).unwrap_or_default();
        let mut value = db.get(key).map_err(failed)?.unwrap_or_default();
        *value.first_mut().ok_or("nothing to damage")? ^= 1;
        db.put(key, value).map_err(failed)
    }
}

/// Written here once more on purpose: were `keel`'s own reader and writer wrong in the same way,
/// both would agree.
fn escape_into(bytes: &[u8], text: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            b'\\' => text.extend(b"\\\\"),
            0x20..=0x7e => text.push(*byte),
            other => text.extend(format!("\\x{other:02x}").bytes()),
        }
    }
}
