//! Why a command ends without an answer, and the exit code and name that stand for it.
//!
//! Called by every command through `?` and by the hall at the end; calls nothing. The one place
//! that maps errors.

use std::fmt;
use std::io;

use keelstone::Error;

use crate::engine;

/// The result of a command.
pub(super) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command did not do all that was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// The key, or one of the keys, is absent; nothing is printed.
    Absent,
    /// The arguments, or the lines to import, are wrong.
    Usage(String),
    /// The store failed.
    Store(Error),
    /// `verify` found damage and has printed where.
    Damaged {
        /// How many places.
        places: usize,
    },
    /// A file outside the store failed.
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        error: io::Error,
    },
    /// The sandbox ended, or there is none.
    Sandbox(String),
    /// `crash` found a state after which a store does not keep its promise.
    Broken(String),
}

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Absent,
    Usage,
    Corrupt,
    Io,
    Full,
    Locked,
}

impl Exit {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Absent => 1,
            Self::Usage => 2,
            Self::Corrupt => 3,
            Self::Io | Self::Full => 4,
            Self::Locked => 5,
        }
    }

    /// The name in `--json` errors; nothing is said about an absent key.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Absent => None,
            Self::Usage => Some("usage"),
            Self::Corrupt => Some("corrupt"),
            Self::Io => Some("io"),
            Self::Full => Some("full"),
            Self::Locked => Some("locked"),
        }
    }
}

impl Failure {
    /// A file outside the store failed while `doing`.
    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        |error| Self::Io { doing: doing.into(), error }
    }

    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Absent => Exit::Absent,
            Self::Usage(_) => Exit::Usage,
            Self::Store(error) => store_exit(error),
            Self::Damaged { .. } | Self::Broken(_) => Exit::Corrupt,
            Self::Io { error, .. } => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Exit::Full,
                _ => Exit::Io,
            },
            Self::Sandbox(_) => Exit::Io,
        }
    }
}

fn store_exit(error: &Error) -> Exit {
    match error {
        Error::Invalid(_)
        | Error::Unsupported(_)
        | Error::NoStore
        | Error::Version { .. }
        | Error::MergedAway { .. } => Exit::Usage,
        Error::Corrupt(_) => Exit::Corrupt,
        Error::OutOfSpace => Exit::Full,
        Error::Locked => Exit::Locked,
        Error::Storage(_) | Error::ReadOnly { .. } | Error::Closed | Error::OutOfMemory => Exit::Io,
        // Why: the engine may get new kinds; until it is placed here, a new one is a failure of the
        // store.
        _ => Exit::Io,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("absent"),
            Self::Usage(message) | Self::Broken(message) => f.write_str(message),
            Self::Store(error) => write!(f, "{error}"),
            Self::Damaged { places } => write!(f, "the store is damaged places={places}"),
            Self::Io { doing, error } => write!(f, "{doing}: {error}"),
            // Why: one line, whatever wasmtime says.
            Self::Sandbox(text) => f.write_str(&text.replace('\n', " ")),
        }
    }
}

impl From<engine::Error> for Failure {
    fn from(error: engine::Error) -> Self {
        match error {
            engine::Error::Store(error) => Self::Store(error),
            engine::Error::Sandbox(text) => Self::Sandbox(text),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

#[cfg(test)]
mod tests {
    use keelstone::{Corruption, Damage, Error, FileName, Invalid};

    use super::{Exit, Failure};

    #[test]
    fn every_error_of_the_store_has_its_exit_code() {
        let corruption =
            Corruption { file: FileName::Log(1), offset: 0, bytes: 0, what: Damage::Checksum };
        let disk =
            keelstone::vfs::Error::new(keelstone::vfs::Op::Write, keelstone::vfs::Kind::ReadOnly);
        for (error, exit, code) in [
            (Error::Storage(disk), Exit::Io, 4),
            (Error::Corrupt(corruption), Exit::Corrupt, 3),
            (Error::Invalid(Invalid::EmptyKey), Exit::Usage, 2),
            (Error::Unsupported("it"), Exit::Usage, 2),
            (Error::OutOfSpace, Exit::Full, 4),
            (Error::ReadOnly { after_failed_sync: true }, Exit::Io, 4),
            (Error::Locked, Exit::Locked, 5),
            (Error::Closed, Exit::Io, 4),
            (Error::NoStore, Exit::Usage, 2),
            (Error::Version { format: 2, supported: 1 }, Exit::Usage, 2),
            (Error::MergedAway { oldest: 1 }, Exit::Usage, 2),
            (Error::OutOfMemory, Exit::Io, 4),
        ] {
            let failure = Failure::from(error);
            assert_eq!((failure.exit(), failure.exit().code()), (exit, code), "{error}");
        }
    }

    #[test]
    fn a_full_disk_is_named_also_where_it_is_not_the_store() {
        let error = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let failure = Failure::io("standard output")(error);
        assert_eq!((failure.exit().code(), failure.exit().name()), (4, Some("full")));
    }
}
