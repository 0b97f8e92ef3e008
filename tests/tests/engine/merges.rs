//! Merges without crashes: the tales of `merge_tales`, each with ordinary hashes and with all keys in one place.

use keelstone_tests::merge_tales as tales;
use keelstone_tests::shape::Shape;

fn both(tale: fn(Shape)) {
    tale(Shape::TINY);
    tale(Shape { equal_hashes: true, ..Shape::TINY });
}

#[test]
fn every_tale_is_told() {
    let told = include_str!("merges.rs").matches("both(tales::").count();
    assert_eq!(told - 1, tales::ALL.len(), "a tale without a test, or one that is not in the list");
}

#[test]
fn bitcask_82_partial_merge_does_not_resurrect() {
    both(tales::bitcask_82_partial_merge_does_not_resurrect);
}

#[test]
fn overwritten_twice_and_deleted_stays_away_when_only_the_newest_file_is_merged() {
    both(tales::overwritten_twice_and_deleted_stays_away_when_only_the_newest_file_is_merged);
}

#[test]
fn expired_value_keeps_hiding_the_older_one_after_a_merge() {
    both(tales::expired_value_keeps_hiding_the_older_one_after_a_merge);
}

#[test]
fn candystore_tombstone_of_an_absent_key_is_kept_while_an_older_file_remains() {
    both(tales::candystore_tombstone_of_an_absent_key_is_kept_while_an_older_file_remains);
}

#[test]
fn bitcask_128_tombstones_go_away_in_the_end() {
    both(tales::bitcask_128_tombstones_go_away_in_the_end);
}

#[test]
fn bitcask_148_delete_during_a_merge_wins() {
    both(tales::bitcask_148_delete_during_a_merge_wins);
}

#[test]
fn put_and_get_between_every_two_steps_of_a_merge() {
    both(tales::put_and_get_between_every_two_steps_of_a_merge);
}

#[test]
fn snapshot_across_merges_shows_its_own_records() {
    both(tales::snapshot_across_merges_shows_its_own_records);
}

#[test]
fn record_overwritten_between_copy_and_move_stays_out_of_older_snapshots() {
    both(tales::record_overwritten_between_copy_and_move_stays_out_of_older_snapshots);
}

#[test]
fn bitcask_hints_know_tombstones() {
    both(tales::bitcask_hints_know_tombstones);
}

#[test]
fn bitcask_expiry_does_not_merge_without_end() {
    both(tales::bitcask_expiry_does_not_merge_without_end);
}

#[test]
fn badger_1995_space_comes_back_by_itself() {
    both(tales::badger_1995_space_comes_back_by_itself);
}

#[test]
fn badger_1756_two_jobs_at_a_time_do_not_spoil_the_manifest() {
    both(tales::badger_1756_two_jobs_at_a_time_do_not_spoil_the_manifest);
}

#[test]
fn bitcask_timeshift_newer_write_wins_with_the_clock_set_back() {
    both(tales::bitcask_timeshift_newer_write_wins_with_the_clock_set_back);
}

#[test]
fn job_that_is_dropped_half_way_leaves_nothing_behind() {
    both(tales::job_that_is_dropped_half_way_leaves_nothing_behind);
}
