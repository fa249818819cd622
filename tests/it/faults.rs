//! A fault of ours is a 503, never a verdict, and leaves nothing half done.

use std::sync::Arc;

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::policy::REQUEST_LIFE;
use auth_core::time::{Clock, ManualClock, SystemClock};
use auth_dynamodb::store::Store;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, RESTED, SECOND, START, WEEK, engine};
use crate::wire::{Fault, Wire};

fn assert_is_fault(answer: &Answer, name: &str) {
    assert_eq!(answer.status, 503, "{name}: {answer:?}");
    assert_eq!(answer.header("retry-after"), Some("2"), "{name}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{name}");
    assert!(answer.json().get("error").is_none(), "{name}: no OAuth code, clients take those as the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_refuses_is_a_503_and_the_token_stays_good() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    let mut token = api.login().await.refresh;
    let codes = [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "InternalServerError",
        "ResourceNotFoundException",
        "AccessDeniedException",
    ];
    for code in codes {
        for operation in ["UpdateItem", "GetItem"] {
            api.wait(RESTED);
            wire.plan(operation, vec![Fault::Refused(code); 3]);
            let refused = api.refresh(&token).await;
            assert_is_fault(&refused, code);
            wire.clear();
            token = api.refresh(&token).await.tokens().refresh;
        }
    }
}

/// A write that meets a transaction is sent again, and if that does not help it is a 503: never `invalid_grant`.
#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_with_a_transaction_is_sent_again() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    let token = api.login().await.refresh;
    let conflict = || Fault::Refused("TransactionConflictException");
    api.wait(RESTED);
    wire.plan("UpdateItem", [conflict(), conflict()]);
    let token = api.refresh(&token).await.tokens().refresh;
    api.wait(RESTED);
    wire.plan("UpdateItem", [conflict(), conflict(), conflict()]);
    assert_is_fault(&api.refresh(&token).await, "three conflicts");
    assert_eq!(api.refresh(&token).await.status, 200);
    wire.plan("PutItem", [conflict(), conflict()]);
    api.login().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_its_store_is_a_503() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    for operation in ["UpdateItem", "GetItem", "PutItem"] {
        wire.plan(operation, vec![Fault::Refused("InternalServerError"); 3]);
        assert_is_fault(&api.sign_in(&api.password).await, operation);
        wire.clear();
    }
    wire.plan("PutItem", [Fault::LostAnswer]);
    let token = api.login().await.refresh;
    assert_eq!(api.refresh(&token).await.status, 200, "the put that was repeated found its own session");
}

/// Neither by its answer, nor by what counts afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_under_a_fault_tells_nothing_of_password_and_name() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    let refused = Fault::Refused("AccessDeniedException");
    // Beside the hash, a name that somebody has is read, and one that nobody has is written once more.
    let read = |wire: &Wire| wire.plan("GetItem", [refused.clone()]);
    let written = |wire: &Wire| wire.plan("UpdateItem", [Fault::None, refused.clone()]);
    let cases = [
        ("right password", "demo", api.password.as_str(), &read as &dyn Fn(&Wire)),
        ("wrong password", "demo", "wrong", &read),
        ("unknown name", "nobody", "wrong", &written),
    ];
    for (case, name, password, fault) in cases {
        let sign_in = async |password: &str| api.post("/login", &json!({"username": name, "password": password})).await;
        for _ in 0..5 {
            assert!(sign_in("wrong").await.is_invalid_grant(), "{case}: a free failure");
        }
        for _ in 0..2 {
            fault(&wire);
            assert_is_fault(&sign_in(password).await, case);
            wire.clear();
        }
        assert!(sign_in("wrong").await.is_invalid_grant(), "{case}: the fault does not count");
        assert_eq!(sign_in("wrong").await.status, 429, "{case}: the failures before it do");
        api.wait(WEEK);
    }
}

/// What a login does besides is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_cannot_make_room_in_time_is_answered() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[("SESSIONS_PER_USER", "1")]).await;
    let first = api.login().await.refresh;
    api.wait(SECOND);
    wire.plan("Query", [Fault::Silence]);
    let second = tokio::time::timeout(REQUEST_LIFE, api.login()).await.unwrap().refresh;
    for token in [first, second] {
        assert_eq!(api.refresh(&token).await.status, 200, "one too many, until the next login");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_without_its_store_is_a_503_and_can_be_sent_again() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    let token = api.login().await.refresh;
    for code in ["InternalServerError", "TransactionConflictException", "AccessDeniedException"] {
        wire.plan("TransactWriteItems", vec![Fault::Refused(code); 3]);
        assert_is_fault(&api.logout(&token).await, code);
        wire.clear();
        assert_eq!(api.refresh(&token).await.status, 200, "{code}: the session lives");
    }
    wire.plan("TransactWriteItems", [Fault::LostAnswer]);
    assert_eq!(api.logout(&token).await.status, 204, "the write that was repeated found its own end");
    assert!(api.refresh(&token).await.is_invalid_grant());
}

/// Not to know whether a token is good is no verdict on it: neither `{"active":false}` nor a 401.
#[tokio::test(flavor = "multi_thread")]
async fn an_introspection_without_its_store_is_a_503() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    let tokens = api.login().await;
    for token in [&tokens.access, &tokens.refresh] {
        // Of the client, of the session and the user, of one of the two alone.
        for good in 0..3 {
            wire.plan("GetItem", vec![Fault::None; good]);
            wire.plan("GetItem", vec![Fault::Refused("InternalServerError"); 9]);
            assert_is_fault(&api.introspect(token).await, &format!("after {good} reads"));
            wire.clear();
        }
        assert_eq!(api.introspect(token).await.json()["active"], true);
    }
}

/// A request that the gateway received too long ago has been given up by its client: it writes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_older_than_its_life_writes_nothing() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    let token = api.login().await.refresh;
    let app = refresh_app(&api, &wire);
    let now = (START + RESTED).millis();
    wire.calls();
    for (age, status) in [(10_001, 503), (10_000, 200)] {
        let event = json!({
            "resource": "/refresh", "httpMethod": "POST", "headers": {"content-type": "application/json"},
            "body": json!({"refresh_token": token}).to_string(), "requestContext": {"requestTimeEpoch": now - age},
        });
        let answer: Value =
            serde_json::to_value(auth_http::function::invoke(&app, &event, &SystemClock).await).unwrap();
        assert_eq!(answer["statusCode"], status, "{age} ms old");
        let wrote = wire.operations().contains(&"UpdateItem".to_owned());
        assert_eq!(wrote, status == 200, "{age} ms old");
    }
}

/// The function `refresh`, ninety seconds after the start, with the keys of a stack.
fn refresh_app(api: &Api, wire: &Wire) -> refresh::App {
    let (signing_key, refresh_keys) = (api.signing_key.clone(), api.refresh_keys.clone());
    let look_up = move |name: &str| {
        Some(match name {
            "ISSUER" => "https://auth.example".to_owned(),
            "AUDIENCE" => "api".to_owned(),
            "SIGNING_KEY" => signing_key.clone(),
            "REFRESH_KEYS" => refresh_keys.clone(),
            _ => return None,
        })
    };
    let config = refresh::config::Config::from_variables(&Variables::new(&look_up)).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(START + RESTED));
    let store = Store::on_loopback(&wire.endpoint, api.table.clone());
    refresh::App::new(config, store, clock, Arc::new(OsEntropy))
}

/// A rotation that was written and could not be answered is one more lost answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_without_an_answer_is_a_lost_answer() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    let token = api.login().await.refresh;
    api.wait(RESTED);
    // The rotation is written, the user cannot be read: the answer is a 503, and the client comes back with T1.
    wire.plan("GetItem", vec![Fault::Refused("InternalServerError"); 3]);
    assert_is_fault(&api.refresh(&token).await, "user not read");
    wire.clear();
    for later in [SECOND, 60 * SECOND] {
        api.wait(later);
        assert_eq!(api.refresh(&token).await.status, 200, "{later:?} later");
    }
}
