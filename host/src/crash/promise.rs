//! What a store may show after a crash: the marks of a recording, the states that its writes lead to, and the judge.
//!
//! Called by the store as a system, and by those who record. Source of the rules: docs/architecture.md, the crash promise.
//! The state after a crash is the result of a prefix of the writes; it holds everything whose durability was acknowledged,
//! after a kill everything that was acknowledged; what one recovery has shown is decided; a durable write after it stays.
//! A write that has failed is there or not, whole, as long as nothing behind it has to be; one that was refused never is.

use std::collections::BTreeMap;

use keelstone::Write;
use keelstone::vfs::crash::Crash;

/// The key that recovery writes after the first crash and after the second.
///
/// Why so short: where a torn log is written again, the frame of such a write ends where that of a lost put ended, and what
/// stood behind it comes back.
pub(super) const PROBES: [&str; 2] = ["y", "z"];
/// What it writes there.
pub(super) const USED: &str = "u";

/// A mark: a number and what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Write so many is issued.
    Begun(u64),
    /// Write so many, and with it all before it, is acknowledged.
    Returned(u64),
    /// The writes up to this one are acknowledged as durable.
    Durable(u64),
    /// Recovery has shown what there is.
    Shown,
    /// The durable write after it is issued.
    ProbeBegun,
    /// And acknowledged.
    ProbeDone,
    /// Write so many has failed.
    Failed(u64),
}

/// Where the number of a mark's writer begins.
const WRITER_BITS: u32 = 40;

impl Mark {
    pub(super) const fn number(self) -> u64 {
        match self {
            Self::Begun(n) => n << 3,
            Self::Returned(n) => n << 3 | 1,
            Self::Durable(n) => n << 3 | 2,
            Self::Shown => 3,
            Self::ProbeBegun => 4,
            Self::ProbeDone => 5,
            Self::Failed(n) => n << 3 | 6,
        }
    }

    /// The same, of one of several writers; they count from 1.
    pub(super) const fn by(self, writer: u64) -> u64 {
        self.number() | writer << WRITER_BITS
    }

    const fn of(number: u64) -> Self {
        let n = (number & ((1 << WRITER_BITS) - 1)) >> 3;
        match number & 7 {
            0 => Self::Begun(n),
            1 => Self::Returned(n),
            2 => Self::Durable(n),
            3 => Self::Shown,
            4 => Self::ProbeBegun,
            5 => Self::ProbeDone,
            _ => Self::Failed(n),
        }
    }

    fn is_in(self, marks: &[u64]) -> bool {
        marks.contains(&self.number())
    }
}

/// The line of a mark for people.
#[must_use]
pub fn mark_name(number: u64) -> String {
    let by = match number >> WRITER_BITS {
        0 => String::new(),
        writer => format!("writer {writer}: "),
    };
    match Mark::of(number) {
        Mark::Begun(n) => format!("{by}write {n} issued"),
        Mark::Returned(n) => format!("{by}write {n} acknowledged"),
        Mark::Durable(n) => format!("{by}writes to {n} durable"),
        Mark::Shown => "shown".into(),
        Mark::ProbeBegun => "probe issued".into(),
        Mark::ProbeDone => "probe acknowledged".into(),
        Mark::Failed(n) => format!("{by}write {n} failed"),
    }
}

/// Everything a store shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Keys and values, the probes among them.
    pub entries: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The sequence of the last write.
    pub sequence: u64,
}

impl Seen {
    pub(super) fn apply(&mut self, write: &Write) {
        self.sequence += 1;
        match write {
            Write::Put { key, value, .. } => drop(self.entries.insert(key.clone(), value.clone())),
            Write::Delete { key } => drop(self.entries.remove(key)),
            Write::DeleteRange { from, to } => {
                self.entries.retain(|key, _| key < from || key >= to);
            }
        }
    }

    /// The same after the durable write that recovery makes.
    fn with_probe(&self) -> Self {
        let mut with = self.clone();
        with.apply(&Write::Put { key: PROBES[0].into(), value: USED.into(), expires_ms: None });
        with
    }
}

/// What one write leads to.
#[derive(Clone, Debug)]
struct Issued {
    /// So many writes of the line there are with it; if it failed, before it.
    line: usize,
    /// If it failed: what there is where it took effect all the same.
    failed: Option<Seen>,
}

/// The writes of a run in the order of their sequences, and what a store shows after each.
#[derive(Clone, Debug)]
pub struct History {
    /// After no write, after one, and so on; writes that failed are not in it.
    line: Vec<Seen>,
    /// All writes, the first one first.
    issued: Vec<Issued>,
}

impl Default for History {
    fn default() -> Self {
        let nothing = Seen { entries: BTreeMap::new(), sequence: 0 };
        Self { line: vec![nothing], issued: Vec::new() }
    }
}

impl History {
    /// What there is after all writes that did not fail.
    pub(super) fn last(&self) -> &Seen {
        &self.line[self.line.len() - 1]
    }

    /// How many writes were issued.
    pub(super) const fn len(&self) -> u64 {
        self.issued.len() as u64
    }

    /// One write more; whole, or it failed.
    pub(super) fn push(&mut self, change: impl FnOnce(&mut Seen), failed: bool) {
        let mut state = self.last().clone();
        change(&mut state);
        if failed {
            self.issued.push(Issued { line: self.line.len() - 1, failed: Some(state) });
        } else {
            self.line.push(state);
            self.issued.push(Issued { line: self.line.len() - 1, failed: None });
        }
    }

    /// A batch of writes.
    pub(super) fn push_batch(&mut self, writes: &[Write], failed: bool) {
        self.push(|state| writes.iter().for_each(|write| state.apply(write)), failed);
    }

    /// Keys that were loaded in bulk: one write.
    pub(super) fn push_load(&mut self, entries: [(&str, String); 2], failed: bool) {
        let load = |state: &mut Seen| {
            let entries = entries.map(|(key, value)| (key.into(), value.into_bytes()));
            state.entries.extend(entries);
            state.sequence += 1;
        };
        self.push(load, failed);
    }

    fn issued(&self, n: u64) -> Option<&Issued> {
        self.issued.get(usize::try_from(n).ok()?.checked_sub(1)?)
    }

    /// The furthest place in the line that marks of one kind lead to.
    fn most(&self, marks: &[u64], of: impl Fn(Mark) -> Option<u64>) -> usize {
        let numbers = marks.iter().filter_map(|mark| of(Mark::of(*mark)));
        numbers.filter_map(|n| self.issued(n)).map(|issued| issued.line).max().unwrap_or(0)
    }

    /// Whether this may be shown after a crash.
    pub(super) fn judge(&self, seen: &Seen, crash: &Crash<'_, Seen>) -> Result<(), String> {
        let second_marks = crash.second.map_or(&[][..], |second| second.marks);
        if let Some(second) = crash.second
            && Mark::Shown.is_in(second_marks)
        {
            // Why: what one recovery has shown is decided, and what it acknowledged after that stays.
            return judge_shown(seen, second.seen, second_marks);
        }
        let begun = self.most(crash.marks, |mark| match mark {
            Mark::Begun(n) => Some(n),
            _ => None,
        });
        let returned = self.most(crash.marks, |mark| match mark {
            Mark::Returned(n) => Some(n),
            _ => None,
        });
        let durable = self.most(crash.marks, |mark| match mark {
            Mark::Durable(n) => Some(n),
            _ => None,
        });
        // Why: a power cut during the recovery from a kill is a power cut.
        let least = if crash.power { durable } else { returned.max(durable) };
        let least =
            if crash.second.is_some_and(|second| second.first_power) { durable } else { least };
        let in_line = (least..=begun).any(|writes| self.line.get(writes) == Some(seen));
        if in_line || self.is_failed(seen, crash.marks, least) {
            return Ok(());
        }
        let writes = self.line.iter().position(|state| state == seen);
        let after = writes.map_or_else(
            || "no prefix of the writes gives this".into(),
            |n| format!("that is the state after {n} writes"),
        );
        Err(format!("{} is shown: {after}; {least} to {begun} were to be kept", show(seen)))
    }

    /// Whether a write that failed, and that nothing durable stands behind, leads to this.
    fn is_failed(&self, seen: &Seen, marks: &[u64], least: usize) -> bool {
        marks.iter().any(|mark| {
            let Mark::Begun(n) = Mark::of(*mark) else { return false };
            let issued = self.issued(n).filter(|issued| issued.line >= least);
            issued.is_some_and(|issued| issued.failed.as_ref() == Some(seen))
        })
    }
}

/// Whether this may be shown where a recovery before has shown something.
fn judge_shown(seen: &Seen, first: &Seen, marks: &[u64]) -> Result<(), String> {
    let with = first.with_probe();
    let (begun, done) = (Mark::ProbeBegun.is_in(marks), Mark::ProbeDone.is_in(marks));
    if (seen == first && !done) || (*seen == with && begun) {
        return Ok(());
    }
    let (was, what) = if done {
        (&with, "acknowledged after recovery")
    } else {
        (first, "shown by the first recovery")
    };
    Err(format!("{} was {what}, now {}", show(was), show(seen)))
}

/// What a store shows, on a line.
pub(super) fn show(seen: &Seen) -> String {
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if text.len() > 12 { format!("{}...", &text[..12]) } else { text }
    };
    let entry = |(key, value): (&Vec<u8>, &Vec<u8>)| format!("{}={}", text(key), text(value));
    let entries: Vec<String> = seen.entries.iter().map(entry).collect();
    format!("{{{}}} at sequence {}", entries.join(" "), seen.sequence)
}
