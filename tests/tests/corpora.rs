//! Every corpus of every fuzz target runs through its target: what fuzzing once found stays found.
//!
//! `KEELSTONE_BLESS=1` writes the seeds of the corpora anew, after a change of the format.

use std::fs;
use std::path::{Path, PathBuf};

use keelstone_tests::fuzzing::{TARGETS, seeds};

/// All corpora together have fewer bytes than this.
const BYTES_MAX: usize = 300 << 10;
/// A corpus has at least so many files.
const FILES_MIN: usize = 12;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/corpora").join(target)
}

/// The files of a corpus in order of their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder(target);
    let listed = fs::read_dir(&folder);
    let listed = listed.unwrap_or_else(|error| panic!("no corpus for {target}: {error}"));
    let mut files: Vec<(String, Vec<u8>)> = listed
        .map(|file| {
            let path = file.expect("a file of the corpus").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read(path).expect("a file of the corpus"))
        })
        .collect();
    files.sort();
    assert!(files.len() >= FILES_MIN, "the corpus of {target} has {} files only", files.len());
    files
}

/// Runs a corpus through its target; a panic names the file.
fn replay(target: &str) {
    let (_, run) = TARGETS.iter().find(|(name, _)| *name == target).expect("a known target");
    for (name, bytes) in corpus(target) {
        let done = std::panic::catch_unwind(|| run(&bytes));
        assert!(done.is_ok(), "{target} fails with the file {name} of its corpus");
    }
}

#[test]
fn the_corpus_of_record_runs() {
    replay("record");
}

#[test]
fn the_corpus_of_log_runs() {
    replay("log");
}

#[test]
fn the_corpus_of_hint_runs() {
    replay("hint");
}

#[test]
fn the_corpus_of_manifest_runs() {
    replay("manifest");
}

#[test]
fn the_corpus_of_escapes_runs() {
    replay("escapes");
}

#[test]
fn the_corpus_of_operations_runs() {
    replay("operations");
}

#[test]
fn the_corpus_of_crash_image_runs() {
    replay("crash_image");
}

#[test]
fn the_corpus_of_block_runs() {
    replay("block");
}

#[test]
fn the_corpus_of_table_runs() {
    replay("table");
}

#[test]
fn the_corpus_of_iterators_runs() {
    replay("iterators");
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
    let names = |folder: &Path| {
        let mut names: Vec<String> = fs::read_dir(folder)
            .expect("a folder")
            .map(|file| file.expect("a file").path().file_stem().expect("a name").to_owned())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    let mut targets: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    targets.sort();
    assert_eq!(names(&fuzz), targets);
    assert_eq!(names(&folder("")), targets);
}

#[test]
fn the_seeds_are_what_this_version_writes() {
    for (target, _) in TARGETS {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "no seeds for {target}");
        for (name, bytes) in seeds {
            let path = folder(target).join(&name);
            if std::env::var_os("KEELSTONE_BLESS").is_some() {
                fs::create_dir_all(folder(target)).expect("a folder for the corpus");
                fs::write(&path, &bytes).expect("a writable corpus");
            }
            let kept = fs::read(&path);
            let kept = kept.unwrap_or_else(|error| panic!("{target}/{name}: {error}"));
            assert_eq!(kept, bytes, "{target}/{name}: the format has changed");
        }
    }
}

#[test]
fn the_corpora_are_small() {
    let files = TARGETS.iter().flat_map(|(target, _)| corpus(target));
    let bytes: usize = files.map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes < BYTES_MAX, "{bytes} bytes");
}
