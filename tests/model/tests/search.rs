//! The search, at the size of a test; and what it cannot find, because it is not promised.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::time::Duration;

use model::event::Violation;
use model::exhaust::{KINDS, explore};
use model::rig::Rig;
use model::search::Rigs;
use model::step::{Asked, Change, Fate, Step};
use model::table::Memory;
use model::wire::Engine;
use model::world::{Cast, World};

const HISTORIES: u64 = 20_000;
const HISTORIES_OVER_THE_WIRE: u64 = 100;

const ONE: Cast = Cast { clients: 1, private: false };
const PRIVATE: Cast = Cast { clients: 2, private: true };

#[test]
fn no_history_at_random_breaks_a_promise() {
    let search = |first: u64| {
        let rigs = Rigs::new().unwrap();
        (first..=HISTORIES).step_by(2).find_map(|seed| rigs.try_seed(seed, Memory::default))
    };
    let failures = std::thread::scope(|scope| {
        let (odd, even) = (scope.spawn(|| search(1)), scope.spawn(|| search(2)));
        [odd.join().unwrap(), even.join().unwrap()]
    });
    for failure in failures.into_iter().flatten() {
        panic!("seed {}: {:?}\n{}", failure.seed, failure.violation, failure.story);
    }
}

#[test]
fn the_store_over_the_wire_is_the_table_in_memory() {
    let (rigs, engine) = (Rigs::new().unwrap(), Engine::start().unwrap());
    for seed in 1..=HISTORIES_OVER_THE_WIRE {
        let failure = rigs.try_seed(seed, || engine.table());
        assert!(failure.is_none(), "{}", failure.map(|failure| failure.story).unwrap_or_default());
    }
}
