//! `authctl`: the operator's command line.
#![expect(clippy::print_stderr, reason = "a command-line tool")]

use std::process::ExitCode;

use admin::command::Arguments;
use admin::failure::usage_line;
use admin::run::run;
use auth_core::config::{Variables, environment};
use clap::Parser as _;
use clap::error::ErrorKind;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    match run(arguments, &Variables::new(&environment)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(report) => {
            eprintln!("error: {}", report.text);
            ExitCode::from(report.code)
        }
    }
}

/// Help where it was asked for or nothing was; one line where something is wrong.
fn refuse(error: &clap::Error) -> ExitCode {
    let is_help = !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if is_help {
        // A closed pipe: there is nobody to tell.
        let _ = error.print();
    } else {
        eprintln!("{}", usage_line(&error.render().to_string()));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
