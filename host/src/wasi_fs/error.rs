//! Errors of a disk as error codes of WASI. The guest's backend turns them back.

use keelstone::vfs::{Error, Kind};

use crate::bindings::wasi::filesystem::types::ErrorCode;

/// Why an operation of a component failed.
#[derive(Debug)]
pub enum FsError {
    /// The component is told.
    Code(ErrorCode),
    /// The component ends.
    Trap(wasmtime::Error),
}

impl FsError {
    /// For operations that have no error codes.
    pub(super) fn into_trap(self) -> wasmtime::Error {
        match self {
            Self::Code(code) => code.into(),
            Self::Trap(trap) => trap,
        }
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

/// The one table of codes.
fn code(kind: Kind) -> ErrorCode {
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
