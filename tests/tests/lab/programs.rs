//! All programs of up to two operations keep the promise.

use std::time::Instant;

use keelstone::Layout;
use keelstone::vfs::crash::{Certificate, Model, Unit};
use keelstone_host::crash::run;

use crate::{only, settings};

fn explore(words: usize, model: Model) -> Certificate {
    let begun = Instant::now();
    let explored =
        run(&settings(words, model), |_, _| {}).unwrap_or_else(|error| panic!("{error}"));
    let broken =
        explored.iter().find_map(|e| Some((&e.program, e.layout, e.explanation.as_ref()?)));
    if let Some((program, layout, explanation)) = broken {
        panic!("{program} {layout:?}: {explanation}");
    }
    let mut all = Certificate::default();
    let programs = explored.len();
    explored.into_iter().for_each(|explored| all.add(explored.certificate));
    let (millis, runs) = (begun.elapsed().as_millis().max(1), u128::from(all.runs()));
    println!("words={words} programs={programs} {all} per_second={}", runs * 1000 / millis);
    all
}

/// Of the recoveries that do and show the same two are crashed again.
const LIVES: &str = "at most 2 recoveries of a kind crashed again";

// Every byte of every write torn, in second crashes in the middle. While a store is created, two writes of different
// files can be torn at once; of those only one is.
#[test]
fn programs_of_one_operation() {
    let all = explore(1, Model { point_states_max: 100_000, ..Model::HALF });
    let bounds = [LIVES, "at most 1 writes torn at once"];
    assert!(all.bounded.keys().all(|what| bounds.contains(&&**what)), "{all}");
    assert!(all.power_cuts > 10_000 && all.kills > 1000 && all.second > 10_000, "{all}");
}

// All that the next test does, of one operation and in a second: what shows first whether lives and points are told apart as they were.
#[test]
fn programs_of_one_operation_and_all_their_recoveries() {
    let all = Model { lives_max: usize::MAX, point_states_max: u64::MAX, ..Model::HALF };
    let all = explore(1, Model { unit: Unit::Half, ..all });
    assert!(all.is_exhaustive() && all.lives > 900, "{all}");
}

// Nothing is left out: writes are there, missing or torn in the middle, with every way of the names and lengths, zeros, garbage
// and stale bytes, kills, and every crash of every recovery.
#[test]
fn programs_of_two_operations() {
    let all = Model { lives_max: usize::MAX, point_states_max: u64::MAX, ..Model::HALF };
    let all = explore(2, Model { unit: Unit::Half, ..all });
    assert!(all.is_exhaustive(), "{all}");
    assert!(all.power_cuts > 100_000 && all.kills > 20_000 && all.lives > 100_000, "{all}");
    assert!(all.second > 1_000_000, "{all}");
}

// One crash, and at points with so many states that it matters, one write is torn at once.
#[test]
fn programs_of_two_operations_torn_at_every_byte() {
    let all = explore(2, Model { point_states_max: 500, depth: 1, ..Model::HALF });
    assert!(all.power_cuts > 100_000 && all.kills > 20_000, "{all}");
}

#[test]
fn the_same_input_gives_the_same_certificate() {
    let model = Model { point_states_max: 500, ..Model::HALF };
    assert_eq!(explore(1, model.clone()), explore(1, model));
}

// Two or three memtables with a log each become one table; their logs go with one edit.
#[test]
fn memtables_that_are_flushed_together() {
    let model = Model { point_states_max: 30, ..Model::HALF };
    for (together, program) in [
        (2, "put:a,delete:a,put:b,work,work,put:a"),
        (3, "put:a,put:b,delete:a,durable:b,work,work,put:a"),
    ] {
        let adjust = move |options: &mut keelstone::Options| options.flush_memtables = together;
        let only = only(Layout::Ordered, program, model.clone(), adjust);
        let explored = run(&only, |_, _| {}).unwrap();
        let [explored] = &explored[..] else { panic!("one program") };
        if let Some(explanation) = &explored.explanation {
            panic!("{program}: {explanation}");
        }
        println!("{together}: {}", explored.certificate);
        assert!(explored.certificate.power_cuts > 1000, "{}", explored.certificate);
    }
}
