//! Keys and values as text, and back: design of the command line, "Escaping".
//!
//! Called by the command line for arguments, output and import lines; calls nothing. Pure.
//! Promise: `unescape(escape(b)) == b` for all bytes, and escaped text is printable ASCII without
//! tab and line feed.
//! Never: panics, whatever the text.

#[cfg(test)]
mod tests;

/// The text is not an escaped form of any bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where the bad escape begins, in bytes from the start of the text.
    pub offset: usize,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "bad escape offset={}", self.offset)
    }
}

impl std::error::Error for Malformed {}

/// Appends the escaped form of `bytes` to `text`.
pub fn escape_into(bytes: &[u8], text: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for &byte in bytes {
        match byte {
            b'\\' => text.extend_from_slice(b"\\\\"),
            b'\t' => text.extend_from_slice(b"\\t"),
            b'\n' => text.extend_from_slice(b"\\n"),
            b'\r' => text.extend_from_slice(b"\\r"),
            0x20..=0x7e => text.push(byte),
            _ => {
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                text.extend_from_slice(&[b'\\', b'x', DIGITS[high], DIGITS[low]]);
            }
        }
    }
}

/// The escaped form of `bytes`.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    let mut text = Vec::with_capacity(bytes.len());
    escape_into(bytes, &mut text);
    // Why: escaped text is ASCII, so nothing is ever replaced here.
    String::from_utf8_lossy(&text).into_owned()
}

/// The bytes that `text` stands for. Any byte but a backslash may stand for itself.
///
/// # Errors
/// [`Malformed`] if a backslash begins none of the known escapes.
pub fn unescape(text: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut unescaper = Unescaper::default();
    let mut begun = 0;
    for (offset, &byte) in text.iter().enumerate() {
        if !unescaper.is_inside() {
            begun = offset;
        }
        let decoded = unescaper.push(byte).map_err(|BadEscape| Malformed { offset: begun })?;
        bytes.extend(decoded);
    }
    if unescaper.is_inside() { Err(Malformed { offset: begun }) } else { Ok(bytes) }
}

/// A backslash that begins none of the known escapes; the caller knows where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadEscape;

/// Reads escaped text byte by byte, for text that is too long to be held twice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unescaper {
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Plain,
    Backslash,
    FirstDigit,
    SecondDigit(u8),
}

impl Unescaper {
    /// Whether an escape has begun and is not complete: text that ends now is malformed.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        !matches!(self.state, State::Plain)
    }

    /// Takes one byte of text and gives the byte that is complete with it, if any.
    ///
    /// # Errors
    /// [`BadEscape`] if no escape goes on with this byte; the reader is of no use afterwards.
    pub fn push(&mut self, byte: u8) -> Result<Option<u8>, BadEscape> {
        let (state, decoded) = match (self.state, byte) {
            (State::Plain, b'\\') => (State::Backslash, None),
            (State::Plain, _) => (State::Plain, Some(byte)),
            (State::Backslash, b'\\') => (State::Plain, Some(b'\\')),
            (State::Backslash, b't') => (State::Plain, Some(b'\t')),
            (State::Backslash, b'n') => (State::Plain, Some(b'\n')),
            (State::Backslash, b'r') => (State::Plain, Some(b'\r')),
            (State::Backslash, b'x') => (State::FirstDigit, None),
            (State::Backslash, _) => return Err(BadEscape),
            (State::FirstDigit, _) => (State::SecondDigit(digit(byte)?), None),
            (State::SecondDigit(high), _) => (State::Plain, Some(high << 4 | digit(byte)?)),
        };
        self.state = state;
        Ok(decoded)
    }
}

fn digit(byte: u8) -> Result<u8, BadEscape> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(BadEscape),
    }
}
