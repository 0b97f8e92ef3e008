//! The demo can fail: each comparison sees one damaged value, and too much time is a failure. On a
//! part of the data, to be quick.
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

/// The demo with one value damaged behind a step: what it printed until it saw that.
fn damaged_after(step: &str) -> std::io::Result<String> {
    let output = demo(&["--damage", step])?;
    let failed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{failed}");
    assert!(failed.starts_with("demo: key 0000: expected "), "{failed}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!said.contains("all equal"), "{said}");
    Ok(said)
}

#[test]
fn a_value_damaged_after_the_import_is_seen_and_named() -> std::io::Result<()> {
    let said = damaged_after("import")?;
    assert!(said.contains("import, library") && !said.contains("read and compare"), "{said}");
    Ok(())
}

#[test]
fn a_value_damaged_after_the_change_is_seen_and_named() -> std::io::Result<()> {
    let said = damaged_after("change")?;
    assert!(said.contains("read and compare") && !said.contains("change, compare"), "{said}");
    Ok(())
}

#[test]
fn a_value_damaged_after_the_merge_is_seen_and_named() -> std::io::Result<()> {
    let said = damaged_after("merge")?;
    assert!(said.contains("change, compare") && !said.contains("merge, compare"), "{said}");
    Ok(())
}

#[test]
fn a_value_damaged_after_the_kill_is_seen_and_named() -> std::io::Result<()> {
    let said = damaged_after("kill")?;
    assert!(said.contains("reopen, compare") && !said.contains("SIGKILL, compare"), "{said}");
    Ok(())
}

#[test]
fn a_demo_that_takes_too_long_has_failed() -> std::io::Result<()> {
    let output = demo(&["--seconds", "0"])?;
    let failed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{failed}");
    assert!(failed.contains("more than 0 s"), "{failed}");
    Ok(())
}
