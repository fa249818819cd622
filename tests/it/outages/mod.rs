//! The binaries that `sam build` makes, with the wire to DynamoDB Local in our hands: every call of every operation goes wrong
//! in every way, once and for ever, and the process dies around it, or wakes up to lost connections. `tests/real/faults/run` sets it up.
//!
//! Once is made good by the SDK, or by the client's sending the request again. For ever is a 503 within the function's life.
//! Afterwards everything goes on as if nothing had been: nobody is signed out who was not, and nothing that was ended lives.

mod answer;
mod cell;
mod event;
mod exchange;
mod fault;
pub(crate) mod instance;
mod invariants;
mod operation;
mod place;
mod proxy;
mod world;

use std::sync::Arc;

use auth_core::config::environment;
use authorizer::UNAVAILABLE;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::flows::join_all;
use crate::outages::answer::Answer;
use crate::outages::cell::{Cell, Seen, cells};
use crate::outages::event::authorization;
use crate::outages::fault::FAULTS;
use crate::outages::invariants::check_log;
use crate::outages::operation::OPERATIONS;
use crate::outages::place::Place;
use crate::outages::proxy::{EACH, Plan, Times};
use crate::outages::world::World;

/// Cells at a time. Most of a cell is waiting.
const AT_ONCE: usize = 6;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs what tests/real/faults/run sets up"]
async fn each_fault_of_each_call_is_survived() {
    let (place, turns) = (Arc::new(Box::pin(Place::set_up()).await), Arc::new(Semaphore::new(AT_ONCE)));
    let start = |(number, cell): (usize, Cell)| {
        let (place, turns, name) = (Arc::clone(&place), Arc::clone(&turns), cell.name());
        let task = tokio::spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            cell.run(&place, number).await
        });
        (number, name, task)
    };
    let wanted = environment("CELLS").unwrap_or_default();
    let cells = cells().into_iter().enumerate().filter(|(_, cell)| cell.name().join(", ").contains(&wanted));
    let started: Vec<_> = cells.map(start).collect();
    assert!(!started.is_empty(), "no cell's name has {wanted:?}");
    let (number_of_cells, mut failed) = (started.len(), Vec::new());
    println!("{}", row("cell", &["operation", "call", "what goes wrong", "times"], "hits │ meanwhile          │ then"));
    for (number, name, task) in started {
        let result = task.await.unwrap_or_else(|panic| Err(panic.to_string()));
        let name = name.each_ref().map(String::as_str);
        println!("{}", row(&number.to_string(), &name, &seen(&result)));
        failed.extend(result.err().map(|error| format!("{number}: {}: {error}", name.join(", "))));
    }
    assert!(failed.is_empty(), "{} of {number_of_cells} cells failed:\n{}", failed.len(), failed.join("\n"));
    println!("{number_of_cells} cells: ok");
}

/// The first thing that it reads, and it decides nothing without.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs what tests/real/faults/run sets up"]
async fn an_authorizer_that_starts_without_its_journal_lets_nobody_in_until_it_has_it() {
    let place = Box::pin(Place::set_up()).await;
    let possible = FAULTS.into_iter().filter(|(_, fault)| fault.happens_to("Query"));
    let tried = possible.map(async |(name, fault)| {
        let (proxy, log, world) = (place.proxy().await, place.log(name), place.ground.world(&OPERATIONS[0]).await);
        proxy.plan(Plan { call: None, fault, times: Times::ForEver });
        let mut authorizer = place.start_with("Authorizer", None, &proxy, &log).await;
        let meanwhile = authorizer.invoke(authorization(&world)).await.unwrap_err();
        assert!(meanwhile.contains(UNAVAILABLE) && proxy.spoiled() > 0, "{name}: {meanwhile}");
        proxy.heal().await;
        let then = authorizer.invoke(authorization(&world)).await.unwrap();
        assert_eq!(then["principalId"], world.user.id.to_string(), "{name}: {then}");
        check_log(&log, &world).unwrap();
    });
    join_all(tried).await;
}

/// Who signs, and who publishes. Whoever finds them by the first request has lost nothing but that.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs what tests/real/faults/run sets up"]
async fn whoever_starts_without_the_keys_in_the_table_has_them_with_the_first_request_that_finds_them() {
    let place = Box::pin(Place::set_up()).await;
    let variables = place.turning_keys().await;
    let discovery: fn(&World) -> Value =
        |_| serde_json::from_str(include_str!("../../../events/discovery.json")).unwrap();
    for (function, operation) in [("Login", "login"), ("Refresh", "refresh: rotate"), ("Discovery", "refresh: rotate")]
    {
        let operation = OPERATIONS.iter().find(|it| it.name == operation).unwrap();
        let event = if function == "Discovery" { discovery } else { operation.event };
        let possible = FAULTS.into_iter().filter(|(_, fault)| fault.happens_to("Query"));
        let tried = possible.map(async |(name, fault)| {
            let log = place.log(&format!("{function}, {name}"));
            let (proxy, world) = (place.proxy().await, place.ground.world(operation).await);
            let call = Some(("Query".to_owned(), EACH));
            proxy.plan(Plan { call, fault, times: Times::ForEver });
            let mut instance = place.start_with(function, variables.clone(), &proxy, &log).await;
            assert!(proxy.spoiled() > 0, "{function}, {name}: it has asked for them at its start");
            proxy.begin();
            let meanwhile = Answer::read(instance.invoke(event(&world)).await.unwrap()).unwrap();
            assert!(meanwhile.is_unavailable(), "{function}, {name}: {}", meanwhile.told());
            proxy.heal().await;
            let then = Answer::read(instance.invoke(event(&world)).await.unwrap()).unwrap();
            assert_eq!(then.status(), 200, "{function}, {name}: {}", then.told());
            check_log(&log, &world).unwrap();
        });
        join_all(tried).await;
    }
}

fn row(number: &str, [operation, call, fault, times]: &[&str; 4], seen: &str) -> String {
    format!("{number:>4} │ {operation:<21} │ {call:<12} │ {fault:<19} │ {times:<8} │ {seen}")
}

fn seen(result: &Result<Seen, String>) -> String {
    match result {
        Ok(Seen { spoiled, meanwhile, then }) => format!("{spoiled:>4} │ {meanwhile:<18} │ {then:<4} │ ok"),
        Err(_) => "FAILED".to_owned(),
    }
}
