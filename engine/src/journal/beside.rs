//! A write that stands beside the logs, in files that the manifest names: it has its sequence, and no log holds it.
//!
//! Called by the ordered layout's bulk load. The logs end before the sequence and begin again behind it, so that whoever
//! reads them meets a gap and not a silence.

use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use super::Journal;
use super::seal::sealed_edits;
use super::write::{SinceSync, Writer};
use crate::error::{Error, Result};
use crate::lab::Bug;
use crate::manifest::{Edit, Fault, Manifest};

impl Journal {
    /// Ends the active log and makes every write so far durable; the next write begins another log.
    pub(crate) fn close_logs(&self, writer: &mut Writer) -> Result<()> {
        if writer.broken {
            self.end_broken(writer)?;
        }
        // Crash: a log with a footer, whole or torn, behind which nothing was written: as after any seal.
        self.seal_active(writer)?;
        for unsynced in writer.unsynced.iter().filter(|_| !self.switches.on(Bug::LoadBeforeLogs)) {
            // Crash: a prefix of the logs is durable; nothing behind it was acknowledged.
            unsynced.ticket.sync().map_err(|error| self.settle(Fault::Sync(error)))?;
        }
        writer.unsynced.clear();
        writer.since_sync = SinceSync::default();
        if self.durable_sync {
            self.durable_seq.fetch_max(writer.next_seq - 1, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Gives the next sequence to a write that `edits` make live, after [`close_logs`](Self::close_logs).
    pub(crate) fn commit_beside(
        &self,
        writer: &mut Writer,
        edits: Vec<Edit>,
    ) -> core::result::Result<(), Unnamed> {
        let (seq, time_ms) = (writer.next_seq, self.now_ms());
        let mut all = sealed_edits(writer);
        all.extend(edits);
        // Why: no log holds the sequence, and the next open must not give it again.
        all.push(Edit::Mark { seq, time_ms });
        let none = Unnamed { error: Error::Closed, is_uncertain: true };
        let manifest = writer.manifest.as_mut().ok_or(none)?;
        // Crash: before the edit the files are unnamed, and the next open removes them; after it the write is there, whole.
        if let Err(fault) = manifest.commit(&all) {
            return Err(self.withdraw(manifest, fault));
        }
        writer.next_seq = seq + 1;
        for file in writer.to_seal.drain(..) {
            file.closed.store(true, Ordering::Release);
        }
        if self.durable_sync {
            self.durable_seq.fetch_max(seq, Ordering::AcqRel);
        }
        Ok(())
    }

    /// An edit that failed may be in the manifest all the same. One behind it that succeeds goes to a new manifest, which
    /// does not hold it.
    fn withdraw(&self, manifest: &mut Manifest, fault: Fault) -> Unnamed {
        let is_passing = matches!(fault, Fault::Write(_));
        let error = self.settle(fault);
        let number = manifest.state().next_file;
        let is_uncertain = !is_passing
            || manifest
                .commit(&[Edit::NextFile { number }])
                .map_err(|fault| self.settle(fault))
                .is_err();
        Unnamed { error, is_uncertain }
    }
}

/// Why a write beside the logs was not named.
pub(crate) struct Unnamed {
    pub(crate) error: Error,
    /// The next open may find the edit, whole: what it names must stay.
    pub(crate) is_uncertain: bool,
}
