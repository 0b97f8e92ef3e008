//! A piece of background work of either layout: taken, run in steps, given back, and ended whatever happens.
//!
//! Held by whoever runs it; calls the store that it belongs to. Promise: work ends exactly once, or waits in its store.

use alloc::sync::Arc;

use super::Journal;
use crate::error::Result;

/// A store whose background work is done in steps.
pub(crate) trait Works {
    /// What there is to do.
    type Work;

    fn journal(&self) -> &Journal;

    /// At most one MiB of input and output; `false` when nothing is left to do.
    fn step_work(&self, work: &mut Self::Work) -> Result<bool>;

    /// Keeps work that is not finished for whoever takes the next job.
    fn park_work(&self, work: Self::Work);

    /// The work is finished, failed or given up.
    fn end_work(&self, work: Self::Work);
}

/// One piece of background work in hand. Dropped, it is given up.
pub(crate) struct Job<S: Works> {
    store: Arc<S>,
    /// `None` once it is finished or given back.
    work: Option<S::Work>,
}

impl<S: Works> Job<S> {
    pub(crate) fn new(store: &Arc<S>, work: S::Work) -> Self {
        Self { store: Arc::clone(store), work: Some(work) }
    }

    /// One step; `false` when nothing is left to do. After an error the job has ended.
    pub(crate) fn step(&mut self) -> Result<bool> {
        let Some(work) = &mut self.work else { return Ok(false) };
        let more = self.store.journal().check_writable().and_then(|()| self.store.step_work(work));
        if !matches!(more, Ok(true)) {
            self.end();
        }
        more
    }

    /// Gives it back to its store, where it goes on later if it is not finished.
    pub(crate) fn give_back(mut self) {
        if self.store.journal().check_writable().is_ok()
            && let Some(work) = self.work.take()
        {
            self.store.park_work(work);
        }
    }

    fn end(&mut self) {
        if let Some(work) = self.work.take() {
            self.store.end_work(work);
        }
    }
}

impl<S: Works> Drop for Job<S> {
    fn drop(&mut self) {
        self.end();
    }
}
