//! What becomes of requests while keys cannot be read, or are not where they should be.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use auth_core::config::Variables;
use auth_core::id::TokenId;
use auth_core::key_ring::{KeyState, RING_MAX_AGE};
use auth_core::time::{Clock, ManualClock, UnixTime};
use auth_core::user::User;
use auth_dynamodb::store::Store;
use auth_keys::minting::MintingKeys;
use auth_watch::pace::RETRY;

use crate::harness::{Api, RESTED, SECOND, START, engine, table};
use crate::rotating::{Rotating, kid};
use crate::wire::{Fault, Wire};

/// So long, what a bug would wait for.
const PATIENCE: Duration = Duration::from_secs(5);
const MILLI: Duration = Duration::from_millis(1);

async fn rotating() -> (Wire, Rotating) {
    let wire = Wire::to(engine().await).await;
    let world = Rotating::start_on(wire.endpoint.clone(), "EdDSA").await;
    (wire, world)
}

fn refuse_queries(wire: &Wire, times: usize) {
    wire.plan("Query", vec![Fault::Refused("AccessDeniedException"); times]);
}

/// The keys of an instance that starts now, and its clock.
async fn instance(world: &Rotating, store: &Store) -> (MintingKeys, Arc<ManualClock>) {
    let file = world.file.to_str().unwrap().to_owned();
    let look_up = |name: &str| (name == "KEY_FILE").then(|| file.clone());
    let clock = Arc::new(ManualClock::new(world.api.clock.now()));
    let keys = MintingKeys::from_variables(&Variables::new(&look_up)).unwrap();
    (keys.bind(store, &(Arc::clone(&clock) as Arc<dyn Clock>)).await.unwrap(), clock)
}

/// Which key signs.
async fn signs(keys: &MintingKeys, world: &Rotating, user: &User, now: UnixTime) -> Option<String> {
    let look_up = |name: &str| Some(if name == "ISSUER" { "https://i.example" } else { "a" }.to_owned());
    let look_up = |name: &str| look_up(name).filter(|_| ["ISSUER", "AUDIENCE"].contains(&name));
    let issuer = Variables::new(&look_up).token_issuer().unwrap();
    let sessions = world.api.store.living_sessions(user.id, START).await.unwrap().sessions;
    let mut session = sessions.into_iter().next().unwrap();
    session.expires_at = now + 60 * SECOND;
    let minted = keys.mint(&issuer, user, &session, &session.scope, TokenId::from_bytes([0; 16]), now).await;
    minted.ok().map(|token| kid(&token.text))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_the_table_reads_the_vault_once_and_signs_as_soon_as_the_table_is_there() {
    let (wire, world) = rotating().await;
    let user = world.api.user_of(&world.api.login().await.access).await;
    refuse_queries(&wire, 1);
    let store = Store::on_loopback(&wire.endpoint, world.api.table.clone());
    let (keys, clock) = instance(&world, &store).await;
    let active = world.kid_of(KeyState::Active).await;
    fs::remove_file(&world.file).unwrap();
    assert_eq!(signs(&keys, &world, &user, clock.now()).await, Some(active), "without ten seconds of 503");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_lost_at_its_turn_is_stood_in_for_by_the_one_before_for_an_hour() {
    let world = Rotating::start("EdDSA").await;
    let user = world.api.user_of(&world.api.login().await.access).await;
    let (first, next) = (world.kid_of(KeyState::Active).await, world.kid_of(KeyState::Next).await);
    let turn = world.keeper.ring().await.unwrap().find(&next).unwrap().signs_from;
    let whole = world.kept();
    world.change_kept(|kept| drop(kept["signing_keys"].as_object_mut().unwrap().remove(&next)));
    let (keys, clock) = instance(&world, &world.api.store).await;
    for (name, at, expected) in [
        ("before the turn", turn.before(MILLI), Some(&first)),
        ("at the turn", turn, Some(&first)),
        ("the last moment of the hour", turn + RING_MAX_AGE.saturating_sub(MILLI), Some(&first)),
        ("after the hour", turn + RING_MAX_AGE, None),
    ] {
        clock.advance(at.since(clock.now()));
        assert_eq!(signs(&keys, &world, &user, clock.now()).await.as_ref(), expected, "{name}");
    }
    world.change_kept(|kept| *kept = whole);
    clock.advance(RETRY);
    assert_eq!(signs(&keys, &world, &user, clock.now()).await, Some(next), "when it is found again");
}

/// The calls in a row stay within the life of a request.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_brought_up_to_date_beside_what_a_request_begins_with() {
    let (wire, world) = rotating().await;
    let (api, token) = (&world.api, world.api.login().await.refresh);
    for name in ["refresh", "login"] {
        api.wait(RESTED);
        let holds = ["Query", "UpdateItem"].map(|operation| wire.hold(operation, 0));
        let request = async {
            match name {
                "refresh" => api.refresh(&token).await,
                _ => api.sign_in(&api.password).await,
            }
        };
        let both = async {
            for hold in &holds {
                tokio::time::timeout(PATIENCE, hold.reached.notified()).await.expect(name);
            }
            for hold in &holds {
                hold.let_go.notify_one();
            }
        };
        let (answer, ()) = tokio::join!(request, both);
        assert_eq!(answer.status, 200, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_serves_while_the_table_fails() {
    let (wire, world) = rotating().await;
    let api = &world.api;
    let tokens = api.login().await;
    assert_eq!(api.me(&tokens.access).await.status, 200);
    api.wait(RESTED);
    refuse_queries(&wire, 100);
    assert_eq!(api.sign_in(&api.password).await.status, 200, "login");
    assert_eq!(api.refresh(&tokens.refresh).await.status, 200, "refresh");
    assert_eq!(api.introspect(&tokens.access).await.json()["active"], true, "introspect");
    assert_eq!(api.get("/.well-known/jwks.json", "").await.status, 200, "discovery");
}

/// Built-in authorizers of HTTP APIs wait for a second and a half.
#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_known_do_not_wait_for_a_table_that_hangs() {
    let (wire, world) = rotating().await;
    let path = "/.well-known/jwks.json";
    let before = world.api.get(path, "").await.json();
    world.api.wait(61 * SECOND);
    wire.plan("Query", [Fault::Silence]);
    let after = tokio::time::timeout(PATIENCE, world.api.get(path, "")).await.unwrap();
    assert_eq!((after.status.as_u16(), after.json()), (200, before));
}

/// Not to know whether there is such a key is no verdict on a token.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_looked_up_is_a_503() {
    let (wire, world) = rotating().await;
    let api = &world.api;
    let stranger = Api::start().await.login().await.access;
    assert_eq!(api.me(&stranger).await.status, 401, "it was looked up");
    api.wait(SECOND);
    refuse_queries(&wire, 100);
    assert_eq!(api.me(&stranger).await.status, 401, "a moment ago there was none");
    wire.clear();
    api.wait(RETRY);
    assert_eq!(api.me(&api.login().await.access).await.status, 200, "the journal is young");
    for (name, wait) in [("the look-up fails", SECOND), ("it failed a moment ago", SECOND), ("again", RETRY)] {
        refuse_queries(&wire, 1);
        assert_eq!(api.form("/oauth/revoke", &format!("token={stranger}")).await.status, 503, "{name}");
        wire.clear();
        api.wait(wait);
    }
    assert_eq!(api.form("/oauth/revoke", &format!("token={stranger}")).await.status, 200, "nothing to revoke");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_not_published_before_there_are_keys() {
    let store = table().await;
    let look_up = |name: &str| (name == "ISSUER").then(|| "https://issuer.example".to_owned());
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(START));
    let app = discovery::App::from_variables(&Variables::new(&look_up)).unwrap().bind(store, Arc::clone(&clock)).await;
    let event = serde_json::json!({"resource": "/.well-known/jwks.json", "httpMethod": "GET"});
    let answer = auth_http::function::invoke(&app, &event, clock.as_ref()).await;
    assert_eq!(serde_json::to_value(answer).unwrap()["statusCode"], 503);
}
