//! put, get, delete, scan: their answers as text, the escapes, the options everywhere.

use crate::run::{Place, command, keel};

#[test]
fn put_prints_nothing_and_get_prints_the_value() {
    let place = Place::new();
    place.keel("put", &["key", "one"]).done("");
    place.keel("get", &["key"]).done("one\n");
    place.keel("put", &["key", "two"]).done("");
    place.keel("get", &["key"]).done("two\n");
    place.keel("put", &["empty", ""]).done("");
    place.keel("get", &["empty"]).done("\n");
}

#[test]
fn put_accepts_an_empty_directory() {
    let place = Place::new();
    std::fs::create_dir(place.dir()).unwrap();
    place.keel("put", &["key", "value"]).done("");
    place.keel("get", &["key"]).done("value\n");
}

#[test]
fn an_absent_key_is_exit_1_and_silence() {
    let place = Place::with(&[("a", "1")]);
    place.keel("get", &["b"]).absent();
    place.keel("get", &["b", "--json"]).absent();
    place.keel("delete", &["a"]).done("");
    place.keel("get", &["a"]).absent();
    place.keel("delete", &["a"]).absent();
}

#[test]
fn delete_deletes_the_others_if_one_is_absent() {
    let place = Place::with(&[("a", "1"), ("b", "2"), ("c", "3")]);
    place.keel("delete", &["a", "x", "c"]).absent();
    place.keel("scan", &[]).done("b\t2\n");
    place.keel("delete", &["b", "b"]).done("");
    place.keel("scan", &[]).done("");
}

#[test]
fn scan_is_in_the_order_of_the_raw_bytes() {
    let pairs = [("b", "2"), ("a", "1"), ("\\xff", "4"), ("\\x00", "0"), ("ab", "5"), ("~", "3")];
    let place = Place::with(&pairs);
    place.keel("scan", &[]).done("\\x00\t0\na\t1\nab\t5\nb\t2\n~\t3\n\\xff\t4\n");
    place.keel("scan", &["--reverse"]).done("\\xff\t4\n~\t3\nb\t2\nab\t5\na\t1\n\\x00\t0\n");
    place.keel("scan", &["--keys"]).done("\\x00\na\nab\nb\n~\n\\xff\n");
}

#[test]
fn scan_takes_ranges_prefixes_and_limits() {
    let place = Place::with(&[("a", "1"), ("ab", "2"), ("b", "3"), ("ba", "4"), ("c", "5")]);
    let scan = |args: &[&str]| place.keel("scan", args).printed().replace('\n', " ");
    assert_eq!(scan(&["--keys", "--from", "ab"]), "ab b ba c ");
    assert_eq!(scan(&["--keys", "--to", "b"]), "a ab ");
    assert_eq!(scan(&["--keys", "--from", "ab", "--to", "c"]), "ab b ba ");
    assert_eq!(scan(&["--keys", "--from", "c", "--to", "a"]), "");
    assert_eq!(scan(&["--keys", "--prefix", "b"]), "b ba ");
    assert_eq!(scan(&["--keys", "--prefix", ""]), "a ab b ba c ");
    assert_eq!(scan(&["--keys", "--prefix", "zz"]), "");
    assert_eq!(scan(&["--keys", "--limit", "2"]), "a ab ");
    assert_eq!(scan(&["--keys", "--limit", "0"]), "");
    assert_eq!(scan(&["--keys", "--limit", "9"]), "a ab b ba c ");
    assert_eq!(scan(&["--keys", "--reverse", "--limit", "2"]), "c ba ");
    assert_eq!(scan(&["--reverse", "--from", "ab", "--to", "c", "--limit", "1"]), "ba\t4 ");
}

#[test]
fn every_byte_can_be_in_a_key_and_a_value() {
    let place = Place::new();
    for byte in 0..=255_u8 {
        let hex = format!("k\\x{byte:02X}");
        place.keel("put", &["--", &hex, &hex]).done("");
    }
    let expected: String = (0..=255_u8)
        .map(|byte| match byte {
            b'\t' => "k\\t".to_owned(),
            b'\n' => "k\\n".to_owned(),
            b'\r' => "k\\r".to_owned(),
            b'\\' => "k\\\\".to_owned(),
            0x20..=0x7e => format!("k{}", char::from(byte)),
            _ => format!("k\\x{byte:02x}"),
        })
        .map(|text| format!("{text}\t{text}\n"))
        .collect();
    place.keel("scan", &[]).done(&expected);
}

#[cfg(unix)]
#[test]
fn raw_bytes_in_arguments_stand_for_themselves() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let raw = std::ffi::OsStr::from_bytes(b"\xff\t\n\r\x01\xc3");
    let (dir, put, get) = (place.dir().into(), "put".into(), "get".into());
    keel([put, std::ffi::OsString::clone(&dir), raw.into(), raw.into()]).done("");
    keel([get, dir, raw.into()]).done("\\xff\\t\\n\\r\\x01\\xc3\n");
}

#[test]
fn options_stand_anywhere_and_two_dashes_end_them() {
    let place = Place::new();
    let dir = place.dir();
    keel(["--ttl", "1h", "put", "--now", "5", &dir, "k", "v"]).done("");
    keel(["--now", "3600004", "get", &dir, "k"]).done("v\n");
    keel(["get", &dir, "k", "--now=3600005"]).absent();
    keel(["put", &dir, "--", "--json", "-v"]).done("");
    keel(["get", &dir, "--", "--json"]).done("-v\n");
    keel(["--limit", "1", "--prefix", "--", "scan", &dir]).done("--json\t-v\n");
}

#[test]
fn a_key_is_absent_from_its_expiry_on() {
    let place = Place::new();
    place.keel("put", &["k", "v", "--ttl", "30s", "--now", "1000"]).done("");
    place.keel("get", &["k", "--now", "30999"]).done("v\n");
    place.keel("scan", &["--now", "30999"]).done("k\tv\n");
    place.keel("export", &["--now", "30999"]).done("k\tv\t31000\n");
    place.keel("get", &["k", "--now", "31000"]).absent();
    place.keel("scan", &["--now", "31000"]).done("");
    place.keel("delete", &["k", "--now", "31000"]).absent();
}

#[test]
fn help_lists_the_commands_and_version_the_version() {
    let help = keel(["--help"]).printed();
    for name in [
        "put", "get", "delete", "scan", "import", "export", "stats", "verify", "repair", "compact",
        "dump", "backup", "bench",
    ] {
        assert!(help.lines().any(|line| line.starts_with(&format!("  {name} "))), "{name}");
        assert!(keel([name, "--help"]).printed().contains("Usage: keel"));
    }
    let version = keel(["--version"]).printed();
    assert_eq!(version, format!("keel {}\n", env!("CARGO_PKG_VERSION")));
}

/// The reader of a pipe may have enough at any time: that is no failure.
#[test]
fn a_closed_pipe_on_standard_output_is_exit_0() {
    let lines: String = (0..5_000).map(|n| format!("{n:05}\t{}\n", "x".repeat(100))).collect();
    let place = Place::new();
    place.import(&["--quiet"], lines.as_bytes()).done("");
    let file = place.path("lines");
    std::fs::write(&file, lines.replace('x', "y")).unwrap();
    let (dir, log) = (place.dir(), place.files(".log").remove(0));
    let log = std::path::Path::new(&dir).join(log).to_str().unwrap().to_owned();
    for args in [
        vec!["scan", &dir],
        vec!["scan", &dir, "--json"],
        vec!["export", &dir],
        vec!["get", &dir, "00000"],
        vec!["stats", &dir],
        vec!["verify", &dir],
        vec!["dump", &log],
        vec!["import", &dir, &file, "--batch", "10"],
        vec!["--help"],
    ] {
        let mut command = command(&args);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command.stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()), "{args:?}");
    }
    // What changes the store is done to its end, although nobody reads of it.
    assert!(place.keel("get", &["04999"]).printed().starts_with("yy"));
}
