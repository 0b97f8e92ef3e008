//! Progress of long commands on standard error: only on a terminal, never with `--quiet`.
//!
//! Called by import, compact and crash; calls indicatif.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A line that shows how far a command is; it disappears with the value.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Progress through an input of `bytes`, if that is known.
    pub(super) fn bytes(bytes: Option<u64>, quiet: bool) -> Self {
        let template = match bytes {
            Some(_) => "{bar:40} {bytes} of {total_bytes}, {eta} left",
            None => "{spinner} {bytes}, {bytes_per_sec}",
        };
        Self::new(bytes, template, quiet)
    }

    /// Progress through a number of things that is told by and by.
    pub(super) fn count(what: &'static str, quiet: bool) -> Self {
        let progress = Self::new(Some(0), "{bar:40} {pos} of {len} {msg}, {elapsed}", quiet);
        if let Some(bar) = &progress.bar {
            bar.set_message(what);
        }
        progress
    }

    /// A sign of life for work of unknown length.
    pub(super) fn spinner(what: &'static str, quiet: bool) -> Self {
        let progress = Self::new(None, "{spinner} {msg} {elapsed}", quiet);
        if let Some(bar) = &progress.bar {
            bar.set_message(what);
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        progress
    }

    fn new(all: Option<u64>, template: &str, quiet: bool) -> Self {
        if quiet || !stderr().is_terminal() {
            return Self { bar: None };
        }
        let bar = all.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar: Some(bar) }
    }

    /// So many bytes more are done.
    pub(super) fn advance(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }

    /// So many of all are done.
    pub(super) fn set(&self, done: usize, all: usize) {
        if let Some(bar) = &self.bar {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
