//! An instance of a function: one process of its binary, under a Lambda Runtime API of our own.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use auth_core::policy::REQUEST_LIFE;
use auth_core::time::{Clock as _, SystemClock};
use axum::Router;
use axum::extract::{Path as PathParameters, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, Notify};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::rie::Environment;

/// AWS gives an instance so long to start.
const START: Duration = Duration::from_secs(10);

/// A process, killed with this value.
pub(crate) struct Instance {
    process: Child,
    events: UnboundedSender<Value>,
    answers: UnboundedReceiver<Result<Value, String>>,
    serving: AbortHandle,
}

/// What the process and its invoker share.
struct Invocations {
    events: Mutex<UnboundedReceiver<Value>>,
    answers: UnboundedSender<Result<Value, String>>,
    asked: Notify,
}

impl Instance {
    /// Starts a binary, which waits for its first event when this returns.
    pub(crate) async fn start(binary: &Path, variables: &Environment, log: &Path) -> Self {
        let (events, queue) = unbounded_channel();
        let (answered, answers) = unbounded_channel();
        let invocations = Arc::new(Invocations { events: Mutex::new(queue), answers: answered, asked: Notify::new() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = router(Arc::clone(&invocations));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        let log = File::options().create(true).append(true).open(log).unwrap();
        let process = Command::new(binary)
            .env_clear()
            .envs(variables)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .envs([("AWS_LAMBDA_FUNCTION_NAME", "function"), ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")])
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let instance = Self { process, events, answers, serving };
        timeout(START, invocations.asked.notified()).await.unwrap();
        instance
    }

    /// Hands an event over. The answer waits for [`Self::answer`].
    pub(crate) fn send(&self, event: Value) {
        self.events.send(event).unwrap();
    }

    /// What the function makes of the event; an error if it fails, or takes longer than it lives on AWS.
    pub(crate) async fn invoke(&mut self, event: Value) -> Result<Value, String> {
        self.send(event);
        let answer = timeout(REQUEST_LIFE, self.answers.recv()).await;
        answer.map_err(|_| format!("no answer within {REQUEST_LIFE:?}"))?.unwrap()
    }

    /// As `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        self.serving.abort();
    }
}

fn router(invocations: Arc<Invocations>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(answered))
        .route("/2018-06-01/runtime/init/error", post(failed))
        .with_state(invocations)
}

async fn next(State(invocations): State<Arc<Invocations>>) -> Response {
    invocations.asked.notify_one();
    let Some(event) = invocations.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = (SystemClock.now() + REQUEST_LIFE).millis().to_string();
    let fields = [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", &deadline),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:function"),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0"),
    ];
    (fields, event.to_string()).into_response()
}

async fn answered(
    State(invocations): State<Arc<Invocations>>,
    PathParameters((_, kind)): PathParameters<(String, String)>,
    body: String,
) -> StatusCode {
    let answer = match (kind.as_str(), serde_json::from_str(&body)) {
        ("response", Ok(answer)) => Ok(answer),
        _ => Err(format!("{kind}: {body}")),
    };
    let _ = invocations.answers.send(answer);
    StatusCode::ACCEPTED
}

async fn failed(State(invocations): State<Arc<Invocations>>, body: String) -> StatusCode {
    let _ = invocations.answers.send(Err(format!("init: {body}")));
    StatusCode::ACCEPTED
}
