//! `crash`: a certificate, the same each time, and a way that is gone again.

use std::fs;

use crate::run::{Place, keel};

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
fn torn_in_the_middle_only_all_states_are_tried() {
    let args = |how| ["crash", "--layout", "hash", "--program", "put:a,put:b", "--depth", "1", how];
    let text = keel(args("--half")).printed();
    assert_eq!((value(&text, "class"), number(&text, "violations")), ("exhaustive", 0), "{text}");
    assert!(value(&text, "model").starts_with("unit=write (there, missing, torn in"), "{text}");
    let both = keel(args("--half").into_iter().chain(["--full"]));
    assert!(both.failed(2).contains("cannot be used with"), "both");
}

#[test]
fn certificate_as_json_is_one_object() {
    let args = ["crash", "--layout", "hash", "--words", "0", "--depth", "1", "--json"];
    let text = keel(args).printed();
    assert!(text.starts_with("{\"alphabet\":\"put:a,") && text.ends_with("}\n"), "{text}");
    assert!(text.contains("\"violations\":0") && text.contains("\"bounded\":["), "{text}");
}

#[test]
fn certificate_names_what_was_tried_and_where_it_was_bounded() {
    let text = keel(["crash", "--words", "0", "--states", "60"]).printed();
    let alphabet = value(&text, "alphabet");
    assert!(alphabet.ends_with(",compact,reopen,kill,range@ordered"), "{text}");
    assert!(value(&text, "sizes").contains("log=1024"), "{text}");
    assert_eq!((number(&text, "words"), value(&text, "class")), (0, "k-bounded"), "{text}");
    for place in ["", "in second crashes "] {
        let line = format!("bounded {place}at most 0 writes torn at once: ");
        let points = text.lines().find_map(|found| found.strip_prefix(&line)?.split(' ').next());
        let points = points.unwrap_or_else(|| panic!("{line}: {text}"));
        assert!(points.parse::<u64>().is_ok_and(|points| points > 0), "{text}");
    }
    let one = keel(["crash", "--layout", "hash", "--program", "sync", "--depth", "1"]).printed();
    assert!(value(&one, "program") == "sync" && !one.contains("alphabet="), "{one}");
}

// A disk that lies about its directories loses stores; the command that is printed shows it again.
#[test]
fn directories_whose_sync_has_no_effect_break_the_promise() {
    let found = keel(["crash", "--words", "0", "--zeros", "--no-dir-sync", "--depth", "1"]);
    let told = found.failed(3);
    let (_, command) = told.split_once("repeat: keel ").unwrap_or_else(|| panic!("{told}"));
    let words: Vec<String> = command.split(' ').map(|word| word.replace('\'', "")).collect();
    assert!(words.iter().any(|word| word == "--no-dir-sync"), "{command}");
    assert_eq!(keel(words.iter().map(String::as_str)).failed(3), told);
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

#[test]
fn schedules_of_two_writers_are_counted_and_one_string_is_gone_again() {
    let both = ["crash", "--layout", "hash", "--program", "durable:a|durable:b"];
    let few = ["--states", "20", "--depth", "1", "--schedules"];
    let text = keel([&both[..], &few, &["1000"]].concat()).printed();
    assert_eq!((value(&text, "orders"), number(&text, "violations")), ("exhaustive", 0), "{text}");
    let names = ["schedules", "writers_interleaved", "within_syncs", "writes_followed"];
    assert!(names.iter().all(|name| number(&text, name) > 0), "{text}");
    let text = keel([&both[..], &few, &["3", "--seed", "5", "--faults"]].concat()).printed();
    assert_eq!((value(&text, "orders"), number(&text, "struck")), ("sampled", 3), "{text}");
    assert!(text.contains("bounded schedules of the seeds 5 to 7, "), "{text}");
    let way = |way| keel([&both[..], &["--repeat", way]].concat());
    way("0.1/3:0").done("kept=1\n");
    way("0.1f0s/3k").done("kept=1\n");
    assert!(way("0.9/3:0").failed(2).starts_with("--repeat: the schedule does not fit"));
    assert_eq!(way("3:0").failed(2), "--repeat: several writers need a schedule");
    assert_eq!(way("0.1f0z/3:0").failed(2), "--repeat: no way to fail: `z`");
    assert_eq!(keel(both).failed(2), "--program: several writers need --schedules");
}

const SHORT: [&str; 7] = ["crash", "--layout", "hash", "--program", "put:a", "--states", "100"];

#[test]
fn page_holds_the_certificate_that_is_printed() {
    let place = Place::new();
    let path = place.path("out.html");
    let line = keel([&SHORT[..], &["--json", "--report", &path]].concat()).printed();
    let page = fs::read_to_string(&path).unwrap();
    let line = line.trim_end();
    assert!(line.contains("\"violations\":0") && !line.contains('<'), "{line}");
    let element = format!("<script type=\"application/json\" id=\"certificate\">{line}</script>");
    assert!(page.contains(&element), "{line}");
    assert!(page.contains("\"program\":\"put:a\"") && page.ends_with("</html>\n"));
    let beside = fs::read_dir(place.path(".")).unwrap().count();
    assert_eq!(beside, 1, "nothing is left beside the page");
}

#[test]
fn page_that_cannot_be_written_is_told_before_the_run() {
    let place = Place::new();
    let taken = place.path("taken.html");
    fs::write(&taken, "mine").unwrap();
    let report = |path: &str| keel([&SHORT[..], &["--report", path]].concat());
    let ran = report(&taken);
    assert_eq!(ran.failed(2), format!("--report: {taken} is there already"));
    assert_eq!((ran.out.as_str(), fs::read_to_string(&taken).unwrap()), ("", "mine".into()));
    let nowhere = place.path("missing/out.html");
    let ran = report(&nowhere);
    assert!(ran.failed(4).starts_with(&nowhere), "{ran:?}");
    assert_eq!(ran.out, "");
    let ran = keel([&SHORT[..], &["--found", &taken]].concat());
    assert_eq!(ran.failed(2), format!("--found: {taken} is there already"));
    assert_eq!(ran.out, "");
    let both = keel([&SHORT[..], &["--repeat", "3:0", "--report", &nowhere]].concat());
    assert!(both.failed(2).contains("cannot be used with"), "{both:?}");
}
