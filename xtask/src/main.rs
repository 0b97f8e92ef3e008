//! The project's own small tool: `cargo xtask VERB`. Few verbs, one file each.
//!
//! Called by people and by `.ci/run`; calls cargo and what cargo built. It knows how the parts are
//! built and checked, nothing about what they do. Standard library only, so that it is ready in a
//! second on a fresh machine.
#![allow(
    clippy::alloc_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a program for people's machines: std is always there"
)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its answers are for a terminal")]

mod bench;
mod bless;
mod browser;
mod ci;
mod component;
mod counts;
mod crash;
mod demo;
mod fuzz;
mod nostd;
mod shell;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask VERB

  demo                    build in release, do the main job on real data, print an account of it
  component               get a compiler for WebAssembly, build the store as a component
  test [FILTER]           every test; with FILTER those whose name contains it
  ci                      what continuous integration checks: lints, docs, demo, benchmarks, tests
  tidy                    the house rules: floors, headers, sizes, names, promises, leftovers
  crash [--long]          every crash of all programs of up to two words, or of three: an hour
  crash --bugs            the table of the bugs on purpose, each with what catches it and how soon
  fuzz [TARGET] [SECONDS] one fuzz target, or each in turn, 600 seconds each unless told otherwise
  bench [NAME]            the benchmarks, or one of them
  bless                   record the golden scripts anew, raise the minimum numbers of tests
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    let outcome = match args.first().map(String::as_str) {
        Some("demo") => demo::run(rest),
        Some("test") => at_most(1, rest).and_then(|()| test::run(rest.first().map(String::as_str))),
        Some("component") => at_most(0, rest).and_then(|()| component::run()),
        Some("ci") => at_most(0, rest).and_then(|()| ci::run()),
        Some("tidy") => at_most(0, rest).and_then(|()| tidy::run()),
        Some("crash") => crash::run(rest),
        Some("fuzz") => at_most(2, rest).and_then(|()| fuzz::run(rest)),
        Some("bench") => {
            at_most(1, rest).and_then(|()| bench::run(rest.first().map(String::as_str)))
        }
        Some("bless") => at_most(0, rest).and_then(|()| bless::run()),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Refuses arguments that a verb does not take.
fn at_most(count: usize, rest: &[String]) -> shell::Outcome {
    match rest.get(count) {
        Some(extra) => Err(format!("unexpected argument: {extra}")),
        None => Ok(()),
    }
}
