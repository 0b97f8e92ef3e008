//! Counting operations, and stopping at one of them.

use super::*;
use crate::wasi_fs::{Stop, When};

#[test]
fn every_call_is_one_operation() {
    for (name, call) in all() {
        let (_, mut fs, root, file, listing) = ready();
        let before = fs.operations();
        let _answer = call(&mut fs, root, file, listing);
        assert_eq!(fs.operations(), before + 1, "{name}");
    }
}

#[test]
fn every_call_stops_before_and_does_nothing() {
    for (name, call) in all() {
        let (disk, mut fs, root, file, listing) = ready();
        let (image, at) = (disk.image(), fs.operations() + 1);
        fs.set_stop(Some(Stop { at, when: When::Before }));
        assert_eq!(stopped(call(&mut fs, root, file, listing)), at, "{name}");
        assert_eq!(disk.image(), image, "{name}");
    }
}

#[test]
fn every_call_stops_after_it_did_what_it_does_unstopped() {
    for (name, call) in all() {
        let (whole, mut fs, root, file, listing) = ready();
        let _answer = call(&mut fs, root, file, listing);
        let (disk, mut fs, root, file, listing) = ready();
        let at = fs.operations() + 1;
        fs.set_stop(Some(Stop { at, when: When::After }));
        assert_eq!(stopped(call(&mut fs, root, file, listing)), at, "{name}");
        assert_eq!(disk.image(), whole.image(), "{name}");
    }
}

/// Everything but a write is done as a whole or not at all.
#[test]
fn in_the_middle_only_a_write_is_cut() {
    for (name, call) in all().filter(|(name, _)| *name != "write") {
        let (whole, mut fs, root, file, listing) = ready();
        let _answer = call(&mut fs, root, file, listing);
        let (disk, mut fs, root, file, listing) = ready();
        let at = fs.operations() + 1;
        fs.set_stop(Some(Stop { at, when: When::Middle }));
        assert_eq!(stopped(call(&mut fs, root, file, listing)), at, "{name}");
        assert_eq!(disk.image(), whole.image(), "{name}");
    }
}

#[test]
fn a_write_leaves_nothing_its_first_half_or_all() {
    let cases: [(When, &[u8], &[u8]); 6] = [
        (When::Before, b"abcd", b"0123"),
        (When::Middle, b"abcd", b"ab23"),
        (When::After, b"abcd", b"abcd"),
        (When::Middle, b"abcdefg", b"abc3"),
        (When::Middle, b"a", b"0123"),
        (When::Middle, b"", b"0123"),
    ];
    for (when, bytes, left) in cases {
        let (disk, mut fs, _, file) = with_file(b"0123");
        fs.set_stop(Some(Stop { at: fs.operations() + 1, when }));
        stopped(fs.write(at(file), bytes.to_vec(), 0));
        assert_eq!(disk.image()["file"], left, "{when:?} of {bytes:?}");
    }
}

#[test]
fn a_stop_is_heard_instead_of_an_error() {
    for when in [When::Before, When::Middle, When::After] {
        let (_, mut fs, root, _) = with_file(b"");
        fs.set_stop(Some(Stop { at: fs.operations() + 1, when }));
        stopped(open(&mut fs, root, "missing", none(), READ));
    }
}

#[test]
fn other_operations_are_not_stopped() {
    let (_, mut fs, _, file) = with_file(b"0123");
    let stop = Stop { at: fs.operations() + 2, when: When::Before };
    fs.set_stop(Some(stop));
    fs.stat(at(file)).unwrap();
    assert_eq!(stopped(fs.stat(at(file))), stop.at);
    fs.stat(at(file)).unwrap();
    fs.set_stop(Some(Stop { at: fs.operations() + 1, when: When::Before }));
    fs.set_stop(None);
    fs.stat(at(file)).unwrap();
}

/// As wasmtime asks what a method failed with: an error code goes on, a stop ends the component.
#[test]
fn a_stop_arrives_as_a_trap() {
    let (_, mut fs, root, _) = with_file(b"");
    let missing = open(&mut fs, root, "missing", none(), READ).unwrap_err();
    assert_eq!(fs.convert_error_code(missing).unwrap(), ErrorCode::NoEntry);
    fs.set_stop(Some(Stop { at: fs.operations() + 1, when: When::After }));
    let error = open(&mut fs, root, "missing", none(), READ).unwrap_err();
    let trap = fs.convert_error_code(error).unwrap_err();
    let stopped = trap.downcast_ref::<Stopped>().unwrap();
    assert_eq!(stopped.operation, fs.operations());
    assert_eq!(
        stopped.to_string(),
        format!("stopped at operation {} of the host", fs.operations())
    );
}
