//! The command line from outside: the binary `keel` as scripts see it.
//!
//! Each command's outputs and exit codes, the escapes, import under SIGKILL, and one table of bad
//! input. The binary is taken from `KEEL_BIN`, or from beside the test; see [`run`].

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::std_instead_of_alloc, reason = "tests have the standard library")]

/// Options that every command is run with.
const EVERYWHERE: &[&str] = &[];
/// The layout of the stores.
const LAYOUT: &str = "ordered";

mod answers;
mod bad_input;
mod care;
mod crash;
mod damage;
mod durable;
mod import;
mod json;
mod ordered;
mod refusal;
mod run;
mod sorted;
