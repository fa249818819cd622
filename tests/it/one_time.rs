//! One-time tokens as `docs/delegation.md` tells functions to make and to take them, under keys that take turns.

use std::sync::Arc;
use std::time::Duration;

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::id::TokenId;
use auth_core::issuer::Issuer;
use auth_core::jwt::Rejection;
use auth_core::jwt::one_time::{OneTimeClaims, Purpose};
use auth_core::key_ring::PUBLISH_WAIT;
use auth_core::time::Clock;
use auth_dynamodb::one_time::Use;
use auth_dynamodb::verifiers::{SOFT, Verifiers};
use auth_keys::minting::MintingKeys;
use serde_json::{Value, json};

use crate::delegation::is_refused;
use crate::grants::Party;
use crate::harness::Api;
use crate::revocation::SEEN;
use crate::rotating::{Rotating, kid};

const LIFE: Duration = Duration::from_mins(30);
const AUDIENCE: &str = "local-api";

/// What a function holds that makes and takes them.
struct Function<'a> {
    api: &'a Api,
    keys: MintingKeys,
    verifiers: Verifiers,
    issuer: Issuer,
}

impl<'a> Function<'a> {
    async fn of(world: &'a Rotating) -> Self {
        let api = &world.api;
        let look_up = |name: &str| match name {
            "KEY_FILE" => Some(world.file.to_str().unwrap().to_owned()),
            "SIGNING_ALGORITHM" => Some("EdDSA".to_owned()),
            "ISSUER" => Some(api.url.clone()),
            "AUDIENCE" => Some(AUDIENCE.to_owned()),
            _ => None,
        };
        let variables = Variables::new(&look_up);
        let clock: Arc<dyn Clock> = api.clock.clone();
        let keys = MintingKeys::from_variables(&variables).unwrap().bind(&api.store, &clock).await.unwrap();
        let verifiers = Verifiers::from_variables(&variables).unwrap().bind(&api.store, &clock, SOFT);
        let issuer = Issuer { iss: api.url.clone(), aud: AUDIENCE.to_owned(), ttl: LIFE };
        Self { api, keys, verifiers, issuer }
    }

    async fn mint(&self, sub: &str) -> String {
        let now = self.api.clock.now();
        self.keys.mint_one_time(&self.issuer, &purpose("password-reset"), sub, LIFE, id(), now).await.unwrap()
    }

    async fn verify(&self, token: &str) -> Result<OneTimeClaims, Rejection> {
        self.verify_for(token, "password-reset").await
    }

    async fn verify_for(&self, token: &str, word: &str) -> Result<OneTimeClaims, Rejection> {
        self.verifiers.verify_one_time(token, &purpose(word), self.api.clock.now()).await.unwrap()
    }
}

fn purpose(word: &str) -> Purpose {
    Purpose::parse(word).unwrap()
}

fn id() -> TokenId {
    TokenId::random(&OsEntropy).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_good_once_for_its_purpose() {
    let world = Rotating::start("EdDSA").await;
    let (function, store) = (Function::of(&world).await, &world.api.store);
    let token = function.mint("alice").await;
    assert_eq!(function.verify_for(&token, "step-up").await, Err(Rejection::WrongAudience));
    let claims = function.verify(&token).await.unwrap();
    assert_eq!((claims.sub.as_str(), claims.exp), ("alice", world.api.clock.now() + LIFE));
    assert_eq!(store.use_up(&claims, id()).await.unwrap(), Use::First);
    let again = function.verify(&token).await.unwrap();
    assert_eq!(store.use_up(&again, id()).await.unwrap(), Use::Spent, "it verifies until it is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outlives_a_turn_of_the_keys_and_dies_with_its_own() {
    let world = Rotating::start("EdDSA").await;
    let (function, clock) = (Function::of(&world).await, &world.api.clock);
    let (_, at) = world.keeper.rotate(&OsEntropy, clock.now()).await.unwrap();
    assert_eq!(at, clock.now() + PUBLISH_WAIT);
    world.api.wait(PUBLISH_WAIT.saturating_sub(LIFE / 2));
    let before = function.mint("alice").await;
    world.api.wait(LIFE / 2);
    let after = function.mint("alice").await;
    assert_ne!(kid(&before), kid(&after));
    for token in [&before, &after] {
        assert_eq!(function.verify(token).await.err(), None);
    }
    world.keeper.kill(&kid(&before), &OsEntropy, clock.as_ref()).await.unwrap();
    world.api.wait(SEEN);
    assert_eq!(function.verify(&before).await, Err(Rejection::UnknownKey), "a copy of the keys is not used for longer");
    assert_eq!(function.verify(&after).await.err(), None);
}

/// Nothing else takes one, and it takes nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn it_opens_nothing_else() {
    let world = Rotating::start("EdDSA").await;
    let (function, api) = (Function::of(&world).await, &world.api);
    let agent = Party::new(api, "agent", "token_exchange", "notes").await;
    let tokens = api.login().await;
    let token = function.mint(&api.user_of(&tokens.access).await.id.to_string()).await;
    assert_eq!(api.me(&token).await.status, 401);
    assert!(is_refused(&agent.exchange(api, &token, "").await));
    assert!(api.refresh(&token).await.is_invalid_grant());
    let form = format!("grant_type=refresh_token&refresh_token={token}");
    assert!(api.form("/oauth/token", &form).await.is_invalid_grant());
    assert_eq!(api.introspect(&token).await.json(), json!({"active": false}));
    assert_eq!(api.form("/oauth/revoke", &format!("token={token}")).await.status, 200);
    let bearer = format!("Bearer {token}");
    assert_eq!(api.send(reqwest::Method::POST, "/logout", &[("authorization", &bearer)], b"").await.status, 401);
    assert_eq!(function.verify(&token).await.err(), None, "and nothing has happened to it");
    for other in [&tokens.access, &tokens.refresh] {
        assert!(function.verify(other).await.is_err());
    }
    assert_eq!(function.verify(&tokens.access).await, Err(Rejection::WrongType));
    assert_ne!(api.introspect(&tokens.access).await.json()["active"], Value::Bool(false));
}
