//! Every rule of a line, and every way in which an input may be cut into pieces.

use std::io::{BufReader, Read};

use super::{Line, LineError, Lines, Wrong};

/// The lines before the first that cannot be read, and that one's number and fault.
fn read(input: impl Read, piece: usize) -> (Vec<Line>, Option<(u64, Wrong)>) {
    let mut lines = Lines::new(BufReader::with_capacity(piece, input), 10);
    let mut good = Vec::new();
    loop {
        match lines.read() {
            Ok(Some(line)) => good.push(line),
            Ok(None) => return (good, None),
            Err(LineError::Malformed { number, what }) => return (good, Some((number, what))),
            Err(LineError::Io(error)) => panic!("{error}"),
        }
    }
}

fn line(key: &[u8], value: &[u8], expires_ms: Option<u64>) -> Line {
    Line { key: key.to_vec(), value: value.to_vec(), expires_ms }
}

fn wrong(text: &[u8]) -> Option<(u64, Wrong)> {
    let whole = read(text, 1 << 16);
    for piece in 1..9 {
        assert_eq!(read(text, piece), whole, "{text:?} in pieces of {piece}");
    }
    whole.1
}

#[test]
fn good_lines_are_read_in_pieces_of_any_size() {
    let text = b"a\t1\nb\\t\\n\\r\\\\\\x00\\xfF\t\nc\t\r\xff\t0\nd\tx\t18446744073709551615";
    let expected = vec![
        line(b"a", b"1", None),
        line(b"b\t\n\r\\\x00\xff", b"", None),
        line(b"c", b"\r\xff", Some(0)),
        line(b"d", b"x", Some(u64::MAX)),
    ];
    for piece in 1..=text.len() {
        assert_eq!(read(text.as_slice(), piece), (expected.clone(), None));
    }
    let ended = [text.as_slice(), b"\n"].concat();
    assert_eq!(read(ended.as_slice(), 3), (expected, None));
    assert_eq!(read(b"".as_slice(), 3), (Vec::new(), None));
}

#[test]
fn each_rule_that_a_line_breaks_is_named() {
    for (text, what) in [
        ("\n", Wrong::Empty),
        ("k\n", Wrong::OneField),
        ("k", Wrong::OneField),
        ("\tv", Wrong::EmptyKey),
        ("\t", Wrong::EmptyKey),
        ("\t\t", Wrong::Expiry),
        ("k\tv\t1\t", Wrong::ManyFields),
        ("k\tv\t", Wrong::Expiry),
        ("k\tv\t-1", Wrong::Expiry),
        ("k\tv\t+1", Wrong::Expiry),
        ("k\tv\t\\x31", Wrong::Expiry),
        ("k\tv\t18446744073709551616", Wrong::Expiry),
        ("k\tv\t000000000000000000001", Wrong::Expiry),
        ("k\\q\tv", Wrong::Escape),
        ("k\tv\\", Wrong::Escape),
        ("k\tv\\x4", Wrong::Escape),
        ("k\\\tv", Wrong::Escape),
        ("k\\x4\tv", Wrong::Escape),
        ("k\tv\\\n", Wrong::Escape),
        ("k\t12345678901", Wrong::ValueTooLong(10)),
    ] {
        assert_eq!(wrong(text.as_bytes()), Some((1, what)), "{text:?}");
        let third = format!("a\t1\nb\t2\n{text}");
        assert_eq!(wrong(third.as_bytes()), Some((3, what)), "{third:?}");
    }
}

#[test]
fn the_limits_count_bytes_and_not_their_text() {
    let key = "\\x41".repeat(65_535);
    let (good, fault) = read(format!("{key}\t\\x00123456789\n").as_bytes(), 7);
    assert_eq!((good.len(), fault), (1, None));
    let (good, fault) = read(format!("{key}B\tv\n").as_bytes(), 7);
    assert_eq!((good.len(), fault), (0, Some((1, Wrong::KeyTooLong))));
}

#[test]
fn a_line_over_a_limit_is_refused_before_it_is_held() {
    let endless = std::io::repeat(b'k');
    assert_eq!(read(endless, 100).1, Some((1, Wrong::KeyTooLong)));
    let endless = b"k\t".chain(std::io::repeat(b'v'));
    assert_eq!(read(endless, 100).1, Some((1, Wrong::ValueTooLong(10))));
}

/// All texts of up to six of the bytes that matter, against a reader that splits first and decodes
/// then.
#[test]
fn all_short_inputs_agree_with_a_plain_reader() {
    let mut longest: Vec<Vec<u8>> = vec![Vec::new()];
    for _ in 0..6 {
        longest = longest
            .iter()
            .flat_map(|text| b"\\\t\nn1k".iter().map(|&b| [text.as_slice(), &[b]].concat()))
            .collect();
        for text in &longest {
            let (good, fault) = read(text.as_slice(), 4);
            let (plain_good, plain_fault) = plain(text);
            assert_eq!(good, plain_good, "{text:?}");
            assert_eq!(fault.map(|(number, _)| number), plain_fault, "{text:?}");
        }
    }
}

fn plain(text: &[u8]) -> (Vec<Line>, Option<u64>) {
    let mut good = Vec::new();
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    for (n, one) in (1..).zip(text.split(|&b| b == b'\n')) {
        let fields: Vec<_> = one.split(|&b| b == b'\t').collect();
        let decoded = |n: usize| crate::escape::unescape(fields.get(n)?).ok();
        let expires_ms = fields.get(2).map(|field| std::str::from_utf8(field).ok()?.parse().ok());
        match (decoded(0), decoded(1), expires_ms, fields.len()) {
            (Some(key), Some(value), None, 2) if !key.is_empty() => {
                good.push(Line { key, value, expires_ms: None });
            }
            (Some(key), Some(value), Some(Some(ms)), 3) if !key.is_empty() => {
                good.push(Line { key, value, expires_ms: Some(ms) });
            }
            _ => return (good, Some(n)),
        }
    }
    (good, None)
}
