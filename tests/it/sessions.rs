//! A user's own sessions: listed, ended, limited.

use std::time::Duration;

use auth_core::entropy::OsEntropy;
use auth_core::id::{SessionId, UserId};
use auth_core::policy::SessionPolicy;
use auth_core::refresh_token::Nonce;
use auth_core::session::Session;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, RESTED, SECOND, START, WEEK, engine};
use crate::wire::{Fault, Wire};

const HOUR: Duration = Duration::from_hours(1);

async fn sign_in(api: &Api, device: &str) -> (String, String) {
    let login = json!({"username": "demo", "password": api.password, "device": device});
    let tokens = api.post("/login", &login).await.tokens();
    (tokens.access, tokens.refresh)
}

async fn list(api: &Api, access: &str) -> Vec<Value> {
    let answer = api.get("/sessions", &format!("Bearer {access}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.json()["more"], false);
    answer.json()["sessions"].as_array().unwrap().clone()
}

fn devices(sessions: &[Value]) -> Vec<&str> {
    sessions.iter().map(|session| session["device"].as_str().unwrap()).collect()
}

async fn end(api: &Api, access: &str, sid: &str) -> Answer {
    let bearer = format!("Bearer {access}");
    api.send(Method::DELETE, &format!("/sessions/{sid}"), &[("authorization", &bearer)], b"").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_sees_the_sessions_that_live() {
    let api = Api::start().await;
    let (_, phone) = sign_in(&api, "phone").await;
    api.wait(HOUR + SECOND);
    let (access, _) = sign_in(&api, "laptop").await;
    let sessions = list(&api, &access).await;
    let mut members: Vec<&String> = sessions[0].as_object().unwrap().keys().collect();
    members.sort();
    let expected =
        ["client_id", "created_at", "current", "device", "last_used_at", "network", "parent_sid", "scope", "sid"];
    assert_eq!(members, expected);
    assert_eq!(devices(&sessions), ["laptop", "phone"], "the last used first");
    assert_eq!((&sessions[0]["current"], &sessions[1]["current"]), (&json!(true), &json!(false)));
    assert_eq!(sessions[0]["sid"], api.me(&access).await.json()["sid"]);
    assert_eq!(sessions[1]["created_at"], START.seconds());
    assert_eq!(sessions[0]["network"], sessions[1]["network"], "both from loopback");
    assert_eq!(sessions[0]["network"].as_str().map(str::len), Some(8));
    assert!(!sessions[0]["network"].as_str().unwrap().contains("127"));

    api.wait(3 * HOUR);
    api.refresh(&phone).await.tokens();
    let (access, _) = sign_in(&api, "tablet").await;
    assert_eq!(devices(&list(&api, &access).await), ["tablet", "phone", "laptop"], "a refresh is a use");
}

/// Whoever holds a copied token reads this list, too.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_is_told_to_the_hour() {
    let api = Api::start().await;
    let (_, refresh) = sign_in(&api, "phone").await;
    let (reader, mut told) = (api.login().await.access, Vec::new());
    let mut refresh = refresh;
    for _ in 0..3 {
        api.wait(RESTED);
        refresh = api.refresh(&refresh).await.tokens().refresh;
        let phone = list(&api, &reader).await.into_iter().find(|it| it["device"] == "phone").unwrap();
        told.push(phone["last_used_at"].as_u64().unwrap());
    }
    assert_eq!(told, [START.seconds(); 3], "three refreshes within the hour of the login");
    api.wait(HOUR);
    api.refresh(&refresh).await.tokens();
    let reader = api.login().await.access;
    let phone = list(&api, &reader).await.into_iter().find(|it| it["device"] == "phone").unwrap();
    let last = phone["last_used_at"].as_u64().unwrap();
    assert!(last.is_multiple_of(3600) && last > START.seconds(), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_over_is_not_listed() {
    let api = Api::start().await;
    let (_, stolen) = sign_in(&api, "replayed").await;
    let second = api.rotate(&stolen).await;
    api.rotate(&second.refresh).await;
    assert!(api.refresh(&stolen).await.is_invalid_grant());
    sign_in(&api, "idle").await;
    api.wait(5 * WEEK);
    let (access, _) = sign_in(&api, "new").await;
    assert_eq!(devices(&list(&api, &access).await), ["new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_does_not_refresh() {
    let api = Api::start().await;
    let (_, lost) = sign_in(&api, "lost phone").await;
    let (access, own) = sign_in(&api, "laptop").await;
    let sessions = list(&api, &access).await;
    let sid = sessions.iter().find(|it| it["device"] == "lost phone").unwrap()["sid"].as_str().unwrap();
    for _ in 0..2 {
        let ended = end(&api, &access, sid).await;
        assert_eq!((ended.status.as_u16(), ended.text.as_str()), (204, ""), "a repeated request is as good");
    }
    assert!(api.refresh(&lost).await.is_invalid_grant());
    assert_eq!(devices(&list(&api, &access).await), ["laptop"]);
    api.refresh(&own).await.tokens();

    let own_sid = api.me(&access).await.json()["sid"].as_str().unwrap().to_owned();
    assert_eq!(end(&api, &access, &own_sid).await.status, 204, "one's own, too");
    assert!(api.refresh(&own).await.is_invalid_grant());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_peoples_sessions_are_nobodys() {
    let engine = engine().await;
    let (api, other) = (Api::start_on(engine.clone(), &[]).await, Api::start_on(engine, &[]).await);
    let access = api.login().await.access;
    let foreign = other.login().await;
    let foreign_sid = other.me(&foreign.access).await.json()["sid"].as_str().unwrap().to_owned();
    let unknown = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    for sid in [&foreign_sid, unknown, "x", "*", "%2e%2e", &foreign_sid.to_uppercase()] {
        let answer = end(&api, &access, sid).await;
        assert_eq!((answer.status.as_u16(), answer.json()["status"].as_u64()), (404, Some(404)), "{sid}");
    }
    other.refresh(&foreign.refresh).await.tokens();
    let bearer = format!("Bearer {access}");
    let headers = [("authorization", bearer.as_str())];
    for (method, path, allow) in [(Method::POST, "/sessions", "GET"), (Method::GET, "/sessions/x", "DELETE")] {
        let answer = api.send(method, path, &headers, b"").await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, Some(allow)), "{path}");
    }
    assert_eq!(api.get("/sessions", "").await.status, 401);
    assert_eq!(end(&api, "x", unknown).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_a_503_and_nothing_is_ended() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    let (access, refresh) = sign_in(&api, "phone").await;
    let sid = list(&api, &access).await[0]["sid"].as_str().unwrap().to_owned();
    let refused = || vec![Fault::Refused("InternalServerError"); 3];
    wire.plan("Query", refused());
    let answer = api.get("/sessions", &format!("Bearer {access}")).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, Some("2")));
    wire.plan("TransactWriteItems", refused());
    assert_eq!(end(&api, &access, &sid).await.status, 503);
    wire.clear();
    api.refresh(&refresh).await.tokens();
    wire.plan("TransactWriteItems", [Fault::LostAnswer]);
    assert_eq!(end(&api, &access, &sid).await.status, 204, "the SDK's repetition finds it ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_limit_the_longest_idle_session_makes_room() {
    let api = Api::start_with(&[("SESSIONS_PER_USER", "2")]).await;
    let (_, first) = sign_in(&api, "first").await;
    api.wait(RESTED);
    let (_, second) = sign_in(&api, "second").await;
    let first = api.rotate(&first).await.refresh;
    api.wait(RESTED);
    let (access, third) = sign_in(&api, "third").await;
    assert!(api.refresh(&second).await.is_invalid_grant(), "the first was used after it");
    api.refresh(&first).await.tokens();
    api.refresh(&third).await.tokens();
    assert_eq!(list(&api, &access).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_one_leaves_the_new_one_and_sessions_that_are_over_do_not_count() {
    let api = Api::start_with(&[("SESSIONS_PER_USER", "1")]).await;
    let (_, first) = sign_in(&api, "first").await;
    api.wait(SECOND);
    let (_, second) = sign_in(&api, "second").await;
    assert!(api.refresh(&first).await.is_invalid_grant());
    api.refresh(&second).await.tokens();
    api.wait(5 * WEEK);
    let (access, third) = sign_in(&api, "third").await;
    assert_eq!(devices(&list(&api, &access).await), ["third"]);
    api.refresh(&third).await.tokens();
}

/// Logins at the same moment never end each other: whatever they see, the last of them all stays.
#[tokio::test(flavor = "multi_thread")]
async fn logins_at_the_same_moment_leave_one_that_lives() {
    let api = Api::start_with(&[("SESSIONS_PER_USER", "1")]).await;
    for round in 0..5 {
        let (one, two, three) = tokio::join!(sign_in(&api, "one"), sign_in(&api, "two"), sign_in(&api, "three"));
        let mut alive = 0;
        for (_, refresh) in [&one, &two, &three] {
            alive += usize::from(api.refresh(refresh).await.status == 200);
        }
        assert!(alive >= 1, "round {round}");
        api.wait(SECOND);
    }
}

/// A login that failed by a fault of ours has displaced nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_not_kept_displaces_none() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[("SESSIONS_PER_USER", "1")]).await;
    let old = api.login().await.refresh;
    wire.plan("PutItem", vec![Fault::Refused("InternalServerError"); 3]);
    assert_eq!(api.sign_in(&api.password).await.status, 503);
    api.refresh(&old).await.tokens();
}

/// What a login does last would end after the request.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_has_taken_long_leaves_room_to_the_next_one() {
    for (taken, status) in [(8 * SECOND, 400), (8 * SECOND + Duration::from_millis(1), 200)] {
        let wire = Wire::to(engine().await).await;
        let api = Api::start_on(wire.endpoint.clone(), &[("SESSIONS_PER_USER", "1")]).await;
        let old = api.login().await.refresh;
        api.wait(SECOND);
        let hold = wire.hold("PutItem", 0);
        let slowly = async {
            hold.reached.notified().await;
            api.wait(taken);
            hold.let_go.notify_one();
        };
        let (new, ()) = tokio::join!(api.login(), slowly);
        assert_eq!(api.refresh(&old).await.status, status, "{taken:?}");
        assert_eq!(api.refresh(&new.refresh).await.status, 200, "{taken:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_new_password_has_ended_is_not_listed() {
    let api = Api::start().await;
    sign_in(&api, "thief").await;
    let access = api.login().await.access;
    assert_eq!(list(&api, &access).await.len(), 2);
    let user = api.user_of(&access).await;
    let hash = api.store.credentials(&user.login_name).await.unwrap().unwrap().password_hash;
    api.store.set_password(&user, &hash, START).await.unwrap();
    assert_eq!(list(&api, &access).await.len(), 0);
    let (access, _) = sign_in(&api, "owner").await;
    assert_eq!(devices(&list(&api, &access).await), ["owner"]);
}

/// The limit was lowered, or many signed in at once: each login goes a part of the way.
#[tokio::test(flavor = "multi_thread")]
async fn a_lowered_limit_is_reached_by_and_by() {
    let api = Api::start_with(&[("SESSIONS_PER_USER", "2")]).await;
    let (access, _) = sign_in(&api, "first").await;
    let (user_id, _) = api.session_of(&access).await;
    for _ in 0..13 {
        api.store.create_session(&old_session(user_id)).await.unwrap();
    }
    api.wait(SECOND);
    let (access, _) = sign_in(&api, "new").await;
    assert_eq!(list(&api, &access).await.len(), 5, "ten fewer");
    api.wait(SECOND);
    let (access, _) = sign_in(&api, "newer").await;
    assert_eq!(devices(&list(&api, &access).await), ["newer", "new"]);
}

fn old_session(user_id: UserId) -> Session {
    let (id, nonce) = (SessionId::random(&OsEntropy).unwrap(), Nonce::random(&OsEntropy).unwrap());
    let begun = Session::begin(user_id, id, nonce, &SessionPolicy::default(), START.before(HOUR));
    Session { client_id: "default".to_owned(), device: Some("old".to_owned()), ver: 1, ..begun }
}
