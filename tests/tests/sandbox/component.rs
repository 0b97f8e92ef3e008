//! The component that ships: what it imports, and how large it is.

use keelstone_host::sandbox::Sandbox;
use wit_component::DecodedWasm;

/// Bytes that the component may have. The aim is 250,000: docs/benchmarks.md says what the rest is.
const BYTES_MAX: usize = 650_000;

fn bytes() -> &'static [u8] {
    Sandbox::built_in_bytes().expect("built with the component: `cargo xtask component`")
}

#[test]
fn it_imports_files_and_clocks_and_nothing_else() {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(bytes()).unwrap() else {
        panic!("not a component");
    };
    let world = &resolve.worlds[world];
    let mut imports: Vec<String> =
        world.imports.keys().map(|key| resolve.name_world_key(key)).collect();
    imports.sort();
    assert_eq!(
        imports,
        [
            "wasi:clocks/monotonic-clock@0.2.12",
            "wasi:clocks/wall-clock@0.2.12",
            "wasi:filesystem/preopens@0.2.12",
            "wasi:filesystem/types@0.2.12",
        ]
    );
    let exports: Vec<String> =
        world.exports.keys().map(|key| resolve.name_world_key(key)).collect();
    assert_eq!(exports, ["keelstone:store/store@0.1.0"]);
}

#[test]
fn it_is_small() {
    let len = bytes().len();
    assert!(len <= BYTES_MAX, "the component has {len} bytes, more than {BYTES_MAX}");
}
