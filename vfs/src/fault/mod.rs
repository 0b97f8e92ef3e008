//! The fault disk: a disk in memory that knows what is durable, fails on command, and can produce
//! what a crash leaves.
//!
//! Called by tests, by the crash explorer and by anything that wants its writes crash-tested.
//!
//! ```text
//!   mod      the disk: made, recorded, crashed        disk, file   its operations
//!   state    names and inode: what is durable         plan         what goes wrong, and when
//!   cut      what a power cut leaves                  states       all of what it can leave
//!   left     what a power cut leaves open             (for the crash lab)
//!   trace    a recording, replayed to any point       inspect      looking in, damaging
//!   changed  a recording with a sync less or moved    (for tests of syncs)
//!   happened an operation of a trace, for other models of crashes
//! ```
//!
//! # The model
//!
//! Syncing a file does not make its name durable, and syncing a directory no bytes.
//! `sync(Data)` makes bytes durable as far as the length on the medium, `sync(All)` the length too.
//! What is not durable is on the medium after a power cut or not, each byte in any version since
//! the last sync, each length since, each name operation, independently; a rename is whole, and
//! operations on one name are in order. A rename between two directories is durable when both were
//! synced. A write never damages bytes outside its range. A removed file is gone with its name.
//! A process that is killed takes nothing with it but its locks and handles.
//!
//! Promise: V1 to V19, and the same operations give the same disk, always.
//! Never: touches the operating system, or rolls dice but from a seed.

mod changed;
mod cut;
mod dice;
mod disk;
mod file;
mod happened;
mod inode;
mod inspect;
mod left;
mod names;
mod plan;
mod state;
mod states;
mod step;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails")]
mod tests;
mod trace;

pub use cut::{PowerCut, Rest};
pub use dice::Dice;
pub use happened::Happened;
pub(crate) use inode::Content;
pub(crate) use left::{Left, LeftFile, Part};
pub use plan::{Effect, Fault, SyncFault};
pub use states::EndStates;
pub(crate) use step::{Ino, mode_name, shown};
pub use trace::{Moment, Trace, Walk};

use crate::lock::{Mutex, MutexGuard};
use crate::{Capabilities, Op};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use plan::Plan;
use state::State;
use step::{Name, Step};
use trace::Recorder;

/// A disk in memory that can fail and crash. A clone is the same disk; what [`kill`](Self::kill),
/// [`power_cut`](Self::power_cut) and a [`Trace`] give are others.
#[derive(Clone, Default)]
pub struct FaultDisk {
    live: Arc<Mutex<Live>>,
}

/// What all clones of a disk and its files share.
struct Live {
    state: State,
    plan: Plan,
    capabilities: Capabilities,
    locks: BTreeSet<Name>,
    /// How many handles each file has.
    open: BTreeMap<Ino, u32>,
    recorder: Option<Recorder>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            state: State::default(),
            plan: Plan::default(),
            capabilities: Capabilities::ALL,
            locks: BTreeSet::new(),
            open: BTreeMap::new(),
            recorder: None,
        }
    }
}

impl Live {
    /// Does a step, and notes it if somebody records.
    fn take(&mut self, step: Step) {
        self.state.take(&step);
        if let Some(recorder) = &mut self.recorder {
            recorder.push(step);
        }
    }
}

impl FaultDisk {
    /// An empty disk that never fails.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty disk that keeps a trace from the start.
    #[must_use]
    pub fn recording() -> Self {
        let disk = Self::new();
        disk.record();
        disk
    }

    /// Another disk in this state, without faults, locks, handles and recording.
    fn from_state(state: State, capabilities: Capabilities) -> Self {
        let live = Live { state, capabilities, ..Live::default() };
        Self { live: Arc::new(Mutex::new(live)) }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock()
    }

    /// Begins a new trace at the present state.
    pub fn record(&self) {
        let mut live = self.live();
        live.recorder = Some(Recorder::new(live.state.clone(), live.capabilities));
    }

    /// What was done since the recording began; empty if nobody records.
    #[must_use]
    pub fn trace(&self) -> Trace {
        let live = self.live();
        let empty = || Recorder::new(live.state.clone(), live.capabilities);
        live.recorder.clone().unwrap_or_else(empty).finish()
    }

    /// Puts a mark into the trace, behind the last step: what was acknowledged, for example.
    pub fn mark(&self, mark: u64) {
        if let Some(recorder) = &mut self.live().recorder {
            recorder.mark(mark);
        }
    }

    /// How many operations there were, of the disk and of its files; the next has this number.
    #[must_use]
    pub fn ops(&self) -> u64 {
        self.live().plan.ops
    }

    /// Gives the next operation this number.
    pub fn set_ops(&self, ops: u64) {
        self.live().plan.ops = ops;
    }

    /// How many syncs of files there were; the next has this number.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.live().plan.syncs
    }

    /// Gives the next sync of a file this number.
    pub fn set_syncs(&self, syncs: u64) {
        self.live().plan.syncs = syncs;
    }

    /// Plans a failure; of several for one operation the first planned strikes.
    pub fn inject(&self, fault: Fault) {
        self.live().plan.faults.push(fault);
    }

    /// What the first operation was that failed because of [`inject`](Self::inject); `None` if none has since the
    /// failures were last cleared.
    #[must_use]
    pub fn struck(&self) -> Option<Op> {
        self.live().plan.struck
    }

    /// Plans that sync `at` of a file, counted by [`syncs`](Self::syncs), fails in this way.
    pub fn fail_sync(&self, at: u64, fault: SyncFault) {
        self.live().plan.sync_faults.push((at, fault));
    }

    /// From now on syncs of files and directories do nothing and say that they did, or no more.
    pub fn lie(&self, lying: bool) {
        self.live().plan.lying = lying;
    }

    /// Plans that everything stops at operation `at`: a write has written `bytes` of its bytes by
    /// then, any other operation has been done unless `bytes` is 0. It and all later ones fail.
    pub fn halt(&self, at: u64, bytes: usize) {
        self.live().plan.halt = Some((at, bytes));
    }

    /// Whether everything has stopped.
    #[must_use]
    pub fn halted(&self) -> bool {
        self.live().plan.halted
    }

    /// Limits the bytes of all files together; with `None` the disk has 2 GiB. Growth beyond fails
    /// with `NoSpace`, and of a write the bytes that fit are written. A removed or cut file gives
    /// its space back at once, and names need none.
    pub fn limit_space(&self, bytes: Option<u64>) {
        self.live().plan.space = bytes;
    }

    /// The bytes of all files together.
    #[must_use]
    pub fn space_used(&self) -> u64 {
        self.live().state.space_used()
    }

    /// Forgets all failures that were planned, the limit of space, the lies and the stop.
    pub fn clear_faults(&self) {
        let mut live = self.live();
        let (ops, syncs) = (live.plan.ops, live.plan.syncs);
        live.plan = Plan { ops, syncs, ..Plan::default() };
    }

    /// Changes what the disk can keep. Without `durable_sync` a sync of a file does nothing;
    /// without `dir_sync` that of a directory is `Unsupported`; without `atomic_rename` a power
    /// cut may leave both names or neither; without `lock` everybody gets every lock.
    pub fn set_capabilities(&self, capabilities: Capabilities) {
        self.live().capabilities = capabilities;
    }

    /// What is left when the process ends here: everything that was written, durable or not as
    /// before. Locks, handles, planned failures and the recording are gone.
    #[must_use]
    pub fn kill(&self) -> Self {
        let live = self.live();
        let mut state = live.state.clone();
        state.sweep(|_| false);
        Self::from_state(state, live.capabilities)
    }

    /// What is left when the power fails here, if the medium got what `choice` says. Everything on
    /// it is durable; locks, handles, planned failures and the recording are gone.
    #[must_use]
    pub fn power_cut(&self, choice: &PowerCut) -> Self {
        let live = self.live();
        Self::from_state(live.state.cut(choice), live.capabilities)
    }

    /// The systematic power cuts, each with what it is: all lost or kept, and each file torn at
    /// each byte and each name lost or early alone.
    pub fn power_cuts(&self) -> impl Iterator<Item = (String, Self)> + use<> {
        let live = self.live();
        let (state, capabilities) = (live.state.clone(), live.capabilities);
        let choices = state.cuts();
        choices.into_iter().map(move |choice| {
            let text = state.describe(&choice);
            (text, Self::from_state(state.cut(&choice), capabilities))
        })
    }

    /// Every image that a kill and that a power cut can leave here: bytes, lengths and names in
    /// every combination. `None` if there are more than a million; this is for tiny disks.
    #[must_use]
    pub fn all_states(&self) -> Option<EndStates> {
        self.live().state.end_states()
    }
}
