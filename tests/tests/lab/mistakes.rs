//! What is known of each mistake that can be switched on: a short program that leads to it, or the test that shows it, and
//! who made it in the world.

use keelstone::Layout;
use keelstone::lab::Bug;

use Layout::{Hash, Ordered};

/// Two merges of the hash layout, a deletion between them.
pub const MERGES: &str = "big:a,big:a,compact,delete:a,compact,reopen";
/// Two logs of the hash layout; the second has a tombstone of what the first has.
const TOMBSTONE: &str = "fill:a,delete:a,put:b,fill:b,compact";
/// Programs that are so long that only their last word is explored.
pub const FROM_LAST: [&str; 1] = [TOMBSTONE];
/// A flush of the ordered layout, while a write waits in the next memtable.
const FLUSH: &str = "put:a,put:b,work,work";
/// A new manifest in the ordered layout.
const MANIFEST: &str = "put:a,reopen,reopen";

/// The mistakes that the crash lab catches, each with a program that leads to it.
pub const CAUGHT: &[(Bug, Layout, &str)] = &[
    (Bug::WriteNotSynced, Hash, "-"),
    (Bug::WriteNotSynced, Ordered, "-"),
    (Bug::OlderLogNotSynced, Hash, MERGES),
    (Bug::OlderLogNotSynced, Ordered, "put:a,put:b,sync"),
    (Bug::LengthNotSynced, Hash, "-"),
    (Bug::LengthNotSynced, Ordered, "-"),
    (Bug::MarkTooHigh, Hash, "put:a,put:b"),
    (Bug::MarkTooHigh, Ordered, "put:a,put:b"),
    (Bug::FlushCoversLater, Ordered, "put:a,put:b,work,work,sync"),
    (Bug::BatchInPieces, Hash, "batch"),
    (Bug::BatchInPieces, Ordered, "batch"),
    (Bug::LogNameNotSynced, Hash, "-"),
    (Bug::LogNameNotSynced, Ordered, "-"),
    (Bug::BeginNotSynced, Hash, "-"),
    (Bug::BeginNotSynced, Ordered, "-"),
    (Bug::SealedNotSynced, Hash, "put:a,put:a,compact"),
    (Bug::CloseNotSynced, Hash, "put:a,reopen"),
    (Bug::CloseNotSynced, Ordered, "put:a,reopen"),
    (Bug::ClosedTooEarly, Hash, "put:a,reopen"),
    (Bug::ClosedTooEarly, Ordered, "put:a,reopen"),
    (Bug::DirNotSynced, Hash, "-"),
    (Bug::DirNotSynced, Ordered, "-"),
    (Bug::PublishedNotSynced, Hash, MERGES),
    (Bug::PublishedNotSynced, Ordered, FLUSH),
    (Bug::ManifestNameNotSynced, Hash, MERGES),
    (Bug::ManifestNameNotSynced, Ordered, MANIFEST),
    (Bug::CurrentBeforeManifest, Hash, MERGES),
    (Bug::CurrentBeforeManifest, Ordered, MANIFEST),
    (Bug::CurrentNotSynced, Hash, MERGES),
    (Bug::CurrentNotSynced, Ordered, MANIFEST),
    (Bug::ManifestRemovedEarly, Hash, MERGES),
    (Bug::ManifestRemovedEarly, Ordered, MANIFEST),
    (Bug::OneSlot, Hash, MERGES),
    (Bug::OneSlot, Ordered, MANIFEST),
    (Bug::SlotChecksumIgnored, Hash, MERGES),
    (Bug::SlotChecksumIgnored, Ordered, MANIFEST),
    (Bug::CreatedOutOfOrder, Hash, "-"),
    (Bug::CreatedOutOfOrder, Ordered, "-"),
    (Bug::ChecksumIgnored, Hash, "durable:a"),
    (Bug::ChecksumIgnored, Ordered, "durable:a"),
    (Bug::ShortTailFatal, Hash, "fill:a"),
    (Bug::ShortTailFatal, Ordered, "fill:a"),
    (Bug::HoleFatal, Hash, "put:a,put:b"),
    (Bug::HoleFatal, Ordered, "put:a,put:b"),
    (Bug::TornEditFatal, Hash, "-"),
    (Bug::TornEditFatal, Ordered, "-"),
    (Bug::HoleIgnored, Ordered, "put:a,put:b"),
    (Bug::AppendAfterTorn, Hash, "put:a,put:b"),
    (Bug::AppendAfterTorn, Ordered, "big:a,big:b,durable:a"),
    (Bug::EndedTooLate, Hash, "put:a"),
    (Bug::EndedTooLate, Ordered, "put:a"),
    (Bug::CutLogsKept, Ordered, "put:a,put:b"),
    (Bug::RecoveryNotSynced, Hash, "put:a"),
    (Bug::RecoveryNotSynced, Ordered, "put:a"),
    (Bug::ManifestNotSyncedAgain, Hash, "put:a"),
    (Bug::ManifestNotSyncedAgain, Ordered, "put:a"),
    (Bug::CurrentNotSyncedAgain, Hash, "put:a"),
    (Bug::CurrentNotSyncedAgain, Ordered, "put:a"),
    (Bug::NamesNotSyncedAgain, Hash, "put:a"),
    (Bug::NamesNotSyncedAgain, Ordered, "put:a"),
    (Bug::LogsNotSyncedAgain, Hash, "put:a"),
    (Bug::LogsNotSyncedAgain, Ordered, "put:a"),
    (Bug::OrphansRemovedEarly, Hash, MERGES),
    (Bug::OrphansRemovedEarly, Ordered, FLUSH),
    (Bug::NumbersReused, Hash, MERGES),
    (Bug::MergeOutputNotSynced, Hash, MERGES),
    (Bug::MergeOutputNotSynced, Ordered, FLUSH),
    (Bug::OutputNamesNotSynced, Hash, MERGES),
    (Bug::OutputNamesNotSynced, Ordered, FLUSH),
    (Bug::ShadowsNotSynced, Hash, MERGES),
    (Bug::InputsRemovedEarly, Hash, MERGES),
    (Bug::TombstonesGoFirst, Hash, TOMBSTONE),
    (Bug::LogsRemovedEarly, Ordered, FLUSH),
    (Bug::LoadNamesNotSynced, Ordered, "load"),
    (Bug::LoadBeforeLogs, Ordered, "put:a,load"),
];

/// The mistakes that a schedule shows: a program of one or several writers, and whether an operation has to fail.
pub const SCHEDULED: &[(Bug, Layout, &str, bool)] = &[
    (Bug::DurableBeforeSync, Hash, "durable:a|durable:b", false),
    (Bug::DurableBeforeSync, Ordered, "durable:a|durable:b", false),
    (Bug::SyncCoversLater, Hash, "durable:a|durable:b", false),
    (Bug::SyncCoversLater, Ordered, "durable:a|durable:b", false),
    (Bug::SyncRetried, Hash, "durable:a|durable:b", true),
    (Bug::SyncRetried, Ordered, "durable:a|durable:b", true),
    (Bug::AppendAfterFailure, Hash, "put:a|durable:b", true),
    (Bug::AppendAfterFailure, Ordered, "put:a|durable:b", true),
    (Bug::DirSyncFailureIgnored, Hash, "fill:a,durable:b", true),
    (Bug::DirSyncFailureIgnored, Ordered, "put:a,durable:b", true),
    (Bug::EndedNotSynced, Hash, "fill:a,put:b,durable:a", true),
];

/// The mistakes that need a failing operation, damage, a snapshot, a second thread or a clock that is set back, or no crash
/// at all, each with the test of the suite `crash` that fails with it.
pub const ELSEWHERE: &[(Bug, &str)] = &[
    (Bug::AppendAfterFailure, "trees::rocksdb_6316_nothing_is_appended_behind_a_failed_append"),
    (Bug::SyncRetried, "trees::rocksdb_4990_failed_sync_of_the_manifest_keeps_its_tables"),
    (Bug::SealedAgain, "bugs::mistakes_after_a_failure_are_caught_by_failing_operations"),
    (Bug::EndedNotSynced, "bugs::mistakes_after_a_failure_are_caught_by_failing_operations"),
    (Bug::DirSyncFailureIgnored, "bugs::mistakes_after_a_failure_are_caught_by_failing_operations"),
    (Bug::DurableBeforeSync, "during::nothing_counts_as_durable_before_the_sync_has_returned"),
    (Bug::SyncCoversLater, "during::what_is_written_during_a_sync_waits_for_the_next_one"),
    (Bug::MarkIgnored, "damage::mistakes_that_only_damage_shows_are_caught"),
    (Bug::LostLogIgnored, "damage::mistakes_that_only_damage_shows_are_caught"),
    (Bug::HintChecksumIgnored, "damage::mistakes_that_only_damage_shows_are_caught"),
    (Bug::BackupNotSynced, "restored::power_cut_in_a_backup_leaves_all_of_it_or_no_store"),
    (Bug::TimeForgotten, "trees::time_is_kept_when_a_flush_lets_its_log_go"),
    (Bug::FailedTableKept, "space::table_that_cannot_be_finished_gives_its_space_back"),
    (Bug::VersionsParted, "trees::leveldb_178_versions_of_a_key_are_not_parted"),
    (Bug::SnapshotIgnored, "trees::leveldb_320_snapshot_survives_compactions"),
    (Bug::NewerRangeSeen, "trees::leveldb_320_snapshot_survives_compactions"),
    (Bug::TurnForgotten, "trees::leveldb_200_walk_turns_round_anywhere"),
    (Bug::TombstoneDropped, "trees::range_delete_hides_older_levels_until_they_are_merged"),
    (Bug::RangeDropped, "trees::range_delete_hides_older_levels_until_they_are_merged"),
    (Bug::RangeCutShort, "trees::range_delete_reaches_over_the_gaps_between_tables"),
];

/// Who made the mistake, or one very much like it, and was found out.
pub const fn made_by(bug: Bug) -> &'static str {
    match bug {
        Bug::WriteNotSynced | Bug::DurableBeforeSync => "etcd #14370",
        Bug::OlderLogNotSynced => "LevelDB #193, fjall #282",
        Bug::LengthNotSynced => "sled #1077, redb fd82cedb",
        Bug::SyncCoversLater => "RocksDB 7.7.0",
        Bug::FlushCoversLater => "RocksDB 7.6.0",
        Bug::BatchInPieces => "Badger #2000",
        Bug::LogNameNotSynced | Bug::DirNotSynced => "sled #1229, RocksDB #10573",
        Bug::BeginNotSynced => "goleveldb #351",
        Bug::SealedNotSynced => "Badger #153",
        Bug::AppendAfterFailure => "RocksDB #6316",
        Bug::SyncRetried => "RocksDB #4990",
        Bug::SealedAgain | Bug::FailedTableKept => "found here",
        Bug::DirSyncFailureIgnored => "LevelDB #161",
        Bug::ManifestNameNotSynced => "Pebble #5825",
        Bug::CurrentBeforeManifest => "goleveldb #335",
        Bug::CurrentNotSynced => "RocksDB #10573",
        Bug::ManifestRemovedEarly | Bug::LogsRemovedEarly => "LevelDB #195",
        Bug::OneSlot => "boltdb #548",
        Bug::SlotChecksumIgnored => "LMDB ITS#7668",
        Bug::CreatedOutOfOrder => "LevelDB #189",
        Bug::ChecksumIgnored => "LevelDB #251",
        Bug::MarkIgnored => "RocksDB 6963",
        Bug::LostLogIgnored => "fjall #317",
        Bug::ShortTailFatal => "Badger #434",
        Bug::TornEditFatal => "Badger #155",
        Bug::HoleIgnored => "RocksDB 7701",
        Bug::AppendAfterTorn => "sled d64c36a9",
        Bug::EndedTooLate => "Badger #613",
        Bug::CutLogsKept => "RocksDB #9634",
        Bug::RecoveryNotSynced | Bug::OutputNamesNotSynced => "RocksDB 14780",
        Bug::NumbersReused => "RocksDB 7621, Pebble #984",
        Bug::MergeOutputNotSynced => "LevelDB #333, HoraeDB #394",
        Bug::TimeForgotten => "found here; Bitcask, timeshift",
        Bug::LoadNamesNotSynced => "RocksDB #5287",
        Bug::HintChecksumIgnored => "Bitcask #212",
        Bug::BackupNotSynced => "RocksDB #8500",
        Bug::VersionsParted => "LevelDB issue 178",
        Bug::SnapshotIgnored => "LevelDB issue 320",
        Bug::TurnForgotten => "LevelDB issue 200",
        Bug::TombstoneDropped | Bug::TombstonesGoFirst => "Bitcask #82",
        _ => "-",
    }
}
