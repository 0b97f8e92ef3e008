//! `--json` and `--quiet`.

use crate::run::{Place, keel};

#[test]
fn get_and_scan_give_an_object_a_line() {
    let place = Place::with(&[("a\\t", "x\\\\"), ("\\xff", "\"q\"")]);
    place.keel("put", &["b", "", "--ttl", "5ms", "--now", "10"]).done("");
    let a = "{\"key\":\"a\\\\t\",\"value\":\"x\\\\\\\\\",\"expires_ms\":null}\n";
    let b = "{\"key\":\"b\",\"value\":\"\",\"expires_ms\":15}\n";
    let ff = "{\"key\":\"\\\\xff\",\"value\":\"\\\"q\\\"\",\"expires_ms\":null}\n";
    place.keel("get", &["a\\x09", "--json"]).done(a);
    place.keel("get", &["b", "--json", "--now", "14"]).done(b);
    place.keel("scan", &["--json", "--now", "14"]).done(&[a, b, ff].concat());
    place.keel("export", &["--json", "--now", "14"]).done(&[a, b, ff].concat());
    let keys = "{\"key\":\"b\",\"expires_ms\":15}\n";
    place.keel("scan", &["--json", "--keys", "--prefix", "b", "--now", "14"]).done(keys);
}

#[test]
fn the_other_commands_give_their_names() {
    let place = Place::new();
    let imported = "{\"acked\":1}\n{\"acked\":2}\n{\"imported\":2}\n";
    place.import(&["--json", "--batch", "1"], b"a\t1\nb\t2\n").done(imported);
    let stats = place.keel("stats", &["--json"]).printed();
    let layout = format!("\"layout\":\"{}\"", crate::LAYOUT);
    for name in [layout.as_str(), "\"keys\":2", "\"sequence\":2", "\"files\":"] {
        assert!(stats.contains(name), "{name} in {stats}");
    }
    let verified = place.keel("verify", &["--json"]).printed();
    assert!(verified.starts_with("{\"ok\":true,\"files\":"), "{verified}");
    assert!(verified.ends_with("\"torn\":[],\"corrupt\":[]}\n"), "{verified}");
    let repaired = place.keel("repair", &["--json"]).printed();
    assert_eq!(repaired, "{\"kept\":2,\"lost\":0,\"losses\":[]}\n");
    let compacted = place.keel("compact", &["--json"]).printed();
    assert!(compacted.starts_with("{\"before\":"), "{compacted}");
    assert_eq!(compacted.lines().count(), 1);
    place.keel("put", &["c", "3", "--json"]).done("");
    place.keel("delete", &["c", "--json"]).done("");
    place.keel("backup", &[&place.path("copy"), "--json"]).done("");
}

#[test]
fn an_error_is_an_object_on_standard_error() {
    let place = Place::with(&[("a", "1")]);
    let missing = place.path("missing");
    let expected =
        format!("{{\"error\":\"usage\",\"message\":\"{missing}: no such directory\"}}\n");
    let ran = keel(["get", &missing, "a", "--json"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err), (Some(2), "", expected));
    let ran = keel(["--json", "get", "--nonsense"]);
    let expected = "{\"error\":\"usage\",\"message\":\"unknown option --nonsense\"}\n".to_owned();
    assert_eq!((ran.code, ran.out.as_str(), ran.err), (Some(2), "", expected));
    let ran = place.import(&["--json"], b"b\t1\nbad\n");
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), "{\"acked\":1}\n"));
    assert!(ran.err.starts_with("{\"error\":\"usage\",\"message\":\"line 2: "), "{}", ran.err);
}

#[test]
fn quiet_leaves_out_counts_and_never_an_answer_or_an_error() {
    let place = Place::new();
    place.import(&["--quiet", "--batch", "1"], b"a\t1\nb\t2\n").done("");
    place.keel("compact", &["--quiet"]).done("");
    place.keel("repair", &["--quiet"]).done("");
    place.keel("repair", &["--quiet", "--json"]).done("");
    place.keel("get", &["a", "--quiet"]).done("1\n");
    place.keel("scan", &["--quiet"]).done("a\t1\nb\t2\n");
    assert!(place.keel("stats", &["--quiet"]).printed().contains("keys=2\n"));
    assert!(place.keel("verify", &["--quiet"]).printed().starts_with("ok "));
    let ran = place.import(&["--quiet"], b"c\t1\n\n");
    assert_eq!((ran.out.as_str(), ran.failed(2)), ("", "line 2: empty line"));
    place.keel("get", &["c"]).done("1\n");
}
