//! What a revocation does to tokens that are out: within `MAX_STALENESS_SECONDS` they are good no more, and whoever was not
//! revoked is not logged out.

use std::sync::Arc;
use std::time::Duration;

use auth_core::scope::{Roles, Scope};
use auth_core::time::Clock as _;
use auth_core::user::Status;
use auth_dynamodb::change::{Change, Changed};
use reqwest::Method;

use crate::harness::{Answer, Api, SECOND, engine};
use crate::wire::{Call, Fault, Wire};

/// The default of `MAX_STALENESS_SECONDS`, and a moment more.
pub(crate) const SEEN: Duration = Duration::from_millis(15_001);

async fn change(api: &Api, access: &str, change: Change) {
    let user = api.user_of(access).await;
    let changed = api.store.change_user(&user, change, api.clock.now()).await.unwrap();
    assert!(matches!(changed, Changed::Done(_)), "{changed:?}");
}

fn is_unauthorized(answer: &Answer) -> bool {
    answer.status == 401 && answer.header("www-authenticate") == Some("Bearer error=\"invalid_token\"")
}

fn queries(calls: &[Call]) -> usize {
    calls.iter().filter(|call| call.operation == "Query").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_bound_no_token_of_an_ended_session_is_let_in_and_others_are() {
    for end in ["a logout", "an end from another session", "a replay"] {
        let api = Api::start().await;
        let (ended, other) = (api.login().await, api.login().await);
        let sid = api.me(&ended.access).await.json()["sid"].as_str().unwrap().to_owned();
        match end {
            "a logout" => assert_eq!(api.logout(&ended.refresh).await.status, 204),
            "a replay" => {
                let second = api.rotate(&ended.refresh).await;
                let third = api.rotate(&second.refresh).await;
                assert_eq!(api.me(&third.access).await.status, 200);
                assert!(api.refresh(&ended.refresh).await.is_invalid_grant());
                api.wait(SEEN);
                assert!(is_unauthorized(&api.me(&third.access).await), "the newest token, too");
                continue;
            }
            _ => {
                let bearer = format!("Bearer {}", other.access);
                let path = format!("/sessions/{sid}");
                assert_eq!(api.send(Method::DELETE, &path, &[("authorization", &bearer)], b"").await.status, 204);
            }
        }
        api.wait(SEEN);
        assert!(is_unauthorized(&api.me(&ended.access).await), "{end}");
        assert_eq!(api.me(&other.access).await.status, 200, "{end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_rights_is_seen_and_logs_nobody_out() {
    let changes = [
        ("roles", Change::Roles(Roles::parse("chief").unwrap())),
        ("scope", Change::Scope(Scope::parse("profile").unwrap())),
    ];
    for (name, to) in changes {
        let api = Api::start().await;
        let tokens = api.login().await;
        change(&api, &tokens.access, to).await;
        api.wait(SEEN);
        assert!(is_unauthorized(&api.me(&tokens.access).await), "{name}");
        let refreshed = api.refresh(&tokens.refresh).await.tokens();
        let me = api.me(&refreshed.access).await;
        assert_eq!(me.status, 200, "{name}: one 401, one refresh");
        api.wait(SEEN);
        assert_eq!(api.me(&refreshed.access).await.status, 200, "{name}: and no more");
        let user = api.user_of(&refreshed.access).await;
        assert_eq!(me.json()["roles"].as_array().map(Vec::len), Some(user.roles.iter().count()), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_disabled_or_revoked_is_out_within_the_bound() {
    for how in ["disabled", "all sessions", "password", "deleted"] {
        let api = Api::start().await;
        let tokens = api.login().await;
        let user = api.user_of(&tokens.access).await;
        let now = api.clock.now();
        match how {
            "disabled" => drop(api.store.change_user(&user, Change::Status(Status::Disabled), now).await.unwrap()),
            "all sessions" => drop(api.store.end_all_sessions(&user, now).await.unwrap()),
            "password" => drop(api.store.set_password(&user, "hash", now).await.unwrap()),
            _ => drop(api.store.delete_user(&user, now).await.unwrap()),
        }
        assert!(api.refresh(&tokens.refresh).await.is_invalid_grant(), "{how}");
        api.wait(SEEN);
        assert!(is_unauthorized(&api.me(&tokens.access).await), "{how}");
    }
}

/// A thousand authorizations in ten seconds, of one instance.
#[tokio::test(flavor = "multi_thread")]
async fn the_journal_is_queried_once_in_a_while_whatever_the_rate() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    let access = api.login().await.access;
    assert_eq!(api.me(&access).await.status, 200);
    wire.calls();
    for _ in 0..1_000 {
        assert_eq!(api.me(&access).await.status, 200);
        api.wait(Duration::from_millis(10));
    }
    let calls = wire.calls();
    assert_eq!(calls.len(), queries(&calls), "nothing but the journal is read");
    assert!((4..=5).contains(&calls.len()), "{} queries in 10 s", calls.len());
    assert!(calls.iter().all(|call| call.units <= 1.0), "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_callers_at_the_same_moment_one_reads_the_journal() {
    let wire = Wire::to(engine().await).await;
    let api = Arc::new(Api::start_on(wire.endpoint.clone(), &[]).await);
    let access = api.login().await.access;
    assert_eq!(api.me(&access).await.status, 200);
    api.wait(SEEN);
    wire.calls();
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let (api, access) = (Arc::clone(&api), access.clone());
            tokio::spawn(async move { api.me(&access).await.status })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), 200);
    }
    assert_eq!(wire.operations(), ["Query"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_journal_cannot_be_read_the_door_is_closed_or_open_as_configured() {
    for (failure, after) in [("closed", 503), ("open", 200)] {
        let wire = Wire::to(engine().await).await;
        let api = Api::start_on(wire.endpoint.clone(), &[("REVOCATION_FAILURE", failure)]).await;
        let access = api.login().await.access;
        assert_eq!(api.me(&access).await.status, 200, "{failure}");
        wire.plan("Query", vec![Fault::Refused("InternalServerError"); 1_000]);
        api.wait(15 * SECOND);
        assert_eq!(api.me(&access).await.status, 200, "{failure}: what is known is young enough");
        api.wait(SECOND);
        let answer = api.me(&access).await;
        assert_eq!(answer.status, after, "{failure}");
        assert_eq!(answer.header("retry-after").is_some(), after == 503, "{failure}");
        assert!(is_unauthorized(&api.me("forged").await), "{failure}: what is no token needs no journal");
        wire.clear();
        assert_eq!(api.me(&access).await.status, 200, "{failure}: it is back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn switched_off_it_calls_nothing() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[("REVOCATION", "off")]).await;
    let tokens = api.login().await;
    assert_eq!(api.logout(&tokens.refresh).await.status, 204);
    wire.calls();
    for _ in 0..3 {
        api.wait(SEEN);
        assert_eq!(api.me(&tokens.access).await.status, 200, "until it expires");
    }
    assert_eq!(wire.calls(), []);
}
