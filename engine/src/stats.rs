//! What a store reports of itself: plain counts, sizes and durations.

use alloc::vec::Vec;

/// What `Db::stats` reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Live keys: what a scan now would return.
    pub keys: u64,
    /// Bytes of their records.
    pub live_bytes: u64,
    /// Bytes of records that a merge would drop.
    pub dead_bytes: u64,
    /// Bytes of all files of the store, reserved space included.
    pub disk_bytes: u64,
    /// Files of the store.
    pub files: u64,
    /// The last sequence.
    pub sequence: u64,
    /// The last sequence that is known to be durable.
    pub durable_sequence: u64,
    /// Logs, and segments or tables.
    pub segments: u64,
    /// Open snapshots and scans.
    pub snapshots: u64,
    /// Bytes of memory of the index.
    pub index_bytes: u64,
    /// The most index entries that growing moved within one write.
    pub index_moves_max: u64,
    /// Syncs of logs since open.
    pub syncs: u64,
    /// Microseconds in them.
    pub sync_us: u64,
    /// Logs sealed since open.
    pub rotations: u64,
    /// Merges since open.
    pub merges: u64,
    /// Microseconds in them, from the first step to the last.
    pub merge_us: u64,
    /// Bytes that went into merges.
    pub merge_bytes_in: u64,
    /// Bytes that came out of them.
    pub merge_bytes_out: u64,
    /// 1 after an open that read an existing store.
    pub recoveries: u64,
    /// Microseconds in it.
    pub recovery_us: u64,
    /// Hints that it used.
    pub hints_used: u64,
    /// Files whose records it read one by one.
    pub files_scanned: u64,
    /// What only the ordered layout has.
    pub ordered: Option<OrderedStats>,
}

/// What [`Stats`] reports of the ordered layout alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderedStats {
    /// Memtables that became tables since open.
    pub flushes: u64,
    /// Microseconds in that.
    pub flush_us: u64,
    /// Bytes of these tables.
    pub flush_bytes: u64,
    /// Compactions since open, those that only moved a table left out.
    pub compactions: u64,
    /// Microseconds in them, from the first step to the last.
    pub compaction_us: u64,
    /// Bytes that went into compactions.
    pub compaction_bytes_in: u64,
    /// Bytes that came out of them.
    pub compaction_bytes_out: u64,
    /// Tables that went to another level as they were.
    pub table_moves: u64,
    /// Bulk loads since open.
    pub loads: u64,
    /// Bytes of their tables.
    pub load_bytes: u64,
    /// Memory of all memtables.
    pub memtable_bytes: u64,
    /// Memtables that wait for their flush.
    pub sealed_memtables: u64,
    /// Tables that are open.
    pub tables_open: u64,
    /// The most tables that were open at once.
    pub tables_open_max: u64,
    /// Bytes of blocks in memory.
    pub block_cache_bytes: u64,
    /// The most bytes of blocks that were in memory.
    pub block_cache_bytes_max: u64,
    /// Blocks that were found in memory.
    pub block_cache_hits: u64,
    /// Blocks that were not.
    pub block_cache_misses: u64,
    /// Each level, the newest first.
    pub levels: [LevelStats; 7],
}

/// One level of tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelStats {
    /// Its tables.
    pub tables: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl OrderedStats {
    /// Bytes written to tables for each byte that flushes and bulk loads wrote, in hundredths: what compactions cost.
    #[must_use]
    pub const fn write_amplification_percent(&self) -> u64 {
        let first = self.flush_bytes + self.load_bytes;
        let written = first + self.compaction_bytes_out;
        match written.saturating_mul(100).checked_div(first) {
            Some(percent) => percent,
            None => 100,
        }
    }

    /// Places that a get of an absent key would look at, filters aside: tables of level 0, and one for each other level.
    #[must_use]
    pub fn read_amplification(&self) -> u64 {
        let [newest, sorted @ ..] = &self.levels;
        newest.tables + sorted.iter().filter(|level| level.tables > 0).count() as u64
    }

    /// Bytes of all tables for each byte of the deepest level, in hundredths: what versions that are shadowed cost.
    #[must_use]
    pub fn space_amplification_percent(&self) -> u64 {
        let total: u64 = self.levels.iter().map(|level| level.bytes).sum();
        let deepest = self.levels.iter().rev().find(|level| level.bytes > 0);
        deepest.map_or(100, |level| total.saturating_mul(100) / level.bytes)
    }

    fn fields(&self, out: &mut Vec<(&'static str, u64)>) {
        const TABLES: [&str; 7] = [
            "level_0_tables",
            "level_1_tables",
            "level_2_tables",
            "level_3_tables",
            "level_4_tables",
            "level_5_tables",
            "level_6_tables",
        ];
        const BYTES: [&str; 7] = [
            "level_0_bytes",
            "level_1_bytes",
            "level_2_bytes",
            "level_3_bytes",
            "level_4_bytes",
            "level_5_bytes",
            "level_6_bytes",
        ];
        out.extend([
            ("block_cache_bytes", self.block_cache_bytes),
            ("block_cache_bytes_max", self.block_cache_bytes_max),
            ("block_cache_hits", self.block_cache_hits),
            ("block_cache_misses", self.block_cache_misses),
            ("compaction_bytes_in", self.compaction_bytes_in),
            ("compaction_bytes_out", self.compaction_bytes_out),
            ("compaction_us", self.compaction_us),
            ("compactions", self.compactions),
            ("flush_bytes", self.flush_bytes),
            ("flush_us", self.flush_us),
            ("flushes", self.flushes),
            ("load_bytes", self.load_bytes),
            ("loads", self.loads),
            ("memtable_bytes", self.memtable_bytes),
            ("read_amplification", self.read_amplification()),
            ("sealed_memtables", self.sealed_memtables),
            ("space_amplification_percent", self.space_amplification_percent()),
            ("table_moves", self.table_moves),
            ("tables_open", self.tables_open),
            ("tables_open_max", self.tables_open_max),
            ("write_amplification_percent", self.write_amplification_percent()),
        ]);
        for (level, names) in self.levels.iter().zip(TABLES.iter().zip(BYTES)) {
            out.extend([(*names.0, level.tables), (names.1, level.bytes)]);
        }
    }
}

impl Stats {
    /// Every figure with its name, sorted by name.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, u64)> {
        let mut fields = alloc::vec![
            ("dead_bytes", self.dead_bytes),
            ("disk_bytes", self.disk_bytes),
            ("durable_sequence", self.durable_sequence),
            ("files", self.files),
            ("files_scanned", self.files_scanned),
            ("hints_used", self.hints_used),
            ("index_bytes", self.index_bytes),
            ("index_moves_max", self.index_moves_max),
            ("keys", self.keys),
            ("live_bytes", self.live_bytes),
            ("merge_bytes_in", self.merge_bytes_in),
            ("merge_bytes_out", self.merge_bytes_out),
            ("merge_us", self.merge_us),
            ("merges", self.merges),
            ("recoveries", self.recoveries),
            ("recovery_us", self.recovery_us),
            ("rotations", self.rotations),
            ("segments", self.segments),
            ("sequence", self.sequence),
            ("snapshots", self.snapshots),
            ("sync_us", self.sync_us),
            ("syncs", self.syncs),
        ];
        if let Some(ordered) = &self.ordered {
            ordered.fields(&mut fields);
            fields.sort_unstable();
        }
        fields
    }
}
