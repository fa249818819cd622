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
mod instance;
mod invariants;
mod operation;
mod place;
mod proxy;
mod world;

use std::sync::Arc;

use auth_core::config::environment;
use tokio::sync::Semaphore;

use crate::outages::cell::{Cell, Seen, cells};
use crate::outages::place::Place;

/// Cells at a time. Most of a cell is waiting.
const AT_ONCE: usize = 6;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs what tests/real/faults/run sets up"]
async fn each_fault_of_each_call_is_survived() {
    let (place, turns) = (Arc::new(Place::set_up().await), Arc::new(Semaphore::new(AT_ONCE)));
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

fn row(number: &str, [operation, call, fault, times]: &[&str; 4], seen: &str) -> String {
    format!("{number:>4} │ {operation:<21} │ {call:<12} │ {fault:<19} │ {times:<8} │ {seen}")
}

fn seen(result: &Result<Seen, String>) -> String {
    match result {
        Ok(Seen { spoiled, meanwhile, then }) => format!("{spoiled:>4} │ {meanwhile:<18} │ {then:<4} │ ok"),
        Err(_) => "FAILED".to_owned(),
    }
}
