//! Signing out: the session ends, and whoever asks again gets the same answer.

use std::time::Duration;

use auth_core::id::{SessionId, UserId};
use auth_core::session::EndCause;
use serde_json::json;

use crate::harness::{Api, RESTED, SECOND};

/// The session of an access token that is still good.
async fn session_of(api: &Api, access: &str) -> (UserId, SessionId) {
    let me = api.me(access).await.json();
    let (sub, sid) = (UserId::parse(me["sub"].as_str().unwrap()), SessionId::parse(me["sid"].as_str().unwrap()));
    (sub.unwrap(), sid.unwrap())
}

/// What ended a session, by the table.
async fn cause(api: &Api, (sub, sid): (UserId, SessionId)) -> Option<EndCause> {
    let session = api.store.session(sub, sid).await.unwrap().unwrap();
    session.ended.map(|end| end.cause)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_signed_out_is_over() {
    let api = Api::start().await;
    let (tokens, other) = (api.login().await, api.login().await);
    let answer = api.logout(&tokens.refresh).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    assert_eq!((answer.header("cache-control"), answer.header("content-type")), (Some("no-store"), None));
    for later in [SECOND, RESTED] {
        api.wait(later);
        assert!(api.refresh(&tokens.refresh).await.is_invalid_grant(), "{later:?} later");
    }
    assert_eq!(api.refresh(&other.refresh).await.status, 200, "the other session lives");
    assert_eq!(api.logout(&tokens.refresh).await.status, 204, "as good as the first time");
}

/// Whoever holds a genuine token may end its session, whatever its generation: no alarm, no verdict.
#[tokio::test(flavor = "multi_thread")]
async fn every_genuine_token_of_a_session_ends_it() {
    for old in 0..3 {
        let api = Api::start().await;
        let first = api.login().await;
        let second = api.rotate(&first.refresh).await;
        let third = api.rotate(&second.refresh).await;
        api.wait(RESTED);
        let newest = third.clone();
        let session = session_of(&api, &newest.access).await;
        assert_eq!(cause(&api, session).await, None);
        assert_eq!(api.logout(&[first, second, third][old].refresh).await.status, 204, "generation {old}");
        assert!(api.refresh(&newest.refresh).await.is_invalid_grant(), "generation {old}");
        assert_eq!(cause(&api, session).await, Some(EndCause::Logout), "generation {old}");
    }
}

/// A client that signs out with a token that is good no more has what it wants (RFC 7009 §2.2).
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_good_no_more_is_a_204() {
    let api = Api::start().await;
    let foreign = Api::start().await.login().await.refresh;
    let token = api.login().await.refresh;
    for unknown in ["", "csr_", "no token at all", &token[..50], &foreign] {
        assert_eq!(api.logout(unknown).await.status, 204, "{unknown:.10}");
    }
    assert_eq!(api.refresh(&token).await.status, 200, "nobody's session ended");
    api.wait(Duration::from_hours(31 * 24));
    assert_eq!(api.logout(&token).await.status, 204, "expired");
    let unknown_members = json!({"refresh_token": token, "unknown": {"deep": [1]}});
    assert_eq!(api.post("/logout", &unknown_members).await.status, 204);
}

/// A replay ends the session, and its owner's logout afterwards leaves the cause as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_hides_no_replay() {
    let api = Api::start().await;
    let first = api.login().await.refresh;
    let second = api.rotate(&first).await.refresh;
    let third = api.rotate(&second).await;
    let session = session_of(&api, &third.access).await;
    api.wait(RESTED);
    assert!(api.refresh(&first).await.is_invalid_grant());
    assert_eq!(api.logout(&third.refresh).await.status, 204);
    assert_eq!(cause(&api, session).await, Some(EndCause::Replay));
}
