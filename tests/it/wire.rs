//! A wire between the SDK and the engine that counts, weighs and loses.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// What goes wrong with one call.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The engine does it, its answer is lost on the way: an error that the SDK takes as transient.
    LostAnswer,
    /// The engine never hears of it and answers with this error code.
    Refused(&'static str),
    /// A batch that the engine puts off whole.
    Unprocessed,
    /// No answer ever comes.
    Silence,
    /// The engine hears of it when it is let go.
    Held(Arc<Hold>),
}

/// Where a call waits.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    pub(crate) reached: Notify,
    pub(crate) let_go: Notify,
}

/// One call as the engine saw it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) operation: String,
    /// Request units.
    pub(crate) units: f64,
}

#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) endpoint: String,
    state: Arc<Shared>,
}

struct Shared {
    engine: String,
    client: reqwest::Client,
    calls: Mutex<Vec<Call>>,
    faults: Mutex<VecDeque<(&'static str, Fault)>>,
}

impl Wire {
    pub(crate) async fn to(engine: String) -> Self {
        let state = Arc::new(Shared {
            engine,
            client: reqwest::Client::new(),
            calls: Mutex::default(),
            faults: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(forward).with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { endpoint, state }
    }

    /// The next calls of `operation` go wrong like this, in order.
    pub(crate) fn plan(&self, operation: &'static str, faults: impl IntoIterator<Item = Fault>) {
        self.state.faults.lock().unwrap().extend(faults.into_iter().map(|fault| (operation, fault)));
    }

    /// Of the next calls of `operation`, the first `sound` ones go well, and the one after them waits.
    pub(crate) fn hold(&self, operation: &'static str, sound: usize) -> Arc<Hold> {
        let hold = Arc::new(Hold::default());
        let faults = vec![Fault::None; sound];
        self.plan(operation, faults.into_iter().chain([Fault::Held(Arc::clone(&hold))]));
        hold
    }

    /// What was planned and has not come is off.
    pub(crate) fn clear(&self) {
        self.state.faults.lock().unwrap().clear();
    }

    /// The calls since the last time this was asked.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state.calls.lock().unwrap())
    }

    /// Their operations, in alphabetical order: some run side by side.
    pub(crate) fn operations(&self) -> Vec<String> {
        let mut operations: Vec<String> = self.calls().into_iter().map(|call| call.operation).collect();
        operations.sort();
        operations
    }
}

/// A request to the engine itself, past the SDK.
pub(crate) async fn dynamodb(engine: &str, operation: &str, request: &Value) -> Value {
    let credential = "AWS4-HMAC-SHA256 Credential=local/20270115/us-east-1/dynamodb/aws4_request, \
                      SignedHeaders=host, Signature=00";
    let answer = reqwest::Client::new()
        .post(engine)
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .header("content-type", "application/x-amz-json-1.0")
        .header("authorization", credential)
        .header("x-amz-date", "20270115T080000Z")
        .body(request.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{operation}");
    answer.json().await.unwrap()
}

async fn forward(State(wire): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap().to_owned();
    let operation = target.rsplit('.').next().unwrap().to_owned();
    let fault = wire.next_fault(&operation);
    if let Fault::Refused(code) = fault {
        wire.calls.lock().unwrap().push(Call { operation, units: 0.0 });
        return error(StatusCode::BAD_REQUEST, code);
    }
    if let Fault::Silence = fault {
        return std::future::pending().await;
    }
    if let Fault::Held(hold) = &fault {
        hold.reached.notify_one();
        hold.let_go.notified().await;
    }
    let mut request: Value = serde_json::from_slice(&body).unwrap();
    if let Fault::Unprocessed = fault {
        wire.calls.lock().unwrap().push(Call { operation, units: 0.0 });
        let answer = json!({"UnprocessedItems": request["RequestItems"]}).to_string();
        return ([("content-type", "application/x-amz-json-1.0")], answer).into_response();
    }
    if !operation.contains("Table") && !operation.contains("TimeToLive") {
        request["ReturnConsumedCapacity"] = "TOTAL".into();
    }
    let sent = wire
        .client
        .post(&wire.engine)
        .header("x-amz-target", target)
        .header("content-type", "application/x-amz-json-1.0")
        .header("authorization", headers["authorization"].to_str().unwrap())
        .header("x-amz-date", headers["x-amz-date"].to_str().unwrap())
        .body(request.to_string())
        .send()
        .await
        .unwrap();
    let status = StatusCode::from_u16(sent.status().as_u16()).unwrap();
    let answer = sent.bytes().await.unwrap();
    let units = units(&serde_json::from_slice(&answer).unwrap());
    wire.calls.lock().unwrap().push(Call { operation, units });
    match fault {
        Fault::LostAnswer => error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
        _ => (status, [("content-type", "application/x-amz-json-1.0")], answer).into_response(),
    }
}

impl Shared {
    fn next_fault(&self, operation: &str) -> Fault {
        let mut faults = self.faults.lock().unwrap();
        match faults.iter().position(|(planned, _)| *planned == operation) {
            Some(at) => faults.remove(at).unwrap().1,
            None => Fault::None,
        }
    }
}

fn units(answer: &Value) -> f64 {
    let capacity = &answer["ConsumedCapacity"];
    let several = capacity.as_array().into_iter().flatten().chain(capacity.is_object().then_some(capacity));
    several.filter_map(|capacity| capacity["CapacityUnits"].as_f64()).sum()
}

fn error(status: StatusCode, code: &str) -> Response {
    let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"planned"}}"#);
    (status, [("content-type", "application/x-amz-json-1.0")], body).into_response()
}
