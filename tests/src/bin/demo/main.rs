//! The demo: the main job on real data, with every answer compared. `cargo xtask demo` builds and
//! starts it.
//!
//! Reads the given `UnicodeData.txt`; key: code point, value: the rest of the line. Calls `keel` as
//! a program and the engine as a library. Every count, size and time that it prints was measured in
//! this run. The first comparison that fails ends it with exit 1.
#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a program for people's machines: std is always there"
)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its account is for a terminal")]

mod account;
mod cuts;
mod inside;
mod keel;
mod kill;
mod source;
mod store;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use keel::Keel;
use source::{Source, Step};

/// What a step ends with; the text says what differed.
type Outcome<T = ()> = Result<T, String>;

const USAGE: &str = "usage: demo --keel PROGRAM --data UnicodeData.txt";

/// Longer than this and the demo is not the quick look that it should be.
const TIME_MAX: Duration = Duration::from_secs(60);

/// The arguments. The options after `data` are for the test of the demo: less work, one wrong value
/// in one comparison, less time.
struct Args {
    keel: Option<PathBuf>,
    data: Option<PathBuf>,
    lines: Option<usize>,
    damage: Option<Step>,
    time_max: Duration,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|args| run(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("demo: {message}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Outcome<Args> {
    let (keel, data, lines, damage) = (None, None, None, None);
    let mut args = Args { keel, data, lines, damage, time_max: TIME_MAX };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value; {USAGE}"));
        match word.as_str() {
            "--keel" => args.keel = Some(value()?.into()),
            "--data" => args.data = Some(value()?.into()),
            "--lines" => {
                let count = value()?.parse().map_err(|_| "--lines needs a number".to_owned())?;
                args.lines = Some(count);
            }
            "--damage" => args.damage = Some(Step::parse(&value()?)?),
            "--seconds" => {
                let count = value()?.parse().map_err(|_| "--seconds needs a number".to_owned())?;
                args.time_max = Duration::from_secs(count);
            }
            _ => return Err(format!("unexpected argument: {word}; {USAGE}")),
        }
    }
    Ok(args)
}

fn run(args: &Args) -> Outcome {
    let (Some(keel), Some(data)) = (&args.keel, &args.data) else { return Err(USAGE.into()) };
    let start = Instant::now();
    let source = Source::read(data, args.lines, args.damage)?;
    account::title(&format!(
        "Keelstone on {}: {} keys, {}",
        data.file_name().unwrap_or_default().to_string_lossy(),
        account::count(source.lines.len()),
        account::bytes(source.bytes),
    ));
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let keel = Keel::new(keel);
    steps(&keel, &source, folder.path())?;
    in_time(start.elapsed(), args.time_max)?;
    account::title(&format!("all equal, {:.1} s in all", start.elapsed().as_secs_f64()));
    Ok(())
}

fn steps(keel: &Keel, source: &Source, folder: &Path) -> Outcome {
    let store = folder.join("store");
    store::import_with_keel(keel, source, folder, &store)?;
    inside::import_and_compare(keel, source, folder, &store)?;
    store::import_with_library(source, &folder.join("library"))?;
    store::read_back(source, &store)?;
    store::read_back(source, &folder.join("library"))?;
    store::change_and_merge(keel, source, &store)?;
    kill::kill_and_recover(keel, source, folder)?;
    cuts::cut_everywhere(source)
}

/// Too slow is a failure too.
fn in_time(took: Duration, most: Duration) -> Outcome {
    if took <= most {
        return Ok(());
    }
    let (took, most) = (took.as_secs_f64(), most.as_secs());
    Err(format!("all equal, but it took {took:.1} s, more than {most} s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_the_limit() {
        assert_eq!(in_time(TIME_MAX, TIME_MAX), Ok(()));
        let late = in_time(TIME_MAX + Duration::from_millis(100), TIME_MAX);
        assert_eq!(late, Err("all equal, but it took 60.1 s, more than 60 s".into()));
    }
}
