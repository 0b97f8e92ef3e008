//! What happened in many schedules, counted.
//!
//! Filled by the stage, added up by those who explore, printed by the command line.

/// Counts, of one schedule or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Schedules.
    pub schedules: u64,
    /// Those in which a write of one writer lies between the write and the sync of another.
    pub interleaved: u64,
    /// Those in which a step of a job lies there.
    pub jobs_interleaved: u64,
    /// Writes that lie there.
    pub between: u64,
    /// Steps of jobs that lie there.
    pub steps_between: u64,
    /// Things that others did during a sync.
    pub within: u64,
    /// Durable writes that another's sync has covered.
    pub followed: u64,
    /// Jobs that were taken.
    pub jobs: u64,
    /// Jobs that were given up.
    pub given_up: u64,
    /// Schedules in which an operation of the disk failed.
    pub struck: u64,
    /// Those of them in which some call returned an error.
    pub told: u64,
    /// Those that went on as if nothing had happened.
    pub absorbed: u64,
    /// Schedules at whose end the store refused writes.
    pub read_only: u64,
    /// Writes that it refused.
    pub refused: u64,
}

impl Tally {
    /// Names and counts, in the order of the names.
    #[must_use]
    pub const fn rows(&self) -> [(&'static str, u64); 14] {
        [
            ("absorbed", self.absorbed),
            ("jobs", self.jobs),
            ("jobs_given_up", self.given_up),
            ("jobs_interleaved", self.jobs_interleaved),
            ("job_steps_between", self.steps_between),
            ("read_only", self.read_only),
            ("schedules", self.schedules),
            ("struck", self.struck),
            ("told", self.told),
            ("within_syncs", self.within),
            ("writes_between", self.between),
            ("writes_followed", self.followed),
            ("writes_refused", self.refused),
            ("writers_interleaved", self.interleaved),
        ]
    }

    /// Adds what happened elsewhere.
    pub const fn add(&mut self, other: &Self) {
        self.schedules += other.schedules;
        self.interleaved += other.interleaved;
        self.jobs_interleaved += other.jobs_interleaved;
        self.between += other.between;
        self.steps_between += other.steps_between;
        self.within += other.within;
        self.followed += other.followed;
        self.jobs += other.jobs;
        self.given_up += other.given_up;
        self.struck += other.struck;
        self.told += other.told;
        self.absorbed += other.absorbed;
        self.read_only += other.read_only;
        self.refused += other.refused;
    }
}
