//! Worker threads: due syncs and background work off the writers' paths. Feature `std` only.
//!
//! Called by whoever opens a store natively; calls `Db` only. The core knows nothing of it: it spawns no thread, and work
//! is a value that a worker takes, runs and gives back. Group commit needs no thread of its own: writers that wait for a
//! sync share the next one (`Db::write`).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::clock::Clock;
use crate::db::Db;

#[cfg(test)]
mod gate;
#[cfg(test)]
mod tests;

/// Threads that do what is due, until they are dropped.
///
/// Open the store with [`Options::inline_work`](crate::Options::inline_work) off, so that writes leave the work to them.
pub struct Workers {
    bell: Arc<Bell>,
    threads: Vec<JoinHandle<()>>,
}

/// What workers wait on.
#[derive(Default)]
struct Bell {
    stopped: Mutex<bool>,
    rung: Condvar,
}

impl Bell {
    /// Waits until it rings or `time` has passed; says whether to stop.
    fn wait(&self, time: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.rung.wait_timeout_while(stopped, time, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.rung.notify_all();
    }
}

impl Workers {
    /// Starts `count` threads that look every `interval` whether something is due at `clock`'s time.
    ///
    /// Work that fails is told to the store's observer and tried again at the next look.
    ///
    /// # Errors
    /// What the operating system says to a new thread; those that were started have ended then.
    pub fn start(
        db: &Db,
        count: usize,
        interval: Duration,
        clock: &Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        let mut workers = Self { bell: Arc::default(), threads: Vec::new() };
        for number in 0..count {
            let (db, bell, clock) = (db.clone(), Arc::clone(&workers.bell), Arc::clone(clock));
            let name = alloc::format!("keelstone-{number}");
            let run = move || work_until_stopped(&db, &bell, interval, &*clock);
            workers.threads.push(std::thread::Builder::new().name(name).spawn(run)?);
        }
        Ok(workers)
    }
}

fn work_until_stopped(db: &Db, bell: &Bell, interval: Duration, clock: &dyn Clock) {
    let mut pause = Duration::ZERO;
    while !bell.wait(pause) {
        let more = db.due(clock.now_ms()) && matches!(db.work(), Ok(true));
        pause = if more { Duration::ZERO } else { interval };
    }
}

impl Drop for Workers {
    /// Waits for the step that each thread is in.
    fn drop(&mut self) {
        self.bell.stop();
        for thread in self.threads.drain(..) {
            // Why: a worker that panicked has told so itself, and there is nobody here to pass it to.
            let _panicked = thread.join();
        }
    }
}
