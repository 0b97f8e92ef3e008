//! A disk that refuses: no space, a read-only directory.
//!
//! No space is a limit on the length of files, which a shell sets for the command alone; the system
//! then refuses writes as a full disk does. A read-only directory is one that belongs to somebody
//! else: a test that runs as root becomes somebody else for the command.
#![cfg(unix)]

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::{Place, Ran, binary, run};

/// Runs `keel` where no file may be longer than so many blocks of 512 bytes.
pub fn keel_limited<A: AsRef<OsStr>>(blocks: u64, args: &[A]) -> Ran {
    let mut command = Command::new("sh");
    // Why the trap: without it the system kills the command instead of refusing the write.
    command.args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"", "sh"]);
    command.arg(blocks.to_string()).arg(binary()).args(args).stdin(Stdio::null());
    run(command)
}

#[test]
fn no_space_for_a_new_store_leaves_what_was_there() {
    let place = Place::new();
    fs::create_dir(place.dir()).unwrap();
    let ran = keel_limited(0, &["put", &place.dir(), "k", "v"]);
    assert_eq!(ran.failed(4), "out of space, writes succeed again when space is freed");
    let ran = keel_limited(0, &["put", &place.dir(), "k", "v", "--json"]);
    assert!(ran.err.starts_with("{\"error\":\"full\",\"message\":\"out of space"), "{}", ran.err);
    // What a creation leaves that found no space is no obstacle to the next.
    place.keel("put", &["k", "v"]).done("");
    place.keel("scan", &[]).done("k\tv\n");
}

/// The reserve is what a full disk is helped with; beside it nothing changes.
#[test]
fn no_space_for_a_write_takes_the_reserve_and_nothing_else() {
    let place = Place::with(&[("k", "old")]);
    let mut before = place.image().unwrap();
    let lines = place.path("lines");
    fs::write(&lines, "k\tnew\n").unwrap();
    before.remove("RESERVE").unwrap();
    for (command, args) in [
        ("put", vec!["k", "new"]),
        ("delete", vec!["k"]),
        ("import", vec![lines.as_str()]),
        ("put", vec!["k", "new", "--durability", "none"]),
    ] {
        let ran = keel_limited(0, &[vec![command, &place.dir()], args].concat());
        assert_eq!(ran.failed(4), "out of space, writes succeed again when space is freed");
        assert_eq!(ran.out, "");
        assert_eq!(place.image().unwrap(), before, "{command}");
    }
    assert_eq!(keel_limited(0, &["get", &place.dir(), "k"]).printed(), "old\n");
    place.keel("put", &["k", "new"]).done("");
    place.keel("scan", &[]).done("k\tnew\n");
    assert!(place.image().unwrap().contains_key("RESERVE"));
}

/// An import into a disk that becomes full: what was acknowledged is there, reads go on, deletes
/// that fit go on, and with space again everything does.
#[test]
fn no_space_during_an_import_keeps_what_was_acknowledged() {
    let place = Place::with(&[("old", "1")]);
    let value = "v".repeat(1_000);
    let lines: String = (0..8_000).map(|n| format!("{n:05}\t{value}\n")).collect();
    let file = place.path("lines");
    fs::write(&file, &lines).unwrap();
    let ran = keel_limited(8_192, &["import", &place.dir(), &file, "--batch", "100"]);
    assert_eq!(ran.failed(4), "out of space, writes succeed again when space is freed");
    let acked = ran.out.lines().last().and_then(|line| line.strip_prefix("acked="));
    let acked: usize = acked.unwrap().parse().unwrap();
    assert!(acked >= 1_000, "{acked}");
    let scanned = place.keel("scan", &["--keys"]).printed();
    assert_eq!(scanned.lines().count(), acked + 1);
    assert!(place.keel("verify", &[]).printed().contains("ok files="));
    place.keel("delete", &["old"]).done("");
    place.keel("import", &[&file]).printed();
    assert_eq!(place.keel("scan", &[]).printed(), lines);
}

#[test]
fn a_full_standard_output_is_an_error() {
    let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else {
        return assert_ne!(std::env::consts::OS, "linux", "Linux has this device");
    };
    let place = Place::with(&[("a", "1")]);
    let mut command = crate::run::command(["get", &place.dir(), "a"]);
    let output = command.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(line.starts_with("keel: standard output: ") && line.lines().count() == 1, "{line}");
}

/// Makes everything below the place readable and not writable for the user that runs commands.
pub struct ReadOnly<'a> {
    place: &'a Place,
    binary: std::path::PathBuf,
    is_root: bool,
}

const NOBODY: u32 = 65_534;

impl<'a> ReadOnly<'a> {
    pub fn of(place: &'a Place) -> Self {
        let root = place.path(".");
        // Why a copy: the other user may not be able to reach the build's directory. Why by another process: one that
        // this one starts meanwhile for another test would have it open for writing, and what is written does not run.
        let copy = Path::new(&root).join("keel");
        assert!(Command::new("cp").arg(binary()).arg(&copy).status().unwrap().success());
        let probe = Path::new(&root).join("probe");
        fs::write(&probe, "").unwrap();
        fs::set_permissions(&probe, Permissions::from_mode(0o444)).unwrap();
        // Only root writes to what nobody may write to.
        let is_root = fs::OpenOptions::new().write(true).open(&probe).is_ok();
        let read_only = Self { place, binary: copy, is_root };
        read_only.set(0o555, 0o444);
        fs::set_permissions(&root, Permissions::from_mode(0o755)).unwrap();
        read_only
    }

    fn set(&self, dirs: u32, files: u32) {
        let dir = self.place.dir();
        for entry in fs::read_dir(&dir).unwrap() {
            fs::set_permissions(entry.unwrap().path(), Permissions::from_mode(files)).unwrap();
        }
        fs::set_permissions(&dir, Permissions::from_mode(dirs)).unwrap();
    }

    fn keel(&self, command: &str, args: &[&str]) -> Ran {
        self.run(&[&[command, &self.place.dir()], args].concat())
    }

    /// Runs `keel` as somebody who may not write.
    pub fn run<A: AsRef<OsStr>>(&self, args: &[A]) -> Ran {
        let mut keel = Command::new(&self.binary);
        keel.args(args).stdin(Stdio::null());
        if self.is_root {
            keel.uid(NOBODY).gid(NOBODY);
        }
        run(keel)
    }
}

impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        self.set(0o755, 0o644);
    }
}

#[test]
fn a_read_only_directory_can_be_read_and_refuses_the_rest() {
    let place = Place::with(&[("a", "1"), ("b", "2")]);
    let lines = place.path("lines");
    fs::write(&lines, "c\t3\n").unwrap();
    fs::set_permissions(&lines, Permissions::from_mode(0o644)).unwrap();
    let read_only = ReadOnly::of(&place);
    let before = place.image();
    read_only.keel("get", &["a"]).done("1\n");
    read_only.keel("get", &["x"]).absent();
    read_only.keel("scan", &[]).done("a\t1\nb\t2\n");
    read_only.keel("export", &[]).done("a\t1\nb\t2\n");
    assert!(read_only.keel("stats", &[]).printed().contains("keys=2\n"));
    assert!(read_only.keel("verify", &[]).printed().starts_with("ok "));
    // There is nothing to repair, so nothing is refused.
    read_only.keel("repair", &[]).done("repaired kept=2 lost=0\n");
    for (command, args) in [
        ("put", vec!["a", "2"]),
        ("delete", vec!["a"]),
        ("import", vec![lines.as_str()]),
        ("compact", vec![]),
        ("bench", vec!["--count", "1"]),
    ] {
        let ran = read_only.keel(command, &args);
        assert_eq!(ran.failed(4), "lock failed: permission denied os=13", "{command}");
        let json = read_only.keel(command, &[args, vec!["--json"]].concat());
        assert!(json.err.starts_with("{\"error\":\"io\","), "{command}: {}", json.err);
    }
    assert_eq!(place.image(), before);
    drop(read_only);
    place.keel("put", &["a", "2"]).done("");
}
