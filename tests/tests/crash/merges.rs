//! Power cuts around merges: each story at every operation with every kind of cut, files torn at every 37th byte, and
//! 100 seeded subsets; recovery is crashed at every step.
//!
//! A story that shows one mistake also shows that it would see it: with that mistake switched on, it must fail.

use keelstone::lab::Bug;
use keelstone_tests::crash::{Budget, CRASH_SHAPE, Depth, Recording, explore};
use keelstone_tests::mirror::START_MS;
use keelstone_tests::shape::Shape;
use keelstone_tests::story::Story;

/// Crashes the story everywhere, with ordinary and with equal hashes.
pub fn crashed_everywhere(story: &Story) {
    for equal_hashes in [false, true] {
        let shape = Shape { equal_hashes, ..CRASH_SHAPE };
        crash(shape, story).unwrap_or_else(|error| panic!("equal hashes {equal_hashes}: {error}"));
    }
}

fn crash(shape: Shape, story: &Story) -> Result<(), String> {
    let recording = Recording::new(shape, story.ops())?;
    let budget = Budget { depth: Depth::Twice, tear_every: 37, seeded: 2, ..Budget::OPERATIONS };
    explore(&recording, &budget).map(drop)
}

/// What a story is about, and what its recording must show of it.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// Merges were published: so many logs that they replaced went.
    Merge(usize),
    /// A merge carried something while an older log stayed that was no input.
    PartialMerge,
    /// So many hints were written.
    Hint(usize),
}

/// The story on a disk that records; no power is cut.
pub fn recorded(story: &Story) -> Recording {
    Recording::new(CRASH_SHAPE, story.ops()).unwrap_or_else(|error| panic!("{error}"))
}

/// Fails unless the recorded story holds what it is about.
pub fn holds(story: &Story, part: Part) {
    let recording = recorded(story);
    let (outputs, inputs) = (recording.count("create", ".seg"), inputs(&recording));
    let held = match part {
        Part::Merge(least) => inputs.len() >= least,
        Part::PartialMerge => {
            let image = recording.trace.disk_at(recording.trace.len(), 0).cached();
            let oldest = image.keys().filter(|name| name.ends_with(".log")).min();
            let older = |input: &String| oldest.is_some_and(|oldest| oldest < input);
            outputs >= 1 && inputs.iter().any(older)
        }
        Part::Hint(least) => recording.count("create", ".hint") >= least,
    };
    assert!(held, "the story lacks {part:?}: {outputs} outputs of {inputs:?}");
}

/// The logs that were removed. Where no power is cut, only a published merge has logs removed: those it replaced.
pub fn inputs(recording: &Recording) -> Vec<String> {
    let lines = (0..recording.trace.len()).filter_map(|op| recording.trace.line(op));
    let name = |line: String| line.strip_prefix("remove ").map(ToOwned::to_owned);
    lines.filter_map(name).filter(|name| name.ends_with(".log")).collect()
}

/// Crashes the story everywhere; with the bug on it must fail.
pub fn crashed_and_sees(story: &Story, bug: Bug) {
    crashed_everywhere(story);
    let broken = crash(Shape { bug: Some(bug), ..CRASH_SHAPE }, story);
    assert!(broken.is_err(), "the story does not see {bug:?}");
}

#[test]
fn power_cut_after_a_merge_dropped_v1_while_v2_was_unsynced() {
    let mut story = Story::new();
    story.put("k", "v1").fill("x", 6).sync();
    story.fill("x", 6).sync().put("k", "v2").compact().work(3);
    holds(&story, Part::Merge(1));
    crashed_and_sees(&story, Bug::ShadowsNotSynced);
}

// The key beside it tells the states apart: without it, a lost tombstone and a dropped value look like a delete.
#[test]
fn power_cut_after_a_merge_dropped_v1_while_v2_and_then_a_tombstone_were_unsynced() {
    let mut story = Story::new();
    story.put("k", "v1").fill("x", 6).sync().fill("x", 6).sync();
    story.put("beside", "1").put("k", "v2").delete("k").work(20);
    holds(&story, Part::Merge(1));
    crashed_and_sees(&story, Bug::ShadowsNotSynced);
}

#[test]
fn power_cut_after_v2_and_then_a_tombstone_were_unsynced_through_two_merges() {
    let mut story = Story::new();
    story.put("k", "v1").fill("x", 6).sync();
    story.put("k", "v2").fill("x", 6).compact();
    story.delete("k").fill("x", 6).compact();
    holds(&story, Part::Merge(2));
    crashed_everywhere(&story);
}

#[test]
fn delete_then_partial_merge_then_power_cut() {
    let mut story = Story::new();
    story.put("k", "old").fill("live", 6).fill("dead", 4).delete("k").fill("dead", 6).sync();
    story.fill("dead", 6).sync().work(30).reopen().work(6);
    holds(&story, Part::PartialMerge);
    crashed_and_sees(&story, Bug::OutputNamesNotSynced);
}

#[test]
fn overwritten_twice_deleted_newest_merged_then_power_cut() {
    let mut story = Story::new();
    story.put("k", "one").fill("a", 6).put("k", "two").fill("b", 6);
    story.put("k", "three").delete("k").fill("dead", 6).fill("dead", 6).sync().work(30);
    story.kill().work(6).reopen();
    holds(&story, Part::PartialMerge);
    crashed_and_sees(&story, Bug::OutputNamesNotSynced);
}

#[test]
fn expired_over_an_older_value_merged_then_power_cut() {
    let mut story = Story::new();
    story.put("k", "old").fill("a", 6).fill("dead", 3).until("k", "short", START_MS + 10);
    story.fill("dead", 6).sync().advance(20).fill("dead", 6).sync().work(30).reopen().work(6);
    holds(&story, Part::PartialMerge);
    crashed_and_sees(&story, Bug::OutputNamesNotSynced);
}

#[test]
fn merge_output_and_its_publication_at_every_step() {
    let mut story = Story::new();
    story.fill("x", 10).fill("x", 10).sync().compact().fill("x", 5).sync().compact();
    holds(&story, Part::Merge(2));
    crashed_and_sees(&story, Bug::MergeOutputNotSynced);
    crashed_and_sees(&story, Bug::InputsRemovedEarly);
}

// Merging what was merged: the outputs of one merge are inputs of the next, several times over.
#[test]
fn merges_of_merges_keep_the_newest() {
    let mut story = Story::new();
    for _ in 0..4 {
        story.fill("x", 7).delete("x3").put("k", "same").compact();
    }
    story.reopen();
    holds(&story, Part::Merge(4));
    crashed_everywhere(&story);
}
