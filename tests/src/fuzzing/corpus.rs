//! Seeds of the corpora: valid inputs for each target, from which fuzzing starts.
//!
//! Called by the test that writes them anew; the bytes are committed, so that a change of format is
//! seen.

use std::collections::BTreeMap;

use keelstone::probe;

use crate::rng::Rng;

/// What a target does with some bytes.
pub type Target = fn(&[u8]);

/// The seeds of a target, each under its name.
#[must_use]
pub fn seeds(target: &str) -> BTreeMap<String, Vec<u8>> {
    match target {
        "record" => modes("frame", &probe::encode_record()),
        "log" => modes("log", &probe::encode_log()),
        "hint" => [0, 1, 5].iter().fold(BTreeMap::new(), |mut all, count| {
            all.extend(modes(&format!("items-{count}"), &probe::encode_hint(*count)));
            all
        }),
        "manifest" => {
            let mut all = modes("plain", &probe::encode_manifest(false));
            all.extend(modes("continued", &probe::encode_manifest(true)));
            all
        }
        "escapes" => escapes(),
        "operations" => (0..8).map(|n| (format!("random-{n}"), random(n, 400))).collect(),
        "crash_image" => crash_images(),
        "block" => blocks(),
        "table" => tables(),
        "iterators" => (0..14).map(|n| (format!("random-{n}"), random(100 + n, 900))).collect(),
        _ => BTreeMap::new(),
    }
}

/// Once as it is, once with its checksums made right.
fn modes(name: &str, bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let with = |mode: u8| [&[mode], bytes].concat();
    [(format!("{name}-plain"), with(0)), (format!("{name}-sealed"), with(1))].into()
}

/// Payloads, and blocks with their trailer but the checksum.
fn blocks() -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for (keys, interval) in [(0, 1), (1, 1), (5, 1), (9, 3), (30, 4), (30, 16)] {
        for sealed in [false, true] {
            let block = probe::encode_block(keys, interval, sealed);
            let name = if sealed { "sealed" } else { "payload" };
            let bytes = [&[u8::from(sealed)][..], &block].concat();
            all.insert(format!("keys-{keys}-{interval}-{name}"), bytes);
        }
    }
    all
}

/// Empty, of one block, of many blocks, and with two levels of index.
fn tables() -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for (keys, block_bytes) in [(0, 100), (3, 1000), (30, 200), (40, 48)] {
        for plain in [false, true] {
            let name = format!("keys-{keys}-{}", if plain { "bare" } else { "full" });
            all.extend(modes(&name, &probe::encode_table(keys, block_bytes, plain)));
        }
    }
    all
}

fn escapes() -> BTreeMap<String, Vec<u8>> {
    let texts: [(&str, &[u8]); 8] = [
        ("plain", b"some text"),
        ("every-escape", b"a\\\\b\\tc\\nd\\re\\x00\\xfF"),
        ("lone-backslash", b"a\\"),
        ("unknown", b"a\\q"),
        ("no-digits", b"\\x"),
        ("one-digit", b"\\x1"),
        ("bad-digit", b"\\xg0"),
        ("control", b"\t\n\r\x00\x7f\xff"),
    ];
    texts.iter().map(|(name, text)| ((*name).to_owned(), text.to_vec())).collect()
}

fn random(seed: u64, len: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..len).map(|_| rng.bits().to_le_bytes()[0]).collect()
}

/// One change of each kind to each of the first files.
fn crash_images() -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for what in 0..12 {
        let bytes: Vec<u8> = (0..8).flat_map(|file| [what, file, 70, 0, 3, 0, 9, 1]).collect();
        all.insert(format!("change-{what}"), bytes[..8].to_vec());
        all.insert(format!("change-{what}-of-all"), bytes);
    }
    all
}
