//! Keys that rotate and die behind a running API.

use std::path::PathBuf;
use std::time::Duration;

use auth_core::config::{Variables, environment};
use auth_core::entropy::OsEntropy;
use auth_core::key_ring::{KeyState, PUBLISH_WAIT, RETIRE_AFTER};
use auth_core::time::Clock as _;
use auth_keys::keeper::{Deed, Keeper};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::{Api, RESTED, SECOND, table_name};

/// The default of `MAX_STALENESS_SECONDS`, and a moment more.
const SEEN: Duration = Duration::from_millis(15_001);
const DAY: Duration = Duration::from_hours(24);

/// An API whose keys take turns, and who keeps them.
struct Rotating {
    api: Api,
    file: PathBuf,
    keeper: Keeper,
}

impl Rotating {
    async fn start(algorithm: &'static str) -> Self {
        let file = std::env::temp_dir().join(format!("{}.keys", table_name()));
        let path = file.to_str().unwrap().to_owned();
        Self::start_with(algorithm, ("KEY_FILE", &path), file).await
    }

    async fn start_with(algorithm: &'static str, place: (&'static str, &str), file: PathBuf) -> Self {
        let variables = [place, ("SIGNING_ALGORITHM", algorithm), ("ROTATION_DAYS", "30")];
        let api = Api::start_with(&variables).await;
        let look_up = |name: &str| variables.iter().find(|it| it.0 == name).map(|it| it.1.to_owned());
        let keeper = Keeper::from_variables(&Variables::new(&look_up), api.store.clone()).await.unwrap();
        Self { api, file, keeper }
    }

    async fn keep(&self) -> Vec<Deed> {
        self.keeper.keep(&OsEntropy, self.api.clock.now()).await.unwrap()
    }

    async fn states(&self) -> Vec<&'static str> {
        let (ring, now) = (self.keeper.ring().await.unwrap(), self.api.clock.now());
        ring.keys().iter().map(|key| ring.state(key, now).name()).collect()
    }

    async fn kid_of(&self, state: KeyState) -> String {
        let (ring, now) = (self.keeper.ring().await.unwrap(), self.api.clock.now());
        ring.keys().iter().find(|key| ring.state(key, now) == state).unwrap().kid().to_owned()
    }

    async fn published(&self) -> Vec<String> {
        let set = self.api.get("/.well-known/jwks.json", "").await.json();
        let keys = set["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Rotating {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn kid(token: &str) -> String {
    let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

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
    let world = Rotating::start("EdDSA").await;
    let api = &world.api;
    let mut tokens = api.login().await;
    let first = kid(&tokens.access);
    for day in 1..=31 {
        world.api.wait(DAY.saturating_sub(RESTED + SECOND));
        world.keep().await;
        let fresh = api.rotate(&tokens.refresh).await;
        assert_eq!(api.me(&fresh.access).await.status, 200, "day {day}");
        tokens = fresh;
        api.wait(SECOND);
        assert_eq!(api.me(&tokens.access).await.status, 200, "day {day}, whichever key signs now");
    }
    assert_ne!(kid(&tokens.access), first);
    api.wait(RETIRE_AFTER + DAY);
    assert_eq!(world.keep().await, [Deed::Forgotten { kid: first.clone() }]);
    assert!(!world.published().await.contains(&first));
    assert!(!std::fs::read_to_string(&world.file).unwrap().contains(&first), "its private half is gone, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_comes_early_when_everybody_knows_the_key() {
    let world = Rotating::start("EdDSA").await;
    let api = &world.api;
    let (next, tokens) = (world.kid_of(KeyState::Next).await, api.login().await);
    let (kid_then, at) = world.keeper.rotate(&OsEntropy, api.clock.now()).await.unwrap();
    assert_eq!((kid_then, at), (next.clone(), api.clock.now() + PUBLISH_WAIT), "it was made a moment ago");
    api.wait(PUBLISH_WAIT);
    let fresh = api.refresh(&tokens.refresh).await.tokens();
    assert_eq!(kid(&fresh.access), next);
    assert_eq!(api.me(&fresh.access).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_key_is_dead_within_the_bound_and_nobody_is_logged_out() {
    let world = Rotating::start("ES256").await;
    let api = &world.api;
    let tokens = api.login().await;
    assert_eq!(api.me(&tokens.access).await.status, 200);
    let (dead, next) = (kid(&tokens.access), world.kid_of(KeyState::Next).await);
    let killed = world.keeper.kill(&dead, &OsEntropy, api.clock.now()).await.unwrap();
    assert_eq!(killed.successor.as_ref(), Some(&next));
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
        let killed = world.keeper.kill(&active, &OsEntropy, api.clock.now()).await.unwrap();
        assert!(killed.is_new, "{killed:?}");
        api.wait(SEEN);
        let fresh = api.refresh(&tokens.refresh).await.tokens();
        assert_eq!(Some(kid(&fresh.access)), killed.successor);
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
    let endpoint = environment("AWS_ENDPOINT_URL_SECRETS_MANAGER").expect("see tests/real/keys/run");
    let name = table_name();
    let created = reqwest::Client::new()
        .post(endpoint)
        .header("x-amz-target", "secretsmanager.CreateSecret")
        .header("content-type", "application/x-amz-json-1.1")
        .header("authorization", "AWS4-HMAC-SHA256 Credential=test/20270115/us-east-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=00")
        .body(json!({"Name": name, "ClientRequestToken": "a".repeat(32)}).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(created.status(), 200);
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let world = Rotating::start_with(algorithm, ("KEY_SECRET", &name), PathBuf::new()).await;
        let api = &world.api;
        assert_eq!(world.states().await, ["active", "next"], "{algorithm}");
        let (tokens, next) = (api.login().await, world.kid_of(KeyState::Next).await);
        assert_eq!(api.me(&tokens.access).await.status, 200, "{algorithm}");
        world.keeper.rotate(&OsEntropy, api.clock.now()).await.unwrap();
        api.wait(PUBLISH_WAIT);
        let fresh = api.refresh(&tokens.refresh).await.tokens();
        assert_eq!(kid(&fresh.access), next, "{algorithm}");
        world.keeper.kill(&next, &OsEntropy, api.clock.now()).await.unwrap();
        api.wait(SEEN);
        assert_eq!(api.me(&fresh.access).await.status, 401, "{algorithm}");
        let fresh = api.refresh(&tokens.refresh).await.tokens();
        assert_eq!(api.me(&fresh.access).await.status, 200, "{algorithm}");
    }
}
