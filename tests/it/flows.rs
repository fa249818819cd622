//! Refreshing, over HTTP: the histories that broke earlier drafts of the rotation, and what honest clients live through.
//!
//! `T1`, `T2` … are refresh tokens in the order of their generations.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Api, RESTED, SECOND, Tokens, WEEK, engine};
use crate::wire::{Fault, Wire, dynamodb};

/// Both ends of the window's range that the histories are lived through with.
const WINDOWS: [&str; 2] = ["0", "10"];

async fn api_with_window(window: &str) -> Api {
    Api::start_with(&[("REFRESH_WINDOW_SECONDS", window)]).await
}

/// (a) T1 is sent, abandoned and sent again: T2. T2 is used at once. Then the first T1 arrives.
#[tokio::test(flavor = "multi_thread")]
async fn history_a_an_abandoned_request_arrives_late() {
    for window in WINDOWS {
        let api = api_with_window(window).await;
        let t1 = api.login().await.refresh;
        let t2 = api.rotate(&t1).await.refresh;
        assert_eq!(api.refresh(&t2).await.tokens().refresh, t2, "window {window}: a young token rests");
        for late in [0, 1, 8] {
            api.wait(late * SECOND);
            assert_eq!(api.refresh(&t1).await.status, 200, "window {window}, {late} s later");
        }
        let t3 = api.rotate(&t2).await.refresh;
        api.rotate(&t3).await;
    }
}

/// (b) T1 gives T2, whose answer is lost. T1 is sent twice and answered once; the other arrives after the window. T2 is used.
#[tokio::test(flavor = "multi_thread")]
async fn history_b_a_doubled_retry_outlives_the_window() {
    for window in WINDOWS {
        let api = api_with_window(window).await;
        let t1 = api.login().await.refresh;
        api.rotate(&t1).await;
        api.wait(3 * SECOND);
        let held = api.refresh(&t1).await.tokens().refresh;
        api.wait(10 * SECOND);
        assert_eq!(api.refresh(&t1).await.status, 200, "window {window}");
        let next = api.rotate(&held).await.refresh;
        api.rotate(&next).await;
    }
}

/// (c) T1 is sent twice at the same moment; answers come in either order, or only one of them.
#[tokio::test(flavor = "multi_thread")]
async fn history_c_two_requests_at_the_same_moment() {
    for window in WINDOWS {
        let api = api_with_window(window).await;
        let t1 = api.login().await.refresh;
        for keep_first in [true, false] {
            api.wait(RESTED);
            let (one, other) = tokio::join!(api.refresh(&t1), api.refresh(&t1));
            let kept = if keep_first { one } else { other }.tokens();
            assert_eq!(api.me(&kept.access).await.status, 200, "window {window}, first kept: {keep_first}");
            if !keep_first {
                let next = api.rotate(&kept.refresh).await.refresh;
                api.rotate(&next).await;
            }
        }
    }
}

/// (d) The answer is lost, and the client comes back after a second, or a week, with nothing but T1.
#[tokio::test(flavor = "multi_thread")]
async fn history_d_offline_after_a_lost_answer() {
    for window in WINDOWS {
        for offline in [SECOND, WEEK] {
            let api = api_with_window(window).await;
            let t1 = api.login().await.refresh;
            api.rotate(&t1).await;
            api.wait(offline);
            let tokens = api.refresh(&t1).await.tokens();
            assert_eq!(api.me(&tokens.access).await.status, 200, "window {window}, {offline:?}");
            let next = api.rotate(&tokens.refresh).await.refresh;
            api.rotate(&next).await;
        }
    }
}

/// (e) A thief copies T1 and refreshes first. The owner's second refresh at the latest finds him out.
#[tokio::test(flavor = "multi_thread")]
async fn history_e_the_thief_goes_first() {
    let api = Api::start().await;
    let t1 = api.login().await.refresh;
    let stolen = api.rotate(&t1).await.refresh;
    api.wait(11 * SECOND);
    let owners = api.refresh(&t1).await.tokens().refresh; // forks: for all we know, an honest retry
    let owners = api.rotate(&owners).await.refresh;
    assert!(api.refresh(&stolen).await.is_invalid_grant(), "the thief's child died of the owner's use");
    assert!(api.refresh(&owners).await.is_invalid_grant(), "and his replay ended the session");
}

#[tokio::test(flavor = "multi_thread")]
async fn history_e_the_owner_goes_first() {
    let api = Api::start().await;
    let t1 = api.login().await.refresh;
    let owners = api.rotate(&t1).await.refresh;
    api.wait(11 * SECOND);
    let stolen = api.refresh(&t1).await.tokens().refresh; // forks
    let owners = api.rotate(&owners).await.refresh; // the owner's second refresh
    assert!(api.refresh(&stolen).await.is_invalid_grant());
    assert!(api.refresh(&owners).await.is_invalid_grant(), "the session has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn history_e_the_thief_forks_and_waits() {
    let api = Api::start().await;
    let t1 = api.login().await.refresh;
    let owners = api.rotate(&t1).await.refresh;
    api.wait(11 * SECOND);
    let stolen = api.refresh(&t1).await.tokens().refresh;
    let owners = api.rotate(&owners).await.refresh;
    let owners = api.rotate(&owners).await.refresh;
    api.wait(WEEK);
    assert!(api.refresh(&stolen).await.is_invalid_grant());
    assert!(api.refresh(&owners).await.is_invalid_grant());
}

/// Inside the window a thief can keep in step, and `window` = 0 takes that away: an exception that the design names.
#[tokio::test(flavor = "multi_thread")]
async fn history_e_the_thief_in_step() {
    for (window, succeeds) in [("10", true), ("0", false)] {
        let api = api_with_window(window).await;
        let mut owners = api.login().await.refresh;
        let mut stolen = owners.clone();
        let mut answered = 0;
        for _ in 0..4 {
            api.wait(RESTED);
            let (owner, thief) = (api.refresh(&owners).await, api.refresh(&stolen).await);
            if owner.status != 200 || thief.status != 200 {
                break;
            }
            answered += 1;
            (owners, stolen) = (owner.tokens().refresh, thief.tokens().refresh);
        }
        assert_eq!(answered == 4, succeeds, "window {window}: answered {answered} times");
        assert!(succeeds || answered <= 1, "window {window}: answered {answered} times");
    }
}

/// (f) The table is restored from a backup: the client's token is ahead of it.
#[tokio::test(flavor = "multi_thread")]
async fn history_f_a_restored_table() {
    let engine = engine().await;
    let api = Api::start_on(engine.clone(), &[]).await;
    let mut token = api.login().await.refresh;
    token = api.rotate(&token).await.refresh;
    let backup = scan(&engine, &api.table).await;
    for _ in 0..3 {
        token = api.rotate(&token).await.refresh;
    }
    for item in backup {
        dynamodb(&engine, "PutItem", &json!({"TableName": api.table, "Item": item})).await;
    }
    for _ in 0..3 {
        token = api.rotate(&token).await.refresh;
    }
}

async fn scan(engine: &str, table: &str) -> Vec<Value> {
    dynamodb(engine, "Scan", &json!({"TableName": table})).await["Items"].as_array().unwrap().clone()
}

/// Two hundred requests with one rested token rotate it once, and every caller gets the same working token.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_refreshes_at_the_same_moment() {
    let api = Api::start().await;
    let t1 = api.login().await.refresh;
    api.wait(RESTED);
    let requests = (0..200).map(|_| api.refresh(&t1));
    let answers: HashSet<String> = join_all(requests).await.iter().map(|answer| answer.tokens().refresh).collect();
    assert_eq!(answers.len(), 1, "every caller has the same token");
    let t2 = answers.into_iter().next().unwrap();
    let t3 = api.rotate(&t2).await;
    assert_eq!(api.me(&t3.access).await.status, 200);
}

pub(crate) async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (future, output) in futures.iter_mut().filter(|(_, output)| output.is_none()) {
            match future.as_mut().poll(context) {
                std::task::Poll::Ready(value) => *output = Some(value),
                std::task::Poll::Pending => pending = true,
            }
        }
        if pending { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    futures.into_iter().map(|(_, output)| output.unwrap()).collect()
}

/// The store did the write and its answer was lost: the SDK repeats it, and the repetition recognises its own work.
#[tokio::test(flavor = "multi_thread")]
async fn the_sdks_own_retry_is_no_replay() {
    for window in WINDOWS {
        let wire = Wire::to(engine().await).await;
        let api = Api::start_on(wire.endpoint.clone(), &[("REFRESH_WINDOW_SECONDS", window)]).await;
        let mut token = api.login().await.refresh;
        for _ in 0..3 {
            wire.plan("UpdateItem", [Fault::LostAnswer]);
            wire.calls();
            token = api.rotate(&token).await.refresh;
            assert_eq!(wire.operations(), ["GetItem", "UpdateItem", "UpdateItem"], "window {window}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_hands_the_same_token_out_again() {
    let api = Api::start().await;
    let first = api.login().await;
    api.wait(Duration::from_secs(89));
    let second = api.refresh(&first.refresh).await.tokens();
    assert_eq!(second.refresh, first.refresh);
    assert_ne!(second.access, first.access);
    api.wait(SECOND);
    assert_ne!(api.refresh(&first.refresh).await.tokens().refresh, first.refresh);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_and_absolute_expiry_end_a_session() {
    let day = Duration::from_hours(24);
    let api = Api::start().await;
    let token = api.login().await.refresh;
    api.wait(30 * day);
    assert!(api.refresh(&token).await.is_invalid_grant(), "idle for thirty days");

    let mut token = api.login().await.refresh;
    for _ in 0..8 {
        api.wait(20 * day);
        token = api.refresh(&token).await.tokens().refresh;
    }
    api.wait(19 * day + Duration::from_mins(24 * 60 - 5));
    let last = api.refresh(&token).await;
    assert_eq!(last.json()["expires_in"], 300, "no access token outlives its session");
    api.wait(Duration::from_mins(5));
    assert!(api.refresh(&last.tokens().refresh).await.is_invalid_grant(), "180 days, however busy");
}

#[tokio::test(flavor = "multi_thread")]
async fn scope_narrows_and_never_widens() {
    let api = Api::start().await;
    let login = json!({"username": "demo", "password": api.password, "scope": "profile"});
    let token = api.post("/login", &login).await.tokens().refresh;
    let wider = api.post("/refresh", &json!({"refresh_token": token, "scope": "profile notes"})).await;
    assert_eq!((wider.status.as_u16(), wider.json()["error"].as_str()), (400, Some("invalid_scope")));

    let whole = api.login().await.refresh;
    let narrow = api.post("/refresh", &json!({"refresh_token": whole, "scope": "notes"})).await;
    assert_eq!(narrow.json()["scope"], "notes");
    assert_eq!(api.me(&narrow.tokens().access).await.status, 403, "it really is narrow");
    let again = api.refresh(&whole).await;
    assert_eq!(again.json()["scope"], "profile notes", "the refresh token keeps what was granted");
}

/// The token endpoint, as OAuth clients call it (RFC 6749 §6).
#[tokio::test(flavor = "multi_thread")]
async fn the_token_endpoint_takes_forms() {
    let api = Api::start().await;
    let token = api.login().await.refresh;
    let answer = api.form("/oauth/token", &format!("grant_type=refresh_token&refresh_token={token}")).await;
    assert_eq!(answer.json()["token_type"], "Bearer");
    assert_eq!(answer.json()["expires_in"], 600);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let form = |client: &str| format!("grant_type=refresh_token&refresh_token={token}&client_id={client}");
    assert_eq!(api.form("/oauth/token", &form("default")).await.status, 200);
    assert!(api.form("/oauth/token", &form("other")).await.is_invalid_grant());
    let other = api.form("/oauth/token", "grant_type=password&username=a&password=b").await;
    assert_eq!((other.status.as_u16(), other.json()["error"].as_str()), (400, Some("unsupported_grant_type")));
}

/// A key that is dropped makes its tokens unknown; nothing is ended, nothing is written. An access token is no refresh token.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_and_forged_tokens_cost_no_call() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    let other = Api::start().await;
    let Tokens { access, refresh: token } = api.login().await;
    let foreign = other.login().await.refresh;
    let mut flipped = token.clone().into_bytes();
    let last = flipped.len() - 2;
    flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
    wire.calls();
    for forged in [foreign.as_str(), &token[..50], "csr_", &access, &String::from_utf8(flipped).unwrap()] {
        assert!(api.refresh(forged).await.is_invalid_grant(), "{forged}");
        let form = format!("grant_type=refresh_token&refresh_token={forged}");
        assert!(api.form("/oauth/token", &form).await.is_invalid_grant(), "{forged}");
    }
    assert!(api.refresh("").await.is_invalid_grant());
    assert_eq!(wire.calls(), [], "no call");
    assert_eq!(api.refresh(&token).await.status, 200, "and the session lives");
}
