//! A service of one's own (`examples/axum-service`) beside the gateway: the same rules, without a call for a request.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use auth_core::entropy::OsEntropy;
use auth_core::key_ring::{KeyState, PUBLISH_WAIT};
use auth_core::time::Clock;
use auth_issuers::fetch::Fetcher;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum_service::router;
use axum_service::tokens::Tokens;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::Client;
use reqwest::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::harness::{Api, SECOND, engine};
use crate::rotating::{Rotating, kid};

const INVALID: Option<&str> = Some("Bearer error=\"invalid_token\"");
const LACKING: Option<&str> = Some("Bearer error=\"insufficient_scope\"");

/// How old keys may be before the service asks for them again.
const SOFT: Duration = Duration::from_mins(5);

/// Starts the service, whose issuer's keys are at `jwks`, and says where it is.
async fn service(api: &Api, issuer: &str, audience: &str, jwks: &str) -> String {
    let clock: Arc<dyn Clock> = api.clock.clone();
    let tokens = Tokens::new(issuer, audience, jwks.parse().unwrap(), Fetcher::new().unwrap(), clock);
    serve(router(Arc::new(tokens))).await
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// The issuer's JWK Set on a way of its own, which is counted and can be cut.
struct Jwks {
    source: String,
    fetches: AtomicUsize,
    is_down: AtomicBool,
}

impl Jwks {
    async fn of(api: &Api) -> (Arc<Self>, String) {
        let source = format!("{}/.well-known/jwks.json", api.url);
        let jwks = Arc::new(Self { source, fetches: AtomicUsize::new(0), is_down: AtomicBool::new(false) });
        let page = async |State(jwks): State<Arc<Self>>| {
            jwks.fetches.fetch_add(1, Ordering::SeqCst);
            if jwks.is_down.load(Ordering::SeqCst) {
                return Err(StatusCode::BAD_GATEWAY);
            }
            Ok(Client::new().get(&jwks.source).send().await.unwrap().text().await.unwrap())
        };
        let url = serve(Router::new().fallback(page).with_state(Arc::clone(&jwks))).await;
        (jwks, url)
    }

    /// Since the last time that this was asked.
    fn fetches(&self) -> usize {
        self.fetches.swap(0, Ordering::SeqCst)
    }
}

/// What the service says to whoever bears this token.
async fn whoami(url: &str, token: &str) -> u16 {
    Client::new().get(format!("{url}/whoami")).bearer_auth(token).send().await.unwrap().status().as_u16()
}

/// A token of a key that nobody has.
fn strangers() -> String {
    let header = json!({"alg": "RS256", "kid": "nobody", "typ": "at+jwt"}).to_string();
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", encode(&header), encode("{}"), encode(&"x".repeat(256)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_ones_own_checks_tokens_by_the_same_rules() {
    let api = Api::start().await;
    let jwks = format!("{}/.well-known/jwks.json", api.url);
    let own = service(&api, &api.url, "local-api", &jwks).await;
    let of_another = service(&api, &api.url, "another-api", &jwks).await;
    let of_another_issuer = service(&api, "https://issuer.example", "local-api", &jwks).await;
    let without_keys = service(&api, &api.url, "local-api", &format!("{}/nothing", api.url)).await;
    let access = api.login().await.access;
    let sub = api.user_of(&access).await.id.to_string();
    let good = format!("Bearer {access}");
    let narrow = json!({"username": "demo", "password": api.password, "scope": "profile"});
    let narrow = format!("Bearer {}", api.post("/login", &narrow).await.tokens().access);
    let (forged, lower) = (format!("{good}x"), good.replace("Bearer", "bearer"));
    let rows = [
        ("good", &own, "/notes", vec![good.as_str()], 200, None),
        ("good, and whose it is", &own, "/whoami", vec![&good], 200, None),
        ("the scheme in another case", &own, "/whoami", vec![&lower], 200, None),
        ("without the scope", &own, "/notes", vec![&narrow], 403, LACKING),
        ("without the scope, where none is asked for", &own, "/whoami", vec![&narrow], 200, None),
        ("no token", &own, "/notes", vec![""], 401, Some("Bearer")),
        ("no field", &own, "/notes", vec![], 401, Some("Bearer")),
        ("another scheme", &own, "/notes", vec!["Basic YTpi"], 401, Some("Bearer")),
        ("two fields", &own, "/notes", vec![&good, &good], 401, Some("Bearer")),
        ("two fields, the other one of another scheme", &own, "/notes", vec![&good, "Basic YTpi"], 401, Some("Bearer")),
        ("forged", &own, "/notes", vec![&forged], 401, INVALID),
        ("for another service", &of_another, "/notes", vec![&good], 401, INVALID),
        ("of another issuer", &of_another_issuer, "/notes", vec![&good], 401, INVALID),
        ("keys out of reach", &without_keys, "/notes", vec![&good], 503, None),
    ];
    for (name, url, path, authorization, status, challenge) in rows {
        let request = Client::new().get(format!("{url}{path}"));
        let request = authorization.into_iter().fold(request, |request, it| request.header("authorization", it));
        let answer = request.send().await.unwrap();
        let challenged = answer.headers().get(WWW_AUTHENTICATE).map(HeaderValue::to_str).transpose().unwrap();
        assert_eq!((answer.status().as_u16(), challenged), (status, challenge), "{name}");
        assert_eq!(answer.headers().contains_key(RETRY_AFTER), status == 503, "{name}");
        let said = match (status, path) {
            (200, "/whoami") => sub.as_str(),
            (200, _) => "milk, bread",
            _ => "",
        };
        assert_eq!(answer.text().await.unwrap(), said, "{name}");
    }
    api.wait(Duration::from_secs(640));
    assert_eq!(whoami(&own, &access).await, 401, "expired");
}

/// It learns of a kill when its copy of the keys is five minutes old, and of a key that it does not know from the first token.
#[tokio::test(flavor = "multi_thread")]
async fn it_follows_the_keys() {
    let file = std::env::temp_dir().join(format!("{}.keys", crate::harness::table_name()));
    let variables = [("KEY_FILE", file.to_str().unwrap()), ("ACCESS_TOKEN_TTL_SECONDS", "900")];
    let world = Rotating::start_with(engine().await, "ES256", &variables, PathBuf::from(&file)).await;
    let api = &world.api;
    let (jwks, at) = Jwks::of(api).await;
    let url = service(api, &api.url, "local-api", &at).await;
    let tokens = api.login().await;
    assert_eq!((whoami(&url, &tokens.access).await, jwks.fetches()), (200, 1));

    let next = world.kid_of(KeyState::Next).await;
    world.keeper.rotate(&OsEntropy, api.clock.now()).await.unwrap();
    world.keep().await;
    api.wait(PUBLISH_WAIT.saturating_sub(SECOND));
    let before = api.refresh(&tokens.refresh).await.tokens();
    assert_eq!((whoami(&url, &before.access).await, jwks.fetches()), (200, 1), "the copy was too old");
    api.wait(2 * SECOND);
    let after = api.login().await;
    assert_eq!(kid(&after.access), next);
    for token in [&before.access, &after.access] {
        assert_eq!((whoami(&url, token).await, jwks.fetches()), (200, 0), "the turn of a key that is known");
    }

    // The second one leaves no key that anybody has heard of.
    for _ in 0..2 {
        let active = world.kid_of(KeyState::Active).await;
        world.keeper.kill(&active, &OsEntropy, api.clock.as_ref()).await.unwrap();
    }
    api.wait(90 * SECOND);
    let fresh = api.login().await;
    assert_eq!((whoami(&url, &after.access).await, jwks.fetches()), (200, 0), "killed, which is not known yet");
    assert_eq!((whoami(&url, &fresh.access).await, jwks.fetches()), (200, 1), "a new key, which is looked up");
    assert_eq!(whoami(&url, &after.access).await, 401, "and what the look-up says of the killed one");
    std::fs::remove_file(file).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_key_is_dead_when_the_keys_are_asked_for_again() {
    let world = Rotating::start("ES256").await;
    let api = &world.api;
    let (jwks, at) = Jwks::of(api).await;
    let url = service(api, &api.url, "local-api", &at).await;
    let token = api.login().await.access;
    assert_eq!(whoami(&url, &token).await, 200);
    world.keeper.kill(&kid(&token), &OsEntropy, api.clock.as_ref()).await.unwrap();
    api.wait(SOFT.saturating_sub(SECOND));
    assert_eq!((whoami(&url, &token).await, jwks.fetches()), (200, 1), "the keys are young enough");
    api.wait(2 * SECOND);
    // Requests carry the fetch on, and none waits for it.
    for _ in 0..1000 {
        if whoami(&url, &token).await == 401 {
            break;
        }
    }
    assert_eq!(whoami(&url, &token).await, 401);
    assert_eq!(jwks.fetches(), 2, "one because of their age, and a look-up for a key that is not there any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_nobody_has_cost_one_fetch_in_ten_seconds() {
    let api = Api::start().await;
    let (jwks, at) = Jwks::of(&api).await;
    let url = service(&api, &api.url, "local-api", &at).await;
    let good = api.login().await.access;
    assert_eq!((whoami(&url, &good).await, jwks.fetches()), (200, 1));
    for storm in 1..=2 {
        let mut asked = JoinSet::new();
        for _ in 0..100 {
            let url = url.clone();
            asked.spawn(async move { whoami(&url, &strangers()).await });
        }
        assert_eq!(asked.join_all().await, [401; 100], "storm {storm}");
        assert_eq!(jwks.fetches(), 1, "storm {storm}");
        assert_eq!((whoami(&url, &good).await, jwks.fetches()), (200, 0), "storm {storm}");
        api.wait(10 * SECOND);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_good_keys_serve_for_an_hour() {
    let api = Api::start().await;
    let (jwks, at) = Jwks::of(&api).await;
    let url = service(&api, &api.url, "local-api", &at).await;
    assert_eq!(whoami(&url, &api.login().await.access).await, 200);
    jwks.is_down.store(true, Ordering::SeqCst);
    for (minutes, status) in [(6, 200), (5, 200), (49, 200)] {
        api.wait(Duration::from_mins(minutes));
        let token = api.login().await.access;
        assert_eq!(whoami(&url, &token).await, status, "{minutes} minutes more");
        assert_eq!(whoami(&url, &format!("{token}x")).await, 401, "{minutes} minutes more: forged");
    }
    api.wait(SECOND);
    let token = api.login().await.access;
    let refused = Client::new().get(format!("{url}/whoami")).bearer_auth(&token).send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key(RETRY_AFTER)), (503, true));
    jwks.is_down.store(false, Ordering::SeqCst);
    api.wait(10 * SECOND);
    assert_eq!(whoami(&url, &token).await, 200, "when they are back");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_every_algorithm_that_is_published() {
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let api = Api::start_with(&[("SIGNING_ALGORITHM", algorithm)]).await;
        let url = service(&api, &api.url, "local-api", &format!("{}/.well-known/jwks.json", api.url)).await;
        let request = Client::new().get(format!("{url}/notes")).bearer_auth(api.login().await.access);
        assert_eq!(request.send().await.unwrap().status().as_u16(), 200, "{algorithm}");
    }
}
