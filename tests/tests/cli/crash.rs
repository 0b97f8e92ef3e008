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
    // A way that was cut short, goes on, or takes a way that there is not, is of something else.
    for misfit in ["3:-", "3:0.0", "3:9"] {
        let wanted = format!("--repeat: {misfit} decides other things than");
        assert!(way(misfit).failed(2).starts_with(&wanted), "{misfit}");
    }
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    assert_eq!(keel(["crash", "--words", "9"]).failed(2), "--words: at most 4");
    for (program, what) in
        [("put:z", "no such operation: put:z"), ("put:a,", "an operation is missing")]
    {
        let refused = keel(["crash", "--program", program]);
        let told = refused.failed(2);
        assert!(told.starts_with(&format!("--program: {what}; operations: put:a, ")), "{told}");
        assert!(told.contains(", range@ordered, ") && told.ends_with(", load@ordered"), "{told}");
    }
    assert_eq!(keel(["crash", "--sandbox"]).failed(2), "crash has no --sandbox");
    let number = "--depth <1|2>: not a whole number, or too large";
    assert_eq!(keel(["crash", "--depth", "x"]).failed(2), number);
    assert_eq!(keel(["crash", "--depth", "3"]).failed(2), "--depth <1|2>: must be 1 or 2");
    assert_eq!(keel(["crash", "--", "--words", "2"]).failed(2), "one argument too many: --words");
    let last = u64::MAX.to_string();
    let seeds = ["crash", "--program", "put:a", "--schedules", "2", "--seed", &last];
    assert_eq!(keel(seeds).failed(2), "--seed: too large for so many --schedules");
    let both = keel(["crash", "--program", "put:a", "--repeat", "1:0"]);
    assert_eq!(both.failed(2), "--repeat: needs --program and --layout");
}

#[test]
fn program_runs_only_where_all_its_operations_are() {
    let hash = |program| ["crash", "--layout", "hash", "--program", program];
    let range = "--program: range needs --layout ordered";
    assert_eq!(keel(hash("put:a,range")).failed(2), range);
    for more in [["--schedules", "3"], ["--repeat", "0/0k"]] {
        let refused = keel([&hash("put:a|load")[..], &more].concat());
        assert_eq!(refused.failed(2), "--program: load needs --layout ordered");
        assert_eq!(refused.out, "");
    }
    let few = ["crash", "--program", "range", "--half", "--depth", "1", "--states", "10"];
    assert_eq!(value(&keel(few).printed(), "layouts"), "ordered");
    let command = ["crash", "--help"];
    assert!(keel(command).printed().contains(" reopen, kill, "), "the operations are listed");
}

/// A run that finds a violation.
const BROKEN: [&str; 7] =
    ["crash", "--words", "0", "--half", "--zeros", "--no-dir-sync", "--depth=1"];

// What scripts read has everything that people read.
#[test]
fn violation_as_json_has_the_words_and_the_command() {
    let (text, found) = (keel(BROKEN), keel([&BROKEN[..], &["--json"]].concat()));
    assert_eq!((text.code, found.code), (Some(3), Some(3)));
    let [counts, line] = found.out.lines().collect::<Vec<_>>()[..] else { panic!("{found:?}") };
    assert!(
        counts.contains("\"violations\":1") && counts.contains("\"class\":\"k-bounded\""),
        "{counts}"
    );
    assert!(
        counts.contains("\"stopped at the first violation: 1 of 2 programs tried\""),
        "{counts}"
    );
    let log10 = counts.split("\"states_at_once_log10\":").nth(1).unwrap_or_default();
    assert!(log10.starts_with(|c: char| c.is_ascii_digit()), "a number: {counts}");
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let (_, told) = text.out.split_once("violation program=- layout=hash\n").unwrap();
    let lines: Vec<&str> = told.lines().collect();
    let (command, words) = lines.split_last().unwrap();
    assert!(line.contains(&format!("\"command\":{}", quoted(command))), "{line}");
    let words: Vec<String> = words.iter().map(|line| quoted(line)).collect();
    assert!(line.contains(&format!("\"words\":[{}]", words.join(","))), "{line}");
    let kept =
        keel(["crash", "--layout", "hash", "--program", "put:a", "--repeat", "3:0", "--json"]);
    kept.done("{\"kept\":1}\n");
}

// Why a limit on files: it lets a file be made, and no byte be written.
#[cfg(unix)]
#[test]
fn violation_is_told_even_if_no_file_can_be_written() {
    let place = Place::new();
    let (page, images) = (place.path("out.html"), place.path("disks"));
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]).arg(crate::run::binary());
    command.args(BROKEN).args(["--report", &page, "--found", &images]);
    let ran = crate::run::run(command);
    let told = ran.failed(3);
    let missing = format!("the promise is broken, not written: {page}: ");
    assert!(told.starts_with(&missing), "{told}");
    assert!(told.contains(&format!(", not written: {images}: ")), "{told}");
    let (_, command) = told.split_once(", repeat: ").unwrap();
    assert!(
        ran.out.ends_with(&format!("{command}\n")) && command.starts_with("keel crash"),
        "{told}"
    );
    assert_eq!(fs::read_dir(place.path(".")).unwrap().count(), 0, "nothing is left");
    let both = keel([&BROKEN[..], &["--report", &page, "--found", &images]].concat());
    assert!(both.failed(3).starts_with("the promise is broken, repeat: keel crash "), "{both:?}");
    assert!(fs::read_dir(images).unwrap().count() == 2 && fs::metadata(page).unwrap().len() > 0);
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
    let ran = keel([&SHORT[..], &["--found", &nowhere]].concat());
    assert!(ran.failed(4).starts_with(&nowhere), "{ran:?}");
    let dir = place.path("dir.html/");
    assert_eq!(report(&dir).failed(2), format!("--report: {dir} names no file"));
    let free = place.path("free");
    let same = keel([&SHORT[..], &["--report", &free, "--found", &free]].concat());
    assert_eq!(same.failed(2), "--report and --found name the same path");
    assert_eq!(fs::read_dir(place.path(".")).unwrap().count(), 1, "nothing is left");
    let both = keel([&SHORT[..], &["--repeat", "3:0", "--report", &nowhere]].concat());
    assert!(both.failed(2).contains("cannot be used with"), "{both:?}");
}
