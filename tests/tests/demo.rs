//! The demo can fail: with one damaged value its comparison says so. On a part of the data, to be
//! quick.
//!
//! Starts the demo's program and `keel`, as `cargo xtask demo` does.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the demo on the first lines of the data.
fn demo(more: &[&str]) -> std::io::Result<Output> {
    let program = Path::new(env!("CARGO_BIN_EXE_demo"));
    let beside = program.with_file_name(format!("keel{}", std::env::consts::EXE_SUFFIX));
    let keel = std::env::var_os("KEEL_BIN").map_or(beside, PathBuf::from);
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/unicode/UnicodeData.txt");
    let mut command = Command::new(program);
    command.arg("--keel").arg(keel).arg("--data").arg(data);
    command.args(["--lines", "3000"]).args(more).output()
}

#[test]
fn the_demo_ends_well_on_part_of_the_data() -> std::io::Result<()> {
    let output = demo(&[])?;
    let (said, failed) = (&output.stdout, &output.stderr);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(failed));
    assert!(String::from_utf8_lossy(said).contains("all equal"), "{said:?}");
    Ok(())
}

#[test]
fn one_damaged_value_is_seen_and_named() -> std::io::Result<()> {
    let output = demo(&["--damage"])?;
    let failed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{failed}");
    assert!(failed.contains("key ") && failed.contains("expected"), "{failed}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("all equal"));
    Ok(())
}
