//! The authorizer behind the gateway: 200, 401, 403, and what the gateway's cache makes of it.

use std::time::Duration;

use local::gateway::ROUTES;
use local::surface::{Attachment, Surface};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, RESTED, SECOND, engine};
use crate::template::{TEMPLATE, parse};

#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_is_let_in_and_described() {
    let api = Api::start().await;
    let login = json!({"username": "demo", "password": api.password, "device": "phone"});
    let tokens = api.post("/login", &login).await.tokens();
    let me = api.me(&tokens.access).await;
    assert_eq!(me.status, 200);
    assert_eq!(me.header("cache-control"), Some("no-store"));
    let me = me.json();
    assert_eq!(me["scope"], "profile notes");
    assert_eq!(me["roles"], json!(["member"]));
    assert_eq!(me["client_id"], "default");
    assert_eq!(me["exp"], 1_800_000_600);
    assert_eq!((me["sub"].as_str().map(str::len), me["sid"].as_str().map(str::len)), (Some(36), Some(36)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bad_or_expired_token_is_a_401_that_says_refresh() {
    let api = Api::start().await;
    let access = api.login().await.access;
    let other = Api::start().await.login().await;
    let own_refresh = api.login().await.refresh;
    let cases = [
        String::new(),
        access.clone(),
        format!("Basic {access}"),
        format!("Bearer  {access}"),
        format!("Bearer {access},{access}"),
        format!("Bearer {access}x"),
        format!("Bearer {}", access.replace('.', "..")),
        format!("Bearer {}", other.access),
        format!("Bearer {own_refresh}"),
        "Bearer ey".to_owned(),
        format!("Bearer {}", "a".repeat(7000)),
    ];
    for authorization in cases {
        let refused = api.get("/me", &authorization).await;
        assert_eq!(refused.status, 401, "{authorization:.60}");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer error=\"invalid_token\""), "{authorization:.60}");
        assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    }
    let twice = [("authorization", format!("Bearer {access}")), ("authorization", format!("Bearer {access}"))];
    let twice = twice.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(api.send(Method::GET, "/me", &twice, b"").await.status, 401);
    assert_eq!(api.send(Method::GET, "/me", &[], b"").await.status, 401);
    assert_eq!(api.get("/me", &format!("bearer {access}")).await.status, 200, "the scheme in any case");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_dies_at_exp_but_for_the_leeway() {
    let api = Api::start_with(&[("ACCESS_TOKEN_TTL_SECONDS", "180")]).await;
    let tokens = api.login().await;
    api.wait(Duration::from_secs(180 + 29));
    assert_eq!(api.me(&tokens.access).await.status, 200);
    api.wait(SECOND);
    assert_eq!(api.me(&tokens.access).await.status, 401);
    let next = api.refresh(&tokens.refresh).await.tokens();
    assert_eq!(api.me(&next.access).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_is_a_403_that_a_refresh_does_not_help() {
    let api = Api::start().await;
    let login = json!({"username": "demo", "password": api.password, "scope": "notes"});
    let tokens = api.post("/login", &login).await.tokens();
    let refused = api.me(&tokens.access).await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.header("www-authenticate"), Some("Bearer error=\"insufficient_scope\""));
    assert_eq!(api.me(&api.rotate(&tokens.refresh).await.access).await.status, 403);
}

/// With a cache, one answer serves every route of the stage: it was right for all of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_cached_answer_is_right_until_it_is_old() {
    let policy = r#"{"routes":[{"method":"POST","path":"/me","all_scopes":["notes"]}]}"#;
    let variables = [("ROUTE_POLICY", policy)];
    let attachment = Attachment { ttl: Duration::from_secs(300), ..Attachment::new(Surface::RestToken) };
    let api = Api::start_behind(attachment, None, engine().await, &variables).await;
    let login = json!({"username": "demo", "password": api.password, "scope": "profile"});
    let access = api.post("/login", &login).await.tokens().access;
    let bearer = format!("Bearer {access}");
    let headers = [("authorization", bearer.as_str())];
    for _ in 0..2 {
        assert_eq!(api.me(&access).await.status, 200);
        assert_eq!(api.send(Method::POST, "/me", &headers, b"").await.status, 403);
        assert_eq!(api.send(Method::PUT, "/me", &headers, b"").await.status, 405, "let in, then not understood");
    }
    api.wait(Duration::from_secs(599));
    assert_eq!(api.me(&access).await.status, 200, "asked anew");
    api.wait(Duration::from_secs(299));
    assert_eq!(api.me(&access).await.status, 200, "expired, and cached: the added exposure");
    api.wait(SECOND);
    assert_eq!(api.me(&access).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_algorithm_goes_from_login_to_the_authorizer() {
    for algorithm in ["ES256", "EdDSA", "HS256"] {
        let api = Api::start_with(&[("SIGNING_ALGORITHM", algorithm)]).await;
        let tokens = api.login().await;
        assert_eq!(api.me(&tokens.access).await.status, 200, "{algorithm}");
        assert_eq!(api.me(&api.rotate(&tokens.refresh).await.access).await.status, 200, "{algorithm}");
        let published = api.get("/.well-known/jwks.json", "").await.json();
        assert_eq!(published["keys"].as_array().unwrap().len(), usize::from(algorithm != "HS256"), "{algorithm}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_says_where_everything_is() {
    let api = Api::start().await;
    let jwks = api.get("/.well-known/jwks.json", "").await;
    assert_eq!(jwks.header("cache-control"), Some("public, max-age=300"));
    let keys = jwks.json()["keys"].clone();
    let members: Vec<&String> = keys[0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"], "public members only");
    let documents = ["openid-configuration", "oauth-authorization-server"];
    for document in documents {
        let metadata = api.get(&format!("/.well-known/{document}"), "").await.json();
        assert_eq!(metadata["issuer"], api.url.as_str());
        assert_eq!(metadata["jwks_uri"], format!("{}/.well-known/jwks.json", api.url));
        assert_eq!(metadata["token_endpoint"], format!("{}/oauth/token", api.url));
        assert_eq!(metadata["introspection_endpoint"], format!("{}/oauth/introspect", api.url));
        assert_eq!(metadata["revocation_endpoint"], format!("{}/oauth/revoke", api.url));
        assert!(metadata.get("authorization_endpoint").is_none());
    }
}

/// The route policy of `cargo run`, which is the template's.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_route_policy_does_not_name_is_closed() {
    let template = parse(TEMPLATE);
    let policy = template["Parameters"]["RoutePolicy"]["Default"].as_str().unwrap();
    let api = Api::start_with(&[("ROUTE_POLICY", policy)]).await;
    let access = api.login().await.access;
    let bearer = format!("Bearer {access}");
    let sid = api.me(&access).await.json()["sid"].as_str().unwrap().to_owned();
    let own = format!("/sessions/{sid}");
    let cases = [
        (Method::GET, "/me", 200),
        (Method::GET, "/sessions", 200),
        (Method::DELETE, "/sessions/x", 404),
        (Method::DELETE, own.as_str(), 204),
        (Method::HEAD, "/me", 403),
        (Method::PUT, "/me", 403),
        (Method::GET, "/sessions/x", 403),
        (Method::DELETE, "/sessions", 403),
    ];
    for (method, path, status) in cases {
        let answer = api.send(method.clone(), path, &[("authorization", &bearer)], b"").await;
        assert_eq!(answer.status, status, "{method} {path}");
    }
    let parsed: [Value; 2] = [policy, local::stack::ROUTE_POLICY].map(|json| serde_json::from_str(json).unwrap());
    assert_eq!(parsed[0], parsed[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_a_404() {
    let api = Api::start().await;
    for path in ["/", "/login/", "/LOGIN", "/me/x", "/.well-known"] {
        let answer = api.get(path, "").await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
    }
    assert_eq!(ROUTES.iter().filter(|route| route.authorized).count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_is_put_forward_over_http() {
    let api = Api::start().await;
    let token = api.login().await;
    let answer = api.post("/_local/clock", &json!({"advance_seconds": 640})).await;
    assert_eq!((answer.status.as_u16(), answer.json()["now"].as_u64()), (200, Some(1_800_000_640)));
    assert_eq!(api.me(&token.access).await.status, 401);
    assert_eq!(api.refresh(&token.refresh).await.status, 200);
    for bad in [json!({}), json!({"advance_seconds": -1}), json!({"advance_seconds": "1"}), json!([])] {
        assert_eq!(api.post("/_local/clock", &bad).await.status, 400, "{bad}");
    }
    api.wait(RESTED);
}
