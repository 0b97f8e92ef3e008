//! What only the sandbox can get wrong: its component.

use std::process::Stdio;

use crate::run::{Place, Ran, command, run};

/// Every command that works on a store, with arguments that would change or print something.
fn commands<'a>(lines: &'a str, copy: &'a str, file: &'a str) -> Vec<(&'a str, Vec<&'a str>)> {
    vec![
        ("put", vec!["a", "2"]),
        ("get", vec!["a"]),
        ("delete", vec!["a"]),
        ("scan", vec![]),
        ("import", vec![lines]),
        ("export", vec![]),
        ("stats", vec![]),
        ("verify", vec![]),
        ("repair", vec![]),
        ("compact", vec![]),
        ("backup", vec![copy]),
        ("bench", vec!["--count", "10"]),
        ("dump", vec![file]),
    ]
}

/// Runs a command with another component in the place of the built-in one.
fn with_component(component: &str, name: &str, place: &Place, args: &[&str]) -> Ran {
    let mut words = vec![name];
    let dir = place.dir();
    if name != "dump" {
        words.push(&dir);
    }
    words.extend(args);
    let mut command = command(words);
    command.env("KEELSTONE_COMPONENT", component).stdin(Stdio::null());
    run(command)
}

#[test]
fn a_component_that_traps_or_is_none_ends_every_command_with_exit_4() {
    let place = Place::with(&[("a", "1")]);
    let (lines, copy) = (place.path("lines"), place.path("copy"));
    let file = format!("{}/000002.log", place.dir());
    std::fs::write(&lines, "c\t3\n").unwrap();
    let trapping = place.path("trapping.wasm");
    std::fs::write(&trapping, keelstone_tests::component::trapping()).unwrap();
    let nonsense = place.path("nonsense.wasm");
    std::fs::write(&nonsense, "no component").unwrap();
    let missing = place.path("missing.wasm");
    let before = place.image();
    for component in [&trapping, &nonsense, &missing] {
        for (name, args) in commands(&lines, &copy, &file) {
            let ran = with_component(component, name, &place, &args);
            ran.failed(4);
            assert_eq!(ran.out, "", "{name} with {component}");
            assert_eq!(place.image(), before, "{name} with {component}");
        }
    }
    let ran = with_component(&trapping, "get", &place, &["a"]);
    assert!(ran.failed(4).contains("trap"), "{ran:?}");
}

#[test]
fn a_new_store_is_not_begun_by_a_component_that_traps() {
    let place = Place::new();
    let trapping = place.path("trapping.wasm");
    std::fs::write(&trapping, keelstone_tests::component::trapping()).unwrap();
    with_component(&trapping, "put", &place, &["a", "1"]).failed(4);
    assert_eq!(place.image(), None);
}

#[test]
fn native_and_sandboxed_commands_share_a_store() {
    let place = Place::with(&[("a", "1")]);
    let native = |args: &[&str]| {
        let mut command = std::process::Command::new(crate::run::binary());
        command.args(args).stdin(Stdio::null());
        run(command)
    };
    let dir = place.dir();
    native(&["put", &dir, "b", "2"]).done("");
    place.keel("put", &["c", "3"]).done("");
    native(&["delete", &dir, "a"]).done("");
    place.keel("scan", &[]).done("b\t2\nc\t3\n");
    native(&["scan", &dir]).done("b\t2\nc\t3\n");
    place.keel("compact", &["--quiet"]).done("");
    assert!(native(&["verify", &dir]).printed().starts_with("ok "));
}
