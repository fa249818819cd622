//! Secrets planted in every place where a request can hold one, on every route and behind every kind of gateway: none of
//! them comes to light in a line or a metric.

use auth_http::browser::Browsers;
use auth_http::function::{Function, invoke};
use auth_http::request::{Body, Request};
use auth_http::response::{self, Response};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use local::surface::{Attachment, Payload, Surface};
use reqwest::Method;
use serde_json::json;
use tracing::Level;

use auth_core::config::Variables;
use auth_core::time::SystemClock;

use crate::emf::points;
use crate::harness::{Api, engine};
use crate::listening::Listening;

const SURFACES: [Surface; 6] = [
    Surface::RestToken,
    Surface::RestRequest,
    Surface::Http(Payload::One),
    Surface::Http(Payload::Two { simple: false }),
    Surface::Http(Payload::Two { simple: true }),
    Surface::WebSocket,
];

/// Where a secret goes in a text.
const SPOT: char = '§';

/// How the secrets begin that are handed out.
const STEM: &str = "SeKrEt";

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// What every request has besides.
const FIELDS: [(&str, &str); 12] = [
    ("accept-language", "§"),
    ("authorization", "Bearer §"),
    ("cookie", "__Secure-refresh_token=§; session=§"),
    ("forwarded", "for=§"),
    ("proxy-authorization", "Basic §"),
    ("referer", "https://app.example/?code=§"),
    ("user-agent", "agent/§"),
    ("x-amz-security-token", "§"),
    ("x-amzn-trace-id", "Root=§;Self=§"),
    ("x-api-key", "§"),
    ("x-forwarded-for", "§"),
    ("x-password", "§"),
];

/// Hands secrets out, and remembers them.
#[derive(Default)]
struct Planter {
    planted: Vec<String>,
}

impl Planter {
    /// A text with a new secret in every spot.
    fn plant(&mut self, text: &str) -> String {
        text.chars().fold(String::new(), |text, character| match character {
            SPOT => text + &self.secret(),
            _ => text + &character.to_string(),
        })
    }

    /// Letters and digits alone, so that it looks the same in a header field, a form, JSON and a URL.
    fn secret(&mut self) -> String {
        let secret = format!("{STEM}{:04}pLaNtEd", self.planted.len());
        self.planted.push(secret.clone());
        secret
    }

    /// Something else that is to stay secret.
    fn remember(&mut self, secret: String) -> String {
        self.planted.push(secret.clone());
        secret
    }

    /// What is found in a log. (Logs are long and secrets many, but most of them have one stem.)
    fn found(&self, log: &str) -> Vec<&str> {
        let has_stem = log.contains(STEM);
        let planted = self.planted.iter().map(String::as_str);
        planted.filter(|secret| (has_stem || !secret.starts_with(STEM)) && log.contains(secret)).collect()
    }

    /// A token of our form, which holds a secret where the claims are.
    fn jwt(&mut self) -> String {
        let header = BASE64_URL_SAFE_NO_PAD.encode(self.plant(r#"{"typ":"at+jwt","alg":"RS256","kid":"§"}"#));
        let claims = BASE64_URL_SAFE_NO_PAD.encode(self.plant(r#"{"sub":"§","jti":"§","sid":"§","scope":"§"}"#));
        let (header, claims) = (self.remember(header), self.remember(claims));
        self.plant(&format!("{header}.{claims}.§"))
    }

    fn basic(&mut self, credentials: &str) -> String {
        let encoded = BASE64_STANDARD.encode(self.plant(credentials));
        format!("Basic {}", self.remember(encoded))
    }
}

/// What a stack is asked.
struct Asking<'a> {
    api: &'a Api,
    planter: &'a mut Planter,
    client: reqwest::Client,
    sent: usize,
}

impl Asking<'_> {
    /// Sends a request with secrets in all its spots. Fields of `headers` stand instead of those that every request has.
    async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let url = format!("{}{}", self.api.url, self.planter.plant(path));
        let mut request = self.client.request(method.parse::<Method>().unwrap(), url).body(self.planter.plant(body));
        let besides = FIELDS.iter().filter(|(name, _)| headers.iter().all(|(given, _)| given != name));
        for (name, value) in headers.iter().chain(besides).filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, self.planter.plant(value));
        }
        let answer = request.send().await.unwrap();
        self.sent += 1;
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn status(&mut self, expected: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &str) {
        let (status, text) = self.send(method, path, headers, body).await;
        assert_eq!(status, expected, "{method} {path} {headers:?} {body}: {text}");
    }

    /// Signs in; what comes of it is secret, too.
    async fn login(&mut self, device: &str) -> (String, String) {
        let body = json!({"username": "demo", "password": self.api.password, "device": device, "extra": "§"});
        let (status, text) = self.send("POST", "/login?next=§", &[JSON], &body.to_string()).await;
        assert_eq!(status, 200, "{text}");
        let tokens: serde_json::Value = serde_json::from_str(&text).unwrap();
        let token = |name: &str| tokens[name].as_str().unwrap().to_owned();
        (self.planter.remember(token("access_token")), self.planter.remember(token("refresh_token")))
    }

    /// Requests that are refused, each for its reason.
    async fn refused(&mut self) {
        for body in [
            r#"{"username":"demo","password":"§","scope":"profile","device":"§"}"#,
            r#"{"username":"§","password":"§"}"#,
            r#"{"username":"§","password":"§","scope":"\"§"}"#,
            r#"{"username":"§","password":"§","password":"§"}"#,
            r#"{"username":["§"],"password":{"a":"§"}}"#,
            r#"{"username":"§","password":"§"#,
            "username=§&password=§",
        ] {
            self.status(400, "POST", "/login", &[JSON], body).await;
        }
        self.status(415, "POST", "/login", &[FORM], "username=§&password=§").await;
        self.status(405, "BREW", "/login?password=§", &[JSON], r#"{"password":"§"}"#).await;
        for body in
            [r#"{"refresh_token":"§","scope":"§"}"#, r#"{"refresh_token":"csr_§"}"#, r#"{"refresh_token":["§"]}"#]
        {
            self.status(400, "POST", "/refresh", &[JSON], body).await;
        }
        for body in [
            "grant_type=refresh_token&refresh_token=§&client_id=§&scope=§",
            "grant_type=password&username=§&password=§",
            "grant_type=§&code=§&code_verifier=§",
            "refresh_token=§&refresh_token=§",
        ] {
            self.status(400, "POST", "/oauth/token", &[FORM], body).await;
        }
        let exchange = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=§\
                        &subject_token_type=urn:ietf:params:oauth:token-type:access_token";
        for body in [
            "grant_type=refresh_token&refresh_token=§&client_id=§&client_secret=§&scope=§",
            "grant_type=client_credentials&client_id=demo&client_secret=§&scope=§",
            &format!("{exchange}&client_id=demo&client_secret=§&actor=§"),
        ] {
            self.status(401, "POST", "/oauth/token", &[FORM, ("authorization", "")], body).await;
        }
        let good = format!("{exchange}&client_id=demo&client_secret={}&extra=§", self.api.client_secret);
        self.status(400, "POST", "/oauth/token", &[FORM, ("authorization", "")], &good).await;
        self.status(204, "POST", "/logout", &[JSON], r#"{"refresh_token":"§","extra":"§"}"#).await;
        self.status(400, "POST", "/logout", &[JSON], r#"{"refresh_token":"§","sessions":"§"}"#).await;
        self.status(401, "POST", "/logout", &[JSON], "").await;
        self.status(200, "POST", "/oauth/revoke", &[FORM], "token=§&token_type_hint=§").await;
        self.status(400, "POST", "/oauth/revoke", &[FORM], "tokens=§").await;
        self.status(404, "GET", "/nothing/§?token=§", &[], "").await;
        self.status(200, "GET", "/.well-known/jwks.json?key=§", &[], "").await;
    }

    /// Clients that are none, and one that asks about tokens that are none.
    async fn introspected(&mut self) {
        let none = ("authorization", "");
        let secret = self.api.client_secret.clone();
        let good = format!("client_id=demo&client_secret={secret}&token=§&token_type_hint=§");
        self.status(200, "POST", "/oauth/introspect", &[FORM, none], &good).await;
        let jwt = self.planter.jwt();
        let good = format!("client_id=demo&client_secret={secret}&token={jwt}");
        self.status(200, "POST", "/oauth/introspect", &[FORM, none], &good).await;
        for body in ["client_id=demo&client_secret=§&token=§", "client_id=§&client_secret=csc_§&token=§"] {
            self.status(401, "POST", "/oauth/introspect", &[FORM, none], body).await;
        }
        for credentials in ["demo:§", "§:§", "§"] {
            let basic = self.planter.basic(credentials);
            self.status(401, "POST", "/oauth/introspect", &[FORM, ("authorization", &basic)], "token=§").await;
        }
    }

    /// What stands behind the authorizer.
    async fn authorized(&mut self, access: &str, surface: Surface) {
        let bearer = format!("Bearer {access}");
        let good = ("authorization", bearer.as_str());
        self.status(200, "GET", "/me?access_token=§", &[good], "").await;
        self.status(404, "DELETE", "/sessions/§", &[good], "§").await;
        let (status, list) = self.send("GET", "/sessions?cursor=§", &[good], "").await;
        assert!(status == 200 && list.contains(STEM), "the device is there: it was taken, and is not logged");
        let jwt = format!("Bearer {}", self.planter.jwt());
        let basic = self.planter.basic("demo:§");
        let list = format!("{bearer},Bearer §");
        for authorization in ["Bearer §", "§", "Bearer §.§.§", "DPoP §", jwt.as_str(), basic.as_str(), list.as_str()]
        {
            self.status(401, "GET", "/me?access_token=§", &[("authorization", authorization)], "").await;
        }
        self.status(401, "DELETE", "/sessions/§", &[("authorization", "Bearer §")], "").await;
        if surface == Surface::WebSocket {
            let handshake = [
                ("authorization", ""),
                ("connection", "Upgrade"),
                ("upgrade", "websocket"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ];
            self.status(401, "GET", "/?access_token=§&other=§", &handshake, "").await;
        }
    }

    /// Browsers in cookie mode, of pages that may call and of others.
    async fn browsers(&mut self, refresh: &str) {
        let (app, evil) = (("origin", "https://app.example"), ("origin", "https://§.example"));
        let cookie = format!("__Secure-refresh_token={refresh}");
        let mark = ("countersign-client", "browser");
        for path in ["/refresh", "/logout"] {
            self.status(403, "POST", path, &[evil, mark, ("cookie", &cookie)], "").await;
            self.status(403, "POST", path, &[app, ("countersign-client", "§"), ("cookie", &cookie)], "").await;
        }
        self.status(400, "POST", "/refresh", &[app, mark], "").await;
        self.status(200, "POST", "/refresh", &[app, mark, ("cookie", &cookie)], "").await;
        self.status(204, "POST", "/logout", &[app, mark, ("cookie", &cookie), ("authorization", "")], "").await;
    }
}

/// Every route behind one kind of gateway: how much was asked.
async fn ask_everything(surface: Surface, planter: &mut Planter) -> usize {
    let simple = if surface == (Surface::Http(Payload::Two { simple: true })) { "on" } else { "off" };
    let variables = [
        ("SIMPLE_RESPONSES", simple),
        ("WEBSOCKET_TOKEN_PARAMETER", "access_token"),
        ("ALLOWED_ORIGINS", "https://app.example"),
        ("COOKIE_MODE", "on"),
    ];
    let api = Api::start_behind(Attachment::new(surface), None, engine().await, &variables).await;
    let own = [&api.password, &api.client_secret, &api.refresh_keys].into_iter().map(String::as_str);
    for secret in own.chain(api.signing_key.lines()) {
        planter.remember(secret.to_owned());
    }
    let mut asking = Asking { api: &api, planter, client: reqwest::Client::new(), sent: 0 };
    let (access, refresh) = asking.login("§").await;
    asking.refused().await;
    asking.introspected().await;
    asking.authorized(&access, surface).await;
    asking.browsers(&refresh).await;
    asking.sent
}

#[tokio::test]
async fn nothing_that_was_planted_reaches_a_line() {
    let log = Listening::at(Level::TRACE);
    let mut planter = Planter::default();
    for surface in SURFACES {
        let before = planter.planted.len();
        let sent = ask_everything(surface, &mut planter).await;
        assert!(planter.planted.len() - before > 500, "{surface:?}: {before}, {}", planter.planted.len());

        let lines = log.lines();
        let ends = lines.iter().filter(|line| line["event"] == "answered").count();
        let unanswered = lines.iter().filter(|line| line["service"] == "authorizer" && line["event"] == "unauthorized");
        // All but the path that is nowhere, and those that the gateway refuses without asking.
        assert!(ends + unanswered.count() + 3 >= sent, "{surface:?}: {sent} requests, {ends} answers");
        let events =
            ["login_ok", "login_failed", "refresh_denied", "browser_refused", "client_refused", "introspected"];
        for event in events.iter().chain(&["allowed", "unauthorized", "logout", "logout_denied", "refresh_ok"]) {
            assert!(lines.iter().any(|line| line["event"] == *event), "{surface:?}: {event} was heard");
        }
        let text = lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert_eq!(planter.found(&text), Vec::<&str>::new(), "{surface:?}");
        let metrics: Vec<_> = lines.iter().flat_map(points).collect();
        assert!(metrics.len() > sent && planter.found(&format!("{metrics:?}")).is_empty(), "{surface:?}");
    }
    // What threads of their own say, such as those that hash.
    assert_eq!(planter.found(&crate::log::all()), Vec::<&str>::new());
}

/// A function that tells its log what it is sent.
struct Careless(Browsers);

impl Function for Careless {
    fn browsers(&self) -> &Browsers {
        &self.0
    }

    async fn answer(&self, request: Request) -> Response {
        let Body::Bytes(body) = &request.body else { panic!("no base64 here") };
        tracing::trace!(target: "login", headers = ?request.headers, "read");
        tracing::info!(target: "login", body = %String::from_utf8_lossy(body), outcome = "refused", Logins = 1);
        response::done()
    }
}

/// The search finds what it looks for.
#[tokio::test]
async fn a_careless_function_would_be_found_out() {
    let log = Listening::at(Level::TRACE);
    let mut planter = Planter::default();
    let fields: Vec<String> = FIELDS.iter().map(|(_, value)| planter.plant(value)).collect();
    let headers: serde_json::Map<_, _> =
        FIELDS.iter().map(|(name, _)| (*name).to_owned()).zip(fields.into_iter().map(Into::into)).collect();
    let body = planter.plant(r#"{"password":"§"}"#);
    let event = json!({"resource": "/login", "httpMethod": "POST", "headers": headers, "body": body});
    let careless = Careless(Browsers::without_cookies(&Variables::new(&|_| None)).unwrap());
    invoke(&careless, &event, &SystemClock).await;
    let text = log.lines().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert_eq!(planter.found(&text), planter.planted.iter().map(String::as_str).collect::<Vec<_>>());
}
