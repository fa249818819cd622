//! What the log must not say, at its most talkative.

use std::sync::{LazyLock, Once};

use auth_log::settings::Settings;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use local::surface::{Attachment, Surface};
use reqwest::Method;
use serde_json::json;
use tracing::Level;

use crate::browser::Browser;
use crate::emf::points;
use crate::harness::{Api, HANDSHAKE, RESTED, Tokens, engine};
use crate::listening::Heard;

static HEARD: LazyLock<Heard> = LazyLock::new(Heard::default);

/// Keeps the log of all tests, at `TRACE`.
pub(crate) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let settings = Settings { level: Level::TRACE, deployment: Some("tests".to_owned()), ..Settings::new("tests") };
        tracing::subscriber::set_global_default(auth_log::subscriber(settings, || HEARD.clone())).unwrap();
    });
}

/// What all tests have said so far, but for those that listen by themselves.
pub(crate) fn all() -> String {
    String::from_utf8(HEARD.0.lock().unwrap().clone()).unwrap()
}

/// A token in a URL, let in and refused; a session that is displaced.
async fn websocket() -> Tokens {
    let variables = [("WEBSOCKET_TOKEN_PARAMETER", "access_token"), ("SESSIONS_PER_USER", "1")];
    let api = Api::start_behind(Attachment::new(Surface::WebSocket), None, engine().await, &variables).await;
    api.login().await;
    api.wait(RESTED);
    let tokens = api.login().await;
    for token in [tokens.access.clone(), format!("{}x", tokens.access)] {
        api.send(Method::GET, &format!("/?access_token={token}"), &HANDSHAKE, b"").await;
    }
    let narrow = json!({"username": "demo", "password": api.password, "scope": "notes"});
    let narrow = api.post("/login", &narrow).await.tokens();
    assert_eq!(api.me(&narrow.access).await.status, 403);
    tokens
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_reaches_the_log() {
    let api = Api::start().await;
    let wrong = "a wrong password, typed by mistake";
    api.sign_in(wrong).await;
    let first = api.login().await;
    api.me(&first.access).await;
    api.get("/sessions", &format!("Bearer {}", first.access)).await;
    let in_query = websocket().await;
    let second = api.rotate(&first.refresh).await;
    let third = api.rotate(&second.refresh).await;
    api.wait(RESTED);
    assert!(api.refresh(&first.refresh).await.is_invalid_grant(), "a replay, to hear its alarm");
    api.post("/login", &json!({"username": "demo", "password": wrong, "scope": "\""})).await;
    api.post("/refresh", &json!({"refresh_token": format!("{}x", third.refresh)})).await;
    api.me(&format!("{}x", third.access)).await;
    ask(&api, &third).await;

    let (in_cookies, cookie) = cookie_session().await;

    let log = all();
    assert!(log.contains("refresh_replayed") && log.contains("login_ok"), "the log was listened to");
    assert!(log.contains("browser_refused") && log.contains("logout"), "to browsers, too");
    assert!(log.contains("introspected") && log.contains("client_refused"), "to clients, too");
    assert!(log.contains("session_displaced") && log.contains("forbidden"), "to what is behind the authorizer, too");
    let mut secrets =
        vec![cookie, wrong.to_owned(), api.password.clone(), "$argon2id$".to_owned(), "PRIVATE KEY".to_owned()];
    let basic = BASE64_STANDARD.encode(format!("demo:{}", api.client_secret));
    secrets.extend([api.client_secret.clone(), basic, api.client_secret[4..].to_owned()]);
    for tokens in [first, second, third, in_cookies, in_query] {
        let signature = tokens.access.rsplit_once('.').unwrap().1.to_owned();
        let token = BASE64_URL_SAFE_NO_PAD.decode(&tokens.refresh[4..]).unwrap();
        let nonce = &token[38..54];
        secrets.extend([tokens.access, signature, tokens.refresh, BASE64_STANDARD.encode(nonce), format!("{nonce:?}")]);
    }
    for secret in secrets {
        assert!(!log.contains(&secret), "the log holds {secret}");
    }
    let mut measured = 0;
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        measured += points(&line).len();
        assert!(line.is_object(), "{line}");
    }
    assert!(measured > 20, "documents of the embedded metric format are among them");
}

/// A client asks about tokens, by its secret in both places and by another.
async fn ask(api: &Api, tokens: &Tokens) {
    for token in [&tokens.access, &tokens.refresh, &format!("{}x", tokens.refresh)] {
        assert_eq!(api.introspect(token).await.status, 200);
        for secret in [&api.client_secret, &api.client_secret.replacen('_', "_x", 1)] {
            let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("demo:{secret}")));
            let headers = [("authorization", basic.as_str()), ("content-type", "application/x-www-form-urlencoded")];
            api.send(Method::POST, "/oauth/introspect", &headers, format!("token={token}").as_bytes()).await;
        }
    }
}

/// A session in cookies from login to logout, refusals among its requests: its tokens, and its cookie in pieces.
async fn cookie_session() -> (Tokens, String) {
    let variables = [("ALLOWED_ORIGINS", "https://app.example"), ("COOKIE_MODE", "on")];
    let api = Api::start_with(&variables).await;
    let browser = Browser::new(&api);
    let login = browser.login().await;
    let access = login.json()["access_token"].as_str().unwrap().to_owned();
    let tokens = Tokens { access, refresh: browser.token() };
    let cookie = format!("__Secure-refresh_token={}", &tokens.refresh[..20]);
    let whole = format!("__Secure-refresh_token={}", tokens.refresh);
    for origin in ["https://app.example", "https://evil.example"] {
        api.send(Method::POST, "/refresh", &[("origin", origin), ("cookie", &whole)], b"").await;
    }
    browser.post("/refresh", "").await;
    browser.post("/logout", "").await;
    (tokens, cookie)
}
