//! Standard output, as lines for people and scripts or as JSON; and the one line on standard error.
//!
//! Called by every command; calls the escape writer. Buffered: a line is out after
//! [`Output::flush`].
//! Promise: a closed pipe is no error; what follows is dropped, and [`Output::is_closed`] lets a
//! long command stop.

use std::io::{self, BufWriter, ErrorKind, Write};

use serde_json::{Map, Value, json};

use super::exit::{Failure, Outcome};
use crate::escape::{escape, escape_into};

/// Where answers go.
pub(super) struct Output<'a> {
    sink: BufWriter<Box<dyn Write + 'a>>,
    json: bool,
    quiet: bool,
    closed: bool,
    line: Vec<u8>,
}

impl<'a> Output<'a> {
    pub(super) fn new(sink: impl Write + 'a, json: bool, quiet: bool) -> Self {
        let sink = BufWriter::with_capacity(1 << 16, Box::new(sink) as Box<dyn Write + 'a>);
        Self { sink, json, quiet, closed: false, line: Vec::new() }
    }

    /// Whether answers are JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether counts and progress are left out.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether nobody reads any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// A line of text.
    pub(super) fn text(&mut self, text: &str) -> Outcome {
        self.line.clear();
        self.line.extend_from_slice(text.as_bytes());
        self.end_line()
    }

    /// A line of JSON.
    pub(super) fn object(&mut self, object: &Value) -> Outcome {
        self.text(&object.to_string())
    }

    /// One answer that has both forms; only the one that is asked for is made.
    pub(super) fn either(
        &mut self,
        text: impl FnOnce() -> String,
        object: impl FnOnce() -> Value,
    ) -> Outcome {
        if self.json { self.object(&object()) } else { self.text(&text()) }
    }

    /// Counts on one line, `name=value` with a space between: left out by `--quiet`.
    pub(super) fn counts(&mut self, word: &str, counts: &[(&str, u64)]) -> Outcome {
        if self.quiet {
            return Ok(());
        }
        self.either(|| counts_text(word, counts), || counts_object(counts))
    }

    /// A value and a line feed, or an object.
    pub(super) fn value(&mut self, key: &[u8], value: &[u8], expires_ms: Option<u64>) -> Outcome {
        if self.json {
            return self.object(&json!({
                "key": escape(key), "value": escape(value), "expires_ms": expires_ms,
            }));
        }
        self.line.clear();
        escape_into(value, &mut self.line);
        self.end_line()
    }

    /// A line of a scan: the key, then what of value and expiry is to be shown. In JSON the expiry
    /// is always there.
    pub(super) fn entry(&mut self, entry: &Line<'_>) -> Outcome {
        if self.json {
            let mut object = Map::new();
            object.insert("key".into(), escape(entry.key).into());
            if let Some(value) = entry.value {
                object.insert("value".into(), escape(value).into());
            }
            object.insert("expires_ms".into(), entry.expires_ms.into());
            return self.object(&Value::Object(object));
        }
        self.line.clear();
        escape_into(entry.key, &mut self.line);
        if let Some(value) = entry.value {
            self.line.push(b'\t');
            escape_into(value, &mut self.line);
        }
        if let (true, Some(ms)) = (entry.expiry_shown, entry.expires_ms) {
            self.line.extend_from_slice(format!("\t{ms}").as_bytes());
        }
        self.end_line()
    }

    /// Hands everything to the system.
    pub(super) fn flush(&mut self) -> Outcome {
        if self.closed {
            return Ok(());
        }
        let result = self.sink.flush();
        self.check(result)
    }

    fn end_line(&mut self) -> Outcome {
        if self.closed {
            return Ok(());
        }
        self.line.push(b'\n');
        let result = self.sink.write_all(&self.line);
        self.check(result)
    }

    fn check(&mut self, result: io::Result<()>) -> Outcome {
        match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other.map_err(Failure::io("standard output")),
        }
    }
}

/// What [`Output::entry`] prints.
pub(super) struct Line<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: Option<&'a [u8]>,
    pub(super) expires_ms: Option<u64>,
    /// Whether text has the expiry as a third field.
    pub(super) expiry_shown: bool,
}

/// `word name=value ...`.
pub(super) fn counts_text(word: &str, counts: &[(&str, u64)]) -> String {
    let counts = counts.iter().map(|(name, count)| format!("{name}={count}"));
    let words = Some(word.to_owned()).filter(|word| !word.is_empty());
    words.into_iter().chain(counts).collect::<Vec<_>>().join(" ")
}

/// `{"name":value,...}`.
pub(super) fn counts_object(counts: &[(&str, u64)]) -> Value {
    counts.iter().map(|&(name, count)| (name.to_owned(), Value::from(count))).collect()
}

/// Writes the one line that standard error may hold; if that fails there is nobody left to tell.
pub(super) fn report(failure: &Failure, json: bool) {
    let Some(name) = failure.exit().name() else { return };
    // Why: half of the command that repeats a crash repeats nothing.
    let chars_max = if matches!(failure, Failure::Broken(_)) { usize::MAX } else { CHARS_MAX };
    let message = one_line(&failure.to_string(), chars_max);
    let line = if json {
        json!({ "error": name, "message": message }).to_string()
    } else {
        format!("keel: {message}")
    };
    let _ = writeln!(io::stderr(), "{line}");
}

/// So many characters a message has at most.
const CHARS_MAX: usize = 500;

/// A message may quote what the user gave: control characters are escaped and very long ones cut.
fn one_line(message: &str, chars_max: usize) -> String {
    let mut line = String::new();
    for (n, c) in message.chars().enumerate() {
        if n == chars_max {
            line.push_str("...");
            break;
        }
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{CHARS_MAX, one_line};

    #[test]
    fn a_message_is_one_line_whatever_it_quotes() {
        assert_eq!(one_line("a\nb\u{1b}[0m é", CHARS_MAX), "a\\nb\\u{1b}[0m é");
        assert_eq!(one_line(&"x".repeat(10_000), CHARS_MAX).len(), 503);
    }
}
