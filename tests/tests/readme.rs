//! The README's examples are what it says they are: the Rust block is a program that runs, and the
//! console block's commands print what stands below them.
//!
//! Reads the README and the example; starts the example and `keel` in a temporary folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

type Outcome = Result<(), Box<dyn core::error::Error>>;

const README: &str = include_str!("../../README.md");
const EXAMPLE: &str = include_str!("../../engine/examples/first_store.rs");

/// The lines of the first fenced block in a language.
fn block(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}");
    let inside = README.lines().skip_while(|line| *line != fence).skip(1);
    inside.take_while(|line| *line != "```").collect()
}

/// `KEEL_BIN`, which `cargo xtask test` sets, else the `keel` that stands beside the folder of this
/// test.
fn keel() -> PathBuf {
    let built = || {
        let demo = Path::new(env!("CARGO_BIN_EXE_demo"));
        demo.with_file_name(format!("keel{}", std::env::consts::EXE_SUFFIX))
    };
    let path = std::env::var_os("KEEL_BIN").map_or_else(built, PathBuf::from);
    assert!(path.is_file(), "no {}: cargo build --package keelstone-host", path.display());
    path
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[test]
fn the_rust_block_is_the_example() {
    let shown = block("rust");
    let program: Vec<&str> = EXAMPLE.lines().skip_while(|line| !line.starts_with("use ")).collect();
    assert_eq!(shown, program);
}

#[test]
fn the_example_runs_and_runs_again_on_its_own_store() -> Outcome {
    let folder = tempfile::tempdir()?;
    for _ in 0..2 {
        let mut example = Command::new(env!("CARGO_BIN_EXE_first_store"));
        let output = example.current_dir(folder.path()).output()?;
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(text(&output), "Jane Austen\n");
    }
    Ok(())
}

#[test]
fn every_command_prints_what_the_readme_says() -> Outcome {
    let folder = tempfile::tempdir()?;
    let keel = keel();
    let programs = keel.parent().unwrap_or(Path::new("."));
    let others = std::env::var_os("PATH").unwrap_or_default();
    let path = [PathBuf::from(programs)].into_iter().chain(std::env::split_paths(&others));
    let path = std::env::join_paths(path)?;
    let lines = block("console");
    let mut commands = 0;
    for part in lines.chunk_by(|_, next| !next.starts_with("$ ")) {
        let Some((command, expected)) = part.split_first() else { continue };
        let command = command.trim_start_matches("$ ");
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(folder.path()).env("PATH", &path);
        let found = text(&shell.output()?);
        assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{command}");
        commands += 1;
    }
    assert!(commands >= 5, "only {commands} commands in the README's console block");
    Ok(())
}
