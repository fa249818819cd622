//! What a client is told of a token, and what nobody is told.

use std::sync::Arc;
use std::time::Duration;

use auth_core::client::{Client, ClientId, ClientSecret};
use auth_core::entropy::OsEntropy;
use auth_core::id::UserId;
use auth_core::scope::{Roles, Scope};
use auth_core::session::EndCause;
use auth_core::time::Clock as _;
use auth_core::user::{Status, User};
use auth_dynamodb::change::Change;
use auth_dynamodb::client::Creation;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, RESTED, SECOND, START, Tokens, WEEK, engine};
use crate::wire::Wire;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const INACTIVE: &str = r#"{"active":false}"#;

/// Asks with these header fields, and whatever credentials the form has.
async fn ask(api: &Api, headers: &[(&str, &str)], form: &str) -> Answer {
    let headers: Vec<_> = headers.iter().copied().chain([FORM]).collect();
    api.send(Method::POST, "/oauth/introspect", &headers, form.as_bytes()).await
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

/// What an access token says, unverified.
fn claims(access: &str) -> Value {
    let claims = access.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

fn user_id(tokens: &Tokens) -> UserId {
    UserId::parse(claims(&tokens.access)["sub"].as_str().unwrap()).unwrap()
}

async fn user(api: &Api, tokens: &Tokens) -> User {
    api.store.user(user_id(tokens)).await.unwrap().unwrap()
}

/// All that a caller can see of an answer.
fn visible(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let fields = answer.headers.iter().filter(|(name, _)| *name != "date");
    let mut fields: Vec<_> =
        fields.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    fields.sort();
    (answer.status.as_u16(), fields, answer.text.clone())
}

async fn assert_active(api: &Api, token: &str, name: &str) {
    assert_eq!(api.introspect(token).await.json()["active"], true, "{name}");
}

async fn assert_inactive(api: &Api, token: &str, name: &str) {
    let fields = [("cache-control", "no-store"), ("content-length", "16"), ("content-type", "application/json")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    assert_eq!(visible(&api.introspect(token).await), (200, fields, INACTIVE.to_owned()), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_access_token_tells_its_claims() {
    let api = Api::start().await;
    let tokens = api.login().await;
    let mut expected = claims(&tokens.access);
    assert_eq!((&expected["roles"], &expected["aud"]), (&json!(["member"]), &json!("local-api")));
    expected.as_object_mut().unwrap().remove("ver"); // our own business
    expected["active"] = true.into();
    expected["token_type"] = "Bearer".into();
    let answer = api.introspect(&tokens.access).await;
    assert_eq!(answer.json(), expected);
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, Some("no-store")));
}

/// Whose it is and what it is good for, and no instant: what is left of its life would tell when the owner refreshed.
#[tokio::test(flavor = "multi_thread")]
async fn a_good_refresh_token_tells_no_instant() {
    let api = Api::start().await;
    let tokens = api.login().await;
    let claims = claims(&tokens.access);
    let mut expected = json!({"active": true, "scope": "profile notes", "client_id": "default", "iss": api.url});
    for member in ["sub", "sid"] {
        expected[member] = claims[member].clone();
    }
    let before = api.introspect(&tokens.refresh).await;
    assert_eq!(before.json(), expected);
    let next = api.rotate(&tokens.refresh).await;
    assert_eq!(visible(&api.introspect(&next.refresh).await), visible(&before), "the same before and after a refresh");
    let narrower = Change::Scope(Scope::parse("notes other").unwrap());
    api.store.change_user(&user(&api, &tokens).await, narrower, START).await.unwrap();
    assert_eq!(api.introspect(&next.refresh).await.json()["scope"], "notes", "as its next access token");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_hint_makes_a_difference() {
    let api = Api::start().await;
    let tokens = api.login().await;
    let authorization = basic("demo", &api.client_secret);
    for token in [&tokens.access, &tokens.refresh, "csr_x"] {
        let plain = visible(&api.introspect(token).await);
        for hint in ["access_token", "refresh_token", "id_token", "", "%00", "caf%C3%A9"] {
            let form = format!("token={token}&token_type_hint={hint}&unknown=x");
            let hinted = ask(&api, &[("authorization", &authorization)], &form).await;
            assert_eq!(visible(&hinted), plain, "{hint}");
        }
    }
}

/// Malformed, forged, foreign: nothing tells them from tokens that were good once.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_of_ours_is_inactive() {
    let api = Api::start().await;
    let (tokens, foreign) = (api.login().await, Api::start().await.login().await);
    let long = "a".repeat(10_000);
    let none = tokens.access.replacen(tokens.access.split('.').next().unwrap(), "eyJhbGciOiJub25lIn0", 1);
    for token in [
        "token",
        "csr_",
        "eyJ",
        "%C3%A9",
        "%00",
        "a.b.c",
        &long,
        &none,
        &foreign.access,
        &foreign.refresh,
        &tokens.access[..tokens.access.len() - 1],
        &tokens.refresh[..tokens.refresh.len() - 1],
        &tokens.refresh.replace("csr_", "CSR_"),
        &api.client_secret,
    ] {
        assert_inactive(&api, token, &format!("{token:.40}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_inactive_when_their_time_is_over() {
    let api = Api::start().await;
    let tokens = api.login().await;
    api.wait(Duration::from_secs(600 + 29));
    assert_active(&api, &tokens.access, "within the leeway").await;
    api.wait(SECOND);
    assert_inactive(&api, &tokens.access, "expired").await;
    assert_active(&api, &tokens.refresh, "lives on").await;
    api.wait(4 * WEEK + Duration::from_secs(2 * 86_400 - 631));
    assert_active(&api, &tokens.refresh, "the last second of its idle time").await;
    api.wait(SECOND);
    assert_inactive(&api, &tokens.refresh, "idle expiry").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_has_ended_has_no_active_token() {
    let api = Api::start().await;
    for cause in [EndCause::Logout, EndCause::Revoked, EndCause::Replay] {
        let (first, other) = (api.login().await, api.login().await);
        let second = api.rotate(&first.refresh).await;
        let third = api.rotate(&second.refresh).await;
        match cause {
            EndCause::Logout => drop(api.logout(&third.refresh).await),
            EndCause::Revoked => {
                let bearer = format!("Bearer {}", other.access);
                let path = format!("/sessions/{}", claims(&first.access)["sid"].as_str().unwrap());
                api.send(Method::DELETE, &path, &[("authorization", &bearer)], b"").await;
            }
            _ => assert!(api.refresh(&first.refresh).await.is_invalid_grant()),
        }
        for token in [&third.access, &third.refresh, &second.refresh, &first.refresh, &first.access] {
            assert_inactive(&api, token, &format!("{cause:?}")).await;
        }
        assert_active(&api, &other.access, "another session").await;
        assert_active(&api, &other.refresh, "another session").await;
    }
}

/// A replaced token is good as long as a refresh by it would be, and asking is no refresh: it rotates nothing, and ends nothing.
#[tokio::test(flavor = "multi_thread")]
async fn asking_about_a_refresh_token_does_not_use_it() {
    let api = Api::start().await;
    let first = api.login().await.refresh;
    let second = api.rotate(&first).await.refresh;
    for later in [Duration::ZERO, 11 * SECOND, RESTED, WEEK] {
        api.wait(later);
        assert_active(&api, &second, "the newest").await;
        assert_active(&api, &first, "the one before: its answer may have been lost").await;
    }
    let third = api.rotate(&second).await.refresh;
    assert_inactive(&api, &first, "two before").await;
    assert_active(&api, &third, "no alarm was raised").await;
    assert_eq!(api.refresh(&third).await.status, 200);
}

/// All other sessions are ended while somebody asks about the one that stays.
#[tokio::test(flavor = "multi_thread")]
async fn the_session_that_stays_is_active_at_every_moment() {
    for read in 0..3 {
        let wire = Wire::to(engine().await).await;
        let api = Arc::new(Api::start_on(wire.endpoint.clone(), &[]).await);
        let tokens = api.login().await;
        let (user, (_, sid)) = (api.user_of(&tokens.access).await, api.session_of(&tokens.access).await);
        let hold = wire.hold("GetItem", read);
        let under_way = tokio::spawn({
            let (api, token) = (Arc::clone(&api), tokens.refresh.clone());
            async move { api.introspect(&token).await }
        });
        hold.reached.notified().await;
        api.store.end_other_sessions(&user, sid, api.clock.now()).await.unwrap();
        hold.let_go.notify_one();
        assert_eq!(under_way.await.unwrap().json()["active"], true, "before read {read}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_was_changed_has_other_tokens() {
    let api = Api::start().await;
    let tokens = api.login().await;
    let roles = Change::Roles(Roles::parse("clerk").unwrap());
    api.store.change_user(&user(&api, &tokens).await, roles, START + SECOND).await.unwrap();
    assert_inactive(&api, &tokens.access, "of before the change").await;
    assert_active(&api, &tokens.refresh, "the session goes on").await;
    let next = api.refresh(&tokens.refresh).await.tokens();
    assert_eq!(api.introspect(&next.access).await.json()["roles"], json!(["clerk"]));

    let disable = Change::Status(Status::Disabled);
    api.store.change_user(&user(&api, &tokens).await, disable, START + 2 * SECOND).await.unwrap();
    for token in [&next.access, &next.refresh] {
        assert_inactive(&api, token, "disabled").await;
    }
    let enable = Change::Status(Status::Active);
    api.store.change_user(&user(&api, &tokens).await, enable, START + 3 * SECOND).await.unwrap();
    let again = api.refresh(&next.refresh).await.tokens();
    for token in [&again.access, &again.refresh] {
        assert_active(&api, token, "enabled").await;
    }
    api.store.end_all_sessions(&user(&api, &tokens).await, START + 4 * SECOND).await.unwrap();
    for token in [&again.access, &again.refresh] {
        assert_inactive(&api, token, "below the floor").await;
    }
    let last = api.login().await;
    assert_active(&api, &last.access, "begun since").await;
    let gone = user(&api, &tokens).await;
    api.store.delete_user(&gone, START + 5 * SECOND).await.unwrap();
    for token in [&last.access, &last.refresh] {
        assert_inactive(&api, token, "no such user").await;
    }
    api.store.delete_sessions(user_id(&tokens)).await.unwrap();
    for token in [&last.access, &last.refresh] {
        assert_inactive(&api, token, "no such session").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_proves_itself_in_the_header_or_in_the_body() {
    let api = Api::start().await;
    let token = format!("token={}", api.login().await.access);
    let (good, secret) = (basic("demo", &api.client_secret), &api.client_secret);
    let escaped = basic("%64emo", &secret.replace('_', "%5F"));
    let cases = [
        ("header", Some(&good), token.clone()),
        ("header, form-urlencoded", Some(&escaped), token.clone()),
        ("header, and the same client_id", Some(&good), format!("client_id=demo&{token}")),
        ("body", None, format!("{token}&client_secret={secret}&client_id=demo")),
    ];
    for (name, header, form) in cases {
        let headers: Vec<_> = header.map(|value| ("authorization", value.as_str())).into_iter().collect();
        let answer = ask(&api, &headers, &form).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["active"]), (200, &json!(true)), "{name}");
    }
}

/// One answer to all that is wrong, whichever client there is: the cost is that of `calls.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_client_is_told_nothing() {
    let api = Api::start().await;
    let access = api.login().await.access;
    let token = format!("token={access}");
    let other = ClientSecret::random(&OsEntropy).unwrap();
    let (own, wrong) = (&api.client_secret, other.text().to_string());
    let headers = [
        basic("demo", &wrong),
        basic("nobody", own),
        basic("nobody", &wrong),
        basic("DEMO", own),
        basic("demo", ""),
        basic("demo", "password"),
        basic("*", own),
        format!("Bearer {access}"),
        own.clone(),
        "Basic".to_owned(),
        "Basic %%%".to_owned(),
    ];
    let bodies = [
        token.clone(),
        format!("{token}&client_id=demo"),
        format!("{token}&client_id=demo&client_secret={wrong}"),
        format!("{token}&client_id=nobody&client_secret={own}"),
        format!("{token}&client_id=a%20b&client_secret={own}"),
        "token=x".to_owned(),
    ];
    let mut answers = Vec::new();
    for header in &headers {
        answers.push((header, ask(&api, &[("authorization", header)], &token).await));
    }
    for body in &bodies {
        answers.push((body, ask(&api, &[], body).await));
    }
    for (name, answer) in &answers {
        assert_eq!(visible(answer), visible(&answers[0].1), "{name}");
    }
    let (_, answer) = &answers[0];
    let expected = r#"{"error":"invalid_client","error_description":"client authentication failed"}"#;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (401, expected));
    assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"countersign\""));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_in_two_places_are_refused() {
    let api = Api::start().await;
    let token = format!("token={}", api.login().await.access);
    let (good, secret) = (basic("demo", &api.client_secret), &api.client_secret);
    let one = [("authorization", good.as_str())];
    let cases = [
        ("both", &one[..], format!("{token}&client_id=demo&client_secret={secret}")),
        ("both, half of it", &one, format!("{token}&client_secret={secret}")),
        ("another client_id", &one, format!("{token}&client_id=other")),
        ("two headers", &[one[0], one[0]], token.clone()),
        ("two secrets", &[], format!("{token}&client_id=demo&client_secret={secret}&client_secret={secret}")),
        ("a secret of nobody's", &[], format!("{token}&client_secret={secret}")),
    ];
    for (name, headers, form) in cases {
        let answer = ask(&api, headers, &form).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_request")), "{name}");
    }
    let in_the_query = format!("/oauth/introspect?client_id=demo&client_secret={secret}");
    assert_eq!(api.send(Method::POST, &in_the_query, &[FORM], token.as_bytes()).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_lives_and_dies_by_the_table() {
    let api = Api::start().await;
    let token = format!("token={}", api.login().await.access);
    let (id, secret) = (ClientId::parse("gateway").unwrap(), ClientSecret::random(&OsEntropy).unwrap());
    let status = async |secret: &ClientSecret| {
        let authorization = basic("gateway", &secret.text());
        ask(&api, &[("authorization", &authorization)], &token).await.status.as_u16()
    };
    assert_eq!(status(&secret).await, 401, "not yet");
    let client = Client::new(id, secret.digest(), START);
    assert_eq!(api.store.create_client(&client).await.unwrap(), Creation::Created);
    assert_eq!(status(&secret).await, 200);
    let next = ClientSecret::random(&OsEntropy).unwrap();
    api.store.replace_secret(&client, next.digest()).await.unwrap();
    assert_eq!((status(&secret).await, status(&next).await), (401, 200), "rotated");
    api.store.delete_client(&client.id).await.unwrap();
    assert_eq!(status(&next).await, 401, "removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_revoked_by_itself_is_inactive_alone() {
    let api = Api::start().await;
    let tokens = api.login().await;
    let jti = api.introspect(&tokens.access).await.json()["jti"].as_str().unwrap().to_owned();
    assert!(api.store.revoke_token(&jti, START + WEEK, START).await.unwrap());
    assert_inactive(&api, &tokens.access, "revoked").await;
    assert_active(&api, &tokens.refresh, "its session goes on").await;
}
