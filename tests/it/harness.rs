//! A stack for each test, with a clock that stands still until it is put forward.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use auth_core::config::environment;
use auth_core::entropy::{Entropy, OsEntropy};
use auth_core::id::{SessionId, UserId};
use auth_core::time::{ManualClock, UnixTime};
use auth_core::user::User;
use auth_dynamodb::store::Store;
use local::clock::LocalClock;
use local::stack::{DEMO_CLIENT, DEMO_USER, Options, Stack};
use local::surface::{Attachment, Surface};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::description;

/// When all tests begin.
pub(crate) const START: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// Older than `rest`: what a client waits between two refreshes.
pub(crate) const RESTED: Duration = Duration::from_secs(90);

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const WEEK: Duration = Duration::from_hours(7 * 24);

/// Everything is open to a good token but for one route, so that functions are heard of methods that they do not have.
const ROUTE_POLICY: &str = r#"{"routes":[{"method":"GET","path":"/me","all_scopes":["profile"]}]}"#;

/// What opens a WebSocket (RFC 6455 §4.1).
pub(crate) const HANDSHAKE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// Where an engine listens: the one that the environment names, or a new embedded one.
pub(crate) async fn engine() -> String {
    if let Some(endpoint) = environment("DYNAMODB_ENDPOINT") {
        return endpoint;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()));
    format!("http://{address}")
}

/// A table name that no other test has.
pub(crate) fn table_name() -> String {
    format!("test-{}", UserId::random(&OsEntropy).unwrap())
}

/// A new, empty table.
pub(crate) async fn table() -> Store {
    let store = Store::on_loopback(&engine().await, table_name());
    store.create_table().await.unwrap();
    store
}

/// A stack and its caller.
pub(crate) struct Api {
    pub(crate) url: String,
    pub(crate) clock: Arc<LocalClock>,
    pub(crate) store: Store,
    pub(crate) password: String,
    pub(crate) client_secret: String,
    pub(crate) refresh_keys: String,
    pub(crate) signing_key: String,
    pub(crate) table: String,
    pub(crate) dynamodb: String,
    /// Whether `openapi.yaml` describes it: what an HTTP API answers by itself cannot be set, and is like nothing in there.
    described: bool,
    client: reqwest::Client,
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

/// What a client keeps of a login or a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Api {
    pub(crate) async fn start() -> Self {
        Self::start_on(engine().await, &[]).await
    }

    /// With variables for the functions.
    pub(crate) async fn start_with(variables: &[(&'static str, &str)]) -> Self {
        Self::start_on(engine().await, variables).await
    }

    pub(crate) async fn start_on(endpoint: String, variables: &[(&'static str, &str)]) -> Self {
        Self::start_behind(Attachment::new(Surface::RestToken), None, endpoint, variables).await
    }

    /// Behind a gateway of some kind, in a stage.
    pub(crate) async fn start_behind(
        attachment: Attachment,
        stage: Option<&str>,
        endpoint: String,
        variables: &[(&'static str, &str)],
    ) -> Self {
        crate::log::capture();
        let table = table_name();
        let mut variables: HashMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        variables.insert("TABLE_NAME".to_owned(), table.clone());
        variables.entry("ROUTE_POLICY".to_owned()).or_insert_with(|| ROUTE_POLICY.to_owned());
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        let described = !matches!(attachment.surface, Surface::Http(_));
        let stack = Stack::start(Options {
            port: 0,
            data: None,
            dynamodb_port: 0,
            dynamodb_endpoint: Some(endpoint.parse().unwrap()),
            attachment,
            stage: stage.map(str::to_owned),
            variables: Box::new(move |name| variables.get(name).cloned()),
            clock: Arc::new(ManualClock::new(START)),
            entropy,
        })
        .await
        .unwrap();
        let api = Self {
            url: stack.url.clone(),
            clock: Arc::clone(&stack.clock),
            store: stack.store.clone(),
            password: stack.secrets.demo_password.clone(),
            client_secret: stack.secrets.demo_client_secret.clone(),
            refresh_keys: stack.secrets.refresh_keys.clone(),
            signing_key: stack.secrets.signing_key.clone(),
            table,
            dynamodb: stack.dynamodb.clone(),
            described,
            client: reqwest::Client::new(),
        };
        tokio::spawn(stack.serve(std::future::pending()));
        api
    }

    pub(crate) fn wait(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// Sends a request, and holds the answer to `openapi.yaml`.
    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.url)).body(body.to_vec());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, fields) = (response.status(), response.headers().clone());
        let answer = Answer { status, headers: fields, text: response.text().await.unwrap() };
        if self.described {
            description::check(&method, path, headers, &answer);
        }
        answer
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let json = [("content-type", "application/json")];
        self.send(Method::POST, path, &json, body.to_string().as_bytes()).await
    }

    pub(crate) async fn form(&self, path: &str, body: &str) -> Answer {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        self.send(Method::POST, path, &form, body.as_bytes()).await
    }

    pub(crate) async fn get(&self, path: &str, authorization: &str) -> Answer {
        self.send(Method::GET, path, &[("authorization", authorization)], b"").await
    }

    pub(crate) async fn me(&self, access: &str) -> Answer {
        self.get("/me", &format!("Bearer {access}")).await
    }

    pub(crate) async fn sign_in(&self, password: &str) -> Answer {
        self.post("/login", &json!({"username": DEMO_USER, "password": password})).await
    }

    /// The demo user's tokens.
    pub(crate) async fn login(&self) -> Tokens {
        self.sign_in(&self.password).await.tokens()
    }

    pub(crate) async fn refresh(&self, refresh: &str) -> Answer {
        self.post("/refresh", &json!({"refresh_token": refresh})).await
    }

    pub(crate) async fn logout(&self, refresh: &str) -> Answer {
        self.post("/logout", &json!({"refresh_token": refresh})).await
    }

    /// Asks about a token, as the demo client.
    pub(crate) async fn introspect(&self, token: &str) -> Answer {
        let secret = &self.client_secret;
        self.form("/oauth/introspect", &format!("client_id={DEMO_CLIENT}&client_secret={secret}&token={token}")).await
    }

    /// The session of an access token that is still good.
    pub(crate) async fn session_of(&self, access: &str) -> (UserId, SessionId) {
        let me = self.me(access).await.json();
        let (sub, sid) = (UserId::parse(me["sub"].as_str().unwrap()), SessionId::parse(me["sid"].as_str().unwrap()));
        (sub.unwrap(), sid.unwrap())
    }

    /// The user behind an access token that is still good.
    pub(crate) async fn user_of(&self, access: &str) -> User {
        let (user_id, _) = self.session_of(access).await;
        self.store.user(user_id).await.unwrap().unwrap()
    }

    /// Refreshes as a client does that has waited long enough.
    pub(crate) async fn rotate(&self, refresh: &str) -> Tokens {
        self.wait(RESTED);
        self.refresh(refresh).await.tokens()
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn tokens(&self) -> Tokens {
        assert_eq!(self.status, 200, "{self:?}");
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        Tokens { access: text("access_token"), refresh: text("refresh_token") }
    }

    /// The one answer to every refresh token that is not good.
    pub(crate) fn is_invalid_grant(&self) -> bool {
        self.status == 400 && self.json()["error"] == "invalid_grant"
    }
}
