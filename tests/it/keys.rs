//! Keys that rotate and die behind a running API.

use std::path::PathBuf;
use std::time::Duration;

use auth_core::config::environment;
use auth_core::entropy::OsEntropy;
use auth_core::jwt::Verifier;
use auth_core::key::KeySet;
use auth_core::key_ring::kill::Successor;
use auth_core::key_ring::{Custody, DOCUMENT_MAX_AGE, KeyState, PUBLISH_WAIT, RETIRE_AFTER, VERIFIER_CACHE};
use auth_core::time::Clock as _;
use serde_json::{Value, json};

use crate::harness::{RESTED, SECOND, engine, table_name};
use crate::rotating::{Rotating, kid};

/// The default of `MAX_STALENESS_SECONDS`, and a moment more.
const SEEN: Duration = Duration::from_millis(15_001);
const DAY: Duration = Duration::from_hours(24);
/// No JWK Set is older that somebody checks tokens by.
const OLD: Duration = VERIFIER_CACHE.saturating_add(DOCUMENT_MAX_AGE);

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_has_keys_and_a_next_one() {
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let world = Rotating::start(algorithm).await;
        assert_eq!(world.states().await, ["active", "next"], "{algorithm}");
        assert_eq!(world.keep().await, [], "there is nothing left to do");
        let tokens = world.api.login().await;
        assert_eq!(kid(&tokens.access), world.kid_of(KeyState::Active).await, "{algorithm}");
        assert_eq!(world.api.me(&tokens.access).await.status, 200, "{algorithm}");
        assert_eq!(world.api.introspect(&tokens.access).await.json()["active"], true, "{algorithm}");
        assert_eq!(world.published().await.len(), 2, "{algorithm}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_take_turns_and_nobody_notices() {
    tokio::join!(three_turns("RS256"), three_turns("ES256"), three_turns("EdDSA"));
}

/// Beside the authorizer, somebody else's verifier has a JWK Set that is as old as one may be.
async fn three_turns(algorithm: &'static str) {
    let world = Rotating::start(algorithm).await;
    let api = &world.api;
    let mut kids = Vec::new();
    for turn in 1..=3 {
        let mut tokens = api.login().await;
        for day in 1..=30 {
            if day % 3 != 0 {
                api.wait(DAY);
                world.keep().await;
                continue;
            }
            api.wait(DAY.saturating_sub(OLD));
            let old = verifier(&world).await;
            api.wait(OLD.saturating_sub(2 * RESTED));
            world.keep().await;
            // The turn comes at the end of the last day.
            let before = api.rotate(&tokens.refresh).await;
            tokens = api.rotate(&before.refresh).await;
            for access in [&before.access, &tokens.access] {
                let name = format!("{algorithm}, turn {turn}, day {day}, whichever key has signed");
                assert_eq!(api.me(access).await.status, 200, "{name}");
                assert_eq!(old.verify(access, api.clock.now()).err(), None, "{name}");
                kids.push(kid(access));
            }
        }
    }
    kids.dedup();
    assert_eq!(kids.len(), 4, "{algorithm}: {kids:?}");
    api.wait(RETIRE_AFTER + 2 * DAY);
    world.keep().await;
    let (published, kept) = (world.published().await, std::fs::read_to_string(&world.file).unwrap());
    for kid in &kids[..3] {
        assert!(!published.contains(kid), "{algorithm}");
        assert!(!kept.contains(kid), "{algorithm}: its private half is gone, too");
    }
}

/// A verifier of somebody else's, with the JWK Set of now.
async fn verifier(world: &Rotating) -> Verifier {
    let set = world.api.get("/.well-known/jwks.json", "").await.text;
    Verifier::new(world.api.url.clone(), "local-api".to_owned(), KeySet::parse(&set).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_comes_early_when_everybody_knows_the_key() {
    let world = Rotating::start("EdDSA").await;
    let api = &world.api;
    let (next, tokens) = (world.kid_of(KeyState::Next).await, api.login().await);
    let (kid_then, at) = world.keeper.rotate(&OsEntropy, api.clock.now()).await.unwrap();
    assert_eq!((kid_then, at), (next.clone(), api.clock.now() + PUBLISH_WAIT), "it was made a moment ago");
    api.wait(PUBLISH_WAIT.saturating_sub(OLD));
    let old = verifier(&world).await;
    api.wait(OLD);
    let fresh = api.refresh(&tokens.refresh).await.tokens();
    assert_eq!(kid(&fresh.access), next);
    assert_eq!(api.me(&fresh.access).await.status, 200);
    assert_eq!(old.verify(&fresh.access, api.clock.now()).err(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_key_is_dead_within_the_bound_and_nobody_is_logged_out() {
    let world = Rotating::start("ES256").await;
    let api = &world.api;
    let tokens = api.login().await;
    assert_eq!(api.me(&tokens.access).await.status, 200);
    let (dead, next) = (kid(&tokens.access), world.kid_of(KeyState::Next).await);
    let successor = world.keeper.kill(&dead, &OsEntropy, api.clock.as_ref()).await.unwrap();
    assert_eq!(successor, Successor::Key { kid: next.clone(), is_new: true });
    api.wait(SEEN);
    assert_eq!(api.me(&tokens.access).await.status, 401);
    assert_eq!(api.introspect(&tokens.access).await.json()["active"], false);
    api.wait(60 * SECOND);
    assert!(!world.published().await.contains(&dead));
    let fresh = api.refresh(&tokens.refresh).await.tokens();
    assert_eq!(kid(&fresh.access), next);
    assert_eq!(api.me(&fresh.access).await.status, 200, "one 401, one refresh");
    world.keep().await;
    assert_eq!(world.states().await, ["killed", "active", "next"]);
    // All of them, one after the other: the last kill makes the key that signs from then on.
    for _ in 0..3 {
        let active = world.kid_of(KeyState::Active).await;
        let successor = world.keeper.kill(&active, &OsEntropy, api.clock.as_ref()).await.unwrap();
        api.wait(SEEN);
        let fresh = api.refresh(&tokens.refresh).await.tokens();
        assert_eq!(successor, Successor::Key { kid: kid(&fresh.access), is_new: true });
        assert_eq!(api.me(&fresh.access).await.status, 200, "a key that the authorizer has to look up");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_at_the_same_moment_make_one_key() {
    let world = Rotating::start("EdDSA").await;
    let now = world.api.clock.now() + 29 * DAY;
    let runs = [(); 4].map(|()| world.keeper.keep(&OsEntropy, now));
    let [a, b, c, d] = runs;
    let done = tokio::join!(a, b, c, d);
    let made: Vec<_> = [done.0, done.1, done.2, done.3].into_iter().flatten().flatten().collect();
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(world.states().await, ["active", "next", "next"]);
}

/// The same in a secret of a server that speaks the API of Secrets Manager. It is not AWS: it writes a version again that is
/// there, where AWS refuses (`auth_keys::secret::tests`), so nobody else writes here.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs what tests/real/keys/run sets up"]
async fn in_a_secret_keys_begin_take_turns_and_die() {
    let secrets = [(); 2].map(|()| table_name());
    for name in &secrets {
        create_secret(name).await;
    }
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let places = [("KEY_SECRET", secrets[0].as_str()), ("REFRESH_KEY_SECRET", &secrets[1])];
        let world = Rotating::start_with(engine().await, algorithm, &places, PathBuf::new()).await;
        let api = &world.api;
        assert_eq!(world.states().await, ["active", "next"], "{algorithm}");
        let (tokens, next) = (api.login().await, world.kid_of(KeyState::Next).await);
        assert_eq!(api.me(&tokens.access).await.status, 200, "{algorithm}");
        world.keeper.rotate(&OsEntropy, api.clock.now()).await.unwrap();
        api.wait(PUBLISH_WAIT);
        let fresh = api.refresh(&tokens.refresh).await.tokens();
        assert_eq!(kid(&fresh.access), next, "{algorithm}");
        world.keeper.kill(&next, &OsEntropy, api.clock.as_ref()).await.unwrap();
        api.wait(SEEN);
        assert_eq!(api.me(&fresh.access).await.status, 401, "{algorithm}");
        let fresh = api.refresh(&tokens.refresh).await.tokens();
        assert_eq!(api.me(&fresh.access).await.status, 200, "{algorithm}");
    }
}

/// The same with keys that a server which speaks the API of KMS makes and signs with.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs what tests/real/keys/run sets up"]
async fn in_kms_keys_begin_take_turns_and_die() {
    for algorithm in ["RS256", "ES256"] {
        let world = in_kms(algorithm, "kms").await;
        let api = &world.api;
        assert_eq!(world.states().await, ["active", "next"], "{algorithm}");
        assert_eq!(world.keep().await, [], "there is nothing left to do");
        let (tokens, next) = (api.login().await, world.kid_of(KeyState::Next).await);
        assert_eq!(kid(&tokens.access), world.kid_of(KeyState::Active).await, "{algorithm}");
        assert_eq!(api.me(&tokens.access).await.status, 200, "{algorithm}");
        world.keeper.rotate(&OsEntropy, api.clock.now()).await.unwrap();
        api.wait(PUBLISH_WAIT);
        let fresh = api.refresh(&tokens.refresh).await.tokens();
        assert_eq!(kid(&fresh.access), next, "{algorithm}");
        assert_eq!(api.me(&fresh.access).await.status, 200, "{algorithm}");
        world.keeper.kill(&next, &OsEntropy, api.clock.as_ref()).await.unwrap();
        api.wait(SEEN);
        assert_eq!(api.me(&fresh.access).await.status, 401, "{algorithm}");
        let fresh = api.refresh(&tokens.refresh).await.tokens();
        assert_eq!(api.me(&fresh.access).await.status, 200, "{algorithm}: the kill has made its successor");
        let all = world.keeper.ring().await.unwrap();
        assert!(all.keys().iter().all(|key| matches!(key.custody, Custody::Kms(_))), "{algorithm}");
        assert_eq!(world.kms_states().await, ["Enabled"; 3], "{algorithm}");
        api.wait(RETIRE_AFTER + 2 * DAY);
        world.keep().await;
        assert_eq!(world.kms_states().await[..2], ["PendingDeletion"; 2], "{algorithm}: retired and killed");
    }
}

/// A name of KMS is given once, so the others find the key of the first.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs what tests/real/keys/run sets up"]
async fn in_kms_runs_at_the_same_moment_make_one_key() {
    let world = in_kms("ES256", "kms").await;
    let now = world.api.clock.now() + 29 * DAY;
    let [a, b, c, d] = [(); 4].map(|()| world.keeper.keep(&OsEntropy, now));
    let done = tokio::join!(a, b, c, d);
    let made: Vec<_> = [done.0, done.1, done.2, done.3].into_iter().flatten().flatten().collect();
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(world.states().await, ["active", "next", "next"]);
    assert_eq!(world.kms_states().await, ["Enabled"; 3], "what is listed is not deleted");
}

/// A key is made where new ones are wanted, and signs where it is.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs what tests/real/keys/run sets up"]
async fn in_kms_keys_follow_those_of_a_secret_and_the_other_way_round() {
    for (before, after) in [("secret", "kms"), ("kms", "secret")] {
        let world = in_kms("ES256", before).await;
        let api = &world.api;
        let tokens = api.login().await;
        let moved = world.keeper_with("KEY_CUSTODY", after).await;
        moved.keep(&OsEntropy, api.clock.now()).await.unwrap();
        moved.rotate(&OsEntropy, api.clock.now()).await.unwrap();
        assert_eq!(api.me(&tokens.access).await.status, 200, "{before} to {after}");
        api.wait(PUBLISH_WAIT);
        let fresh = api.refresh(&tokens.refresh).await.tokens();
        let ring = moved.ring().await.unwrap();
        assert_eq!(ring.find(&kid(&fresh.access)).unwrap().custody.kind().name(), after);
        assert_eq!(api.me(&fresh.access).await.status, 200, "{before} to {after}");
    }
}

/// A fault of ours, in which nobody is logged out.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs what tests/real/keys/run sets up"]
async fn in_kms_a_key_that_does_not_sign_is_a_503_until_it_does() {
    let world = in_kms("RS256", "kms").await;
    let api = &world.api;
    let tokens = api.login().await;
    let ring = world.keeper.ring().await.unwrap();
    let Custody::Kms(arn) = &ring.signer(api.clock.now()).unwrap().custody else { panic!("{ring:?}") };
    aws("kms", "TrentService.DisableKey", &json!({"KeyId": arn})).await;
    api.wait(RESTED);
    for answer in [api.refresh(&tokens.refresh).await, api.sign_in(&api.password).await] {
        assert_eq!(answer.status, 503, "{}", answer.text);
        assert!(answer.header("retry-after").is_some(), "{}", answer.text);
    }
    assert_eq!(api.me(&tokens.access).await.status, 200, "what was signed is believed");
    aws("kms", "TrentService.EnableKey", &json!({"KeyId": arn})).await;
    let fresh = api.refresh(&tokens.refresh).await.tokens();
    assert_eq!(api.me(&fresh.access).await.status, 200, "the rotation whose answer was lost is repeated");
}

async fn in_kms(algorithm: &str, custody: &'static str) -> Rotating {
    let secrets = [(); 2].map(|()| table_name());
    for name in &secrets {
        create_secret(name).await;
    }
    let places = [("KEY_SECRET", secrets[0].as_str()), ("REFRESH_KEY_SECRET", &secrets[1]), ("KEY_CUSTODY", custody)];
    Rotating::start_with(engine().await, algorithm, &places, PathBuf::new()).await
}

impl Rotating {
    /// What KMS says of the keys of this table, in the order of their making.
    async fn kms_states(&self) -> Vec<String> {
        let mut states = Vec::new();
        let aliases = aws("kms", "TrentService.ListAliases", &json!({"Limit": 1000})).await;
        let of_this = format!("alias/countersign/{}/", self.api.table);
        let mut ours: Vec<(u64, String)> = aliases["Aliases"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|alias| {
                let version = alias["AliasName"].as_str()?.strip_prefix(&of_this)?.parse().ok()?;
                Some((version, alias["TargetKeyId"].as_str()?.to_owned()))
            })
            .collect();
        ours.sort();
        for (_, id) in ours {
            let found = aws("kms", "TrentService.DescribeKey", &json!({"KeyId": id})).await;
            states.push(found["KeyMetadata"]["KeyState"].as_str().unwrap().to_owned());
        }
        states
    }
}

async fn create_secret(name: &str) {
    let members = json!({"Name": name, "ClientRequestToken": "a".repeat(32)});
    aws("secretsmanager", "secretsmanager.CreateSecret", &members).await;
}

/// A call of the server that tests/real/keys/run has started.
async fn aws(service: &str, target: &str, members: &Value) -> Value {
    let endpoint = environment("AWS_ENDPOINT_URL").unwrap();
    let scope = format!("Credential=test/20270115/us-east-1/{service}/aws4_request");
    let answer = reqwest::Client::new()
        .post(endpoint)
        .header("x-amz-target", target)
        .header("content-type", "application/x-amz-json-1.1")
        .header("authorization", format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=00"))
        .body(members.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{target}");
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default()
}
