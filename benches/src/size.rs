//! How much a benchmark does: in full, or a little that only shows that it works.

use std::env;

/// The size of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// As the figures are defined.
    Full,
    /// Some thousand operations: for tests, the times mean nothing.
    Small,
}

impl Size {
    /// Small with `KEELSTONE_BENCH_SMALL=1` or with the argument `--test`, else full.
    #[must_use]
    pub fn of_this_run() -> Self {
        let asked = env::var_os("KEELSTONE_BENCH_SMALL").is_some_and(|value| value == "1");
        if asked || env::args().any(|arg| arg == "--test") { Self::Small } else { Self::Full }
    }

    /// `full` or `small`, whichever this is.
    #[must_use]
    pub fn pick<T>(self, full: T, small: T) -> T {
        match self {
            Self::Full => full,
            Self::Small => small,
        }
    }
}

/// Whether the part `name` of a benchmark is to run: the arguments name it, or name nothing.
#[must_use]
pub fn wanted(name: &str) -> bool {
    let mut names = env::args().skip(1).filter(|arg| !arg.starts_with('-')).peekable();
    names.peek().is_none() || names.any(|arg| name.contains(&arg))
}
