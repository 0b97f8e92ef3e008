//! The worked examples of docs/format.md are what the engine reads, and what it writes.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::{MemoryDisk, Vfs};

use crate::{Batch, Db, Durability, ManualClock, Options};

const FORMAT: &str = include_str!("../../../docs/format.md");

/// The fenced blocks whose first line begins with `kind`, by file name: the words behind it, and the text.
fn blocks(kind: &str) -> BTreeMap<&'static str, (Vec<&'static str>, String)> {
    let mut found = BTreeMap::new();
    let mut lines = FORMAT.lines();
    while let Some(line) = lines.next() {
        let Some(words) = line.strip_prefix("```").and_then(|l| l.strip_prefix(kind)) else {
            continue;
        };
        let mut words: Vec<_> = words.split_whitespace().collect();
        let text: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        found.insert(words.remove(0), (words, text.join("\n")));
    }
    found
}

/// The files of the examples, whole.
fn examples() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (name, (words, text)) in blocks("hex") {
        let byte = |word: &str| u8::from_str_radix(word, 16).expect("two hex digits");
        let mut bytes: Vec<u8> = text.split_whitespace().map(byte).collect();
        bytes.resize(words[0].parse().expect("a length"), 0);
        files.insert(String::from(name), bytes);
    }
    files
}

#[test]
fn every_example_dumps_as_the_page_says() {
    let disk = MemoryDisk::from_image(&examples());
    let dumps = blocks("dump");
    assert_eq!(dumps.len(), 3);
    for (name, (_, expected)) in dumps {
        let mut text = String::new();
        super::dump(&disk, name, &mut text).expect("a readable file");
        assert_eq!(text.trim_end(), expected, "{name}");
    }
}

#[test]
fn the_engine_still_writes_the_bytes_of_the_examples() {
    let disk = MemoryDisk::default();
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let mut options = Options::with_seed(0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100);
    (options.segment_bytes, options.index_shards, options.reserve_bytes) = (1024, 8, 0);
    options.clock = ManualClock::new(1_700_000_000_000);
    let db = Db::open(vfs, options).expect("a new store");
    db.put("a", "1").expect("a put");
    let mut batch = Batch::new();
    batch.put_until("b", "22", 1_700_000_060_000).delete("a");
    db.write(&batch, Durability::Durable).expect("a batch");
    db.close().expect("a clean close");
    let image = disk.image();
    for (name, bytes) in examples() {
        assert_eq!(image.get(&name), Some(&bytes), "{name}");
    }
}
