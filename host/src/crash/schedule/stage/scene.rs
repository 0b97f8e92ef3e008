//! What may happen next in a run, and what happens then: a write, the end of one, another's sync, a job.
//!
//! Called by the stage, one step at a time. Promise: what is told, marked and counted is what the store did.

use keelstone::vfs::fault::Fault;
use keelstone::vfs::{Kind, fault};
use keelstone::{Db, Durability, Error, Health, Layout};

use super::{Scene, Shared, Ticket, Way, Writer};
use crate::crash::program::Word;
use crate::crash::promise::Mark;
use crate::crash::schedule::ran::Chosen;
use crate::crash::schedule::text::Effect;
use crate::crash::store::{NOW_MS, Store, load, same, told};

/// So many jobs are taken in a run.
const JOBS_MAX: usize = 2;
/// So many of them are given up.
const GIVEN_UP_MAX: usize = 1;
/// So many bytes of a write that fails in the middle.
const PART_BYTES: usize = 40;

/// Whether nobody else may be in the middle of something: such a word would wait for jobs in hand, or take the store away.
const fn is_alone(word: Word) -> bool {
    matches!(word, Word::Load | Word::Compact | Word::Reopen | Word::Kill)
}

impl Scene {
    pub(super) fn db(&self) -> Result<Db, String> {
        self.db.clone().ok_or_else(|| "the store is not open".to_owned())
    }

    pub(super) fn tell(&mut self, writer: usize, word: Word, what: &str) {
        self.story.push(format!("writer {}: {word} {what}", writer + 1));
    }

    /// What became of the last line of the story.
    fn tell_more(&mut self, what: &str) {
        if let Some(line) = self.story.last_mut() {
            line.push_str(what);
        }
    }

    /// What may happen now.
    pub(super) fn ways(&self) -> Vec<Way> {
        if self.ended {
            return Vec::new();
        }
        let waits = self.writers.iter().any(|writer| writer.ticket.is_some());
        let quiet = self.hand.is_empty() && !waits;
        let ready = |writer: &Writer| writer.word().is_some_and(|w| quiet || !is_alone(w));
        let writes = (0..).zip(&self.writers).filter(|(_, writer)| ready(writer));
        let mut ways: Vec<Way> = writes.map(|(n, _)| Way::Write(n)).collect();
        if self.may_take() {
            ways.push(Way::Take);
        }
        ways.extend((0..self.hand.len()).map(Way::Step));
        if self.tally.given_up < GIVEN_UP_MAX as u64 {
            ways.extend((0..self.hand.len()).map(Way::GiveUp));
        }
        ways
    }

    fn may_take(&self) -> bool {
        let due = self.db.as_ref().is_some_and(|db| db.due(NOW_MS));
        due && self.tally.jobs < JOBS_MAX as u64
    }

    /// What may happen while a writer is in a sync.
    pub(super) fn ways_beside(&self, syncs: usize, layout: Layout) -> Vec<Way> {
        let Some(db) = &self.db else { return Vec::new() };
        let durable = db.durable_sequence();
        let ready = |writer: &Writer| match (writer.ticket, writer.word()) {
            (Some(ticket), _) => durable >= ticket.sequence,
            (None, Some(word)) => word.batch(0).is_some(),
            (None, None) => false,
        };
        let writes = (0..).zip(&self.writers).filter(|(n, writer)| *n != syncs && ready(writer));
        let mut ways: Vec<Way> = writes.map(|(n, _)| Way::Write(n)).collect();
        // Why not in the hash layout: a step there may need a sync, and would wait.
        if layout == Layout::Ordered {
            if self.may_take() {
                ways.push(Way::Take);
            }
            ways.extend((0..self.hand.len()).map(Way::Step));
        }
        ways
    }

    /// Makes a choice, and plans what fails from there on.
    pub(super) fn pick(&mut self, shared: &Shared, of: usize) -> usize {
        let choice = self.guide.choice(self.chosen.len(), of);
        let begin = shared.fault.ops();
        if let Some(failing) = choice.failing {
            let at = begin + failing.op;
            let effect = match failing.effect {
                Effect::None => fault::Effect::None,
                Effect::Part => fault::Effect::Partial(PART_BYTES),
                Effect::Whole => fault::Effect::Full,
                Effect::Dropped => fault::Effect::None,
            };
            let kind = if failing.no_space { Kind::NoSpace } else { Kind::Io };
            if failing.effect == Effect::Dropped {
                shared.disk.drop_sync(at);
            } else {
                let forever = failing.forever;
                shared.fault.inject(Fault { at, forever, kind, effect });
            }
            self.failing.push(at);
        }
        self.begins.push(begin);
        let at = shared.fault.trace().len();
        self.chosen.push(Chosen { choice, of, at, ops: Vec::new() });
        choice.way
    }

    /// Whether something has failed so far.
    fn is_struck(&self, shared: &Shared) -> bool {
        let ops = shared.fault.ops();
        self.failing.iter().any(|at| *at < ops)
    }

    /// An error is what a failing disk leads to, and does not call it damaged.
    fn accept(&mut self, shared: &Shared, what: &str, error: Error) -> Result<(), String> {
        self.tell_more(&format!(" -> {error}"));
        self.tally.told += 1;
        let is_honest =
            matches!(error, Error::Storage(_) | Error::OutOfSpace | Error::ReadOnly { .. });
        if is_honest && self.is_struck(shared) { Ok(()) } else { told(what, Err(error)) }
    }

    /// A write: whole, failed or refused.
    pub(super) fn write(
        &mut self,
        shared: &Shared,
        writer: usize,
        word: Word,
    ) -> Result<(), String> {
        let db = self.db()?;
        let (number, by) = (self.history.len() + 1, writer as u64 + 1);
        let n = usize::try_from(number - 1).unwrap_or(usize::MAX);
        let refused = db.health() == Health::ReadOnly;
        let note = |mark: Mark| shared.fault.mark(mark.by(by));
        if !refused {
            note(Mark::Begun(number));
        }
        let batch = word.batch(n);
        let written = match &batch {
            Some((batch, _)) => db.write(batch, Durability::Buffered),
            None => load(&db, word.load(n).into_iter().flatten()).map(|()| db.sequence()),
        };
        self.tell(writer, word, &format!("written as {number}"));
        self.tally.between += u64::from(self.is_between(writer));
        if refused {
            self.tally.refused += 1;
            self.writers[writer].at += 1;
            return match written {
                Ok(_) => Err(format!("{word} was taken by a store that refuses writes")),
                Err(error) => self.accept(shared, "write", error),
            };
        }
        let failed = written.is_err();
        match (&batch, word.load(n)) {
            (Some((batch, _)), _) => self.history.push_batch(batch.writes(), failed),
            (None, Some(entries)) => self.history.push_load(entries, failed),
            (None, None) => {}
        }
        match written {
            Err(error) => {
                note(Mark::Failed(number));
                self.writers[writer].at += 1;
                self.accept(shared, "write", error)
            }
            Ok(sequence) => {
                same("the sequence of a write", &sequence, &self.history.last().sequence)?;
                match batch {
                    Some((_, true)) => {
                        self.writers[writer].ticket = Some(Ticket { number, sequence });
                    }
                    Some((_, false)) => {
                        note(Mark::Returned(number));
                        self.writers[writer].at += 1;
                    }
                    None => {
                        note(Mark::Durable(number));
                        self.writers[writer].at += 1;
                    }
                }
                Ok(())
            }
        }
    }

    /// Whether another writer has written and waits for its sync.
    fn is_between(&self, writer: usize) -> bool {
        (0..).zip(&self.writers).any(|(n, other)| n != writer && other.ticket.is_some())
    }

    /// Whether somebody else's sync has covered a write: then its writer needs none.
    pub(super) fn is_durable(&self, ticket: Ticket) -> Result<bool, String> {
        let db = self.db()?;
        Ok(db.health() != Health::ReadOnly && db.durable_sequence() >= ticket.sequence)
    }

    /// A durable write is acknowledged without a sync of its own.
    pub(super) fn follow(
        &mut self,
        shared: &Shared,
        writer: usize,
        ticket: Ticket,
    ) -> Result<(), String> {
        self.tally.followed += 1;
        if let Some(word) = self.writers[writer].word() {
            self.tell(writer, word, "is durable by another's sync");
        }
        self.complete(shared, writer, ticket, Ok(()))
    }

    /// The end of a durable write.
    pub(super) fn complete(
        &mut self,
        shared: &Shared,
        writer: usize,
        ticket: Ticket,
        synced: keelstone::Result<()>,
    ) -> Result<(), String> {
        let by = writer as u64 + 1;
        self.writers[writer].ticket = None;
        self.writers[writer].at += 1;
        match synced {
            Ok(()) => {
                shared.fault.mark(Mark::Returned(ticket.number).by(by));
                shared.fault.mark(Mark::Durable(ticket.number).by(by));
                Ok(())
            }
            Err(error) => {
                // Why: it may be there or not, as one that is written and not acknowledged.
                shared.fault.mark(Mark::Failed(ticket.number).by(by));
                self.accept(shared, "sync", error)
            }
        }
    }

    /// The end of a word that writes nothing.
    pub(super) fn end_word(
        &mut self,
        shared: &Shared,
        writer: usize,
        done: keelstone::Result<()>,
        mark: Option<Mark>,
    ) -> Result<(), String> {
        self.writers[writer].at += 1;
        match done {
            Ok(()) => {
                mark.iter().for_each(|mark| shared.fault.mark(mark.by(writer as u64 + 1)));
                Ok(())
            }
            Err(error) => self.accept(shared, "the word", error),
        }
    }

    /// Closes the store, or drops it, and opens it. Where that fails the run has ended.
    pub(super) fn reopen(
        &mut self,
        shared: &Shared,
        writer: usize,
        word: Word,
    ) -> Result<(), String> {
        self.tell(writer, word, "done");
        let db = self.db()?;
        self.db = None;
        if word == Word::Reopen
            && let Err(error) = db.close()
        {
            self.ended = true;
            return self.accept(shared, "close", error);
        }
        if word == Word::Reopen {
            let durable = Mark::Durable(self.history.len());
            shared.fault.mark(durable.by(writer as u64 + 1));
        }
        let read_only = db.health() == Health::ReadOnly;
        drop(db);
        match shared.open() {
            // Why: after a failed sync what was buffered may be lost, and no word goes on from there.
            Ok(_) if read_only => self.ended = true,
            Ok(db) => self.db = Some(db),
            Err(error) => {
                self.ended = true;
                self.accept(shared, "open", error)?;
            }
        }
        self.writers[writer].at += 1;
        Ok(())
    }

    /// What another does while a writer syncs.
    pub(super) fn act_beside(&mut self, shared: &Shared, way: Way) -> Result<(), String> {
        let Way::Write(writer) = way else { return self.step_job(shared, way) };
        match (self.writers[writer].ticket, self.writers[writer].word()) {
            (Some(ticket), _) => self.follow(shared, writer, ticket),
            (None, Some(word)) => self.write(shared, writer, word),
            (None, None) => Ok(()),
        }
    }

    /// A job is taken, stepped or given up.
    pub(super) fn step_job(&mut self, shared: &Shared, way: Way) -> Result<(), String> {
        let waits = self.writers.iter().any(|writer| writer.ticket.is_some());
        match way {
            Way::Take => {
                self.story.push("a job is taken".to_owned());
                self.tally.jobs += 1;
                match self.db()?.take_job() {
                    Some(job) => self.hand.push(job),
                    None if self.is_struck(shared) => self.tell_more(" -> none"),
                    None => return Err("a job was due, and there is none".to_owned()),
                }
            }
            Way::Step(at) => {
                self.story.push(format!("job {}: a step", at + 1));
                self.tally.steps_between += u64::from(waits);
                match self.hand[at].step() {
                    Ok(true) => {}
                    Ok(false) => drop(self.hand.remove(at)),
                    Err(error) => {
                        drop(self.hand.remove(at));
                        self.accept(shared, "a step of a job", error)?;
                    }
                }
            }
            Way::GiveUp(at) => {
                self.story.push(format!("job {} is given up", at + 1));
                self.tally.given_up += 1;
                drop(self.hand.remove(at));
            }
            Way::Write(_) => {}
        }
        Ok(())
    }

    /// At the end, without any crash, the store shows its history.
    pub(super) fn look(&self, store: &Store) -> Result<(), String> {
        let Some(db) = &self.db else { return Ok(()) };
        same("at the end of the program", &store.read(db)?, self.history.last())
    }

    /// What the whole run adds to what is counted.
    pub(super) fn settle_tally(&mut self, ops: u64) {
        let struck = self.failing.iter().any(|at| *at < ops);
        let read_only = self.db.as_ref().is_some_and(|db| db.health() == Health::ReadOnly);
        self.tally.schedules = 1;
        self.tally.struck = u64::from(struck);
        self.tally.absorbed = u64::from(struck && self.tally.told == 0);
        self.tally.told = u64::from(self.tally.told > 0);
        self.tally.read_only = u64::from(read_only);
        self.tally.interleaved = u64::from(self.tally.between > 0);
        self.tally.jobs_interleaved = u64::from(self.tally.steps_between > 0);
    }
}
