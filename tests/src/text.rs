//! Bytes as text and back, for scripts and messages: printable bytes stand for themselves, others are `\xNN`.

/// The text of some bytes; long ones are cut, with their length.
#[must_use]
pub fn show(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    let mut text: String = bytes.iter().take(SHOWN).map(|b| escape(*b)).collect();
    if bytes.len() > SHOWN {
        text.push_str(&format!("... ({} bytes)", bytes.len()));
    }
    if bytes.is_empty() {
        text.push_str("(empty)");
    }
    text
}

/// The whole text of some bytes.
#[must_use]
pub fn full(bytes: &[u8]) -> String {
    bytes.iter().map(|b| escape(*b)).collect()
}

fn escape(byte: u8) -> String {
    match byte {
        b' ' | b'\\' => format!("\\x{byte:02x}"),
        0x21..=0x7e => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    }
}

/// The bytes that a word of a script stands for: `\xNN` is one byte, and `word*N` is the word N times.
pub fn bytes(word: &str) -> Result<Vec<u8>, String> {
    if let Some((word, count)) = word.rsplit_once('*') {
        let count: usize = count.parse().map_err(|_| format!("no count in {word}*{count}"))?;
        return Ok(bytes(word)?.repeat(count));
    }
    let mut out = Vec::new();
    let mut rest = word.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'\\' {
            let digits = tail.get(1..3).and_then(|d| core::str::from_utf8(d).ok());
            let byte = digits.and_then(|d| u8::from_str_radix(d, 16).ok());
            out.push(byte.ok_or_else(|| format!("bad escape in {word}"))?);
            rest = tail.get(3..).unwrap_or(&[]);
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{bytes, show};

    #[test]
    fn what_is_shown_is_read_back() {
        let all: Vec<u8> = (0..=255).filter(|b| *b != b'*').collect();
        for part in all.chunks(20) {
            assert_eq!(bytes(&show(part)).as_deref(), Ok(part));
        }
    }

    #[test]
    fn a_count_repeats_the_word() {
        assert_eq!(bytes("ab*3").as_deref(), Ok(&b"ababab"[..]));
        assert_eq!(bytes("\\x00*2").as_deref(), Ok(&[0, 0][..]));
        assert!(bytes("\\x0").is_err() && bytes("a*b").is_err());
    }
}
