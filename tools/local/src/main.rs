//! `cargo run`: the whole stack on loopback.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]
#![expect(clippy::doc_markdown, reason = "what stands there is its help text")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use auth_core::config::{ConfigError, Variables, environment};
use auth_core::entropy::OsEntropy;
use auth_core::time::SystemClock;
use auth_dynamodb::endpoint::Endpoint;
use clap::{Parser, ValueEnum};
use local::identity::IdentitySource;
use local::stack::{DEMO_CLIENT, DEMO_USER, Options, Stack, StartError};
use local::surface::{Attachment, Payload, Surface};
use tokio::signal::unix::{Signal, SignalKind, signal};

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
    /// Keep the database in FILE, and the demo password, the demo client's secret and all keys in FILE.dev, readable by its owner only; without
    /// it, all is forgotten at the end
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The embedded DynamoDB's port; any free one by default
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "PORT")]
    dynamodb_port: u16,
    /// Use this DynamoDB instead of the embedded one: DynamoDB Local, or AWS with the credentials of the environment
    #[arg(long, value_name = "URL", conflicts_with = "dynamodb_port")]
    dynamodb_endpoint: Option<Endpoint>,
    /// The kind of gateway before the functions. With websocket, a WebSocket API stands at / beside the REST API
    #[arg(long, value_enum, default_value_t = Kind::RestToken)]
    surface: Kind,
    /// The payload format of an HTTP API's authorizer. SIMPLE_RESPONSES=on is EnableSimpleResponses
    #[arg(long, value_name = "FORMAT", value_parser = ["1.0", "2.0"], default_value = "2.0")]
    payload: String,
    /// What names the caller to the gateway, such as method.request.header.Authorization or $context.routeKey; may be
    /// repeated. The Authorization header field by default, nothing for a WebSocket API
    #[arg(long, value_name = "SOURCE")]
    identity_source: Vec<IdentitySource>,
    /// How long the gateway serves an authorizer's answer again, as API Gateway can be told to
    #[arg(long, default_value_t = 0, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=3600))]
    authorizer_ttl: u32,
    /// Serve under /STAGE, as at API Gateway's own domains; at the root by default, as at a custom domain
    #[arg(long, value_parser = stage)]
    stage: Option<String>,
}

/// The kinds of gateway.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// REST API, TOKEN authorizer
    RestToken,
    /// REST API, REQUEST authorizer
    RestRequest,
    /// HTTP API
    Http,
    /// WebSocket API beside a REST API
    Websocket,
}

fn stage(name: &str) -> Result<String, &'static str> {
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_name { Ok(name.to_owned()) } else { Err("expected letters, digits, - and _") }
}

impl Arguments {
    fn attachment(&self) -> Result<Attachment, ConfigError> {
        let surface = match (self.surface, self.payload.as_str()) {
            (Kind::RestToken, _) => Surface::RestToken,
            (Kind::RestRequest, _) => Surface::RestRequest,
            (Kind::Http, "1.0") => Surface::Http(Payload::One),
            (Kind::Http, _) => {
                Surface::Http(Payload::Two { simple: Variables::new(&environment).switch("SIMPLE_RESPONSES", false)? })
            }
            (Kind::Websocket, _) => Surface::WebSocket,
        };
        let mut attachment = Attachment::new(surface);
        attachment.ttl = Duration::from_secs(self.authorizer_ttl.into());
        if !self.identity_source.is_empty() {
            attachment.identity_sources.clone_from(&self.identity_source);
        }
        Ok(attachment)
    }
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
    let attachment = arguments.attachment()?;
    let stack = Stack::start(Options {
        port,
        data: arguments.data,
        dynamodb_port: arguments.dynamodb_port,
        dynamodb_endpoint: arguments.dynamodb_endpoint,
        attachment,
        stage: arguments.stage,
        variables: Box::new(environment),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    })
    .await?;
    // Before whoever waits for the next line can send one.
    let ends = Ends::listen()?;
    print!("{}", announcement(&stack));
    eprint!("{}", walk_through(&stack));
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let serving = stack.serve(async { stopped.await.unwrap_or_default() });
    tokio::select! {
        served = serving => served.map_err(|reason| StartError::Port { port, reason }),
        () = ends.wait(stop) => Ok(()),
    }
}

/// What ends this command: Ctrl-C, or a polite kill.
struct Ends {
    interrupt: Signal,
    terminate: Signal,
}

impl Ends {
    /// From here on, neither kills the process by itself.
    fn listen() -> Result<Self, StartError> {
        let listen = |kind| signal(kind).map_err(StartError::Signals);
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for one of them, says so, and then for as long as a request under way may take to be answered.
    async fn wait(mut self, stop: tokio::sync::oneshot::Sender<()>) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        // Nobody to tell: then nobody serves, either.
        let _ = stop.send(());
        tokio::time::sleep(PATIENCE).await;
    }
}

/// What programs read, who may close the pipe after the line that they wait for: so it is one text, written at once.
fn announcement(stack: &Stack) -> String {
    let Stack { url, dynamodb, secrets, .. } = stack;
    let (password, secret) = (&secrets.demo_password, &secrets.demo_client_secret);
    format!(
        "ready {url}\ndynamodb {dynamodb}\ndemo user {DEMO_USER} password {password}\n\
         demo client {DEMO_CLIENT} secret {secret}\n"
    )
}

fn walk_through(stack: &Stack) -> String {
    let url = &stack.url;
    let password = &stack.secrets.demo_password;
    let secret = &stack.secrets.demo_client_secret;
    format!(
        r#"
try:
  curl -s {url}/login -H 'Content-Type: application/json' -d '{{"username":"{DEMO_USER}","password":"{password}"}}'
  curl -si {url}/me -H "Authorization: Bearer $ACCESS_TOKEN"
  curl -s {url}/oauth/introspect -u '{DEMO_CLIENT}:{secret}' -d "token=$ACCESS_TOKEN"
  curl -s {url}/_local/clock -d '{{"advance_seconds":640}}'
  curl -s {url}/refresh -H 'Content-Type: application/json' -d "{{\"refresh_token\":\"$REFRESH_TOKEN\"}}"

"#
    )
}
