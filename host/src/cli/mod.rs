//! The command line `keel`: reads the arguments, runs one command, ends with its exit code.
//!
//! Called by the binary; calls the engine through the commands' files, one for each group. The
//! contract with scripts is in the design: words, outputs, exit codes.
//! Promise: whatever the input, an answer or one line on standard error, never a panic.

mod args;
mod bench;
mod crash;
mod dump;
mod exit;
mod import;
mod keys;
pub mod lines;
mod maintain;
mod open;
mod order;
mod output;
mod places;
mod progress;
mod scan;
mod sorted;

use std::error::Error as _;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

use args::{Cli, Command};
use exit::{Failure, Outcome};
use output::{Output, report};

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let ordered = order::order(std::env::args_os().skip(1), &Cli::command());
    let (outcome, json) = match Cli::try_parse_from(&ordered.args) {
        Ok(cli) => {
            let json = cli.globals.json;
            let mut out = Output::new(std::io::stdout().lock(), json, cli.globals.quiet);
            let outcome = run(cli, &mut out);
            // Why: what was found before a failure is an answer too.
            let flushed = out.flush();
            (outcome.and(flushed), json)
        }
        Err(error) => (answer(&error, &ordered.args), ordered.json),
    };
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    report(&failure, json);
    ExitCode::from(failure.exit().code())
}

fn run(cli: Cli, out: &mut Output<'_>) -> Outcome {
    let Cli { globals, command } = cli;
    match command {
        Command::Put(args) => keys::put(args, &globals),
        Command::Get(args) => keys::get(&args, &globals, out),
        Command::Delete(args) => keys::delete(args, &globals),
        Command::Scan(args) => scan::scan(args, &globals, out),
        Command::Export(args) => scan::export(&args, &globals, out),
        Command::Import(args) => import::import(&args, &globals, out),
        Command::Stats(args) => maintain::stats(&args, &globals, out),
        Command::Verify(args) => maintain::verify(&args, &globals, out),
        Command::Repair(args) => maintain::repair(&args, &globals, out),
        Command::Compact(args) => maintain::compact(&args, &globals, out),
        Command::Backup(args) => maintain::backup(&args, &globals),
        Command::Dump(args) => dump::dump(&args, &globals, out),
        Command::Bench(args) => bench::bench(&args, &globals, out),
        Command::Crash(args) => crash::crash(&args, &globals, out),
    }
}

/// What the parser has to say: help and version are answers, all else is one line.
fn answer(error: &clap::Error, args: &[OsString]) -> Outcome {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let mut out = Output::new(std::io::stdout().lock(), false, false);
            out.text(error.render().to_string().trim_end())?;
            out.flush()
        }
        _ => Err(Failure::Usage(usage(error, args))),
    }
}

/// Whether `arg` is no option, because it stands behind `--` only.
fn is_word(arg: &str, args: &[OsString]) -> bool {
    let mut options = args.iter().take_while(|arg| *arg != "--");
    let begins = |option: &OsString| option.as_encoded_bytes().starts_with(arg.as_bytes());
    args.iter().skip_while(|arg| *arg != "--").any(|word| word == arg) && !options.any(begins)
}

/// The parser's message on one line. Values that the user gave may be long and are not repeated.
fn usage(error: &clap::Error, args: &[OsString]) -> String {
    let about = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(" "),
        _ => String::new(),
    };
    let arg = about(ContextKind::InvalidArg);
    match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            "a command is missing, `keel --help` lists them".into()
        }
        ErrorKind::InvalidSubcommand => {
            let command = about(ContextKind::InvalidSubcommand);
            format!("unknown command {command}, `keel --help` lists them")
        }
        ErrorKind::UnknownArgument if arg.starts_with('-') && !is_word(&arg, args) => {
            format!("unknown option {arg}")
        }
        ErrorKind::UnknownArgument => format!("one argument too many: {arg}"),
        ErrorKind::MissingRequiredArgument => format!("missing {arg}"),
        ErrorKind::ArgumentConflict => match about(ContextKind::PriorArg) {
            prior if prior == arg => format!("{arg} is given twice"),
            prior => format!("{arg} cannot be used with {prior}"),
        },
        ErrorKind::InvalidValue if about(ContextKind::InvalidValue).is_empty() => {
            format!("{arg} needs a value")
        }
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            let why = error.source().map_or_else(|| "not a known word".into(), ToString::to_string);
            format!("{arg}: {why}")
        }
        _ => {
            let text = error.render().to_string();
            let line = text.lines().next().unwrap_or_default();
            line.strip_prefix("error: ").unwrap_or(line).to_owned()
        }
    }
}
