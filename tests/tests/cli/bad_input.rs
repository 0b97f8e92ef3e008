//! The one table of bad input: a command, its exit code, its line on standard error, and the
//! directory before and after.
//!
//! What a full disk and a read-only directory are is in `refusal`; what goes on there all the same
//! is there too, and in `durable`.

use std::fs;
use std::path::Path;

use keelstone::vfs::{Access, Lock, NativeDisk, Vfs};

#[cfg(unix)]
use crate::refusal::{ReadOnly, keel_limited};
use crate::run::{Place, Ran, keel, keel_fed};

/// What there is before the command.
#[derive(Clone, Copy, Debug)]
enum Given {
    /// Nothing.
    Missing,
    /// An empty directory.
    Empty,
    /// A store with one key.
    Store,
    /// A store with one key, in the hash layout.
    Hash,
    /// A store that a newer version wrote.
    Newer,
    /// A directory with a file that is no store's.
    Other,
    /// A directory with a file whose name is not UTF-8.
    Unnamable,
    /// A file.
    File,
    /// A store with one key that somebody else holds open.
    Locked,
    /// A store with one key, without its reserve, on a disk without space.
    #[cfg(unix)]
    Full,
    /// A store with one key that the user may read and not write.
    #[cfg(unix)]
    ReadOnly,
}

/// A row: what there is, the command (`DIR` stands for the directory), standard input, the exit
/// code, the line on standard error.
type Row = (Given, &'static [&'static str], &'static str, i32, &'static str);

const NO_DIR: &str = "DIR: no such directory";
const NO_STORE: &str = "DIR: not a store";
const NOT_EMPTY: &str = "DIR: not empty, and not a store";
const NO_FOLDER: &str = "DIR: not a directory";
const NEWER: &str = "written by a newer version, format=2 supported=1";
const LOCKED: &str = "locked by another user of the store";
#[cfg(unix)]
const FULL: &str = "out of space, writes succeed again when space is freed";
#[cfg(unix)]
const DENIED: &str = "lock failed: permission denied os=13";
const LONG: &str = "<KEY>: key too long bytes=65536 max=65535";

#[rustfmt::skip]
const TABLE: &[Row] = &[
    // Options and arguments.
    (Given::Missing, &[], "", 2, "a command is missing, `keel --help` lists them"),
    (Given::Store, &["frobnicate", "DIR"], "", 2, "unknown command frobnicate, `keel --help` lists them"),
    (Given::Store, &["serve", "DIR"], "", 2, "unknown command serve, `keel --help` lists them"),
    (Given::Store, &["crash", "--words", "x"], "", 2, "--words <N>: not a whole number, or too large"),
    (Given::Store, &["put", "DIR", "k", "v", "--nonsense"], "", 2, "unknown option --nonsense"),
    (Given::Missing, &["--nonsense", "put", "DIR", "k", "v"], "", 2, "unknown option --nonsense"),
    (Given::Missing, &["put", "DIR", "-k", "v"], "", 2, "unknown option -k"),
    (Given::Store, &["get", "DIR", "k", "--ttl", "1s"], "", 2, "unknown option --ttl"),
    (Given::Missing, &["put", "DIR", "k"], "", 2, "missing <VALUE>"),
    (Given::Missing, &["put", "DIR", "k", "v", "w"], "", 2, "one argument too many: w"),
    (Given::Store, &["delete", "DIR"], "", 2, "missing <KEY>..."),
    (Given::Store, &["scan", "DIR", "--limit", "-1"], "", 2, "--limit <N>: not a whole number, or too large"),
    (Given::Store, &["scan", "DIR", "--limit"], "", 2, "--limit <N> needs a value"),
    (Given::Store, &["scan", "DIR", "--limit", "1", "--limit", "2"], "", 2, "--limit <N> is given twice"),
    (Given::Store, &["scan", "DIR", "--prefix", "a", "--from", "b"], "", 2, "--prefix <P> cannot be used with --from <A>"),
    (Given::Store, &["scan", "DIR", "--to", "a", "--prefix", "b"], "", 2, "--to <B> cannot be used with --prefix <P>"),
    (Given::Missing, &["put", "DIR", "k", "v", "--ttl", "0s"], "", 2, "--ttl <TIME>: must be above 0"),
    (Given::Missing, &["put", "DIR", "k", "v", "--ttl", "5"], "", 2, "--ttl <TIME>: needs a whole number and one of ms s m h d"),
    (Given::Missing, &["put", "DIR", "k", "v", "--ttl", "1d", "--now", "18446744073709551615"], "", 2, "--ttl: too long"),
    (Given::Missing, &["put", "DIR", "k", "v", "--now", "soon"], "", 2, "--now <MS>: not a whole number, or too large"),
    (Given::Missing, &["import", "DIR", "-", "--batch", "0"], "a\t1\n", 2, "--batch <N>: must be above 0"),
    (Given::Missing, &["put", "DIR", "k", "v", "--durability", "some"], "", 2, "--durability <immediate|batch|none>: not a known word"),
    (Given::Missing, &["bench", "DIR", "--value-bytes", "67108865"], "", 2, "--value-bytes: value too long max=67108864"),
    // Layouts.
    (Given::Store, &["get", "DIR", "k", "--layout", "hash"], "", 2, "the store has another layout"),
    (Given::Store, &["put", "DIR", "k", "v", "--layout", "hash"], "", 2, "the store has another layout"),
    (Given::Hash, &["delete", "DIR", "--from", "a", "--to", "b"], "", 2, "not supported by this store: range deletes in the hash layout"),
    (Given::Store, &["delete", "DIR", "--from", "a"], "", 2, "missing --to <B>"),
    (Given::Store, &["delete", "DIR", "k", "--from", "a", "--to", "b"], "", 2, "--from <A> cannot be used with [KEY]..."),
    (Given::Missing, &["put", "DIR", "k", "v", "--layout", "heap"], "", 2, "--layout <hash|ordered>: not a known word"),
    // Escapes and limits.
    (Given::Missing, &["put", "DIR", "a\\q", "v"], "", 2, "<KEY>: bad escape offset=1"),
    (Given::Missing, &["put", "DIR", "k", "ab\\x0"], "", 2, "<VALUE>: bad escape offset=2"),
    (Given::Store, &["get", "DIR", "\\"], "", 2, "<KEY>: bad escape offset=0"),
    (Given::Store, &["delete", "DIR", "k", "\\xg0"], "", 2, "[KEY]...: bad escape offset=0"),
    (Given::Store, &["scan", "DIR", "--from", "\\x"], "", 2, "--from <A>: bad escape offset=0"),
    (Given::Missing, &["put", "DIR", "", "v"], "", 2, "<KEY>: empty key"),
    (Given::Store, &["get", "DIR", ""], "", 2, "<KEY>: empty key"),
    (Given::Missing, &["put", "DIR", "LONG", "v"], "", 2, LONG),
    (Given::Store, &["get", "DIR", "LONG"], "", 2, LONG),
    (Given::Store, &["delete", "DIR", "k", "LONG"], "", 2, "[KEY]...: key too long bytes=65536 max=65535"),
    // No store.
    (Given::Missing, &["get", "DIR", "k"], "", 2, NO_DIR),
    (Given::Missing, &["delete", "DIR", "k"], "", 2, NO_DIR),
    (Given::Missing, &["scan", "DIR"], "", 2, NO_DIR),
    (Given::Missing, &["export", "DIR"], "", 2, NO_DIR),
    (Given::Missing, &["stats", "DIR"], "", 2, NO_DIR),
    (Given::Missing, &["verify", "DIR"], "", 2, NO_DIR),
    (Given::Missing, &["repair", "DIR"], "", 2, NO_DIR),
    (Given::Missing, &["compact", "DIR"], "", 2, NO_DIR),
    (Given::Missing, &["backup", "DIR", "DIR.copy"], "", 2, NO_DIR),
    (Given::Missing, &["put", "DIR/below", "k", "v"], "", 2, "DIR/below: no such directory"),
    (Given::Missing, &["import", "DIR/below", "-"], "a\t1\n", 2, "DIR/below: no such directory"),
    (Given::Empty, &["get", "DIR", "k"], "", 2, NO_STORE),
    (Given::Empty, &["delete", "DIR", "k"], "", 2, NO_STORE),
    (Given::Empty, &["scan", "DIR"], "", 2, NO_STORE),
    (Given::Empty, &["export", "DIR"], "", 2, NO_STORE),
    (Given::Empty, &["stats", "DIR"], "", 2, NO_STORE),
    (Given::Empty, &["verify", "DIR"], "", 2, NO_STORE),
    (Given::Empty, &["repair", "DIR"], "", 2, NO_STORE),
    (Given::Empty, &["compact", "DIR"], "", 2, NO_STORE),
    (Given::Empty, &["backup", "DIR", "DIR.copy"], "", 2, NO_STORE),
    (Given::Other, &["get", "DIR", "k"], "", 2, NO_STORE),
    (Given::Other, &["put", "DIR", "k", "v"], "", 2, NOT_EMPTY),
    (Given::Other, &["import", "DIR", "-"], "a\t1\n", 2, NOT_EMPTY),
    (Given::Other, &["bench", "DIR", "--count", "1"], "", 2, NOT_EMPTY),
    (Given::Other, &["verify", "DIR"], "", 2, NO_STORE),
    (Given::Other, &["repair", "DIR"], "", 2, NO_STORE),
    (Given::Unnamable, &["put", "DIR", "k", "v"], "", 2, NOT_EMPTY),
    (Given::File, &["put", "DIR", "k", "v"], "", 2, NO_FOLDER),
    (Given::File, &["get", "DIR", "k"], "", 2, NO_FOLDER),
    (Given::File, &["import", "DIR", "-"], "a\t1\n", 2, NO_FOLDER),
    (Given::Store, &["backup", "DIR", "DIR"], "", 2, "DIR: lies in DIR"),
    (Given::Store, &["backup", "DIR", "DIR/copy"], "", 2, "DIR/copy: lies in DIR"),
    (Given::Store, &["backup", "DIR", "DIR.copy/below"], "", 2, "DIR.copy/below: no such directory"),
    (Given::Store, &["backup", "DIR", "DIR/.."], "", 2, "DIR/..: destination is not empty"),
    (Given::Store, &["dump", "DIR"], "", 2, "DIR: not a file"),
    (Given::Store, &["dump", "DIR/nothing"], "", 2, "DIR/nothing: no such file"),
    (Given::Other, &["dump", "DIR/note"], "", 2, "DIR/note: not a file of a store"),
    // Written by a newer version.
    (Given::Newer, &["get", "DIR", "k"], "", 2, NEWER),
    (Given::Newer, &["put", "DIR", "k", "v"], "", 2, NEWER),
    (Given::Newer, &["import", "DIR", "-"], "a\t1\n", 2, NEWER),
    (Given::Newer, &["verify", "DIR"], "", 2, NEWER),
    (Given::Newer, &["repair", "DIR"], "", 2, NEWER),
    (Given::Newer, &["compact", "DIR"], "", 2, NEWER),
    // Garbage.
    (Given::Missing, &["import", "DIR", "-"], "garbage\n", 2, "line 1: one field, a tab is missing"),
    (Given::Empty, &["import", "DIR", "-"], "\n", 2, "line 1: empty line"),
    (Given::Store, &["import", "DIR", "-"], "\\\tgarbage\n", 2, "line 1: bad escape"),
    (Given::Store, &["import", "DIR", "-"], "\0\u{1}\u{fffd}", 2, "line 1: one field, a tab is missing"),
    (Given::Store, &["import", "DIR", "-"], "k\tv\tx\ny\tz\n", 2, "line 1: expiry is not a whole number of milliseconds"),
    (Given::Store, &["import", "DIR", "-"], "k\tv\t1\t2\n", 2, "line 1: more than three fields"),
    // In use by somebody else.
    (Given::Locked, &["put", "DIR", "k", "v"], "", 5, LOCKED),
    (Given::Locked, &["get", "DIR", "k"], "", 5, LOCKED),
    (Given::Locked, &["delete", "DIR", "k"], "", 5, LOCKED),
    (Given::Locked, &["scan", "DIR"], "", 5, LOCKED),
    (Given::Locked, &["import", "DIR", "-"], "a\t1\n", 5, LOCKED),
    (Given::Locked, &["export", "DIR"], "", 5, LOCKED),
    (Given::Locked, &["stats", "DIR"], "", 5, LOCKED),
    (Given::Locked, &["verify", "DIR"], "", 5, LOCKED),
    (Given::Locked, &["repair", "DIR"], "", 5, LOCKED),
    (Given::Locked, &["compact", "DIR"], "", 5, LOCKED),
    (Given::Locked, &["backup", "DIR", "DIR.copy"], "", 5, LOCKED),
    (Given::Locked, &["bench", "DIR", "--count", "1"], "", 5, LOCKED),
    // No space.
    #[cfg(unix)] (Given::Full, &["put", "DIR", "k", "v"], "", 4, FULL),
    #[cfg(unix)] (Given::Full, &["put", "DIR", "k", "v", "--durability", "none"], "", 4, FULL),
    #[cfg(unix)] (Given::Full, &["delete", "DIR", "k"], "", 4, FULL),
    #[cfg(unix)] (Given::Full, &["import", "DIR", "LINES"], "", 4, FULL),
    #[cfg(unix)] (Given::Full, &["backup", "DIR", "DIR.copy"], "", 4, FULL),
    // A directory that belongs to somebody else.
    #[cfg(unix)] (Given::ReadOnly, &["put", "DIR", "k", "v"], "", 4, DENIED),
    #[cfg(unix)] (Given::ReadOnly, &["delete", "DIR", "k"], "", 4, DENIED),
    #[cfg(unix)] (Given::ReadOnly, &["import", "DIR", "LINES"], "", 4, DENIED),
    #[cfg(unix)] (Given::ReadOnly, &["compact", "DIR"], "", 4, DENIED),
    #[cfg(unix)] (Given::ReadOnly, &["bench", "DIR", "--count", "1"], "", 4, DENIED),
];

#[test]
fn bad_input_is_one_line_and_an_exit_code_and_changes_nothing() {
    let mut failures = String::new();
    for (given, args, input, code, line) in TABLE {
        let place = made(*given);
        let (dir, lines) = (place.dir(), place.path("lines"));
        fs::write(&lines, "k\tnew\n").unwrap();
        let long = "k".repeat(65_536);
        let arg =
            |arg: &&str| arg.replace("DIR", &dir).replace("LINES", &lines).replace("LONG", &long);
        let args: Vec<_> = args.iter().map(arg).collect();
        let before = place.image();
        let ran = ran(*given, &place, &args, input);
        let expected = format!("keel: {}\n", line.replace("DIR", &dir));
        let found = (ran.code, ran.out.as_str(), ran.err.as_str());
        let place_is_same =
            place.image() == before && !fs::exists(place.path("store.copy")).unwrap();
        if found != (Some(*code), "", expected.as_str()) || !place_is_same {
            let args = args.join(" ").replace(&long, "LONG");
            failures += &format!("{given:?} keel {args}: {found:?} unchanged={place_is_same}\n");
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

/// Runs the command; what surrounds it ends with it.
fn ran(given: Given, place: &Place, args: &[String], input: &str) -> Ran {
    match given {
        Given::Locked => {
            let _held = lock(place);
            if input.is_empty() { keel(args) } else { keel_fed(args, input.as_bytes()) }
        }
        #[cfg(unix)]
        Given::Full => keel_limited(0, args),
        #[cfg(unix)]
        Given::ReadOnly => ReadOnly::of(place).run(args),
        _ if input.is_empty() => keel(args),
        _ => keel_fed(args, input.as_bytes()),
    }
}

/// Holds the store as one who has it open does.
fn lock(place: &Place) -> Box<dyn Lock> {
    let disk = NativeDisk::open(Path::new(&place.dir())).unwrap();
    disk.lock("LOCK", Access::Write).unwrap()
}

fn made(given: Given) -> Place {
    let place = match given {
        Given::Store | Given::Newer | Given::Locked => Place::with(&[("k", "old")]),
        #[cfg(unix)]
        Given::Full | Given::ReadOnly => Place::with(&[("k", "old")]),
        _ => Place::new(),
    };
    let dir = place.dir();
    match given {
        Given::Missing | Given::Store | Given::Locked => {}
        Given::Hash => place.keel("put", &["k", "old", "--layout", "hash"]).done(""),
        // Why: a full disk takes the reserve, and that is for another test.
        #[cfg(unix)]
        Given::Full => fs::remove_file(dir + "/RESERVE").unwrap(),
        #[cfg(unix)]
        Given::ReadOnly => {}
        Given::Empty => fs::create_dir(dir).unwrap(),
        Given::Newer => place.edit("CURRENT", |bytes| make_newer(bytes)),
        Given::Other => {
            fs::create_dir(&dir).unwrap();
            fs::write(dir + "/note", "not yours").unwrap();
        }
        Given::Unnamable => {
            fs::create_dir(&dir).unwrap();
            fs::write(std::path::Path::new(&dir).join(unnamable()), "not yours").unwrap();
        }
        Given::File => fs::write(dir, "not yours").unwrap(),
    }
    place
}

#[cfg(unix)]
fn unnamable() -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(vec![b'n', 0xff])
}

#[cfg(not(unix))]
fn unnamable() -> std::ffi::OsString {
    "also-not-yours".into()
}

/// Raises the version in both slots of CURRENT (docs/format.md) and makes their checksums right.
fn make_newer(bytes: &mut [u8]) {
    for (index, slot) in bytes.chunks_exact_mut(4096).enumerate() {
        if slot.iter().any(|&byte| byte != 0) {
            slot[8..10].copy_from_slice(&2_u16.to_le_bytes());
            let crc = crc32(&slot[..60]) ^ u32::from(index == 1);
            slot[60..64].copy_from_slice(&crc.to_le_bytes());
        }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}
