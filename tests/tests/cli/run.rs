//! Runs `keel` and says what it did; a directory that can be compared before and after.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// What a command printed and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("keel prints UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The command is done and printed exactly this, and nothing on standard error.
    #[track_caller]
    pub fn done(self, out: &str) {
        assert_eq!((self.out.as_str(), self.err.as_str(), self.code), (out, "", Some(0)));
    }

    /// The command is done; what it printed.
    #[track_caller]
    pub fn printed(self) -> String {
        assert_eq!((self.err.as_str(), self.code), ("", Some(0)), "{}", self.out);
        self.out
    }

    /// The key was absent: nothing is printed anywhere.
    #[track_caller]
    pub fn absent(self) {
        assert_eq!((self.out.as_str(), self.err.as_str(), self.code), ("", "", Some(1)));
    }

    /// The command failed with this code, and one line on standard error, which is given back
    /// without `keel: `.
    #[track_caller]
    pub fn failed(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        let line = self.err.strip_suffix('\n').expect("a whole line");
        assert!(!line.contains('\n'), "more than one line: {line}");
        line.strip_prefix("keel: ").expect("a line that begins with keel:")
    }
}

/// The binary under test.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("KEEL_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("the test knows itself");
    let profile = test.parent().and_then(Path::parent).expect("target/profile/deps/test");
    let path = profile.join(format!("keel{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.exists(),
        "no binary to test: run `cargo build -p keelstone-host` first, or set KEEL_BIN"
    );
    path
}

/// `keel` with these arguments, to be run.
pub fn command<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(binary());
    command.args(crate::EVERYWHERE).args(args).stdin(Stdio::null());
    command
}

/// Runs `keel` with these arguments.
pub fn keel<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Ran {
    Ran::of(command(args).output().expect("keel starts"))
}

/// Runs `keel` with these arguments and this standard input.
pub fn keel_fed<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>, input: &[u8]) -> Ran {
    let mut command = command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("keel starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // Why: a command that fails early closes the pipe; then the rest of the input is not wanted.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("keel ends");
    feeder.join().expect("the feeder ends");
    Ran::of(output)
}

/// Runs a command that is not `keel` alone.
pub fn run(mut command: Command) -> Ran {
    Ran::of(command.output().expect("the command starts"))
}

/// A directory that holds a store, or will.
pub struct Place {
    root: TempDir,
}

impl Place {
    /// A place where nothing is yet.
    pub fn new() -> Self {
        Self { root: TempDir::new().expect("a temporary directory") }
    }

    /// A place with a store of these keys and values, written in 1970: a store's time never
    /// goes back, so that a test which sets the clock must begin early.
    pub fn with(pairs: &[(&str, &str)]) -> Self {
        let place = Self::new();
        let lines: String = pairs.iter().map(|(key, value)| format!("{key}\t{value}\n")).collect();
        place.import(&["--now", "1"], lines.as_bytes()).done(&match pairs.len() {
            0 => "imported=0\n".to_owned(),
            n => format!("acked={n}\nimported={n}\n"),
        });
        place
    }

    /// The directory of the store.
    pub fn dir(&self) -> String {
        self.path("store")
    }

    /// Another path beside the store.
    pub fn path(&self, name: &str) -> String {
        self.root.path().join(name).to_str().expect("a plain path").to_owned()
    }

    /// Runs `keel COMMAND DIR ARGS`.
    pub fn keel(&self, command: &str, args: &[&str]) -> Ran {
        keel([&[command, &self.dir()], args].concat())
    }

    /// Runs `keel import DIR - ARGS`.
    pub fn import(&self, args: &[&str], lines: &[u8]) -> Ran {
        keel_fed([&["import", &self.dir(), "-"], args].concat(), lines)
    }

    /// Every file of the store with its bytes; `None` if there is no directory.
    pub fn image(&self) -> Option<BTreeMap<String, Vec<u8>>> {
        image(Path::new(&self.dir()))
    }

    /// The names of the files of the store that end so.
    pub fn files(&self, suffix: &str) -> Vec<String> {
        let names = self.image().unwrap_or_default().into_keys();
        names.filter(|name| name.ends_with(suffix)).collect()
    }

    /// Changes the bytes of a file of the store.
    pub fn edit(&self, name: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        let path = Path::new(&self.dir()).join(name);
        let mut bytes = fs::read(&path).expect("a file");
        edit(&mut bytes);
        fs::write(&path, bytes).expect("a file that can be written");
    }
}

/// Every file below a directory with its bytes; directories have a name that ends in `/`.
fn image(dir: &Path) -> Option<BTreeMap<String, Vec<u8>>> {
    if dir.is_file() {
        return Some(BTreeMap::from([(String::new(), fs::read(dir).expect("a file"))]));
    }
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).ok()? {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            for (below, bytes) in image(&entry.path()).expect("a directory") {
                files.insert(format!("{name}/{below}"), bytes);
            }
            files.insert(name + "/", Vec::new());
        } else {
            files.insert(name, fs::read(entry.path()).expect("a file"));
        }
    }
    Some(files)
}

/// The value of `name=` in a line of `name=value` words.
#[track_caller]
pub fn count(line: &str, name: &str) -> u64 {
    let mut words = line.split_whitespace().filter_map(|word| word.split_once('='));
    let (_, value) = words.find(|(found, _)| *found == name).expect("the name is there");
    value.parse().expect("a number")
}
