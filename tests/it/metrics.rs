//! What is counted and measured, for each outcome.

use std::sync::Arc;
use std::time::Duration;

use auth_core::config::Variables;
use auth_core::time::ManualClock;
use auth_http::browser::Browsers;
use auth_http::function::{Function, invoke};
use auth_http::request::Request;
use auth_http::response::{self, Response};
use auth_log::invocation;
use reqwest::Method;
use serde_json::{Value, json};
use tracing::{Instrument as _, Level};

use crate::emf::points;
use crate::harness::{Api, RESTED, SECOND, START, engine};
use crate::listening::{DEPLOYMENT, Listening};
use crate::wire::{Fault, Wire, dynamodb};

const MONTH: Duration = Duration::from_hours(30 * 24);

#[tokio::test]
async fn logins_by_outcome() {
    let log = Listening::at(Level::INFO);
    let api = Api::start().await;
    api.login().await;
    assert_eq!(log.told(), ["login Logins succeeded=1"]);
    api.post("/login", &json!({"username": "nobody", "password": "a password"})).await;
    for _ in 0..6 {
        api.sign_in("wrong").await;
    }
    // The name that nobody has, five free failures, and the one that closes the name.
    assert_eq!(log.told(), ["login Logins refused=7"]);
    for _ in 0..2 {
        assert_eq!(api.sign_in("wrong").await.status, 429);
    }
    assert_eq!(log.told(), ["login Logins throttled=2", "login Throttled=2"]);
    api.post("/login", &json!({"username": "demo"})).await;
    assert_eq!(log.told(), Vec::<String>::new(), "no attempt");
}

#[tokio::test]
async fn refreshes_by_decision() {
    let log = Listening::at(Level::INFO);
    let engine = engine().await;
    let api = Api::start_on(engine.clone(), &[]).await;
    let t1 = api.login().await.refresh;
    log.lines();
    let told = async |token: &str| {
        let answer = api.refresh(token).await;
        (answer, log.told())
    };

    assert_eq!(told(&t1).await.1, ["refresh Refreshes rest=1"]);
    api.wait(RESTED);
    let (rotated, counted) = told(&t1).await;
    assert_eq!(counted, ["refresh Refreshes rotate=1"]);
    assert_eq!(told(&t1).await.1, ["refresh Refreshes repeat=1"]);
    api.wait(11 * SECOND);
    assert_eq!(told(&t1).await.1, ["refresh Refreshes fork=1"]);
    let backup = dynamodb(&engine, "Scan", &json!({"TableName": api.table})).await;
    let t3 = api.rotate(&rotated.tokens().refresh).await.refresh;
    let t4 = api.rotate(&t3).await.refresh;
    for item in backup["Items"].as_array().unwrap() {
        dynamodb(&engine, "PutItem", &json!({"TableName": api.table, "Item": item})).await;
    }
    api.wait(RESTED);
    log.lines();
    assert_eq!(told(&t4).await.1, ["refresh Refreshes adopt=1"]);
    assert_eq!(told(&t1).await.1, ["refresh Refreshes replayed=1", "refresh Replays=1"]);
    assert_eq!(told(&t4).await.1, ["refresh Refreshes ended=1"]);
    assert_eq!(told(&format!("{t4}x")).await.1, ["refresh Refreshes unknown=1"]);

    let idle = api.login().await.refresh;
    api.wait(MONTH);
    log.lines();
    assert_eq!(told(&idle).await.1, ["refresh Refreshes expired=1"]);
    assert_eq!(api.post("/refresh", &json!({})).await.status, 400);
    assert_eq!(log.told(), Vec::<String>::new(), "no token");
}

/// An old token that means to go on, at the other place where it is found out.
#[tokio::test]
async fn a_replay_at_logout_is_counted_as_one() {
    let log = Listening::at(Level::INFO);
    let api = Api::start().await;
    let t1 = api.login().await.refresh;
    let t3 = api.rotate(&api.rotate(&t1).await.refresh).await.refresh;
    log.lines();
    api.post("/logout", &json!({"refresh_token": t1, "sessions": "others"})).await;
    assert_eq!(log.told(), ["revoke Replays=1"]);
    api.logout(&t3).await;
    assert_eq!(log.told(), Vec::<String>::new());
}

#[tokio::test]
async fn authorizations_by_reason_and_staleness() {
    let log = Listening::at(Level::INFO);
    let api = Api::start().await;
    let tokens = api.login().await;
    let narrow = api.post("/login", &json!({"username": "demo", "password": api.password, "scope": "notes"})).await;
    let narrow = narrow.tokens().access;
    log.lines();
    let told = async |authorization: String| {
        api.get("/me", &authorization).await;
        log.told()
    };

    let good = format!("Bearer {}", tokens.access);
    assert_eq!(told(good.clone()).await, ["authorizer Allowed=1", "authorizer Staleness=0"]);
    api.wait(Duration::from_millis(1500));
    assert_eq!(told(good.clone()).await, ["authorizer Allowed=1", "authorizer Staleness=1500"]);
    let forbidden = ["authorizer Denials forbidden=1", "authorizer Staleness=1500"];
    assert_eq!(told(format!("Bearer {narrow}")).await, forbidden);
    let forged = tokens.access.rsplit_once('.').unwrap().0.to_owned() + "." + &"A".repeat(342);
    let refused = [
        ("Basic x".to_owned(), "malformed"),
        (format!("{good},{good}"), "malformed"),
        ("Bearer x".to_owned(), "malformed"),
        (format!("Bearer {forged}"), "wrong_signature"),
    ];
    for (authorization, reason) in refused {
        assert_eq!(
            told(authorization.clone()).await,
            [format!("authorizer Denials {reason}=1")],
            "{authorization:.12}"
        );
    }
    api.logout(&tokens.refresh).await;
    api.wait(16 * SECOND);
    log.lines();
    assert_eq!(told(good.clone()).await, ["authorizer Denials session_ended=1"]);
    api.wait(MONTH);
    assert_eq!(told(good).await, ["authorizer Denials expired=1"]);
}

#[tokio::test]
async fn faults_are_counted_where_they_are() {
    let log = Listening::at(Level::INFO);
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    let tokens = api.login().await;
    log.lines();
    for operation in ["GetItem", "Query", "UpdateItem"] {
        wire.plan(operation, vec![Fault::Refused("InternalServerError"); 100]);
    }
    let expected = ["authorizer", "introspect", "login", "refresh"].map(|function| format!("{function} Faults=1"));
    assert_eq!(api.me(&tokens.access).await.status, 503);
    assert_eq!(api.introspect(&tokens.access).await.status, 503);
    assert_eq!(api.sign_in("x").await.status, 503);
    api.wait(RESTED);
    assert_eq!(api.refresh(&tokens.refresh).await.status, 503);
    assert_eq!(log.told(), expected);
}

/// With `REVOCATION_FAILURE=open` and a journal that was never read, what is known is older than any bound.
#[tokio::test]
async fn what_was_never_read_is_a_day_old() {
    let log = Listening::at(Level::INFO);
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[("REVOCATION_FAILURE", "open")]).await;
    let tokens = api.login().await;
    wire.plan("Query", vec![Fault::Refused("InternalServerError"); 100]);
    log.lines();
    assert_eq!(api.me(&tokens.access).await.status, 200);
    assert_eq!(log.told(), ["authorizer Allowed=1", "authorizer Staleness=86400000"]);
}

#[tokio::test]
async fn a_level_takes_nothing_from_the_metrics() {
    let mut counted = Vec::new();
    for level in [Level::TRACE, Level::ERROR] {
        let log = Listening::at(level);
        let api = Api::start().await;
        let tokens = api.login().await;
        api.me(&tokens.access).await;
        api.sign_in("wrong").await;
        api.refresh(&tokens.refresh).await;
        api.get("/.well-known/jwks.json", "").await;
        let lines = log.lines();
        let quiet = ["sub", "sid", "event", "method", "route", "cold_start"];
        let talks = lines.iter().any(|line| quiet.iter().any(|member| line.get(member).is_some()));
        assert_eq!(talks, level == Level::TRACE, "{lines:?}");
        let points = lines.iter().flat_map(points).filter(|(series, _)| series.name != "ColdStarts");
        counted.push(points.map(|(series, _)| series).collect::<Vec<_>>());
    }
    assert!(counted[0].len() > 10);
    assert_eq!(counted[0], counted[1]);
}

/// A function that takes its time.
struct Slow {
    browsers: Browsers,
    clock: Arc<ManualClock>,
}

impl Function for Slow {
    fn browsers(&self) -> &Browsers {
        &self.browsers
    }

    async fn answer(&self, _: Request) -> Response {
        self.clock.advance(Duration::from_millis(250));
        response::done()
    }
}

#[tokio::test]
async fn every_invocation_ends_with_a_line_that_has_its_latency_and_the_usual_keys() {
    let log = Listening::at(Level::INFO);
    let clock = Arc::new(ManualClock::new(START));
    let browsers = Browsers::without_cookies(&Variables::new(&|_| None)).unwrap();
    let slow = Slow { browsers, clock: Arc::clone(&clock) };
    let event = json!({"resource": "/slow", "httpMethod": "BREW-COFFEE"});
    let span = invocation::span("sessions", "request-1", Some("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"));
    invoke(&slow, &event, clock.as_ref()).instrument(span).await;
    let lines = log.lines();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((&line["event"], &line["Latency"]), (&json!("answered"), &json!(250.0)));
    assert_eq!((&line["service"], &line["function_request_id"]), (&json!("sessions"), &json!("request-1")));
    assert_eq!(line["xray_trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
    assert_eq!((&line["route"], &line["method"]), (&json!("/slow"), &json!("other")), "a method is any text");
    assert!(line["cold_start"].is_boolean());
    let latency = points(line).into_iter().find(|(series, _)| series.name == "Latency").unwrap();
    assert_eq!((latency.0.dimension("service"), latency.0.dimension("deployment")), ("sessions", DEPLOYMENT));
}

/// Every line of an invocation says of which, in all functions; and each invocation has one line that ends it.
#[tokio::test]
async fn every_line_has_request_id_function_and_cold_start() {
    let log = Listening::at(Level::INFO);
    let api = Api::start().await;
    let tokens = api.login().await;
    let bearer = format!("Bearer {}", tokens.access);
    api.get("/me", &bearer).await;
    api.get("/sessions", "Bearer x").await;
    api.refresh(&tokens.refresh).await;
    api.introspect(&tokens.access).await;
    api.send(Method::GET, "/.well-known/jwks.json", &[], b"").await;
    api.logout(&tokens.refresh).await;
    let lines = log.lines();
    let ended = |line: &&Value| line["Latency"].is_number();
    let mut functions: Vec<&str> = lines.iter().filter(ended).map(|line| line["service"].as_str().unwrap()).collect();
    functions.sort_unstable();
    let expected = ["authorizer", "authorizer", "discovery", "introspect", "login", "refresh", "revoke", "sessions"];
    assert_eq!(functions, expected, "one each");
    for line in &lines {
        assert!(line["function_request_id"].as_str().is_some_and(|id| !id.is_empty()), "{line}");
        assert!(line["cold_start"].is_boolean() && line["event"].is_string(), "{line}");
    }
}
