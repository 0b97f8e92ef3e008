//! The operations of seeded runs, and the generator that makes lists of them.
//!
//! Called by the mirror and the crash loops. Promise: an operation carries everything it needs, so a list from which
//! some are left out is still a list that can be run: that is what shrinking needs.

use core::fmt;

use keelstone::Write;

use crate::model::{delete, key_of, put, put_until};
use crate::rng::Rng;
use crate::text::show;

/// Something that is done to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Writes one batch.
    Write {
        /// Its writes.
        writes: Vec<Write>,
        /// Whether it is synced.
        durable: bool,
    },
    /// Loads keys in bulk, in the order of their bytes, as one write. Ordered layout only.
    Load(Vec<Write>),
    /// Takes a key away and hears whether it was there.
    Remove(Vec<u8>),
    /// Reads a key in every way there is.
    Get(Vec<u8>),
    /// Reads everything, and the count.
    Scan,
    /// Takes a snapshot.
    Snapshot,
    /// Reads the n-th open snapshot.
    ReadSnapshot(usize),
    /// Drops the n-th open snapshot.
    DropSnapshot(usize),
    /// Begins a scan and reads one entry of it.
    BeginScan,
    /// Reads the rest of the n-th begun scan.
    EndScan(usize),
    /// Reads from the first key up to the second one, in order or backward, and walks to and fro. Ordered layout only.
    Range {
        /// The first key of it.
        from: Vec<u8>,
        /// The first key behind it.
        to: Vec<u8>,
        /// From the end.
        reverse: bool,
        /// Where the walk turns.
        turns: u64,
    },
    /// Makes everything durable.
    Sync,
    /// Does all the work there is.
    Compact,
    /// One bounded step of due work.
    Work,
    /// Takes a job, unless one is held.
    TakeJob,
    /// Runs one step of the held job.
    StepJob,
    /// Hands the held job back.
    GiveJob,
    /// Lets time go by.
    Advance(u64),
    /// Closes the store and opens it.
    Reopen,
    /// Drops the store as a killed process does and opens it.
    Kill,
    /// Reads the log from so many sequences ago.
    LogFrom(u64),
    /// Checks every byte.
    Verify,
    /// Copies the store and looks at the copy.
    Backup,
    /// Opens the store for reading only, looks, and opens it for writing again.
    ReadOnly,
}

impl Op {
    /// Its kind in a word: what a long run counts.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Write { writes, .. } => match writes.as_slice() {
                [Write::Put { expires_ms: None, .. }] => "put",
                [Write::Put { .. }] => "put until",
                [Write::Delete { .. }] => "delete",
                [Write::DeleteRange { .. }] => "delete range",
                _ => "batch",
            },
            Self::Load(_) => "load",
            Self::Remove(_) => "remove",
            Self::Get(_) => "get",
            Self::Scan => "scan",
            Self::Snapshot => "snapshot",
            Self::ReadSnapshot(_) => "read snapshot",
            Self::DropSnapshot(_) => "drop snapshot",
            Self::BeginScan => "begin scan",
            Self::EndScan(_) => "end scan",
            Self::Range { .. } => "range",
            Self::Sync => "sync",
            Self::Compact => "compact",
            Self::Work => "work",
            Self::TakeJob => "take job",
            Self::StepJob => "step job",
            Self::GiveJob => "give job",
            Self::Advance(_) => "advance",
            Self::Reopen => "reopen",
            Self::Kill => "kill",
            Self::LogFrom(_) => "log from",
            Self::Verify => "verify",
            Self::Backup => "backup",
            Self::ReadOnly => "read only",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { writes, durable } => {
                f.write_str(if *durable { "write durable" } else { "write" })?;
                writes.iter().try_for_each(|write| match write {
                    Write::Put { key, value, expires_ms } => {
                        write!(f, " {}={}", show(key), brief(value))?;
                        expires_ms.map_or(Ok(()), |ms| write!(f, "@{ms}"))
                    }
                    Write::Delete { key } => write!(f, " -{}", show(key)),
                    Write::DeleteRange { from, to } => {
                        write!(f, " -{}..{}", show(from), show(to))
                    }
                })
            }
            Self::Remove(key) => write!(f, "remove {}", show(key)),
            Self::Get(key) => write!(f, "get {}", show(key)),
            other => write!(f, "{other:?}"),
        }
    }
}

/// A value by its beginning and its length.
#[must_use]
pub fn brief(value: &[u8]) -> String {
    let head = value.split(|b| *b == b'.').next().unwrap_or_default();
    format!("{}({})", show(head), value.len())
}

/// The value of write number `id`: no two writes of a run have the same, unless it is empty.
#[must_use]
pub fn value(id: u64, len: usize) -> Vec<u8> {
    format!("v{id}.").bytes().cycle().take(len).collect()
}

/// Key number `n`: short and long ones, one the prefix of another.
fn key(n: u64) -> Vec<u8> {
    match n % 7 {
        0 => format!("k{n}").into_bytes(),
        1 => vec![b'x'; usize::try_from(n).expect("few keys") + 1],
        2 => [&[0xff, 0x00, b'\n'][..], n.to_string().as_bytes()].concat(),
        _ => format!("key-{n:04}").into_bytes(),
    }
}

/// Makes lists of operations from a seed.
pub struct Generator {
    rng: Rng,
    keys: u64,
    next_id: u64,
    time_ms: u64,
    /// Whether the store has an order.
    ordered: bool,
    /// Whether ranges are short, so that a store with many keys does not lose most of them at once.
    short_ranges: bool,
}

impl Generator {
    /// A generator over `keys` different keys, at `time_ms`.
    #[must_use]
    pub const fn new(rng: Rng, keys: u64, time_ms: u64) -> Self {
        Self { rng, keys, next_id: 1, time_ms, ordered: false, short_ranges: false }
    }

    /// The same for a store with an order: with range deletes and scans in order.
    #[must_use]
    pub const fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// The same with ranges of a few keys only.
    #[must_use]
    pub const fn with_short_ranges(mut self) -> Self {
        self.short_ranges = true;
        self
    }

    fn range(&mut self) -> (Vec<u8>, Vec<u8>) {
        let first = self.rng.below(self.keys);
        // Why seven: the keys of one form, which are neighbours, are so far apart.
        let second = match self.short_ranges && !self.rng.percent(5) {
            true => first + 7 * self.rng.below(4),
            false => self.rng.below(self.keys),
        };
        let (a, b) = (key(first), key(second));
        if a <= b { (a, b) } else { (b, a) }
    }

    fn key(&mut self) -> Vec<u8> {
        key(self.rng.below(self.keys))
    }

    fn write(&mut self) -> Write {
        let key = self.key();
        let id = self.next_id;
        self.next_id += 1;
        let len = match self.rng.below(20) {
            0 => 0,
            1 => 400 + self.rng.index(900),
            _ => 8 + self.rng.index(90),
        };
        if self.ordered && self.rng.percent(4) {
            let (from, to) = self.range();
            return Write::DeleteRange { from, to };
        }
        match self.rng.below(10) {
            0..=2 => delete(key),
            3 => put_until(key, value(id, len), self.time_ms + self.rng.below(60)),
            4 => put_until(key, value(id, len), self.time_ms + 500 + self.rng.below(5000)),
            _ => put(key, value(id, len)),
        }
    }

    /// A bulk load: a few keys, or many, here and there or all in one place.
    pub fn load(&mut self) -> Op {
        let count = *self.rng.pick(&[0, 1, 3, 10, 30]);
        let (from, to) = self.range();
        let mut writes: Vec<Write> = (0..count).map(|_| self.write()).collect();
        let near = self.rng.percent(40);
        writes.retain(|write| match write {
            Write::Put { key, .. } => !near || (from <= *key && *key <= to),
            _ => false,
        });
        writes.sort_by(|a, b| key_of(a).cmp(key_of(b)));
        writes.dedup_by(|a, b| key_of(a) == key_of(b));
        Op::Load(writes)
    }

    fn writes(&mut self) -> Op {
        let count = if self.rng.percent(15) { self.rng.below(6) } else { 1 };
        let writes = (0..count).map(|_| self.write()).collect();
        Op::Write { writes, durable: self.rng.percent(30) }
    }

    fn advance(&mut self) -> Op {
        let ms = if self.rng.percent(20) { self.rng.below(3000) } else { self.rng.below(30) };
        self.time_ms += ms;
        Op::Advance(ms)
    }

    /// The next operation of a run that touches everything.
    pub fn op(&mut self) -> Op {
        match self.rng.below(200) {
            0..=79 => self.writes(),
            80..=87 => Op::Remove(self.key()),
            88..=111 => Op::Get(self.key()),
            112..=117 => Op::Scan,
            118..=121 => Op::Snapshot,
            122..=127 => Op::ReadSnapshot(self.rng.index(4)),
            128..=131 => Op::DropSnapshot(self.rng.index(4)),
            132..=134 => Op::BeginScan,
            135..=138 => Op::EndScan(self.rng.index(4)),
            139..=144 => Op::Sync,
            145..=146 => Op::Compact,
            147..=160 => Op::Work,
            161..=165 => Op::TakeJob,
            166..=176 => Op::StepJob,
            177..=180 => Op::GiveJob,
            181..=187 => self.advance(),
            188..=190 => Op::Reopen,
            191..=193 => Op::Kill,
            194..=195 => Op::LogFrom(self.rng.below(40)),
            196 => Op::Verify,
            197 => Op::Backup,
            198 => Op::ReadOnly,
            _ => Op::Scan,
        }
    }

    /// As [`op`](Generator::op), with scans of ranges for a store with an order.
    pub fn any_op(&mut self) -> Op {
        if self.ordered && self.rng.percent(5) {
            let ((from, to), reverse, turns) =
                (self.range(), self.rng.percent(50), self.rng.bits());
            return Op::Range { from, to, reverse, turns };
        }
        self.op()
    }

    /// The next operation of a long run: no kind is rare.
    pub fn even_op(&mut self) -> Op {
        match self.rng.below(1000) {
            0..=367 => self.writes(),
            368..=379 => self.load(),
            380..=419 => Op::Remove(self.key()),
            420..=519 => Op::Get(self.key()),
            520..=531 => Op::Scan,
            532..=551 => Op::Snapshot,
            552..=566 => Op::ReadSnapshot(self.rng.index(4)),
            567..=586 => Op::DropSnapshot(self.rng.index(4)),
            587..=601 => Op::BeginScan,
            602..=616 => Op::EndScan(self.rng.index(4)),
            617..=656 => {
                let ((from, to), reverse) = (self.range(), self.rng.percent(50));
                Op::Range { from, to, reverse, turns: self.rng.bits() }
            }
            657..=686 => Op::Sync,
            687..=697 => Op::Compact,
            698..=777 => Op::Work,
            778..=807 => Op::TakeJob,
            808..=877 => Op::StepJob,
            878..=897 => Op::GiveJob,
            898..=922 => self.advance(),
            923..=934 => Op::Reopen,
            935..=946 => Op::Kill,
            947..=966 => Op::LogFrom(self.rng.below(40)),
            967..=977 => Op::Verify,
            978..=988 => Op::Backup,
            _ => Op::ReadOnly,
        }
    }

    /// The next operation of a run whose power is cut: writes, syncs, work, reopening.
    pub fn crash_op(&mut self) -> Op {
        match self.rng.below(100) {
            0..=54 => self.writes(),
            55..=62 => Op::Sync,
            63..=68 => Op::Compact,
            69..=88 => Op::Work,
            89..=94 => self.advance(),
            95..=96 => Op::Reopen,
            97 => Op::Kill,
            _ => Op::Remove(self.key()),
        }
    }
}
