//! `POST /oauth/revoke` (RFC 7009): what a token takes with it, and that nothing else is told.

use std::time::Duration;

use auth_core::journal::Kind;
use reqwest::Method;

use crate::harness::{Answer, Api, SECOND, START, engine};
use crate::wire::{Fault, Wire};

/// The default of `MAX_STALENESS_SECONDS`, and a moment more.
const SEEN: Duration = Duration::from_millis(15_001);

const HINTS: [&str; 4] = ["", "&token_type_hint=refresh_token", "&token_type_hint=access_token", "&token_type_hint=x"];

async fn revoke(api: &Api, token: &str, more: &str) -> Answer {
    api.form("/oauth/revoke", &format!("token={token}{more}")).await
}

fn is_done(answer: &Answer) -> bool {
    answer.status == 200 && answer.text.is_empty() && answer.header("cache-control") == Some("no-store")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_takes_its_session_with_it() {
    for hint in HINTS {
        let api = Api::start().await;
        let (tokens, other) = (api.login().await, api.login().await);
        for times in 1..=2 {
            assert!(is_done(&revoke(&api, &tokens.refresh, hint).await), "{hint} {times}");
        }
        assert!(api.refresh(&tokens.refresh).await.is_invalid_grant(), "{hint}");
        assert_eq!(api.refresh(&other.refresh).await.status, 200, "{hint}");
        api.wait(SEEN);
        assert_eq!(api.me(&tokens.access).await.status, 401, "{hint}: its access token, too (RFC 7009 §2.1)");
        assert_eq!(api.me(&other.access).await.status, 200, "{hint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_goes_alone() {
    for hint in HINTS {
        let api = Api::start().await;
        let tokens = api.login().await;
        let next = api.refresh(&tokens.refresh).await.tokens();
        for times in 1..=2 {
            assert!(is_done(&revoke(&api, &tokens.access, hint).await), "{hint} {times}");
        }
        api.wait(SEEN);
        assert_eq!(api.me(&tokens.access).await.status, 401, "{hint}");
        assert_eq!(api.me(&next.access).await.status, 200, "{hint}: another of the same session");
        assert_eq!(api.refresh(&tokens.refresh).await.status, 200, "{hint}: the session goes on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_is_revoked_already_and_costs_no_call() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    let (foreign, expired) = (Api::start().await.login().await, api.login().await);
    api.wait(Duration::from_secs(630));
    let tokens = api.login().await;
    wire.calls();
    let (cut, forged) = (&tokens.refresh[..50], format!("{}A", tokens.access));
    for unknown in ["x", "csr_", "a.b.c", "%00", cut, &forged, &foreign.refresh, &foreign.access, &expired.access] {
        for hint in HINTS {
            assert!(is_done(&revoke(&api, unknown, hint).await), "{unknown:.12}{hint}");
        }
    }
    assert_eq!(wire.calls(), []);
    assert_eq!(api.refresh(&tokens.refresh).await.status, 200);
}

/// Public clients: whatever a client says of itself changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_the_proof() {
    let api = Api::start().await;
    for more in ["&client_id=default", "&client_id=other&client_secret=s", "&unknown=1"] {
        let token = api.login().await.refresh;
        let headers = [("authorization", "Basic YTpi"), ("content-type", "application/x-www-form-urlencoded")];
        let form = format!("token={token}{more}");
        assert!(is_done(&api.send(Method::POST, "/oauth/revoke", &headers, form.as_bytes()).await), "{more}");
        assert!(api.refresh(&token).await.is_invalid_grant(), "{more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_revocations_of_a_token_are_one_entry() {
    let api = Api::start().await;
    let access = api.login().await.access;
    for _ in 0..1_000 {
        assert!(is_done(&revoke(&api, &access, "").await));
        api.wait(Duration::from_millis(100));
    }
    let told = api.store.journal(0, START, None).await.unwrap().items;
    let kinds: Vec<Kind> = told.iter().map(|entry| entry.revocation.kind).collect();
    assert_eq!(kinds, [Kind::Token]);
    assert_eq!(told[0].at, START, "the first of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_a_503_and_the_same_request_is_good_again() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &[]).await;
    let tokens = api.login().await;
    for token in [&tokens.access, &tokens.refresh] {
        wire.plan("TransactWriteItems", vec![Fault::Refused("InternalServerError"); 3]);
        let fault = revoke(&api, token, "").await;
        assert_eq!((fault.status.as_u16(), fault.header("retry-after")), (503, Some("2")));
        assert!(fault.json().get("error").is_none());
        wire.clear();
        assert!(is_done(&revoke(&api, token, "").await));
    }
    assert!(api.refresh(&tokens.refresh).await.is_invalid_grant());
}

#[tokio::test(flavor = "multi_thread")]
async fn in_cookie_mode_only_allowed_pages_revoke() {
    let api = Api::start_with(&[("ALLOWED_ORIGINS", "https://app.example"), ("COOKIE_MODE", "on")]).await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let mark = ("countersign-client", "browser");
    for (origin, status) in [("https://evil.example", 403), ("https://app.example", 200)] {
        let access = api.login().await.access;
        let body = format!("token={access}");
        let answer = api.send(Method::POST, "/oauth/revoke", &[form, mark, ("origin", origin)], body.as_bytes()).await;
        assert_eq!(answer.status, status, "{origin}");
        api.wait(SEEN + SECOND);
        assert_eq!(api.me(&access).await.status, if status == 200 { 401 } else { 200 }, "{origin}");
    }
}
