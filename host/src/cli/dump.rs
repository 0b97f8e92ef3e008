//! `dump`: any file of a store as text for people.
//!
//! Called by the hall; calls the engine, which needs neither the lock nor the rest of the store.

use std::fmt::{self, Write as _};
use std::path::Path;

use keelstone::{Error, FileName};
use serde_json::json;

use super::args::{Dump, Globals};
use super::exit::{Failure, Outcome};
use super::open::{self, Place};
use super::output::Output;

/// Prints a file.
pub(super) fn dump(args: &Dump, globals: &Globals, out: &mut Output<'_>) -> Outcome {
    let place = Place::of(globals)?;
    let file = &args.file;
    let wrong = |what| Failure::Usage(format!("{}: {what}", file.display()));
    let name = file.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| wrong("not a file of a store"))?;
    match std::fs::metadata(file) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(wrong("not a file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(wrong("no such file"));
        }
        Err(error) => return Err(Failure::io(file.display().to_string())(error)),
    }
    if FileName::parse(name).is_none() {
        return Err(wrong("not a file of a store"));
    }
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    let disk = open::disk(dir.unwrap_or(Path::new(".")))?;
    let mut text = Text { out, line: String::new(), failure: None };
    let dumped = match place {
        Place::Native => keelstone::dump(disk.as_ref(), name, &mut text).map_err(Failure::from),
        Place::Sandbox(sandbox) => sandbox
            .dump(disk, name, &mut |page| text.write_str(page).is_ok())
            .map_err(Failure::from),
    };
    text.end()?;
    match dumped {
        // Why: a reader that went away makes the writer fail; that is no failure of the store.
        Err(_) if out.is_closed() => Ok(()),
        Err(Failure::Store(Error::NoStore)) => Err(wrong("not a file of a store")),
        other => other,
    }
}

/// Takes text in pieces and gives lines.
struct Text<'a, 'o> {
    out: &'a mut Output<'o>,
    line: String,
    failure: Option<Failure>,
}

impl Text<'_, '_> {
    fn print(&mut self) -> Outcome {
        let line = std::mem::take(&mut self.line);
        if self.out.is_json() {
            self.out.object(&json!({ "line": line }))
        } else {
            self.out.text(&line)
        }
    }

    /// The last line, if it was not ended, and what went wrong with the others.
    fn end(mut self) -> Outcome {
        match self.failure.take() {
            Some(failure) => Err(failure),
            None if self.line.is_empty() => Ok(()),
            None => self.print(),
        }
    }
}

impl fmt::Write for Text<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive('\n') {
            self.line.push_str(piece);
            if self.line.ends_with('\n') {
                self.line.pop();
                self.failure = self.print().err();
            }
            if self.failure.is_some() || self.out.is_closed() {
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}
