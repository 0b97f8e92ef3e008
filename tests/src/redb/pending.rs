//! What was not durable at each step of a trace, change by change, and every image that a choice among it leaves.
//!
//! Called by the exploration; calls the trace and the walk of the fault disk. The choices are those of redb's own
//! assumptions (`docs/design.md` of the release): each byte that was written since the last sync is old or new, each
//! length was reached or not, no byte beside them changes.
//! Promise: nothing is left that the fault disk could not leave; that all and nothing are left as it leaves them is
//! asserted at every step of the run.

use std::fmt;
use std::sync::Arc;

use keelstone::vfs::{Access, FaultDisk, PowerCut, Trace, Vfs};

use super::FILE;
use crate::index;
use crate::rng::Rng;

/// A write of at most so many bytes, which only that of the header is, is torn at every eighth byte, unless the
/// eight before are what was there anyway; a longer one in its middle only.
const FINE_BYTES: usize = 512;
const FINE_STEP: usize = 8;

/// One change that was not durable.
#[derive(Clone, Debug)]
enum Change {
    /// Bytes from this offset on.
    Write(usize, Arc<[u8]>),
    /// A length.
    Length(usize),
}

/// What is left of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// All of it.
    All,
    /// The bytes before this one.
    Front(usize),
    /// The bytes from this one on.
    Back(usize),
}

/// One choice among everything that was not durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The same is left of every change: `Nothing` or `All`.
    Every(Left),
    /// Of the change with this number `left`, of every other one `rest`.
    One {
        /// Which change, counted from the oldest.
        at: usize,
        /// What is left of it.
        left: Left,
        /// What is left of every other.
        rest: Left,
    },
    /// Any subset, and any parts of writes, drawn from this seed.
    Seeded(u64),
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("lost"),
            Self::All => f.write_str("kept"),
            Self::Front(n) => write!(f, "kept before byte {n}"),
            Self::Back(n) => write!(f, "kept from byte {n} on"),
        }
    }
}

/// The file at one step of a trace.
#[derive(Clone, Debug)]
pub struct Pending {
    durable: Arc<Vec<u8>>,
    changes: Vec<Noted>,
}

/// A change, the operation that made it, and where it is torn.
#[derive(Clone, Debug)]
struct Noted {
    line: Arc<str>,
    change: Change,
    tears: Arc<[usize]>,
}

impl Noted {
    /// Every part that is tried of this change.
    fn torn(&self) -> impl Iterator<Item = Left> + use<> {
        let tears = self.tears.clone();
        (0..tears.len()).flat_map(move |n| [Left::Front(tears[n]), Left::Back(tears[n])])
    }
}

impl Pending {
    /// What is left of the file.
    #[must_use]
    pub fn image(&self, cut: Cut) -> Vec<u8> {
        let mut rng = Rng::new(if let Cut::Seeded(seed) = cut { seed } else { 0 });
        let chance = *rng.pick(&[10, 30, 50, 70, 90]);
        let (mut row, mut len) = (self.durable.to_vec(), self.durable.len());
        for (n, Noted { change, .. }) in self.changes.iter().enumerate() {
            let left = match cut {
                Cut::Every(left) => left,
                Cut::One { at, left, rest } => {
                    if at == n {
                        left
                    } else {
                        rest
                    }
                }
                Cut::Seeded(_) => change.draw(&mut rng, chance),
            };
            change.lay(left, &mut row, &mut len);
        }
        row.resize(len, 0);
        row
    }

    /// The choice in words.
    #[must_use]
    pub fn describe(&self, cut: Cut) -> String {
        match cut {
            Cut::Every(left) => format!("everything unsynced {left}"),
            Cut::One { at, left, rest } => {
                format!("`{}` {left}, rest {rest}", self.changes[at].line)
            }
            Cut::Seeded(seed) => format!("seed {seed}"),
        }
    }

    /// The choices that are tried here: nothing and all; the newest change left alone, or lost alone, or torn; and if
    /// `all` says so, each older change lost alone or torn too. An older change left alone was tried when it was new.
    #[must_use]
    pub fn cuts(&self, all: bool) -> Vec<Cut> {
        use Left::{All, Nothing};
        let mut cuts = vec![Cut::Every(Nothing), Cut::Every(All)];
        let newest = self.changes.len().saturating_sub(1);
        for (at, change) in self.changes.iter().enumerate() {
            let one = |left, rest| Cut::One { at, left, rest };
            if at == newest {
                cuts.push(one(All, Nothing));
                cuts.extend(change.torn().map(|left| one(left, Nothing)));
            }
            if at == newest || all {
                cuts.push(one(Nothing, All));
                cuts.extend(change.torn().map(|left| one(left, All)));
            }
        }
        cuts
    }

    /// Whether everything is durable.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether this change is a write to the head of the file.
    #[must_use]
    pub fn is_header(&self, at: usize) -> bool {
        matches!(self.changes[at].change, Change::Write(0, _))
    }

    fn add(&mut self, line: &str, change: Change) {
        let mut tears = Vec::new();
        if let Change::Write(offset, bytes) = &change {
            // Why: so no write moves the length, and lengths stand in `Change::Length` alone.
            assert!(offset + bytes.len() <= self.len(), "{line}: beyond the end");
            if bytes.len() > FINE_BYTES {
                tears.push(bytes.len() / 2);
            } else {
                let kept = self.image(Cut::Every(Left::All));
                let differs = |n: &usize| {
                    let part = n - FINE_STEP..*n;
                    let there = |row: &[u8]| {
                        row.get(offset + part.start..offset + part.end).map(<[u8]>::to_vec)
                    };
                    let new = Some(bytes[part.clone()].to_vec());
                    there(&kept) != new || there(&self.durable) != new
                };
                tears.extend((FINE_STEP..bytes.len()).step_by(FINE_STEP).filter(differs));
            }
        }
        self.changes.push(Noted { line: line.into(), change, tears: tears.into() });
    }

    /// The length with everything kept.
    fn len(&self) -> usize {
        let lengths = self.changes.iter().rev().map(|noted| &noted.change);
        let last = lengths.filter_map(|change| match change {
            Change::Length(len) => Some(*len),
            Change::Write(..) => None,
        });
        last.take(1).next().unwrap_or(self.durable.len())
    }
}

impl Change {
    fn lay(&self, left: Left, row: &mut Vec<u8>, len: &mut usize) {
        match self {
            Self::Length(to) if left == Left::All => {
                if row.len() < *to {
                    row.resize(*to, 0);
                }
                if *len < *to {
                    row[*len..*to].fill(0);
                }
                *len = *to;
            }
            Self::Length(_) => {}
            Self::Write(offset, bytes) => {
                let range = match left {
                    Left::Nothing => 0..0,
                    Left::All => 0..bytes.len(),
                    Left::Front(n) => 0..n,
                    Left::Back(n) => n..bytes.len(),
                };
                let (start, end) = (offset + range.start, offset + range.end);
                if row.len() < end {
                    row.resize(end, 0);
                }
                row[start..end].copy_from_slice(&bytes[range]);
            }
        }
    }

    /// What is left by dice.
    fn draw(&self, rng: &mut Rng, chance: u64) -> Left {
        match self {
            _ if !rng.percent(chance) => Left::Nothing,
            Self::Write(_, bytes) if rng.percent(40) => {
                let at = rng.index(bytes.len() + 1);
                if rng.percent(50) { Left::Front(at) } else { Left::Back(at) }
            }
            _ => Left::All,
        }
    }
}

/// One step of a trace.
#[derive(Clone, Debug)]
pub struct Step {
    /// How many operations were done.
    pub op: usize,
    /// Whether the next one is a sync, or none follows.
    pub full: bool,
    /// What was pending.
    pub pending: Pending,
}

/// Every step of a trace, in order.
#[must_use]
pub fn steps(trace: &Trace) -> Vec<Step> {
    let mut walk = trace.walk();
    walk.seek(0, 0);
    let start = walk.disk().cached().remove(FILE).expect("the file is there");
    let mut pending = Pending { durable: Arc::new(start), changes: Vec::new() };
    let mut steps = Vec::new();
    for op in 0..=trace.len() {
        let line = |op: usize| trace.line(op).unwrap_or_default();
        if let Some(done) = op.checked_sub(1) {
            walk.seek(op, 0);
            pending.follow(&line(done), &walk.disk());
        }
        let next = line(op);
        let full = next.is_empty() || next.starts_with("sync ");
        steps.push(Step { op, full, pending: pending.clone() });
    }
    steps
}

impl Pending {
    /// Takes one operation into account; the bytes of a write are those on the disk behind it.
    fn follow(&mut self, line: &str, disk: &FaultDisk) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["write", FILE, range] => {
                let (offset, len) = range.split_once('+').expect("a range");
                let (offset, len) = (number(offset), number(len));
                let mut bytes = vec![0; len];
                let file = disk.open(FILE, Access::Read).expect("the file is there");
                assert_eq!(file.read_at(&mut bytes, offset as u64), Ok(len));
                self.add(line, Change::Write(offset, bytes.into()));
            }
            ["set_len", FILE, len] => self.add(line, Change::Length(number(len))),
            ["sync", FILE, "all"] => {
                let kept = self.image(Cut::Every(Left::All));
                *self = Self { durable: Arc::new(kept), changes: Vec::new() };
            }
            _ => panic!("no operation of redb: {line}"),
        }
    }

    /// Whether all and nothing are left as the fault disk leaves them.
    #[must_use]
    pub fn agrees(&self, disk: &FaultDisk) -> bool {
        let choices = [(PowerCut::Lost, Left::Nothing), (PowerCut::Kept, Left::All)];
        choices.into_iter().all(|(cut, left)| {
            disk.power_cut(&cut).read_file(FILE).as_ref() == Ok(&self.image(Cut::Every(left)))
        })
    }
}

fn number(text: &str) -> usize {
    index(text.parse().expect("a number"))
}
