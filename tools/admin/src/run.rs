//! From arguments to what has become of them.

use std::io::stdout;

use auth_core::config::Variables;
use clap::CommandFactory as _;

use crate::command::{Arguments, Command, Keys};
use crate::context::Context;
use crate::failure::{Failure, Report};
use crate::output::Output;
use crate::place::Place;
use crate::{client, keys, refresh_keys, revoke, ring, session, table, user};

/// Carries a command out, on standard input and output.
///
/// # Errors
///
/// [`Report`]. That nobody reads the output any more is none.
pub async fn run(arguments: Arguments, variables: &Variables<'_>) -> Result<(), Report> {
    let place = Place::find(&arguments, variables).map_err(Report::usage)?;
    let done = execute(arguments, &place, variables).await;
    match done.err().and_then(|failure| failure.report(&place)) {
        Some(report) => Err(report),
        None => Ok(()),
    }
}

async fn execute(arguments: Arguments, place: &Place, variables: &Variables<'_>) -> Result<(), Failure> {
    let Arguments { json, yes, page_size, command, .. } = arguments;
    let mut output = Output::new(stdout().lock(), json);
    let context = async |output| Ok::<_, Failure>(Context { store: place.store(page_size).await?, output, yes });
    match command {
        Command::User(command) => user::run(command, context(output).await?).await,
        Command::Session(command) => session::run(command, context(output).await?).await,
        Command::Client(command) => client::run(command, context(output).await?).await,
        Command::Revoke(what) => revoke::run(what, context(output).await?).await,
        Command::Table(command) => table::run(command, context(output).await?, place).await,
        Command::Keys(Keys::Create { algorithm, secret, jwks }) => keys::create(algorithm, &secret, &jwks, &mut output),
        Command::Keys(Keys::List { jwks: Some(jwks) }) => keys::list(&jwks, &mut output),
        Command::Keys(Keys::List { jwks: None }) => ring::list(context(output).await?).await,
        Command::Keys(Keys::Rotate) => ring::rotate(context(output).await?, variables).await,
        Command::Keys(Keys::Kill { kid }) => ring::kill(&kid, context(output).await?, variables).await,
        Command::RefreshKeys(command) => refresh_keys::run(command, variables, yes, &mut output).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "authctl", &mut script);
            output.print(&script)
        }
    }
}
