//! Keelstone outside the sandbox: what runs a store in this process or inside a component.
//!
//! Called by the binary `keel` and by plugin hosts; calls the engine. [`engine`] is the face of a
//! store, wherever it runs; [`sandbox`] runs it as a component, [`wasi_fs`] gives the component its
//! files; [`cli`] is the house's roof, [`escape`] the text form of keys and values that the whole
//! command line shares. [`cli::lines`] reads what `import` reads.

#![expect(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "this crate always has the standard library"
)]

pub mod cli;
pub mod crash;
pub mod engine;
pub mod escape;
pub mod sandbox;
pub mod wasi_fs;
