//! What was done to a store and when, and which states a crash may leave: the crash promise as a value.
//!
//! Filled by the recorder while a run goes on; asked by the judge. Positions count the steps of the disk's trace.
//! Promise: a state is allowed if and only if it is the result of some prefix of the issued writes that holds every
//! write it must hold; a write that returned an error may be in or out.

use keelstone::{Entry, Write};

use crate::model::Model;

/// One batch that was issued.
#[derive(Clone, Debug)]
struct Issued {
    writes: Vec<Write>,
    /// All of them are one write.
    load: bool,
    /// The steps before the call.
    begun: usize,
    /// The steps before it returned without an error.
    returned: Option<usize>,
    failed: bool,
}

impl Issued {
    fn apply(&self, model: &mut Model) {
        if self.load { model.load(&self.writes) } else { model.apply_all(&self.writes) }
    }
}

/// Everything that was issued, in order.
#[derive(Clone, Debug, Default)]
pub struct History {
    issued: Vec<Issued>,
    /// After so many steps, the first so many batches were acknowledged as durable.
    durable: Vec<(usize, usize)>,
    /// The state after each batch, failed ones left out.
    states: Vec<Model>,
    /// After so many steps, the clock shows this.
    times: Vec<(usize, u64)>,
}

/// Which crash it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Crash {
    /// The process ended; the disk lost nothing.
    Kill,
    /// Power was cut.
    Power,
}

/// Which prefixes a crash may leave: from `least` to `most` batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// All that must be there.
    pub least: usize,
    /// All that can be there.
    pub most: usize,
}

impl History {
    /// A history that begins with an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self { states: vec![Model::default()], ..Self::default() }
    }

    /// A history that begins with a store that holds this and is durable.
    #[must_use]
    pub fn from_model(model: Model) -> Self {
        Self { states: vec![model], ..Self::default() }
    }

    /// A batch is about to be written.
    pub fn begin(&mut self, writes: &[Write], at: usize) {
        self.issue(writes, false, at);
    }

    /// A bulk load is about to begin.
    pub fn begin_load(&mut self, writes: &[Write], at: usize) {
        self.issue(writes, true, at);
    }

    fn issue(&mut self, writes: &[Write], load: bool, begun: usize) {
        let writes = writes.to_vec();
        self.issued.push(Issued { writes, load, begun, returned: None, failed: false });
    }

    /// It returned.
    ///
    /// # Panics
    /// If none was begun.
    pub fn end(&mut self, ok: bool, durable: bool, at: usize) {
        let last = self.issued.last_mut().expect("a batch was begun");
        last.failed = !ok;
        last.returned = ok.then_some(at);
        let mut next = self.states.last().expect("there is always a first state").clone();
        if ok {
            last.apply(&mut next);
        }
        self.states.push(next);
        if ok && durable {
            self.synced(at);
        }
    }

    /// Everything that returned is durable now.
    pub fn synced(&mut self, at: usize) {
        self.durable.push((at, self.issued.len()));
    }

    /// The clock shows this from here on.
    pub fn time(&mut self, now_ms: u64, at: usize) {
        self.times.push((at, now_ms));
    }

    /// What the clock shows after so many steps.
    #[must_use]
    pub fn time_at(&self, at: usize) -> u64 {
        self.times.iter().rev().find(|(from, _)| *from <= at).map_or(0, |(_, ms)| *ms)
    }

    /// The state after everything that returned without an error.
    ///
    /// # Panics
    /// Never: there is always a first state.
    #[must_use]
    pub fn last(&self) -> &Model {
        self.states.last().expect("there is always a first state")
    }

    /// How many batches were issued.
    #[must_use]
    pub fn len(&self) -> usize {
        self.issued.len()
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.issued.is_empty()
    }

    /// The batches that were issued, in order.
    pub fn batches(&self) -> impl Iterator<Item = &[Write]> {
        self.issued.iter().map(|issued| issued.writes.as_slice())
    }

    /// Every key that was ever written.
    #[must_use]
    pub fn keys(&self) -> Vec<Vec<u8>> {
        let written = self.issued.iter().flat_map(|issued| &issued.writes);
        let mut keys: Vec<_> = written.map(|write| crate::model::key_of(write).to_vec()).collect();
        keys.extend(self.states[0].keys().map(<[u8]>::to_vec));
        keys.sort();
        keys.dedup();
        keys
    }

    /// What a crash after `at` whole steps and a part of the next may leave.
    #[must_use]
    pub fn window(&self, crash: Crash, at: usize) -> Window {
        let most = self.issued.iter().take_while(|issued| issued.begun <= at).count();
        let durable = self.durable.iter().filter(|(from, _)| *from <= at).map(|(_, n)| *n);
        let durable = durable.max().unwrap_or(0);
        let returned = |issued: &Issued| issued.failed || issued.returned.is_some_and(|r| r <= at);
        let least = match crash {
            Crash::Power => durable,
            Crash::Kill => self.issued[..most].iter().take_while(|i| returned(i)).count(),
        };
        Window { least: least.max(durable), most }
    }

    /// A prefix of the window whose state at a time is `entries`, and whose last write has this sequence. Where writes
    /// failed the sequence is not known.
    pub fn find_at(
        &self,
        window: Window,
        entries: &[Entry],
        now_ms: u64,
        sequence: u64,
    ) -> Result<Model, String> {
        let model = self.find(window, entries, now_ms)?;
        let known = self.issued.iter().all(|issued| !issued.failed);
        let is = |m: usize| self.states.get(m).is_some_and(|state| state.sequence() == sequence);
        if known && !(window.least..=window.most).any(is) {
            return Err(format!(
                "sequence {sequence} is that of no prefix, {} is",
                model.sequence()
            ));
        }
        Ok(model)
    }

    /// A prefix of the window whose state at a time is `entries`.
    pub fn find(&self, window: Window, entries: &[Entry], now_ms: u64) -> Result<Model, String> {
        for m in (window.least..=window.most).rev() {
            let mut failed = self.issued[..m].iter().filter(|i| i.failed).count();
            // Why: with a failed write, in or out doubles the states; more than a few are never issued in one run.
            assert!(failed <= 12, "{failed} failed writes are too many for the oracle");
            failed = 1 << failed;
            for subset in 0..failed {
                let model = self.state(m, subset, now_ms);
                if model.scan() == entries {
                    return Ok(model);
                }
            }
        }
        Err(self.explain(window, entries, now_ms))
    }

    /// The state after `m` batches with those failed ones that `subset` has a bit for.
    fn state(&self, m: usize, subset: usize, now_ms: u64) -> Model {
        let mut model = if subset == 0 {
            self.states.get(m).cloned().unwrap_or_else(|| self.replay(m, 0))
        } else {
            self.replay(m, subset)
        };
        model.see_time(now_ms);
        model
    }

    fn replay(&self, m: usize, subset: usize) -> Model {
        let mut model = self.states[0].clone();
        let mut bit = 0;
        for issued in &self.issued[..m] {
            let mut applied = true;
            if issued.failed {
                applied = subset >> bit & 1 == 1;
                bit += 1;
            }
            if applied {
                issued.apply(&mut model);
            }
        }
        model
    }

    /// The difference to the nearest allowed state.
    fn explain(&self, window: Window, entries: &[Entry], now_ms: u64) -> String {
        use crate::text::show;
        let states = (window.least..=window.most).map(|m| (m, self.state(m, 0, now_ms).scan()));
        let distance = |scan: &[Entry]| {
            scan.iter().filter(|e| !entries.contains(e)).count()
                + entries.iter().filter(|e| !scan.contains(e)).count()
        };
        let (m, nearest) = states.min_by_key(|(_, scan)| distance(scan)).unwrap_or_default();
        let mut text = format!(
            "no prefix from {} to {} of {} writes gives this state; nearest is {m}:",
            window.least,
            window.most,
            self.issued.len()
        );
        for entry in nearest.iter().filter(|e| !entries.contains(e)) {
            text.push_str(&format!("\n    missing {} = {}", show(&entry.key), show(&entry.value)));
        }
        for entry in entries.iter().filter(|e| !nearest.contains(e)) {
            text.push_str(&format!("\n    surplus {} = {}", show(&entry.key), show(&entry.value)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Crash, History, Window};
    use crate::model::{delete, put};

    /// a=1 buffered, b=2 durable, a deleted and failed, c=3 buffered.
    fn history() -> History {
        let mut history = History::new();
        history.begin(&[put("a", "1")], 10);
        history.end(true, false, 11);
        history.begin(&[put("b", "2")], 11);
        history.end(true, true, 13);
        history.begin(&[delete("a")], 13);
        history.end(false, false, 14);
        history.begin(&[put("c", "3")], 14);
        history.end(true, false, 15);
        history
    }

    #[test]
    fn windows_follow_what_was_acknowledged() {
        let history = history();
        let window = |crash, at| history.window(crash, at);
        assert_eq!(window(Crash::Power, 9), Window { least: 0, most: 0 });
        assert_eq!(window(Crash::Power, 10), Window { least: 0, most: 1 });
        assert_eq!(window(Crash::Kill, 11), Window { least: 1, most: 2 });
        assert_eq!(window(Crash::Power, 12), Window { least: 0, most: 2 });
        assert_eq!(window(Crash::Power, 13), Window { least: 2, most: 3 });
        assert_eq!(window(Crash::Kill, 20), Window { least: 4, most: 4 });
        assert_eq!(window(Crash::Power, 20), Window { least: 2, most: 4 });
    }

    #[test]
    fn a_failed_write_is_in_or_out_and_nothing_else_is() {
        let history = history();
        let all = Window { least: 4, most: 4 };
        let entry = |key: &str, value: &str| keelstone::Entry {
            key: key.into(),
            value: value.into(),
            expires_ms: None,
        };
        let (a, b, c) = (entry("a", "1"), entry("b", "2"), entry("c", "3"));
        assert!(history.find(all, &[a.clone(), b.clone(), c.clone()], 0).is_ok());
        assert!(history.find(all, &[b.clone(), c.clone()], 0).is_ok());
        assert!(history.find(all, &[a.clone(), c.clone()], 0).is_err());
        assert!(history.find(all, &[a.clone(), b.clone()], 0).is_err());
        let part = Window { least: 2, most: 4 };
        assert!(history.find(part, &[a, b], 0).is_ok());
        assert!(history.find(part, &[c], 0).is_err());
    }
}
