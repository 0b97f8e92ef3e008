//! `ci`: everything that must hold, cheap checks first and the tests last, so that their summary
//! closes the output.

use std::path::Path;
use std::time::Instant;

use crate::shell::{self, Outcome};
use crate::{bench, browser, component, demo, nostd, test, tidy};

/// What a run takes from an empty target directory, and some more.
const WANTED_MIB: u64 = 8192;

/// Runs the steps in order and stops at the first that fails.
pub fn run() -> Outcome {
    let start = Instant::now();
    println!("{}, wanted: {WANTED_MIB} MiB", free_space());
    component::ready();
    step("format", format)?;
    step("tidy", tidy::run)?;
    step("clippy", clippy)?;
    step("docs", docs)?;
    step("no_std", nostd::run)?;
    step("fuzz targets compile", fuzz_targets)?;
    step("examples", examples)?;
    step("demo", || demo::run(&[]))?;
    step("component in another language", python)?;
    step("browser", || browser::ready().map(|path| println!("{}", path.display())))?;
    step("benchmarks, small", bench::small)?;
    println!("all but the tests: {:.1} s", start.elapsed().as_secs_f64());
    println!("{}", free_space());
    // Why: without `step`, whose closing line would stand below the runner's summary.
    println!("== test");
    test::run(None)
}

fn step(name: &str, work: impl FnOnce() -> Outcome) -> Outcome {
    println!("== {name}");
    let start = Instant::now();
    let outcome = work();
    let word = if outcome.is_ok() { "ok" } else { "FAILED" };
    println!("== {name}: {word}, {:.1} s", start.elapsed().as_secs_f64());
    outcome
}

/// How much space is left where things are built. Why it is told: on a full disk tests fail, each in its own words, and none
/// names the cause.
fn free_space() -> String {
    let target = shell::root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_default());
    // Two lines, the second with the free kibibytes as its fourth word (POSIX, df -P).
    let table = shell::capture(shell::command("df", ["-P", "-k"]).arg(target)).unwrap_or_default();
    let free = table.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    free.map_or_else(
        || String::from("free on the disk: unknown"),
        |kib: u64| format!("free on the disk: {} MiB", kib >> 10),
    )
}

fn format() -> Outcome {
    shell::run(&mut shell::cargo(["fmt", "--all", "--check"]))?;
    if has_fuzz() {
        shell::run(&mut shell::cargo(["fmt", "--manifest-path", FUZZ, "--check"]))?;
    }
    Ok(())
}

fn clippy() -> Outcome {
    let all = ["--workspace", "--all-targets", "--all-features"].as_slice();
    let core = ["--package", "keelstone-vfs", "--package", "keelstone", "--no-default-features"];
    for scope in [all, core.as_slice()] {
        let mut command = shell::cargo(["clippy"]);
        shell::run(command.args(scope).args(["--", "--deny", "warnings"]))?;
    }
    Ok(())
}

fn docs() -> Outcome {
    let mut command = shell::cargo(["doc", "--workspace", "--no-deps"]);
    shell::run(command.env("RUSTDOCFLAGS", "--deny warnings"))
}

/// Runs every example program; each checks what it shows.
fn examples() -> Outcome {
    let folders = [
        ("keelstone-vfs", "vfs/examples"),
        ("keelstone", "engine/examples"),
        ("keelstone-host", "host/examples"),
    ];
    for (package, folder) in folders {
        let folder = shell::root().join(folder);
        let files = std::fs::read_dir(&folder);
        let files = files.map_err(|error| format!("{}: {error}", folder.display()))?;
        let name = |file: std::fs::DirEntry| {
            Some(file.file_name().to_str()?.strip_suffix(".rs")?.to_owned())
        };
        let mut names: Vec<String> = files.flatten().filter_map(name).collect();
        names.sort();
        let built = shell::build(["build", "--quiet", "--package", package, "--examples"])?;
        for name in names {
            let example = shell::pick(&built, &name)?;
            // Why there: the example that the README shows keeps its store in the folder it runs in.
            let place = example.with_file_name(format!("place-{name}"));
            empty(&place)?;
            shell::run(shell::command(example, [""; 0]).current_dir(&place))?;
            remove(&place)?;
        }
    }
    Ok(())
}

/// An empty folder, whatever an earlier run has left there.
fn empty(folder: &Path) -> Outcome {
    if folder.exists() {
        remove(folder)?;
    }
    std::fs::create_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

fn remove(folder: &Path) -> Outcome {
    std::fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

/// The host in Python that loads the component, with the release of wasmtime for it.
const PYTHON_HOST: &str = "tests/foreign/host.py";
const PYTHON_PACKAGE: &str = "wasmtime==48.0.0";

/// A host that is not this project's writes a store, and another process of it finds the data.
fn python() -> Outcome {
    let component = component::build()?;
    let folder = component.with_file_name("python");
    if !folder.join("wasmtime").is_dir() {
        let words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        let mut install = shell::command("python3", words);
        install.args(["--retries", "10", "--target"]);
        if !shell::works(&mut shell::command("python3", ["-m", "pip", "--version"])) {
            shell::run(&mut shell::install(["python3-pip"]))?;
        }
        shell::run(install.arg(&folder).arg(PYTHON_PACKAGE))?;
    }
    let store = component.with_file_name("python-store");
    empty(&store)?;
    for what in ["write", "read"] {
        let mut host = shell::command("python3", [PYTHON_HOST]);
        host.arg(&component).arg(&store).arg(what).env("PYTHONPATH", &folder);
        shell::run(&mut host)?;
    }
    remove(&store)
}

/// Outside the workspace, so the steps above do not see it.
const FUZZ: &str = "fuzz/Cargo.toml";

fn has_fuzz() -> bool {
    Path::new(&shell::root().join(FUZZ)).is_file()
}

fn fuzz_targets() -> Outcome {
    if !has_fuzz() {
        println!("no fuzz targets yet");
        return Ok(());
    }
    shell::run(&mut shell::cargo(["check", "--manifest-path", FUZZ, "--no-default-features"]))
}
