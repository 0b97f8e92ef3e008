//! Components for tests: one that fits the contract and traps at every call.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// The contract, as `wit/` has it.
///
/// # Panics
/// If `wit/` is not sound.
#[must_use]
pub fn contract() -> (Resolve, wit_parser::WorldId) {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let (package, _) = resolve.push_dir(wit).expect("wit/ can be read");
    let world = resolve.select_world(&[package], Some("component")).expect("the world is there");
    (resolve, world)
}

/// A component with every export of the contract, each of which traps.
///
/// # Panics
/// If it cannot be made.
#[must_use]
pub fn trapping() -> Vec<u8> {
    let (mut resolve, world) = contract();
    // Why: what it does not import it needs no host for.
    resolve.worlds[world].imports.clear();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("the contract can be embedded");
    let encoded = ComponentEncoder::default().module(&module).and_then(|encoder| encoder.encode());
    encoded.expect("the module is a component")
}
