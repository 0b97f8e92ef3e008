//! `keel` as a program: started, waited for, judged by its exit code.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::Outcome;

/// Where the program is.
pub struct Keel(PathBuf);

impl Keel {
    /// The program at `path`.
    pub fn new(path: &Path) -> Self {
        Self(path.to_path_buf())
    }

    /// Runs it to its end; returns what it printed. Any exit code but 0 is a failure.
    pub fn run(&self, args: &[&OsStr]) -> Outcome<String> {
        let ran = Command::new(&self.0).args(args).stdin(Stdio::null()).output();
        let output = ran.map_err(|error| format!("{}: {error}", self.0.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("keel {args:?}: {}: {}", output.status, said.trim_end()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts it with both ends of a pipe in our hands.
    pub fn start(&self, args: &[&OsStr]) -> Outcome<Child> {
        let mut command = Command::new(&self.0);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().map_err(|error| format!("{}: {error}", self.0.display()))
    }
}
