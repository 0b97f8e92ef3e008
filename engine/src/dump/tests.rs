//! The worked examples of docs/format.md are what the engine reads, and what it writes; damage is part of the text.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone_vfs::{MemoryDisk, Vfs};

use crate::{Batch, Db, Durability, Layout, ManualClock, Options};

const TABLE: &str = "000007.table";
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

/// The table of the examples: it belongs to no store.
fn example_table() -> Vec<u8> {
    let (_, text) = &blocks("bytes")[TABLE];
    let byte = |word: &str| u8::from_str_radix(word, 16).expect("two hex digits");
    text.split_whitespace().map(byte).collect()
}

/// The text of a table with these bytes.
fn dump_table(bytes: &[u8]) -> String {
    let disk = MemoryDisk::from_image(&[(String::from(TABLE), bytes.to_vec())].into());
    let mut text = String::new();
    super::dump(&disk, TABLE, &mut text).expect("a readable file");
    text
}

#[test]
fn every_example_dumps_as_the_page_says() {
    let mut files = examples();
    files.insert(String::from(TABLE), example_table());
    let disk = MemoryDisk::from_image(&files);
    let dumps = blocks("dump");
    assert_eq!(dumps.len(), 4);
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
    options.layout = Some(Layout::Hash);
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

/// The lines of each part: the line that begins with `@`, and those below it.
fn parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for line in text.lines() {
        match parts.last_mut() {
            Some(part) if line.starts_with(' ') => {
                part.push('\n');
                part.push_str(line);
            }
            _ => parts.push(String::from(line)),
        }
    }
    parts
}

/// Where a part lies, by its first line; the file's header has no place in its line.
fn place(part: &str) -> core::ops::Range<usize> {
    let Some(rest) = part.strip_prefix('@') else { return 0..64 };
    let offset: usize = rest.split(' ').next().and_then(|n| n.parse().ok()).expect("an offset");
    let bytes = part.split(' ').find_map(|word| word.strip_prefix("bytes="));
    offset..offset + bytes.and_then(|n| n.parse::<usize>().ok()).expect("a length")
}

#[test]
fn every_flipped_bit_of_a_table_hides_its_own_part_only() {
    let sound = example_table();
    let whole = parts(&dump_table(&sound));
    for at in 0..sound.len() {
        for bit in 0..8 {
            let mut bytes = sound.clone();
            bytes[at] ^= 1 << bit;
            let disk = MemoryDisk::from_image(&[(String::from(TABLE), bytes)].into());
            let mut text = String::new();
            if super::dump(&disk, TABLE, &mut text).is_err() {
                assert!((8..10).contains(&at), "a newer version, at={at} bit={bit}");
                continue;
            }
            let hit = whole.iter().find(|part| place(part).contains(&at)).expect("no gap");
            let found = parts(&text);
            assert!(
                !found.contains(hit) && text.contains(" damaged "),
                "at={at} bit={bit}\n{text}"
            );
            // Through these, others are found; and to whom all belong stands in the header.
            let leads = hit.contains(" footer ") || hit.contains(" index ");
            let owner = (24..40).contains(&at);
            for part in &whole {
                let lost = leads && (!hit.contains(" index ") || part.contains(" data "));
                let named = part.starts_with('@') || part.contains(" number=");
                if part != hit && named && !lost && !owner {
                    assert!(found.contains(part), "at={at} bit={bit}\n{text}");
                }
            }
        }
    }
}

#[test]
fn a_table_that_was_cut_anywhere_still_has_a_text() {
    let sound = example_table();
    for len in 0..sound.len() {
        let text = dump_table(&sound[..len]);
        assert!(text.contains(" damaged "), "len={len}\n{text}");
        assert_eq!(text.contains(" number=7 "), len >= 64, "len={len}\n{text}");
    }
    let text = dump_table(&[&sound[..], b"x"].concat());
    assert!(text.ends_with("what=checksum\n  what it leads to cannot be found\n"), "{text}");
}

#[test]
fn pages_of_any_length_make_the_same_text() {
    let bytes = example_table();
    let whole = dump_table(&bytes);
    let disk = MemoryDisk::from_image(&[(String::from(TABLE), bytes)].into());
    for page in [1, 30, 100, 1000, 10_000] {
        let (mut text, mut pages) = (String::new(), 0);
        let mut dump = super::Dump::open(&disk, TABLE).expect("a readable file");
        loop {
            let before = text.len();
            let more = dump.page(page, &mut text).expect("a page");
            pages += 1;
            // A page ends with the line that fills it; the longest step here has six lines.
            assert!(text.len() - before <= page + 400, "page={page}");
            if !more {
                break;
            }
        }
        assert!(pages >= whole.len() / (page + 400), "pages={pages}");
        assert_eq!(text, whole, "page={page}");
    }
}
