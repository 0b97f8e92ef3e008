//! Reads the lines of `import`: `key<TAB>value`, with a third field where the key expires.
//!
//! Called by the import; calls the escape reader. A line is decoded while it is read, so memory
//! holds one key and one value and never their text; a line over a limit is refused before it is
//! held.
//! Never: panics, whatever the input.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, BufRead, ErrorKind};

use keelstone::limits::KEY_BYTES_MAX;

use crate::escape::Unescaper;

/// What one line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The key, never empty.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// When the key expires, in milliseconds since 1970.
    pub expires_ms: Option<u64>,
}

/// Why a line could not be read. Nothing after it can be read either.
#[derive(Debug)]
pub enum LineError {
    /// The line says nothing that can be stored.
    Malformed {
        /// Its number, from 1.
        number: u64,
        /// What is wrong with it.
        what: Wrong,
    },
    /// The input failed.
    Io(io::Error),
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It has no bytes.
    Empty,
    /// It has no tab.
    OneField,
    /// It has more than two tabs.
    ManyFields,
    /// A backslash begins none of the known escapes.
    Escape,
    /// The key has no bytes.
    EmptyKey,
    /// The key is over the limit.
    KeyTooLong,
    /// The value is over this limit.
    ValueTooLong(usize),
    /// The third field is not a whole number of milliseconds.
    Expiry,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty line"),
            Self::OneField => f.write_str("one field, a tab is missing"),
            Self::ManyFields => f.write_str("more than three fields"),
            Self::Escape => f.write_str("bad escape"),
            Self::EmptyKey => f.write_str("empty key"),
            Self::KeyTooLong => write!(f, "key too long max={KEY_BYTES_MAX}"),
            Self::ValueTooLong(max) => write!(f, "value too long max={max}"),
            Self::Expiry => f.write_str("expiry is not a whole number of milliseconds"),
        }
    }
}

/// The lines of an input, one after the other.
pub struct Lines<R> {
    input: R,
    number: u64,
    value_bytes_max: usize,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `input`; values may have `value_bytes_max` bytes.
    pub fn new(input: R, value_bytes_max: usize) -> Self {
        Self { input, number: 0, value_bytes_max }
    }

    /// The next line; `None` at the end of the input.
    ///
    /// # Errors
    /// [`LineError`]: the input cannot be read further.
    pub fn read(&mut self) -> Result<Option<Line>, LineError> {
        let mut parser = Parser::new(self.value_bytes_max);
        self.number = self.number.saturating_add(1);
        let number = self.number;
        let malformed = |what| LineError::Malformed { number, what };
        loop {
            let bytes = match self.input.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(LineError::Io(error)),
            };
            if bytes.is_empty() {
                // Why: the last line may lack its line feed; nothing at all after a line feed is no
                // line.
                let line = parser.begun.then(|| parser.line()).transpose();
                return line.map_err(malformed);
            }
            let (taken, ended) = parser.take(bytes).map_err(malformed)?;
            self.input.consume(taken);
            if ended {
                return parser.line().map(Some).map_err(malformed);
            }
        }
    }
}

/// A line as far as it is read.
struct Parser {
    fields: [Vec<u8>; 3],
    field: usize,
    unescaper: Unescaper,
    begun: bool,
    value_bytes_max: usize,
}

/// The longest whole number of 64 bits, in digits; leading zeros beyond it are refused.
const DIGITS_MAX: usize = 20;

impl Parser {
    fn new(value_bytes_max: usize) -> Self {
        Self {
            fields: Default::default(),
            field: 0,
            unescaper: Unescaper::default(),
            begun: false,
            value_bytes_max,
        }
    }

    /// Takes bytes of the line up to a line feed: how many, and whether it was met.
    fn take(&mut self, bytes: &[u8]) -> Result<(usize, bool), Wrong> {
        let mut rest = bytes;
        loop {
            let plain = match self.unescaper.is_inside() {
                true => 0,
                false => {
                    let special = |b: &u8| matches!(b, b'\\' | b'\t' | b'\n');
                    rest.iter().position(special).unwrap_or(rest.len())
                }
            };
            let (run, after) = rest.split_at(plain);
            self.extend(run)?;
            let Some((&byte, after)) = after.split_first() else { return Ok((bytes.len(), false)) };
            rest = after;
            match byte {
                b'\n' => return Ok((bytes.len() - rest.len(), true)),
                b'\t' => self.next_field()?,
                _ => self.escaped(byte)?,
            }
        }
    }

    fn extend(&mut self, run: &[u8]) -> Result<(), Wrong> {
        if run.is_empty() {
            return Ok(());
        }
        self.begun = true;
        let (max, wrong) = match self.field {
            0 => (KEY_BYTES_MAX, Wrong::KeyTooLong),
            1 => (self.value_bytes_max, Wrong::ValueTooLong(self.value_bytes_max)),
            _ => (DIGITS_MAX, Wrong::Expiry),
        };
        let field = &mut self.fields[self.field];
        if run.len() > max - field.len() {
            return Err(wrong);
        }
        field.extend_from_slice(run);
        Ok(())
    }

    fn escaped(&mut self, byte: u8) -> Result<(), Wrong> {
        self.begun = true;
        if self.field == 2 {
            return Err(Wrong::Expiry);
        }
        match self.unescaper.push(byte) {
            Ok(Some(decoded)) => self.extend(&[decoded]),
            Ok(None) => Ok(()),
            Err(_) => Err(Wrong::Escape),
        }
    }

    fn next_field(&mut self) -> Result<(), Wrong> {
        self.begun = true;
        if self.unescaper.is_inside() {
            return Err(Wrong::Escape);
        }
        if self.field == 2 {
            return Err(Wrong::ManyFields);
        }
        self.field += 1;
        Ok(())
    }

    /// The line, now that its end was met.
    fn line(self) -> Result<Line, Wrong> {
        if !self.begun {
            return Err(Wrong::Empty);
        }
        if self.unescaper.is_inside() {
            return Err(Wrong::Escape);
        }
        let [key, value, expiry] = self.fields;
        let expires_ms = match self.field {
            0 => return Err(Wrong::OneField),
            1 => None,
            _ => Some(whole(&expiry).ok_or(Wrong::Expiry)?),
        };
        if key.is_empty() { Err(Wrong::EmptyKey) } else { Ok(Line { key, value, expires_ms }) }
    }
}

/// A whole number: digits and nothing else.
fn whole(digits: &[u8]) -> Option<u64> {
    let only_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| only_digits)?.parse().ok()
}
