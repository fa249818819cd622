//! The search, at the size of a test; and what it cannot find, because it is not promised.

use std::time::Duration;

use model::exhaust::{KINDS, explore};
use model::parallel::shares;
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
    let failures = shares(HISTORIES, |mut seeds| {
        let rigs = Rigs::new().unwrap();
        seeds.find_map(|seed| rigs.try_seed(seed, Memory::default))
    });
    let broken: Vec<String> =
        failures.iter().flatten().map(|it| format!("seed {}: {:?}\n{}", it.seed, it.violation, it.story)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_store_over_the_wire_is_the_table_in_memory() {
    let (rigs, engine) = (Rigs::new().unwrap(), Engine::start().unwrap());
    for seed in 1..=HISTORIES_OVER_THE_WIRE {
        let failure = rigs.try_seed(seed, || engine.table());
        assert!(failure.is_none(), "{}", failure.map(|failure| failure.story).unwrap_or_default());
    }
}

/// The kinds that a test has the time for; `cargo run --profile search -p model -- --exhaustive` visits all.
#[test]
fn no_small_history_breaks_a_promise() {
    let [(name, window, bounds), ..] = KINDS;
    let explored = explore(Duration::from_secs(window), &bounds).unwrap();
    assert!(explored.broken.is_none(), "{name}: {:?}", explored.broken);
    assert!(explored.states > 10_000, "{name}: {} states", explored.states);
}

/// A refresh of one client's from its beginning to its end. Steps that find nothing to do do nothing.
fn refresh(client: u8) -> Vec<Step> {
    let serve = Step::Serve { operation: 0, fate: Fate::Done };
    let send = Step::Send { client, scope: Asked::All };
    vec![send, Step::Arrive { request: 0, instance: 0 }, serve, serve, serve, Step::Hear { answer: 0 }]
}

/// The same of the thief's, with the newest token that he has.
fn steal() -> Vec<Step> {
    let [_, rest @ ..] = refresh(0).try_into().unwrap_or([Step::Copy; 6]);
    [Step::Steal { token: 0 }].into_iter().chain(rest).collect()
}

fn wait(seconds: u32) -> Vec<Step> {
    vec![Step::Wait { seconds }]
}

/// Takes the steps; none of them breaks what is promised.
fn live(world: &mut World<'_, Memory>, steps: impl IntoIterator<Item = Vec<Step>>) {
    for step in steps.into_iter().flatten() {
        assert_eq!(world.step(step), Ok(()), "{step:?}");
    }
}

/// Between two uses of the app; longer than `rest`.
const PAUSE: u32 = 600;

/// Not promised (1): two holders with private copies. Nothing tells the second one from a thief.
#[test]
fn a_second_holder_with_a_copy_of_its_own_is_taken_for_a_thief() {
    let rig = Rig::new(Duration::from_secs(10)).unwrap();
    let mut world = World::new(&rig, PRIVATE, Memory::default(), 1, false);
    live(&mut world, [wait(PAUSE), refresh(0), wait(PAUSE), refresh(0), refresh(1)]);
    assert!(!world.is_signed_in(1));
    live(&mut world, [wait(PAUSE), refresh(0)]);
    assert!(!world.is_signed_in(0));
}

/// Not promised (2): a network that repeats a request after its successor was used. A thief's looks the same.
#[test]
fn a_request_that_the_network_repeats_much_later_is_taken_for_a_thiefs() {
    let rig = Rig::new(Duration::from_secs(10)).unwrap();
    let mut world = World::new(&rig, ONE, Memory::default(), 1, false);
    let [send, rest @ ..]: [Step; 6] = refresh(0).try_into().unwrap();
    let repeated = [vec![send, Step::Echo { request: 0 }], rest.to_vec()].concat();
    let [arrive, serve @ .., _] = rest;
    let arrives = [&[arrive][..], &serve, &[Step::Miss { answer: 0 }]].concat();
    live(&mut world, [wait(PAUSE), repeated, wait(PAUSE)]);
    // The request of its own is the second that waits, behind the network's copy.
    let mut again = refresh(0);
    again.splice(1..2, [Step::Arrive { request: 1, instance: 0 }]);
    live(&mut world, [again, arrives, wait(PAUSE), refresh(0)]);
    assert!(!world.is_signed_in(0));
}

/// Not promised (3): a thief who copies again and again is answered for as long as he does.
#[test]
fn a_thief_who_copies_again_and_again_goes_on() {
    let rig = Rig::new(Duration::ZERO).unwrap();
    let mut world = World::new(&rig, ONE, Memory::default(), 1, false);
    for round in 1..=6 {
        live(&mut world, [wait(PAUSE), refresh(0), vec![Step::Copy], steal()]);
        assert_eq!(world.stolen(), 2 * round, "copied, and answered");
    }
    assert!(world.is_signed_in(0));
}

/// Not promised (4): nobody finds a thief out while the owner sleeps; the end of the session's time does.
#[test]
fn a_thief_goes_on_while_the_owner_sleeps() {
    let rig = Rig::new(Duration::ZERO).unwrap();
    let mut world = World::new(&rig, ONE, Memory::default(), 1, false);
    live(&mut world, [vec![Step::Copy]]);
    for times in 1..18 {
        live(&mut world, [wait(PAUSE), steal()]);
        assert_eq!(world.stolen(), 1 + times);
    }
    live(&mut world, [wait(PAUSE), steal()]);
    assert_eq!(world.stolen(), 18, "the absolute expiry, three hours after the login");
}

/// The exception: whoever stays within `window` of the owner's refreshes walks beside the owner. Without a window, the
/// owner's second refresh ends it.
#[test]
fn in_step_with_the_owner_a_thief_lasts_as_long_as_there_is_a_window() {
    for (window, lasts) in [(10, true), (0, false)] {
        let rig = Rig::new(Duration::from_secs(window)).unwrap();
        let mut world = World::new(&rig, ONE, Memory::default(), 1, false);
        live(&mut world, [vec![Step::Copy]]);
        for _ in 0..5 {
            live(&mut world, [wait(PAUSE), refresh(0), wait(1), steal()]);
        }
        assert_eq!(world.stolen() == 6, lasts, "window {window}");
        assert_eq!(world.is_signed_in(0), lasts, "window {window}");
    }
}

/// What is promised of every end, in its shortest form.
#[test]
fn an_acknowledged_end_ends_everything() {
    for change in [Change::Logout, Change::Disable, Change::Password, Change::Delete] {
        let rig = Rig::new(Duration::from_secs(10)).unwrap();
        let mut world = World::new(&rig, ONE, Memory::default(), 1, false);
        live(&mut world, [wait(PAUSE), vec![Step::Change { change, stamped: 0 }], refresh(0)]);
        assert!(!world.is_signed_in(0), "{change:?}");
    }
}
