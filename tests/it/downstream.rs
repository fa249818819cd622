//! A service of one's own (`examples/axum-service`) beside the gateway: the same rules, without a call for a request.

use std::sync::Arc;
use std::time::Duration;

use auth_core::time::Clock;
use auth_issuers::fetch::Fetcher;
use axum_service::router;
use axum_service::tokens::Tokens;
use reqwest::Client;
use reqwest::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;
use tokio::net::TcpListener;

use crate::harness::Api;

/// Starts the service, whose issuer's keys are at `jwks`, and says where it is.
async fn service(api: &Api, audience: &str, jwks: &str) -> String {
    let clock: Arc<dyn Clock> = api.clock.clone();
    let tokens = Tokens::new(&api.url, audience, jwks.parse().unwrap(), Fetcher::new().unwrap(), clock);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router(Arc::new(tokens))).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_ones_own_checks_tokens_by_the_same_rules() {
    let api = Api::start().await;
    let jwks = format!("{}/.well-known/jwks.json", api.url);
    let own = service(&api, "local-api", &jwks).await;
    let of_another = service(&api, "another-api", &jwks).await;
    let without_keys = service(&api, "local-api", &format!("{}/nothing", api.url)).await;
    let good = format!("Bearer {}", api.login().await.access);
    let narrow = json!({"username": "demo", "password": api.password, "scope": "profile"});
    let narrow = format!("Bearer {}", api.post("/login", &narrow).await.tokens().access);
    let forged = format!("{good}x");
    let (invalid, lacking) = (Some("Bearer error=\"invalid_token\""), Some("Bearer error=\"insufficient_scope\""));
    let rows = [
        ("good", &own, "/notes", good.as_str(), 200, None),
        ("the scheme in another case", &own, "/whoami", &good.replace("Bearer", "bearer"), 200, None),
        ("without the scope", &own, "/notes", &narrow, 403, lacking),
        ("without the scope, where none is asked for", &own, "/whoami", &narrow, 200, None),
        ("no token", &own, "/notes", "", 401, Some("Bearer")),
        ("another scheme", &own, "/notes", "Basic YTpi", 401, Some("Bearer")),
        ("forged", &own, "/notes", &forged, 401, invalid),
        ("for another service", &of_another, "/notes", &good, 401, invalid),
        ("keys out of reach", &without_keys, "/notes", &good, 503, None),
    ];
    for (name, url, path, authorization, status, challenge) in rows {
        let answer =
            Client::new().get(format!("{url}{path}")).header("authorization", authorization).send().await.unwrap();
        let challenged = answer.headers().get(WWW_AUTHENTICATE).map(HeaderValue::to_str).transpose().unwrap();
        assert_eq!((answer.status().as_u16(), challenged), (status, challenge), "{name}");
        assert_eq!(answer.headers().contains_key(RETRY_AFTER), status == 503, "{name}");
    }
    api.wait(Duration::from_secs(640));
    let late = Client::new().get(format!("{own}/whoami")).header("authorization", &good).send().await.unwrap();
    assert_eq!(late.status().as_u16(), 401, "expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_every_algorithm_that_is_published() {
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let api = Api::start_with(&[("SIGNING_ALGORITHM", algorithm)]).await;
        let url = service(&api, "local-api", &format!("{}/.well-known/jwks.json", api.url)).await;
        let request = Client::new().get(format!("{url}/notes")).bearer_auth(api.login().await.access);
        assert_eq!(request.send().await.unwrap().status().as_u16(), 200, "{algorithm}");
    }
}
