//! Background work as a value.

use super::store::Store;
use crate::error::Result;
use crate::{hash, ordered};

/// A piece of background work: sealing a log, merging, or removing files.
///
/// Dropping it gives it up: what it wrote and did not publish is removed.
pub struct Job {
    work: Work,
}

enum Work {
    Hash(hash::Job),
    Ordered(ordered::Job),
}

impl Job {
    /// Reads and writes at most one MiB; `false` when the job is done.
    ///
    /// # Errors
    /// What the work met. The job has ended then, and nothing is lost by it.
    pub fn step(&mut self) -> Result<bool> {
        match &mut self.work {
            Work::Hash(job) => job.step(),
            Work::Ordered(job) => job.step(),
        }
    }

    /// Gives it back to the store that it belongs to.
    pub(super) fn give_back(self) {
        match self.work {
            Work::Hash(job) => job.give_back(),
            Work::Ordered(job) => job.give_back(),
        }
    }
}

impl Store {
    pub(super) fn take_job(&self) -> Option<Job> {
        let work = match self {
            Self::Hash(store) => Work::Hash(store.take_job()?),
            Self::Ordered(store) => Work::Ordered(store.take_job()?),
        };
        Some(Job { work })
    }
}
