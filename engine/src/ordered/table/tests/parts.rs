//! A table taken apart shows what was written, whatever else of it is damaged.

use super::super::parts::{Part, PartWalk, Shown};
use super::damage::small;
use super::*;
use crate::codec::FileId;
use crate::error::FileName;

/// What a walk showed: parts with their places, damaged ones, entries of data, range tombstones.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    parts: Vec<(&'static str, u64, u64)>,
    damaged: Vec<(&'static str, u64, u64)>,
    /// With the offset of their block.
    entries: Vec<(u64, Owned)>,
    ranges: Vec<Range>,
    /// What the entries of the index name: the block that each stands in, and the block below.
    below: Vec<(u64, u64)>,
}

fn walk_parts(bytes: &[u8]) -> Result<Seen> {
    let name = FileName::Table(NUMBER);
    let disk = MemoryDisk::from_image(&[(alloc::format!("{name}"), bytes.to_vec())].into());
    let file = Arc::from(disk.open(&alloc::format!("{name}"), keelstone_vfs::Access::Read)?);
    let mut walk = PartWalk::new(file, name, FileId::new(SEED, NUMBER), bytes.len() as u64)?;
    let (mut seen, mut block) = (Seen::default(), (Part::Footer, 0));
    while let Some(shown) = walk.next()? {
        let mut part = |part: Part, handle: super::super::parts::Handle| {
            block = (part, handle.offset);
            seen.parts.push((part.word(), handle.offset, u64::from(handle.len)));
        };
        match shown {
            Shown::Footer { handle, .. } => part(Part::Footer, handle),
            Shown::Properties { sealed, .. } => part(Part::Properties, sealed.handle),
            Shown::Filter { part: what, sealed, .. } | Shown::Block { part: what, sealed, .. } => {
                part(what, sealed.handle);
            }
            Shown::Entry { item, .. } if block.0 == Part::Ranges => {
                let (from, to) = (item.key.to_vec(), item.value.to_vec());
                seen.ranges.push(Range { from, to, seq: item.seq });
            }
            Shown::Entry { item, .. } => seen.entries.push((block.1, Owned::of(item))),
            Shown::Below { handle, .. } => seen.below.push((block.1, handle.offset)),
            Shown::Damaged { part, handle, .. } => {
                seen.damaged.push((part.word(), handle.offset, u64::from(handle.len)));
            }
            Shown::Broken { at, .. } => panic!("a checksum was right, at={at}"),
        }
    }
    Ok(seen)
}

fn small_bytes() -> (Vec<u8>, Vec<Owned>) {
    let (built, items) = small();
    let name = alloc::format!("{}", FileName::Table(NUMBER));
    (built.disk.image()[&name].clone(), items)
}

#[test]
fn a_sound_table_is_shown_whole() {
    let (bytes, items) = small_bytes();
    let seen = walk_parts(&bytes).unwrap();
    assert_eq!(seen.damaged, []);
    assert!(seen.entries.iter().map(|(_, item)| item).eq(&items));
    assert_eq!(seen.ranges.len(), 2);
    let count = |word| seen.parts.iter().filter(|part| part.0 == word).count();
    assert!(count("lower-index") > 1 && count("data") > 10, "{:?}", seen.parts);
    for word in ["footer", "properties", "filter", "prefixes", "ranges", "index"] {
        assert_eq!(count(word), 1, "{word}");
    }
    // Every byte but those of the header belongs to one part that is shown.
    let mut places: Vec<_> = seen.parts.iter().map(|part| (part.1, part.2)).collect();
    places.sort_unstable();
    let end = places.iter().fold(64, |end, (offset, len)| {
        assert_eq!(*offset, end);
        offset + len
    });
    assert_eq!(end, bytes.len() as u64);
}

#[test]
fn what_no_damaged_part_leads_to_is_shown_all_the_same() {
    let (bytes, _) = small_bytes();
    let whole = walk_parts(&bytes).unwrap();
    for at in 64..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1 << (at % 8);
        let seen = walk_parts(&other).unwrap();
        let [hit] = &seen.damaged[..] else { panic!("at={at} {:?}", seen.damaged) };
        assert!(hit.1 <= at as u64 && (at as u64) < hit.1 + hit.2, "at={at} {hit:?}");
        // The blocks that only the damaged one names.
        let mut lost = vec![hit.1];
        for (block, below) in &whole.below {
            if lost.contains(block) {
                lost.push(*below);
            }
        }
        if hit.0 == "footer" {
            assert_eq!(seen.parts, []);
            continue;
        }
        let kept = whole.parts.iter().filter(|part| !lost.contains(&part.1));
        assert!(kept.eq(&seen.parts), "at={at} {hit:?}");
        let kept = whole.entries.iter().filter(|(block, _)| !lost.contains(block));
        assert!(kept.eq(&seen.entries), "at={at} {hit:?}");
    }
}
