//! The model, the bounds and the names of the certificate in sentences.
//!
//! Called for the page; pure.

use keelstone::vfs::crash::{Model, Unit};

/// What the names of a certificate mean; not every one has them all.
pub(super) const MEANINGS: [(&str, &str); 19] = [
    ("alphabet", "the operations that programs are made of"),
    (
        "class",
        "exhaustive: all that the model allows was tried; k-bounded: see the bounds; sampled: seeded schedules",
    ),
    ("kills", "recoveries that ran after the process was killed"),
    ("layouts", "the storage layouts that were tried"),
    ("lives", "recoveries that were crashed again at each of their steps"),
    ("millis", "how long the run took, in milliseconds"),
    ("model", "what a crash can leave, in the short form"),
    ("outcomes", "different things that recovery showed, added up over programs"),
    ("per_second", "recoveries in a second"),
    ("points", "crash points: moments between two steps at which the machine was crashed"),
    ("power_cuts", "recoveries that ran after a power cut, each from another state of the disk"),
    ("program", "the only program that was run"),
    ("programs", "programs that were run"),
    ("runs", "recoveries in all: power cuts, kills and second crashes"),
    ("second_crashes", "recoveries that ran after a crash of the recovery or of the first use"),
    ("sizes", "of what programs write and of the files of their store, in bytes"),
    ("states_at_once_log10", "states of the disk at the widest point, as a power of ten"),
    ("violations", "points after which the promise was broken"),
    ("words", "so many operations a program has at most"),
];

/// What a crash is thought to do.
pub(super) fn model(model: &Model) -> Vec<String> {
    let fill = if model.garbage {
        "zeros, garbage (0xa5) or stale bytes of another file"
    } else {
        "zeros"
    };
    let mut words = vec![
        format!("When power is cut, each write that was not synced is {}.", unit(model.unit)),
        format!("Where a file has grown and the bytes did not arrive, there are {fill}."),
        "Names whose directory was not synced are there or not, in every way that the order of the operations on each \
         of them allows."
            .into(),
    ];
    words.push(if model.dir_sync {
        "A sync that has returned holds what it promises, of a file and of a directory.".into()
    } else {
        "A sync of a file holds what it promises; that of a directory has no effect.".into()
    });
    if model.kills {
        words.push(
            "When the process is killed, at each step and within writes, the disk loses nothing; power may be cut later."
                .into(),
        );
    }
    if model.depth > 1 {
        words.push(format!(
            "Recovery, and the first use after it, is crashed again once, at each of its steps; then a write is {}.",
            unit(model.second_unit)
        ));
    }
    words.push(
        "Kept means: the store opens and shows the result of some prefix of the writes; that prefix holds all that was \
         acknowledged as durable, after a kill all that was acknowledged; what one recovery has shown stays; the store \
         can be used, and no file is left over."
            .into(),
    );
    words
}

const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Byte => "there or not, byte by byte, in any version since the last sync",
        Unit::Write => {
            "there, missing, or torn once: a prefix, a suffix, all but one byte, one byte alone, or the file ends within it"
        }
        Unit::Half => "there, missing, or torn in its middle",
    }
}

/// What was not tried.
pub(super) fn bounds(model: &Model, bounded: &[String]) -> Vec<String> {
    if bounded.is_empty() {
        return vec!["Nothing that the model allows was left out.".into()];
    }
    let states = model.point_states_max;
    let sentence = |line: &String| {
        if line.contains(" writes torn at once") {
            return format!(
                "{line} with more than about {states} states; each of the other writes is there or missing"
            );
        }
        if line.contains("a prefix of the writes of each file") {
            return format!("{line} where even that leaves more than about {states} states");
        }
        line.clone()
    };
    bounded.iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use keelstone::vfs::crash::Model;

    use super::{bounds, model};

    #[test]
    fn the_words_follow_the_model() {
        let full = model(&Model::FULL).join("\n");
        assert!(
            full.contains("garbage") && full.contains("killed") && full.contains("crashed again")
        );
        let bytes = model(&Model { dir_sync: false, ..Model::BYTES }).join("\n");
        assert!(!bytes.contains("garbage") && !bytes.contains("killed"), "{bytes}");
        assert!(bytes.contains("byte by byte") && bytes.contains("no effect"), "{bytes}");
    }

    #[test]
    fn every_bound_is_told() {
        assert_eq!(bounds(&Model::FULL, &[]).len(), 1);
        let lines = [
            "at most 1 writes torn at once: 3 points",
            "in second crashes a prefix of the writes of each file, 1 deviates: 2 points",
            "else",
        ];
        let lines = lines.map(String::from);
        let told = bounds(&Model::FULL, &lines);
        for (line, told) in lines.iter().zip(&told) {
            assert!(told.starts_with(line.as_str()), "{told}");
        }
        assert!(told[0].contains("20000"), "{told:?}");
    }
}
