//! `cargo run -p model --bin compare`: what a thief gains and an honest client loses, in numbers.
#![expect(clippy::print_stdout, reason = "a command-line tool")]

use auth_core::policy::PolicyError;
use clap::Parser;
use model::compare::tables::{CLIENTS, THEFTS, honest, thief};

/// Compares rules for refresh tokens: ours and other people's.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many honest clients
    #[arg(long, default_value_t = CLIENTS)]
    clients: u64,
    /// How many thefts by each strategy, under each kind of rules
    #[arg(long, default_value_t = THEFTS)]
    thefts: u64,
}

fn main() -> Result<(), PolicyError> {
    let arguments = Arguments::parse();
    println!("{}", honest(arguments.clients)?);
    print!("{}", thief(arguments.thefts)?);
    Ok(())
}
