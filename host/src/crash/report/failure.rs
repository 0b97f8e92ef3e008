//! The counterexample as JSON: where it crashed, the sync that is missing, the words, and each file byte for byte.
//!
//! Called for the page; pure. Promise: of a long file the ends and whatever changes are there, and how many bytes are not.

use keelstone::vfs::Image;
use keelstone::vfs::crash::{Explanation, Model, Remains, Survival};
use serde_json::{Value, json};

use super::data::steps;
use crate::crash::counts::repeat_command;
use crate::crash::lab::{Explored, Recording};
use crate::crash::told;

/// A line of bytes.
const ROW: u64 = 16;
/// Shorter files are shown as a whole.
const WHOLE_BYTES: u64 = 1024;
/// Of longer ones so much of the beginning and the end, and around each place where something changes.
const AROUND_BYTES: u64 = 64;
/// Of one file not more than this.
const SHOWN_BYTES_MAX: u64 = 8192;

/// What is wrong with the `n`-th program, if anything is.
pub(super) fn failure(n: usize, explored: &Explored, model: &Model) -> Option<Value> {
    let explained = explored.explanation.as_ref()?;
    let program = explored.program.to_string();
    let crash = |(op, bytes, power)| json!({ "op": op, "bytes": bytes, "power": power });
    let barrier = explained.barrier.as_ref();
    let barrier = barrier
        .map(|b| json!({ "op": b.op, "sync": b.sync, "after": b.after, "second": b.second }));
    let life = explained.second_life.as_ref();
    let life = life.map(|trace| steps(&Recording::of(trace, 0), str::to_owned));
    Some(json!({
        "program": n,
        "message": explained.message,
        "words": told::lines(explained),
        "between": [explained.between.0, explained.between.1],
        "path": explained.path.to_string(),
        "command": repeat_command(explored.layout, &program, &explained.path.to_string(), model),
        "crashes": explained.path.crashes().map(crash).collect::<Vec<_>>(),
        "barrier": barrier,
        "life": life,
        "classes": Survival::ALL.map(|survival| survival.to_string()),
        "files": files(explained),
    }))
}

fn files(told: &Explanation) -> Vec<Value> {
    let scene = &told.scene;
    scene.remains.iter().map(|remains| file(remains, &scene.before, &scene.left)).collect()
}

/// One file: names, lengths, what became of its bytes, and the bytes that are shown.
fn file(remains: &Remains, before: &Image, left: &Image) -> Value {
    let bytes = |image: &Image, name: &Option<String>| {
        name.as_ref().and_then(|name| image.get(name)).cloned()
    };
    let (old, now) = (bytes(before, &remains.before), bytes(left, &remains.left));
    let len = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(Vec::len);
    let all = len(&old).max(len(&now)).map_or(0, |len| len as u64);
    let windows = windows(all, &remains.ranges.iter().map(|(r, _)| r.end).collect::<Vec<_>>());
    let hex = |bytes: &Option<Vec<u8>>, (from, to): (u64, u64)| {
        let bytes = bytes.as_deref().unwrap_or_default();
        let at = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        bytes[at(from)..at(to)].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let window =
        |w: &(u64, u64)| json!({ "at": w.0, "before": hex(&old, *w), "left": hex(&now, *w) });
    let range = |(range, is): &(std::ops::Range<u64>, Survival)| {
        let class = Survival::ALL.iter().position(|other| other == is);
        json!([range.start, range.end, class])
    };
    json!({
        "name": remains.name(),
        "before": remains.before,
        "left": remains.left,
        "synced": remains.synced,
        "synced_bytes": remains.synced_bytes,
        "len_before": len(&old),
        "len_left": len(&now),
        "ranges": remains.ranges.iter().map(range).collect::<Vec<_>>(),
        "windows": windows.iter().map(window).collect::<Vec<_>>(),
    })
}

/// The parts of so many bytes that are shown, whole lines, given where ranges end.
fn windows(len: u64, ends: &[u64]) -> Vec<(u64, u64)> {
    if len <= WHOLE_BYTES {
        return if len == 0 { Vec::new() } else { vec![(0, len)] };
    }
    let places = [0].into_iter().chain(ends.iter().copied()).chain([len]);
    let mut windows: Vec<(u64, u64)> = Vec::new();
    let mut shown = 0;
    for place in places {
        let from = place.saturating_sub(AROUND_BYTES) / ROW * ROW;
        let to = (place + AROUND_BYTES).next_multiple_of(ROW).min(len);
        let from = windows.last().map_or(from, |last| from.max(last.1));
        if from >= to || shown + to - from > SHOWN_BYTES_MAX {
            continue;
        }
        shown += to - from;
        match windows.last_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ => windows.push((from, to)),
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::{SHOWN_BYTES_MAX, windows};

    #[test]
    fn a_short_file_is_whole_and_a_long_one_is_not() {
        assert_eq!(windows(0, &[]), []);
        assert_eq!(windows(1000, &[4]), [(0, 1000)]);
        assert_eq!(windows(5000, &[2000]), [(0, 64), (1936, 2064), (4928, 5000)]);
        assert_eq!(windows(5000, &[90, 5000]), [(0, 160), (4928, 5000)]);
        let many: Vec<u64> = (0..10_000).map(|n| n * 200).collect();
        let shown: u64 = windows(2_000_000, &many).iter().map(|(from, to)| to - from).sum();
        assert!(shown <= SHOWN_BYTES_MAX && shown > SHOWN_BYTES_MAX / 2, "{shown}");
    }
}
