//! Runs other programs: streamed, captured, or both, and finds what cargo built.
//!
//! Called by every verb; calls the operating system. Promise: a program that fails is an error that
//! names it. Never: hides the output of a build or a test.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a verb ends with; the text is for the person who called it.
pub type Outcome = Result<(), String>;

/// The folder that holds the whole project.
pub fn root() -> PathBuf {
    // Why: what cargo says at run time comes first; a copied tree may run a tool that was built
    // in the original.
    let said = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = said.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    here.parent().map_or_else(|| here.clone(), Path::to_path_buf)
}

/// The cargo that runs this tool, started in the root of the project.
pub fn cargo<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    command(program, args)
}

/// Any program, started in the root of the project.
pub fn command<S: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    args: impl IntoIterator<Item = S>,
) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    command
}

/// How often a package or a list of packages is asked for again before it counts as missing.
const RETRIES: [&str; 2] = ["-o", "Acquire::Retries=5"];

/// Asks the distribution which packages there are.
pub fn update() -> Command {
    command("apt-get", RETRIES.into_iter().chain(["update"]))
}

/// Installs packages of the distribution.
pub fn install<'a>(packages: impl IntoIterator<Item = &'a str>) -> Command {
    let words = ["install", "--yes", "--no-install-recommends"];
    command("apt-get", RETRIES.into_iter().chain(words).chain(packages))
}

/// Runs it with this terminal as its own.
pub fn run(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|error| no_start(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", line(command))) }
}

/// Whether it can be started and ends well; says nothing.
pub fn works(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Its standard output; the rest goes to this terminal.
pub fn capture(command: &mut Command) -> Result<String, String> {
    let ran = command.stderr(Stdio::inherit()).output();
    let output = ran.map_err(|error| no_start(command, &error))?;
    if !output.status.success() {
        return Err(format!("{}: {}", line(command), output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs it, passes both of its outputs through line by line, and keeps a copy of them in one text.
pub fn tee(command: &mut Command) -> Result<String, String> {
    let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| no_start(command, &error))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let copy = std::thread::scope(|scope| {
        let errors = scope.spawn(move || pass(stderr, &mut std::io::stderr()));
        let mut copy = pass(stdout, &mut std::io::stdout());
        copy.push_str(&errors.join().unwrap_or_default());
        copy
    });
    let status = child.wait().map_err(|error| no_start(command, &error))?;
    if status.success() { Ok(copy) } else { Err(format!("{}: {status}", line(command))) }
}

/// Copies a stream line by line until it ends. A terminal that is gone is no reason to stop the
/// tests.
fn pass(from: Option<impl std::io::Read>, to: &mut impl Write) -> String {
    let mut copy = String::new();
    let Some(from) = from else { return copy };
    let mut reader = BufReader::new(from);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
        let _ = to.write_all(&bytes).and_then(|()| to.flush());
        copy.push_str(&String::from_utf8_lossy(&bytes));
        bytes.clear();
    }
    copy
}

/// A program that cargo built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The name of the target: `keel`, `keelstone_vfs`, `readme`.
    pub name: String,
    /// Where the program is.
    pub path: PathBuf,
    /// Whether it is a test harness; cargo builds the package's own programs beside its tests.
    pub test: bool,
}

/// Runs a cargo command that builds, and returns the programs; messages of the compiler go to the
/// terminal.
pub fn build<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Result<Vec<Built>, String> {
    let mut command = cargo(args);
    command.arg("--message-format=json-render-diagnostics");
    Ok(capture(&mut command)?.lines().filter_map(built).collect())
}

/// Reads one line of cargo's messages; only those that name a program count.
fn built(message: &str) -> Option<Built> {
    let path = text_after(message, "\"executable\":\"")?;
    let (_, target) = message.split_once("\"target\":{")?;
    let name = text_after(target, "\"name\":\"")?;
    let test = message.contains("\"test\":true},\"features\"");
    Some(Built { name, path: PathBuf::from(path), test })
}

/// The JSON string that begins after `key`. Cargo escapes only backslashes and quotes in paths and
/// names.
fn text_after(json: &str, key: &str) -> Option<String> {
    let (_, rest) = json.split_once(key)?;
    let mut text = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => text.push(chars.next()?),
            other => text.push(other),
        }
    }
}

/// The program `name` among those that were built.
pub fn pick(built: &[Built], name: &str) -> Result<PathBuf, String> {
    let found = built.iter().find(|program| program.name == name);
    found.map(|program| program.path.clone()).ok_or_else(|| format!("cargo built no {name}"))
}

fn line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

fn no_start(command: &Command, error: &std::io::Error) -> String {
    format!("{}: {error}", line(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_names_a_program_is_read() {
        let message =
            r#"{"reason":"x","target":{"kind":["test"],"name":"readme"},"executable":"/a\\b"}"#;
        let expected = Built { name: "readme".into(), path: PathBuf::from(r"/a\b"), test: false };
        assert_eq!(built(message), Some(expected));
    }

    #[test]
    fn a_harness_is_told_from_a_program() {
        let message = |test: bool| {
            let profile = format!(r#""profile":{{"opt_level":"0","test":{test}}},"features":[]"#);
            format!(r#"{{"target":{{"name":"demo"}},{profile},"executable":"/demo"}}"#)
        };
        assert_eq!(built(&message(true)).map(|b| b.test), Some(true));
        assert_eq!(built(&message(false)).map(|b| b.test), Some(false));
    }

    #[test]
    fn a_message_without_a_program_is_passed_over() {
        assert_eq!(built(r#"{"target":{"name":"keelstone"},"executable":null}"#), None);
        assert_eq!(built(""), None);
        assert_eq!(built(r#"{"executable":"cut"#), None);
    }
}
