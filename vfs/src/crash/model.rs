//! What power cuts are thought to do: the unit in which writes are torn, what stands where bytes are missing, and how
//! much of it is tried.
//!
//! Read by the wreck and the explorer, printed in every certificate.

use core::fmt;

/// In which pieces a write reaches the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Each byte by itself, in any version since the last sync: all that the fault disk can leave, for tiny programs.
    Byte,
    /// Each write is there, missing, or torn once: a prefix, a suffix, all but one byte, one byte alone, or the file ends
    /// within it. Writes are independent of each other. Tears are told apart at each byte that differs from what is below
    /// it, and where a run of others begins; a file ends, and a kill stops, beside bytes that are not zero and at the edges
    /// of sectors of 512 bytes, not within a run of zeros.
    Write,
    /// Each write is there, missing, or torn in its middle.
    Half,
}

/// What a run of the crash lab tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The unit.
    pub unit: Unit,
    /// The unit of second crashes.
    pub second_unit: Unit,
    /// Where a file has grown and the bytes are missing, they can be zeros, garbage (0xa5), or stale bytes of another
    /// file; otherwise zeros.
    pub garbage: bool,
    /// Whether the sync of a directory has an effect.
    pub dir_sync: bool,
    /// How often the machine crashes: 1, or 2 for crashes of the recovery and the first use too. Of the recoveries from
    /// power cuts that found the same wherever they looked one is crashed again; bytes that it did not look at are then as
    /// they were on the medium, so that a recovery that reads what the one before it did not meets that only.
    pub depth: u8,
    /// Whether processes are killed too, before each step and within writes, and then power is cut during recovery from
    /// the cache: after kills before each step, and one in the middle of each write, or with `second_unit` at
    /// [`Unit::Write`] after all.
    pub kills: bool,
    /// About so many states are tried at one point. Where there are more, only so many writes are torn at once that it
    /// holds, the others being there or missing; or, if there are too many writes even for that, of each file the first
    /// so many are there, and one write in all deviates, or none where that were many times more states. What is counted are
    /// the ways of the writes; lengths of files and what stands in place of missing bytes multiply them, so that with
    /// writes open in several files a point can have many more.
    pub point_states_max: u64,
    /// Of the recoveries from power cuts that are of a kind, that is change the disk alike, with the same bytes behind each
    /// write, and show the same, at most so many in a run are crashed again. They differ in what else they found.
    pub lives_max: usize,
    /// Whether the points behind the first violation are tried too.
    pub go_on: bool,
    /// So many different outcomes of each point are kept as text; the others are counted only.
    pub outcomes_kept: usize,
}

impl Model {
    /// Writes torn at any byte, zeros, garbage and stale bytes, two crashes, kills.
    pub const FULL: Self = Self {
        unit: Unit::Write,
        second_unit: Unit::Write,
        garbage: true,
        dir_sync: true,
        depth: 2,
        kills: true,
        point_states_max: 20_000,
        lives_max: 1000,
        go_on: false,
        outcomes_kept: 0,
    };

    /// The same, but second crashes tear writes in their middle only, and two lives of a kind are crashed again: so many
    /// fewer that longer programs can be tried.
    pub const HALF: Self = Self { second_unit: Unit::Half, lives_max: 2, ..Self::FULL };

    /// Each byte by itself, one crash: what is compared with all states of the fault disk.
    pub const BYTES: Self =
        Self { unit: Unit::Byte, garbage: false, depth: 1, kills: false, ..Self::FULL };
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Byte => "byte",
            Self::Write => "write (there, missing, prefix, suffix, one byte missing, one byte alone, cut length)",
            Self::Half => "write (there, missing, torn in the middle)",
        })
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fill = if self.garbage { "zero, garbage, stale" } else { "zero" };
        let dir = if self.dir_sync { "honest" } else { "without effect" };
        let kills = if self.kills { "yes" } else { "no" };
        let (unit, second) = (self.unit, self.second_unit);
        write!(f, "unit={unit} ")?;
        if self.depth > 1 && second != unit {
            write!(f, "second_unit={second} ")?;
        }
        write!(f, "fill={fill} dir_sync={dir} kills={kills} depth={}", self.depth)
    }
}
