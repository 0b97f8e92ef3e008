//! Errors of a disk as error codes of WASI. The guest's backend turns them back.
//!
//! Called by every operation of `wasi_fs`, and by wasmtime for what a component is told; calls
//! nothing. Promise: each kind has a code of its own, which the guest's `vfs::WasiDisk` turns back
//! into that kind. Never: tells a component what the operating system said.

use keelstone::vfs::{Error, Kind};
use wasmtime::component::{Resource, ResourceTableError};

use super::WasiFs;
use crate::wasi_fs::bindings::wasi::filesystem::types::{self, ErrorCode};

/// Why an operation of a component failed.
#[derive(Debug)]
pub enum FsError {
    /// The component is told.
    Code(ErrorCode),
    /// The component ends.
    Trap(wasmtime::Error),
}

pub(super) type FsResult<T> = Result<T, FsError>;

impl FsError {
    /// For operations that have no error codes.
    pub(super) fn into_trap(self) -> wasmtime::Error {
        match self {
            Self::Code(code) => code.into(),
            Self::Trap(trap) => trap,
        }
    }

    /// A handle that was never given, or was given back.
    pub(super) fn bad_handle(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

impl From<ErrorCode> for FsError {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

impl From<Error> for FsError {
    fn from(error: Error) -> Self {
        Self::Code(code(error.kind))
    }
}

/// The one table of codes. Where a directory was met, `open::not_a_file` says so instead of
/// `Invalid`; the guest turns both into `BadName`.
const fn code(kind: Kind) -> ErrorCode {
    match kind {
        Kind::NotFound => ErrorCode::NoEntry,
        Kind::Exists => ErrorCode::Exist,
        Kind::NoSpace => ErrorCode::InsufficientSpace,
        Kind::ReadOnly => ErrorCode::ReadOnly,
        Kind::Denied => ErrorCode::Access,
        Kind::Locked => ErrorCode::Busy,
        Kind::Unsupported => ErrorCode::Unsupported,
        Kind::BadName => ErrorCode::Invalid,
        Kind::NoMemory => ErrorCode::InsufficientMemory,
        // Why: `Io`, and what a disk may learn to say.
        _ => ErrorCode::Io,
    }
}

impl types::Host for WasiFs {
    fn filesystem_error_code(
        &mut self,
        _: Resource<crate::wasi_fs::bindings::wasi::io::error::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.operation(|_, _| Ok(None)).map_err(FsError::into_trap)
    }

    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        match error {
            FsError::Code(code) => Ok(code),
            FsError::Trap(trap) => Err(trap),
        }
    }
}
