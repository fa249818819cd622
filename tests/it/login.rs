//! Signing in: what is told apart, what is not, and what too many failures cost.

use std::sync::Arc;
use std::time::Duration;

use auth_core::entropy::OsEntropy;
use auth_core::id::UserId;
use auth_core::login::LoginName;
use auth_core::scope::{Roles, Scope};
use auth_core::time::Clock as _;
use auth_core::user::{Status, User};
use auth_dynamodb::change::Changed;
use auth_dynamodb::store::Store;
use auth_dynamodb::user::Creation;
use auth_password::hasher::{Hasher, Parameters};
use auth_password::password::Password;
use serde_json::json;

use crate::harness::{Answer, Api, SECOND, START, engine};
use crate::revocation::SEEN;
use crate::wire::{Fault, Wire};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Creates a user whose hash was made with these parameters.
pub(crate) async fn create(
    store: &Store,
    name: &str,
    parameters: Parameters,
    change: impl FnOnce(&mut User),
) -> UserId {
    let id = UserId::random(&OsEntropy).unwrap();
    let mut user = User {
        id,
        login_name: LoginName::parse(name).unwrap(),
        status: Status::Active,
        ver: 1,
        floor: 0,
        roles: Roles::default(),
        scope: Scope::parse("profile").unwrap(),
    };
    change(&mut user);
    let password_hash = Hasher::new(parameters).hash(&Password::presented(PASSWORD).unwrap(), &OsEntropy).unwrap();
    assert_eq!(store.create_user(&user, &password_hash).await.unwrap(), Creation::Created);
    id
}

async fn login(api: &Api, name: &str, password: &str) -> Answer {
    api.post("/login", &json!({"username": name, "password": password})).await
}

/// All that a caller can see of an answer.
fn visible(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "date")
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    (answer.status.as_u16(), headers, answer.text.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_wrong_disabled_and_revoked_answer_alike() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    create(&api.store, "disabled", Parameters::default(), |user| user.status = Status::Disabled).await;
    create(&api.store, "below-floor", Parameters::default(), |user| user.floor = 2).await;
    wire.calls();
    let wrong = login(&api, "demo", "a wrong one").await;
    assert_eq!(wrong.status, 400);
    assert_eq!(wrong.json()["error"], "invalid_grant");
    let calls = wire.calls().len();
    for (name, password) in [("nobody", PASSWORD), ("disabled", PASSWORD), ("below-floor", PASSWORD)] {
        assert_eq!(visible(&login(&api, name, password).await), visible(&wrong), "{name}");
        assert_eq!(wire.calls().len(), calls, "{name}: as many calls, and each hashes once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_every_session_and_begins_new_ones() {
    let api = Api::start().await;
    let id = create(&api.store, "alice", Parameters::default(), |_| {}).await;
    let session = login(&api, "alice", PASSWORD).await.tokens();
    let user = api.store.user(id).await.unwrap().unwrap();
    let password_hash =
        Hasher::new(Parameters::default()).hash(&Password::presented("another password").unwrap(), &OsEntropy).unwrap();
    let changed = api.store.set_password(&user, &password_hash, START).await.unwrap();
    assert!(matches!(changed, Changed::Done(_)), "{changed:?}");
    assert!(api.refresh(&session.refresh).await.is_invalid_grant());
    assert!(login(&api, "alice", PASSWORD).await.is_invalid_grant());
    let session = login(&api, "alice", "another password").await.tokens();
    assert_eq!(api.refresh(&session.refresh).await.status, 200);
}

/// The password changes while a login is under way that has read the hash of before: what that hash stands for is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_by_the_old_hash_begins_nothing_that_lives() {
    for call in ["GetItem", "PutItem"] {
        let wire = Wire::to(engine().await).await;
        let api = Arc::new(Api::start_on(wire.endpoint.clone(), &[]).await);
        let user = api.user_of(&api.login().await.access).await;
        let hold = wire.hold(call, 0);
        let under_way = tokio::spawn({
            let api = Arc::clone(&api);
            async move { api.sign_in(&api.password).await }
        });
        hold.reached.notified().await;
        let changed = api.store.set_password(&user, "another hash", api.clock.now()).await.unwrap();
        assert!(matches!(changed, Changed::Done(_)), "{call}: {changed:?}");
        hold.let_go.notify_one();
        let answer = under_way.await.unwrap();
        if answer.status == 200 {
            let tokens = answer.tokens();
            assert!(api.refresh(&tokens.refresh).await.is_invalid_grant(), "{call} held");
            api.wait(SEEN);
            assert_eq!(api.me(&tokens.access).await.status, 401, "{call} held");
        } else {
            assert!(answer.is_invalid_grant(), "{call} held: {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_close_a_name_whether_anybody_has_it_or_not() {
    for name in ["demo", "nobody"] {
        let wire = Wire::to(engine().await).await;
        let api = Api::start_on(wire.endpoint.clone(), &[]).await;
        for attempt in 1..=5 {
            assert_eq!(login(&api, name, "wrong").await.status, 400, "{name}, attempt {attempt} is free");
        }
        for (failures, delay) in [(6, 2), (7, 4), (8, 8)] {
            assert_eq!(login(&api, name, "wrong").await.status, 400, "{name}, attempt {failures}");
            api.wait((delay - 1) * SECOND);
            wire.calls();
            let closed = login(&api, name, &api.password.clone()).await;
            assert_eq!(closed.status, 429, "{name} after {failures} failures");
            assert_eq!(closed.header("retry-after"), Some("1"), "{name}: what is left of it");
            assert!(closed.json().get("error").is_none());
            assert_eq!(wire.operations(), ["UpdateItem"], "{name}: neither hashed nor counted");
            api.wait(SECOND);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_opens_the_name_again() {
    let api = Api::start().await;
    for _ in 0..5 {
        login(&api, "demo", "wrong").await;
    }
    api.login().await;
    for attempt in 1..=5 {
        assert_eq!(login(&api, "demo", "wrong").await.status, 400, "attempt {attempt}");
    }
}

/// Clean logins leave nothing behind that would tell a name that somebody has from one that nobody has.
#[tokio::test(flavor = "multi_thread")]
async fn after_clean_logins_a_name_closes_like_one_that_nobody_has() {
    for logins in 0..3 {
        let api = Api::start().await;
        for _ in 0..logins {
            api.login().await;
        }
        for name in ["demo", "nobody"] {
            let mut answers = Vec::new();
            for _ in 0..8 {
                answers.push(login(&api, name, "wrong").await.status.as_u16());
            }
            assert_eq!(answers, [400, 400, 400, 400, 400, 400, 429, 429], "{name} after {logins} logins");
        }
    }
}

/// A day after the last failure the count starts anew, for every name: time-to-live decides nothing.
#[tokio::test(flavor = "multi_thread")]
async fn failures_of_yesterday_are_forgotten() {
    let api = Api::start().await;
    let day = Duration::from_hours(24);
    for name in ["demo", "nobody"] {
        for (wait, expected) in [(Duration::ZERO, 6), (Duration::from_secs(24 * 60 * 60 - 1), 1), (day, 6), (day, 6)] {
            api.wait(wait);
            let mut free = 0;
            while login(&api, name, "wrong").await.status == 400 {
                free += 1;
            }
            assert_eq!(free, expected, "{name}, {wait:?} later");
        }
    }
}

/// What follows a right password, or is a fault of ours, counts against nobody.
#[tokio::test(flavor = "multi_thread")]
async fn only_wrong_passwords_count() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    let wide = json!({"username": "demo", "password": api.password, "scope": "admin"});
    for _ in 0..8 {
        assert_eq!(api.post("/login", &wide).await.json()["error"], "invalid_scope");
    }
    for _ in 0..8 {
        wire.plan("GetItem", vec![Fault::Refused("AccessDeniedException")]);
        assert_eq!(api.sign_in(&api.password).await.status, 503);
        wire.clear();
    }
    api.login().await;
}

/// No increment is lost: of many attempts at the same moment only the free ones are tried.
#[tokio::test(flavor = "multi_thread")]
async fn parallel_attempts_are_all_counted() {
    let api = Api::start().await;
    let attempts: Vec<_> = (0..20)
        .map(|_| {
            let (url, client) = (format!("{}/login", api.url), reqwest::Client::new());
            tokio::spawn(async move {
                let body = json!({"username": "demo", "password": "wrong"}).to_string();
                client.post(url).header("content-type", "application/json").body(body).send().await.unwrap().status()
            })
        })
        .collect();
    let mut tried = 0;
    for attempt in attempts {
        tried += u32::from(attempt.await.unwrap() == 400);
    }
    assert_eq!(tried, 6, "five free ones, and the one that closes the name");
}

#[tokio::test(flavor = "multi_thread")]
async fn spellings_of_a_name_are_one_name() {
    let api = Api::start().await;
    for name in ["Demo", "DEMO", "\u{ff24}emo"] {
        assert_eq!(login(&api, name, &api.password).await.status, 200, "{name}");
    }
    create(&api.store, "zoe\u{308}", Parameters::default(), |_| {}).await;
    assert_eq!(login(&api, "ZO\u{cb}", PASSWORD).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outdated_hash_is_renewed_by_a_login() {
    let api = Api::start().await;
    create(&api.store, "old", Parameters::new(64, 1, 1).unwrap(), |_| {}).await;
    let name = LoginName::parse("old").unwrap();
    let hash = async || api.store.credentials(&name).await.unwrap().unwrap().password_hash;
    assert!(hash().await.contains("m=64,t=1,p=1"));
    assert_eq!(login(&api, "old", "wrong").await.status, 400);
    assert!(hash().await.contains("m=64,t=1,p=1"), "a wrong password renews nothing");
    assert_eq!(login(&api, "old", PASSWORD).await.status, 200);
    assert!(hash().await.contains("m=19456,t=2,p=1"));
    assert_eq!(login(&api, "old", PASSWORD).await.status, 200);
}

/// The store holds no password, only its hash, and of a refresh token only its nonce.
#[tokio::test(flavor = "multi_thread")]
async fn every_login_is_a_session_of_its_own() {
    let api = Api::start().await;
    let (one, other) = (api.login().await, api.login().await);
    assert_ne!(one.refresh, other.refresh);
    let sid = async |access: &str| api.me(access).await.json()["sid"].as_str().unwrap().to_owned();
    assert_ne!(sid(&one.access).await, sid(&other.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn scope_is_what_was_asked_for_or_all() {
    let api = Api::start().await;
    let ask = async |scope: &str| {
        api.post("/login", &json!({"username": "demo", "password": api.password, "scope": scope})).await
    };
    assert_eq!(api.sign_in(&api.password).await.json()["scope"], "profile notes");
    assert_eq!(ask("notes").await.json()["scope"], "notes");
    assert_eq!(ask("").await.json()["scope"], "");
    for scope in ["admin", "profile admin", "a  b", "\"", "profile "] {
        let refused = ask(scope).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["error"]), (400, &json!("invalid_scope")), "{scope:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_disabled_or_below_the_floor_does_not_refresh() {
    let engine = engine().await;
    let api = Api::start_on(engine.clone(), &[]).await;
    let id = create(&api.store, "leaver", Parameters::default(), |_| {}).await;
    let token = login(&api, "leaver", PASSWORD).await.tokens().refresh;
    let set = async |attribute: &str, value: serde_json::Value| {
        crate::wire::dynamodb(
            &engine,
            "UpdateItem",
            &json!({
                "TableName": api.table, "Key": {"pk": {"S": format!("USER#{id}")}, "sk": {"S": "USER"}},
                "UpdateExpression": "SET #a = :v", "ExpressionAttributeNames": {"#a": attribute},
                "ExpressionAttributeValues": {":v": value},
            }),
        )
        .await;
    };
    set("status", json!({"S": "disabled"})).await;
    assert!(api.refresh(&token).await.is_invalid_grant());
    set("status", json!({"S": "active"})).await;
    assert_eq!(api.refresh(&token).await.status, 200);
    set("floor", json!({"N": "2"})).await;
    assert!(api.refresh(&token).await.is_invalid_grant());
    set("floor", json!({"N": "1"})).await;
    set("scope", json!({"S": ""})).await;
    set("roles", json!({"S": "clerk"})).await;
    let answer = api.refresh(&token).await;
    assert_eq!(answer.json()["scope"], "", "the scope is what the user still has");
}
