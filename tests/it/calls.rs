//! What each operation costs: calls, and request units as the embedded engine counts them. A promise.

use auth_core::client::ClientSecret;
use auth_core::config::environment;
use auth_core::entropy::OsEntropy;
use reqwest::Method;
use serde_json::json;

use crate::grants;
use crate::harness::{Api, RESTED, SECOND, engine};
use crate::rotating::Rotating;
use crate::wire::{Call, Wire};

/// Calls and units, in alphabetical order. A strongly consistent read of an item under 4 KB is one unit, a write of one
/// under 1 KB is one.
fn cost(calls: Vec<Call>) -> Vec<(String, f64)> {
    let mut cost: Vec<_> = calls.into_iter().map(|call| (call.operation, call.units)).collect();
    cost.sort_by(|one, other| one.0.cmp(&other.0));
    cost
}

/// An end: the session's item and the journal's, in a transaction, which pays twice for each.
fn end() -> Vec<(String, f64)> {
    vec![("TransactWriteItems".to_owned(), 4.0)]
}

fn expected(calls: &[&str]) -> Vec<(String, f64)> {
    calls.iter().map(|operation| ((*operation).to_owned(), 1.0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_costs_what_the_documents_say() {
    if environment("DYNAMODB_ENDPOINT").is_some() {
        return; // DynamoDB Local counts some units otherwise; the promise is held to the embedded engine
    }
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    wire.calls();

    let tokens = api.login().await;
    let login = ["GetItem", "PutItem", "UpdateItem", "UpdateItem"];
    assert_eq!(cost(wire.calls()), expected(&login), "login");
    api.login().await;
    assert_eq!(cost(wire.calls()), expected(&login), "another login");
    api.sign_in("wrong").await;
    assert_eq!(cost(wire.calls()), expected(&["GetItem", "UpdateItem"]), "login refused");

    assert_eq!(api.me(&tokens.access).await.status, 200);
    assert_eq!(wire.operations(), ["Query"], "the authorizer's first look at the journal");
    assert_eq!(api.me(&tokens.access).await.status, 200);
    assert_eq!(wire.calls(), [], "authorize");

    let bearer = format!("Bearer {}", tokens.access);
    let sessions = api.get("/sessions", &bearer).await.json();
    assert_eq!(wire.operations(), ["GetItem", "Query"], "sessions");
    let sid = sessions["sessions"].as_array().unwrap().iter().find(|it| it["current"] == false).unwrap()["sid"].clone();
    let path = format!("/sessions/{}", sid.as_str().unwrap());
    api.send(Method::DELETE, &path, &[("authorization", &bearer)], b"").await;
    assert_eq!(cost(wire.calls()), end(), "end a session");

    let introspect = ["GetItem"; 5];
    for (name, token, calls) in [
        ("an access token", &tokens.access, &introspect[..]),
        ("a refresh token", &tokens.refresh, &introspect[..3]),
        ("a forged access token", &format!("{}x", tokens.access), &introspect[..1]),
        ("a forged refresh token", &format!("{}x", tokens.refresh), &introspect[..1]),
    ] {
        assert_eq!(api.introspect(token).await.status, 200);
        assert_eq!(cost(wire.calls()), expected(calls), "introspect {name}");
    }
    let of_another = ClientSecret::random(&OsEntropy).unwrap().text();
    for (client_id, secret, calls) in [
        ("demo", of_another.as_str(), &introspect[..1]),
        ("nobody", &of_another, &introspect[..1]),
        ("demo", "csc_malformed", &[]),
    ] {
        let form = format!("client_id={client_id}&client_secret={secret}&token={}", tokens.access);
        assert_eq!(api.form("/oauth/introspect", &form).await.status, 401);
        assert_eq!(wire.operations(), calls, "introspect as {client_id} by {secret:.5}");
    }

    let refused = |calls: &[&str]| calls.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    api.refresh(&tokens.refresh).await.tokens();
    assert_eq!(wire.operations(), refused(&["GetItem", "UpdateItem"]), "refresh: rest");
    let second = api.rotate(&tokens.refresh).await;
    assert_eq!(cost(wire.calls()), expected(&["GetItem", "UpdateItem"]), "refresh: rotate");
    api.refresh(&tokens.refresh).await.tokens();
    assert_eq!(wire.operations(), refused(&["GetItem", "UpdateItem"]), "refresh: repeat");
    api.wait(11 * SECOND);
    api.refresh(&tokens.refresh).await.tokens();
    assert_eq!(wire.operations(), refused(&["GetItem", "UpdateItem", "UpdateItem"]), "refresh: fork");
    let third = api.rotate(&second.refresh).await;
    wire.calls();
    api.wait(RESTED);
    assert!(api.refresh(&tokens.refresh).await.is_invalid_grant());
    assert_eq!(wire.operations(), refused(&["GetItem", "TransactWriteItems", "UpdateItem"]), "refresh: replayed");
    assert!(api.refresh(&third.refresh).await.is_invalid_grant());
    assert_eq!(wire.operations(), refused(&["GetItem", "UpdateItem"]), "refresh: ended");

    let another = api.login().await.refresh;
    wire.calls();
    assert_eq!(api.logout(&another).await.status, 204);
    assert_eq!(cost(wire.calls()), end(), "logout");
    assert_eq!(api.logout(&another).await.status, 204);
    assert_eq!(wire.operations(), refused(&["TransactWriteItems"]), "logout again");
    assert_eq!(api.logout("csr_forged").await.status, 204);
    assert_eq!(wire.calls(), [], "logout with a forged token");

    let another = api.login().await;
    wire.calls();
    assert_eq!(api.form("/oauth/revoke", &format!("token={}", another.access)).await.status, 200);
    assert_eq!(cost(wire.calls()), end(), "revoke an access token: its mark and the journal's entry");
    assert_eq!(api.form("/oauth/revoke", &format!("token={}", another.refresh)).await.status, 200);
    assert_eq!(cost(wire.calls()), end(), "revoke a refresh token");
    let another = api.login().await.refresh;
    wire.calls();
    assert_eq!(api.post("/logout", &json!({"refresh_token": another, "sessions": "others"})).await.status, 204);
    // The login's, the user's, the session's and the journal's item.
    let others = [("GetItem", 1.0), ("GetItem", 1.0), ("TransactWriteItems", 8.0)];
    assert_eq!(cost(wire.calls()), others.map(|(name, units)| (name.to_owned(), units)), "logout of all others");
    let limited = Api::start_on(wire.endpoint.clone(), &[("SESSIONS_PER_USER", "1")]).await;
    wire.calls();
    limited.login().await;
    let limited_login = ["GetItem", "PutItem", "Query", "UpdateItem", "UpdateItem"];
    assert_eq!(wire.operations(), refused(&limited_login), "login with a limit of sessions");
    limited.wait(SECOND);
    limited.login().await;
    let displacing = ["GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem", "UpdateItem"];
    assert_eq!(wire.operations(), refused(&displacing), "login that displaces a session");
}

/// What clients get by their own credentials.
#[tokio::test(flavor = "multi_thread")]
async fn so_does_every_grant() {
    if environment("DYNAMODB_ENDPOINT").is_some() {
        return; // as above
    }
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    let tokens = api.login().await;
    assert_eq!(api.me(&tokens.access).await.status, 200, "the authorizer's first look at the journal");
    let of_another = ClientSecret::random(&OsEntropy).unwrap().text().to_string();
    wire.calls();
    let client = format!("client_id=demo&client_secret={}", api.client_secret);
    let own = api.form("/oauth/token", &format!("grant_type=client_credentials&{client}")).await;
    assert_eq!(cost(wire.calls()), expected(&["GetItem"]), "client credentials: the client");
    let exchange = ["GetItem", "GetItem", "GetItem", "GetItem", "GetItem", "UpdateItem"];
    let exchanged = api.form("/oauth/token", &format!("{}&{client}", grants::exchange(&tokens.access))).await;
    assert_eq!(cost(wire.calls()), expected(&exchange), "token exchange");
    let forged = format!("{}&{client}", grants::exchange(&format!("{}x", tokens.access)));
    assert_eq!(api.form("/oauth/token", &forged).await.status, 400);
    assert_eq!(cost(wire.calls()), expected(&["GetItem"]), "exchange of a forged token: the client alone");
    for grant in
        ["grant_type=client_credentials", &grants::exchange(&tokens.access), "grant_type=refresh_token&refresh_token=x"]
    {
        let form = format!("{grant}&client_id=nobody&client_secret={of_another}");
        assert_eq!(api.form("/oauth/token", &form).await.status, 401, "{grant}");
        assert_eq!(cost(wire.calls()), expected(&["GetItem"]), "by no client: {grant:.30}");
    }
    assert_eq!(api.introspect(&grants::access_token(&own)).await.json()["active"], true);
    assert_eq!(cost(wire.calls()), expected(&["GetItem"; 4]), "introspect a client's own token");
    let delegated = grants::access_token(&exchanged);
    assert_eq!(api.introspect(&delegated).await.json()["active"], true);
    assert_eq!(cost(wire.calls()), expected(&["GetItem"; 6]), "introspect an exchanged token");
    assert_eq!(api.me(&delegated).await.status, 200);
    assert_eq!(wire.calls(), [], "authorize an exchanged token");
    let bearer = format!("Bearer {delegated}");
    assert_eq!(api.send(Method::POST, "/logout", &[("authorization", &bearer)], b"").await.status, 204);
    assert_eq!(cost(wire.calls()), end(), "logout of an exchanged token");
}

/// What keys that take turns cost: an instance reads them when its copy is old, beside what it is asked, and forged tokens never.
#[tokio::test(flavor = "multi_thread")]
async fn keys_in_the_table_are_read_once_in_a_while() {
    let wire = Wire::to(engine().await).await;
    let world = Rotating::start_on(wire.endpoint.clone(), "EdDSA").await;
    let api = &world.api;
    let tokens = api.login().await;
    let forged = format!("{}x", tokens.access);
    wire.calls();
    let ask = async |name: &str| match name {
        "login" => api.login().await.access,
        "refresh" => api.refresh(&tokens.refresh).await.tokens().access,
        "introspect" => api.introspect(&tokens.access).await.json()["active"].to_string(),
        "introspect a forged token" => api.introspect(&forged).await.json()["active"].to_string(),
        "revoke a forged token" => api.form("/oauth/revoke", &format!("token={forged}")).await.text,
        "revoke" => api.form("/oauth/revoke", &format!("token={}", tokens.access)).await.text,
        "documents" => api.get("/.well-known/jwks.json", "").await.text,
        _ => panic!("{name}"),
    };
    let rows = [
        ("login", &["GetItem", "PutItem", "UpdateItem", "UpdateItem"][..], true),
        ("refresh", &["GetItem", "UpdateItem"], true),
        ("introspect a forged token", &["GetItem"], false),
        ("introspect", &["GetItem"; 5], true),
        ("revoke a forged token", &[], false),
        ("revoke", &["TransactWriteItems"], true),
        ("documents", &[], true),
    ];
    for (name, calls, reads_keys) in rows {
        api.wait(RESTED);
        ask(name).await;
        let mut first = wire.operations();
        let found = first.iter().position(|call| call == "Query").map(|at| first.remove(at));
        assert_eq!((first.as_slice(), found.is_some()), (&*strings(calls), reads_keys), "{name}");
        ask(name).await;
        let again = wire.operations();
        assert!(!again.contains(&"Query".to_owned()), "{name}, a moment later: {again:?}");
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
