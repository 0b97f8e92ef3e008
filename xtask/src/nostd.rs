//! Proves that vfs and engine need no std: they are checked for a target that has none.
//!
//! Called by `ci`. A WASI target, and even `wasm32-unknown-unknown`, has a std and would hide a
//! slip; a bare target has only core and alloc. 64-bit targets only: the engine counts in 64-bit
//! atomics.

use std::path::{Path, PathBuf};

use crate::shell::{self, Outcome};

const TARGETS: [&str; 3] =
    ["x86_64-unknown-none", "aarch64-unknown-none", "riscv64gc-unknown-none-elf"];

/// What is checked, the same for every way.
const CHECK: [&str; 6] =
    ["check", "--package", "keelstone-vfs", "--package", "keelstone", "--no-default-features"];

/// Takes the first way that this machine has: a target that is there, rustup, Debian's library
/// sources.
pub fn run() -> Outcome {
    let target = installed().or_else(|| {
        let first = TARGETS[0];
        let added = shell::works(&mut shell::command("rustup", ["target", "add", first]));
        (added && installed() == Some(first)).then_some(first)
    });
    let Some(target) = target else { return with_debian() };
    println!("target {target}: core and alloc, no std");
    let mut command = shell::cargo(CHECK);
    shell::run(command.args(["--target", target]))
}

/// The first target whose libraries hold an alloc and no std.
fn installed() -> Option<&'static str> {
    let sysroot = shell::capture(&mut shell::command("rustc", ["--print", "sysroot"])).ok()?;
    let rustlib = Path::new(sysroot.trim()).join("lib/rustlib");
    TARGETS.into_iter().find(|target| {
        let names = library_names(&rustlib.join(target).join("lib"));
        let has = |prefix: &str| names.iter().any(|name| name.starts_with(prefix));
        has("liballoc-") && !has("libstd-")
    })
}

fn library_names(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.file_name().into_string().ok()).collect()
}

/// Debian's `rustc-web` comes with the library's source, and builds core and alloc of any target
/// from it.
fn with_debian() -> Outcome {
    let (cargo, rustc) = (PathBuf::from("/usr/bin/cargo"), PathBuf::from("/usr/bin/rustc"));
    let packages = ["rustc-web", "cargo-web", "rust-web-src"];
    if !shell::works(shell::command("dpkg", ["--status"]).args(packages)) {
        shell::run(&mut shell::update())
            .and_then(|()| shell::run(&mut shell::install(packages)))
            .map_err(|error| format!("{error}\n{REMEDY}"))?;
    }
    let target = TARGETS[0];
    println!("target {target}: core and alloc built from Debian's rust-web-src, no std");
    let mut command = shell::command(cargo, CHECK);
    command.args(["--target", target, "-Zbuild-std=core,alloc"]);
    // Why: another compiler must not share its folder with the one that runs the tests.
    command.args(["--target-dir", "target/debian"]);
    command.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTUP_TOOLCHAIN");
    shell::run(&mut command)
}

const REMEDY: &str = "no bare target to check no_std with: rustup target add x86_64-unknown-none";
