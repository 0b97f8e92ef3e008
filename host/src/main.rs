//! The binary `keel`: hands the arguments to the command line and its exit code to the system.
//!
//! Never: decides anything.

use std::process::ExitCode;

fn main() -> ExitCode {
    keelstone_host::cli::main()
}
