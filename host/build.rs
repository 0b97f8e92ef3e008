//! Builds the component that `keel --sandbox` runs and puts it into the program.
//!
//! Without a compiler for it the program is built without the component, and says so when asked
//! for it.
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
    let made_of: Vec<PathBuf> =
        ["engine/src", "engine/Cargo.toml", "engine/component", "vfs/src", "vfs/Cargo.toml", "wit"]
            .iter()
            .map(|part| root.join(part))
            .collect();
    let made_of: Vec<&Path> = made_of.iter().map(PathBuf::as_path).collect();
    let crate_dir = root.join("engine/component");
    let built = keelstone_wasm_build::build(&crate_dir, "keelstone.wasm", &made_of)?;
    let value = built.map_or_else(
        || "None".to_owned(),
        |path| format!("Some(include_bytes!({:?}))", path.display().to_string()),
    );
    let code = format!("pub(super) const BUILT_IN: Option<&[u8]> = {value};\n");
    let out = std::env::var_os("OUT_DIR").map(PathBuf::from).ok_or("OUT_DIR is not set")?;
    let file = out.join("built_in.rs");
    std::fs::write(&file, code).map_err(|error| format!("{}: {error}", file.display()))
}
