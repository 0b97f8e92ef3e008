//! Keelstone outside the sandbox: the command line `keel`.
//!
//! Called by the binary; calls the engine over the native disk. [`cli`] is the house's roof,
//! [`escape`] the text form of keys and values that the whole command line shares. [`cli::lines`]
//! reads what `import` reads.

#![expect(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "this crate always has the standard library"
)]

mod bindings;
pub mod cli;
pub mod engine;
pub mod escape;
pub mod sandbox;
pub mod wasi_fs;
