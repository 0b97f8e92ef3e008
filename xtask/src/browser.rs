//! The browser that opens the report of the crash lab in a test: looked for, or installed.
//!
//! Called by `test`, which goes on without one, and by `ci`, which does not. Debian's package `chromium`.

use std::path::PathBuf;

use crate::shell;

/// The variable that names the browser to the tests: with it set, they fail where it does not work.
pub const VARIABLE: &str = "KEELSTONE_BROWSER";

/// Programs that do, the usual one first.
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

const REMEDY: &str =
    "no Chromium, so no test opens the report of `keel crash`: apt-get install chromium";

/// One that is installed; says loudly if there is none.
pub fn find() -> Option<PathBuf> {
    let found = installed();
    if found.is_none() {
        eprintln!("xtask: {REMEDY}");
    }
    found
}

/// One that is installed, now if not before.
pub fn ready() -> Result<PathBuf, String> {
    if let Some(found) = installed() {
        return Ok(found);
    }
    // Why not at once: where the lists of packages are old, the package is not found.
    if !shell::works(&mut shell::install(["chromium"])) {
        shell::run(&mut shell::update())?;
        shell::run(&mut shell::install(["chromium"]))?;
    }
    installed().ok_or_else(|| REMEDY.into())
}

fn installed() -> Option<PathBuf> {
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    named.or_else(|| on_path(&std::env::var_os("PATH").unwrap_or_default()))
}

/// The first of the programs in the folders of a search path.
fn on_path(path: &std::ffi::OsStr) -> Option<PathBuf> {
    let folders = std::env::split_paths(path).collect::<Vec<_>>();
    let places = PROGRAMS.iter().flat_map(|name| folders.iter().map(move |dir| dir.join(name)));
    places.into_iter().find(|place| place.is_file())
}

#[cfg(test)]
mod tests {
    use super::on_path;

    #[test]
    fn the_usual_program_comes_first_wherever_it_is() -> std::io::Result<()> {
        let root = std::env::temp_dir().join(format!("keelstone-browser-{}", std::process::id()));
        let (one, two) = (root.join("one"), root.join("two"));
        std::fs::create_dir_all(&one)?;
        std::fs::create_dir_all(&two)?;
        let path = std::env::join_paths([&one, &two]).unwrap_or_default();
        assert_eq!(on_path(&path), None);
        std::fs::write(one.join("google-chrome"), "")?;
        assert_eq!(on_path(&path), Some(one.join("google-chrome")));
        std::fs::write(two.join("chromium"), "")?;
        assert_eq!(on_path(&path), Some(two.join("chromium")));
        std::fs::remove_dir_all(&root)
    }
}
