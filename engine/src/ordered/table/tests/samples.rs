//! Searches in a block that has samples say what searches by whole keys say.

use super::super::block::{Block, BlockCursor};
use super::super::builder::BlockBuilder;
use super::*;
use crate::error::FileName;

/// Keys that begin, go on and end alike, in order: what numbers of eight bytes cannot tell apart, or see in part.
fn keys(prefix: &[u8]) -> Vec<Vec<u8>> {
    let mut middles = vec![Vec::new()];
    for len in 0..3 {
        for at in (1_usize << len) - 1..middles.len() {
            for letter in [0, b'a'] {
                middles.push([&middles[at][..], &[letter]].concat());
            }
        }
    }
    let tails: [&[u8]; 5] = [b"", &[0; 5], &[0; 8], &[0; 12], b"0123456789"];
    let mut keys: Vec<_> = middles
        .iter()
        .flat_map(|middle| tails.map(|tail| [prefix, &middle[..], tail].concat()))
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

/// The same block without samples and with them.
fn both(items: &[Owned], interval: usize) -> [Block; 2] {
    let mut builder = BlockBuilder::new(interval);
    items.iter().for_each(|item| builder.add(&item.item()).unwrap());
    let payload = builder.finish().unwrap().to_vec();
    let parse = || Block::parse(payload.clone(), FileName::Table(NUMBER), 64).unwrap();
    [parse(), parse().sampled()]
}

fn agree([plain, sampled]: &[Block; 2], items: &[Owned], place: (&[u8], u64)) {
    let found = [plain, sampled].map(|block| block.find(place).unwrap().map(Owned::of));
    assert_eq!(found[0], found[1], "find {place:?}");
    let order = KeyOrder::Bytewise;
    let mut cursors = [BlockCursor::new(plain), BlockCursor::new(sampled)];
    for seek in [BlockCursor::seek, BlockCursor::seek_before] {
        let stands = cursors.each_mut().map(|cursor| {
            seek(cursor, &order, place).unwrap();
            let first = cursor.item().map(Owned::of);
            if cursor.is_on() {
                cursor.next().unwrap();
            }
            (first, cursor.item().map(Owned::of))
        });
        assert_eq!(stands[0], stands[1], "seek {place:?}");
    }
    if plain.restarts() == items.len() {
        let floors = [plain, sampled].map(|block| block.floor(&order, place).unwrap());
        assert_eq!(floors[0], floors[1], "floor {place:?}");
    }
}

#[test]
fn samples_say_what_keys_say() {
    for prefix in [&b""[..], b"pre", b"all keys begin so"] {
        for (value_bytes, versions, interval) in
            [(0, 1, 1), (0, 1, 16), (70, 1, 1), (70, 3, 4), (0, 3, 16), (70, 40, 16), (70, 40, 1)]
        {
            let keys = keys(prefix);
            let value = vec![7; value_bytes];
            let mut items = Vec::new();
            for key in keys.iter().step_by(2) {
                items.extend((1..=versions).rev().map(|n| Owned::put(key, 10 * n, &value)));
            }
            let blocks = both(&items, interval);
            let around = [&b""[..], b"\x00", b"pra", b"prf", b"all keys", b"\xff"];
            for key in keys.iter().map(|key| &key[..]).chain(around) {
                for seq in [0, 9, 10, 25, u64::MAX] {
                    agree(&blocks, &items, (key, seq));
                }
            }
        }
    }
}
