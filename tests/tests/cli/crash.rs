//! `crash`: a certificate, the same each time, and a way that is gone again.

use crate::run::keel;

/// The value of a line `name=value`.
fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
}

fn number(text: &str, name: &str) -> u64 {
    value(text, name).parse().unwrap()
}

#[test]
fn short_program_is_crashed_everywhere_and_keeps_the_promise() {
    for layout in ["hash", "ordered"] {
        let args = ["crash", "--layout", layout, "--program", "put:a,sync", "--states", "500"];
        let text = keel(args).printed();
        assert_eq!((value(&text, "layouts"), number(&text, "violations")), (layout, 0), "{text}");
        assert!(number(&text, "points") > 10 && number(&text, "programs") == 1, "{text}");
        let parts = ["power_cuts", "kills", "second_crashes"].map(|name| number(&text, name));
        assert!(parts.iter().all(|count| *count > 100), "{text}");
        assert_eq!(number(&text, "runs"), parts.iter().sum(), "{text}");
        let untimed = |text: &str| {
            let timed =
                |line: &&str| !line.starts_with("millis=") && !line.starts_with("per_second=");
            text.lines().filter(timed).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(untimed(&keel(args).printed()), untimed(&text));
    }
}

#[test]
fn certificate_as_json_is_one_object() {
    let args = ["crash", "--layout", "hash", "--words", "0", "--depth", "1", "--json"];
    let text = keel(args).printed();
    assert!(text.starts_with("{\"class\":\"") && text.ends_with("}\n"), "{text}");
    assert!(text.contains("\"violations\":0") && text.contains("\"bounded\":["), "{text}");
}

#[test]
fn way_to_a_crash_is_gone_again() {
    let way =
        |path| keel(["crash", "--layout", "hash", "--program", "durable:a", "--repeat", path]);
    way("3:0").done("kept=1\n");
    way("4k").done("kept=1\n");
    assert!(way("999:0").failed(2).starts_with("--repeat: the recording has "));
    assert_eq!(way("3").failed(2), "--repeat: `3` has no choices");
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    assert_eq!(keel(["crash", "--words", "9"]).failed(2), "--words: at most 4");
    assert_eq!(
        keel(["crash", "--program", "put:z"]).failed(2),
        "--program: no such operation: put:z"
    );
    assert_eq!(keel(["crash", "--sandbox"]).failed(2), "crash has no --sandbox");
    let both = keel(["crash", "--program", "put:a", "--repeat", "1:0"]);
    assert_eq!(both.failed(2), "--repeat: needs --program and --layout");
}
