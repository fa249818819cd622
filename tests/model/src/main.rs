//! `cargo run -p model`: the search, at any size.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

use std::process::ExitCode;

use clap::Parser;
use model::exhaust::{Bounds, explore};
use model::search::Rigs;

/// Searches for histories that break the rotation of refresh tokens.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many random histories
    #[arg(long, default_value_t = 100_000)]
    histories: u64,
    /// The first seed; the others follow
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Visit every history of a small kind instead
    #[arg(long)]
    exhaustive: bool,
    /// How many at the same time
    #[arg(long, default_value_t = 2)]
    threads: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.exhaustive {
        return exhaust();
    }
    let failures: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..arguments.threads)
            .map(|worker| {
                let seeds = (arguments.seed + worker..arguments.seed + arguments.histories)
                    .step_by(usize::try_from(arguments.threads).unwrap_or(1));
                scope.spawn(move || {
                    let rigs = Rigs::new().ok()?;
                    seeds.into_iter().find_map(|seed| rigs.try_seed(seed))
                })
            })
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().ok().flatten()).collect()
    });
    for failure in &failures {
        eprintln!("seed {}: {:?}\n{}\n{:?}", failure.seed, failure.violation, failure.story, failure.steps);
    }
    println!("{} histories, {} broken", arguments.histories, failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn exhaust() -> ExitCode {
    let Ok(rig) = model::rig::Rig::new(std::time::Duration::from_secs(10)) else { return ExitCode::FAILURE };
    let kinds = [
        (
            "two requests in flight",
            Bounds { owner: 3, thief: 0, in_flight: 2, losses: true, logout: false, waits: 2, seconds: &[11, 91] },
        ),
        (
            "owner and thief, three requests each",
            Bounds { owner: 3, thief: 3, in_flight: 1, losses: false, logout: false, waits: 4, seconds: &[11, 91] },
        ),
    ];
    for (name, bounds) in kinds {
        let explored = explore(&rig, &bounds, 2_000_000);
        println!(
            "{name}: {} states, {} steps, depth {}, complete {}",
            explored.states, explored.steps, explored.depth, explored.complete
        );
        if let Some((violation, story)) = explored.broken {
            println!("{violation:?}\n{story}");
        }
    }
    ExitCode::SUCCESS
}
