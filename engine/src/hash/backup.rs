//! Backup: everything that a snapshot holds, as a store of its own in another directory.

use alloc::sync::Arc;

use keelstone_vfs::Vfs;

use super::rewrite::Rewriter;
use super::{LAYOUT, Store};
use crate::error::{Error, Invalid, Result};
use crate::lab::Switches;
use crate::manifest::{Fault, Manifest, State};

impl Store {
    /// Writes the store as it is now into the empty `dest`, with a seed of its own. The copy exists with its last step.
    pub(crate) fn backup(self: &Arc<Self>, dest: &Arc<dyn Vfs>, seed: u128) -> Result<()> {
        if !dest.list("")?.is_empty() {
            return Err(Error::Invalid(Invalid::NotEmpty));
        }
        let snapshot = Arc::new(self.snapshot()?);
        let mut scan = snapshot.scan()?;
        let mut state = State::new(LAYOUT);
        let time_ms = self.journal.now_ms();
        let mut rewriter =
            Rewriter::new(&**dest, seed, time_ms, self.journal.options.segment_bytes)
                .with_switches(self.journal.switches);
        while scan.next(|entry| rewriter.push(&mut state, entry))?.is_some() {}
        rewriter.finish(&mut state)?;
        (state.mark_seq, state.mark_time_ms) = (snapshot.sequence(), time_ms);
        // Crash: files without CURRENT are no store; the destination is to be emptied and the backup taken again.
        let made = Manifest::create(dest, Switches::default(), seed, state);
        made.map(|_| ()).map_err(Fault::error)
    }
}
