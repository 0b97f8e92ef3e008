//! How often each thing happened in a run: a differential run that met no merge has shown nothing about merges.

use keelstone::Stats;

macro_rules! tally {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Counts over any number of runs.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Tally { $($(#[$doc])* pub $name: u64),* }

        impl Tally {
            /// Adds the counts of another run.
            pub fn merge(&mut self, other: &Self) { $(self.$name += other.$name;)* }

            /// Every count with its name.
            #[must_use]
            pub fn fields(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),*]
            }
        }
    };
}

tally! {
    /// Operations.
    ops,
    /// Single writes, those of batches too.
    writes,
    /// Batches of more than one write.
    batches,
    /// Bulk loads with keys in them.
    loads,
    /// Keys that `remove` found.
    removes,
    /// Reads of a key that had expired.
    expiries,
    /// Snapshots read in full.
    snapshot_reads,
    /// Scans that others wrote into while they ran.
    slow_scans,
    /// Steps of jobs held by the run.
    job_steps,
    /// Those of them that made an output of a merge or published one.
    merge_steps,
    /// Jobs handed back.
    jobs,
    /// Reads while a job was half done.
    gets_between_steps,
    /// Opens after a close.
    reopens,
    /// Opens after a kill.
    kills,
    /// Log reads that gave every write.
    log_reads,
    /// Log reads of what was merged away.
    merged_away,
    /// Copies made and compared.
    backups,
    /// Merges that the store published.
    merges,
    /// Logs that the store sealed.
    rotations,
    /// Files that an open read from their hint.
    hints_used,
    /// Files that an open read record by record.
    files_scanned,
    /// Memtables that became tables.
    flushes,
    /// Compactions that the store published.
    compactions,
    /// Tables that went down a level as they were.
    table_moves,
    /// Ranges of keys deleted.
    range_deletes,
    /// Ranges read in order, and walked to and fro.
    range_scans,
    /// Runs that ended with three levels or more in use.
    deep_trees,
    /// Syncs.
    syncs,
}

impl Tally {
    /// Adds what one open store counted.
    pub fn add(&mut self, stats: &Stats) {
        self.merges += stats.merges;
        self.rotations += stats.rotations;
        self.hints_used += stats.hints_used;
        self.files_scanned += stats.files_scanned;
        self.syncs += stats.syncs;
        if let Some(ordered) = &stats.ordered {
            self.flushes += ordered.flushes;
            self.compactions += ordered.compactions;
            self.table_moves += ordered.table_moves;
            let used = ordered.levels.iter().filter(|level| level.tables > 0).count();
            self.deep_trees += u64::from(used >= 3);
        }
    }

    /// Fails if something happened less often than a test needs to mean anything.
    ///
    /// # Panics
    /// If a count is too low, or has no such name.
    pub fn at_least(&self, wanted: &[(&str, u64)]) {
        let fields = self.fields();
        for (name, least) in wanted {
            let found = fields.iter().find(|(field, _)| field == name);
            let count = found.unwrap_or_else(|| panic!("no count is called {name}")).1;
            assert!(count >= *least, "{name} happened {count} times, needed {least}: {self:?}");
        }
    }
}
