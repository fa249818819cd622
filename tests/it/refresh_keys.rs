//! Keys of refresh tokens that change behind running functions.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::key_ring::RING_MAX_AGE;
use auth_core::time::Clock;
use auth_http::function::invoke;
use auth_keys::refresh::PACE;
use auth_keys::refresh_keeper::RefreshKeeper;
use auth_watch::pace::RETRY;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::{Answer, RESTED, SECOND, engine};
use crate::rotating::Rotating;
use crate::wire::Wire;

const MINUTE: Duration = Duration::from_secs(60);

fn keeper_of(world: &Rotating) -> impl Future<Output = RefreshKeeper> {
    let file = world.file.to_str().unwrap().to_owned();
    async move {
        let look_up = |name: &str| (name == "KEY_FILE").then(|| file.clone());
        RefreshKeeper::from_variables(&Variables::new(&look_up)).await.unwrap()
    }
}

/// A function `refresh` that starts now, beside those of the stack.
async fn instance(world: &Rotating) -> refresh::App {
    let api = &world.api;
    let look_up = |name: &str| {
        Some(match name {
            "ISSUER" => api.url.clone(),
            "AUDIENCE" => "local-api".to_owned(),
            "KEY_FILE" => world.file.to_str().unwrap().to_owned(),
            _ => return None,
        })
    };
    let config = refresh::config::Config::from_variables(&Variables::new(&look_up)).unwrap();
    let clock: Arc<dyn Clock> = Arc::clone(&api.clock) as _;
    let config = config.bind(&api.store, &clock).await.unwrap();
    refresh::App::new(config, api.store.clone(), clock, Arc::new(OsEntropy))
}

/// The refresh token that it answers with.
async fn refreshed_by(app: &refresh::App, world: &Rotating, token: &str) -> String {
    let event = json!({
        "resource": "/refresh", "httpMethod": "POST", "headers": {"content-type": "application/json"},
        "body": json!({"refresh_token": token}).to_string(),
    });
    let answer = serde_json::to_value(invoke(app, &event, world.api.clock.as_ref()).await).unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    body["refresh_token"].as_str().unwrap().to_owned()
}

/// The id of the key that has made a token.
fn key_of(token: &str) -> u8 {
    BASE64_URL_SAFE_NO_PAD.decode(&token[4..]).unwrap()[1]
}

/// A token that names a key that is nowhere.
fn of_no_key(token: &str, ids: &[u8]) -> String {
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(&token[4..]).unwrap();
    bytes[1] = (0..=u8::MAX).find(|id| !ids.contains(id)).unwrap();
    format!("csr_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// A fault of ours, and no verdict.
fn is_fault(answer: &Answer) -> bool {
    answer.status == 503 && answer.header("retry-after").is_some() && answer.json().get("error").is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_new_key_is_good_at_instances_that_do_not_know_it_yet() {
    let world = Rotating::start("EdDSA").await;
    let (api, keeper) = (&world.api, keeper_of(&world).await);
    for route in ["/refresh", "/logout", "/oauth/revoke", "/oauth/introspect"] {
        let tokens = api.login().await;
        let before = key_of(&tokens.refresh);
        let rotated = keeper.rotate(&OsEntropy, api.clock.as_ref()).await.unwrap();
        api.wait(RESTED);
        let young = instance(&world).await;
        let token = refreshed_by(&young, &world, &tokens.refresh).await;
        assert_eq!((key_of(&token), rotated[1]), (rotated[0], before), "{route}");
        match route {
            "/refresh" => {
                let fresh = api.refresh(&token).await.tokens();
                assert_eq!(fresh.refresh, token, "it makes tokens with that key from now on");
            }
            "/oauth/introspect" => assert_eq!(api.introspect(&token).await.json()["active"], true),
            _ => {
                let answer = match route {
                    "/logout" => api.logout(&token).await,
                    _ => api.form(route, &format!("token={token}")).await,
                };
                assert!(answer.status.is_success(), "{route}: {answer:?}");
                assert!(api.refresh(&token).await.is_invalid_grant(), "{route}: its session has ended");
            }
        }
        api.wait(PACE.firm); // all of them know it then
    }
}

/// Whoever has just looked looks no more for ten seconds, so nobody makes tokens under a key that is younger.
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_key_that_was_looked_up_a_moment_ago_costs_nobody_his_session() {
    let world = Rotating::start("EdDSA").await;
    let (api, keeper) = (&world.api, keeper_of(&world).await);
    let tokens = api.login().await;
    api.wait(RESTED);
    let stranger = of_no_key(&tokens.refresh, &keeper.ids().await.unwrap());
    assert!(api.refresh(&stranger).await.is_invalid_grant(), "it was looked up");
    let rotated = keeper.rotate(&OsEntropy, api.clock.as_ref()).await.unwrap();
    let token = refreshed_by(&instance(&world).await, &world, &tokens.refresh).await;
    assert_eq!(key_of(&token), rotated[1], "the one that everybody knows");
    api.refresh(&token).await.tokens();
    api.wait(30 * SECOND);
    let token = refreshed_by(&instance(&world).await, &world, &token).await;
    assert_eq!(key_of(&token), rotated[0]);
    api.refresh(&token).await.tokens();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_makes_tokens_takes_the_new_key_up_and_nobody_is_signed_out() {
    let world = Rotating::start("EdDSA").await;
    let (api, keeper) = (&world.api, keeper_of(&world).await);
    let tokens = api.login().await;
    let rotated = keeper.rotate(&OsEntropy, api.clock.as_ref()).await.unwrap();
    assert_eq!(key_of(&api.login().await.refresh), rotated[1], "nobody is told");
    api.wait(PACE.soft);
    api.login().await; // beside which the keys are read
    assert_eq!(key_of(&api.login().await.refresh), rotated[0]);
    let fresh = api.rotate(&tokens.refresh).await;
    assert_eq!(api.rotate(&fresh.refresh).await.refresh.len(), fresh.refresh.len());
    assert_eq!(api.introspect(&tokens.refresh).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_key_is_no_longer_recognised_by_what_is_running() {
    let world = Rotating::start("EdDSA").await;
    let (api, keeper) = (&world.api, keeper_of(&world).await);
    let (tokens, other) = (api.login().await, api.login().await);
    let dropped = key_of(&tokens.refresh);
    let rotated = keeper.rotate(&OsEntropy, api.clock.as_ref()).await.unwrap();
    api.wait(30 * SECOND);
    keeper.drop_key(dropped, api.clock.as_ref()).await.unwrap();
    assert_eq!(api.refresh(&tokens.refresh).await.status, 200, "nobody is told");
    assert_eq!(api.introspect(&other.refresh).await.json()["active"], true);
    api.wait(PACE.firm);
    assert!(api.refresh(&tokens.refresh).await.is_invalid_grant());
    assert_eq!(api.introspect(&other.refresh).await.json()["active"], false);
    assert_eq!(api.logout(&tokens.refresh).await.status, 204, "it is nobody's");
    let again = api.login().await;
    assert_eq!(key_of(&again.refresh), rotated[0], "who signs in again is in");
    assert_eq!(api.rotate(&again.refresh).await.refresh.len(), again.refresh.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_vault_the_last_keys_serve_for_an_hour_and_then_it_is_a_fault() {
    let world = Rotating::start("EdDSA").await;
    let api = &world.api;
    let mut tokens = api.login().await;
    let kept = fs::read(&world.file).unwrap();
    fs::write(&world.file, "{").unwrap();
    for minute in (0..=60).step_by(5) {
        tokens = api.refresh(&tokens.refresh).await.tokens();
        assert_eq!(api.introspect(&tokens.refresh).await.json()["active"], true, "minute {minute}");
        assert_eq!(api.sign_in(&api.password).await.status, 200, "minute {minute}");
        api.wait(5 * MINUTE);
    }
    assert!(5 * 13 * MINUTE > RING_MAX_AGE);
    let answers = [
        ("refresh", api.refresh(&tokens.refresh).await),
        ("introspect", api.introspect(&tokens.refresh).await),
        ("logout", api.logout(&tokens.refresh).await),
        ("revoke", api.form("/oauth/revoke", &format!("token={}", tokens.refresh)).await),
        ("login", api.sign_in(&api.password).await),
    ];
    for (name, answer) in answers {
        assert!(is_fault(&answer), "{name}: {answer:?}");
    }
    fs::write(&world.file, kept).unwrap();
    api.wait(RETRY);
    api.refresh(&tokens.refresh).await.tokens();
}

/// Not to know whether there is such a key is no verdict on a token.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_looked_up_is_a_fault_and_none_that_is_not_there() {
    let wire = Wire::to(engine().await).await;
    let world = Rotating::start_on(wire.endpoint.clone(), "EdDSA").await;
    let api = &world.api;
    let good = api.login().await.refresh;
    let unknown = of_no_key(&good, &[key_of(&good)]);
    wire.calls();
    for number in 0..20 {
        assert!(api.refresh(&unknown).await.is_invalid_grant(), "{number}");
        assert_eq!(api.logout(&unknown).await.status, 204, "{number}");
        assert_eq!(api.form("/oauth/revoke", &format!("token={unknown}")).await.status, 200, "{number}");
    }
    assert_eq!(wire.operations(), Vec::<String>::new(), "the table is not asked");
    assert_eq!(api.introspect(&unknown).await.json()["active"], false);
    assert_eq!(wire.operations(), ["GetItem"], "but for who asks");

    let kept = fs::read(&world.file).unwrap();
    fs::write(&world.file, "{").unwrap();
    api.wait(SECOND);
    assert!(api.refresh(&unknown).await.is_invalid_grant(), "a moment ago there was none");
    for (name, wait) in [("the look-up fails", RETRY), ("it failed a moment ago", SECOND), ("again", RETRY)] {
        api.wait(wait);
        assert!(is_fault(&api.refresh(&unknown).await), "{name}: refresh");
        assert!(is_fault(&api.logout(&unknown).await), "{name}: logout");
        assert!(is_fault(&api.form("/oauth/revoke", &format!("token={unknown}")).await), "{name}: revoke");
        assert!(is_fault(&api.introspect(&unknown).await), "{name}: introspect");
        assert_eq!(api.refresh(&good).await.status, 200, "{name}: a key that is known");
    }
    fs::write(&world.file, kept).unwrap();
    api.wait(RETRY);
    assert!(api.refresh(&unknown).await.is_invalid_grant(), "nobody has that key");
}
