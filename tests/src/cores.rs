//! Work that is shared out to all cores, and comes to the same however many there are.
//!
//! Called by the crash, fault and damage loops. Promise: of several failures the one with the least number is told.

use std::thread;

/// A failure, with the number of what failed.
pub type Failure = (usize, String);

/// Does a part on each core, which is told its number and how many there are; gives what each came to.
///
/// # Errors
/// The failure with the least number.
///
/// # Panics
/// If a part does: those that may have to turn panics into failures themselves.
pub fn on_all_cores<T: Send>(
    part: impl Fn(usize, usize) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, String> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(8);
    let part = &part;
    let results: Vec<_> = thread::scope(|scope| {
        let handles: Vec<_> =
            (0..threads).map(|me| scope.spawn(move || part(me, threads))).collect();
        handles.into_iter().map(|handle| handle.join().expect("panics are caught")).collect()
    });
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(part) => done.push(part),
            Err(failure) => failures.push(failure),
        }
    }
    failures.into_iter().min().map_or(Ok(done), |(_, text)| Err(text))
}

#[cfg(test)]
mod tests {
    use super::on_all_cores;

    #[test]
    fn every_part_is_done_and_the_least_failure_told() {
        let parts = on_all_cores(|me, of| Ok((me, of))).unwrap();
        assert!(parts.iter().enumerate().all(|(n, part)| *part == (n, parts.len())), "{parts:?}");
        let failed = on_all_cores::<()>(|me, of| Err((of - me, format!("part {me}"))));
        assert_eq!(failed, Err(format!("part {}", parts.len() - 1)));
    }
}
