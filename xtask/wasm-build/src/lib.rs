//! Builds a crate of this project as a WebAssembly component, from within a build script.
//!
//! Called by the build scripts of the host and of the tests; calls cargo and the component
//! encoder. The compiler for `wasm32-unknown-unknown` is the active toolchain's, or else the
//! distribution's own with its library as source; `cargo xtask component` gets one.
//! Promise: all builds of one target directory share what was built, and nothing is built twice.
//! Never: changes a toolchain, or passes over an error of the component's own code.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::alloc_instead_of_core,
    reason = "build scripts always have the standard library"
)]
#![allow(clippy::print_stdout, reason = "cargo reads what a build script prints")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const TARGET: &str = "wasm32-unknown-unknown";

/// What to do where there is no compiler for the target.
pub const ADVICE: &str = "no compiler for wasm32-unknown-unknown: run `cargo xtask component`, or `rustup target add \
     wasm32-unknown-unknown`, and build again";

/// Variables of the outer build that mean something else to the inner one.
const OUTER: &[&str] = &[
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_MAKEFLAGS",
    "CARGO_TARGET_DIR",
    "LD_LIBRARY_PATH",
    "MAKEFLAGS",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "TARGET",
];

/// A cargo that can build for the target.
struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    /// Of the distribution: it builds the standard library itself, with this linker.
    linker: Option<PathBuf>,
}

/// Builds the crate in `crate_dir` and writes it as a component to `name` below the target
/// directory's `component`. `watched` are the folders it is made of. `None` if there is no
/// compiler for it; then a warning says what to do.
///
/// # Errors
/// What the compiler or the encoder said.
pub fn build(crate_dir: &Path, name: &str, watched: &[&Path]) -> Result<Option<PathBuf>, String> {
    for path in watched {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let Some(toolchain) = find()? else {
        println!("cargo::warning={ADVICE}");
        return Ok(None);
    };
    let folder = target_dir()?.join("component");
    let module = compile(&toolchain, crate_dir, &folder)?;
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", module.display());
    let bytes = fs::read(&module).map_err(|error| failed(&error))?;
    let encoded = wit_component::ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|encoder| encoder.encode());
    let component = encoded.map_err(|error| failed(&format!("{error:#}")))?;
    let component = without_names(&component).ok_or_else(|| failed(&"sections of no length"))?;
    let path = folder.join(name);
    // Why only then: whoever watches the file is not woken for nothing.
    if fs::read(&path).ok().as_deref() != Some(component.as_slice()) {
        let part = folder.join(format!("{name}.{}.part", std::process::id()));
        let written = fs::write(&part, &component).and_then(|()| fs::rename(&part, &path));
        written.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(Some(path))
}

/// Leaves out the custom sections: names for people who read the machine's text.
fn without_names(component: &[u8]) -> Option<Vec<u8>> {
    /// Magic and version.
    const HEAD: usize = 8;
    let (head, mut rest) = component.split_at_checked(HEAD)?;
    let mut kept = head.to_vec();
    while let Some((kind, after)) = rest.split_first() {
        let (len, used) = leb(after)?;
        let section = rest.get(..1 + used + len)?;
        if *kind != 0 {
            kept.extend_from_slice(section);
        }
        rest = &rest[section.len()..];
    }
    Some(kept)
}

/// A number in the format's variable length, and its own length.
fn leb(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut number = 0;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        number |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((number, at + 1));
        }
    }
    None
}

/// The directory that all profiles of the outer build share.
fn target_dir() -> Result<PathBuf, String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let found = out.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file());
    Ok(found.unwrap_or(&out).to_path_buf())
}

fn find() -> Result<Option<Toolchain>, String> {
    let active = Toolchain {
        cargo: env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from),
        rustc: env::var_os("RUSTC").map_or_else(|| "rustc".into(), PathBuf::from),
        linker: None,
    };
    let sysroot = sysroot(&active.rustc)?;
    let library = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    // Why also where it is missing: cargo then looks again at the next build.
    println!("cargo::rerun-if-changed={}", library.display());
    if library.is_dir() {
        return Ok(Some(active));
    }
    Ok(distribution())
}

/// The distribution's own Rust, if its library's source and a linker are there too.
fn distribution() -> Option<Toolchain> {
    let (cargo, rustc) = (PathBuf::from("/usr/bin/cargo"), PathBuf::from("/usr/bin/rustc"));
    if !cargo.is_file() {
        return None;
    }
    let source = sysroot(&rustc).ok()?.join("lib/rustlib/src/rust/library/core");
    let linker = (14..40).rev().map(|version| PathBuf::from(format!("/usr/bin/wasm-ld-{version}")));
    let linker = linker.chain([PathBuf::from("/usr/bin/wasm-ld")]).find(|path| path.is_file())?;
    source.is_dir().then_some(Toolchain { cargo, rustc, linker: Some(linker) })
}

fn sysroot(rustc: &Path) -> Result<PathBuf, String> {
    let output = Command::new(rustc).args(["--print", "sysroot"]).output();
    let output = output.map_err(|error| format!("{}: {error}", rustc.display()))?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// Compiles the crate; gives the core module.
fn compile(toolchain: &Toolchain, crate_dir: &Path, folder: &Path) -> Result<PathBuf, String> {
    let mut command = Command::new(&toolchain.cargo);
    command.current_dir(crate_dir);
    let mut folder = folder.join("build");
    if toolchain.linker.is_some() {
        folder.push("distribution");
    }
    command.args(["build", "--release", "--locked", "--target", TARGET, "--target-dir"]);
    command.arg(&folder);
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        let inner = name.starts_with("CARGO_FEATURE_")
            || name.starts_with("CARGO_CFG_")
            || name.starts_with("CARGO_PROFILE_");
        if inner || OUTER.contains(&&*name) {
            command.env_remove(&*name);
        }
    }
    command.env("RUSTC", &toolchain.rustc);
    if let Some(linker) = &toolchain.linker {
        command.arg("-Zbuild-std=core,alloc,panic_abort").env("RUSTC_BOOTSTRAP", "1");
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    let output = command.output();
    let output = output.map_err(|error| format!("{}: {error}", toolchain.cargo.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the component does not build\n{said}"));
    }
    let manifest = fs::read_to_string(crate_dir.join("Cargo.toml"));
    let manifest = manifest.map_err(|error| format!("{}: {error}", crate_dir.display()))?;
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = \""));
    let name = name.and_then(|rest| rest.strip_suffix('"')).ok_or("the crate has no name")?;
    let module = format!("{}.wasm", name.replace('-', "_"));
    Ok(folder.join(TARGET).join("release").join(module))
}
