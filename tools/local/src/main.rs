//! `cargo run`: the whole stack on loopback.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]
#![expect(clippy::doc_markdown, reason = "what stands there is its help text")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use auth_core::config::{Variables, environment};
use auth_core::entropy::OsEntropy;
use auth_core::time::SystemClock;
use auth_dynamodb::endpoint::Endpoint;
use clap::Parser;
use local::stack::{DEMO_USER, Options, Stack, StartError};

/// Countersign on this machine: login, refresh and the authorizer behind a gateway that behaves as Amazon API Gateway
/// does, on an embedded DynamoDB. Listens on loopback only.
///
/// Variables of the functions, such as ACCESS_TOKEN_TTL_SECONDS, are taken from the environment. The log goes to standard
/// error; LOG_LEVEL sets its level.
#[derive(Debug, Parser)]
#[command(name = "local", version)]
struct Arguments {
    /// The gateway's port; 0 for any free one
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Keep the database in FILE, and the demo password and all keys in FILE.dev, readable by its owner only; without
    /// it, all is forgotten at the end
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The embedded DynamoDB's port; any free one by default
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "PORT")]
    dynamodb_port: u16,
    /// Use this DynamoDB instead of the embedded one: DynamoDB Local, or AWS with the credentials of the environment
    #[arg(long, value_name = "URL", conflicts_with = "dynamodb_port")]
    dynamodb_endpoint: Option<Endpoint>,
    /// How long the gateway serves an authorizer's answer again, as API Gateway can be told to
    #[arg(long, default_value_t = 0, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=3600))]
    authorizer_ttl: u32,
}

/// How long a request that is under way is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let log = auth_log::start("local", &Variables::new(&environment), std::io::stderr);
    let ended = match log {
        Ok(()) => run(arguments).await,
        Err(error) => Err(error.into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), StartError> {
    let port = arguments.port;
    let stack = Stack::start(Options {
        port,
        data: arguments.data,
        dynamodb_port: arguments.dynamodb_port,
        dynamodb_endpoint: arguments.dynamodb_endpoint,
        authorizer_ttl: Duration::from_secs(arguments.authorizer_ttl.into()),
        variables: Box::new(environment),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    })
    .await?;
    println!("ready http://{}", stack.gateway);
    println!("dynamodb {}", stack.dynamodb);
    println!("demo user {DEMO_USER} password {}", stack.secrets.demo_password);
    eprint!("{}", walk_through(&stack));
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let serving = stack.serve(async { stopped.await.unwrap_or_default() });
    tokio::select! {
        served = serving => served.map_err(|reason| StartError::Port { port, reason }),
        () = interrupted(stop) => Ok(()),
    }
}

/// Waits for Ctrl-C, says so, and then for as long as a request under way may take to be answered.
async fn interrupted(stop: tokio::sync::oneshot::Sender<()>) {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without signals there is no end but a kill.
        std::future::pending::<()>().await;
    }
    // Nobody to tell: then nobody serves, either.
    let _ = stop.send(());
    tokio::time::sleep(PATIENCE).await;
}

fn walk_through(stack: &Stack) -> String {
    let url = format!("http://{}", stack.gateway);
    let password = &stack.secrets.demo_password;
    format!(
        r#"
try:
  curl -s {url}/login -H 'Content-Type: application/json' -d '{{"username":"{DEMO_USER}","password":"{password}"}}'
  curl -si {url}/me -H "Authorization: Bearer $ACCESS_TOKEN"
  curl -s {url}/_local/clock -d '{{"advance_seconds":640}}'
  curl -s {url}/refresh -H 'Content-Type: application/json' -d "{{\"refresh_token\":\"$REFRESH_TOKEN\"}}"

"#
    )
}
