//! Signing out: the session ends, all do or all others, and whoever asks again gets the same answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::id::{SessionId, UserId};
use auth_core::rotation::{Write, Written};
use auth_core::scope::Roles;
use auth_core::session::{EndCause, Session};
use auth_core::time::{Clock, SystemClock, UnixTime};
use auth_core::user::User;
use auth_dynamodb::change::{Change, Changed, Others};
use auth_dynamodb::error::StoreError;
use auth_dynamodb::store::Store;
use auth_http::function::invoke;
use refresh::table::Table;
use reqwest::Method;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::harness::{Answer, Api, RESTED, SECOND, START, Tokens, engine};
use crate::wire::Wire;

/// The default of `MAX_STALENESS_SECONDS`, and a moment more.
const SEEN: Duration = Duration::from_millis(15_001);

/// `POST /logout`, with an access token.
async fn by_access_token(api: &Api, access: &str, body: &Value) -> Answer {
    let headers = [("authorization", &*format!("Bearer {access}")), ("content-type", "application/json")];
    api.send(Method::POST, "/logout", &headers, body.to_string().as_bytes()).await
}

async fn by_refresh_token(api: &Api, refresh: &str, sessions: &str) -> Answer {
    api.post("/logout", &json!({"refresh_token": refresh, "sessions": sessions})).await
}

fn is_invalid_token(answer: &Answer) -> bool {
    answer.status == 401 && answer.header("www-authenticate") == Some("Bearer error=\"invalid_token\"")
}

/// Whether a session goes on.
async fn lives(api: &Api, tokens: &Tokens) -> bool {
    let answer = api.refresh(&tokens.refresh).await;
    assert!(answer.status == 200 || answer.is_invalid_grant(), "{answer:?}");
    answer.status == 200
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
        let session = api.session_of(&newest.access).await;
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
    let session = api.session_of(&third.access).await;
    api.wait(RESTED);
    assert!(api.refresh(&first).await.is_invalid_grant());
    assert_eq!(api.logout(&third.refresh).await.status, 204);
    assert_eq!(cause(&api, session).await, Some(EndCause::Replay));
}

#[tokio::test(flavor = "multi_thread")]
async fn this_session_all_or_all_others_end() {
    // Whether the session of the token goes on, and whether the others do.
    let cases =
        [(None, false, true), (Some("this"), false, true), (Some("all"), false, false), (Some("others"), true, false)];
    for (sessions, this, other) in cases {
        for by in ["refresh token", "access token", "both"] {
            let name = format!("{sessions:?} by {by}");
            let api = Api::start().await;
            let (own, others) = (api.login().await, [api.login().await, api.login().await]);
            let answer = match by {
                "refresh token" => {
                    api.post("/logout", &json!({"refresh_token": own.refresh, "sessions": sessions})).await
                }
                "access token" => by_access_token(&api, &own.access, &json!({"sessions": sessions})).await,
                // The access token is another session's: the refresh token decides.
                _ => {
                    let body = json!({"refresh_token": own.refresh, "sessions": sessions});
                    by_access_token(&api, &others[0].access, &body).await
                }
            };
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{name}");
            assert_eq!(lives(&api, &own).await, this, "{name}");
            for tokens in &others {
                assert_eq!(lives(&api, tokens).await, other, "{name}");
            }
            assert!(lives(&api, &api.login().await).await, "{name}: who signs in anew");
            api.wait(SEEN);
            for tokens in &others {
                assert_eq!(api.me(&tokens.access).await.status, if other { 200 } else { 401 }, "{name}");
            }
            assert_eq!(api.me(&own.access).await.status, 401, "{name}: an earlier access token");
            if this {
                let next = api.refresh(&own.refresh).await.tokens();
                assert_eq!(api.me(&next.access).await.status, 200, "{name}");
                api.wait(SEEN);
                assert_eq!(api.me(&next.access).await.status, 200, "{name}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_sessions_end_it_is_one_transaction() {
    let wire = Wire::to(engine().await).await;
    let cases = [
        ("all", "refresh token", &["GetItem", "GetItem", "TransactWriteItems"][..]),
        ("others", "refresh token", &["GetItem", "GetItem", "TransactWriteItems"]),
        ("others", "access token", &["GetItem", "GetItem", "GetItem", "TransactWriteItems"]),
    ];
    for (sessions, by, calls) in cases {
        let api = Api::start_on(wire.endpoint.clone(), &[]).await;
        let mut tokens = Vec::new();
        for _ in 0..10 {
            tokens.push(api.login().await);
        }
        wire.calls();
        let answer = match by {
            "refresh token" => by_refresh_token(&api, &tokens[3].refresh, sessions).await,
            _ => by_access_token(&api, &tokens[3].access, &json!({"sessions": sessions})).await,
        };
        assert_eq!(answer.status, 204, "{sessions}");
        assert_eq!(wire.operations(), calls, "{sessions}");
        for (n, tokens) in tokens.iter().enumerate() {
            assert_eq!(lives(&api, tokens).await, sessions == "others" && n == 3, "{sessions}: {n}");
        }
        let told = api.store.journal(0, START, None).await.unwrap().items;
        assert_eq!(told.len(), 1, "{sessions}: {told:?}");
    }
}

/// A token that no refresh would take ends its own session at the most.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_refresh_token_ends_no_other_session() {
    let day = Duration::from_hours(24);
    for sessions in ["all", "others"] {
        for how in ["replaced", "signed out", "expired", "below the floor", "forged"] {
            let name = format!("{sessions} by a token that is {how}");
            let api = Api::start().await;
            let first = api.login().await;
            let (mut own, mut cause_of_own) = (None, None);
            match how {
                "replaced" => {
                    let second = api.rotate(&first.refresh).await;
                    let third = api.rotate(&second.refresh).await;
                    own = Some(api.session_of(&third.access).await);
                    cause_of_own = Some(if sessions == "all" { EndCause::Logout } else { EndCause::Replay });
                }
                "signed out" => assert_eq!(api.logout(&first.refresh).await.status, 204),
                "expired" => api.wait(31 * day),
                "below the floor" => {
                    assert_eq!(by_refresh_token(&api, &api.login().await.refresh, "all").await.status, 204);
                }
                _ => {}
            }
            let other = api.login().await;
            let other_end = if first.refresh.ends_with('A') { 'Q' } else { 'A' };
            let token = if how == "forged" { format!("{}{other_end}", &first.refresh[..118]) } else { first.refresh };
            assert_eq!(by_refresh_token(&api, &token, sessions).await.status, 204, "{name}");
            assert!(lives(&api, &other).await, "{name}");
            if let Some(own) = own {
                assert_eq!(cause(&api, own).await, cause_of_own, "{name}");
            }
        }
        // The token used last is one that a refresh would take: its successor may have been lost.
        let api = Api::start().await;
        let (first, other) = (api.login().await, api.login().await);
        let second = api.rotate(&first.refresh).await;
        api.wait(RESTED);
        assert_eq!(by_refresh_token(&api, &first.refresh, sessions).await.status, 204);
        assert!(!lives(&api, &other).await, "{sessions}");
        assert_eq!(lives(&api, &second).await, sessions == "others");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_that_is_not_good_is_a_401_and_ends_nothing() {
    for how in ["forged", "expired", "signed out", "revoked", "of before a change"] {
        let api = Api::start().await;
        let (first, other) = (api.login().await, api.login().await);
        let (user_id, _) = api.session_of(&first.access).await;
        let mut access = first.access.clone();
        match how {
            "forged" => access.push('A'),
            "expired" => api.wait(Duration::from_secs(630)),
            "signed out" => assert_eq!(api.logout(&first.refresh).await.status, 204),
            "revoked" => assert_eq!(api.form("/oauth/revoke", &format!("token={access}")).await.status, 200),
            _ => {
                let user = api.store.user(user_id).await.unwrap().unwrap();
                let change = Change::Roles(Roles::parse("chief").unwrap());
                let changed = api.store.change_user(&user, change, api.clock.now()).await.unwrap();
                assert!(matches!(changed, Changed::Done(_)));
            }
        }
        for sessions in ["all", "others"] {
            let answer = by_access_token(&api, &access, &json!({"sessions": sessions})).await;
            assert!(is_invalid_token(&answer), "{sessions}, {how}: {answer:?}");
        }
        assert!(lives(&api, &other).await, "{how}");
        let this = by_access_token(&api, &access, &json!({})).await;
        assert_eq!(is_invalid_token(&this), matches!(how, "forged" | "expired"), "{how}: {this:?}");
        let beside = json!({"refresh_token": other.refresh});
        assert_eq!(by_access_token(&api, &access, &beside).await.status, 204, "{how}: beside a refresh token");
        assert!(!lives(&api, &other).await, "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forged_costs_no_call_and_a_body_is_not_needed_beside_an_access_token() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    let tokens = api.login().await;
    wire.calls();
    for sessions in ["this", "all", "others"] {
        assert_eq!(by_refresh_token(&api, "csr_forged", sessions).await.status, 204, "{sessions}");
        let forged = format!("{}A", tokens.access);
        assert!(is_invalid_token(&by_access_token(&api, &forged, &json!({"sessions": sessions})).await), "{sessions}");
    }
    for field in ["", "Bearer", "Basic YTpi", &format!("Bearer {0},{0}", tokens.access)] {
        assert!(
            is_invalid_token(&api.send(Method::POST, "/logout", &[("authorization", field)], b"").await),
            "{field:.8}"
        );
    }
    assert_eq!(wire.calls(), []);
    let bearer = format!("bearer {}", tokens.access);
    assert_eq!(api.send(Method::POST, "/logout", &[("authorization", &bearer)], b"").await.status, 204);
    assert_eq!(wire.operations(), ["TransactWriteItems"]);
    assert!(!lives(&api, &tokens).await);
}

/// Whoever was changed meanwhile is read and judged again: of many at the same moment one is the last.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_sign_the_others_out_at_the_same_moment_one_stays() {
    let api = Arc::new(Api::start().await);
    let mut tokens = Vec::new();
    for _ in 0..6 {
        tokens.push(api.login().await);
    }
    let asked: Vec<_> = tokens
        .iter()
        .map(|tokens| {
            let (api, refresh) = (Arc::clone(&api), tokens.refresh.clone());
            tokio::spawn(async move { by_refresh_token(&api, &refresh, "others").await.status.as_u16() })
        })
        .collect();
    for answer in asked {
        assert!(matches!(answer.await.unwrap(), 204 | 503));
    }
    let mut living = 0;
    for tokens in &tokens {
        living += usize::from(lives(&api, tokens).await);
    }
    assert_eq!(living, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_cookie_mode_the_cookie_says_whose_and_others_leaves_it() {
    let app = "https://app.example";
    let api = Api::start_with(&[("ALLOWED_ORIGINS", app), ("COOKIE_MODE", "on")]).await;
    let browser = Browser::new(&api);
    browser.login().await;
    let other = api.login().await;
    for body in [r#"{"sessions":"some"}"#, r#"{"sessions":1}"#] {
        assert_eq!(browser.post("/logout", body).await.json()["error"], "invalid_request", "{body}");
    }
    let others = browser.post("/logout", r#"{"sessions":"others"}"#).await;
    assert_eq!((others.status.as_u16(), others.header("set-cookie")), (204, None));
    assert!(!lives(&api, &other).await);
    let refreshed = browser.post("/refresh", "").await;
    assert_eq!(refreshed.status, 200, "the browser is signed in as before");

    let other = api.login().await;
    let all = browser.post("/logout", r#"{"sessions":"all"}"#).await;
    assert_eq!((all.status.as_u16(), all.headers.get_all("set-cookie").iter().count()), (204, 2));
    assert!(!lives(&api, &other).await);

    // Without a cookie, the page's access token says whose.
    let other = api.login().await;
    let bearer = format!("Bearer {}", other.access);
    let page = [("origin", app), ("countersign-client", "browser"), ("authorization", &bearer)];
    assert_eq!(api.send(Method::POST, "/logout", &page, b"").await.status, 204);
    assert!(!lives(&api, &other).await);
    let evil = [("origin", "https://evil.example"), ("authorization", &bearer)];
    assert_eq!(api.send(Method::POST, "/logout", &evil, b"").await.status, 403);
}

/// What a function finds in its environment, with the keys of a stack.
fn variable(api: &Api, name: &str) -> Option<String> {
    let key = |name: &str| (name == "SIGNING_KEY").then(|| api.signing_key.clone());
    Some(match name {
        "ISSUER" => api.url.clone(),
        "AUDIENCE" => "local-api".to_owned(),
        "SIGNING_KEY" => api.signing_key.clone(),
        "REFRESH_KEYS" => api.refresh_keys.clone(),
        "JWKS" => json!({"keys": [Variables::new(&key).signing_key().unwrap().jwk()]}).to_string(),
        _ => return None,
    })
}

/// A request to a function itself, which the gateway received at some instant.
fn event(path: &str, body: &Value, received_at: UnixTime) -> Value {
    json!({
        "resource": path, "httpMethod": "POST", "headers": {"content-type": "application/json"},
        "body": body.to_string(), "requestContext": {"requestTimeEpoch": received_at.millis()},
    })
}

/// Its sender has given it up, and may have signed in anew since.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_too_late_ends_nothing_but_its_own_session() {
    let api = Api::start().await;
    let (own, other) = (api.login().await, api.login().await);
    let config = revoke::config::Config::from_variables(&Variables::new(&|name| variable(&api, name))).unwrap();
    let clock: Arc<dyn Clock> = Arc::clone(&api.clock) as _;
    let app = revoke::App::new(config, api.store.clone(), clock);
    for sessions in ["others", "all"] {
        let body = json!({"refresh_token": own.refresh, "sessions": sessions});
        for (age, status) in [(10_001, 503), (10_000, 204)] {
            let received_at = api.clock.now().before(Duration::from_millis(age));
            let answer =
                serde_json::to_value(invoke(&app, &event("/logout", &body, received_at), &SystemClock).await).unwrap();
            assert_eq!(answer["statusCode"], status, "{sessions}, {age} ms old");
            let alive = if sessions == "others" { &other } else { &own };
            assert_eq!(lives(&api, alive).await, status == 503, "{sessions}, {age} ms old");
        }
    }
}

/// A table in which all other sessions end between a refresh's write and its read of the user.
struct EndedBetween {
    store: Store,
    keep: Option<SessionId>,
    now: UnixTime,
    ended: AtomicBool,
}

impl Table for EndedBetween {
    async fn write_session(
        &self,
        user_id: UserId,
        id: SessionId,
        write: &Write,
        at: UnixTime,
    ) -> Result<Written, StoreError> {
        let written = self.store.write_session(user_id, id, write, at).await?;
        if !self.ended.load(Ordering::SeqCst) {
            let user = self.store.user(user_id).await?.unwrap();
            let others = match self.keep {
                Some(keep) => self.store.end_other_sessions(&user, keep, self.now).await?,
                None => Others::Changed(self.store.end_all_sessions(&user, self.now).await?),
            };
            assert!(matches!(others, Others::Changed(Changed::Done(_))), "{others:?}");
            self.ended.store(true, Ordering::SeqCst);
        }
        Ok(written)
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        while !self.ended.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        self.store.user(id).await
    }

    async fn session(&self, user_id: UserId, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.store.session(user_id, id).await
    }
}

/// Nobody is logged out because a refresh saw the session of before and the user of afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn the_session_that_stays_may_refresh_at_that_very_moment() {
    for (how, status) in [("this one stays", 200), ("another stays", 400), ("none stays", 400)] {
        let api = Api::start().await;
        let (own, other) = (api.login().await, api.login().await);
        let keep = match how {
            "this one stays" => Some(api.session_of(&own.access).await.1),
            "another stays" => Some(api.session_of(&other.access).await.1),
            _ => None,
        };
        api.wait(RESTED);
        let now = api.clock.now();
        let table = EndedBetween { store: api.store.clone(), keep, now, ended: AtomicBool::new(false) };
        let config = refresh::config::Config::from_variables(&Variables::new(&|name| variable(&api, name))).unwrap();
        let clock: Arc<dyn Clock> = Arc::clone(&api.clock) as _;
        let app = refresh::App::new(config, table, clock, Arc::new(OsEntropy));
        let body = json!({"refresh_token": own.refresh});
        let answer = serde_json::to_value(invoke(&app, &event("/refresh", &body, now), &SystemClock).await).unwrap();
        assert_eq!(answer["statusCode"], status, "{how}");
    }
}
