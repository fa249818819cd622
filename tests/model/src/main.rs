//! `cargo run -p model`: the search, at any size.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

use std::process::ExitCode;
use std::time::Duration;

use auth_core::config::ConfigError;
use clap::Parser;
use model::exhaust::{KINDS, explore};
use model::parallel::shares;
use model::search::{Failure, Rigs};
use model::table::Memory;
use model::wire::Engine;

/// Searches for histories that break what is promised of refresh tokens: on the code of the Lambda function `refresh`, over
/// a table in memory. Prints the shortest form of one that it finds, and exits with 1.
#[derive(Debug, Parser)]
#[command(name = "model", version)]
struct Arguments {
    /// Run so many random histories
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    histories: u64,
    /// The first history's seed; the others' follow
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run them on the store and the embedded DynamoDB instead, over the wire, beside the table in memory
    #[arg(long)]
    wire: bool,
    /// Run every history of some small kinds instead
    #[arg(long, conflicts_with_all = ["wire", "histories", "seed"])]
    exhaustive: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let broken = match (arguments.exhaustive, arguments.wire) {
        (true, _) => every_history(),
        (false, true) => over_the_wire(&arguments),
        (false, false) => at_random(&arguments),
    };
    match broken {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether a history was broken.
type Broken = Result<bool, Box<dyn std::error::Error>>;

fn at_random(arguments: &Arguments) -> Broken {
    let failures = shares(arguments.histories, |numbers| {
        let rigs = Rigs::new()?;
        Ok(numbers.map(|number| arguments.seed + number).find_map(|seed| rigs.try_seed(seed, Memory::default)))
    });
    let failures = failures.into_iter().collect::<Result<Vec<Option<Failure>>, ConfigError>>()?;
    Ok(tell(arguments, failures.iter().flatten().next()))
}

fn over_the_wire(arguments: &Arguments) -> Broken {
    let (rigs, engine) = (Rigs::new()?, Engine::start()?);
    let mut seeds = arguments.seed..arguments.seed + arguments.histories;
    Ok(tell(arguments, seeds.find_map(|seed| rigs.try_seed(seed, || engine.table())).as_ref()))
}

fn tell(arguments: &Arguments, failure: Option<&Failure>) -> bool {
    match failure {
        None => println!("{} histories, none broken", arguments.histories),
        Some(failure) => {
            println!("{}", failure.story);
            let number = failure.seed - arguments.seed + 1;
            println!("history {number}, seed {}: {:?}", failure.seed, failure.violation);
        }
    }
    failure.is_some()
}

fn every_history() -> Broken {
    for (name, window, bounds) in KINDS {
        let explored = explore(Duration::from_secs(window), &bounds)?;
        println!(
            "{name}, window {window}: {} states, {} steps, histories of up to {} steps",
            explored.states, explored.steps, explored.depth
        );
        if let Some((violation, story)) = explored.broken {
            println!("{story}\n{violation:?}");
            return Ok(true);
        }
    }
    Ok(false)
}
