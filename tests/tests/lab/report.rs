//! The report as a page: what it says of a promise that is kept and of one that is broken, and what a browser draws.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use keelstone::Layout;
use keelstone::lab::Bug;
use keelstone::vfs::Image;
use keelstone::vfs::crash::{Explanation, Model};
use keelstone_host::crash::{Counts, Explored, Settings, report, run, told, write_images};

use crate::mistakes::MERGES;
use crate::{only, settings};

/// A run that is ready to be drawn.
struct Drawn {
    settings: Settings,
    explored: Vec<Explored>,
    counts: Counts,
}

impl Drawn {
    fn new(settings: Settings) -> Self {
        let settings = report::settings(settings);
        let explored = run(&settings, |_, _| {}).unwrap();
        let counts = Counts::of(&settings, &explored, Duration::from_millis(1));
        Self { settings, explored, counts }
    }

    /// A mistake that is switched on, and a program that leads to it.
    fn broken(bug: Bug, program: &str) -> Self {
        let model = Model { point_states_max: 100, ..Model::HALF };
        let adjust = move |options: &mut keelstone::Options| {
            options.lab.bug = Some(bug);
            options.lab.manifest_bytes = 600;
        };
        Self::new(only(Layout::Hash, program, model, adjust))
    }

    fn page(&self) -> String {
        report::page(&self.settings, &self.explored, &self.counts)
    }

    fn explanation(&self) -> Option<&Explanation> {
        self.explored.iter().find_map(|explored| explored.explanation.as_ref())
    }
}

/// A text as it stands in JSON.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('<', "\\u003c"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn broken_promise_names_the_point_the_missing_sync_and_both_images() {
    let drawn = Drawn::broken(Bug::OlderLogNotSynced, MERGES);
    let (page, told) = (drawn.page(), drawn.explanation().unwrap());
    let barrier = told.barrier.as_ref().unwrap();
    let (op, sync) = (barrier.op, quoted(&barrier.sync));
    assert!(page.contains(&format!("\"barrier\":{{\"op\":{op},\"sync\":{sync}")), "{barrier}");
    let crash = told.path.crashes().next().unwrap();
    let point =
        format!("\"crashes\":[{{\"op\":{},\"bytes\":{},\"power\":{}", crash.0, crash.1, crash.2);
    assert!(page.contains(&point), "{point}");
    let explored = &drawn.explored[0];
    let violated = explored.certificate.points.iter().find(|point| point.violated).unwrap();
    assert_eq!(violated.op, crash.0, "the point of the certificate is that of the path");
    assert!(page.contains(&quoted(&told.message)), "{told}");
    let command = format!(
        "keel crash --layout hash --program '{MERGES}' --states 100 --repeat '{}'",
        told.path
    );
    assert!(page.contains(&quoted(&command)), "{command}");
    assert_ne!(told.scene.before, told.scene.left);
    let mut different = 0;
    for (name, bytes) in &told.scene.before {
        let left = told.scene.left.get(name).map(Vec::as_slice).unwrap_or_default();
        let window = format!("\"before\":\"{}\",\"left\":\"{}\"", hex(bytes), hex(left));
        // Why not the others: of long files the page shows parts.
        let is_whole = !bytes.is_empty() && bytes.len() <= 1024;
        assert!(!is_whole || page.contains(&window), "{name}");
        different += usize::from(bytes != left);
    }
    assert!(different > 0);
}

// A kill, a recovery that is not synced, then a power cut: the lines name all three.
#[test]
fn words_name_every_crash_and_a_stopped_run_is_not_exhaustive() {
    let drawn = Drawn::broken(Bug::RecoveryNotSynced, "put:a");
    let told = drawn.explanation().unwrap();
    let crashes: Vec<_> = told.path.crashes().collect();
    let [(_, _, false), (steps, 0, true)] = crashes[..] else { panic!("{told}") };
    let lines = told::lines(told);
    assert!(lines[1].starts_with("  crash between "), "{lines:#?}");
    assert!(lines[2].starts_with("  the process was killed there"), "{lines:#?}");
    let again = &lines[3];
    assert!(again.starts_with(&format!("  crashed again after {steps} step")), "{lines:#?}");
    assert!(again.contains(" of recovery, behind `") && again.ends_with("`: power was cut"));
    assert_eq!(lines[0], told.message);
    assert!(drawn.page().contains(&quoted(again)));
    let printed = drawn.counts.lines();
    for line in ["class=k-bounded", "bounded stopped at the first violation: 1 of 1 programs tried"]
    {
        assert!(printed.iter().any(|printed| printed == line), "{printed:?}");
    }
}

#[test]
fn page_is_the_same_each_time_and_names_every_program() {
    let settings = || settings(1, Model { point_states_max: 60, depth: 1, ..Model::HALF });
    let drawn = Drawn::new(settings());
    let page = drawn.page();
    assert_eq!(page, Drawn::new(settings()).page());
    assert!(page.contains("\"failure\":null") && !page.contains("{{"), "{}", page.len());
    for explored in &drawn.explored {
        let program = quoted(&explored.program.to_string());
        assert!(page.contains(&format!("\"program\":{program}")), "{program}");
        let recording = explored.recording.as_ref().unwrap();
        recording.steps.iter().for_each(|step| assert!(page.contains(&quoted(step)), "{step}"));
    }
}

#[test]
fn both_images_are_written_into_a_new_directory() {
    let drawn = Drawn::broken(Bug::OlderLogNotSynced, MERGES);
    let scene = &drawn.explanation().unwrap().scene;
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("images");
    write_images(&dir, scene).unwrap();
    let read = |side: &str| -> Image {
        let files = std::fs::read_dir(dir.join(side)).unwrap().map(Result::unwrap);
        let named = |file: std::fs::DirEntry| {
            (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap())
        };
        files.map(named).collect()
    };
    assert_eq!((read("before"), read("left")), (scene.before.clone(), scene.left.clone()));
    let again = write_images(&dir, scene).unwrap_err();
    assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
}

/// The browser: the one that `KEELSTONE_BROWSER` names, which then must work, or one that is installed.
fn browser() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("KEELSTONE_BROWSER") {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut found = std::env::split_paths(&path).flat_map(|dir| names.map(|name| dir.join(name)));
    found.find(|path| path.is_file())
}

/// Opens a page in the browser: its elements after the script has run. Whatever the console has to say is a failure.
fn opened(browser: &Path, page: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.html");
    std::fs::write(&file, page).unwrap();
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]);
    command.args(["--no-first-run", "--disable-background-networking"]);
    command.args(["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]);
    command.arg(format!("--user-data-dir={}", dir.path().join("profile").display()));
    command.args(["--enable-logging=stderr", "--v=0", "--timeout=120000", "--dump-dom"]);
    command.arg(format!("file://{}#check", file.display()));
    let output = command.output().unwrap();
    let (dom, said) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {said}", output.status);
    let complaints: Vec<&str> = said.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    dom.into_owned()
}

/// The numbers that the page counted in what it had drawn.
fn counted(dom: &str) -> Vec<(String, u64)> {
    let (_, rest) = dom.split_once("<pre id=\"drawn\"").unwrap();
    let (_, rest) = rest.split_once('{').unwrap_or_else(|| panic!("nothing was drawn: {dom}"));
    let (pairs, _) = rest.split_once('}').unwrap();
    let pair = |pair: &str| {
        let (name, number) = pair.split_once(':').unwrap();
        (name.trim_matches('"').to_owned(), number.parse().unwrap())
    };
    pairs.split(',').map(pair).collect()
}

/// The numbers that it should have drawn.
fn expected(drawn: &Drawn) -> Vec<(String, u64)> {
    let points = || drawn.explored.iter().flat_map(|explored| &explored.certificate.points);
    let violated = points().filter(|point| point.violated).count();
    let steps = drawn.explored.iter().map(|e| e.recording.as_ref().unwrap().steps.len() + 1);
    let sum = |of: fn(&Explored) -> u64| drawn.explored.iter().map(of).sum::<u64>();
    let told = drawn.explanation();
    let files = told.map_or(0, |told| {
        let names = |image: &Image| image.keys().cloned().collect::<BTreeSet<_>>();
        names(&told.scene.before).union(&names(&told.scene.left)).count()
    });
    let count = |n: usize| n as u64;
    let numbers = [
        ("rows", count(drawn.explored.len())),
        ("kept", count(points().count() - violated)),
        ("violated", count(violated)),
        ("untried", count(steps.sum::<usize>() - points().count())),
        ("power_cuts", sum(|e| e.certificate.power_cuts)),
        ("kills", sum(|e| e.certificate.kills)),
        ("second_crashes", sum(|e| e.certificate.second)),
        ("images", count(2 * files)),
        ("absent_syncs", told.map_or(0, |told| u64::from(told.barrier.is_some()))),
        ("crashes", count(told.map_or(0, |told| told.path.crashes().count()))),
        ("faults", 0),
    ];
    numbers.map(|(name, number)| (name.to_owned(), number)).to_vec()
}

#[test]
fn browser_draws_what_the_certificate_counts() {
    let Some(browser) = browser() else {
        // Why no failure: `cargo xtask ci` sees to it that there is one; README says that a person may go without.
        println!("no Chromium: the page was not opened in a browser");
        return;
    };
    let model = Model { point_states_max: 60, ..Model::HALF };
    let runs = [
        Drawn::new(settings(1, model)),
        Drawn::broken(Bug::OlderLogNotSynced, MERGES),
        Drawn::broken(Bug::RecoveryNotSynced, "put:a"),
    ];
    let crashes = |drawn: &Drawn| drawn.explanation().map_or(0, |told| told.path.crashes().count());
    assert_eq!(runs.each_ref().map(crashes), [0, 1, 2]);
    for drawn in &runs {
        let dom = opened(&browser, &drawn.page());
        assert_eq!(counted(&dom), expected(drawn));
        let verdict = if drawn.explanation().is_some() { "is broken" } else { "No violation" };
        assert!(dom.contains(verdict), "{verdict}");
    }
}
