//! Both images of a counterexample as directories: what the disk would have been without the crash, and what was left.
//!
//! Called by the command line and by tests. Promise: the directory is new, or nothing is written; it has all files, or is
//! not there.

use std::io;
use std::path::Path;

use keelstone::vfs::Image;
use keelstone::vfs::crash::Scene;

/// Writes `DIR/before`, where all effects are there, and `DIR/left`, what the crash left and recovery found.
///
/// # Errors
/// If the directory is there already, or a file cannot be written.
pub fn write_images(dir: &Path, scene: &Scene) -> io::Result<()> {
    std::fs::create_dir(dir)?;
    let written = write_image(&dir.join("before"), &scene.before)
        .and_then(|()| write_image(&dir.join("left"), &scene.left));
    if written.is_err() {
        // Why unheard: what failed before is what is told.
        let _ = std::fs::remove_dir_all(dir);
    }
    written
}

fn write_image(dir: &Path, image: &Image) -> io::Result<()> {
    std::fs::create_dir(dir)?;
    for (name, bytes) in image {
        match name.strip_suffix('/') {
            Some(name) => std::fs::create_dir_all(dir.join(name))?,
            None => std::fs::write(dir.join(name), bytes)?,
        }
    }
    Ok(())
}
