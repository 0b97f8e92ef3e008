//! Builds the component that runs the disk's contract suite inside the sandbox.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "build scripts always have the standard library"
)]
#![allow(clippy::print_stdout, reason = "cargo reads what a build script prints")]

use std::path::{Path, PathBuf};

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-changed=build.rs");
    let root = Path::new("..").canonicalize().map_err(|error| format!("..: {error}"))?;
    let made_of: Vec<PathBuf> = ["tests/suite", "vfs/src", "vfs/Cargo.toml", "wit"]
        .iter()
        .map(|part| root.join(part))
        .collect();
    let made_of: Vec<&Path> = made_of.iter().map(PathBuf::as_path).collect();
    let built = keelstone_wasm_build::build(&root.join("tests/suite"), "suite.wasm", &made_of)?;
    // Why an empty name: the tests then fail and say what is missing, and all else is built.
    println!("cargo::rustc-env=KEELSTONE_SUITE={}", built.unwrap_or_default().display());
    Ok(())
}
