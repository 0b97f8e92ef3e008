//! The command line from outside once more, every command with `--layout hash`: what a user learned of
//! the default layout holds for this one.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::std_instead_of_alloc, reason = "tests have the standard library")]

/// Options that every command is run with.
const EVERYWHERE: &[&str] = &["--layout", "hash"];
/// The layout of the stores.
const LAYOUT: &str = "hash";

#[path = "../cli/answers.rs"]
mod answers;
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
#[path = "../cli/run.rs"]
mod run;
