//! How many tests each suite has, and the committed minimum that they are compared with.
//!
//! Called by `test` and `bless`; pure. A suite is one test program, named after its target; `doc`
//! is all doc tests. The minimum is `tests/minimum.txt`, one `suite count` a line.

use std::collections::BTreeMap;

/// Tests by suite.
pub type Counts = BTreeMap<String, u64>;

/// Reads `suite count` lines; `#` begins a comment.
pub fn parse(text: &str) -> Result<Counts, String> {
    let mut counts = Counts::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let pair = line.split_once(' ').and_then(|(suite, count)| {
            count.trim().parse().ok().map(|count: u64| (suite.to_owned(), count))
        });
        let (suite, count) =
            pair.ok_or_else(|| format!("line {}: not `suite count`", index + 1))?;
        counts.insert(suite, count);
    }
    Ok(counts)
}

/// Writes what `parse` reads.
pub fn render(counts: &Counts) -> String {
    let mut text =
        String::from("# The least number of tests of each suite. `cargo xtask bless` raises it.\n");
    for (suite, count) in counts {
        text.push_str(&format!("{suite} {count}\n"));
    }
    text
}

/// What is wrong, a line each: a suite with fewer tests than the minimum, or one that has no
/// minimum yet.
pub fn compare(counts: &Counts, minimum: &Counts) -> Vec<String> {
    let mut wrong = Vec::new();
    for (suite, least) in minimum {
        let count = counts.get(suite).copied().unwrap_or(0);
        if count < *least {
            wrong.push(format!("{suite}: {count} tests, fewer than the minimum of {least}"));
        }
    }
    for (suite, count) in counts {
        if *count > 0 && !minimum.contains_key(suite) {
            wrong.push(format!("{suite}: {count} tests and no minimum; run `cargo xtask bless`"));
        }
    }
    wrong
}

/// The larger count of each suite: a minimum never falls by itself. Suites without tests are left
/// out.
pub fn raise(counts: &Counts, minimum: &Counts) -> Counts {
    let mut raised = minimum.clone();
    for (suite, count) in counts.iter().filter(|(_, count)| **count > 0) {
        let least = raised.entry(suite.clone()).or_default();
        *least = (*least).max(*count);
    }
    raised
}

/// Passed and ignored tests in what a runner printed: `cargo test`, or nextest's summary.
pub fn tally(output: &str) -> (u64, u64) {
    let (mut passed, mut skipped) = (0, 0);
    let results = output.lines().filter(|line| {
        line.starts_with("test result:") || line.trim_start().starts_with("Summary [")
    });
    for line in results {
        passed += number_before(line, " passed");
        skipped += number_before(line, " ignored") + number_before(line, " skipped");
    }
    (passed, skipped)
}

/// The number that stands directly before `word`, 0 if there is none.
fn number_before(line: &str, word: &str) -> u64 {
    let before = line.split_once(word).map_or("", |(before, _)| before);
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> Counts {
        pairs.iter().map(|(suite, count)| ((*suite).to_owned(), *count)).collect()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let some = counts(&[("doc", 3), ("engine", 120)]);
        assert_eq!(parse(&render(&some)), Ok(some));
    }

    #[test]
    fn a_line_without_a_number_is_refused_with_its_place() {
        assert_eq!(parse("a 1\nb\n"), Err("line 2: not `suite count`".into()));
    }

    #[test]
    fn fewer_tests_a_lost_suite_and_a_new_suite_are_wrong() {
        let minimum = counts(&[("a", 2), ("b", 1), ("c", 1)]);
        let wrong = compare(&counts(&[("a", 1), ("c", 5), ("d", 1), ("e", 0)]), &minimum);
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(wrong[0].starts_with("a: 1 tests, fewer"));
        assert!(wrong[1].starts_with("b: 0 tests, fewer"));
        assert!(wrong[2].starts_with("d: 1 tests and no minimum"));
    }

    #[test]
    fn a_minimum_rises_and_never_falls() {
        let raised =
            raise(&counts(&[("a", 1), ("b", 5), ("e", 0)]), &counts(&[("a", 2), ("b", 1)]));
        assert_eq!(raised, counts(&[("a", 2), ("b", 5)]));
    }

    #[test]
    fn both_runners_are_understood() {
        let libtest =
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(tally(&libtest.repeat(2)), (24, 2));
        assert_eq!(tally("     Summary [   0.1s] 7 tests run: 7 passed, 2 skipped\n"), (7, 2));
        assert_eq!(tally("nothing of the kind\n"), (0, 0));
    }
}
