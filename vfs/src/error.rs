//! The one error type of the disk.
//!
//! Every backend returns it and the engine wraps it. It is small and `Copy`: it can be kept in a
//! health state, compared in a test and sent over a wire. Foreign errors (`std::io::Error`, WASI
//! codes) are mapped in the backend and stop there.

use core::fmt;

/// Why an operation on the disk failed, and which operation it was.
///
/// `kind` is what a caller branches on; `os` is the raw code of the operating system for people (0:
/// none was given).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub struct Error {
    /// The operation that failed.
    pub op: Op,
    /// What a caller branches on.
    pub kind: Kind,
    /// The operating system's own code, 0 where there is none.
    pub os: i32,
}

impl Error {
    /// An error without a code of the operating system.
    #[must_use]
    pub const fn new(op: Op, kind: Kind) -> Self {
        Self { op, kind, os: 0 }
    }

    /// An error with the code that the operating system gave.
    #[must_use]
    pub const fn with_os(op: Op, kind: Kind, os: i32) -> Self {
        Self { op, kind, os }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.op.name(), self.kind.text())?;
        if self.os != 0 {
            write!(f, " os={}", self.os)?;
        }
        Ok(())
    }
}

/// The operations of [`Vfs`](crate::Vfs) and [`File`](crate::File).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Op {
    /// [`Vfs::open`](crate::Vfs::open)
    Open,
    /// [`Vfs::create`](crate::Vfs::create)
    Create,
    /// [`Vfs::list`](crate::Vfs::list)
    List,
    /// [`Vfs::rename`](crate::Vfs::rename)
    Rename,
    /// [`Vfs::remove`](crate::Vfs::remove)
    Remove,
    /// [`Vfs::create_dir`](crate::Vfs::create_dir)
    CreateDir,
    /// [`Vfs::sync_dir`](crate::Vfs::sync_dir)
    SyncDir,
    /// [`Vfs::lock`](crate::Vfs::lock)
    Lock,
    /// [`File::read_at`](crate::File::read_at)
    Read,
    /// [`File::write_at`](crate::File::write_at)
    Write,
    /// [`File::len`](crate::File::len)
    Len,
    /// [`File::set_len`](crate::File::set_len)
    SetLen,
    /// [`File::allocate`](crate::File::allocate)
    Allocate,
    /// [`File::sync`](crate::File::sync)
    Sync,
}

impl Op {
    /// All operations, so that a name can be turned back.
    pub const ALL: [Self; 14] = [
        Self::Open,
        Self::Create,
        Self::List,
        Self::Rename,
        Self::Remove,
        Self::CreateDir,
        Self::SyncDir,
        Self::Lock,
        Self::Read,
        Self::Write,
        Self::Len,
        Self::SetLen,
        Self::Allocate,
        Self::Sync,
    ];

    /// The operation's name as it stands in traces and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::List => "list",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::CreateDir => "create_dir",
            Self::SyncDir => "sync_dir",
            Self::Lock => "lock",
            Self::Read => "read",
            Self::Write => "write",
            Self::Len => "len",
            Self::SetLen => "set_len",
            Self::Allocate => "allocate",
            Self::Sync => "sync",
        }
    }
}

/// What kind of failure it was: each is treated differently by some caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// No file or directory has this name.
    NotFound,
    /// The name is taken already.
    Exists,
    /// The medium or the quota is full; it may pass.
    NoSpace,
    /// The disk or this handle takes no writes.
    ReadOnly,
    /// The operating system refuses this user.
    Denied,
    /// Somebody else holds the lock.
    Locked,
    /// The backend has no such operation.
    Unsupported,
    /// The name is not a plain name (see [`check_name`](crate::check_name)), or it names the wrong
    /// kind of thing.
    BadName,
    /// Memory for the operation could not be had.
    NoMemory,
    /// The medium or its driver failed: nothing more is known.
    Io,
}

impl Kind {
    /// All kinds, so that a word can be turned back.
    pub const ALL: [Self; 10] = [
        Self::NotFound,
        Self::Exists,
        Self::NoSpace,
        Self::ReadOnly,
        Self::Denied,
        Self::Locked,
        Self::Unsupported,
        Self::BadName,
        Self::NoMemory,
        Self::Io,
    ];

    /// The one word that stands for it where a program reads it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Exists => "exists",
            Self::NoSpace => "no-space",
            Self::ReadOnly => "read-only",
            Self::Denied => "denied",
            Self::Locked => "locked",
            Self::Unsupported => "unsupported",
            Self::BadName => "bad-name",
            Self::NoMemory => "no-memory",
            Self::Io => "io",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::Exists => "exists already",
            Self::NoSpace => "no space left",
            Self::ReadOnly => "read-only",
            Self::Denied => "permission denied",
            Self::Locked => "locked by another",
            Self::Unsupported => "not supported here",
            Self::BadName => "not a valid name",
            Self::NoMemory => "out of memory",
            Self::Io => "input/output error",
        }
    }
}

/// The result of every operation on the disk.
pub type Result<T> = core::result::Result<T, Error>;
