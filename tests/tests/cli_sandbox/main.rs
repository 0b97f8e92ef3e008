//! The command line from outside once more, every command with `--sandbox`: the answers are byte for
//! byte the same. And what only the sandbox has: it never falls back.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::std_instead_of_alloc, reason = "tests have the standard library")]

/// Options that every command is run with.
const EVERYWHERE: &[&str] = &["--sandbox"];
/// The layout of the stores.
const LAYOUT: &str = "ordered";

#[path = "../cli/answers.rs"]
mod answers;
#[path = "../cli/bad_input.rs"]
mod bad_input;
#[path = "../cli/care.rs"]
mod care;
#[path = "../cli/damage.rs"]
mod damage;
#[path = "../cli/durable.rs"]
mod durable;
#[path = "../cli/import.rs"]
mod import;
#[path = "../cli/json.rs"]
mod json;
mod only;
#[path = "../cli/ordered.rs"]
mod ordered;
#[path = "../cli/refusal.rs"]
mod refusal;
#[path = "../cli/run.rs"]
mod run;
