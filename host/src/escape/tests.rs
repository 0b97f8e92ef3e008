//! All single bytes, all pairs, and all short texts of the bytes that matter.

use super::{Malformed, escape, unescape};

fn expected(byte: u8) -> String {
    match byte {
        b'\t' => "\\t".into(),
        b'\n' => "\\n".into(),
        b'\r' => "\\r".into(),
        b'\\' => "\\\\".into(),
        0x20..=0x7e => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    }
}

#[test]
fn every_byte_has_the_documented_form_and_comes_back() {
    for byte in 0..=255 {
        let text = escape(&[byte]);
        assert_eq!(text, expected(byte));
        assert_eq!(unescape(text.as_bytes()), Ok(vec![byte]));
    }
}

#[test]
fn every_pair_of_bytes_comes_back() {
    for first in 0..=255 {
        for second in 0..=255 {
            let text = escape(&[first, second]);
            assert_eq!(text, expected(first) + &expected(second));
            assert!(text.bytes().all(|b| (0x20..=0x7e).contains(&b)));
            assert_eq!(unescape(text.as_bytes()), Ok(vec![first, second]));
        }
    }
}

#[test]
fn every_byte_but_the_backslash_may_stand_for_itself() {
    for byte in (0..=255).filter(|&b| b != b'\\') {
        assert_eq!(unescape(&[byte]), Ok(vec![byte]));
        assert_eq!(unescape(&[b'a', byte, b'z']), Ok(vec![b'a', byte, b'z']));
    }
}

#[test]
fn digits_are_read_in_either_case() {
    for byte in 0..=255_u8 {
        for text in [format!("\\x{byte:02x}"), format!("\\x{byte:02X}")] {
            assert_eq!(unescape(text.as_bytes()), Ok(vec![byte]));
        }
    }
    assert_eq!(unescape(b"\\xaB\\xAb"), Ok(vec![0xab, 0xab]));
}

#[test]
fn a_backslash_before_any_other_byte_is_malformed() {
    for byte in (0..=255).filter(|b| !b"\\tnrx".contains(b)) {
        assert_eq!(unescape(&[b'k', b'\\', byte]), Err(Malformed { offset: 1 }));
    }
}

#[test]
fn hex_needs_two_digits() {
    for byte in (0..=255_u8).filter(|b| !b.is_ascii_hexdigit()) {
        assert_eq!(unescape(&[b'\\', b'x', byte, b'0']), Err(Malformed { offset: 0 }));
        assert_eq!(unescape(&[b'\\', b'x', b'0', byte]), Err(Malformed { offset: 0 }));
    }
}

#[test]
fn text_that_ends_inside_an_escape_is_malformed() {
    for text in ["\\", "ab\\", "ab\\x", "ab\\x0", "ab\\\\\\"] {
        assert!(unescape(text.as_bytes()).is_err(), "{text}");
    }
    assert_eq!(unescape(b"ab\\x0"), Err(Malformed { offset: 2 }));
    assert_eq!(unescape(b"\\\\\\"), Err(Malformed { offset: 2 }));
}

/// A second reader, written as plainly as possible, judges all texts of up to five of the bytes
/// that matter.
#[test]
fn all_short_texts_agree_with_a_plain_reader() {
    const ALPHABET: &[u8] = b"\\xtnr0fFg\t\xff";
    let mut texts: Vec<Vec<u8>> = vec![Vec::new()];
    let mut longest = texts.clone();
    for _ in 0..5 {
        longest = longest
            .iter()
            .flat_map(|text| ALPHABET.iter().map(|&b| [text.as_slice(), &[b]].concat()))
            .collect();
        texts.extend_from_slice(&longest);
    }
    for text in &texts {
        assert_eq!(unescape(text).ok(), plain(text), "{text:?}");
    }
}

fn plain(text: &[u8]) -> Option<Vec<u8>> {
    Some(match text {
        [] => Vec::new(),
        [b'\\', b'x', high, low, rest @ ..] => {
            let digits = [char::from(*high), char::from(*low)].map(|c| c.to_digit(16));
            let byte = u8::try_from(digits[0]? * 16 + digits[1]?).ok()?;
            [vec![byte], plain(rest)?].concat()
        }
        [b'\\', letter, rest @ ..] => {
            let byte = match letter {
                b't' => b'\t',
                b'n' => b'\n',
                b'r' => b'\r',
                b'\\' => b'\\',
                _ => return None,
            };
            [vec![byte], plain(rest)?].concat()
        }
        [b'\\'] => return None,
        [byte, rest @ ..] => [vec![*byte], plain(rest)?].concat(),
    })
}
