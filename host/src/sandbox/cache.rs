//! The component's machine code, made once and kept in the user's cache directory.
//!
//! Promise: what is loaded was made from these bytes by this version for this machine, and lay where
//! nobody but the user could write; otherwise it is made anew. A cache that cannot be written is no
//! error.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use wasmtime::Engine;
use wasmtime::component::Component;

/// Where the user's programs keep what can be made again.
pub(super) fn directory() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| {
        if cfg!(windows) {
            absolute("LOCALAPPDATA")
        } else {
            Some(absolute("HOME")?.join(".cache"))
        }
    })?;
    Some(base.join("keelstone"))
}

/// The component, from the cache or compiled.
pub(super) fn load(
    engine: &Engine,
    component: &[u8],
    cache: Option<&Path>,
) -> wasmtime::Result<Component> {
    let Some(dir) = cache else { return Component::new(engine, component) };
    let path = dir.join(format!("{:016x}.cwasm", fingerprint(engine, component)));
    if let Some(loaded) = read(engine, &path) {
        return Ok(loaded);
    }
    let code = engine.precompile_component(component)?;
    // Why: without the cache everything works, only slower.
    let _kept = keep(dir, &path, &code);
    match read(engine, &path) {
        Some(loaded) => Ok(loaded),
        None => Component::new(engine, component),
    }
}

/// Tells apart everything that machine code depends on.
fn fingerprint(engine: &Engine, component: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    component.hash(&mut hasher);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

fn read(engine: &Engine, path: &Path) -> Option<Component> {
    if !(is_private(path.parent()?) && is_private(path)) {
        return None;
    }
    // SAFETY: only this user can have written the file, and `keep` writes nothing but what the
    // compiler gave; wasmtime checks that version and settings are its own.
    #[expect(unsafe_code, reason = "machine code is trusted or made anew")]
    unsafe {
        Component::deserialize_file(engine, path).ok()
    }
}

/// Whether nobody but this user can write there.
#[cfg(unix)]
fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(path).is_ok_and(|metadata| {
        !metadata.is_symlink() && metadata.uid() == user && metadata.mode() & 0o022 == 0
    })
}

#[cfg(not(unix))]
fn is_private(path: &Path) -> bool {
    // Why: the user's own folders are closed to others there.
    fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_symlink())
}

/// Writes the file whole or not at all.
fn keep(dir: &Path, path: &Path, code: &[u8]) -> io::Result<()> {
    make_private(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(code)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(unix)]
fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn make_private(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}
