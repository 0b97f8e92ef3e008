//! What was acknowledged is there: after SIGKILL, and while the input waits.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};

use crate::run::{Place, command, count};

/// An import whose standard input is held open.
struct Importing {
    child: Child,
    input: Option<ChildStdin>,
    acked: BufReader<std::process::ChildStdout>,
}

impl Importing {
    fn begin(place: &Place, args: &[&str]) -> Self {
        let mut command = command([&["import", &place.dir(), "-"], args].concat());
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let acked = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, acked }
    }

    fn send(&mut self, lines: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(lines.as_bytes()).unwrap();
        input.flush().unwrap();
    }

    /// Waits for the next line of standard output.
    fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.acked.read_line(&mut line).unwrap();
        line
    }

    /// Sends lines from another thread until the process is gone.
    fn flood(&mut self) -> std::thread::JoinHandle<()> {
        let mut input = self.input.take().unwrap();
        std::thread::spawn(move || {
            let mut n = 0_u64;
            while input.write_all(format!("{n:09}\tvalue of {n}\n").as_bytes()).is_ok() {
                n += 1;
            }
        })
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Importing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A writer is killed after some acknowledgement, ten times for each durability, into the same
/// store; everything that was acknowledged is there, and what is there is a prefix of the lines.
#[test]
fn everything_acknowledged_survives_sigkill() {
    for durability in ["immediate", "batch", "none"] {
        let place = Place::new();
        for round in 1..=10 {
            let batch = (round * 7).to_string();
            let mut importing =
                Importing::begin(&place, &["--durability", durability, "--batch", &batch]);
            let flood = importing.flood();
            let mut acked = 0;
            for _ in 0..round {
                acked = count(&importing.next_line(), "acked");
            }
            importing.kill();
            flood.join().unwrap();
            let verified = place.keel("verify", &[]).printed();
            assert!(verified.lines().last().unwrap().starts_with("ok "), "{verified}");
            let scanned = place.keel("scan", &[]).printed();
            let lines: Vec<_> = scanned.lines().collect();
            assert!(lines.len() as u64 >= acked, "{durability}: {} of {acked}", lines.len());
            for (n, line) in lines.iter().enumerate() {
                assert_eq!(*line, format!("{n:09}\tvalue of {n}"));
            }
        }
    }
}

/// A batch is acknowledged when it reached its durability, although the input goes on later.
#[test]
fn a_batch_is_acknowledged_while_the_input_waits() {
    for durability in ["immediate", "batch", "none"] {
        let place = Place::new();
        let mut importing = Importing::begin(&place, &["--durability", durability, "--batch", "2"]);
        importing.send("a\t1\nb\t2\nc\t");
        assert_eq!(importing.next_line(), "acked=2\n");
        importing.send("3\nd\t4\n");
        assert_eq!(importing.next_line(), "acked=4\n");
        importing.input = None;
        assert_eq!(importing.next_line(), "imported=4\n");
        assert!(importing.child.wait().unwrap().success());
        place.keel("scan", &[]).done("a\t1\nb\t2\nc\t3\nd\t4\n");
    }
}

/// Every command but dump takes the lock at once, without waiting; afterwards nothing has changed.
#[test]
fn a_store_in_use_is_locked_for_every_command_but_dump() {
    let place = Place::with(&[("a", "1")]);
    let mut importing = Importing::begin(&place, &["--batch", "1"]);
    importing.send("b\t2\n");
    assert_eq!(importing.next_line(), "acked=1\n");
    let before = place.image();
    let lines = place.path("lines");
    std::fs::write(&lines, "c\t3\n").unwrap();
    let copy = place.path("copy");
    for (command, args) in [
        ("put", vec!["a", "2"]),
        ("get", vec!["a"]),
        ("delete", vec!["a"]),
        ("scan", vec![]),
        ("import", vec![lines.as_str()]),
        ("export", vec![]),
        ("stats", vec![]),
        ("verify", vec![]),
        ("repair", vec![]),
        ("compact", vec![]),
        ("backup", vec![&copy]),
        ("bench", vec!["--count", "1"]),
    ] {
        let ran = place.keel(command, &args);
        assert_eq!(ran.failed(5), "locked by another user of the store", "{command}");
        assert_eq!(ran.out, "", "{command}");
        let json = place.keel(command, &[args, vec!["--json"]].concat());
        assert!(json.err.starts_with("{\"error\":\"locked\","), "{command}: {}", json.err);
    }
    assert!(!std::path::Path::new(&copy).exists());
    let files: BTreeSet<String> = before.iter().flatten().map(|(name, _)| name.clone()).collect();
    for name in files {
        let file = std::path::Path::new(&place.dir()).join(name);
        crate::run::keel([std::ffi::OsStr::new("dump"), file.as_os_str()]).printed();
    }
    assert_eq!(place.image(), before);
    importing.input = None;
    assert_eq!(importing.next_line(), "imported=1\n");
    assert!(importing.child.wait().unwrap().success());
    place.keel("scan", &[]).done("a\t1\nb\t2\n");
}
