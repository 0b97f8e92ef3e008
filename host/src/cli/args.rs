//! The commands and their options, as the parser and `--help` know them.
//!
//! Called by the hall; calls the escape reader. Limits of keys are checked here, before any
//! directory is touched.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use keelstone::limits::KEY_BYTES_MAX;

use crate::crash::program::operations;
use crate::escape::unescape;

/// Keeps keys and values in a directory and loses nothing that it acknowledged as durable.
#[derive(Debug, Parser)]
#[command(name = "keel", version, disable_help_subcommand = true)]
#[command(after_help = "Keys and values are escaped: \\t \\n \\r \\\\ \\xNN stand for bytes.\n\
    Exit codes: 0 done, 1 absent, 2 usage, 3 corrupt, 4 input/output, 5 locked.")]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) globals: Globals,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(super) struct Globals {
    /// The layout of a new store, and the one that an old store must have
    #[arg(long, global = true, value_name = "hash|ordered", hide_possible_values = true)]
    pub(super) layout: Option<LayoutName>,
    /// When writes are synced: each one, every 1 MiB or 10 ms, or not at all
    #[arg(long, global = true, default_value = "immediate", hide_default_value = true)]
    #[arg(value_name = "immediate|batch|none", hide_possible_values = true)]
    pub(super) durability: Policy,
    /// Do the work inside the WebAssembly component
    #[arg(long, global = true)]
    pub(super) sandbox: bool,
    /// One JSON object a line
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Leave out progress and counts, never an answer or an error
    #[arg(long, global = true)]
    pub(super) quiet: bool,
    /// The time of this command, in milliseconds since 1970
    #[arg(long, global = true, value_name = "MS", value_parser = whole)]
    pub(super) now: Option<u64>,
}

/// `--layout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LayoutName {
    Hash,
    Ordered,
}

/// `--durability`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Policy {
    /// Every write is synced before it is acknowledged.
    Immediate,
    /// Writes are synced together: after 1 MiB or 10 ms.
    Batch,
    /// Nothing is synced.
    None,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Set a key; creates the store in a missing or empty directory
    Put(Put),
    /// Print the value of a key; exit 1 if it is absent
    Get(Get),
    /// Delete keys, all at once; exit 1 if one was absent
    Delete(Delete),
    /// Print keys and values in the order of their bytes
    Scan(Scan),
    /// Read lines `key<TAB>value[<TAB>expiry]` into the store
    Import(Import),
    /// Print the lines that import reads
    Export(Store),
    /// Print counts and sizes
    Stats(Store),
    /// Read everything and say what is damaged; changes nothing
    Verify(Store),
    /// Keep everything readable of a damaged store and say what is lost
    Repair(Store),
    /// Merge until nothing is left to do
    Compact(Store),
    /// Print any file of a store as text
    Dump(Dump),
    /// Copy the store into a missing or empty directory
    Backup(Backup),
    /// Measure puts and gets here
    Bench(Bench),
    /// Try every crash of short programs in memory; exit 3 if a promise is broken
    Crash(Crash),
}

#[derive(Debug, Args)]
pub(super) struct Store {
    /// The directory of the store
    pub(super) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Put {
    /// The directory of the store
    pub(super) dir: PathBuf,
    /// The key, escaped
    #[arg(value_parser = KeyParser)]
    pub(super) key: Bytes,
    /// The value, escaped
    #[arg(value_parser = bytes_parser())]
    pub(super) value: Bytes,
    /// Expire after this time: a whole number and one of ms s m h d
    #[arg(long, value_name = "TIME", value_parser = ttl_ms)]
    pub(super) ttl: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct Get {
    /// The directory of the store
    pub(super) dir: PathBuf,
    /// The key, escaped
    #[arg(value_parser = KeyParser)]
    pub(super) key: Bytes,
}

#[derive(Debug, Args)]
pub(super) struct Delete {
    /// The directory of the store
    pub(super) dir: PathBuf,
    /// The keys, escaped
    #[arg(required_unless_present = "from", value_name = "KEY", value_parser = KeyParser)]
    pub(super) keys: Vec<Bytes>,
    /// Instead of keys: every key from this one on, in one write; the ordered layout has it
    #[arg(long, value_name = "A", value_parser = KeyParser, requires = "to")]
    #[arg(conflicts_with = "keys")]
    pub(super) from: Option<Bytes>,
    /// The first key that stays
    #[arg(long, value_name = "B", value_parser = KeyParser, requires = "from")]
    pub(super) to: Option<Bytes>,
}

#[derive(Debug, Args)]
pub(super) struct Scan {
    /// The directory of the store
    pub(super) dir: PathBuf,
    /// Only keys that begin with this
    #[arg(long, value_name = "P", value_parser = bytes_parser())]
    #[arg(conflicts_with_all = ["from", "to"])]
    pub(super) prefix: Option<Bytes>,
    /// Only this key and those after it
    #[arg(long, value_name = "A", value_parser = bytes_parser())]
    pub(super) from: Option<Bytes>,
    /// Only keys before this one
    #[arg(long, value_name = "B", value_parser = bytes_parser())]
    pub(super) to: Option<Bytes>,
    /// Begin with the last key
    #[arg(long)]
    pub(super) reverse: bool,
    /// At most so many
    #[arg(long, value_name = "N", value_parser = whole)]
    pub(super) limit: Option<u64>,
    /// Keys without values
    #[arg(long)]
    pub(super) keys: bool,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The directory of the store
    pub(super) dir: PathBuf,
    /// The file, `-` for standard input
    pub(super) file: PathBuf,
    /// Lines that are applied together; fewer if they hold more than 32 MiB
    #[arg(long, value_name = "N", default_value = "1000", value_parser = above_zero)]
    pub(super) batch: u64,
    /// The keys ascend, byte by byte: load all lines at once, or none; the ordered layout has it
    #[arg(long, conflicts_with = "batch")]
    pub(super) sorted: bool,
}

#[derive(Debug, Args)]
pub(super) struct Dump {
    /// The file
    pub(super) file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The directory of the store
    pub(super) dir: PathBuf,
    /// The directory of the copy
    pub(super) dest: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Bench {
    /// The directory, kept afterwards; without it a temporary one
    pub(super) dir: Option<PathBuf>,
    /// How many keys
    #[arg(long, value_name = "N", default_value = "100000", value_parser = above_zero)]
    pub(super) count: u64,
    /// The length of each value
    #[arg(long, value_name = "N", default_value = "100", value_parser = whole)]
    pub(super) value_bytes: u64,
    /// Keys, values and the order of the gets follow from it
    #[arg(long, value_name = "N", default_value = "1", value_parser = whole)]
    pub(super) seed: u64,
}

#[derive(Debug, Args)]
#[command(after_help = crash_notes())]
pub(super) struct Crash {
    /// All programs of up to so many operations
    #[arg(long, value_name = "N", default_value = "1", value_parser = whole)]
    pub(super) words: u64,
    /// Only this program: operations with commas between them, as in `put:a,sync`, `-` for none; with `|` between several
    /// writers
    #[arg(long, value_name = "OPERATIONS", conflicts_with = "words")]
    pub(super) program: Option<String>,
    /// Let the writers of the program and background jobs interleave in every way; if there are more than N, in seeded ones
    #[arg(long, value_name = "N", requires = "program", conflicts_with_all = ["repeat", "report"], value_parser = above_zero)]
    pub(super) schedules: Option<u64>,
    /// The first seed
    #[arg(long, value_name = "S", default_value = "1", requires = "schedules", value_parser = whole)]
    pub(super) seed: u64,
    /// Let an operation of the disk fail in each schedule, once or from then on
    #[arg(long, requires = "schedules")]
    pub(super) faults: bool,
    /// How often the machine crashes
    #[arg(long, value_name = "1|2", default_value = "2", value_parser = one_or_two)]
    pub(super) depth: u8,
    /// Tear writes at every byte in second crashes too, not only in their middle
    #[arg(long)]
    pub(super) full: bool,
    /// Tear writes in their middle only, in the first crash too: so few states that all of them can be tried
    #[arg(long, conflicts_with = "full")]
    pub(super) half: bool,
    /// Where a file has grown and bytes are missing, let zeros stand there, never garbage or bytes of other files: fewer states
    #[arg(long)]
    pub(super) zeros: bool,
    /// Let syncs of directories have no effect, as on a disk that lies about them; no store keeps its promise there
    #[arg(long)]
    pub(super) no_dir_sync: bool,
    /// Where a crash leaves more states than about so many, fewer writes are torn at once
    #[arg(long, value_name = "N", default_value = "20000", value_parser = above_zero)]
    pub(super) states: u64,
    /// Crash at most so many of the recoveries again that change the disk alike and show the same
    #[arg(long, value_name = "N", default_value = "2", value_parser = above_zero)]
    pub(super) lives: u64,
    /// Go one way to a crash again, as printed; with the same --program, --layout and options of the model (--half, --full,
    /// --zeros, --no-dir-sync, --depth, --states), as printed too. `17:2.0` is the power cut after 17 steps of the
    /// disk with these choices of what it leaves, `17k` a kill, `17:2/4:1` has a second crash. Behind a schedule and `/`, as in
    /// `0.2.1f3s/17:2.0`: which way the writers and jobs go where there is a choice; `f3` lets operation 3 of the disk since
    /// then fail, and behind it `s` says no space, `p` does a part of it, `w` the whole, `d` forgets what a sync was for, `+`
    /// goes on failing
    #[arg(long, value_name = "PATH", requires = "program")]
    pub(super) repeat: Option<String>,
    /// If a promise is broken, write both disks into this new directory: before/ as without the crash, left/ as recovery found it
    #[arg(long, value_name = "DIR")]
    pub(super) found: Option<PathBuf>,
    /// Write what was tried and found into this new file, as a page for a browser
    #[arg(long, value_name = "FILE", conflicts_with = "repeat")]
    pub(super) report: Option<PathBuf>,
}

/// What stands below the options of `crash`.
fn crash_notes() -> String {
    let operations = operations();
    format!("The {operations}\n--sandbox is refused; --durability and --now change nothing here.")
}

/// Bytes of an argument whose escapes are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

fn bytes_parser() -> impl TypedValueParser<Value = Bytes> {
    // Why: an argument need not be UTF-8; on Unix these are exactly its bytes.
    OsStringValueParser::new().try_map(|arg| unescape(arg.as_encoded_bytes()).map(Bytes))
}

/// Bytes that can be a key.
#[derive(Clone, Copy)]
struct KeyParser;

impl TypedValueParser for KeyParser {
    type Value = Bytes;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Bytes, clap::Error> {
        let parser = bytes_parser().try_map(|bytes| match bytes.0.len() {
            0 => Err("empty key".to_owned()),
            1..=KEY_BYTES_MAX => Ok(bytes),
            bytes => Err(format!("key too long bytes={bytes} max={KEY_BYTES_MAX}")),
        });
        parser.parse_ref(command, arg, value)
    }
}

/// A whole number: digits and nothing else.
pub(super) fn whole(text: &str) -> Result<u64, String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.ok_or_else(|| "not a whole number, or too large".to_owned())
}

fn above_zero(text: &str) -> Result<u64, String> {
    whole(text).and_then(|n| if n > 0 { Ok(n) } else { Err("must be above 0".to_owned()) })
}

fn one_or_two(text: &str) -> Result<u8, String> {
    match whole(text)? {
        1 => Ok(1),
        2 => Ok(2),
        _ => Err("must be 1 or 2".to_owned()),
    }
}

fn ttl_ms(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("needs a whole number and one of ms s m h d".to_owned()),
    };
    let number = above_zero(number)?;
    number.checked_mul(unit_ms).ok_or_else(|| "too long".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{Cli, ttl_ms, whole};

    #[test]
    fn the_description_of_the_arguments_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_ttl_is_a_whole_number_and_a_unit() {
        assert_eq!(ttl_ms("1ms"), Ok(1));
        assert_eq!(ttl_ms("30s"), Ok(30_000));
        assert_eq!(ttl_ms("2m"), Ok(120_000));
        assert_eq!(ttl_ms("1h"), Ok(3_600_000));
        assert_eq!(ttl_ms("7d"), Ok(604_800_000));
        for bad in ["", "s", "0s", "1", "-1s", "+1s", "1.5s", "1 s", "1S", "1w", "1ss", "é"] {
            assert!(ttl_ms(bad).is_err(), "{bad}");
        }
        assert!(ttl_ms("99999999999999999999s").is_err());
        assert!(ttl_ms("18446744073709551615d").is_err());
    }

    #[test]
    fn a_whole_number_has_no_sign() {
        assert_eq!(whole("0"), Ok(0));
        assert_eq!(whole("18446744073709551615"), Ok(u64::MAX));
        for bad in ["", "+1", "-1", "1_000", "0x1", " 1", "18446744073709551616"] {
            assert!(whole(bad).is_err(), "{bad}");
        }
    }
}
