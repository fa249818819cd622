//! Browsers in cookie mode: refresh tokens in cookies that no script reads, and no other site uses.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_core::config::Variables;
use auth_core::entropy::OsEntropy;
use auth_core::time::{ManualClock, SystemClock};
use auth_dynamodb::store::Store;
use auth_http::function::invoke;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, RESTED, SECOND, START, engine};
use crate::wire::Wire;

const APP: &str = "https://app.example";
const EVIL: &str = "https://evil.example";
const COOKIE: &str = "__Secure-refresh_token";
const JSON: (&str, &str) = ("content-type", "application/json");
const MARK: (&str, &str) = ("countersign-client", "browser");

const COOKIE_MODE: [(&str, &str); 2] =
    [("ALLOWED_ORIGINS", "https://app.example, http://localhost:5173"), ("COOKIE_MODE", "on")];

/// A browser with pages of an allowed origin. Its tabs share the cookies.
pub(crate) struct Browser<'a> {
    api: &'a Api,
    /// Tokens by path.
    jar: Mutex<BTreeMap<String, String>>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(api: &'a Api) -> Self {
        Self { api, jar: Mutex::default() }
    }

    /// What comes of `fetch(path, {method: "POST", credentials: "include", …})`: a preflight first, then the request with
    /// the cookies of its path, and an error if the page may not read the answer.
    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.preflight(path).await;
        let answer = self.send(path, &self.cookie(path), body).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(APP), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"), "{answer:?}");
        self.keep(&answer);
        answer
    }

    async fn preflight(&self, path: &str) {
        let asking = [
            ("access-control-request-headers", "content-type,countersign-client"),
            ("access-control-request-method", "POST"),
            ("origin", APP),
            ("sec-fetch-mode", "cors"),
        ];
        let answer = self.api.send(Method::OPTIONS, path, &asking, b"").await;
        assert_eq!(answer.status, 204, "{answer:?}");
        let allowed = ["allow-origin", "allow-credentials", "allow-headers"]
            .map(|name| answer.header(&format!("access-control-{name}")).unwrap_or_default());
        assert_eq!(allowed, [APP, "true", "Authorization, Content-Type, Countersign-Client"], "{answer:?}");
    }

    /// The header fields of Chromium, to an API of the same site.
    async fn send(&self, path: &str, cookie: &str, body: &str) -> Answer {
        let mut headers = vec![
            ("accept", "*/*"),
            ("accept-language", "en-GB,en;q=0.9"),
            MARK,
            ("origin", APP),
            ("referer", "https://app.example/"),
            ("sec-fetch-dest", "empty"),
            ("sec-fetch-mode", "cors"),
            ("sec-fetch-site", "same-site"),
            ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36"),
        ];
        headers.extend((!body.is_empty()).then_some(JSON));
        headers.extend((!cookie.is_empty()).then_some(("cookie", cookie)));
        self.api.send(Method::POST, path, &headers, body.as_bytes()).await
    }

    /// The field that a request to this path carries, with a cookie of somebody else's.
    fn cookie(&self, path: &str) -> String {
        let token = self.jar.lock().unwrap().get(path).cloned();
        token.map(|token| format!("theme=cr\u{e8}me; {COOKIE}={token}")).unwrap_or_default()
    }

    fn keep(&self, answer: &Answer) {
        let mut jar = self.jar.lock().unwrap();
        for cookie in set_cookies(answer) {
            let (pair, attributes) = cookie.split_once("; Path=").unwrap();
            let (path, attributes) = attributes.split_once("; ").unwrap();
            let token = pair.strip_prefix("__Secure-refresh_token=").unwrap().to_owned();
            if attributes.contains("Max-Age=0;") {
                jar.remove(path);
            } else {
                jar.insert(path.to_owned(), token);
            }
        }
    }

    pub(crate) async fn login(&self) -> Answer {
        let body = json!({"username": "demo", "password": self.api.password}).to_string();
        let answer = self.post("/login", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// The refresh token, which no page sees.
    pub(crate) fn token(&self) -> String {
        let jar = self.jar.lock().unwrap();
        assert_eq!(jar.keys().collect::<Vec<_>>(), ["/logout", "/refresh"]);
        assert_eq!(jar["/logout"], jar["/refresh"]);
        jar["/refresh"].clone()
    }
}

fn set_cookies(answer: &Answer) -> Vec<&str> {
    answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect()
}

/// A refused request: nothing was done, and nothing in it says that a session is over.
fn assert_is_refused(answer: &Answer, name: &str) {
    assert_eq!(answer.status, 403, "{name}: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{name}");
    assert!(answer.json().get("error").is_none(), "{name}: no OAuth code");
    assert!(set_cookies(answer).is_empty(), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lives_in_cookies_from_login_to_logout() {
    let api = Api::start_with(&COOKIE_MODE).await;
    let browser = Browser::new(&api);
    let login = browser.login().await;
    let first = browser.token();
    let members: Vec<String> = login.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["access_token", "expires_in", "scope", "token_type"], "no refresh token");
    assert_eq!(login.header("cache-control"), Some("no-store"));
    let expected = ["/refresh", "/logout"]
        .map(|path| format!("{COOKIE}={first}; Path={path}; Max-Age=2592000; HttpOnly; Secure; SameSite=Strict"));
    assert_eq!(set_cookies(&login), expected);

    let rested = browser.post("/refresh", "").await;
    assert_eq!((rested.status.as_u16(), browser.token()), (200, first.clone()), "a young token rests");
    assert_eq!(set_cookies(&rested), expected, "with the same life");
    api.wait(RESTED);
    let rotated = browser.post("/refresh", r#"{"scope":"profile"}"#).await;
    assert_eq!((&rotated.json()["scope"], rotated.json().get("refresh_token")), (&json!("profile"), None));
    let second = browser.token();
    assert_ne!(second, first);
    assert_eq!(api.me(rotated.json()["access_token"].as_str().unwrap()).await.status, 200);

    let logout = browser.post("/logout", "").await;
    assert_eq!((logout.status.as_u16(), logout.text.as_str()), (204, ""));
    let expected = ["/refresh", "/logout"]
        .map(|path| format!("{COOKIE}=; Path={path}; Max-Age=0; HttpOnly; Secure; SameSite=Strict"));
    assert_eq!(set_cookies(&logout), expected);
    assert!(browser.post("/refresh", "").await.is_invalid_grant(), "nobody is signed in");
    assert_eq!(browser.post("/logout", "{}").await.status, 204, "as good as the first time");
    for token in [first, second] {
        assert!(api.refresh(&token).await.is_invalid_grant(), "the session is over for every copy");
    }
}

/// One `fetch` of a page for each of two tabs, at the same moment or one of them late.
#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_share_a_cookie() {
    let api = Api::start_with(&COOKIE_MODE).await;
    let browser = Browser::new(&api);
    browser.login().await;
    for _ in 0..3 {
        api.wait(RESTED);
        let (one, other) = tokio::join!(browser.post("/refresh", ""), browser.post("/refresh", ""));
        assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200));
        assert_eq!(set_cookies(&one), set_cookies(&other), "either answer may come last");
    }
    api.wait(RESTED);
    let old = browser.cookie("/refresh");
    browser.post("/refresh", "").await;
    api.wait(11 * SECOND);
    let late = browser.send("/refresh", &old, "").await;
    assert_eq!(late.status, 200, "a tab that was suspended between its cookies and its request");
    browser.keep(&late);
    api.wait(RESTED);
    assert_eq!(browser.post("/refresh", "").await.status, 200);
}

/// The answer to an old token may be a late one: it must not take away a newer token that the browser has by then.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_takes_no_cookie_away() {
    let api = Api::start_with(&COOKIE_MODE).await;
    let browser = Browser::new(&api);
    browser.login().await;
    let old = browser.cookie("/refresh");
    for _ in 0..2 {
        api.wait(RESTED);
        browser.post("/refresh", "").await;
    }
    api.wait(RESTED);
    for cookie in [old.as_str(), "", "__Secure-refresh_token=forged", "__Secure-refresh_token="] {
        let refused = browser.send("/refresh", cookie, "").await;
        assert!(refused.is_invalid_grant(), "{cookie:.30}: {refused:?}");
        assert!(set_cookies(&refused).is_empty(), "{cookie:.30}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browsers_token_comes_in_its_one_cookie_and_in_nothing_else() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &COOKIE_MODE).await;
    let browser = Browser::new(&api);
    browser.login().await;
    let (token, cookie) = (browser.token(), browser.cookie("/refresh"));
    let in_body = json!({"refresh_token": token}).to_string();
    let twice = format!("{cookie}; {COOKIE}={token}");
    wire.calls();
    for path in ["/refresh", "/logout"] {
        for (name, cookie, body) in [
            ("in the body", "", in_body.as_str()),
            ("in both", &cookie, &in_body),
            ("twice", &twice, ""),
            ("with half a body", &cookie, "{"),
            ("with an array", &cookie, "[]"),
        ] {
            let refused = browser.send(path, cookie, body).await;
            let error = refused.json()["error"].clone();
            assert_eq!((refused.status.as_u16(), &error), (400, &json!("invalid_request")), "{path} {name}");
            assert!(set_cookies(&refused).is_empty(), "{path} {name}");
        }
    }
    let odd = browser.send("/refresh", &cookie, r#"{"scope":"profile \\ notes"}"#).await;
    assert_eq!((odd.status.as_u16(), &odd.json()["error"]), (400, &json!("invalid_scope")));
    assert_eq!(browser.send("/logout", "", "").await.status, 204, "who is not signed in is signed out");
    assert_eq!(browser.send("/logout", "__Secure-refresh_token=forged", "").await.status, 204);
    assert_eq!(wire.calls(), [], "nothing was asked of the store");
    assert_eq!(browser.send("/refresh", &cookie, "").await.status, 200);
}

/// What pages of other sites can make a browser send, cookies included, and what merely looks like a browser.
#[tokio::test(flavor = "multi_thread")]
async fn other_sites_do_nothing_in_anybodys_name() {
    let wire = Wire::to(engine().await).await;
    let api = Api::start_on(wire.endpoint.clone(), &COOKIE_MODE).await;
    let browser = Browser::new(&api);
    browser.login().await;
    api.wait(RESTED);
    let (token, cookie) = (browser.token(), browser.cookie("/refresh"));
    let (cookie, form) = (("cookie", cookie.as_str()), ("content-type", "application/x-www-form-urlencoded"));
    let cross = ("sec-fetch-site", "cross-site");
    let cases = [
        ("another site's script", vec![("origin", EVIL), JSON, MARK, cross]),
        ("another site's simple post", vec![("origin", EVIL), ("content-type", "text/plain"), cross]),
        ("another site's form", vec![("origin", EVIL), form, ("sec-fetch-mode", "navigate"), cross]),
        ("a sandboxed frame's form", vec![("origin", "null"), form, cross]),
        ("a sandboxed frame's script", vec![("origin", "null"), JSON, MARK, cross]),
        ("a neighbour's script", vec![("origin", "https://blog.app.example"), JSON, MARK]),
        ("our page without TLS", vec![("origin", "http://app.example"), JSON, MARK]),
        ("our page's form", vec![("origin", APP), form, ("sec-fetch-site", "same-site")]),
        ("our page's simple post", vec![("origin", APP), ("content-type", "text/plain")]),
        ("our page's script without the mark", vec![("origin", APP), JSON]),
        ("another mark", vec![("origin", APP), JSON, ("countersign-client", "app")]),
        ("two origins", vec![("origin", APP), ("origin", EVIL), JSON, MARK]),
        ("the mark without an origin", vec![JSON, MARK]),
    ];
    let login = json!({"username": "demo", "password": api.password}).to_string();
    let in_form = format!("grant_type=refresh_token&refresh_token={token}");
    let requests = [("/login", login.as_str()), ("/refresh", ""), ("/logout", ""), ("/oauth/token", &in_form)];
    wire.calls();
    for (name, headers) in cases {
        let headers: Vec<_> = headers.into_iter().chain([cookie]).collect();
        for (path, body) in requests {
            let answer = api.send(Method::POST, path, &headers, body.as_bytes()).await;
            assert_is_refused(&answer, &format!("{name} to {path}"));
        }
    }
    // Without either field it is nobody's browser: its cookie is not looked at, and its body has no token.
    for (name, headers) in [("a bare request", vec![JSON]), ("a bare form", vec![form]), ("nothing at all", vec![])] {
        let headers: Vec<_> = headers.into_iter().chain([cookie]).collect();
        for path in ["/refresh", "/logout"] {
            let answer = api.send(Method::POST, path, &headers, b"{}").await;
            assert!(matches!(answer.status.as_u16(), 400 | 415), "{name} to {path}: {answer:?}");
            assert_eq!(answer.json()["error"], "invalid_request", "{name} to {path}");
        }
    }
    assert_eq!(wire.calls(), [], "nothing was asked of the store");
    assert_eq!(browser.post("/refresh", "").await.status, 200, "and the session lives");
}

/// The token endpoint is for OAuth's clients: it sees no cookie, and no browser in cookie mode.
#[tokio::test(flavor = "multi_thread")]
async fn the_token_endpoint_is_not_for_browsers() {
    let api = Api::start_with(&COOKIE_MODE).await;
    let token = api.login().await.refresh;
    let form = format!("grant_type=refresh_token&refresh_token={token}");
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", APP), MARK];
    assert_is_refused(&api.send(Method::POST, "/oauth/token", &headers, form.as_bytes()).await, "in cookie mode");
    let app = api.form("/oauth/token", &form).await;
    assert_eq!((app.status.as_u16(), set_cookies(&app).len()), (200, 0));

    let without = Api::start_with(&COOKIE_MODE[..1]).await;
    let form = format!("grant_type=refresh_token&refresh_token={}", without.login().await.refresh);
    let answer = without.send(Method::POST, "/oauth/token", &headers, form.as_bytes()).await;
    assert_eq!((answer.status.as_u16(), set_cookies(&answer).len()), (200, 0), "without cookie mode");
}

/// Apps and servers send no `Origin`: for them nothing is different, whatever cookies they carry.
#[tokio::test(flavor = "multi_thread")]
async fn apps_notice_nothing() {
    let api = Api::start_with(&COOKIE_MODE).await;
    let browser = Browser::new(&api);
    browser.login().await;
    let login = api.sign_in(&api.password).await;
    let tokens = login.tokens();
    let refreshed = api.refresh(&tokens.refresh).await;
    let logout = api.logout(&tokens.refresh).await;
    for (name, answer) in [("login", &login), ("refresh", &refreshed), ("logout", &logout)] {
        assert!(answer.status.is_success() && set_cookies(answer).is_empty(), "{name}: {answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{name}");
    }
    let cookie = browser.cookie("/logout");
    let headers = [JSON, ("cookie", cookie.as_str())];
    let forged = json!({"refresh_token": "csr_forged"}).to_string();
    assert_eq!(api.send(Method::POST, "/logout", &headers, forged.as_bytes()).await.status, 204);
    assert_eq!(browser.post("/refresh", "").await.status, 200, "the cookie's session lives");
}

/// Without cookie mode a page keeps its tokens itself, and cookies mean nothing.
#[tokio::test(flavor = "multi_thread")]
async fn without_cookie_mode_pages_are_like_apps() {
    let api = Api::start_with(&COOKIE_MODE[..1]).await;
    let login = json!({"username": "demo", "password": api.password}).to_string();
    let headers = [JSON, ("origin", APP), MARK];
    let answer = api.send(Method::POST, "/login", &headers, login.as_bytes()).await;
    let tokens = answer.tokens();
    assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
    assert_eq!((answer.header("access-control-allow-credentials"), set_cookies(&answer).len()), (None, 0));
    let cookie = format!("{COOKIE}={}", tokens.refresh);
    let headers = [JSON, ("origin", APP), ("cookie", &cookie)];
    for path in ["/refresh", "/logout"] {
        assert_eq!(api.send(Method::POST, path, &headers, b"{}").await.status, 400, "{path}");
    }
    assert_eq!(api.refresh(&tokens.refresh).await.status, 200);
}

/// What is left of a session's life would tell a thief when the owner refreshed.
#[tokio::test(flavor = "multi_thread")]
async fn a_cookies_life_says_nothing_of_the_sessions() {
    let [origins, mode] = COOKIE_MODE;
    let lives = [("REFRESH_IDLE_TTL_SECONDS", "1000"), ("REFRESH_ABSOLUTE_TTL_SECONDS", "2000")];
    let api = Api::start_with(&[origins, mode, lives[0], lives[1]]).await;
    let browser = Browser::new(&api);
    let mut answers = vec![browser.login().await];
    for _ in 0..2 {
        api.wait(Duration::from_secs(900));
        answers.push(browser.post("/refresh", "").await);
        answers.push(browser.post("/refresh", "").await);
    }
    for answer in &answers {
        let cookies = set_cookies(answer);
        assert!(cookies.len() == 2 && cookies.iter().all(|it| it.contains("; Max-Age=1000;")), "{cookies:?}");
    }
    api.wait(Duration::from_secs(200));
    assert!(browser.post("/refresh", "").await.is_invalid_grant());
}

/// The cookies live under the path that the browser knows: with the stage, with a base path, or with neither.
#[tokio::test(flavor = "multi_thread")]
async fn cookies_live_under_the_stage() {
    let api = Api::start().await;
    let (signing_key, refresh_keys) = (api.signing_key.clone(), api.refresh_keys.clone());
    let look_up = move |name: &str| {
        let given = COOKIE_MODE.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
        given.or_else(|| match name {
            "ISSUER" => Some("https://auth.example".to_owned()),
            "AUDIENCE" => Some("api".to_owned()),
            "SIGNING_KEY" => Some(signing_key.clone()),
            "REFRESH_KEYS" => Some(refresh_keys.clone()),
            _ => None,
        })
    };
    let config = login::config::Config::from_variables(&Variables::new(&look_up)).unwrap();
    let store = Store::on_loopback(&api.dynamodb, api.table.clone());
    let app = login::App::new(config, store, Arc::new(ManualClock::new(START)), Arc::new(OsEntropy));
    for (path, base) in [("/prod/login", "/prod"), ("/auth/v1/login", "/auth/v1"), ("/login", "")] {
        let event = json!({
            "resource": "/login", "httpMethod": "POST", "requestContext": {"path": path},
            "headers": {"content-type": "application/json", "origin": APP, "countersign-client": "browser"},
            "body": json!({"username": "demo", "password": api.password}).to_string(),
        });
        let answer: Value = serde_json::to_value(invoke(&app, &event, &SystemClock).await).unwrap();
        assert_eq!(answer["statusCode"], 200, "{path}: {answer}");
        let cookies = answer["multiValueHeaders"]["set-cookie"].as_array().unwrap();
        let paths: Vec<_> = cookies.iter().map(|cookie| cookie.as_str().unwrap().split("; ").nth(1).unwrap()).collect();
        assert_eq!(paths, [format!("Path={base}/refresh"), format!("Path={base}/logout")], "{path}");
    }
}
