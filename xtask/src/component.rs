//! `component`: gets a compiler for WebAssembly if there is none, and builds the store's component.
//!
//! Called by people, and by every verb that builds the host. The build itself is in the build
//! script of the host, so that plain `cargo build` does it too; this only makes it possible.

use std::path::{Path, PathBuf};

use crate::shell::{self, Outcome};

const TARGET: &str = "wasm32-unknown-unknown";
/// Debian's own Rust with its library's source.
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
/// Linkers for WebAssembly, the one that fits best first.
const LINKERS: [&str; 2] = ["lld-19", "lld"];

/// Builds the component and says where it is and how large.
pub fn run() -> Outcome {
    let file = build()?;
    let bytes = std::fs::metadata(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    println!("{} bytes={}", file.display(), bytes.len());
    Ok(())
}

/// Builds the component; gives its file.
pub fn build() -> Result<PathBuf, String> {
    ready();
    let words = ["build", "--package", "keelstone-host", "--message-format=json"];
    let said = shell::capture(&mut shell::cargo(words))?;
    let folder = said.lines().find_map(target_dir).ok_or("cargo named no folder")?;
    let file = folder.join("component/keelstone.wasm");
    if !installed() && !distribution() {
        return Err(REMEDY.into());
    }
    if file.is_file() { Ok(file) } else { Err(format!("{}: not there", file.display())) }
}

/// The target directory, from one of cargo's messages that names a file in it.
fn target_dir(message: &str) -> Option<PathBuf> {
    let (_, rest) = message.split_once("\"out_dir\":\"")?;
    let out = PathBuf::from(rest.split('"').next()?);
    let found = out.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file())?;
    Some(found.to_path_buf())
}

/// Makes a compiler available: the active toolchain's, rustup's, or the distribution's. Without one
/// everything but the sandbox is built all the same, so this is not a failure yet.
pub fn ready() {
    if installed() || shell::works(&mut shell::command("rustup", ["target", "add", TARGET])) {
        return;
    }
    if Path::new("/usr/bin/apt-get").is_file() && !distribution() {
        let update = shell::works(&mut shell::update());
        let install = |linker: &&str| shell::works(shell::install(PACKAGES).arg(linker));
        if update && LINKERS.iter().any(install) && distribution() {
            return;
        }
    }
    if !distribution() {
        eprintln!("xtask: {REMEDY}");
    }
}

/// Whether the active toolchain has the target.
fn installed() -> bool {
    let words = ["--print", "target-libdir", "--target", TARGET];
    shell::capture(&mut shell::command("rustc", words))
        .is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

/// Whether the distribution's Rust is there with its source.
fn distribution() -> bool {
    let words = ["--print", "sysroot"];
    let sysroot = shell::capture(&mut shell::command("/usr/bin/rustc", words));
    let source = "lib/rustlib/src/rust/library/core";
    sysroot.is_ok_and(|sysroot| Path::new(sysroot.trim()).join(source).is_dir())
}

const REMEDY: &str =
    "no compiler for WebAssembly, so no sandbox: rustup target add wasm32-unknown-unknown";
