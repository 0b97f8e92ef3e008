//! A host of one's own: the component in wasmtime with the WASI of wasmtime's makers, and a store in
//! a directory. Nothing of `keelstone` but the component's bytes and `wit/` is used.
//!
//! Run it with `cargo run --package keelstone-host --example own_host`.
#![allow(clippy::print_stdout, reason = "it is a program")]
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "a program with std")]

use std::path::Path;

use contract::exports::keelstone::store::store::{
    self as wit, Batch, Durability, Keys, OpenMode, Options, Write,
};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Error, Result, Store};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView, p2};

#[allow(missing_docs, clippy::all, reason = "made by a macro")]
mod contract {
    wasmtime::component::bindgen!({
        path: "../wit",
        inline: "package example:host; world plugins { export keelstone:store/store@0.1.0; }",
        world: "example:host/plugins",
    });
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("keelstone-own-host-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    for expected in [None, Some("Frank Herbert")] {
        let found = visit(&dir)?;
        println!("dune = {:?}", found.as_deref().map(String::from_utf8_lossy));
        assert_eq!(found.as_deref(), expected.map(str::as_bytes));
    }
    Ok(std::fs::remove_dir_all(&dir)?)
}

/// Opens the store in a new instance, says what `dune` was, and sets it.
fn visit(dir: &Path) -> Result<Option<Vec<u8>>> {
    let bytes = keelstone_host::sandbox::Sandbox::built_in_bytes();
    let engine = Engine::default();
    let component = Component::new(&engine, bytes.ok_or_else(|| Error::msg("no component"))?)?;
    let mut linker = Linker::new(&engine);
    p2::add_to_linker_sync(&mut linker)?;
    let mut wasi = WasiCtx::builder();
    // Why, and why first: else each call crosses threads, at ten times the price.
    wasi.allow_blocking_current_thread(true);
    wasi.preopened_dir(dir, "store", FsPerms::ReadWrite)?;
    let state = State { wasi: wasi.build(), table: ResourceTable::new() };
    let mut store = Store::new(&engine, state);
    let host = contract::Plugins::instantiate(&mut store, &component, &linker)?;
    let db = host.keelstone_store_store().db();
    let said = |error: wit::Error| Error::msg(error.message);
    let open = db.call_open(&mut store, "store", options())?.map_err(said)?;
    let keys = Keys { bytes: b"dune".to_vec(), lengths: vec![4] };
    let found = db.call_get(&mut store, open, &keys)?.map_err(said)?;
    let write = Write { key_length: 4, value_length: Some(13), expires_ms: None, range: false };
    let batch = Batch { bytes: b"duneFrank Herbert".to_vec(), writes: vec![write] };
    db.call_apply(&mut store, open, &batch, Durability::Durable)?.map_err(said)?;
    db.call_close(&mut store, open)?.map_err(said)?;
    // One key was asked for: what was found is its value.
    Ok(found.found[0].map(|_| found.bytes))
}

fn options() -> Options {
    Options {
        mode: OpenMode::Create,
        layout: None,
        seed: (0x5eed, std::process::id().into()), // take it from a random source
        durability: Durability::Durable,
        sync_every: (0, 0, 0),
        value_bytes_max: None,
        segment_bytes: None,
        merge_dead_percent: None,
        expiry_grace_ms: None,
        reserve_bytes: None,
        memory_budget: None,
        memtable_bytes: None,
        flush_memtables: None,
        index_shards: None,
        inline_work: None,
        events: false,
    }
}
