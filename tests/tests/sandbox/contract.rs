//! The disk's contract suite on the backend for components, inside a sandbox: over the memory disk
//! and over a directory of the operating system, through this project's host and through wasmtime's.

use std::sync::Arc;

use keelstone::ManualClock;
use keelstone::vfs::{Access, MemoryDisk, NativeDisk, Vfs};
use keelstone_host::wasi_fs::{WasiFs, add_to_linker};
use wasmtime::component::{Component, Instance, Linker};
use wasmtime::{Config, Engine, Store};

fn suite() -> (Engine, Component) {
    let path = env!("KEELSTONE_SUITE");
    assert!(!path.is_empty(), "built without a compiler for WebAssembly: `cargo xtask component`");
    let mut config = Config::new();
    config.wasm_component_model(true);
    let engine = Engine::new(&config).unwrap();
    let component = Component::from_file(&engine, path).unwrap();
    (engine, component)
}

/// The names of the cases, through an instance of its own.
fn cases<T: 'static>(store: &mut Store<T>, instance: &Instance) -> Vec<String> {
    let cases = instance.get_typed_func::<(), (Vec<String>,)>(&mut *store, "cases").unwrap();
    cases.call(store, ()).unwrap().0
}

fn run<T: 'static>(store: &mut Store<T>, instance: &Instance, n: usize) -> wasmtime::Result<()> {
    let run = instance.get_typed_func::<(u32, &str), ()>(&mut *store, "run").unwrap();
    run.call(store, (u32::try_from(n).unwrap(), "disk"))
}

/// Runs every case, each in an instance and on a disk of its own.
fn all_cases(make: impl Fn() -> Arc<dyn Vfs>) {
    let (engine, component) = suite();
    let mut linker = Linker::new(&engine);
    add_to_linker(&mut linker, |fs: &mut WasiFs| fs).unwrap();
    let ready = linker.instantiate_pre(&component).unwrap();
    let begin = || {
        let mut fs = WasiFs::new(ManualClock::new(0));
        fs.preopen("disk", make(), Access::Write);
        let mut store = Store::new(&engine, fs);
        let instance = ready.instantiate(&mut store).unwrap();
        (store, instance)
    };
    let (mut store, instance) = begin();
    let names = cases(&mut store, &instance);
    assert!(names.len() >= 20, "only {} cases", names.len());
    let failed: Vec<_> = (0..names.len())
        .filter_map(|n| {
            let (mut store, instance) = begin();
            let error = run(&mut store, &instance, n).err()?;
            Some(format!("{}: {error:#}", names[n]))
        })
        .collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

#[test]
fn the_suite_holds_inside_the_sandbox_over_the_memory_disk() {
    all_cases(|| Arc::new(MemoryDisk::new()));
}

#[test]
fn the_suite_holds_inside_the_sandbox_over_a_directory() {
    let root = tempfile::tempdir().unwrap();
    let number = core::cell::Cell::new(0);
    all_cases(|| {
        number.set(number.get() + 1);
        let dir = root.path().join(number.get().to_string());
        Arc::new(NativeDisk::create(&dir).unwrap())
    });
}

/// A disk that breaks a promise is seen: the suite can fail inside the sandbox too.
#[test]
fn the_suite_fails_on_a_disk_that_is_not_empty() {
    let (engine, component) = suite();
    let mut linker = Linker::new(&engine);
    add_to_linker(&mut linker, |fs: &mut WasiFs| fs).unwrap();
    let disk = MemoryDisk::new();
    disk.create("a").unwrap();
    let mut fs = WasiFs::new(ManualClock::new(0));
    fs.preopen("disk", Arc::new(disk), Access::Write);
    let mut store = Store::new(&engine, fs);
    let instance = linker.instantiate(&mut store, &component).unwrap();
    let names = cases(&mut store, &instance);
    let create = names.iter().position(|name| name == "create makes an empty file").unwrap();
    assert!(run(&mut store, &instance, create).is_err());
}
