//! What `wit/` says, as Rust: made by the macro, nothing by hand.
//!
//! Called by `sandbox`, which calls the exports, and by `wasi_fs`, which implements the imports.
//! Lists of bytes are passed to the component without a copy on this side.

#![allow(missing_docs, clippy::all, clippy::pedantic, reason = "made by a macro")]
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::alloc_instead_of_core,
    reason = "made by a macro"
)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "keelstone:store/component",
    imports: { default: trappable },
    ownership: Borrowing { duplicate_if_necessary: true },
    trappable_error_type: { "wasi:filesystem/types.error-code" => crate::wasi_fs::FsError },
    with: {
        "wasi:filesystem/types.descriptor": crate::wasi_fs::Descriptor,
        "wasi:filesystem/types.directory-entry-stream": crate::wasi_fs::Listing,
    },
});
