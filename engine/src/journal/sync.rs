//! Making writes durable: one sync for everybody who waits, older logs first.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use super::write::{Active, SinceSync, Unsynced, Writer};
use super::{Journal, LogFile};
use crate::error::Result;
use crate::lab::Bug;
use crate::log::Ticket;
use crate::manifest::Fault;

/// What one round of syncs covers.
struct Round {
    older: Vec<(u64, Ticket)>,
    active: Option<(u64, Ticket)>,
    through: u64,
}

impl Journal {
    /// Makes every write that has returned durable.
    pub(crate) fn sync(&self) -> Result<()> {
        self.check_writable()?;
        let seq = self.sequence();
        self.sync_through(seq)
    }

    /// Makes every sequence up to `seq` durable, in every file.
    ///
    /// Whoever waits for another's sync finds its own writes covered by it: that is the group commit.
    pub(crate) fn sync_through(&self, seq: u64) -> Result<()> {
        let _one_at_a_time = self.syncer.lock();
        self.check_writable()?;
        if self.durable_sync && self.durable_seq.load(Ordering::Acquire) >= seq {
            return Ok(());
        }
        let round = self.begin_round();
        if self.durable_sync && self.switches.on(Bug::DurableBeforeSync) {
            self.durable_seq.fetch_max(round.through, Ordering::AcqRel);
        }
        let started = self.options.clock.ticks_us();
        if let Err(error) = self.run_round(&round) {
            // Invariant: a failed sync is never tried again; the state makes every later write fail.
            return Err(self.settle(Fault::Sync(error)));
        }
        let us = self.options.clock.ticks_us().saturating_sub(started);
        self.counters.syncs.fetch_add(1, Ordering::Relaxed);
        self.counters.sync_us.fetch_add(us, Ordering::Relaxed);
        self.end_round(&round);
        Ok(())
    }

    /// Makes a log durable that takes no more writes, its footer included: no sequence stands for that.
    pub(crate) fn sync_sealed(&self, file: &LogFile) -> Result<()> {
        let waits = self.writer.lock().unsynced.iter().any(|u| u.file.number == file.number);
        if waits { self.sync_through(u64::MAX) } else { Ok(()) }
    }

    /// Lets logs go whose writes, all up to `seq`, are durable elsewhere.
    pub(crate) fn drop_logs(&self, writer: &mut Writer, logs: &[Arc<LogFile>], seq: u64) {
        let gone = |file: &LogFile| logs.iter().any(|log| log.number == file.number);
        writer.to_seal.retain(|file| !gone(file));
        writer.unsynced.retain(|unsynced| !gone(&unsynced.file));
        let all = self.switches.on(Bug::FlushCoversLater);
        let seq = if all { writer.next_seq - 1 } else { seq };
        if self.durable_sync {
            self.durable_seq.fetch_max(seq, Ordering::AcqRel);
        }
    }

    fn begin_round(&self) -> Round {
        let mut writer = self.writer.lock();
        let ticket = |u: &Unsynced| (u.file.number, u.ticket.clone());
        let older = writer.unsynced.iter().map(ticket).collect();
        let active = writer.active.as_ref().map(|a| (a.file.number, self.ticket(a)));
        writer.since_sync = SinceSync::default();
        Round { older, active, through: writer.next_seq - 1 }
    }

    fn ticket(&self, active: &Active) -> Ticket {
        let ticket = active.log.ticket();
        if self.switches.on(Bug::LengthNotSynced) { ticket.without_length() } else { ticket }
    }

    fn run_round(&self, round: &Round) -> Result<()> {
        if !self.switches.on(Bug::OlderLogNotSynced) {
            for (_, ticket) in &round.older {
                // Crash: a prefix of the older logs is durable; the marks still say less than that.
                ticket.sync()?;
            }
        }
        if let Some((_, ticket)) = &round.active
            && !self.switches.on(Bug::WriteNotSynced)
        {
            ticket.sync()?;
        }
        Ok(())
    }

    fn end_round(&self, round: &Round) {
        let mut writer = self.writer.lock();
        let done = |number: u64| round.older.iter().any(|(n, _)| *n == number);
        writer.unsynced.retain(|u| !done(u.file.number));
        if let (Some(active), Some((number, ticket))) = (&mut writer.active, &round.active)
            && active.file.number == *number
        {
            active.log.synced(ticket);
        }
        let later = self.switches.on(Bug::SyncCoversLater);
        let through = if later { writer.next_seq - 1 } else { round.through };
        if self.durable_sync {
            self.durable_seq.fetch_max(through, Ordering::AcqRel);
        }
    }
}
