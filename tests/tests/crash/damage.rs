//! Every byte is cut off and every bit is turned, in every file of a small closed store.

use keelstone::lab::Bug;
use keelstone_tests::cores::on_all_cores;
use keelstone_tests::damage::{Damage, Sample, Verdict};
use keelstone_tests::differential::quietly;

/// What became of all the damage.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    tried: u64,
    harmless: u64,
    refused: u64,
    partly: u64,
}

fn judge(sample: &Sample, file: &str, damage: &Damage) -> Result<Verdict, String> {
    let image = sample.damaged(file, damage);
    let whole = || {
        sample.dump(&image, file);
        let read = sample.read(&image)?;
        let sound = sample.verify(&image, read)?;
        if sound && matches!(damage, Damage::Flip(..)) && file != "RESERVE" {
            return Err("verify does not notice".to_owned());
        }
        sample.repair(&image, read)?;
        Ok(read)
    };
    quietly(whole).map_err(|error| format!("{file} {damage:?}: {error}"))
}

/// Tries all of it on all cores; fails with the first of the list that fails.
fn all(sample: &Sample, list: &[(String, Damage)]) -> Outcome {
    let parts = on_all_cores(|me, of| {
        let mut outcome = Outcome::default();
        for (n, (file, damage)) in list.iter().enumerate().filter(|(n, _)| n % of == me) {
            outcome.tried += 1;
            match judge(sample, file, damage).map_err(|error| (n, error))? {
                Verdict::Harmless => outcome.harmless += 1,
                Verdict::Refused => outcome.refused += 1,
                Verdict::Partly => outcome.partly += 1,
            }
        }
        Ok(outcome)
    });
    let mut outcome = Outcome::default();
    for part in parts.unwrap_or_else(|error| panic!("{error}")) {
        outcome.tried += part.tried;
        outcome.harmless += part.harmless;
        outcome.refused += part.refused;
        outcome.partly += part.partly;
    }
    outcome
}

/// Every length that every file can be cut to.
fn cuts(sample: &Sample) -> Vec<(String, Damage)> {
    let of = |(file, bytes): (&String, &Vec<u8>)| -> Vec<(String, Damage)> {
        (0..bytes.len()).map(|len| (file.clone(), Damage::Cut(len))).collect()
    };
    sample.image.iter().flat_map(of).collect()
}

/// Every bit of every file.
fn flips(sample: &Sample) -> Vec<(String, Damage)> {
    let of = |(file, bytes): (&String, &Vec<u8>)| -> Vec<(String, Damage)> {
        let bits = (0..bytes.len()).flat_map(|at| (0..8).map(move |bit| Damage::Flip(at, bit)));
        bits.map(|damage| (file.clone(), damage)).collect()
    };
    sample.image.iter().flat_map(of).collect()
}

/// Every file gone, and with the bytes of every other.
fn swaps(sample: &Sample) -> Vec<(String, Damage)> {
    let mut list = Vec::new();
    for file in sample.image.keys() {
        list.push((file.clone(), Damage::Remove));
        let others = sample.image.keys().filter(|other| *other != file);
        list.extend(others.map(|other| (file.clone(), Damage::Swap(other.clone()))));
    }
    list
}

// Badger #551: a damaged value log had no tool that saved the rest. Here every damaged store is repaired, and what repair
// leaves is sound and right.
#[test]
fn every_cut_of_every_file_is_right_or_refused() {
    let sample = Sample::new();
    let outcome = all(&sample, &cuts(&sample));
    println!("cuts: {outcome:?}");
    assert!(outcome.refused > 1000, "{outcome:?}");
}

#[test]
fn every_cut_of_every_file_of_an_ordered_store_is_right_or_refused() {
    let sample = Sample::ordered();
    let outcome = all(&sample, &cuts(&sample));
    println!("cuts: {outcome:?}");
    assert!(outcome.refused > 1000, "{outcome:?}");
}

// Badger #1797 ("shouldn't just panic"): damage is an error that names the file; a panic of any reader fails this test.
#[test]
fn every_flipped_bit_of_every_file_is_right_or_refused() {
    let sample = Sample::new();
    let outcome = all(&sample, &flips(&sample));
    println!("flips: {outcome:?}");
    assert!(outcome.refused + outcome.partly > 10_000, "{outcome:?}");
}

#[test]
fn every_flipped_bit_of_every_file_of_an_ordered_store_is_right_or_refused() {
    let sample = Sample::ordered();
    let outcome = all(&sample, &flips(&sample));
    println!("flips: {outcome:?}");
    assert!(outcome.refused + outcome.partly > 10_000, "{outcome:?}");
}

// A backup restored in part: a file is gone, or has the bytes of another.
#[test]
fn missing_and_swapped_files_are_right_or_refused() {
    let sample = Sample::new();
    let outcome = all(&sample, &swaps(&sample));
    println!("swaps: {outcome:?}");
    assert!(outcome.refused > 20, "{outcome:?}");
}

#[test]
fn missing_and_swapped_files_of_an_ordered_store_are_right_or_refused() {
    let sample = Sample::ordered();
    let outcome = all(&sample, &swaps(&sample));
    println!("swaps: {outcome:?}");
    assert!(outcome.refused > 10, "{outcome:?}");
}

#[test]
fn undamaged_store_is_harmless_and_every_byte_of_a_record_matters() {
    let sample = Sample::new();
    let read = sample.read(&sample.image).unwrap();
    assert_eq!(read, Verdict::Harmless);
    assert!(sample.verify(&sample.image, read).unwrap(), "verify finds damage where there is none");
    let log = sample.image.keys().find(|name| name.ends_with(".log")).unwrap();
    let image = sample.damaged(log, &Damage::Flip(120, 3));
    assert_ne!(sample.read(&image), Ok(Verdict::Harmless), "a flipped bit went unnoticed");
}

// The loops themselves are tested: what is believed although it is damaged, and what is taken for torn although it was
// durable.
#[test]
fn mistakes_that_only_damage_shows_are_caught() {
    type Listed = fn(&Sample) -> Vec<(String, Damage)>;
    let mistakes: [(Bug, &str, Listed); 4] = [
        (Bug::HintChecksumIgnored, ".hint", flips),
        (Bug::ChecksumIgnored, ".log", flips),
        (Bug::MarkIgnored, ".log", cuts),
        (Bug::LostLogIgnored, ".manifest", cuts),
    ];
    for (bug, kind, listed) in mistakes {
        let mut sample = Sample::new();
        sample.shape.bug = Some(bug);
        let mut list = listed(&sample);
        list.retain(|(file, _)| file.ends_with(kind));
        let broken = quietly(|| {
            all(&sample, &list);
            Ok(())
        });
        println!("{bug:?}: {}", broken.as_ref().err().map_or("not seen", |error| error));
        assert!(broken.is_err(), "{bug:?} is not seen");
    }
}
